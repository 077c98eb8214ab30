use weir_sdk::serde_json::{Value, json};
use weir_sdk::testing::{self, FakeRequest, request, response};

use super::Cors;

fn proxy(config: Value) -> testing::Plugin<Cors> {
    testing::Plugin::configure(config).unwrap()
}

fn preflight(origin: &str) -> FakeRequest {
    request("OPTIONS", "/")
        .header("origin", origin)
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "authorization,x-a")
}

/// Every field that cors cares about, as `name: value` lines.
fn fields(config: &Value, request: FakeRequest, upstream: testing::FakeResponse) -> Vec<String> {
    let exchange = proxy(config.clone()).exchange(request, upstream);
    let answer = exchange.response();
    let mut out = vec![answer.status().to_string()];
    for name in [
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "access-control-expose-headers",
        "access-control-max-age",
        "access-control-allow-private-network",
        "vary",
    ] {
        for value in answer.header_values(name) {
            let name = name.trim_start_matches("access-control-");
            out.push(format!("{name}: {}", value.as_str().unwrap()));
        }
    }
    out
}

#[test]
fn responses_say_who_may_read_them() {
    let any = json!({ "allow_origins": ["*"], "expose_headers": ["x-a", "x-b"] });
    let one = json!({ "allow_origins": ["https://a.example"] });
    let several = json!({
        "allow_origins": ["https://a.example", "https://b.example"],
        "allow_credentials": true, "expose_headers": ["x-a"],
    });
    let plain = json!({ "allow_origins": ["https://a.example", "https://b.example"] });
    let get = || request("GET", "/");
    let a = || get().header("origin", "https://a.example");
    let evil = || get().header("origin", "https://evil.example");
    let ok = || response(200);
    let eager = || {
        response(200)
            .header("access-control-allow-origin", "*")
            .header("access-control-allow-credentials", "true")
            .header("vary", "Accept")
    };
    let expose = "expose-headers: x-a, x-b";
    let cases: Vec<(&Value, FakeRequest, testing::FakeResponse, Vec<&str>)> = vec![
        (&any, get(), ok(), vec!["200", "allow-origin: *", expose]),
        (&any, a(), ok(), vec!["200", "allow-origin: *", expose]),
        (&one, get(), ok(), vec!["200", "allow-origin: https://a.example"]),
        (&one, a(), eager(), vec!["200", "allow-origin: https://a.example", "vary: Accept"]),
        (&one, evil(), ok(), vec!["200", "allow-origin: https://a.example"]),
        (&several, get(), ok(), vec!["200", "vary: Origin"]),
        (
            &several,
            a(),
            ok(),
            vec![
                "200",
                "allow-origin: https://a.example",
                "allow-credentials: true",
                "expose-headers: x-a",
                "vary: Origin",
            ],
        ),
        (
            &several,
            evil(),
            eager(),
            vec!["200", "allow-credentials: true", "vary: Accept", "vary: Origin"],
        ),
        (
            &plain,
            a(),
            eager(),
            vec!["200", "allow-origin: https://a.example", "vary: Accept", "vary: Origin"],
        ),
        (
            &plain,
            a(),
            response(502),
            vec!["502", "allow-origin: https://a.example", "vary: Origin"],
        ),
    ];
    for (config, request, upstream, expected) in cases {
        let text = format!("{config} {request:?}");
        assert_eq!(fields(config, request, upstream), expected, "{text}");
    }
}

#[test]
fn preflights_are_answered_without_the_upstream() {
    let strict = json!({ "allow_origins": ["https://a.example"] });
    let lists = json!({
        "allow_origins": ["https://a.example", "https://b.example"],
        "allow_methods": ["GET", "PUT"], "allow_headers": ["content-type", "x-a"],
        "allow_credentials": true, "max_age": "1h",
    });
    let open = json!({
        "allow_origins": ["*"], "allow_methods": ["*"], "allow_headers": ["*"],
        "private_network": true, "max_age": "0s",
    });
    let private = "access-control-request-private-network";
    for (config, request, expected) in [
        (
            &strict,
            preflight("https://a.example"),
            vec!["204", "allow-origin: https://a.example", "allow-methods: GET, HEAD, POST"],
        ),
        (&strict, preflight("https://b.example"), vec!["403", "allow-origin: https://a.example"]),
        (
            &lists,
            preflight("https://b.example"),
            vec![
                "204",
                "allow-origin: https://b.example",
                "allow-credentials: true",
                "allow-methods: GET, PUT",
                "allow-headers: content-type, x-a",
                "max-age: 3600",
                "vary: Origin",
            ],
        ),
        (&lists, preflight("https://c.example"), vec!["403", "vary: Origin"]),
        (&lists, preflight("null"), vec!["403", "vary: Origin"]),
        (
            &open,
            preflight("https://c.example").header(private, "true"),
            vec![
                "204",
                "allow-origin: *",
                "allow-methods: PUT",
                "allow-headers: authorization,x-a",
                "max-age: 0",
                "allow-private-network: true",
                "vary: Access-Control-Request-Method, Access-Control-Request-Headers, \
                 Access-Control-Request-Private-Network",
            ],
        ),
        (
            &open,
            preflight("null"),
            vec![
                "204",
                "allow-origin: *",
                "allow-methods: PUT",
                "allow-headers: authorization,x-a",
                "max-age: 0",
                "vary: Access-Control-Request-Method, Access-Control-Request-Headers, \
                 Access-Control-Request-Private-Network",
            ],
        ),
    ] {
        let text = format!("{config} {request:?}");
        assert_eq!(fields(config, request, response(599)), expected, "{text}");
    }
}

