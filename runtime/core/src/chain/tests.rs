//! The chain with native members: who is asked, in which order, and what becomes of a failure.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::*;
use crate::clock;
use crate::http::Client;

/// What a member does when it is asked.
#[derive(Clone, Copy, Default, PartialEq)]
enum Does {
    #[default]
    Forward,
    Reply,
    /// Fails, for this reason.
    Fail(&'static str),
}

#[derive(Clone, Copy)]
struct Plan {
    name: &'static str,
    hooks: Hooks,
    on_request: Does,
    on_response: Does,
    opens: Does,
    on_failure: OnFailure,
    /// Answers not before it was polled again.
    waits: bool,
}

struct Member {
    name: Arc<str>,
    plan: Plan,
    asked: Rc<RefCell<Vec<String>>>,
}

/// Puts its letter behind every chunk.
struct Letter(&'static str);

const ALL: Hooks = Hooks {
    request: true,
    response: true,
    request_body: true,
    response_body: true,
    completion: true,
};

const PLAN: Plan = Plan {
    name: "",
    hooks: ALL,
    on_request: Does::Forward,
    on_response: Does::Forward,
    opens: Does::Forward,
    on_failure: OnFailure::Reject,
    waits: false,
};

impl Transform for Letter {
    fn push(self: Box<Self>, chunk: Bytes) -> Pushing {
        let chunk = Bytes::from([&chunk, self.0.as_bytes()].concat());
        Box::pin(async move { Ok((self as Box<dyn Transform>, chunk)) })
    }

    fn finish(self: Box<Self>) -> Finishing {
        Box::pin(async { Ok(Bytes::new()) })
    }
}

impl Member {
    fn asked<T: 'static>(
        &self,
        hook: &str,
        does: Does,
        exchange: Box<Exchange>,
        value: impl FnOnce() -> T,
    ) -> Step<T> {
        self.asked.borrow_mut().push(format!("{}.{hook}", self.name));
        let result = match does {
            Does::Fail(reason) => {
                let (plugin, detail) = (self.name.clone(), String::new());
                Err(Box::new(Failure { plugin, reason, detail }))
            }
            Does::Forward | Does::Reply => Ok(value()),
        };
        if !self.plan.waits {
            return Step::Ready(exchange, result);
        }
        Step::Pending(Box::pin(async {
            tokio::task::yield_now().await;
            (exchange, result)
        }))
    }
}

impl Middleware for Member {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn hooks(&self) -> Hooks {
        self.plan.hooks
    }

    fn on_failure(&self) -> OnFailure {
        self.plan.on_failure
    }

    fn on_request(&self, exchange: Box<Exchange>) -> Step<Verdict> {
        let does = self.plan.on_request;
        self.asked("request", does, exchange, || match does {
            Does::Reply => Verdict::Respond(Box::new(Reply::new(StatusCode::FORBIDDEN))),
            Does::Forward | Does::Fail(_) => Verdict::Forward,
        })
    }

    fn on_response(&self, exchange: Box<Exchange>) -> Step<()> {
        self.asked("response", self.plan.on_response, exchange, || ())
    }

    fn open_request_transform(&self, exchange: Box<Exchange>) -> Step<Option<Box<dyn Transform>>> {
        let name = self.plan.name;
        self.asked("opens", self.plan.opens, exchange, || Some(Box::new(Letter(name)) as _))
    }

    fn open_response_transform(&self, exchange: Box<Exchange>) -> Step<Option<Box<dyn Transform>>> {
        self.open_request_transform(exchange)
    }

