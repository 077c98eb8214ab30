//! The worst that a client may send: whatever it is, no built-in plugin takes longer for it than the CPU
//! time that a call has by default.
//!
//! In: each of them with a configuration that has much to do, behind a route of its own, and heads nearly
//! as long as a listener lets in. Out: answers, and that no call failed. Never: a line of `limits`, or a
//! plugin left out.

use std::fmt::Write;

use weir_tests::{Origin, Proxy, request};

use super::credentials::GOOD;

/// A plugin, and what is sent to it.
struct Case {
    component: &'static str,
    /// What stands under `[plugins.NAME.config]`.
    config: String,
    heads: Vec<Head>,
}

struct Head {
    method: &'static str,
    target: String,
    fields: Vec<(&'static str, String)>,
}

/// As many bytes as one part of a head may have beside the others.
const ROOM: usize = 62_000;

/// A pattern near the largest that `redirect` and `rewrite` take, and a path that it is busy with.
const PATTERN: &str = "a|[b-z]{0,40}[0-9]{0,40}!";

#[test]
fn no_built_in_plugin_has_an_input_that_takes_longer_than_its_deadline() {
    let cases = [credentials(), limits(), heads(), targets(), answers()];
    let cases: Vec<Case> = cases.into_iter().flatten().collect();
    for (built_in, _) in weir_bundle::BUILT_INS {
        assert!(cases.iter().any(|case| case.component == *built_in), "{built_in} is left out");
    }
    let origin = Origin::saying("here").forgetting();
    let mut config = format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[upstreams.origin]\nendpoints = [\"{}\"]\n",
        origin.url()
    );
    for (number, Case { component, config: of_case, .. }) in cases.iter().enumerate() {
        let _ = write!(
            config,
            "[routes.case-{number}]\nmatch = {{ host = \"case-{number}.test\" }}\n\
             plugins = [\"case-{number}\"]\nupstream = \"origin\"\n\
             [plugins.case-{number}]\ncomponent = \"{component}\"\n\
             [plugins.case-{number}.config]\n{of_case}\n"
        );
    }
    let proxy = Proxy::start(&config);
    for (number, Case { component, heads, .. }) in cases.iter().enumerate() {
        let host = format!("case-{number}.test");
        for Head { method, target, fields } in heads {
            let mut all = vec![("host", host.as_str())];
            all.extend(fields.iter().map(|(name, value)| (*name, value.as_str())));
            let answer = request(proxy.address("web"), method, target, &all, b"");
            let fields: Vec<_> = fields.iter().map(|(name, value)| (name, start(value))).collect();
            let sent = format!("{component}, {method} {}, {fields:?}", start(target));
            assert!(answer.status < 500, "{sent}: {} {}", answer.status, answer.text());
        }
        let hook = if *component == "security-headers" { "response" } else { "request" };
        let calls = format!("weir_plugin_calls_total{{plugin=\"case-{number}\",hook=\"{hook}\"}}");
        assert_eq!(proxy.metric(&calls), heads.len() as f64, "{component} has not seen them all");
    }
    // What a client's own head is too large for, once a plugin has changed it, is no failure of that kind.
    let metrics = proxy.metrics();
    let failures: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("weir_plugin_failures_total{") && !line.ends_with(" 0"))
        .filter(|line| !line.contains("reason=\"error\""))
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

/// basic-auth, jwt and key-auth.
fn credentials() -> Vec<Case> {
    let basic =
        |credentials: String| get("/", &[("authorization", format!("Basic {credentials}"))]);
    // A kilobyte each, and hashes near the slowest that leave time for it.
    let (of_alice, of_bob) = ("YWFh".repeat(341) + "YQ==", "YWFh".repeat(340) + "YWE=");
    let hash =
        |start: &str, length: usize| format!("{start}$sixteenbytessalt${}", ".".repeat(length));
    let (sha256, sha512) = (hash("$5$rounds=80000", 43), hash("$6$rounds=130000", 86));
    let bearer = |token: String| get("/", &[("authorization", format!("Bearer {token}"))]);
    // `{"alg":"HS256","a":1,"a":1,…,"b":1}`
    let members = "eyJhbGciOiJIUzI1NiIs".to_owned() + &"ImEiOjEs".repeat(ROOM / 8) + "ImIiOjF9";
    let signed = "A".repeat(ROOM - 300);
    // A number within the order of the curve, twice.
    let ecdsa = "AAEB".repeat(44);
    let key = r#"{ kty = "EC", crv = "P-521", x = "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk", y = "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2" }"#;
    let beside = |good: &str| -> Vec<Head> {
        let mut all = Vec::new();
        // Names that some endpoints would read as the credential's, but for a letter.
        for piece in ["%=", "%20=", "a=", "%c3=", "[a]=", "=", "+=", "%74oke%6f="] {
            for mark in [";", ",", " "] {
                let cookie = format!("{};token={good}", fill(&[piece, mark].concat(), 1000));
                all.push(get("/", &[("cookie", cookie)]));
            }
            for mark in ["&", ";"] {
                let query = fill(&[piece, mark].concat(), 1000);
                all.push(get(&format!("/?{query}&token={good}"), &[]));
            }
        }
        all
    };
    let places = "header = \"authorization\"\nquery = \"token\"\ncookie = \"token\"\nhide = true\n";
    let of_jwt = [
        bearer(format!("{members}.e30.AAAA")),
        bearer(format!("eyJhbGciOiJIUzI1NiJ9.{signed}.AAAA")),
        bearer(fill(".", 0)),
    ];
    vec![
        Case {
            component: "basic-auth",
            config: format!(
                "users = {{ alice = \"{sha256}\", bob = \"{sha512}\", robot = \"plain:x\" }}\n"
            ),
            heads: vec![
                basic(format!("YWxpY2U6{of_alice}")),
                basic(format!("Ym9iOmFh{of_bob}")),
                basic(format!("{}OmFh", fill("YWFh", 0))),
                basic(fill("YWFh", 0)),
                basic(fill("!", 0)),
            ],
        },
        Case {
            component: "jwt",
            config: format!(
                "secret = \"0123456789abcdef0123456789abcdef\"\n{places}\
                 claims_to_headers = {{ sub = \"x-user\", roles = \"x-roles\" }}\n"
            ),
            heads: of_jwt.into_iter().chain(beside(GOOD)).collect(),
        },
        Case {
            component: "jwt",
            config: format!("jwks.keys = [{key}, {key}, {key}, {key}]\n"),
            heads: vec![bearer(format!("eyJhbGciOiJFUzUxMiJ9.{signed}.{ecdsa}"))],
        },
        Case {
            component: "key-auth",
            config: format!("keys = [\"good\"]\n{places}"),
            heads: beside("good")
                .into_iter()
                .chain([get("/", &[("authorization", fill("a", 0))])])
                .collect(),
        },
    ]
}

/// body-limit, ip-filter and rate-limit.
fn limits() -> Vec<Case> {
    let networks = list(2_000, |n| format!("\"198.{}.{}.0/24\"", 18 + n / 250, n % 250));
    vec![
        Case {
            component: "body-limit",
            config: "limit = \"1KiB\"\n".into(),
            heads: vec![get("/", &[("x-a", fill("a", 0))])],
        },
        Case {
            component: "ip-filter",
            config: format!("deny = [{networks}]\n"),
            heads: vec![get("/", &[("x-forwarded-for", fill("192.0.2.1,", 0))])],
        },
        Case {
            component: "rate-limit",
            config:
                "rate = 1000\nkey = \"{request.header.x-a}{request.query.q}{request.cookie.c}\"\n"
                    .into(),
            heads: vec![
                get("/", &[("x-a", fill("a", 0))]),
                get(&format!("/?q={}", fill("%C3%A9", 0)), &[]),
                get(&format!("/?{}q=x", fill("%61=&", 0)), &[]),
                get("/", &[("cookie", format!("{}c=x", fill("a=;", 0)))]),
            ],
        },
    ]
}

/// cors, headers, request-id and security-headers.
fn heads() -> Vec<Case> {
    let preflight = |origin: String, headers: String| Head {
        method: "OPTIONS",
        target: "/".into(),
        fields: vec![
            ("origin", origin),
            ("access-control-request-method", "PUT".into()),
            ("access-control-request-headers", headers),
        ],
    };
    let of_origin = |origin: String| get("/", &[("origin", origin)]);
    let suffixes = list(40, |n| format!("\"https://*.a{}\"", ".a".repeat(n)));
    let letters = ["a"; 700].join("|");
    let variables = list(8, |n| {
        format!("x-q-{n} = \"{{request.query.q{n}}}\", x-c-{n} = \"{{request.cookie.c{n}}}\"")
    });
    vec![
        Case {
            component: "cors",
            config: format!(
                "allow_origins = [{suffixes}, {{ regex = '(?:{letters})*b' }}]\n\
                 allow_methods = [\"*\"]\nallow_headers = [\"*\"]\nprivate_network = true\n"
            ),
            heads: vec![
                preflight("https://b.a".into(), fill("x-a,", 200)),
                preflight("https://b.a".into(), fill("~", 200)),
                preflight("a".repeat(512), "x-a".into()),
                of_origin("a".repeat(512)),
                of_origin("a".repeat(513)),
                of_origin(format!("https://{}/{}", "a".repeat(400), ".a".repeat(50))),
                of_origin(format!("https://{}/{}", fill("a", 200), ".a".repeat(50))),
            ],
        },
        Case {
            component: "headers",
            config: format!(
                "request.set = {{ {variables} }}\nresponse.set = {{ {variables} }}\n\
                 request.rename = {{ x-old = \"x-new\" }}\n"
            ),
            heads: variable_heads(),
        },
        Case {
            component: "request-id",
            config: "trust = true\n".into(),
            heads: vec![get("/", &[("x-request-id", fill("a", 0))])],
        },
        Case {
            component: "security-headers",
            config: "preset = \"strict\"\nkeep = true\n".into(),
            heads: vec![get("/", &[("x-a", fill("a", 0))])],
        },
    ]
}

/// redirect and rewrite.
fn targets() -> Vec<Case> {
    let busy = || {
        ["b", "b1", "a", "é"]
            .map(|piece| get(&format!("/{}", piece.repeat(2_000 / piece.len())), &[]))
    };
    let names = list(1_000, |n| format!("\"utm_{n}\""));
    let set = list(8, |n| format!("s{n} = \"{{request.query.q{n}}}{{request.cookie.c{n}}}\""));
    let regex = format!("regex = {{ pattern = '{PATTERN}', replace = '/' }}\n");
    vec![
        Case { component: "redirect", config: regex.clone(), heads: busy().into() },
        Case {
            component: "redirect",
            config: "prefix = { from = \"/a\", to = \"/a/b\" }\n".into(),
            heads: vec![get(&format!("/{}", fill("a/", 0)), &[])],
        },
        Case {
            component: "rewrite",
            config: format!("{regex}query = {{ remove = [{names}], set = {{ {set} }} }}\n"),
            heads: busy().into_iter().chain(variable_heads()).collect(),
        },
        Case {
            component: "rewrite",
            config: "strip_prefix = \"/a\"\nadd_prefix = \"/b\"\n".into(),
            heads: vec![get(&format!("/{}", fill("a/", 0)), &[])],
        },
    ]
}

/// mock.
fn answers() -> Vec<Case> {
    let paths = list(500, |n| format!("{{ path = \"/{}/{n}/*\" }}", "a".repeat(50)));
    let values = [fill("%22", 0), fill("%01", 0), fill("%C3%A9", 0), fill("a", 0)];
    let values = values.map(|value| get(&format!("/?q0={value}"), &[]));
    vec![Case {
        component: "mock",
        config: format!(
            "body = '{{\"a\": \"{{request.query.q0}}\", \"b\": \"{{request.query.q1}}\", \
             \"c\": \"{{request.cookie.c0}}\"}}'\nheaders = {{ x-a = \"{{request.cookie.c1}}\" }}\n\
             paths = [{paths}]\n"
        ),
        heads: variable_heads()
            .into_iter()
            .chain(values)
            .chain([get(&format!("/{}", fill("a", 0)), &[])])
            .collect(),
    }]
}

/// Queries and cookies of thousands, with what variables look for behind them.
fn variable_heads() -> Vec<Head> {
    let end = |mark: &str| (0..8).map(|n| format!("q{n}=x{mark}c{n}=x{mark}")).collect::<String>();
    let queries = ["&", "%71=&", "q=&", "%=&", "%c3%a9&", "q0%=%&"]
        .map(|piece| get(&format!("/?{}{}", fill(piece, 200), end("&")), &[]));
    let cookies = [";", "c=;", "=;", "c0 ;", " ; "]
        .map(|piece| get("/", &[("cookie", format!("{}{}", fill(piece, 200), end(";")))]));
    queries.into_iter().chain(cookies).collect()
}

fn get(target: &str, fields: &[(&'static str, String)]) -> Head {
    Head { method: "GET", target: target.into(), fields: fields.to_vec() }
}

/// What stands in a list or a table.
fn list(count: usize, entry: impl Fn(usize) -> String) -> String {
    (0..count).map(entry).collect::<Vec<_>>().join(", ")
}

/// One piece after the other, but for this many bytes.
fn fill(piece: &str, but_for: usize) -> String {
    piece.repeat((ROOM - but_for) / piece.len())
}

/// As much of it as a message needs.
fn start(text: &str) -> &str {
    text.get(..60).unwrap_or(text)
}
