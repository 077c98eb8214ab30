//! Bodies on their way, both ways: what is rewritten, what comes behind them, and who stops in the middle.

use http::HeaderMap;
use http::header::HeaderValue;

use super::member::three;
use super::*;
use crate::upstream::sample::piped::piped;

/// One plugin that only looks.
fn looking() -> [Plan; 1] {
    [Plan { name: "a", ..PLAN }]
}

fn post(fields: &[(&str, &str)], body: Body) -> Request<Body> {
    request("POST", "/a/b", fields, body)
}

#[test]
fn a_body_passes_its_transforms_there_and_back() {
    paused(async {
        let scene = Scene::with(&three(|plan| plan.rewrites = true));
        let (write, body) = piped();
        let fields = [("content-length", "4")];
        let (got, asked) = tokio::join!(scene.ask(post(&fields, body)), async {
            write.data("12");
            settle().await;
            write.data("34");
            drop(write);
            let mut end = scene.endpoints[0].accept().await;
            let asked = end.request().await.expect("a request");
            end.say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\netag: \"1\"\r\n\r\n56").await;
            settle().await;
            end.say("78").await;
            asked
        });
        assert_eq!(asked.body, "12abc34abc");
        assert!(!asked.head.to_ascii_lowercase().contains("content-length"), "{}", asked.head);
        assert_eq!(got.body, b"56cba78cba");
        // Neither the length nor the promise of the same bytes is true any more.
        assert_eq!((got.field("content-length"), got.field("etag")), ("", "W/\"1\""));
        // What is told of is what the client sent, and what it got.
        assert!(scene.asked().contains("a.complete(200 - 4 10)"));
    });
}

#[test]
fn trailers_come_behind_a_body_both_ways() {
    paused(async {
        let scene = Scene::with(&three(|plan| plan.rewrites = plan.name == "b"));
        let (write, body) = piped();
        let (got, asked) = tokio::join!(scene.ask(post(&[], body)), async {
            write.data("12");
            let sum = HeaderValue::from_static("1");
            write.trailers(HeaderMap::from_iter([(http::HeaderName::from_static("x-sum"), sum)]));
            drop(write);
            let mut end = scene.endpoints[0].accept().await;
            let asked = end.request().await.expect("a request");
            let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                          2\r\n56\r\n0\r\nx-sum: 2\r\n\r\n";
            end.say(answer).await;
            asked
        });
        assert_eq!((&*asked.body, &*asked.trailers), (&b"12b"[..], "x-sum: 1"));
        let trailers = got.trailers.expect("trailers");
        assert_eq!((&*got.body, trailers["x-sum"].as_bytes()), (&b"56b"[..], &b"2"[..]));
    });
}

/// Whoever waits for it, the endpoint is not to blame, and gets no half request.
#[test]
fn a_request_body_that_stalls_ends_the_request_after_the_body_timeout() {
    paused(async {
        let listener = "body_timeout = \"10s\"";
        let scene = Setup { listener, of_route: &looking(), ..Setup::default() }.scene();
        let (write, body) = piped();
        let begun = clock::now();
        let (got, ()) = tokio::join!(scene.ask(post(&[("content-length", "9")], body)), async {
            let mut end = scene.endpoints[0].accept().await;
            end.head().await.expect("a head");
            tokio::time::sleep(4 * SECOND).await;
            write.data("123");
            assert_eq!(end.bytes(3).await.expect("what came"), "123");
            end.ended().await;
        });
        assert_eq!(clock::since(begun), 14 * SECOND);
        assert_eq!((got.refusal(), got.field("connection")), ((408, ""), "close"));
        let told = format!("a.complete(408 http_request_error 3 {})", got.body.len());
        assert!(scene.asked().ends_with(&told));
        assert_eq!(scene.dialled(), [1, 0], "nobody else is asked");
    });
}

