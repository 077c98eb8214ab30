//! The terminal: which endpoint answers, how long it is waited for, and what a client is told where none
//! does.

use super::member::{Does, three};
use super::*;

/// One plugin whose request hook does this.
fn asking(does: Does) -> [Plan; 1] {
    [Plan { name: "a", request: does, ..PLAN }]
}

/// How long a request takes that comes to this refusal.
async fn refused(scene: &Scene, refusal: (u16, &str)) -> Duration {
    let begun = clock::now();
    let got = scene.ask(get()).await;
    assert_eq!(got.refusal(), refusal);
    clock::since(begun)
}

#[test]
fn where_one_refuses_the_next_one_answers() {
    paused(async {
        let scene = Scene::with(&three(|_| {}));
        scene.endpoints[0].dials(Dials::Refused);
        scene.endpoints[1].answers(Duration::ZERO, HI);
        let got = scene.ask(get()).await;
        assert_eq!((got.status(), &*got.body, scene.dialled()), (200, &b"hi"[..], [1, 1]));
        // Nobody of the chain is asked twice.
        assert!(scene.asked().starts_with("a.request b.request c.request c.response(200)"));
    });
}

#[test]
fn where_all_refuse_the_client_learns_that_they_did() {
    paused(async {
        let scene = Scene::with(&asking(Does::Forward));
        scene.endpoints.iter().for_each(|endpoint| endpoint.dials(Dials::Refused));
        assert_eq!(refused(&scene, (502, "connection_refused")).await, Duration::ZERO);
        assert_eq!(scene.dialled(), [1, 1]);
        assert!(scene.asked().contains("a.response(502) a.complete(502 connection_refused 0 "));
    });
}

#[test]
fn each_that_cannot_be_reached_takes_the_connect_timeout() {
    paused(async {
        let upstream = "timeouts = { connect = \"3s\" }";
        let scene = Setup { upstream, ..Setup::default() }.scene();
        scene.endpoints.iter().for_each(|endpoint| endpoint.dials(Dials::Never));
        assert_eq!(refused(&scene, (504, "connection_timeout")).await, 6 * SECOND);
        assert_eq!(scene.dialled(), [1, 1]);
    });
}

#[test]
fn where_every_connection_is_busy_the_client_is_told_so() {
    paused(async {
        let upstream =
            "timeouts = { connect = \"3s\" }\npool = { max_connections = 1 }\nretries = 0";
        let scene = Setup { upstream, ..Setup::default() }.scene();
        scene.endpoints.iter().for_each(|endpoint| endpoint.answers(60 * SECOND, HI));
        let waiting = async {
            settle().await;
            refused(&scene, (503, "connection_limit_reached")).await
        };
        // Both have one place each, which two others have.
        let (_, _, waited) = tokio::join!(scene.ask(get()), scene.ask(get()), waiting);
        assert_eq!(waited, 3 * SECOND);
    });
}

/// It may have acted on it: nobody else is asked.
#[test]
fn a_silent_endpoint_is_waited_for_as_long_as_its_upstream_says() {
    paused(async {
        let upstream = "timeouts = { first_byte = \"7s\" }";
        let scene =
            Setup { upstream, of_route: &asking(Does::Forward), ..Setup::default() }.scene();
        let silent = async {
            let (mut end, _) = scene.first_request().await;
            end.ended().await;
        };
        let (waited, ()) = tokio::join!(refused(&scene, (504, "http_response_timeout")), silent);
        assert_eq!((waited, scene.dialled()), (7 * SECOND, [1, 0]));
        assert!(scene.asked().contains("a.complete(504 http_response_timeout 0 "));
    });
}

#[test]
fn a_route_that_has_less_time_gives_its_endpoint_less() {
    paused(async {
        let (route, upstream) = ("timeout = \"5s\"", "timeouts = { first_byte = \"7s\" }");
        let scene = Setup { route, upstream, ..Setup::default() }.scene();
        scene.endpoints[0].answers(6 * SECOND, HI);
        assert_eq!(refused(&scene, (504, "http_response_timeout")).await, 5 * SECOND);
    });
}

/// Also where nobody has written it.
#[test]
fn no_route_waits_longer_than_a_minute_by_itself() {
    paused(async {
        let upstream = "timeouts = { first_byte = \"90s\" }";
        let scene = Setup { upstream, ..Setup::default() }.scene();
        scene.endpoints[0].answers(70 * SECOND, HI);
        assert_eq!(refused(&scene, (504, "http_response_timeout")).await, 60 * SECOND);
    });
}