#[test]
fn other_requests_go_to_the_upstream() {
    let origin = "https://a.example";
    for request in [
        request("OPTIONS", "/"),
        request("OPTIONS", "/").header("origin", origin),
        request("OPTIONS", "/").header("access-control-request-method", "PUT"),
        request("GET", "/").header("origin", origin).header("access-control-request-method", "PUT"),
        request("GET", "/"),
    ] {
        let config = json!({ "allow_origins": [origin] });
        assert!(proxy(config).request(request).is_forwarded());
    }
}

#[test]
fn what_is_echoed_is_a_list_of_names() {
    let config = json!({ "allow_origins": ["*"], "allow_methods": ["*"], "allow_headers": ["*"] });
    let request = request("OPTIONS", "/")
        .header("origin", "https://a.example")
        .header("access-control-request-method", "P\"UT")
        .header("access-control-request-headers", b"x-a\xff");
    let found = fields(&config, request, response(200));
    let vary = "vary: Access-Control-Request-Method, Access-Control-Request-Headers";
    assert_eq!(found, ["204", "allow-origin: *", vary]);
}

/// A list is all of its lines, and two origins are none.
#[test]
fn a_field_of_several_lines_is_looked_at_as_a_whole() {
    let config = json!({ "allow_origins": ["https://*.example"], "allow_headers": ["*"] });
    let asked = "access-control-request-headers";
    let request = preflight("https://a.example").header(asked, "").header(asked, "x-b");
    let found = fields(&config, request, response(200));
    assert!(found.contains(&"allow-headers: authorization,x-a, x-b".to_owned()), "{found:?}");
    let two = preflight("https://a.example").header("origin", "https://b.example");
    assert_eq!(fields(&config, two, response(200)), ["403", "vary: Origin"]);
}

#[test]
fn origins_match_as_a_whole() {
    let exact = json!(["https://a.example", "https://b.example", "null"]);
    let star = json!(["https://*.example.com"]);
    let port = json!(["http://localhost:*"]);
    let both = json!(["https://*.example.com:8443"]);
    let regex = json!([{ "regex": "https://(app|api)[0-9]\\.example\\.com" }, "https://c.example"]);
    let any = json!([{ "regex": "https://a*\\.example" }, "https://*.b.example"]);
    let long = |length: usize, end: &str| {
        format!("https://{}{end}", "a".repeat(length - "https://".len() - end.len()))
    };
    let (longest, longer) = (long(512, ".example"), long(513, ".example"));
    let (longest_star, longer_star) = (long(512, ".b.example"), long(513, ".b.example"));
    for (origins, origin, expected) in [
        (&exact, "https://a.example", true),
        (&exact, "https://A.example", false),
        (&exact, "http://a.example", false),
        (&exact, "https://a.example:8443", false),
        (&exact, "https://a.example.evil", false),
        (&exact, "https://a.exampl", false),
        (&exact, "null", true),
        (&exact, "", false),
        (&star, "https://app.example.com", true),
        (&star, "https://a.b.example.com", true),
        (&star, "https://.example.com", false),
        (&star, "https://example.com", false),
        (&star, "https://evil-example.com", false),
        (&star, "https://evil.com/.example.com", false),
        (&star, "https://evil.com#.example.com", false),
        (&star, "https://evil.com:1.example.com", false),
        (&star, "https://a@b.example.com", false),
        (&star, "https://app.example.com.evil", false),
        (&star, "https://app.example.com:8443", false),
        (&star, "http://app.example.com", false),
        (&port, "http://localhost:3000", true),
        (&port, "http://localhost:", false),
        (&port, "http://localhost", false),
        (&port, "http://localhost:3000.evil", false),
        (&both, "https://app.example.com:8443", true),
        (&both, "https://app.example.com", false),
        (&regex, "https://app1.example.com", true),
        (&regex, "https://api2.example.com", true),
        (&regex, "https://api2.example.com.evil", false),
        (&regex, "xhttps://api2.example.com", false),
        (&regex, "https://api22.example.com", false),
        (&regex, "https://c.example", true),
        // No browser has a longer one.
        (&any, longest.as_str(), true),
        (&any, longer.as_str(), false),
        (&any, longest_star.as_str(), true),
        (&any, longer_star.as_str(), false),
    ] {
        let exchange = proxy(json!({ "allow_origins": origins }))
            .exchange(request("GET", "/").header("origin", origin), response(200));
        let answer = exchange.response();
        let allowed = answer.header("access-control-allow-origin") == Some(origin);
        assert_eq!(allowed, expected, "{origins} {origin}");
    }
}

