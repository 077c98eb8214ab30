//! What can be tried in the demo, and what it answers: one table, printed by `weir demo` and sent
//! for real by a whole-system test.
//!
//! In: nothing. Out: `curl` lines and promises. Never: promises what differs from run to run.

/// One line to try.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// Printed before the first example of a kind; empty on the others.
    pub about: &'static str,
    pub to: To,
    /// Path and query.
    pub target: &'static str,
    pub with: &'static [With],
    /// How often it is sent; the promise is about the last answer.
    pub times: usize,
    pub answers: u16,
    pub shows: &'static [Shows],
}

/// Which listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    Web,
    Admin,
}

/// What a request has beyond its target.
#[derive(Debug, Clone, Copy)]
pub enum With {
    Method(&'static str),
    Field(&'static str, &'static str),
    /// Name and password, and both in Base64 as they are sent.
    User(&'static str, &'static str),
    Body(&'static str),
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// What of the answer tells that it is right.
#[derive(Debug, Clone, Copy)]
pub enum Shows {
    /// A field of the response and its value; `…` at its end stands for anything.
    Field(&'static str, &'static str),
    /// A line of the body, often a field that the endpoint saw; `…` as above.
    Line(&'static str),
    /// A field that is in neither the response nor the body.
    Not(&'static str),
}

use Shows::{Field, Line, Not};

const GET: Example =
    Example { about: "", to: To::Web, target: "/", with: &[], times: 1, answers: 200, shows: &[] };

/// Everything to try, in the order in which it is printed.
pub const EXAMPLES: &[Example] = &[
    Example {
        about: "no plugin: the endpoint shows the request it saw",
        shows: &[Line("GET / HTTP/1.1")],
        ..GET
    },
    Example {
        about: "the same by HTTP/2",
        with: &[With::Http2],
        shows: &[Line("GET / HTTP/1.1")],
        ..GET
    },
    Example {
        about: "two endpoints in turn",
        target: "/balanced",
        times: 2,
        shows: &[Field("x-endpoint", "…")],
        ..GET
    },
    Example {
        about: "an endpoint that speaks HTTP/2 without TLS",
        target: "/h2c",
        shows: &[Line("GET /h2c HTTP/2.0")],
        ..GET
    },
    Example {
        about: "an endpoint that is slower than its route's timeout",
        target: "/slow",
        answers: 504,
        shows: &[Field("proxy-status", "weir; error=…")],
        ..GET
    },
    Example {
        about: "basic-auth: name and password",
        target: "/basic-auth",
        answers: 401,
        shows: &[Field("www-authenticate", "Basic realm=\"demo\"…")],
        ..GET
    },
    Example {
        target: "/basic-auth",
        with: &[With::User("ada:lovelace", "YWRhOmxvdmVsYWNl")],
        shows: &[Not("authorization")],
        ..GET
    },
    Example {
        about: "body-limit: at most 16 bytes here",
        target: "/body-limit",
        with: &[With::Body("few bytes")],
        shows: &[Line("few bytes")],
        ..GET
    },
    Example {
        target: "/body-limit",
        with: &[With::Body("more than sixteen bytes")],
        answers: 413,
        shows: &[Field("content-type", "application/problem+json")],
        ..GET
    },
    Example {
        about: "cors: pages of one other origin may read this",
        target: "/cors",
        with: &[With::Field("origin", "https://app.example.com")],
        shows: &[Field("access-control-allow-origin", "https://app.example.com")],
        ..GET
    },
    Example {
        target: "/cors",
        with: &[
            With::Method("OPTIONS"),
            With::Field("origin", "https://app.example.com"),
            With::Field("access-control-request-method", "PUT"),
        ],
        answers: 204,
        shows: &[Field("access-control-max-age", "3600")],
        ..GET
    },
    Example {
        about: "headers: for the endpoint, and for the client",
        target: "/headers",
        shows: &[Line("x-client: 127.0.0.1"), Field("x-served-by", "weir")],
        ..GET
    },
    Example {
        about: "ip-filter: this very machine is denied",
        target: "/ip-filter",
        answers: 403,
        shows: &[Field("content-type", "application/problem+json")],
        ..GET
    },
    Example {
        about: "jwt: a signed token, whose subject the endpoint learns",
        target: "/jwt",
        answers: 401,
        shows: &[Field("www-authenticate", "Bearer realm=…")],
        ..GET
    },
    Example {
        target: "/jwt",
        with: &[With::Field(
            "authorization",
            "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
             eyJzdWIiOiJhZGEiLCJhdWQiOiJkZW1vIiwiZXhwIjo0MTAyNDQ0ODAwfQ.\
             A4dn7xIu_c8kAd2IiwKMGkpQ7Et5yfGCbDVdSGByE9A",
        )],
        shows: &[Line("x-user: ada")],
        ..GET
    },
    Example {
        about: "key-auth: a key in a field, or in the query; the endpoint never sees it",
        target: "/key-auth",
        answers: 401,
        shows: &[Field("www-authenticate", "ApiKey realm=\"restricted\"")],
        ..GET
    },
    Example {
        target: "/key-auth",
        with: &[With::Field("x-api-key", "open-sesame")],
        shows: &[Not("x-api-key")],
        ..GET
    },
    Example {
        target: "/key-auth?key=open-sesame&page=2",
        shows: &[Line("GET /key-auth?page=2 HTTP/1.1")],
        ..GET
    },
    Example {
        about: "mock: answers by itself",
        target: "/mock",
        answers: 418,
        shows: &[Line("short and stout")],
        ..GET
    },
    Example {
        about: "rate-limit: two in ten seconds",
        target: "/rate-limit",
        times: 3,
        answers: 429,
        shows: &[Field("ratelimit-remaining", "0")],
        ..GET
    },
    Example {
        about: "redirect: a path that moved",
        target: "/redirect/old/page?q=1",
        answers: 308,
        shows: &[Field("location", "/redirect/new/page?q=1")],
        ..GET
    },
    Example {
        about: "request-id: for the endpoint, the client and the logs",
        target: "/request-id",
        shows: &[Field("x-request-id", "0…")],
        ..GET
    },
    Example {
        about: "rewrite: without the prefix, with a parameter more",
        target: "/rewrite/users?page=2",
        shows: &[Line("GET /users?page=2&via=rewrite HTTP/1.1")],
        ..GET
    },
    Example {
        about: "security-headers: the strict preset",
        target: "/security-headers",
        shows: &[Field("x-frame-options", "DENY")],
        ..GET
    },
    Example {
        about: "several in one chain",
        target: "/chain",
        with: &[With::Field("x-api-key", "open-sesame")],
        shows: &[
            Line("x-route: chain"),
            Field("x-request-id", "0…"),
            Field("x-frame-options", "DENY"),
        ],
        ..GET
    },
    Example {
        about: "no route",
        target: "/elsewhere",
        answers: 404,
        shows: &[Field("content-type", "application/problem+json")],
        ..GET
    },
    Example {
        about: "the admin listener",
        to: To::Admin,
        target: "/metrics",
        shows: &[Line("weir_requests_total{…")],
        ..GET
    },
    Example { to: To::Admin, target: "/readyz", ..GET },
];

// === impl Example ===

impl Example {
    /// The line for a shell. `base` is a listener's `http://address:port`.
    pub fn command(&self, base: &str) -> String {
        let mut line = String::from("curl -i");
        for with in self.with {
            match with {
                With::Method(method) => line += &format!(" -X {method}"),
                With::Field(name, value) => line += &format!(" -H '{name}: {value}'"),
                With::User(user, _) => line += &format!(" -u {user}"),
                With::Body(body) => line += &format!(" -d '{body}'"),
                With::Http2 => line += " --http2-prior-knowledge",
            }
        }
        let target = format!("{base}{}", self.target);
        match self.times {
            1 if self.target.contains(['?', '&']) => line + &format!(" '{target}'"),
            1 => line + " " + &target,
            // curl counts by itself; the endpoint does not mind the parameter.
            times => line + &format!(" '{target}?[1-{times}]'"),
        }
    }

    /// What the line answers, in words.
    pub fn promise(&self) -> String {
        let last = if self.times > 1 { "at last " } else { "" };
        let mut text = format!("{last}{}", self.answers);
        for shows in self.shows {
            text += &match shows {
                Field(name, value) => format!(", {name}: {value}"),
                Line(line) => format!(", with the line `{line}`"),
                Not(name) => format!(", and the endpoint saw no {name}"),
            };
        }
        text
    }
}

impl Shows {
    /// Whether an answer keeps the promise: `field` looks up one of its fields.
    pub fn is_kept<'a>(&self, field: impl Fn(&str) -> Option<&'a str>, body: &str) -> bool {
        match self {
            Field(name, value) => field(name).is_some_and(|actual| fits(actual, value)),
            Line(line) => body.lines().any(|actual| fits(actual, line)),
            Not(name) => {
                let seen = |line: &str| {
                    line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                        && line[name.len()..].starts_with(':')
                };
                field(name).is_none() && !body.is_empty() && !body.lines().any(seen)
            }
        }
    }
}

fn fits(actual: &str, promised: &str) -> bool {
    match promised.strip_suffix('…') {
        Some(start) => actual.starts_with(start),
        None => actual == promised,
    }
}
