//! Every behaviour of the conformance list, through the real proxy: what the origin saw, what the
//! client got, what log and metrics say.
//!
//! The tests are made from the list itself, so a behaviour without one cannot be.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::Full;
use weir_conformance::{
    BEHAVIOURS, Behaviour, CONFIGURE_ERROR, Got, Metric, Request, Values, foreach_behaviour,
};
use weir_tests::{Answer, Origin, Proxy, RawClient, guest, lines, wait_for_line};

macro_rules! through_the_proxy {
    ($id:ident) => {
        #[test]
        fn $id() {
            check(stringify!($id));
        }
    };
}

foreach_behaviour!(through_the_proxy);

#[test]
fn configure_error() {
    let error = Proxy::try_start(&config(
        &Origin::saying("never"),
        r#"config = { behaviour = "configure_error" }"#,
    ));
    let Err(error) = error else { panic!("the configuration is taken") };
    let text = error.to_string();
    assert!(text.contains(CONFIGURE_ERROR), "{text}");
    assert!(text.contains("weir.toml:7:1"), "the place of the table: {text}");
}

#[test]
fn the_configuration_names_a_behaviour_as_well() {
    let origin = Origin::saying("never");
    let proxy = Proxy::start(&config(&origin, r#"config = { behaviour = "reply" }"#));
    assert_eq!(weir_tests::get(proxy.address("web"), "/").status, 403);
}

/// One behaviour, on a proxy of its own.
fn check(id: &str) {
    let behaviour = find(id);
    let upstream = behaviour.upstream;
    let origin = Origin::answering(move |_| {
        let mut response = Response::new(Full::new(Bytes::from_static(upstream.body)));
        *response.status_mut() = http::StatusCode::from_u16(upstream.status).expect("a status");
        for (name, value) in upstream.fields {
            let value = HeaderValue::from_bytes(value).expect("a value");
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
        response
    });
    let proxy = Proxy::start(&config(&origin, "config = {}"));
    let mut client = RawClient::connect(proxy.address("web"));
    exchange(&mut client, behaviour, &origin);
    match id {
        // The first exchange gave its place back.
        "limiter_enter" => exchange(&mut client, behaviour, &origin),
        "error" => {
            let line = wait_for_line("conformance", |line| line.field("reason") == "error");
            assert!(line.message.contains("failed on purpose"), "{line:?}");
        }
        "trap" => {
            let after = find("request_header_missing");
            exchange(&mut client, after, &origin);
        }
        _ => {}
    }
    assert_logged(behaviour);
    for metric in behaviour.expect.metrics {
        assert_metric(&proxy, metric);
    }
}

fn find(id: &str) -> &'static Behaviour {
    BEHAVIOURS.iter().find(|known| known.id == id).expect("it is in the list")
}

fn config(origin: &Origin, plugin: &str) -> String {
    format!(
        r#"
        [listeners.web]
        bind = "127.0.0.1:0"
        [plugins.conformance]
        component = "{}"
        grants = {{ store = true }}
{plugin}
        [routes.conformance]
        match = {{ path = "/*" }}
        plugins = ["conformance"]
        upstream = "origin"
        [upstreams.origin]
        endpoints = ["{}"]
        "#,
        guest("conformance-guest").display(),
        origin.url(),
    )
}

/// Sends the behaviour's request, and compares what origin and client saw.
fn exchange(client: &mut RawClient, behaviour: &Behaviour, origin: &Origin) {
    let before = origin.seen().len();
    let sent = Instant::now();
    send(client, &behaviour.request, behaviour.id);
    let got = &behaviour.expect.client;
    let answer = client.try_answer(behaviour.request.method);
    let took = sent.elapsed();
    assert!(took < Duration::from_secs(15), "the answer is late, or the connection stays open");
    match answer {
        None => assert!(got.cut, "the answer is cut off"),
        Some(answer) => {
            assert!(!got.cut, "the body looks whole: {answer:?}");
            client_got(&answer, got);
            assert!(took >= Duration::from_millis(got.delay_millis), "after {took:?}");
        }
    }
    let seen = origin.seen().split_off(before);
    let Some(expected) = behaviour.expect.upstream else {
        assert!(seen.is_empty(), "the upstream was asked: {seen:?}");
        return;
    };
    let [seen] = seen.as_slice() else { panic!("the upstream was asked {} times", seen.len()) };
    assert_eq!((seen.method.as_str(), seen.target.as_str()), (expected.method, expected.target));
    assert_eq!(seen.headers.get("host").map(HeaderValue::as_bytes), Some(expected.host.as_bytes()));
    assert_eq!(seen.body, expected.body);
    fields(&seen.headers, expected.fields);
}

fn send(client: &mut RawClient, request: &Request, id: &str) {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
    head.extend_from_slice(format!("host: example.com\r\nx-behaviour: {id}\r\n").as_bytes());
    for (name, value) in request.fields {
        head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    let chunked = request.body.len() > 16;
    if chunked {
        head.extend_from_slice(b"transfer-encoding: chunked\r\n");
    } else if !request.body.is_empty() {
        head.extend_from_slice(format!("content-length: {}\r\n", request.body.len()).as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    client.send(&head);
    if !chunked {
        client.send(request.body);
        return;
    }
    for chunk in request.body.chunks(16) {
        client.send(format!("{:x}\r\n", chunk.len()).as_bytes());
        client.send(chunk);
        client.send(b"\r\n");
    }
    client.send(b"0\r\n\r\n");
}

fn client_got(answer: &Answer, got: &Got) {
    assert_eq!(answer.status, got.status, "{answer:?}");
    fields(&answer.headers, got.fields);
    if let Some(body) = got.body {
        assert_eq!(answer.text(), String::from_utf8_lossy(body));
    }
    if got.status == 500 {
        let status = answer.header("proxy-status");
        assert_eq!(status, Some("weir; error=proxy_internal_error"), "{answer:?}");
        assert!(!answer.text().contains("on purpose"), "the client learns why: {answer:?}");
    }
}

fn fields(headers: &HeaderMap, expected: &[Values]) {
    for (name, values) in expected {
        let found: Vec<&[u8]> = headers.get_all(*name).iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(found, *values, "{name}: {headers:?}");
    }
}

fn assert_logged(behaviour: &Behaviour) {
    for expected in behaviour.expect.log {
        let found = wait_for_line("conformance", |line| line.message == expected.message);
        assert_eq!(found.level, expected.level);
        assert_eq!(found.field("route"), "conformance");
        assert!(!found.field("request").is_empty(), "{found:?}");
        let fields: Vec<String> =
            expected.fields.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        assert_eq!(found.field("fields"), format!("{{{}}}", fields.join(" ")));
    }
    // In this order, though others may stand between.
    let all = lines("conformance");
    let place = |message| all.iter().position(|line| line.message == message);
    let places: Vec<_> = behaviour.expect.log.iter().map(|line| place(line.message)).collect();
    assert!(places.is_sorted(), "{places:?}");
}

/// A sample with exactly these labels, once it is there.
fn assert_metric(proxy: &Proxy, metric: &Metric) {
    let name = format!("weir_plugin_{}", metric.name);
    let series = if metric.kind == "histogram" { format!("{name}_sum") } else { name.clone() };
    let own = metric.labels.iter().map(|(name, value)| format!("{name}=\"{value}\""));
    let labels: BTreeSet<String> = own.chain(["plugin=\"conformance\"".to_owned()]).collect();
    let text = proxy.metrics();
    assert!(text.contains(&format!("# TYPE {name} {}\n", metric.kind)), "{text}");
    let sample = text.lines().find_map(|line| {
        let rest = line.strip_prefix(&series)?.strip_prefix('{')?;
        let (found, value) = rest.split_once("} ")?;
        let found: BTreeSet<String> = found.split(',').map(str::to_owned).collect();
        (found == labels).then(|| value.parse::<f64>().expect("a number"))
    });
    assert_eq!(sample, Some(metric.value), "{series} in\n{text}");
}
