//! One client connection, from accept to close.
//!
//! In: accepted streams. Out: requests for [`crate::proxy::serve`], on HTTP/1.1 or HTTP/2 as ALPN
//! or the first bytes say. Never: waits for a slow peer without a bound; a connection that is
//! overdue is closed by the sweep.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use weir_core::client::ClientKey;
use weir_core::config::Limits;
use weir_core::http::forwarded::ForwardedFields;
use weir_core::http::framing::FramingGuard;
use weir_core::http::{Body, Client, Tls};
use weir_core::{turn, turns};

use super::connections::{Connections, Control};
use super::driven::Driven;
use super::listener_settings::ListenerSettings;
use super::stream::Served;
use crate::net::{
    Accepted, Acceptor, Activity, CLIENT_PATIENCE, Linger, OnSocket, Stream, Watch, Watched,
};
use crate::proxy::{self, Allowance, StreamExecutor};
use crate::upstream::Usage;

/// HTTP/2's connection preface (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a request's body that a client may send before somebody reads them (RFC 9113, 5.2).
const STREAM_WINDOW: u32 = 256 << 10;

/// The most that a window may be (RFC 9113, 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;

/// Field lines that hyper has room for without being told.
const USUAL_FIELDS: usize = 100;

/// Whether a connection that was made under `before` can be held to `now`: what its codec was made
/// with cannot be changed any more.
pub fn can_follow(before: &Limits, now: &Limits) -> bool {
    now.max_header_bytes <= before.max_header_bytes
        && now.max_headers <= before.max_headers.max(USUAL_FIELDS)
        && now.max_streams == before.max_streams
}

/// Bytes that a client may send on all its streams before somebody reads them: what each of them may.
/// With less, a few bodies that nobody reads would stop those of all others on the connection.
fn connection_window(max_streams: u32) -> u32 {
    STREAM_WINDOW.saturating_mul(max_streams).min(MAX_WINDOW)
}

/// Accepts until the task is aborted.
pub async fn accept(
    mut acceptor: Acceptor,
    settings: Rc<RefCell<Rc<ListenerSettings>>>,
    proxy: Rc<proxy::Worker>,
    watch: Rc<Watch>,
    connections: Rc<Connections>,
) {
    loop {
        acceptor.end_after(settings.borrow().limits.body_timeout.of(false).max(CLIENT_PATIENCE));
        let speaks_for_many = |peer| settings.borrow().trusted.holds(peer);
        let accepted = acceptor.accept(speaks_for_many, || watch.doubt()).await;
        let settings = settings.borrow().clone();
        let activity = watch.register(settings.bounds.clone(), settings.tls.is_some());
        accepted.place.watched_by(&activity);
        let control = connections.open(settings.number.clone());
        let proxy = proxy.clone();
        // Clients behind one peer are told apart by nothing but their connections.
        let one = accepted.peer.filter(|peer| !speaks_for_many(peer.ip().to_canonical()));
        let line = one.map_or_else(ClientKey::of_connection, |peer| ClientKey::from(peer.ip()));
        turns::spawn(line, async move {
            let Accepted { stream, peer, place } = accepted;
            let serving = Serving { peer, line, settings, proxy, activity, control };
            serving.serve(stream).await;
            drop(place);
        });
    }
}

/// One connection that is being served.
struct Serving {
    peer: Option<SocketAddr>,
    /// Whose turns are taken for it.
    line: ClientKey,
    settings: Rc<ListenerSettings>,
    proxy: Rc<proxy::Worker>,
    activity: Arc<Activity>,
    control: Rc<Control>,
}

/// Serves what comes on a connection, to its end.
type Requests = Pin<Box<dyn Future<Output = hyper::Result<()>>>>;

