//! A member of a chain that does what its plan says, and writes down what it was asked.
//!
//! In: a plan. Out: a [`Middleware`]. Never: Wasm; a member that is a plain struct shows what the proxy
//! does, whoever the plugin is.

use http::HeaderName;
use http::header::HeaderValue;
use tokio::time::{sleep, sleep_until};
use weir_core::chain::{
    Failure, Finishing, Hooks, Pushing, Reply, Step, Summary, Transform, Verdict,
};
use weir_core::config::OnFailure;

use super::*;

/// Who was asked for what, in order.
pub type Asked = Rc<RefCell<Vec<String>>>;

/// What a member does when it is asked.
#[derive(Debug, Clone, Copy)]
pub enum Does {
    Forward,
    /// Answers itself, after this time.
    Reply(Duration),
    /// Fails, for this reason.
    Fail(&'static str),
    /// Forwards after this time.
    Wait(Duration),
    /// Waits for what never comes; whoever runs it gives it up when the exchange's time is over.
    Hang,
}

#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub name: &'static str,
    pub request: Does,
    pub response: Does,
    /// Puts its name behind every chunk of both bodies.
    pub rewrites: bool,
    pub on_failure: OnFailure,
}

pub struct Member {
    name: Arc<str>,
    plan: Plan,
    asked: Asked,
}

/// Puts this behind every chunk.
struct Behind(&'static str);

pub const PLAN: Plan = Plan {
    name: "",
    request: Does::Forward,
    response: Does::Forward,
    rewrites: false,
    on_failure: OnFailure::Reject,
};

/// `a`, `b` and `c`, of which each can be another one than usual.
pub fn three(change: impl Fn(&mut Plan)) -> [Plan; 3] {
    ["a", "b", "c"].map(|name| {
        let mut plan = Plan { name, ..PLAN };
        change(&mut plan);
        plan
    })
}

impl Transform for Behind {
    fn push(self: Box<Self>, chunk: Bytes) -> Pushing {
        let chunk = Bytes::from([&chunk, self.0.as_bytes()].concat());
        Box::pin(async move { Ok((self as Box<dyn Transform>, chunk)) })
    }

    fn finish(self: Box<Self>) -> Finishing {
        Box::pin(async { Ok(Bytes::new()) })
    }
}

impl Member {
    pub fn new(plan: Plan, asked: &Asked) -> Member {
        Member { name: plan.name.into(), plan, asked: asked.clone() }
    }

    fn tell(&self, what: &str) {
        self.asked.borrow_mut().push(format!("{}.{what}", self.name));
    }

    fn step<T: 'static>(
        &self,
        does: Does,
        exchange: Box<Exchange>,
        value: impl FnOnce() -> T + 'static,
    ) -> Step<T> {
        let plugin = self.name.clone();
        let failure = |reason| Box::new(Failure { plugin, reason, detail: String::new() });
        match does {
            Does::Forward | Does::Reply(_) => Step::Ready(exchange, Ok(value())),
            Does::Fail(reason) => Step::Ready(exchange, Err(failure(reason))),
            Does::Wait(time) => Step::Pending(Box::pin(async move {
                sleep(time).await;
                (exchange, Ok(value()))
            })),
            Does::Hang => {
                let failure = failure("timeout");
                Step::Pending(Box::pin(async move {
                    sleep_until(exchange.due.into()).await;
                    (exchange, Err(failure))
                }))
            }
        }
    }

    fn opens(&self, exchange: Box<Exchange>) -> Step<Option<Box<dyn Transform>>> {
        self.tell("opens");
        let name = self.plan.name;
        Step::Ready(exchange, Ok(Some(Box::new(Behind(name)) as _)))
    }
}

impl Middleware for Member {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn hooks(&self) -> Hooks {
        let rewrites = self.plan.rewrites;
        Hooks {
            request: true,
            response: true,
            request_body: rewrites,
            response_body: rewrites,
            completion: true,
        }
    }

    fn on_failure(&self) -> OnFailure {
        self.plan.on_failure
    }

    fn on_request(&self, exchange: Box<Exchange>) -> Step<Verdict> {
        self.tell("request");
        let does = self.plan.request;
        self.step(does, exchange, move || match does {
            Does::Reply(delay) => {
                let mut reply = Reply::new(http::StatusCode::FORBIDDEN);
                reply.body = Bytes::from("no");
                reply.delay = delay;
                Verdict::Respond(Box::new(reply))
            }
            _ => Verdict::Forward,
        })
    }

    /// Leaves a field with its name.
    fn on_response(&self, mut exchange: Box<Exchange>) -> Step<()> {
        let head = exchange.response.as_mut().expect("a response");
        self.tell(&format!("response({})", head.status.as_u16()));
        let name = HeaderName::try_from(format!("x-{}", self.name)).expect("a name");
        head.headers.insert(name, HeaderValue::from_static("seen"));
        self.step(self.plan.response, exchange, || ())
    }

    fn open_request_transform(&self, exchange: Box<Exchange>) -> Step<Option<Box<dyn Transform>>> {
        self.opens(exchange)
    }

    fn open_response_transform(&self, exchange: Box<Exchange>) -> Step<Option<Box<dyn Transform>>> {
        self.opens(exchange)
    }

    fn on_complete(&self, exchange: Box<Exchange>, summary: &Summary) -> Step<()> {
        let Summary { status, request_bytes, response_bytes, error, .. } = summary;
        let error = error.unwrap_or("-");
        self.tell(&format!("complete({status} {error} {request_bytes} {response_bytes})"));
        Step::Ready(exchange, Ok(()))
    }
}
