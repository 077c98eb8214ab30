//! A plugin in a fake proxy.
//!
//! In: a configuration, then requests and responses. Out: exchanges.
//! Never: waits; time passes when the test says so.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use weir_bounds::quota::{self, client_share};
use weir_bounds::target;

use super::exchange::{Exchange, Inner};
use super::head::check_reply;
use super::host;
use super::message::{Called, FakeRequest, FakeResponse, response};
use super::schema;
use super::state::{self, LogLine, State};
use crate::error::CallError;
use crate::{
    BodyError, Error, Request, Response, Result, Summary, Transform, Verdict, config, limits,
};

/// A plugin and a fake proxy around it.
pub struct Plugin<P> {
    plugin: P,
    state: Rc<RefCell<State>>,
}

// === impl Plugin ===

impl<P: crate::Plugin> Plugin<P> {
    /// Configures the plugin as the proxy does, from JSON. What does not fit the plugin's schema is
    /// refused, whatever the plugin says; the proxy looks at the schema first, but here the plugin's
    /// own words are what a test is after.
    pub fn configure(config: serde_json::Value) -> Result<Self> {
        Self::configure_in(State::new(), config)
    }

    /// The same, with what [`limits`] tells the plugin: bytes of memory, and CPU time of
    /// a hook call. The fake does not watch over them.
    pub fn configure_within(
        config: serde_json::Value,
        memory: u64,
        deadline: Duration,
    ) -> Result<Self> {
        let state = State::new();
        state.borrow_mut().environment = vec![
            (limits::MEMORY.into(), memory.to_string()),
            (limits::DEADLINE.into(), deadline.as_millis().to_string()),
        ];
        Self::configure_in(state, config)
    }

    fn configure_in(state: Rc<RefCell<State>>, config: serde_json::Value) -> Result<Self> {
        let plugin = state::enter(&state, || config::configure(&config.to_string()))?;
        schema::check(&config, &crate::schema::document::<P::Config>()).map_err(Error::new)?;
        Ok(Self { plugin, state })
    }

    /// The JSON Schema of the plugin's configuration.
    pub fn schema() -> serde_json::Value {
        serde_json::from_str(&crate::schema::document::<P::Config>()).unwrap_or_default()
    }

    /// The plugin itself.
    pub fn plugin(&self) -> &P {
        &self.plugin
    }

    /// Answers for an upstream that the plugin is granted to call, as in
    /// `grants = { http = ["upstream://NAME"] }`. Calls of others are denied. Fields that the proxy adds are not
    /// there.
    pub fn upstream(
        &mut self,
        name: &str,
        answer: impl FnMut(&Called) -> Result<FakeResponse, CallError> + 'static,
    ) {
        self.origin(&format!("upstream://{name}"), answer);
    }

    /// Answers for an origin that the plugin is granted to call, such as `https://idp.internal`: in lower case,
    /// and with a port only where it has one of its own. Otherwise as [`upstream`](Self::upstream).
    pub fn origin(
        &mut self,
        origin: &str,
        answer: impl FnMut(&Called) -> Result<FakeResponse, CallError> + 'static,
    ) {
        self.state.borrow_mut().callable.insert(origin.to_owned(), Box::new(answer));
    }

    /// Runs the request hook, and stops there. A body beyond [`Request::limit_body`] is answered
    /// with 413, as by the proxy. What the hook took with
    /// [`limiter::enter`](crate::limiter::enter) is held until [`finish`](Self::finish).
    pub fn request(&mut self, request: FakeRequest) -> Exchange {
        let inner =
            Rc::new(RefCell::new(Inner { request, response: response(200), read_only: false }));
        self.state.borrow_mut().entered = Some(Vec::new());
        let mut outcome = state::enter(&self.state, || {
            let mut request = Request { host: host::Request(Rc::clone(&inner)) };
            self.plugin.on_request(&mut request)
        });
        let entered = self.state.borrow_mut().entered.take().unwrap_or_default();
        // The proxy's own answer; it stands in the place of a reply.
        let fits = |request: &FakeRequest| target::fits(&request.path_with_query, &request.method);
        if let Ok(Verdict::Forward) = outcome
            && !fits(&inner.borrow().request)
        {
            outcome = Err(Error::new("`*` is no target but of OPTIONS"));
        }
        if let Ok(Verdict::Forward) = outcome
            && inner.borrow().request.is_too_long()
        {
            outcome =
                Ok(crate::Reply::problem(413, "Content Too Large", "the body is too long").into());
        }

        if let Ok(Verdict::Respond(reply)) = &outcome {
            match check_reply(reply) {
                Ok(()) => {
                    let mut answer = response(reply.status).body(&reply.body);
                    for (name, value) in &reply.headers {
                        answer = answer.header(name, value);
                    }
                    inner.borrow_mut().response = answer;
                }
                Err(why) => outcome = Err(Error::new(why)),
            }
        }
        Exchange { inner, outcome, entered }
    }

