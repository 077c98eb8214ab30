//! The thinnest path through all floors: a socket, one Wasm plugin, one upstream, and back.

use weir_tests::{Origin, Proxy, get};

#[test]
fn a_request_goes_through_a_plugin_to_an_upstream_and_back() {
    let origin = Origin::echo();
    let proxy = Proxy::start(&format!(
        r#"
        [listeners.web]
        bind = "127.0.0.1:0"

        [plugins.mark]
        component = "headers"
        config = {{ request = {{ set = {{ x-seen = "{{client.address}}" }} }}, response = {{ set = {{ x-weir = "yes" }} }} }}

        [routes.all]
        match = {{ path = "/*" }}
        plugins = ["mark"]
        upstream = "origin"

        [upstreams.origin]
        endpoints = ["{}"]
        "#,
        origin.url()
    ));
    let answer = get(proxy.address("web"), "/a/b?c=d");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-weir"), Some("yes"));
    assert!(answer.text().starts_with("GET /a/b?c=d\n"), "{}", answer.text());
    assert_eq!(origin.last().headers["x-seen"], "127.0.0.1");
    assert_eq!(proxy.metric(r#"weir_requests_total{route="all",code="200"}"#), 1.0);
}
