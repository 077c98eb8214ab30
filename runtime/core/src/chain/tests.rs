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
use crate::error::Error;
use crate::http::Client;

/// Who was asked for what, in order.
type Asked = Rc<RefCell<Vec<String>>>;

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
    asked: Asked,
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
    hooks: Hooks { request_body: false, response_body: false, ..ALL },
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
fn chain(plans: &[Plan]) -> (Chain, Asked) {
    let asked = Asked::default();
    let members = plans.iter().map(|plan| {
        let member = Member { name: plan.name.into(), plan: *plan, asked: asked.clone() };
        Rc::new(member) as Rc<dyn Middleware>
    });
    (Chain::new(members.collect()), asked)
}

/// `a`, `b` and `c`, of which each can be another one than usual.
fn three(change: impl Fn(&mut Plan)) -> (Chain, Asked) {
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

/// Answers behind the chain, and writes down that it did.
struct Behind {
    asked: Asked,
    takes_body: bool,
    /// The status of its error, where it has no answer.
    error: Option<u16>,
}

impl Terminal for Behind {
    fn takes_body(&self) -> bool {
        self.takes_body
    }

    async fn answer(
        &mut self,
        exchange: &mut Exchange,
        transforms: Transforms,
    ) -> Result<(), Box<Error>> {
        let rewritten = if transforms.is_empty() { "" } else { "(rewritten)" };
        self.asked.borrow_mut().push(format!("answer{rewritten}"));
        exchange.response = Some(http::Response::new(()).into_parts().0);
        self.error.map_or(Ok(()), |status| Err(Box::new(Error::request(status, "nobody"))))
    }
}

/// Down to the terminal, and back as far as the request came.
fn pass_to(
    (chain, asked): &(Chain, Asked),
    takes_body: bool,
    error: Option<u16>,
) -> (String, Option<Box<Failure>>) {
    let mut behind = Behind { asked: asked.clone(), takes_body, error };
    let ((exchange, outcome, reached), _) = run(chain.run(exchange(), &mut behind));
    let outcome = match outcome {
        Outcome::Answered => "answered".to_owned(),
        Outcome::Replied { plugin, reply } => format!("{plugin} {}", reply.status.as_u16()),
        Outcome::Failed(failure) => format!("{} {}", failure.plugin, failure.reason),
        Outcome::Unanswered(error) => format!("error {}", error.status()),
    };
    let ((exchange, opened), _) = run(chain.run_back(exchange, reached));
    let summary = Summary { status: 200, ..Summary::default() };
    drop(run(chain.completions().on_complete(exchange, reached, &summary)));
    (outcome, opened.err())
}

fn pass(members: &(Chain, Asked)) -> (String, Option<Box<Failure>>) {
    pass_to(members, false, None)
}

#[test]
fn hooks_are_asked_in_order_and_back_again() {
    let members = three(|plan| plan.hooks = ALL);
    let (outcome, failed) = pass_to(&members, true, None);
    assert_eq!((&*outcome, failed.is_none()), ("answered", true));
    let order = "a.request b.request c.request a.opens b.opens c.opens answer(rewritten) \
                 c.response b.response a.response c.opens b.opens a.opens \
                 a.complete(200) b.complete(200) c.complete(200)";
    assert_eq!(joined(&members.1), order);
}

/// What has no use for a body has none rewritten; where there is no answer, those who were reached see
/// what is said instead.
#[test]
fn a_terminal_without_an_answer_or_a_use_for_bodies() {
    for (takes_body, error, outcome, middle) in [
        (false, None, "answered", "c.request answer c.response"),
        (false, Some(404), "error 404", "c.request answer c.response"),
        (true, Some(502), "error 502", "c.opens answer(rewritten) c.response"),
    ] {
        let members = three(|plan| plan.hooks.request_body = true);
        assert_eq!(pass_to(&members, takes_body, error).0, outcome);
        let order = joined(&members.1);
        assert!(order.contains(middle), "{order}");
    }
}

/// Its body cannot be rewritten: it goes no further, and all who were asked see the answer.
#[test]
fn a_request_whose_transform_does_not_open_meets_no_terminal() {
    let members = three(|plan| {
        plan.hooks = Hooks { completion: false, response_body: false, ..ALL };
        plan.opens = if plan.name == "b" { Does::Fail("trap") } else { Does::Forward };
    });
    assert_eq!(pass_to(&members, true, None).0, "b trap");
    let order = "a.request b.request c.request a.opens b.opens c.response b.response a.response";
    assert_eq!(joined(&members.1), order);
}

#[test]
fn who_has_no_hook_is_not_asked() {
    let members = three(|plan| {
        plan.hooks = match plan.name {
            "a" => Hooks { request: true, ..Hooks::default() },
            "b" => Hooks { response: true, ..Hooks::default() },
            _ => Hooks { completion: true, ..Hooks::default() },
        };
    });
    pass(&members);
    let (chain, asked) = members;
    assert_eq!(joined(&asked), "a.request answer b.response c.complete(200)");
    assert!(!chain.asks_nobody() && !chain.adds_nothing() && !chain.is_empty());
    assert!(Chain::default().asks_nobody() && Chain::default().adds_nothing());
}

/// Whom a request did not reach does not see its response.
#[test]
fn a_reply_turns_the_request_round() {
    let members = three(|plan| {
        plan.on_request = if plan.name == "b" { Does::Reply } else { Does::Forward };
    });
    assert_eq!(pass(&members).0, "b 403");
    // The one that replied sees its own reply: its response hook adds to every answer.
    let order = "a.request b.request b.response a.response a.complete(200) b.complete(200)";
    assert_eq!(joined(&members.1), order);
}

/// What becomes of a request hook's failure, by what the operator wants and by its reason.
#[test]
fn a_request_hook_that_fails_is_skipped_or_ends_the_way() {
    for (on_failure, reason, outcome, order) in [
        (OnFailure::Reject, "trap", "b trap", "a.request b.request a.response"),
        (
            OnFailure::Skip,
            "trap",
            "answered",
            "a.request b.request c.request answer c.response b.response a.response",
        ),
        // The exchange's time is over, whoever is asked next.
        (OnFailure::Skip, "timeout", "b timeout", "a.request b.request a.response"),
    ] {
        let members = three(|plan| {
            plan.on_failure = on_failure;
            plan.hooks.completion = false;
            plan.on_request = if plan.name == "b" { Does::Fail(reason) } else { Does::Forward };
        });
        assert_eq!(pass(&members).0, outcome, "{on_failure:?} {reason}");
        assert_eq!(joined(&members.1), order, "{on_failure:?} {reason}");
    }
}

/// The walk in the documentation of `proxy`.
#[test]
fn those_before_a_response_hook_that_failed_still_see_the_response() {
    for (on_failure, failed) in [(OnFailure::Reject, Some("c")), (OnFailure::Skip, None)] {
        let members = three(|plan| {
            plan.on_failure = on_failure;
            // The first failure is the one that is told.
            plan.on_response = if plan.name == "a" { Does::Forward } else { Does::Fail("trap") };
        });
        let (outcome, failure) = pass(&members);
        assert_eq!(outcome, "answered");
        assert_eq!(failure.as_deref().map(|failure| &*failure.plugin), failed);
        assert!(joined(&members.1).contains("c.response b.response a.response"));
    }
}

#[test]
fn transforms_stand_in_the_order_of_their_way() {
    let (chain, asked) = three(|plan| plan.hooks = ALL);
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
            plan.hooks = ALL;
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
    let ((_, asks, reached), polls) = run(chain.on_request(exchange()));
    assert!(asks.is_continue() && reached == chain.whole());
    assert_eq!((joined(&asked), polls), ("a.request b.request c.request".to_owned(), 4));
}

/// What a peer did wrong in one plugin's reading is not put down to the next.
#[test]
fn a_peers_error_is_forgotten_before_the_next_member() {
    let (chain, _) = three(|_| {});
    let mut begun = exchange();
    begun.peer_error = Some(Error::request(400, "before"));
    let ((exchange, ..), _) = run(chain.on_request(begun));
    assert!(exchange.peer_error.is_none());
}
