//! A pool against an endpoint that the test plays, on paused time: what all topics need.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request};
use http_body_util::BodyExt;
use weir_core::client::ClientKey;

use super::*;
use crate::upstream::Upstream;
use crate::upstream::lease::Lease;
use crate::upstream::message::{Answer, Outgoing};
use crate::upstream::response_timeout::ResponseTimeout;
use crate::upstream::sample::played::{HI, Network, Played, paused, settle};
use crate::upstream::sample::{cluster_over, set, upstream};
use crate::upstream::usage::Usage;

mod http2;
mod idle;
mod timeouts;
mod waiting;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A pool over connections to an endpoint that is played, of an upstream that is another one than usual.
fn pool(change: impl Fn(&mut config::Upstream)) -> (Arc<Played>, Rc<Pool>) {
    let mut upstream = upstream();
    change(&mut upstream);
    let endpoint = Played::new();
    let cluster = cluster_over(Network(vec![(1, endpoint.clone())]), upstream);
    let upstream = Upstream::new(set(&cluster, &[1], None), None, 0);
    (endpoint, upstream.balanced().pools()[0].clone())
}

/// As most of them are.
fn usual() -> (Arc<Played>, Rc<Pool>) {
    pool(|_| {})
}

/// Requests of one client.
struct Asker {
    head: Parts,
    authority: HeaderValue,
    client: Rc<Usage>,
    first_byte: Duration,
    due: Option<Instant>,
    upload: Option<Arc<UploadState>>,
}

impl Asker {
    /// A client with this number.
    fn new(number: usize) -> Asker {
        let key = ClientKey::of(&format!("192.0.2.{number}"));
        let (head, ()) = Request::new(()).into_parts();
        Asker {
            head,
            authority: HeaderValue::from_static("endpoint:1"),
            client: Usage::new(key, key),
            first_byte: 60 * SECOND,
            due: None,
            upload: None,
        }
    }

    async fn send(&self, pool: &Rc<Pool>, body: Body) -> Answered {
        let outgoing = Outgoing {
            head: &self.head,
            added: None,
            host: None,
            authority: &self.authority,
            upgrade: None,
            expects: false,
        };
        let Asker { client, first_byte, due, upload, .. } = self;
        let (sent, upload) = (clock::now(), upload.as_ref());
        let timeout = ResponseTimeout { sent, first_byte: *first_byte, due: *due, upload };
        let attempt = Attempt { outgoing, client, opened_after: None, timeout };
        pool.send(&attempt, &mut Some(body)).await
    }

    /// A request without a body.
    async fn get(&self, pool: &Rc<Pool>) -> Answered {
        self.send(pool, Body::Empty).await
    }

    /// The same, whose answer is read to its end.
    async fn fetch(&self, pool: &Rc<Pool>) -> Bytes {
        finish(self.get(pool).await)
            .await
            .unwrap_or_else(|error| panic!("{}: {}", error.kind.as_str(), error.detail()))
    }
}

/// The whole body, after which the connection is given back.
async fn finish(answered: Answered) -> Result<Bytes, Error> {
    let (Answer { body, .. }, lease) = answered.map_err(|failed| failed.error)?;
    let body = body.collect().await?.to_bytes();
    lease.finish(clock::now());
    Ok(body)
}

/// Why there is no answer.
fn failure(answered: Answered) -> Box<AttemptError> {
    match answered {
        Ok((answer, _)) => panic!("there is an answer: {}", answer.parts.status),
        Err(failed) => failed,
    }
}
