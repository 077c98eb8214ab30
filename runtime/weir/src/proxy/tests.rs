//! A request's whole life on one worker: its chain is native fakes, its endpoints are played in memory,
//! its time is paused.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::response;
use http_body_util::BodyExt;
use weir_core::chain::Middleware;
use weir_core::clock::{self, Clock};
use weir_core::config;
use weir_core::http::Client;
use weir_core::http::concealed::Concealed;
use weir_core::http::forwarded::{ForwardedFields, TrustedProxies};
use weir_core::router::Router;
use weir_core::telemetry::metrics::Metrics;

use super::*;
use crate::net::{Bounds, Watch};
use crate::upstream::sample::played::{Dials, End, HI, Network, Played, paused, settle};
use crate::upstream::sample::{cluster_over, set};
use crate::upstream::{Upstream, Usage};
use member::{Asked, Member, PLAN, Plan};

mod bodies;
mod endpoints;
mod member;
mod phases;
mod switching;
mod walk;

const SECOND: Duration = Duration::from_secs(1);

/// Ports of the endpoints.
const PORTS: [u16; 2] = [1, 2];

/// What is served, where it is not as usual: lines of a configuration, and who is in the chain.
#[derive(Clone, Copy, Default)]
struct Setup<'a> {
    listener: &'a str,
    route: &'a str,
    upstream: &'a str,
    of_listener: &'a [Plan],
    of_route: &'a [Plan],
}

/// A worker with one client's connection, and the endpoints behind it.
struct Scene {
    worker: Rc<Worker>,
    connection: Rc<ClientConnection>,
    asked: Asked,
    endpoints: [Arc<Played>; 2],
}

/// An answer as the client has it.
struct Got {
    head: response::Parts,
    /// What came of its body, and what ended that.
    body: Vec<u8>,
    trailers: Option<http::HeaderMap>,
    error: Option<Error>,
}

impl Setup<'_> {
    fn config(&self) -> config::Config {
        let Setup { listener, route, upstream, .. } = self;
        let text = format!(
            "[listeners.web]\nbind = \"127.0.0.1:0\"\n{listener}\n\
             [routes.all]\nmatch = {{ path = \"/a/*\" }}\nupstream = \"a\"\n{route}\n\
             [upstreams.a]\nendpoints = [\"http://e1:1\", \"http://e2:2\"]\n{upstream}\n"
        );
        let source = config::Source::Text { name: "test.toml".into(), text };
        let read = config::load(&source, &config::Environment::default(), &[]);
        read.unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn scene(&self) -> Scene {
        let config = self.config();
        let (listener, route) = (&config.listeners[0], &config.routes[0]);
        let endpoints = [Played::new(), Played::new()];
        let network = PORTS.into_iter().zip(endpoints.iter().cloned()).collect();
        let cluster = cluster_over(Network(network), config.upstreams[0].clone());
        let upstream = Rc::new(Upstream::new(set(&cluster, &PORTS, None), None, 0));
        let (metrics, asked) = (Arc::new(Metrics::new()), Asked::default());
        let member = |plan: &Plan| Rc::new(Member::new(*plan, &asked)) as Rc<dyn Middleware>;
        let own: Vec<_> = self.of_listener.iter().map(member).collect();
        let all = own.iter().cloned().chain(self.of_route.iter().map(member)).collect();
        let concealed = Rc::new(Concealed::new(std::iter::empty::<Box<str>>()));
        let binding = |route: Option<Rc<Route>>, chain| {
            let counts = metrics.route(route.as_ref().map_or(NO_ROUTE, |route| &route.name));
            Binding::new(listener.name.clone(), route, Chain::new(chain), counts, &concealed)
        };
        let served = Route {
            name: route.name.clone(),
            target: Target::new(vec![upstream], &[1], 0),
            strict_paths: route.path == config::PathPolicy::Strict,
            timeout: route.timeout,
        };
        let snapshot = Snapshot {
            listeners: vec![Some(Listener {
                strict_paths: match served.strict_paths {
                    true => StrictPaths::OfRoutes,
                    false => StrictPaths::Nowhere,
                },
                limits: listener.limits.clone(),
                trusted: Rc::new(TrustedProxies::new(1, &[])),
                via: listener.via,
                drop_ambiguous: listener.drop_ambiguous,
                router: Arc::new(Router::new(&config.routes)),
                reach: [0].into(),
                bindings: vec![binding(Some(Rc::new(served)), all)],
                unrouted: binding(None, own),
            })],
            nowhere: binding(None, Vec::new()),
        };
        let worker = Worker::new(0, 1, Clock::System, metrics, None, Rc::new(snapshot));
        let connection = connection(&listener.limits);
        Scene { worker, connection, asked, endpoints }
    }
}