/// What is not written is for endpoints: a client that sends has as long as it sends. What is, is meant.
#[test]
fn a_body_on_its_way_may_take_longer_than_the_usual_time_but_not_than_a_written_one() {
    paused(async {
        for (route, refusal, took) in [("", (200, ""), 100), ("timeout = \"75s\"", (408, ""), 75)] {
            let listener = "min_body_rate = \"0B\"";
            let scene = Setup { listener, route, ..Setup::default() }.scene();
            scene.endpoints[0].answers(Duration::ZERO, HI);
            let (write, body) = piped();
            let begun = clock::now();
            let writing = async {
                for _ in 0..10 {
                    tokio::time::sleep(10 * SECOND).await;
                    write.data("0123456789");
                }
                drop(write);
            };
            let asking = async {
                let got = scene.ask(post(&[], body)).await;
                (got, clock::since(begun))
            };
            let ((got, waited), ()) = tokio::join!(asking, writing);
            assert_eq!((got.refusal(), waited), (refusal, took * SECOND), "{route}");
        }
    });
}

#[test]
fn a_request_body_beyond_its_limit_goes_nowhere() {
    paused(async {
        for (length, dialled) in [(&[("content-length", "9")][..], 0), (&[], 1)] {
            let listener = "body_limit = \"4B\"";
            let scene = Setup { listener, of_route: &looking(), ..Setup::default() }.scene();
            let (write, body) = piped();
            write.data("123");
            let asking = async {
                settle().await;
                write.data("456");
            };
            let body = if length.is_empty() { body } else { Body::full("123456789") };
            let (got, ()) = tokio::join!(scene.ask(post(length, body)), asking);
            assert_eq!((got.refusal(), scene.dialled()), ((413, ""), [dialled, 0]));
        }
    });
}

/// The head is gone by then: all that is left is to end the message as broken.
#[test]
fn a_response_that_stops_in_the_middle_breaks_after_the_idle_timeout() {
    paused(async {
        let upstream = "timeouts = { idle = \"20s\" }";
        let scene = Setup { upstream, of_route: &looking(), ..Setup::default() }.scene();
        let begun = clock::now();
        let (got, ()) = tokio::join!(scene.ask(get()), async {
            let (mut end, _) = scene.first_request().await;
            end.say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123").await;
            tokio::time::sleep(15 * SECOND).await;
            end.say("456").await;
            end.ended().await;
            assert_eq!(clock::since(begun), 35 * SECOND);
        });
        assert_eq!(clock::since(begun), 35 * SECOND);
        assert_eq!((got.status(), &*got.body), (200, &b"123456"[..]));
        let error = got.error.expect("it is broken");
        assert_eq!((error.kind, error.side), (Kind::ConnectionReadTimeout, Side::Upstream));
        assert!(scene.asked().ends_with("a.complete(200 connection_read_timeout 0 6)"));
    });
}

#[test]
fn a_response_whose_endpoint_closes_in_the_middle_is_broken_and_not_asked_for_again() {
    paused(async {
        let scene = Scene::with(&looking());
        let (got, ()) = tokio::join!(scene.ask(get()), async {
            let (mut end, _) = scene.first_request().await;
            end.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n123\r\n").await;
        });
        assert_eq!((got.status(), &*got.body), (200, &b"123"[..]));
        assert_eq!(got.error.expect("it is broken").kind, Kind::HttpResponseIncomplete);
        assert!(scene.asked().ends_with("a.complete(200 http_response_incomplete 0 3)"));
        assert_eq!(scene.dialled(), [1, 0]);
    });
}

/// What is left of the endpoint's answer would be the next one's.
#[test]
fn a_client_that_leaves_its_answer_half_read_ends_the_endpoints_connection() {
    paused(async {
        let scene = Scene::with(&looking());
        let (answer, mut end) = tokio::join!(scene.head(get()), async {
            let (mut end, _) = scene.first_request().await;
            end.say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123").await;
            end
        });
        let (_, body) = answer.into_parts();
        let mut body = Box::pin(body);
        let first = body.frame().await.expect("a frame").expect("no error");
        assert_eq!(first.into_data().ok(), Some(Bytes::from("123")));
        drop(body);
        end.ended().await;
        settle().await;
        assert!(scene.asked().ends_with("a.complete(200 connection_terminated 0 3)"));
    });
}

#[test]
fn an_answer_that_was_read_leaves_its_connection_to_the_next_request() {
    paused(async {
        let scene = Scene::with(&looking());
        scene.endpoints.iter().for_each(|endpoint| endpoint.answers(SECOND, HI));
        for _ in 0..6 {
            assert_eq!(scene.ask(get()).await.body, b"hi");
        }
        assert_eq!(scene.dialled(), [1, 1], "they take turns");
    });
}
