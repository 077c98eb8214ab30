//! Endpoints that a test plays, in memory and over HTTP/1.1.
//!
//! In: how a connection to one comes to be, and what is said on it. Out: a [`Dial`], and the endpoint's
//! end of each connection. Never: a socket, for a paused clock waits for none; a word that the test has
//! not said.

use std::future::{Future, pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};
use weir_core::config::Endpoint;
use weir_core::error::{Error, Kind, Side};

use super::super::dial::{Dial, Dialling};

/// An answer with a body of two bytes.
pub const HI: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

/// How connections come to be.
#[derive(Debug, Clone, Copy)]
pub enum Dials {
    AtOnce,
    After(Duration),
    Never,
    Refused,
}

/// One endpoint.
pub struct Played {
    dials: Mutex<Dials>,
    dialled: AtomicUsize,
    tell: UnboundedSender<DuplexStream>,
    came: Mutex<UnboundedReceiver<DuplexStream>>,
}

/// Endpoints by port; others never answer.
pub struct Network(pub Vec<(u16, Arc<Played>)>);

/// The endpoint's end of a connection.
pub struct End {
    stream: DuplexStream,
    came: BytesMut,
}

/// A request as the endpoint has it.
#[derive(Debug)]
pub struct Asked {
    /// Its lines, without the empty one.
    pub head: String,
    pub body: Bytes,
    /// What came behind the last chunk.
    pub trailers: String,
}

/// Runs a test on a clock that goes on only when everything waits for it. What waits for nothing that would
/// ever come fails at once, a day later.
pub fn paused(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    let day = Duration::from_secs(24 * 3600);
    let within = async { timeout(day, test).await.expect("it waits for what will not come") };
    LocalSet::new().block_on(&runtime.expect("a runtime"), within);
}

/// Lets every task do what it can without waiting for time.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

impl Played {
    /// One that is connected to at once.
    pub fn new() -> Arc<Played> {
        let (tell, came) = unbounded_channel();
        let (dials, dialled) = (Mutex::new(Dials::AtOnce), AtomicUsize::new(0));
        Arc::new(Played { dials, dialled, tell, came: Mutex::new(came) })
    }

    /// From now on connections come to be like this.
    pub fn dials(&self, dials: Dials) {
        *self.dials.lock().expect("nobody panicked") = dials;
    }

    /// How often a connection was asked for.
    pub fn dialled(&self) -> usize {
        self.dialled.load(Relaxed)
    }

    /// The next connection.
    pub async fn accept(&self) -> End {
        let stream = poll_fn(|cx| self.came.lock().expect("nobody panicked").poll_recv(cx)).await;
        End::of(stream.expect("it is dialled as long as it is there"))
    }

    /// Plays every connection from now on, each in a task of its own.
    pub fn serve<F>(self: &Arc<Self>, play: impl Fn(End) -> F + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let endpoint = self.clone();
        spawn_local(async move {
            loop {
                spawn_local(play(endpoint.accept().await));
            }
        });
    }

    /// Answers every request like this, so long after its last byte.
    pub fn answers(self: &Arc<Self>, after: Duration, answer: &'static str) {
        self.serve(move |mut end| async move {
            while end.request().await.is_some() {
                sleep(after).await;
                end.say(answer).await;
            }
        });
    }
}

impl Dial for Played {
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> Dialling<'a> {
        self.dialled.fetch_add(1, Relaxed);
        let dials = *self.dials.lock().expect("nobody panicked");
        Box::pin(async move {
            match dials {
                Dials::AtOnce => {}
                Dials::After(time) => sleep(time).await,
                Dials::Never => pending().await,
                Dials::Refused => {
                    let detail = format!("port {}: refused", endpoint.port);
                    return Err(Error::new(Kind::ConnectionRefused, Side::Upstream, detail));
                }
            }
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            // Where the test is over there is nobody left to hang up.
            let _ = self.tell.send(theirs);
            Ok(ours.into())
        })
    }
}

impl Dial for Network {
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> Dialling<'a> {
        match self.0.iter().find(|(port, _)| *port == endpoint.port) {
            Some((_, played)) => played.dial(endpoint),
            None => Box::pin(pending()),
        }
    }
}

impl End {
    /// That of any connection.
    pub fn of(stream: DuplexStream) -> End {
        End { stream, came: BytesMut::new() }
    }

    /// The next request's head; none: the connection ended.
    pub async fn head(&mut self) -> Option<String> {
        let end = loop {
            match self.came.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end,
                None => self.more().await?,
            }
        };
        let head = self.came.split_to(end);
        self.came.advance(4);
        Some(String::from_utf8(head.to_vec()).expect("a head of text"))
    }

    /// The next request, to its last byte; none: the connection ended before.
    pub async fn request(&mut self) -> Option<Asked> {
        let head = self.head().await?;
        let lower = head.to_ascii_lowercase();
        if lower.contains("transfer-encoding: chunked") {
            let (body, trailers) = self.chunks().await?;
            return Some(Asked { head, body, trailers });
        }
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().expect("a length"));
        let body = self.bytes(length).await?;
        Some(Asked { head, body, trailers: String::new() })
    }

    /// So many bytes.
    pub async fn bytes(&mut self, count: usize) -> Option<Bytes> {
        while self.came.len() < count {
            self.more().await?;
        }
        Some(self.came.split_to(count).freeze())
    }

    pub async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("it is still listened to");
    }

    /// Says that no more will be said, and goes on listening.
    pub async fn close(&mut self) {
        self.stream.shutdown().await.expect("it is still listened to");
    }

    /// Returns when the other side has closed, whatever it still said.
    pub async fn ended(&mut self) {
        while self.more().await.is_some() {
            self.came.clear();
        }
    }

    /// For whoever speaks another protocol.
    pub fn into_stream(self) -> DuplexStream {
        self.stream
    }

    /// A body in chunks, and what came behind it.
    async fn chunks(&mut self) -> Option<(Bytes, String)> {
        let mut body = BytesMut::new();
        loop {
            let size = self.line().await?;
            let size = usize::from_str_radix(&size, 16).expect("a chunk's size");
            if size == 0 {
                break;
            }
            body.extend_from_slice(&self.bytes(size).await?);
            assert_eq!(self.line().await?, "");
        }
        let mut trailers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Some((body.freeze(), trailers.join("\n")));
            }
            trailers.push(line);
        }
    }

    async fn line(&mut self) -> Option<String> {
        let end = loop {
            match self.came.windows(2).position(|two| two == b"\r\n") {
                Some(end) => break end,
                None => self.more().await?,
            }
        };
        let line = self.came.split_to(end);
        self.came.advance(2);
        Some(String::from_utf8(line.to_vec()).expect("a line of text"))
    }

    /// Whatever comes next; none: nothing will.
    async fn more(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.came).await;
        // A side that is dropped before it was read is an error.
        read.ok().filter(|read| *read > 0).map(drop)
    }
}
