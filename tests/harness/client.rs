//! Clients: one that sends the very bytes a test wants, and one that speaks HTTP/2.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};

/// A response as a client read it.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// A connection that writes and reads raw bytes.
pub struct RawClient {
    stream: TcpStream,
    /// Read, but not yet part of an answer.
    ahead: Vec<u8>,
    since: Instant,
    /// Why nothing more came.
    ended: Option<String>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first value of a field, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// `GET path` with `Host: localhost`.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, &[], b"")
}

/// The same, of a client at this address.
pub fn get_from(source: [u8; 4], address: SocketAddr, path: &str) -> Answer {
    let mut client = RawClient::connect_from(source, address);
    client.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes());
    client.answer()
}

/// One request on a connection of its own.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += "host: localhost\r\n";
    }
    for (name, value) in fields {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("content-length: {}\r\n", body.len());
    }
    head += "\r\n";
    let mut client = RawClient::connect(address);
    client.send(head.as_bytes());
    client.send(body);
    client.answer_to(method)
}

/// One request on an HTTP/2 connection with prior knowledge.
pub fn h2(address: SocketAddr, request: Request<Bytes>) -> Answer {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(executor, io).await.expect("a handshake");
        tokio::spawn(connection);
        let response = sender.send_request(request.map(Full::new)).await.expect("a response");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes().to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    })
}

impl RawClient {
    pub fn connect(address: SocketAddr) -> RawClient {
        RawClient::try_connect(address).expect("a connection")
    }

    /// As [`RawClient::connect`], of a client at this address.
    pub fn connect_from(source: [u8; 4], address: SocketAddr) -> RawClient {
        let stream = crate::connect_from(IpAddr::from(source), address).expect("a connection");
        RawClient::over(stream).expect("a connection")
    }

    /// As [`RawClient::connect`], where the proxy may refuse.
    pub fn try_connect(address: SocketAddr) -> std::io::Result<RawClient> {
        RawClient::over(TcpStream::connect(address)?)
    }

    /// As [`RawClient::connect_from`], where the proxy may refuse.
    pub fn try_connect_from(source: [u8; 4], address: SocketAddr) -> std::io::Result<RawClient> {
        RawClient::over(crate::connect_from(IpAddr::from(source), address)?)
    }

    fn over(stream: TcpStream) -> std::io::Result<RawClient> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(RawClient { stream, ahead: Vec::new(), since: Instant::now(), ended: None })
    }

    /// Sends bytes. A proxy that closed meanwhile is no failure here: the answer tells.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Goes away by a reset: nothing is left that could take an answer.
    pub fn reset(self) {
        let at_once = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        at_once.expect("no lingering");
    }

    /// The next answer to a request that was no HEAD.
    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// The next final answer; HEAD's have no body.
    ///
    /// # Panics
    /// Where the connection ends before.
    pub fn answer_to(&mut self, method: &str) -> Answer {
        self.try_answer(method).unwrap_or_else(|| {
            let (why, after) = (self.ended.as_deref().unwrap_or("nonsense"), self.since.elapsed());
            panic!("no answer, {after:?} after it connected: {why}")
        })
    }

    /// As [`RawClient::answer_to`]; `None` where the connection ends within or before it.
    pub fn try_answer(&mut self, method: &str) -> Option<Answer> {
        loop {
            let end = loop {
                if let Some(at) = find(&self.ahead, b"\r\n\r\n") {
                    break at + 4;
                }
                self.more()?;
            };
            let head: Vec<u8> = self.ahead.drain(..end).collect();
            let (status, headers) = parse(&head);
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let body = match method {
                _ if method == "HEAD" || matches!(status, 101 | 204 | 304) => Vec::new(),
                _ => self.body(&headers)?,
            };
            return Some(Answer { status, headers, body });
        }
    }

    /// Everything until the connection ends.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more().is_some() {}
        std::mem::take(&mut self.ahead)
    }

    /// Whether the proxy closed: waits for it, within the read timeout.
    pub fn is_closed(&mut self) -> bool {
        self.ahead.is_empty() && self.more().is_none()
    }

    /// Reads exactly this many bytes.
    pub fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.ahead.len() < length {
            self.more()?;
        }
        Some(self.ahead.drain(..length).collect())
    }

    fn body(&mut self, headers: &HeaderMap) -> Option<Vec<u8>> {
        if headers.get("transfer-encoding").is_some_and(|value| value == "chunked") {
            let mut body = Vec::new();
            loop {
                let line = self.line()?;
                let length = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
                if length == 0 {
                    while !self.line()?.is_empty() {}
                    return Some(body);
                }
                body.extend(self.exactly(length)?);
                self.exactly(2)?;
            }
        }
        match headers.get("content-length") {
            Some(length) => self.exactly(length.to_str().ok()?.parse().ok()?),
            None => Some(self.rest()),
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = find(&self.ahead, b"\r\n") {
                let line: Vec<u8> = self.ahead.drain(..at + 2).collect();
                return Some(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Option<()> {
        let mut chunk = [0; 16 << 10];
        match self.stream.read(&mut chunk) {
            Ok(length) if length > 0 => {
                self.ahead.extend_from_slice(&chunk[..length]);
                Some(())
            }
            Ok(_) => {
                self.ended = Some("the connection ended".to_owned());
                None
            }
            Err(error) => {
                self.ended = Some(error.to_string());
                None
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn parse(head: &[u8]) -> (u16, HeaderMap) {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let status = lines.next().and_then(|line| line.split(|byte| *byte == b' ').nth(1));
    let status = status.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    let mut headers = HeaderMap::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':').expect("a field");
        let name = http::HeaderName::from_bytes(&line[..colon]).expect("a field name");
        let value = http::HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        headers.append(name, value.expect("a field value"));
    }
    (status.unwrap_or(StatusCode::OK.as_u16()), headers)
}
