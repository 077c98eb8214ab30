//! The endpoints of the demo: small servers that answer with the request they saw.
//!
//! In: HTTP/1.1 on three of them, HTTP/2 with prior knowledge on the fourth. Out: 200, the
//! endpoint's name in `x-endpoint`, and a text: the request line, each field on a line, an empty
//! line, the body. Never: listens elsewhere than on 127.0.0.1, or holds more than [`MOST`] of a body.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use weir_core::threads;

/// Bytes of a body that are shown.
const MOST: usize = 1 << 20;
const ENDPOINT: HeaderName = HeaderName::from_static("x-endpoint");

/// One of the demo's endpoints, and the variable of `configs/demo.toml` that names its address.
#[derive(Debug, Clone, Copy)]
struct Endpoint {
    name: &'static str,
    variable: &'static str,
    h2: bool,
    delay: Duration,
}

const ENDPOINTS: [Endpoint; 4] = [
    Endpoint { name: "one", variable: "WEIR_DEMO_ONE", h2: false, delay: Duration::ZERO },
    Endpoint { name: "two", variable: "WEIR_DEMO_TWO", h2: false, delay: Duration::ZERO },
    Endpoint { name: "h2c", variable: "WEIR_DEMO_H2C", h2: true, delay: Duration::ZERO },
    Endpoint { name: "slow", variable: "WEIR_DEMO_SLOW", h2: false, delay: Duration::from_secs(1) },
];

/// Starts every endpoint on a free port, all on one thread that lives as long as the process.
/// Gives the variables that `configs/demo.toml` finds them by.
///
/// # Errors
/// Where no port, thread or runtime is to be had.
pub fn start() -> io::Result<Vec<(&'static str, String)>> {
    let mut variables = Vec::with_capacity(ENDPOINTS.len());
    let mut listeners = Vec::with_capacity(ENDPOINTS.len());
    for endpoint in ENDPOINTS {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        listener.set_nonblocking(true)?;
        variables.push((endpoint.variable, format!("http://{}", listener.local_addr()?)));
        listeners.push((endpoint, listener));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listeners = {
        let _entered = runtime.enter();
        listeners
            .into_iter()
            .map(|(endpoint, listener)| {
                Ok((endpoint, tokio::net::TcpListener::from_std(listener)?))
            })
            .collect::<io::Result<Vec<_>>>()?
    };
    threads::spawn("weir-demo", "is the demo's endpoints", move || {
        for (endpoint, listener) in listeners {
            runtime.spawn(accept(endpoint, listener));
        }
        runtime.block_on(std::future::pending::<()>());
    })?;
    Ok(variables)
}

async fn accept(endpoint: Endpoint, listener: tokio::net::TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(endpoint, stream));
            }
            // Out of file descriptors, most likely: some will be free again.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve(endpoint: Endpoint, stream: tokio::net::TcpStream) {
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(stream);
    let service = service_fn(move |request| answer(endpoint, request));
    // How a connection ends is its client's business.
    let _ = match endpoint.h2 {
        true => http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await,
        false => http1::Builder::new().serve_connection(io, service).await,
    };
}

async fn answer(
    endpoint: Endpoint,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MOST).collect().await;
    tokio::time::sleep(endpoint.delay).await;
    let mut response = match body {
        Ok(body) => Response::new(Full::new(shown(&head, &body.to_bytes()))),
        Err(error) => {
            let mut refused = Response::new(Full::new(Bytes::from(format!("{error}\n"))));
            *refused.status_mut() = StatusCode::BAD_REQUEST;
            refused
        }
    };
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    fields.insert(ENDPOINT, HeaderValue::from_static(endpoint.name));
    Ok(response)
}

/// The request as text.
fn shown(head: &http::request::Parts, body: &[u8]) -> Bytes {
    let target = head.uri.path_and_query().map_or("*", |target| target.as_str());
    let mut text = format!("{} {target} {:?}\n", head.method, head.version).into_bytes();
    for (name, value) in &head.headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.push(b'\n');
    }
    text.push(b'\n');
    if !body.is_empty() {
        text.extend_from_slice(body);
        text.push(b'\n');
    }
    Bytes::from(text)
}
