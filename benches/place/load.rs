//! Who asks the daemon, and who answers it: as little work as can be, for it shares the machine.
//!
//! In: a row, and how often it is asked for. Out: nothing, once every answer is there. Never: takes an
//! answer that is not the row's for one.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::thread;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::rows::Row;

/// Bytes of an endpoint's answer.
const BODY: usize = 1024;

/// Answers every request with a kilobyte, until the process ends; and on another port none.
pub struct Endpoint {
    address: SocketAddr,
    silent: std::net::TcpListener,
}

/// Connections to the daemon, each with one request at a time.
pub struct Load {
    pub proxy: SocketAddr,
    pub connections: usize,
}

impl Endpoint {
    pub fn start() -> Endpoint {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("a socket that does not wait");
        let address = socket.local_addr().expect("an address");
        thread::spawn(move || {
            tasks(async move {
                let listener = TcpListener::from_std(socket).expect("a listener");
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-endpoint: one\r\n\
                     content-length: {BODY}\r\n\r\n"
                );
                let answer: &'static [u8] =
                    Vec::leak([head.into_bytes(), vec![b'x'; BODY]].concat());
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::task::spawn_local(answer_all(stream, answer));
                }
            });
        });
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        Endpoint { address, silent }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where connections are made, and nothing is ever said.
    pub fn silent(&self) -> SocketAddr {
        self.silent.local_addr().expect("an address")
    }

    /// Takes so many connections there, with what came of each, and keeps them for as long as they are held.
    pub fn taken(&self, many: usize) -> Vec<std::net::TcpStream> {
        let mut taken = Vec::with_capacity(many);
        while taken.len() < many {
            let (mut stream, _) = self.silent.accept().expect("a connection");
            let read = stream.read(&mut [0; 4096]).expect("a request");
            assert!(read > 0, "a request was given up");
            taken.push(stream);
        }
        taken
    }
}

async fn answer_all(mut stream: TcpStream, answer: &[u8]) {
    let _ = stream.set_nodelay(true);
    let mut head = Vec::with_capacity(4 << 10);
    loop {
        match stream.read_buf(&mut head).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        // No row has a body, and nobody sends two requests at once.
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

impl Load {
    /// Asks once, and panics where the answer is not the row's.
    pub fn check(&self, row: &Row) {
        let request = row.request();
        let answer = tasks(async {
            let mut connection = Connection::open(self.proxy).await;
            connection.exchange(&request).await;
            String::from_utf8_lossy(&connection.answer).into_owned()
        });
        let line = answer.lines().next().unwrap_or_default();
        assert!(line.contains(row.status), "{}: {line}", row.name);
        let lower = answer.to_ascii_lowercase();
        assert!(lower.contains(row.shows), "{} shows no {:?}:\n{answer}", row.name, row.shows);
    }

    /// Asks on so many connections, of as many clients as there may be, and waits for no answer.
    pub fn begin(&self, path: &str, many: usize) -> Vec<std::net::TcpStream> {
        let begin = |number: usize| {
            // A client has a share of what there is.
            let from = IpAddr::from([127, 0, 1, (number % 250) as u8 + 1]);
            let stream = weir_tests::connect_from(from, self.proxy);
            let mut stream = stream.expect("the daemon accepts");
            let request = format!("GET {path} HTTP/1.1\r\nhost: api.example.com\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("it is sent");
            stream
        };
        (0..many).map(begin).collect()
    }

    /// Asks so often, on all connections together.
    pub fn ask(&self, row: &Row, requests: usize) {
        let request: &'static [u8] = Vec::leak(row.request());
        let each = requests.div_ceil(self.connections);
        let (proxy, connections, status) = (self.proxy, self.connections, row.status);
        tasks(async move {
            let ask = move || async move {
                let mut connection = Connection::open(proxy).await;
                for _ in 0..each {
                    connection.exchange(request).await;
                    let begin = connection.answer.get(..12).unwrap_or_default();
                    assert!(begin.ends_with(status.as_bytes()), "{}", begin.escape_ascii());
                }
            };
            let asking: Vec<_> =
                (0..connections).map(|_| tokio::task::spawn_local(ask())).collect();
            for task in asking {
                task.await.expect("every answer is good");
            }
        });
    }
}

/// A connection of one client.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(proxy: SocketAddr) -> Connection {
        let stream = TcpStream::connect(proxy).await.expect("the daemon accepts");
        let _ = stream.set_nodelay(true);
        Connection { stream, answer: Vec::with_capacity(8 << 10) }
    }

    /// Sends a request, and reads its answer to the end.
    async fn exchange(&mut self, request: &[u8]) {
        self.answer.clear();
        self.stream.write_all(request).await.expect("it is sent");
        let mut whole = None;
        while whole.is_none_or(|whole| self.answer.len() < whole) {
            let read = self.stream.read_buf(&mut self.answer).await.expect("an answer");
            assert!(read > 0, "the daemon closed: {}", self.answer.escape_ascii());
            whole = whole.or_else(|| length(&self.answer));
        }
    }
}

/// Bytes of an answer whose head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).expect("fields of text");
    let body = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())?.ok()
    });
    Some(head + body.unwrap_or_default())
}

/// Runs tasks on this thread.
fn tasks<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, work)
}
