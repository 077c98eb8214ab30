//! Which endpoint a request goes to: weights, load, health.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use weir_tests::{Certificates, Gate, Origin, Proxy, Setup, get, until};

#[test]
fn requests_are_shared_by_weight() {
    let (three, one) = (Origin::saying("3"), Origin::saying("1"));
    let toml = format!(
        "[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n[routes.all]\n\
         upstream = \"both\"\n[upstreams.both]\n\
         endpoints = [{{ url = {:?}, weight = 3 }}, {:?}]\n",
        three.url(),
        one.url()
    );
    let proxy = Proxy::start(
        &toml.replace(&format!("{:?}]", one.url()), &format!("{{ url = {:?} }}]", one.url())),
    );
    let answers: String = (0..40).map(|_| get(proxy.address("web"), "/").text()).collect();
    assert_eq!(answers.matches('3').count(), 30, "{answers}");
    // Smooth: never more than three in a row.
    assert!(!answers.contains("3333") && !answers.contains("11"), "{answers}");
}

#[test]
fn least_request_avoids_the_busy_endpoint() {
    let gate = Gate::default();
    let at = gate.clone();
    let busy = Origin::answering(move |_| {
        at.pass();
        Response::new(Full::new(Bytes::from_static(b"busy")))
    });
    let free = Origin::saying("free");
    let proxy = Setup::to(&busy).and(free.url()).upstream("balance = \"least-request\"").start();
    let address = proxy.address("web");
    let waiting: Vec<_> =
        (0..2).map(|_| std::thread::spawn(move || get(address, "/").text())).collect();
    // One of the two got the busy endpoint; every other request goes past it.
    gate.wait_for(1);
    // How many are in flight would not tell: one is, also before the second has come.
    until("the other one is answered", || waiting.iter().any(|thread| thread.is_finished()));
    for _ in 0..20 {
        assert_eq!(get(address, "/").text(), "free");
    }
    gate.open();
    let answers: Vec<_> =
        waiting.into_iter().map(|thread| thread.join().expect("answered")).collect();
    assert!(answers.contains(&"busy".to_owned()), "{answers:?}");
}

/// Healthy where the switch says so.
fn switched(name: &'static str) -> (Origin, Arc<AtomicBool>) {
    let healthy = Arc::new(AtomicBool::new(true));
    let switch = healthy.clone();
    let origin = Origin::answering(move |seen| {
        let mut response = Response::new(Full::new(Bytes::from_static(name.as_bytes())));
        if seen.target == "/health" && !switch.load(Ordering::Relaxed) {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    });
    (origin, healthy)
}

#[test]
fn an_endpoint_goes_out_and_comes_back_and_with_all_out_all_are_tried() {
    let ((one, one_is), (two, two_is)) = (switched("one"), switched("two"));
    let health = "health = { path = \"/health\", interval = \"50ms\", healthy = 2, unhealthy = 2 }";
    let proxy = Setup::to(&one).and(two.url()).upstream(health).start();
    let seen = || -> Vec<String> {
        let mut names: Vec<_> = (0..6).map(|_| get(proxy.address("web"), "/").text()).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let gauge = |origin: &Origin| {
        let address = origin.address();
        proxy
            .metric(&format!("weir_upstream_healthy{{upstream=\"origin\",endpoint=\"{address}\"}}"))
    };
    assert_eq!(seen(), ["one", "two"]);
    one_is.store(false, Ordering::Relaxed);
    until("one goes out", || gauge(&one) == 0.0);
    assert_eq!(seen(), ["two"]);
    two_is.store(false, Ordering::Relaxed);
    until("two goes out", || gauge(&two) == 0.0);
    assert_eq!(seen(), ["one", "two"], "with all out, all are tried");
    one_is.store(true, Ordering::Relaxed);
    until("one comes back", || gauge(&one) == 1.0);
    assert_eq!(seen(), ["one"]);
    two_is.store(true, Ordering::Relaxed);
    until("two comes back", || gauge(&two) == 1.0);
    assert_eq!(seen(), ["one", "two"]);
}

/// What is known of an endpoint outlives a reload.
#[test]
fn a_reload_forgets_no_health() {
    let ((one, one_is), (two, _)) = (switched("one"), switched("two"));
    let health = "health = { path = \"/health\", interval = \"50ms\", unhealthy = 1 }";
    let setup = Setup::to(&one).and(two.url()).upstream(health);
    let proxy = setup.start();
    one_is.store(false, Ordering::Relaxed);
    until("one goes out", || (0..4).all(|_| get(proxy.address("web"), "/").text() == "two"));
    let slower = setup.toml().replace("50ms", "1h");
    proxy.reload(&slower).expect("a good configuration");
    for _ in 0..6 {
        assert_eq!(get(proxy.address("web"), "/").text(), "two");
    }
}

/// A name-based virtual host answers a check as it answers the traffic.
#[test]
fn a_check_asks_for_the_host_that_traffic_asks_for() {
    for (upstream, health, route, h2) in [
        ("host = \"app.example\"", "", "", false),
        ("host = \"app.example\"", "", "", true),
        ("", ", host = \"app.example\"", "", false),
        ("", "", "match = { host = \"app.example\" }", false),
    ] {
        let answer = |seen: &weir_tests::Seen| {
            let host = seen.headers.get("host").and_then(|host| host.to_str().ok());
            let known =
                host == Some("app.example") || seen.target.starts_with("http://app.example/");
            let mut response = Response::new(Full::new(Bytes::from_static(b"app")));
            if !known {
                *response.status_mut() = StatusCode::NOT_FOUND;
            }
            response
        };
        let origin = if h2 { Origin::h2c(answer) } else { Origin::answering(answer) };
        let checks = format!(
            "health = {{ path = \"/health\", interval = \"50ms\", unhealthy = 1, healthy = 1{health} }}"
        );
        let protocol = if h2 { "protocol = \"http2\"" } else { "" };
        let setup = Setup::to(&origin).upstream(upstream).upstream(&checks).upstream(protocol);
        let proxy = setup.route(route).start();
        until("it was asked", || origin.seen().len() >= 3);
        let series = format!(
            "weir_upstream_healthy{{upstream=\"origin\",endpoint=\"{}\"}}",
            origin.address()
        );
        assert_eq!(proxy.metric(&series), 1.0, "{upstream} {health} {route} {h2}");
    }
}

/// Where nothing else says which host that is, it is the one whose certificate the endpoint shows.
#[test]
fn a_check_asks_for_the_name_of_the_certificate() {
    let certificates = Certificates::for_names(&["app.example"]);
    let health = "health = { path = \"/health\", interval = \"50ms\" }";
    for (host, asked) in [("", "app.example"), ("host = \"other.example\"", "other.example")] {
        let say = |_: &weir_tests::Seen| Response::new(Full::default());
        let origin = Origin::tls(&certificates, false, say);
        let tls =
            format!("tls = {{ ca = {:?}, server_name = \"app.example\" }}", certificates.ca());
        let setup = Setup::to_url(origin.url().replace("http:", "https:"));
        let _proxy = setup.upstream(host).upstream(health).upstream(&tls).start();
        until("it was asked", || !origin.seen().is_empty());
        assert_eq!(origin.last().headers["host"], asked);
    }
}
