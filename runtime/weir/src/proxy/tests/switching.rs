//! What clients ask the proxy itself for: to be asked for a body, and to switch protocols.

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::*;
use crate::upstream::sample::piped::piped;

const EXPECTS: &[(&str, &str)] = &[("content-length", "3"), ("expect", "100-continue")];

/// A request whose body waits to be asked for, played by an endpoint that says this so long after its
/// head. Gives the answer, and when the body came; none: it did not.
async fn expecting(says: Option<(Duration, &str)>) -> (Scene, Got, Option<Duration>) {
    let scene = Setup::default().scene();
    let (write, body) = piped();
    write.data("123");
    drop(write);
    let begun = clock::now();
    let playing = async {
        let mut end = scene.endpoints[0].accept().await;
        let head = end.head().await.expect("a head").to_ascii_lowercase();
        assert!(head.contains("expect: 100-continue"), "{head}");
        if let Some((after, answer)) = says {
            tokio::time::sleep(after).await;
            end.say(answer).await;
        }
        let came = end.bytes(3).await.map(|_| clock::since(begun))?;
        end.say(HI).await;
        Some(came)
    };
    let request = request("POST", "/a/b", EXPECTS, body);
    let (got, came) = tokio::join!(scene.ask(request), playing);
    (scene, got, came)
}

#[test]
fn a_body_that_waits_to_be_asked_for_comes_when_it_is() {
    paused(async {
        let after = Duration::from_millis(300);
        let (_, got, came) = expecting(Some((after, "HTTP/1.1 100 Continue\r\n\r\n"))).await;
        assert_eq!((got.status(), came), (200, Some(after)));
    });
}

/// Some endpoints do not know of it (RFC 9110, 10.1.1).
#[test]
fn who_does_not_ask_gets_it_all_the_same_after_a_second() {
    paused(async {
        let (_, got, came) = expecting(None).await;
        assert_eq!((got.status(), came), (200, Some(SECOND)));
    });
}

/// It was never asked for, so the client may keep it: the connection ends with the answer.
#[test]
fn who_does_not_want_it_never_gets_it() {
    paused(async {
        let after = Duration::from_millis(300);
        let answer = "HTTP/1.1 417 No\r\ncontent-length: 0\r\n\r\n";
        let (scene, got, came) = expecting(Some((after, answer))).await;
        assert_eq!((got.status(), came), (417, None));
        assert_eq!((got.field("connection"), scene.dialled()), ("close", [1, 0]));
    });
}

/// Nothing a client asked for: what comes next would be no HTTP.
#[test]
fn a_switch_that_nobody_offered_is_refused() {
    let offer: &[_] = &[("connection", "upgrade"), ("upgrade", "websocket")];
    paused(async {
        for (fields, chosen, offered) in
            [(&[][..], "websocket", None), (offer, "other", Some("upgrade: websocket"))]
        {
            let plans = [Plan { name: "a", ..PLAN }];
            let scene = Scene::with(&plans);
            let asking = scene.ask(request("GET", "/a/b", fields, Body::Empty));
            let (got, (mut end, head)) = tokio::join!(asking, async {
                let (mut end, head) = scene.first_request().await;
                let answer = "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: ";
                end.say(&format!("{answer}{chosen}\r\n\r\n")).await;
                (end, head.to_ascii_lowercase())
            });
            let said = head.lines().find(|line| line.starts_with("upgrade:"));
            assert_eq!(said, offered, "{head}");
            assert_eq!(got.refusal(), (502, "http_upgrade_failed"));
            assert_eq!([got.field("upgrade"), got.field("x-a")], ["", "seen"]);
            end.ended().await;
            assert!(scene.asked().contains("a.complete(502 http_upgrade_failed 0 "));
            assert_eq!(scene.dialled(), [1, 0], "whoever switched may have acted on it");
        }
    });
}

/// The client's end of a connection that a codec reads: only that hands over the stream after a 101.
fn client(scene: &Scene) -> End {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let (worker, connection) = (scene.worker.clone(), scene.connection.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        serve(&worker, &connection, request.map(Body::of_client), upgrade)
    });
    let serving = http1::Builder::new().serve_connection(TokioIo::new(ours), service);
    spawn_local(serving.with_upgrades());
    End::of(theirs)
}

/// A client whose switch an endpoint agreed to, and both ends of the tunnel.
async fn switched(scene: &Scene) -> (End, End) {
    let mut client = client(scene);
    let fields = "host: example.com\r\nconnection: upgrade\r\nupgrade: x";
    client.say(&format!("GET /a/b HTTP/1.1\r\n{fields}\r\n\r\n")).await;
    let (mut end, _) = scene.first_request().await;
    let agreed = "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nahead";
    end.say(agreed).await;
    let head = client.head().await.expect("a head").to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 ") && head.contains("upgrade: x"), "{head}");
    assert_eq!(client.bytes(5).await.expect("what came with it"), "ahead");
    (client, end)
}

/// However long nothing is said; what went through is told when it is over.
#[test]
fn a_switch_joins_both_streams_until_both_have_closed() {
    paused(async {
        let route = "timeout = \"5s\"";
        let of_route = &[Plan { name: "a", ..PLAN }];
        let scene = Setup { route, of_route, ..Setup::default() }.scene();
        let (mut client, mut end) = switched(&scene).await;
        sleep(24 * 600 * SECOND).await;
        client.say("ping").await;
        assert_eq!(end.bytes(4).await.expect("a tunnel"), "ping");
        end.say("pong").await;
        assert_eq!(client.bytes(4).await.expect("a tunnel"), "pong");
        assert_eq!(scene.asked(), "a.request a.response(101)");
        drop(end);
        client.ended().await;
        drop(client);
        settle().await;
        assert_eq!(scene.asked(), "a.complete(101 - 4 9)");
    });
}

/// A side that has closed waits for the other one's last words, and not for ever.
#[test]
fn a_tunnel_with_one_side_closed_ends_when_the_other_keeps_silent() {
    paused(async {
        let listener = "body_timeout = \"10s\"";
        let of_route = &[Plan { name: "a", ..PLAN }];
        let scene = Setup { listener, of_route, ..Setup::default() }.scene();
        let (mut client, mut end) = switched(&scene).await;
        client.close().await;
        sleep(6 * SECOND).await;
        end.say("still").await;
        assert_eq!(client.bytes(5).await.expect("half of it is open"), "still");
        let begun = clock::now();
        client.ended().await;
        assert_eq!(clock::since(begun), 10 * SECOND);
        settle().await;
        assert!(scene.asked().ends_with("a.complete(101 - 0 10)"));
    });
}