/// However many regular expressions there are, an origin is bounded in what it costs.
#[test]
fn what_regular_expressions_cost_together_is_bounded() {
    let configure = |regexes: &[&str]| {
        let all: Vec<Value> = regexes.iter().map(|regex| json!({ "regex": regex })).collect();
        let made = testing::Plugin::<Cors>::configure(json!({ "allow_origins": all }));
        made.err().map(|error| error.to_string())
    };
    let of = |count: usize| format!("(?:a?){{{count}}}b");
    let most = (0..12).rev().map(|bit| 1 << bit).fold(0, |most, step| {
        if configure(&[&of(most + step)]).is_none() { most + step } else { most }
    });
    assert!((100..2000).contains(&most), "{most}");
    // Two of these have room, three have not.
    let part = of(most * 2 / 5);
    assert_eq!(configure(&[&part, &part]), None);
    let error = configure(&[&part, &part, &part]).unwrap();
    assert!(error.starts_with("allow_origins[2].regex: the pattern is too large"), "{error}");
    assert!(error.contains("together with those before it: a text of 512 bytes"), "{error}");
    for large in ["(?:[a-z]{0,60}[0-9]{0,60}){1,20}x", "(?:a*){2716}b", "a{1500}"] {
        let error = configure(&[large]).unwrap_or_else(|| panic!("accepted {large}"));
        assert!(error.contains("is too large: a text of 512 bytes would take too long"), "{error}");
    }
    // What people write, and as many as they have.
    let label = "https://[a-z0-9-]{1,63}\\.example\\.com";
    let one_of = "https://(?:app|api|www|admin|staging|preview)(?:-[a-z0-9]+)?\\.example\\.(?:com|net|org)(?::[0-9]+)?";
    assert_eq!(configure(&[label, label, one_of, one_of, one_of, one_of]), None);
    // By itself each has to be one: this would let in whatever begins with `https://a`.
    let error = configure(&["https://a)|(?:b"]).unwrap();
    assert!(error.contains("is no regular expression"), "{error}");
}

#[test]
fn a_wrong_configuration_says_what_to_write() {
    let with = |key: &str, value: Value| {
        let mut config = json!({ "allow_origins": ["https://a.example"] });
        config[key] = value;
        config
    };
    let origin = |text: &str| json!({ "allow_origins": [text] });
    for (config, says) in [
        (json!({}), "missing field `allow_origins`"),
        (json!({ "allow_origins": [] }), "allow_origins: it is empty"),
        (origin("a.example"), "write scheme and host"),
        (origin("https://a.example/"), "not even a slash"),
        (origin("https://A.example"), "lower-case"),
        (origin("https://a.example:443"), "own port is left out"),
        (origin("http://a.example:80"), "own port is left out"),
        (origin("https://bücher.example"), "xn--"),
        (origin("https://*example.com"), "whole labels"),
        (origin("https://*"), "whole labels"),
        (origin("https://a.*.com"), "whole labels"),
        (origin("https://*.*.com"), "one star"),
        (origin("*://a.example"), "one star"),
        (origin("http://a.example:3*"), "whole port"),
        (origin(&format!("https://{}.example", "a".repeat(512))), "253 bytes at most"),
        (json!({ "allow_origins": ["*", "https://a.example"] }), "nothing else is needed"),
        (json!({ "allow_origins": [{ "regex": "(" }] }), "allow_origins[0].regex: `(` is no"),
        (json!({ "allow_origins": ["*"], "allow_credentials": true }), "name the origins"),
        (
            json!({ "allow_origins": ["https://a.example", "b", "c"], "expose_headers": ["a b"] }),
            "allow_origins[1]: `b` is never sent by a browser; write scheme and host, such as \
             \"https://app.example.com\"\nallow_origins[2]: `c`",
        ),
        (with("allow_methods", json!(["PUT, GET"])), "allow_methods[0]: \"PUT, GET\" is no name"),
        (with("allow_headers", json!([""])), "allow_headers[0]: \"\" is no name"),
        (with("expose_headers", json!(["a b"])), "expose_headers"),
        (with("max_age", json!(3600)), "string"),
        (with("max_ages", json!("1h")), "unknown field `max_ages`"),
        (
            json!({ "allow_origins": ["https://a.example"], "allow_credentials": true, "expose_headers": ["*"] }),
            "`expose_headers = [\"*\"]`",
        ),
    ] {
        let error = testing::Plugin::<Cors>::configure(config).err().unwrap().to_string();
        assert!(error.contains(says), "{error}");
    }
}
