//! What clients ask the proxy itself for: to be asked for a body, and to switch protocols.

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