    fn on_complete(&self, exchange: Box<Exchange>, summary: &Summary) -> Step<()> {
        self.asked(&format!("complete({})", summary.status), Does::Forward, exchange, || ())
    }
}

/// A chain whose members write down when they are asked.
fn chain(plans: &[Plan]) -> (Chain, Rc<RefCell<Vec<String>>>) {
    let asked = Rc::<RefCell<Vec<String>>>::default();
    let members = plans.iter().map(|plan| {
        let member = Member { name: plan.name.into(), plan: *plan, asked: asked.clone() };
        Rc::new(member) as Rc<dyn Middleware>
    });
    (Chain::new(members.collect()), asked)
}

/// `a`, `b` and `c`, of which each can be another one than usual.
fn three(change: impl Fn(&mut Plan)) -> (Chain, Rc<RefCell<Vec<String>>>) {
    let plans = ["a", "b", "c"].map(|name| {
        let mut plan = Plan { name, ..PLAN };
        change(&mut plan);
        plan
    });
    chain(&plans)
}

fn exchange() -> Box<Exchange> {
    let (request, ()) = http::Request::get("/").body(()).expect("a legal head").into_parts();
    let now = clock::now();
    let times = (now, now + Duration::from_secs(30));
    let id = ExchangeId { process: 1, worker: 2, serial: 3 };
    Exchange::new(id, times, request, Arc::new(Client::default()), "api".into())
}

/// The output of a future that needs nobody else, and how often it was polled.
fn run<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for polls in 1..1000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return (output, polls);
        }
    }
    panic!("it waits for somebody");
}

fn joined(asked: &RefCell<Vec<String>>) -> String {
    std::mem::take(&mut *asked.borrow_mut()).join(" ")
}

/// Down, and back up as far as the request came.
fn pass(chain: &Chain) -> (String, Option<Box<Failure>>) {
    let ((exchange, decision, reached), _) = run(chain.on_request(exchange()));
    let decision = match decision {
        Decision::Forward => "forward".to_owned(),
        Decision::Respond { plugin, reply } => format!("{plugin} {}", reply.status.as_u16()),
        Decision::Failed(failure) => format!("{} {}", failure.plugin, failure.reason),
    };
    let ((exchange, failed), _) = run(chain.on_response(exchange, reached));
    let summary = Summary { status: 200, ..Summary::default() };
    drop(run(chain.completions().on_complete(exchange, reached, &summary)));
    (decision, failed)
}

#[test]
fn hooks_are_asked_in_order_and_back_again() {
    let (chain, asked) = three(|_| {});
    let (decision, failed) = pass(&chain);
    assert_eq!((&*decision, failed.is_none()), ("forward", true));
    let order = "a.request b.request c.request c.response b.response a.response \
                 a.complete(200) b.complete(200) c.complete(200)";
    assert_eq!(joined(&asked), order);
}

#[test]
fn who_has_no_hook_is_not_asked() {
    let (chain, asked) = three(|plan| {
        plan.hooks = match plan.name {
            "a" => Hooks { request: true, ..Hooks::default() },
            "b" => Hooks { response: true, ..Hooks::default() },
            _ => Hooks { completion: true, ..Hooks::default() },
        };
    });
    pass(&chain);
    assert_eq!(joined(&asked), "a.request b.response c.complete(200)");
    assert!(!chain.asks_nobody() && !chain.adds_nothing() && !chain.is_empty());
    assert!(Chain::default().asks_nobody() && Chain::default().adds_nothing());
}

/// Whom a request did not reach does not see its response.
#[test]
fn a_reply_turns_the_request_round() {
    let (chain, asked) = three(|plan| {
        plan.on_request = if plan.name == "b" { Does::Reply } else { Does::Forward };
    });
    assert_eq!(pass(&chain).0, "b 403");
    // The one that replied sees its own reply: its response hook adds to every answer.
    let order = "a.request b.request b.response a.response a.complete(200) b.complete(200)";
    assert_eq!(joined(&asked), order);
}