impl Serving {
    /// What led to a connection of its protocol is gone by the time that one is served, and so is its room.
    async fn serve(self, stream: Stream) {
        let local = stream.local_port();
        let stream = Linger::new(stream, self.activity.clone());
        let requests = match self.settings.tls.clone() {
            None => self.sniffed(stream, local).await,
            Some(tls) => self.shaken(tls, stream, local).await,
        };
        if let Some(requests) = requests
            && let Err(error) = requests.await
        {
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn sniffed(&self, stream: Linger<Stream>, local: Option<u16>) -> Option<Requests> {
        let mut stream = Watched::new(stream, self.activity.clone());
        self.activity.ready(false);
        let sniffed = {
            let sniffing = pin!(sniff(&mut stream));
            self.within(sniffing).await
        };
        let Some(Ok(Some((ahead, h2)))) = sniffed else { return None };
        if h2 {
            self.activity.ready(true);
        }
        Some(self.http(stream, ahead, self.connection(None, local, h2)))
    }

    async fn shaken(
        &self,
        tls: Arc<rustls::ServerConfig>,
        stream: Linger<Stream>,
        local: Option<u16>,
    ) -> Option<Requests> {
        // In a box of its own, which goes when the handshake is over.
        let mut shaking = Box::pin(crate::tls::accept(tls, stream));
        match self.within(shaking.as_mut()).await {
            Some(Ok(accepted)) => {
                self.activity.ready(accepted.h2);
                let connection = self.connection(Some(accepted.facts), local, accepted.h2);
                let stream = Watched::new(accepted.stream, self.activity.clone());
                return Some(self.http(stream, Bytes::new(), connection));
            }
            Some(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            None => tracing::debug!("TLS handshake took too long"),
        }
        self.settings.metrics.handshake_failed();
        None
    }

    fn connection(
        &self,
        tls: Option<Tls>,
        local_port: Option<u16>,
        h2: bool,
    ) -> Rc<proxy::ClientConnection> {
        let client = Client::new(self.peer, tls);
        let forwarded = ForwardedFields::new(&client, local_port);
        Rc::new(proxy::ClientConnection {
            listener: self.settings.number.clone(),
            usage: Usage::new(client.key, self.line),
            line: self.line,
            streams: h2.then(|| StreamExecutor::new(self.line)),
            client: client.into(),
            forwarded,
            ahead: Allowance::default(),
            activity: self.activity.clone(),
            refusal: Arc::default(),
            open: self.control.clone(),
        })
    }

    fn http<S>(&self, stream: S, ahead: Bytes, connection: Rc<proxy::ClientConnection>) -> Requests
    where
        S: AsyncRead + AsyncWrite + OnSocket + Unpin + Send + 'static,
    {
        let limits = &self.settings.limits;
        let (proxy, activity) = (self.proxy.clone(), self.activity.clone());
        let (driven, control) = (self.activity.clone(), self.control.clone());
        let (metrics, refusal) = (proxy.metrics.clone(), connection.refusal.clone());
        let streams = connection.streams.clone();
        if let Some(streams) = streams {
            let io = TokioIo::new(Served::new(stream, ahead, activity).counted(metrics));
            // Streams that are reset count no longer, and wait all the same.
            let most = limits.max_streams as usize;
            let room = streams.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                proxy::serve_stream(&proxy, &connection, request.map(Body::of_client))
            });
            let serving = http2::Builder::new(streams)
                .timer(TokioTimer::new())
                // The worker knows the date; hyper would ask for the time at every turn.
                .auto_date_header(false)
                .max_concurrent_streams(limits.max_streams)
                // The codec's own bound lies beyond the proxy's, which answers first.
                .max_header_list_size(
                    u32::try_from(limits.max_header_bytes.saturating_add(64 << 10))
                        .unwrap_or(u32::MAX),
                )
                .max_send_buf_size(256 << 10)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(connection_window(limits.max_streams))
                .keep_alive_interval(limits.idle_timeout)
                .serve_connection(io, service);
            let has_room = move |cx: &Context<'_>| room.poll_room(most, cx).is_ready();
            Box::pin(Driven::new(serving, driven, control, has_room, |serving| {
                serving.graceful_shutdown();
            }))
        } else {
            let service = service_fn(move |mut request: Request<Incoming>| {
                let upgrade = request.extensions_mut().remove::<OnUpgrade>();
                proxy::serve(&proxy, &connection, request.map(Body::of_client), upgrade)
            });
            let guard = FramingGuard::new(activity.bounds().head());
            let served = Served::new(stream, ahead, activity).counted(metrics);
            let io = TokioIo::new(served.guarded(guard, refusal));
            // hyper's own bounds lie beyond the guard's, which answers first.
            let mut builder = http1::Builder::new();
            builder.auto_date_header(false);
            builder.max_buf_size(limits.max_header_bytes.max(8 << 10) + (64 << 10));
            // Any number set by hand costs two allocations for each request.
            if limits.max_headers > USUAL_FIELDS {
                builder.max_headers(limits.max_headers);
            }
            let serving = builder.serve_connection(io, service).with_upgrades();
            Box::pin(Driven::new(
                serving,
                driven,
                control,
                |_| true,
                |serving| {
                    serving.graceful_shutdown();
                },
            ))
        }
    }

    /// The future's output, unless the connection is overdue before, or is to finish: no request
    /// has begun on it.
    async fn within<F: Future>(&self, mut future: Pin<&mut F>) -> Option<F::Output> {
        let mut overdue = pin!(self.activity.closed());
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            if overdue.as_mut().poll(cx).is_ready() {
                // Reads end now.
                return match turn::unmeasured(|| future.as_mut().poll(cx)) {
                    Poll::Ready(output) => Poll::Ready(Some(output)),
                    Poll::Pending => Poll::Ready(None),
                };
            }
            if self.control.is_finishing(cx) { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }
}

/// Reads until it is clear whether HTTP/2 is spoken with prior knowledge. `None`: closed before.
async fn sniff<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<Option<(Bytes, bool)>> {
    let mut ahead = BytesMut::with_capacity(8 << 10);
    loop {
        match stream.read_buf(&mut ahead).await {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            // A head that began so and did not go on is told so as any other.
            Err(_) if !ahead.is_empty() => return Ok(Some((ahead.freeze(), false))),
            Err(error) => return Err(error),
        }
        let length = ahead.len().min(PREFACE.len());
        if ahead.get(..length) != PREFACE.get(..length) {
            return Ok(Some((ahead.freeze(), false)));
        }
        if length == PREFACE.len() {
            return Ok(Some((ahead.freeze(), true)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten thousand of them are open at a time, and most wait for a request.
    #[test]
    fn a_connection_has_no_room_for_what_led_to_it() {
        fn size<F>(_: impl FnOnce(Serving, Stream) -> F) -> usize {
            size_of::<F>()
        }
        // 4,776 with the handshake's.
        assert!(size(Serving::serve) <= 1_024, "{} bytes", size(Serving::serve));
    }
}
