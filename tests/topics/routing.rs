//! Routes through the whole proxy: precedence, matches, weights.

use std::collections::HashMap;

use weir_tests::{Origin, Proxy, Setup, request};

/// A route for each name, answered by a mock that says the name.
fn naming(routes: &[(&str, &str)]) -> Proxy {
    let mut toml = String::from("[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n");
    for (name, lines) in routes {
        toml += &format!(
            "[plugins.say-{name}]\ncomponent = \"mock\"\nconfig = {{ body = {name:?} }}\n\
             [routes.{name}]\nplugins = [\"say-{name}\"]\n{lines}\n"
        );
    }
    Proxy::start(&toml)
}

#[test]
fn the_most_specific_route_wins() {
    let proxy = naming(&[
        ("any", ""),
        ("suffix", "match = { host = \"*.example.com\" }"),
        ("host", "match = { host = \"a.example.com\" }"),
        ("exact", "match = { path = \"/a/b\" }"),
        ("longer", "match = { path = \"/a/b/*\" }"),
        ("shorter", "match = { path = \"/a/*\" }"),
        ("segments", "match = { path = { prefix = \"/s\" } }"),
        ("regex", "match = { path = { regex = \"/r/[0-9]+\" } }"),
        ("method", "match = { path = \"/m\", methods = [\"POST\", \"PUT\"] }"),
        ("path", "match = { path = \"/m\" }"),
        ("header", "match = { path = \"/m\", headers = { x-beta = \"1\" } }"),
        ("query", "match = { path = \"/m\", query = { v = \"2\" } }"),
        ("first", "match = { path = \"/first/*\" }\npriority = 10"),
        ("beaten", "match = { path = \"/first/exact\" }"),
    ]);
    for (method, host, target, fields, name) in [
        ("GET", "x", "/", &[][..], "any"),
        ("GET", "b.example.com", "/", &[], "suffix"),
        ("GET", "b.c.example.com", "/", &[], "suffix"),
        ("GET", "example.com", "/", &[], "any"),
        ("GET", "a.example.com", "/", &[], "host"),
        ("GET", "a.example.com", "/a/b", &[], "host"),
        ("GET", "x", "/a/b", &[], "exact"),
        ("GET", "x", "/a/b?c", &[], "exact"),
        ("GET", "x", "/a/b/", &[], "longer"),
        ("GET", "x", "/a/b/c", &[], "longer"),
        ("GET", "x", "/a/c", &[], "shorter"),
        ("GET", "x", "/a", &[], "any"),
        ("GET", "x", "/s", &[], "segments"),
        ("GET", "x", "/s/t", &[], "segments"),
        ("GET", "x", "/st", &[], "any"),
        ("GET", "x", "/r/12", &[], "regex"),
        ("GET", "x", "/r/12/x", &[], "any"),
        ("GET", "x", "/m", &[], "path"),
        ("POST", "x", "/m", &[], "method"),
        ("GET", "x", "/m", &[("x-beta", "1")], "header"),
        ("GET", "x", "/m", &[("x-beta", "2")], "path"),
        ("GET", "x", "/m?v=2", &[], "query"),
        ("GET", "x", "/m?v=2&w", &[("x-beta", "1")], "header"),
        ("GET", "x", "/first/exact", &[], "first"),
    ] {
        let fields = [&[("host", host)], fields].concat();
        let answer = request(proxy.address("web"), method, target, &fields, b"");
        assert_eq!(answer.text(), name, "{method} {host} {target} {fields:?}");
    }
}

#[test]
fn a_route_shares_its_requests_by_weight() {
    let (nine, one) = (Origin::saying("nine"), Origin::saying("one"));
    let toml = format!(
        "[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n\
         [routes.all]\nupstream = [{{ to = \"nine\", weight = 9 }}, {{ to = \"one\" }}, \
         {{ to = \"none\", weight = 0 }}]\n\
         [upstreams.nine]\nendpoints = [{:?}]\n[upstreams.one]\nendpoints = [{:?}]\n\
         [upstreams.none]\nendpoints = [\"http://127.0.0.1:1\"]\n",
        nine.url(),
        one.url()
    );
    let proxy = Proxy::start(&toml);
    let mut counts: HashMap<String, usize> = HashMap::new();
    for _ in 0..100 {
        let answer = request(proxy.address("web"), "GET", "/", &[], b"");
        *counts.entry(answer.text()).or_default() += 1;
    }
    assert_eq!(counts, HashMap::from([("nine".to_owned(), 90), ("one".to_owned(), 10)]));
}

#[test]
fn a_route_can_belong_to_one_listener() {
    let origin = Origin::saying("inside");
    let toml = Setup::to(&origin).route("listeners = [\"inner\"]").toml()
        + "[listeners.inner]\nbind = \"127.0.0.2:0\"\n";
    let proxy = Proxy::start(&toml);
    assert_eq!(request(proxy.address("inner"), "GET", "/", &[], b"").text(), "inside");
    assert_eq!(request(proxy.address("web"), "GET", "/", &[], b"").status, 404);
}
