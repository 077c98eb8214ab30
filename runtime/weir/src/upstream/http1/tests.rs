//! One connection against an endpoint that the test plays: what both directions need.

use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::net::Stream;

mod request;
mod response;

/// Field lines of a request.
type Fields<'a> = &'a [(&'a str, &'a str)];

/// A connection, and the endpoint's end of it.
fn connected() -> (Arc<Codec>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    (Codec::new(Transport::Plain(Stream::from(ours))), theirs)
}

/// A request's head, and what `Host` becomes where it names none.
struct Asked {
    head: http::request::Parts,
    authority: HeaderValue,
}

impl Asked {
    fn new(method: Method, target: &str, fields: Fields<'_>) -> Asked {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let head = request.body(()).expect("a legal head").into_parts().0;
        Asked { head, authority: HeaderValue::from_static("endpoint:1") }
    }

    /// A POST whose body says how long it is.
    fn post(length: &str) -> Asked {
        Asked::new(Method::POST, "/", &[("content-length", length)])
    }

    fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            head: &self.head,
            added: None,
            host: None,
            authority: &self.authority,
            upgrade: None,
            expects: false,
        }
    }
}

/// The whole body, and its trailers.
async fn collect(body: Body) -> Result<(Bytes, Option<HeaderMap>), Error> {
    let collected = BodyExt::collect(body).await?;
    let trailers = collected.trailers().cloned();
    Ok((collected.to_bytes(), trailers))
}