    /// Goes on with an exchange after [`request`](Self::request): the request's body passes its
    /// transform, the upstream answers, the response passes hook and transform. A plugin's own
    /// reply takes the place of the upstream's response.
    pub fn respond(&mut self, exchange: &mut Exchange, response: FakeResponse) {
        if exchange.outcome.is_err() {
            return;
        }
        let inner = Rc::clone(&exchange.inner);
        let request = Request { host: host::Request(Rc::clone(&inner)) };
        let result = state::enter(&self.state, || {
            if exchange.is_forwarded() {
                if let Some(transform) = self.plugin.on_request_body(&request) {
                    let body = inner.borrow().request.body.clone();
                    let body = stream(transform, body)?;
                    inner.borrow_mut().request.body = body;
                }
                inner.borrow_mut().response = response;
            }
            inner.borrow_mut().read_only = true;
            let mut answer = Response { host: host::Response(Rc::clone(&inner)) };
            self.plugin.on_response(&request, &mut answer)?;
            if let Some(transform) = self.plugin.on_response_body(&request, &answer) {
                let body = inner.borrow().response.body.clone();
                let body = stream(transform, body)?;
                inner.borrow_mut().response.body = body;
            }
            Ok(())
        });
        if let Err(error) = result {
            exchange.outcome = Err(error);
        }
    }

    /// Ends an exchange: gives back what it had entered, and runs the completion hook.
    pub fn finish(&mut self, exchange: &mut Exchange) {
        let entered = std::mem::take(&mut exchange.entered);
        self.state.borrow_mut().leave(&entered);
        let inner = Rc::clone(&exchange.inner);
        inner.borrow_mut().read_only = true;
        let length = |body: &Result<Vec<u8>, BodyError>| body.as_ref().map_or(0, Vec::len) as u64;
        let summary = Summary {
            status: match &exchange.outcome {
                Ok(_) => inner.borrow().response.status,
                Err(_) => 500,
            },
            request_bytes: length(&inner.borrow().request.body),
            response_bytes: length(&inner.borrow().response.body),
            duration_micros: 1_000,
            upstream: exchange.is_forwarded().then(|| "test 192.0.2.2:80".to_owned()),
            error: None,
        };
        state::enter(&self.state, || {
            let request = Request { host: host::Request(inner) };
            self.plugin.on_complete(&request, &summary);
        });
    }

    /// A whole exchange: every hook the plugin has, in the proxy's order.
    pub fn exchange(&mut self, request: FakeRequest, response: FakeResponse) -> Exchange {
        let mut exchange = self.request(request);
        self.respond(&mut exchange, response);
        self.finish(&mut exchange);
        exchange
    }

    /// Lets time pass, for the clock, the limiter and the store.
    pub fn advance(&mut self, time: Duration) {
        self.state.borrow_mut().now += time;
    }

    /// Sets the wall clock; it starts at 2026-01-01T00:00:00Z.
    pub fn set_now(&mut self, now: SystemTime) {
        self.state.borrow_mut().now = now;
    }

    /// Seeds the randomness.
    pub fn seed(&mut self, seed: u64) {
        self.state.borrow_mut().random = seed;
    }

    /// Every line logged so far.
    pub fn logs(&self) -> Vec<LogLine> {
        self.state.borrow().logs.clone()
    }

    /// The value of a counter or gauge; 0 where nothing was counted.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.state.borrow().metrics.values(name, labels).last().copied().unwrap_or_default()
    }

    /// The observations of a histogram, in order.
    pub fn observations(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        self.state.borrow().metrics.values(name, labels)
    }

    /// The samples that the proxy would drop, each with its name and the reason. Their number is
    /// the metric `metrics_dropped_total`.
    pub fn dropped_metrics(&self) -> Vec<String> {
        self.state.borrow().metrics.dropped().to_vec()
    }

    /// A value of the store, unless absent or expired.
    pub fn stored(&self, key: &str) -> Option<Vec<u8>> {
        let mut state = self.state.borrow_mut();
        state.stored(key).map(|entry| entry.value.clone())
    }

    /// Runs anything with this fake proxy as the host, e.g. to fill the store.
    pub fn host<R>(&mut self, call: impl FnOnce() -> R) -> R {
        state::enter(&self.state, call)
    }
}

/// Sends a body through its transform in chunks of 7 bytes, so that what spans chunks is tried.
fn stream(
    mut transform: Box<dyn Transform>,
    body: Result<Vec<u8>, BodyError>,
) -> Result<Result<Vec<u8>, BodyError>> {
    let Ok(body) = body else { return Ok(body) };
    let mut out = Vec::with_capacity(body.len());
    for chunk in body.chunks(7) {
        out.extend(transform.push(chunk.to_vec())?);
    }
    out.extend(transform.finish()?);
    if out.len() > client_share(quota::DEFAULT) {
        return Err(Error::new("the body is more than one client may have of `limits.quota`"));
    }
    Ok(Ok(out))
}
