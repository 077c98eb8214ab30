//! The admin listener's connections.
//!
//! In: accepted streams, and what answers a request. Out: served connections, no more than
//! [`CONNECTIONS`] at a time; heads are guarded as those of traffic are. Never: lets clients that hang
//! keep others out: one connection more closes the one that has been quiet for longest, so that a health
//! check is always answered.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::{AbortHandle, JoinSet};
use weir_core::clock;
use weir_core::config::{Bound, Limits};
use weir_core::http::framing::FramingGuard;

use crate::net::{Accepted, Acceptor, Activity, Bounds, Linger, SWEEP, Watch, Watched};
use crate::proxy::Refusal;
use crate::server::Served;

/// Connections at a time; one more takes the place of another.
pub(super) const CONNECTIONS: usize = 64;
/// For a request's head, and for an answer to be read.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of answers that wait to be read, and more than the guard lets a head have.
const BUFFER: usize = 128 << 10;

/// Those that are open, oldest first.
struct Open {
    tasks: JoinSet<()>,
    each: Vec<(Arc<Activity>, AbortHandle)>,
}

/// Serves until it is dropped, which ends its connections too. A client that lets it wait for longer
/// than [`PATIENCE`] is put out, also where nobody else wants its place.
pub(super) async fn serve<A, F>(mut acceptor: Acceptor, answer: A)
where
    A: Fn(Request<Incoming>, Option<SocketAddr>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let bounds = Bounds::new(&Limits {
        header_timeout: PATIENCE,
        body_timeout: Bound::written(PATIENCE),
        ..Limits::default()
    });
    let watch = Watch::new(clock::now());
    let mut open = Open { tasks: JoinSet::new(), each: Vec::new() };
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            accepted = acceptor.accept(|_| false, || false) => {
                open.make_room();
                let activity = watch.register(bounds.clone(), false);
                let task = connection(accepted, activity.clone(), answer.clone());
                open.each.push((activity, open.tasks.spawn(task)));
            }
            _ = sweep.tick() => {
                watch.sweep(clock::now());
                watch.wake_all_found();
                open.forget();
            }
        }
    }
}

impl Open {
    fn forget(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.each.retain(|(_, task)| !task.is_finished());
    }

    /// Closes connections until there is room for one more.
    fn make_room(&mut self) {
        self.forget();
        while self.each.len() >= CONNECTIONS {
            // Of those that are equal the first, which is the oldest.
            let quiet = self.each.iter().enumerate().min_by_key(|(_, (it, _))| it.last_progress());
            let Some((at, _)) = quiet else { return };
            let (_, task) = self.each.remove(at);
            task.abort();
        }
    }
}

/// One connection, until it ends or is overdue.
async fn connection<A, F>(accepted: Accepted, activity: Arc<Activity>, answer: A)
where
    A: Fn(Request<Incoming>, Option<SocketAddr>) -> F + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let Accepted { stream, place: _place, .. } = accepted;
    let local = stream.local_address();
    let stream = Watched::new(Linger::new(stream, activity.clone()), activity.clone());
    activity.ready(false);
    let refusal = Arc::<Refusal>::default();
    let guard = FramingGuard::new(activity.bounds().head());
    let stream = Served::new(stream, Bytes::new(), activity.clone());
    let stream = stream.guarded(guard, refusal.clone());
    let of_requests = activity.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let activity = of_requests.clone();
        activity.begin_exchange(!request.body().is_end_stream());
        let refused = refusal.take(&activity);
        let answering = answer(request, local);
        async move {
            let response = match refused {
                None => answering.await,
                Some(refused) => super::refused(&refused),
            };
            activity.end_exchange();
            Ok::<_, Infallible>(response)
        }
    });
    let serving =
        http1::Builder::new().max_buf_size(BUFFER).serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let mut overdue = pin!(activity.closed());
    let ended = poll_fn(|cx| {
        let ended = serving.as_mut().poll(cx);
        if ended.is_pending() && overdue.as_mut().poll(cx).is_ready() {
            // Reads end now: whatever is to be said to a slow client is said by them.
            let _ = serving.as_mut().poll(cx);
            return Poll::Ready(Ok(()));
        }
        ended
    })
    .await;
    if let Err(error) = ended {
        tracing::debug!(%error, "admin connection ended early");
    }
}
