//! What calls of plugins may take: of endpoints, of time, of instances, of the quota; and that each is counted.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use weir_tests::{Answer, Origin, Proxy, RawClient, guest, request, until};

use super::silent;

/// One plugin `calling` with these limits, granted both upstreams, in front of one that echoes.
fn start(limits: &str, echo: &Origin, users: &Origin, silent: &Origin) -> Proxy {
    Proxy::start(&format!(
        "[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n\
         [plugins.calling]\ncomponent = {:?}\nlimits = {{ {limits} }}\n\
         grants = {{ http = [\"upstream://users\", \"upstream://silent\"] }}\n\
         [routes.all]\nupstream = \"echo\"\nplugins = [\"calling\"]\ntimeout = \"20s\"\n\
         [upstreams]\necho.endpoints = [{:?}]\nusers.endpoints = [{:?}]\nsilent.endpoints = [{:?}]\n",
        guest("calling"),
        echo.url(),
        users.url(),
        silent.url(),
    ))
}

fn ask(address: SocketAddr, fields: &[(&str, &str)]) -> Answer {
    request(address, "GET", "/", fields, b"")
}

/// An endpoint may end a connection that others share for a head beyond what it takes.
#[test]
fn a_head_has_one_bound_for_all_its_parts() {
    let (echo, users, silent) = (Origin::echo(), super::users(), silent());
    let proxy = start("", &echo, &users, &silent);
    for (pad, value, expected) in [
        ("14000", "14000", "200 0 users, again"),
        ("20000", "0", "200 0 users, again"),
        ("0", "20000", "200 0 users, again"),
        ("20000", "20000", "invalid"),
        ("40000", "0", "invalid"),
        ("0", "40000", "invalid"),
    ] {
        let call = [("x-call", "upstream://users/"), ("x-pad", pad), ("x-value", value)];
        assert_eq!(ask(proxy.address("web"), &call).status, 200);
        assert_eq!(echo.last().headers["x-came"], expected, "{pad} {value}");
    }
}

/// A response hook has what is left of the exchange's time, or `limits.wait`; a completion hook that, and so does
/// each call of a transform.
#[test]
fn a_hook_waits_no_longer_than_its_limit_where_no_exchange_bounds_it() {
    let (echo, users, silent) = (Origin::echo(), super::users(), silent());
    let proxy = start("wait = \"300ms\"", &echo, &users, &silent);
    let address = proxy.address("web");
    let calls = "upstream://silent/";
    let started = Instant::now();
    assert_eq!(ask(address, &[("x-call-late", calls), ("x-timeout", "30000")]).status, 200);
    let series = r#"weir_plugin_outbound_total{plugin="calling",outcome="timeout"}"#;
    until("it is over", || proxy.metric(series) >= 1.0);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let rewrite = [("x-rewrite", calls), ("x-timeout", "30000")];
    let started = Instant::now();
    let answer = request(address, "POST", "/", &rewrite, b"a body");
    assert_ne!(answer.status, 200, "the transform failed");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// Nobody waits for them, so they keep nobody waiting.
#[test]
fn completion_hooks_that_wait_leave_half_of_the_instances_to_others() {
    let (echo, users, silent) = (Origin::echo(), super::users(), silent());
    let proxy = start("instances = 4, wait = \"10s\"", &echo, &users, &silent);
    let address = proxy.address("web");
    for last in 1..=12 {
        let mut client = RawClient::connect_from([127, 0, 0, last], address);
        client.send(
            b"GET / HTTP/1.1\r\nhost: a\r\nx-call-late: upstream://silent/\r\nx-timeout: 8000\r\n\r\n",
        );
        assert_eq!(client.answer().status, 200);
    }
    until("some wait", || silent.connections() >= 2);
    let started = Instant::now();
    assert_eq!(ask(address, &[("x-call", "upstream://users/")]).status, 200);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(silent.connections(), 2);
}

#[test]
fn what_a_transform_has_of_its_calls_is_in_its_clients_share() {
    let echo = Origin::echo();
    let (users, silent) =
        (Origin::saying(Box::leak("x".repeat(150 << 10).into_boxed_str())), silent());
    let proxy = start("quota = \"1MiB\"", &echo, &users, &silent);
    let address = proxy.address("web");
    let mut others: Vec<RawClient> = Vec::new();
    for _ in 0..12 {
        let mut client = RawClient::connect_from([127, 0, 1, 1], address);
        client.send(
            b"POST / HTTP/1.1\r\nhost: a\r\nx-rewrite: upstream://users/ upstream://silent/\r\n\
              content-length: 3\r\n\r\nabc",
        );
        others.push(client);
    }
    until("they wait", || silent.connections() > 0);
    let mut client = RawClient::connect_from([127, 0, 1, 2], address);
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\nx-call: upstream://users/\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn calls_that_are_given_up_are_counted() {
    let (echo, users, silent) = (Origin::echo(), super::users(), silent());
    let proxy = start("", &echo, &users, &silent);
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(
        b"GET / HTTP/1.1\r\nhost: a\r\nx-call: upstream://silent/ upstream://silent/\r\n\r\n",
    );
    until("both are made", || silent.connections() == 2);
    client.reset();
    let series = r#"weir_plugin_outbound_total{plugin="calling",outcome="given-up"}"#;
    until("both are counted", || proxy.metric(series) >= 2.0);
}

#[test]
fn a_protocol_that_nobody_asked_for_is_no_answer() {
    let (echo, silent) = (Origin::echo(), silent());
    let switches = Origin::replying(
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
    );
    let proxy = start("", &echo, &switches, &silent);
    assert_eq!(ask(proxy.address("web"), &[("x-call", "upstream://users/")]).status, 200);
    assert_eq!(echo.last().headers["x-came"], "broken");
}