/// Where an operator says how long an answer may take, nobody is tried behind it.
#[test]
fn a_written_time_is_over_while_an_endpoint_is_connected_to() {
    paused(async {
        let (route, upstream) = ("timeout = \"5s\"", "timeouts = { connect = \"30s\" }");
        let scene = Setup { route, upstream, ..Setup::default() }.scene();
        scene.endpoints.iter().for_each(|endpoint| endpoint.dials(Dials::Never));
        assert_eq!(refused(&scene, (504, "http_response_timeout")).await, 5 * SECOND);
        assert_eq!(scene.dialled(), [1, 0]);
    });
}

/// The time is the exchange's: what a hook takes of it is not there for the endpoint.
#[test]
fn a_hook_that_waits_takes_of_the_routes_time() {
    paused(async {
        let of_route = &asking(Does::Wait(3 * SECOND));
        let scene = Setup { route: "timeout = \"5s\"", of_route, ..Setup::default() }.scene();
        scene.endpoints[0].answers(SECOND, HI);
        scene.endpoints[1].answers(3 * SECOND, HI);
        let begun = clock::now();
        assert_eq!(scene.ask(get()).await.status(), 200);
        assert_eq!(clock::since(begun), 4 * SECOND);
        assert_eq!(refused(&scene, (504, "http_response_timeout")).await, 5 * SECOND);
    });
}

/// Not even one that may be skipped: there is no time left for an endpoint.
#[test]
fn a_hook_that_waits_in_vain_ends_with_the_routes_time() {
    paused(async {
        let mut plans = asking(Does::Hang);
        plans[0].on_failure = config::OnFailure::Skip;
        let scene =
            Setup { route: "timeout = \"5s\"", of_route: &plans, ..Setup::default() }.scene();
        assert_eq!(refused(&scene, (504, "http_response_timeout")).await, 5 * SECOND);
        assert_eq!(scene.dialled(), [0, 0]);
    });
}

/// The endpoint's idle timeout crossed the request: whose turn is next is asked on a new connection, unless
/// the first one may have acted on what must not come twice.
#[test]
fn a_connection_that_was_closed_meanwhile_is_no_answer() {
    paused(async {
        for (method, refusal) in [("GET", (200, "")), ("POST", (502, "connection_terminated"))] {
            let scene = Scene::with(&[]);
            // One answer on each connection, and the end for what is asked next.
            for endpoint in &scene.endpoints {
                endpoint.serve(|mut end| async move {
                    end.request().await;
                    end.say(HI).await;
                    end.request().await;
                });
            }
            for _ in 0..2 {
                assert_eq!(scene.ask(get()).await.status(), 200);
            }
            let got = scene.ask(request(method, "/a/b", &[], Body::Empty)).await;
            let fresh = usize::from(method == "GET");
            assert_eq!((got.refusal(), scene.dialled()), (refusal, [1, 1 + fresh]), "{method}");
        }
    });
}

#[test]
fn what_is_no_answer_is_not_passed_on() {
    paused(async {
        for (answer, error) in [
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
                "http_protocol_error",
            ),
            ("SSH-2.0-OpenSSH\r\n\r\n", "http_protocol_error"),
        ] {
            let scene = Scene::with(&asking(Does::Forward));
            scene.endpoints[0].serve(move |mut end| async move {
                end.request().await;
                end.say(answer).await;
                end.ended().await;
            });
            let got = scene.ask(get()).await;
            assert_eq!((got.refusal(), scene.dialled()), ((502, error), [1, 0]), "{answer}");
        }
    });
}

#[test]
fn where_a_client_goes_away_its_endpoints_connection_ends() {
    paused(async {
        let scene = Scene::with(&asking(Does::Forward));
        let asked = tokio::time::timeout(SECOND, scene.head(get())).await;
        assert!(asked.is_err());
        let (mut end, _) = scene.first_request().await;
        end.ended().await;
        // Its exchange went with it: there is nothing to show to a plugin.
        settle().await;
        assert_eq!(scene.asked(), "a.request");
        assert_eq!(scene.connection.activity.exchanges(), 0);
    });
}