/// What becomes of a request hook's failure, by what the operator wants and by its reason.
#[test]
fn a_request_hook_that_fails_is_skipped_or_ends_the_way() {
    for (on_failure, reason, decision, order) in [
        (OnFailure::Reject, "trap", "b trap", "a.request b.request a.response"),
        (
            OnFailure::Skip,
            "trap",
            "forward",
            "a.request b.request c.request c.response b.response a.response",
        ),
        // The exchange's time is over, whoever is asked next.
        (OnFailure::Skip, "timeout", "b timeout", "a.request b.request a.response"),
    ] {
        let (chain, asked) = three(|plan| {
            plan.on_failure = on_failure;
            plan.hooks.completion = false;
            plan.on_request = if plan.name == "b" { Does::Fail(reason) } else { Does::Forward };
        });
        assert_eq!(pass(&chain).0, decision, "{on_failure:?} {reason}");
        assert_eq!(joined(&asked), order, "{on_failure:?} {reason}");
    }
}

/// The walk in the documentation of `proxy`.
#[test]
fn those_before_a_response_hook_that_failed_still_see_the_response() {
    for (on_failure, failed) in [(OnFailure::Reject, Some("c")), (OnFailure::Skip, None)] {
        let (chain, asked) = three(|plan| {
            plan.on_failure = on_failure;
            // The first failure is the one that is told.
            plan.on_response = if plan.name == "a" { Does::Forward } else { Does::Fail("trap") };
        });
        let (decision, failure) = pass(&chain);
        assert_eq!(decision, "forward");
        assert_eq!(failure.as_deref().map(|failure| &*failure.plugin), failed);
        assert!(joined(&asked).contains("c.response b.response a.response"));
    }
}

#[test]
fn transforms_stand_in_the_order_of_their_way() {
    let (chain, asked) = three(|_| {});
    let through = |transforms: Transforms| {
        let mut chunk = Bytes::from("-");
        for transform in transforms {
            chunk = run(transform.push(chunk)).0.expect("it works").1;
        }
        chunk
    };
    let ((_, opened), _) = run(chain.request_transforms(exchange()));
    assert_eq!(through(opened.expect("all of them")), "-abc");
    let ((exchange, opened), _) = run(chain.response_transforms(exchange(), chain.whole()));
    assert_eq!(through(opened.expect("all of them")), "-cba");
    assert_eq!(joined(&asked), "a.opens b.opens c.opens c.opens b.opens a.opens");
    let ((_, opened), _) = run(chain.response_transforms(exchange, Reached(1)));
    assert_eq!(through(opened.expect("what the request reached")), "-a");
}

#[test]
fn a_transform_that_does_not_open_is_skipped_or_fails() {
    for (on_failure, reason, down, up) in [
        (OnFailure::Reject, "trap", false, false),
        (OnFailure::Skip, "trap", true, true),
        // An answer that is there goes out, as far as the operator lets it; nothing more goes down.
        (OnFailure::Skip, "timeout", false, true),
    ] {
        let (chain, _) = three(|plan| {
            plan.on_failure = on_failure;
            plan.opens = if plan.name == "b" { Does::Fail(reason) } else { Does::Forward };
        });
        let ((exchange, opened), _) = run(chain.request_transforms(exchange()));
        assert_eq!(opened.is_ok(), down, "{on_failure:?} {reason}");
        let ((_, opened), _) = run(chain.response_transforms(exchange, chain.whole()));
        assert_eq!(opened.is_ok(), up, "{on_failure:?} {reason}");
    }
}

#[test]
fn hooks_that_wait_keep_the_order() {
    let (chain, asked) = three(|plan| plan.waits = true);
    let ((_, decision, reached), polls) = run(chain.on_request(exchange()));
    assert!(matches!(decision, Decision::Forward) && reached == chain.whole());
    assert_eq!((joined(&asked), polls), ("a.request b.request c.request".to_owned(), 4));
}

/// What a peer did wrong in one plugin's reading is not put down to the next.
#[test]
fn a_peers_error_is_forgotten_before_the_next_member() {
    let (chain, _) = three(|_| {});
    let mut begun = exchange();
    begun.peer_error = Some(crate::error::Error::request(400, "before"));
    let ((exchange, ..), _) = run(chain.on_request(begun));
    assert!(exchange.peer_error.is_none());
}
