//! An origin: an HTTP server behind the proxy that remembers what it saw.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::Certificates;

/// One request as an origin saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    /// Path and query; an absolute URI on HTTP/2.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

/// A server on a thread of its own; ends when dropped.
pub struct Origin {
    address: SocketAddr,
    memory: Arc<Memory>,
    connections: Arc<Mutex<usize>>,
    /// Dropping it ends the thread.
    _stop: oneshot::Sender<()>,
}

/// What an origin remembers.
#[derive(Default)]
struct Memory {
    seen: Mutex<Vec<Seen>>,
    forgets: AtomicBool,
}

type Answer = dyn Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync;

impl Origin {
    /// Answers every request with 200 and a text that shows it: the request line, each field on a
    /// line, an empty line, the body.
    pub fn echo() -> Origin {
        Origin::answering(|seen| {
            let mut text = format!("{} {}\n", seen.method, seen.target);
            for (name, value) in &seen.headers {
                text += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
            }
            text.push('\n');
            text += &String::from_utf8_lossy(&seen.body);
            Response::new(Full::new(Bytes::from(text)))
        })
    }

    /// Answers every request with this text.
    pub fn saying(text: &'static str) -> Origin {
        Origin::answering(move |_| Response::new(Full::new(Bytes::from_static(text.as_bytes()))))
    }

    /// Answers as the closure says.
    pub fn answering(
        answer: impl Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Origin {
        Origin::start(None, false, Arc::new(answer))
    }

    /// As [`Origin::answering`], on HTTP/2 with prior knowledge.
    pub fn h2c(answer: impl Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync + 'static) -> Origin {
        Origin::start(None, true, Arc::new(answer))
    }

    /// As [`Origin::answering`], on TLS; `h2` offers it by ALPN.
    pub fn tls(
        certificates: &Certificates,
        h2: bool,
        answer: impl Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Origin {
        Origin::start(Some(certificates.server_config(h2)), h2, Arc::new(answer))
    }

    /// Answers each connection with raw bytes: the closure gets the stream.
    pub fn raw<F>(serve: impl Fn(tokio::net::TcpStream) -> F + Send + Sync + 'static) -> Origin
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let connections: Arc<Mutex<usize>> = Arc::default();
        let count = connections.clone();
        let (address, stop) = Origin::listen(move |stream| {
            *count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            tokio::spawn(serve(stream));
        });
        Origin { address, memory: Arc::default(), connections, _stop: stop }
    }

    /// Reads one request head, then writes these bytes and closes.
    pub fn replying(bytes: &'static [u8]) -> Origin {
        Origin::raw(move |mut stream| async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
        })
    }

    /// From now on it remembers no requests: a million of them take memory, and time.
    pub fn forgetting(self) -> Origin {
        self.memory.forgets.store(true, Relaxed);
        self
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.memory.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last request.
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("the origin saw a request")
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts on a thread of its own, and hands each stream to `serve` there.
    fn listen(
        serve: impl Fn(tokio::net::TcpStream) + Send + 'static,
    ) -> (SocketAddr, oneshot::Sender<()>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("nonblocking");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                let accepting = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        let _ = stream.set_nodelay(true);
                        serve(stream);
                    }
                };
                tokio::select! {
                    () = accepting => {}
                    _ = stopped => {}
                }
            });
        });
        (address, stop)
    }

    fn start(tls: Option<Arc<rustls::ServerConfig>>, h2: bool, answer: Arc<Answer>) -> Origin {
        let memory = Arc::<Memory>::default();
        let connections: Arc<Mutex<usize>> = Arc::default();
        let (kept, count) = (memory.clone(), connections.clone());
        let (address, stop) = Origin::listen(move |stream| {
            *count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            let (memory, answer, tls) = (kept.clone(), answer.clone(), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => serve(stream, h2, memory, answer).await,
                    Some(config) => {
                        let acceptor = tokio_rustls::TlsAcceptor::from(config);
                        if let Ok(stream) = acceptor.accept(stream).await {
                            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                            serve(stream, h2, memory, answer).await;
                        }
                    }
                }
            });
        });
        Origin { address, memory, connections, _stop: stop }
    }
}

impl Memory {
    fn note(&self, seen: Seen) {
        if !self.forgets.load(Relaxed) {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        }
    }
}

/// Reads up to the empty line; gives everything read.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(length) => head.extend_from_slice(&chunk[..length]),
        }
    }
    head
}

async fn serve<S>(stream: S, h2: bool, memory: Arc<Memory>, answer: Arc<Answer>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (memory, answer) = (memory.clone(), answer.clone());
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let collected = body.collect().await?;
            let trailers = collected.trailers().cloned();
            let seen = Seen {
                method: parts.method.to_string(),
                target: parts.uri.to_string(),
                headers: parts.headers,
                body: collected.to_bytes(),
                trailers,
            };
            let response = answer(&seen);
            memory.note(seen);
            Ok::<_, hyper::Error>(response)
        }) as Pin<Box<dyn Future<Output = _> + Send>>
    });
    let io = TokioIo::new(stream);
    if h2 {
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(io, service).await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
    }
}