/// A connection of HTTP/1.1 that a client has made.
fn connection(limits: &config::Limits) -> Rc<ClientConnection> {
    let client = Client::new(Some("192.0.2.7:4711".parse().expect("an address")), None);
    let activity = Watch::new(clock::now()).register(Bounds::new(limits), false);
    activity.ready(false);
    Rc::new(ClientConnection {
        listener: Rc::new(Cell::new(0)),
        usage: Usage::new(client.key, client.key),
        line: client.key,
        streams: None,
        forwarded: ForwardedFields::new(&client, Some(80)),
        client: client.into(),
        ahead: Allowance::default(),
        activity,
        refusal: Arc::default(),
        open: Rc::new(()),
    })
}

impl Scene {
    /// As most of them are, with these plugins on the route.
    fn with(plugins: &[Plan]) -> Scene {
        Setup { of_route: plugins, ..Setup::default() }.scene()
    }

    /// The answer's head, and its body that was not read.
    async fn head(&self, request: Request<Body>) -> Response<ResponseBody> {
        serve(&self.worker, &self.connection, request, None).await.unwrap_or_else(|no| match no {})
    }

    /// The answer, read to its end; whoever is told of it has been.
    async fn ask(&self, request: Request<Body>) -> Got {
        let (head, body) = self.head(request).await.into_parts();
        self.read(head, body).await
    }

    /// What a codec does: it flushes whenever there is nothing to write.
    async fn read(&self, head: response::Parts, body: ResponseBody) -> Got {
        let (mut whole, mut trailers, mut error) = Default::default();
        let mut body = Box::pin(body);
        loop {
            let next = body.frame();
            let mut next = pin!(next);
            let frame = poll_fn(|cx| {
                let frame = next.as_mut().poll(cx);
                if frame.is_pending() {
                    self.connection.activity.flushed();
                }
                frame
            });
            match frame.await {
                None => break,
                Some(Err(why)) => {
                    error = Some(why);
                    break;
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Vec::extend_from_slice(&mut whole, &data),
                    Err(frame) => trailers = frame.into_trailers().ok(),
                },
            }
        }
        drop(body);
        settle().await;
        Got { head, body: whole, trailers, error }
    }

    /// Who was asked for what since the last look, in order.
    fn asked(&self) -> String {
        std::mem::take(&mut *self.asked.borrow_mut()).join(" ")
    }

    fn dialled(&self) -> [usize; 2] {
        self.endpoints.each_ref().map(|endpoint| endpoint.dialled())
    }

    /// Plays the next connection to the first endpoint up to its first request.
    async fn first_request(&self) -> (End, String) {
        let mut end = self.endpoints[0].accept().await;
        let asked = end.request().await.expect("a request");
        (end, asked.head)
    }
}

impl Got {
    fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    /// A field's value; empty where it has none.
    fn field(&self, name: &str) -> &str {
        self.head.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The status, and what `Proxy-Status` says went wrong.
    fn refusal(&self) -> (u16, &str) {
        let named = self.field("proxy-status");
        (self.status(), named.strip_prefix("weir; error=").unwrap_or(named))
    }
}

/// A request of the route.
fn get() -> Request<Body> {
    request("GET", "/a/b", &[], Body::Empty)
}

fn request(method: &str, target: &str, fields: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(target).header("host", "example.com");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(body).expect("a legal head")
}

/// The codec moves it before it is first polled. Of the bound 152 bytes are what the chain's own way
/// takes around its terminal.
#[test]
fn an_exchange_is_small_to_move() {
    fn size<A, F>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }
    assert!(size(pass) <= 1_544, "{} bytes", size(pass));
    assert!(size_of::<Completion>() <= 336, "{} bytes", size_of::<Completion>());
}
