//! Heads and what plugins add to them.

use tokio::io::AsyncWriteExt;
use weir_tests::{Origin, Proxy, RawClient, guest, read_head, request};

use super::{MIB, Setup, config};

#[test]
fn what_no_head_can_hold_is_refused() {
    let setup = Setup::new("heads", "16MiB");
    for greed in ["header-value", "header-name", "method", "authority", "path"] {
        let answer = setup.ask(greed, 2 * MIB);
        assert_eq!(answer.header("x-out"), Some("SizeExceeded"), "{greed}: {answer:?}");
        assert_eq!(answer.status, 200);
    }
    setup.assert_ended("random", 65 << 10, "trap", "64 KiB of random bytes");
}

#[test]
fn a_head_as_long_as_it_may_come_has_room_for_what_plugins_add() {
    // Shows the head it got; the usual origin takes a hundred fields.
    let origin = Origin::raw(|mut stream| async move {
        let head = read_head(&mut stream).await;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", head.len());
        let _ = stream.write_all(&[answer.as_bytes(), &head].concat()).await;
    });
    let proxy = Proxy::start(&format!(
        r#"
        [server]
        workers = 1
        [listeners.web]
        bind = "127.0.0.1:0"
        [plugins.ids]
        component = "request-id"
        [plugins.secure]
        component = "security-headers"
        config = {{ preset = "strict" }}
        [plugins.more]
        component = "{}"
        grants = {{ store = true }}
        [routes.all]
        plugins = ["ids", "secure", "more"]
        upstream = "origin"
        [upstreams.origin]
        endpoints = ["{}"]
        "#,
        guest("greedy").display(),
        origin.url(),
    ));
    for fields in [90, 95, 96, 97, 98, 99] {
        let mut head =
            "GET / HTTP/1.1\r\nhost: a\r\nx-greed: add-fields\r\nx-count: 20\r\n".to_owned();
        for at in 3..fields {
            head += &format!("x-{at}: v\r\n");
        }
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(format!("{head}\r\n").as_bytes());
        let answer = client.answer();
        assert_eq!(answer.status, 200, "{fields} fields: {answer:?}");
        assert!(answer.header("x-request-id").is_some());
        assert!(answer.header("x-frame-options").is_some());
        assert!(answer.text().contains("x-added-19: v"), "{}", answer.text());
    }
}

#[test]
fn a_response_as_long_as_it_may_come_has_room_for_what_plugins_add() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let mut head = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n".to_owned();
        for at in 0..96 {
            head += &format!("x-{at}: v\r\n");
        }
        let _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
    });
    let toml = config(&origin, "responds", "");
    let bind = "bind = \"127.0.0.1:0\"";
    let toml = toml.replace(bind, &format!("{bind}\nmax_headers = 20"));
    let proxy = Proxy::start(&toml);
    let fields = [("x-greed", "response-fields")];
    let answer = request(proxy.address("web"), "GET", "/", &fields, b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-added-9"), Some("v"));
    assert_eq!(answer.header("x-95"), Some("v"));
}
