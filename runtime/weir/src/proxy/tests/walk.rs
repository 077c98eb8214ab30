//! The walk of the module's documentation: a request's way down its chain and back, and where it turns.

use weir_core::config::OnFailure;

use super::member::{Does, three};
use super::*;
use crate::upstream::sample::http2::Http2End;

/// What the endpoint says; its body is longer than what comes of it.
const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\nx-own: 1\r\n\r\nhalf ";

/// `a`, `b` and `c` rewrite bodies, and the response hook of `c` fails.
fn failing(reason: &'static str, on_failure: OnFailure) -> [Plan; 3] {
    three(|plan| {
        plan.rewrites = true;
        plan.on_failure = on_failure;
        if plan.name == "c" {
            plan.response = Does::Fail(reason);
        }
    })
}

#[test]
fn the_third_plugins_response_hook_refuses() {
    paused(async {
        let scene = Scene::with(&failing("trap", OnFailure::Reject));
        let (got, (mut end, _)) = tokio::join!(scene.ask(get()), async {
            let (mut end, head) = scene.first_request().await;
            end.say(HALF).await;
            (end, head)
        });
        assert_eq!(got.refusal(), (500, "proxy_internal_error"));
        assert!(got.error.is_none());
        // What was set on the endpoint's answer is gone with it.
        assert_eq!([got.field("x-own"), got.field("x-a"), got.field("x-b")], [""; 3]);
        let said = String::from_utf8(got.body).expect("text");
        assert!(said.contains("proxy_internal_error") && !said.contains("trap"), "{said}");
        let length = said.len();
        let told = format!("complete(500 proxy_internal_error 0 {length})");
        let order = format!(
            "a.request b.request c.request a.opens b.opens c.opens \
             c.response(200) b.response(200) a.response(200) a.{told} b.{told} c.{told}"
        );
        assert_eq!(scene.asked(), order);
        end.ended().await;
        assert_eq!(scene.dialled(), [1, 0], "and the exchange was tried once");
    });
}

/// Of HTTP/2 it is the stream that is reset: others go on on its connection.
#[test]
fn what_a_hook_refuses_ends_no_connection_of_http2() {
    paused(async {
        let plans = [Plan { name: "c", response: Does::Fail("trap"), ..PLAN }];
        let upstream = "protocol = \"http2\"";
        let scene = Setup { upstream, of_route: &plans, ..Setup::default() }.scene();
        let ends = Rc::<RefCell<Vec<Http2End>>>::default();
        for endpoint in &scene.endpoints {
            let ends = ends.clone();
            endpoint.serve(move |end| {
                ends.borrow_mut().push(Http2End::serve(end, 100, || async { "hi" }));
                async {}
            });
        }
        for _ in 0..4 {
            assert_eq!(scene.ask(get()).await.refusal(), (500, "proxy_internal_error"));
        }
        assert_eq!(scene.dialled(), [1, 1]);
        assert!(ends.borrow().iter().all(|end| !end.is_over()));
    });
}

#[test]
fn a_response_hook_that_may_be_skipped_is_as_if_it_were_not_there() {
    paused(async {
        let scene = Scene::with(&failing("trap", OnFailure::Skip));
        scene.endpoints[0].answers(Duration::ZERO, HI);
        let got = scene.ask(get()).await;
        assert_eq!((got.status(), &*got.body), (200, &b"hicba"[..]));
        assert_eq!([got.field("x-a"), got.field("x-b")], ["seen"; 2]);
        let told = "complete(200 - 0 5)";
        let order = format!(
            "a.request b.request c.request a.opens b.opens c.opens \
             c.response(200) b.response(200) a.response(200) c.opens b.opens a.opens \
             a.{told} b.{told} c.{told}"
        );
        assert_eq!(scene.asked(), order);
    });
}

/// Two reasons have another status than 500.
#[test]
fn a_plugin_that_is_busy_or_late_says_so() {
    paused(async {
        for (reason, refusal, retry_after) in [
            ("memory", (500, "proxy_internal_error"), ""),
            ("busy", (503, "proxy_internal_error"), "1"),
            ("quota", (503, "proxy_internal_error"), "1"),
            ("timeout", (504, "http_response_timeout"), ""),
        ] {
            let scene = Scene::with(&failing(reason, OnFailure::Reject));
            scene.endpoints[0].answers(Duration::ZERO, HI);
            let got = scene.ask(get()).await;
            assert_eq!(got.refusal(), refusal, "{reason}");
            assert_eq!(got.field("retry-after"), retry_after, "{reason}");
        }
    });
}

/// It did not see the request through: its own response hook is not due, nor is it told.
#[test]
fn a_request_hook_that_fails_turns_the_request_back() {
    paused(async {
        let plans = three(|plan| match plan.name {
            "b" => plan.request = Does::Fail("trap"),
            _ => plan.rewrites = true,
        });
        let scene = Scene::with(&plans);
        let got = scene.ask(get()).await;
        assert_eq!(got.refusal(), (500, "proxy_internal_error"));
        assert_eq!(got.field("x-a"), "seen");
        // The error's body, which `a` rewrites as any other.
        let told = format!("complete(500 proxy_internal_error 0 {})", got.body.len());
        let order = format!("a.request b.request a.response(500) a.opens a.{told}");
        assert_eq!((scene.asked(), got.body.last()), (order, Some(&b'a')));
        assert_eq!(scene.dialled(), [0, 0]);
    });
}

#[test]
fn a_plugin_that_replies_is_the_last_to_see_the_request() {
    paused(async {
        let plans = three(|plan| {
            if plan.name == "b" {
                plan.request = Does::Reply(3 * SECOND);
            }
        });
        let scene = Scene::with(&plans);
        let begun = clock::now();
        let got = scene.ask(get()).await;
        assert_eq!(clock::since(begun), 3 * SECOND, "it holds its reply back for so long");
        assert_eq!((got.refusal(), &*got.body), ((403, ""), &b"no"[..]));
        assert_eq!([got.field("x-a"), got.field("x-b"), got.field("x-c")], ["seen", "seen", ""]);
        let told = "complete(403 - 0 2)";
        let order =
            format!("a.request b.request b.response(403) a.response(403) a.{told} b.{told}");
        assert_eq!((scene.asked(), scene.dialled()), (order, [0, 0]));
    });
}

#[test]
fn a_request_that_no_route_takes_passes_the_listeners_plugins() {
    paused(async {
        let plans = three(|_| {});
        let (of_listener, of_route) = plans.split_at(2);
        let scene = Setup { of_listener, of_route, ..Setup::default() }.scene();
        let got = scene.ask(request("GET", "/b", &[], Body::Empty)).await;
        // Nothing went wrong behind the client.
        assert_eq!((got.refusal(), got.field("x-a")), ((404, ""), "seen"));
        let told = format!("complete(404 destination_not_found 0 {})", got.body.len());
        let order =
            format!("a.request b.request b.response(404) a.response(404) a.{told} b.{told}");
        assert_eq!((scene.asked(), scene.dialled()), (order, [0, 0]));
    });
}

/// An endpoint that answered an error is no failure of the proxy's.
#[test]
fn an_endpoints_own_error_is_an_answer_as_any_other() {
    paused(async {
        let scene = Scene::with(&three(|_| {}));
        let answer = "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy";
        scene.endpoints[0].answers(Duration::ZERO, answer);
        let got = scene.ask(get()).await;
        assert_eq!((got.refusal(), &*got.body), ((503, ""), &b"busy"[..]));
        assert!(scene.asked().ends_with("c.complete(503 - 0 4)"));
        assert_eq!(scene.dialled(), [1, 0]);
    });
}
