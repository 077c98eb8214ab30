//! Admit, route, enter: what goes no further, who adds to its answer, and what an endpoint is shown.

use super::member::three;
use super::*;

/// The listener has the plugin `a`, the route also `b`.
fn guarded(route: &str) -> Scene {
    let plans = three(|_| {});
    Setup { route, of_listener: &plans[..1], of_route: &plans[1..2], ..Setup::default() }.scene()
}

/// Request hooks never see it, the listener's response hooks add to it, and its connection ends.
#[test]
fn what_is_not_admitted_gets_what_the_listeners_response_hooks_add() {
    paused(async {
        for (method, target, fields, status) in [
            ("CONNECT", "example.com:443", &[][..], 501),
            ("GET", "*", &[], 400),
            ("GET", "/a/%zz", &[], 400),
            ("GET", "/a/../../b", &[], 400),
            ("GET", "/a/b", &[("host", "other.example")], 400),
            ("GET", "/a/b", &[("content-length", "1"), ("content-length", "2")], 400),
        ] {
            let scene = guarded("");
            let got = scene.ask(request(method, target, fields, Body::Empty)).await;
            let name = format!("{method} {target} {fields:?}");
            assert_eq!(got.refusal(), (status, ""), "{name}");
            assert_eq!((got.field("x-a"), got.field("x-b")), ("seen", ""), "{name}");
            assert_eq!(got.field("connection"), "close", "{name}");
            assert_eq!(scene.asked(), format!("a.response({status})"), "{name}");
            assert_eq!(scene.dialled(), [0, 0], "{name}");
        }
    });
}

/// The route's own plugins add to it where the request got so far.
#[test]
fn what_its_route_refuses_gets_what_the_routes_response_hooks_add() {
    paused(async {
        let scene = guarded("path = \"strict\"");
        let got = scene.ask(request("GET", "/a/%2Fb", &[], Body::Empty)).await;
        assert_eq!(
            (got.refusal(), got.field("x-a"), got.field("x-b")),
            ((400, ""), "seen", "seen")
        );
        assert_eq!(
            (scene.asked(), scene.dialled()),
            ("b.response(400) a.response(400)".into(), [0; 2])
        );
        scene.endpoints[0].answers(Duration::ZERO, HI);
        assert_eq!(scene.ask(get()).await.status(), 200);
    });
}

/// The proxy says itself what was wrong, and only to whom it is about.
#[test]
fn a_hook_that_fails_on_a_refusal_takes_nothing_from_it() {
    paused(async {
        let mut plans = three(|_| {});
        plans[0].response = member::Does::Fail("trap");
        let scene = Setup { of_listener: &plans[..2], ..Setup::default() }.scene();
        let got = scene.ask(request("GET", "*", &[], Body::Empty)).await;
        assert_eq!((got.refusal(), got.field("x-b")), ((400, ""), ""), "as it was");
        let said = String::from_utf8(got.body).expect("text");
        assert!(said.contains("only OPTIONS may ask for *"), "{said}");
        assert_eq!(scene.asked(), "b.response(400) a.response(400)");
    });
}

#[test]
fn a_listener_that_is_gone_answers_for_itself() {
    paused(async {
        let scene = guarded("");
        scene.connection.listener.set(7);
        let got = scene.ask(get()).await;
        assert_eq!(got.refusal(), (503, "destination_unavailable"));
        assert_eq!((got.field("connection"), scene.asked()), ("close", String::new()));
    });
}

#[test]
fn the_endpoint_is_shown_who_asks_and_nothing_of_the_last_hop() {
    paused(async {
        let scene = guarded("");
        let fields = [
            ("connection", "x-hop, keep-alive"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip"),
            ("x-forwarded-for", "198.51.100.1"),
            ("x-end", "2"),
        ];
        let request = request("GET", "/a/./b/../c?q=1", &fields, Body::Empty);
        let (got, head) = tokio::join!(scene.ask(request), async {
            let (mut end, head) = scene.first_request().await;
            let fields = "connection: x-hop\r\nx-hop: 1\r\nx-end: 2";
            end.say(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n")).await;
            head
        });
        let mut lines: Vec<_> = head.split("\r\n").map(str::to_ascii_lowercase).collect();
        let first = lines.remove(0);
        assert_eq!(first, "get /a/c?q=1 http/1.1");
        lines.sort_unstable();
        let shown = [
            "forwarded: for=192.0.2.7;proto=http;host=example.com",
            "host: example.com",
            "via: 1.1 weir",
            "x-end: 2",
            "x-forwarded-for: 192.0.2.7",
            "x-forwarded-host: example.com",
            "x-forwarded-port: 80",
            "x-forwarded-proto: http",
        ];
        assert_eq!(lines, shown, "it is no proxy that is trusted");
        assert_eq!(
            [got.field("x-hop"), got.field("connection"), got.field("x-end")],
            ["", "", "2"]
        );
        assert_eq!(got.field("via"), "1.1 weir");
        assert!(!got.field("date").is_empty());
    });
}

#[test]
fn who_must_go_no_further_is_answered_here() {
    paused(async {
        let scene = guarded("");
        let fields = [("max-forwards", "0")];
        let got = scene.ask(request("OPTIONS", "/a/b", &fields, Body::Empty)).await;
        assert_eq!(got.status(), 200);
        assert_eq!(scene.dialled(), [0, 0]);
        assert!(
            scene.asked().starts_with("a.request b.request b.response(200) a.response(200) a.c")
        );
    });
}
