//! The response hook: status, fields, body, and the request that is read-only by then.
//!
//! In: nothing. Out: behaviours. Never: more than one thing in a behaviour.

#![allow(non_upper_case_globals, reason = "named as the behaviours are")]

use super::*;

pub(crate) const response_status: Behaviour = answers(
    "response_status",
    "`x-out` = the status.",
    Answer { status: 404, ..OK },
    &[("x-out", &[b"404"])],
);

pub(crate) const set_response_status: Behaviour = Behaviour {
    id: "set_response_status",
    guest: "Sets the status to 202; then to 199 and to 600; `x-out` = the two refusals, joined with `|`.",
    request: GET,
    upstream: OK,
    expect: Expect {
        client: Got {
            status: 202,
            fields: &[("x-out", &[b"invalid-syntax|invalid-syntax"])],
            ..ANSWERED
        },
        ..PASSES
    },
};

pub(crate) const response_header: Behaviour = answers(
    "response_header",
    "`x-out` = first value of `X-In` (asked in that case).",
    Answer { fields: &[("x-in", b"a"), ("x-in", b"b")], ..OK },
    &[("x-out", &[b"a"])],
);

pub(crate) const response_header_values: Behaviour = answers(
    "response_header_values",
    "`x-out` = every value of `x-in`, joined with `|`.",
    Answer { fields: &[("x-in", b"a"), ("x-in", b""), ("x-in", b"c")], ..OK },
    &[("x-out", &[b"a||c"])],
);

pub(crate) const response_headers: Behaviour = answers(
    "response_headers",
    "`x-out` = each line of the head whose name begins with `x-in`, as `NAME=VALUE`, joined with `|`.",
    Answer { fields: &[("x-in-2", b"a"), ("x-in-1", b"b"), ("x-in-2", b"c")], ..OK },
    &[("x-out", &[b"x-in-2=a|x-in-2=c|x-in-1=b"])],
);

pub(crate) const set_response_header: Behaviour = answers(
    "set_response_header",
    "Sets `X-In` to `new` and `x-more` to `more`.",
    Answer { fields: &[("x-in", b"a"), ("x-in", b"b")], ..OK },
    &[("x-in", &[b"new"]), ("x-more", &[b"more"])],
);

pub(crate) const append_response_header: Behaviour = answers(
    "append_response_header",
    "Appends `c=d` to `set-cookie`.",
    Answer { fields: &[("set-cookie", b"a=b")], ..OK },
    &[("set-cookie", &[b"a=b", b"c=d"])],
);

pub(crate) const remove_response_header: Behaviour = answers(
    "remove_response_header",
    "Removes `x-in`, and `x-absent`, which is not there.",
    Answer { fields: &[("x-in", b"a"), ("x-in", b"b"), ("x-stays", b"s")], ..OK },
    &[("x-in", &[]), ("x-stays", &[b"s"])],
);

pub(crate) const response_value_not_utf8: Behaviour = answers(
    "response_value_not_utf8",
    "Appends the first value of `x-in` to `x-out`, byte for byte.",
    Answer { fields: &[("x-in", b"\xffa\xfe")], ..OK },
    &[("x-out", &[b"\xffa\xfe"])],
);

pub(crate) const response_illegal_fields: Behaviour = answers(
    "response_illegal_fields",
    "Sets `bad name`, the empty name, `x-bad` to `a\\r\\nb: c`, and `x-bad` to a NUL; `x-out` = the four refusals, joined with `|`.",
    OK,
    &[
        ("x-out", &[b"invalid-syntax|invalid-syntax|invalid-syntax|invalid-syntax"]),
        ("x-bad", &[]),
        ("b", &[]),
    ],
);

pub(crate) const response_forbidden_fields: Behaviour = answers(
    "response_forbidden_fields",
    "Sets `content-length`, `transfer-encoding`, `connection` and `upgrade` to `x`, and removes `content-length`; `x-out` = the five refusals, joined with `|`.",
    OK,
    &[("x-out", &[b"forbidden|forbidden|forbidden|forbidden|forbidden"])],
);

pub(crate) const response_size_exceeded: Behaviour = answers(
    "response_size_exceeded",
    "Sets `x-big` to 131,072 times `a`; `x-out` = the refusal.",
    OK,
    &[("x-out", &[b"size-exceeded"]), ("x-big", &[])],
);

pub(crate) const request_is_read_only: Behaviour = answers(
    "request_is_read_only",
    "In the response hook, sets the request's field `x-in`, appends to it, removes it, sets method, authority and path; `x-out` = the six refusals, joined with `|`.",
    OK,
    &[("x-out", &[b"forbidden|forbidden|forbidden|forbidden|forbidden|forbidden"])],
);

pub(crate) const attribute: Behaviour = answers(
    "attribute",
    "In the request hook, sets the attribute `conformance.note` to `first`, then to `kept`; in the response hook, `x-out` = that attribute.",
    OK,
    &[("x-out", &[b"kept"])],
);

pub(crate) const read_response_body: Behaviour = answers(
    "read_response_body",
    "Reads the body with a limit of 1,024; `x-out` = its length. The client gets it all the same.",
    Answer { body: b"the quick brown fox jumps over the lazy dog", ..OK },
    &[("x-out", &[b"43"])],
);

pub(crate) const read_response_body_too_large: Behaviour = answers(
    "read_response_body_too_large",
    "Reads the body with a limit of 4; `x-out` = the error. The client gets it all the same.",
    Answer { body: b"12345", ..OK },
    &[("x-out", &[b"too-large"])],
);

pub(crate) const set_response_body: Behaviour = Behaviour {
    id: "set_response_body",
    guest: "Sets the body to `replaced by the guest`.",
    request: GET,
    upstream: OK,
    expect: Expect {
        client: Got {
            body: Some(b"replaced by the guest"),
            fields: &[("content-length", &[b"21"])],
            ..ANSWERED
        },
        ..PASSES
    },
};

pub(crate) const transform_response_body: Behaviour = Behaviour {
    id: "transform_response_body",
    guest: "Streams the response's body through a transform: ASCII to upper case; at the end ` N` for the N bytes it saw.",
    request: GET,
    upstream: Answer { body: b"the quick brown fox jumps over the lazy dog", ..OK },
    expect: Expect {
        client: Got {
            body: Some(b"THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG 43"),
            fields: &[("content-length", &[])],
            ..ANSWERED
        },
        ..PASSES
    },
};

pub(crate) const transform_declined: Behaviour = Behaviour {
    id: "transform_declined",
    guest: "Its transforms decline: both bodies pass untouched, with their `content-length`.",
    request: Request { method: "POST", body: b"request", ..GET },
    upstream: OK,
    expect: Expect {
        upstream: Some(Seen {
            method: "POST",
            body: b"request",
            fields: &[("content-length", &[b"7"])],
            ..FORWARDED
        }),
        client: Got { fields: &[("content-length", &[b"6"])], ..ANSWERED },
        ..PASSES
    },
};

pub(crate) const transform_error: Behaviour = Behaviour {
    id: "transform_error",
    guest: "The response's transform fails at its end: the client must not take what it got for the whole body.",
    request: GET,
    upstream: OK,
    expect: Expect { client: Got { body: None, cut: true, ..ANSWERED }, ..PASSES },
};

pub(crate) const response_error: Behaviour = Behaviour {
    id: "response_error",
    guest: "The response hook fails with the text `no response on purpose`.",
    request: GET,
    upstream: OK,
    expect: Expect { client: Got { status: 500, body: None, ..ANSWERED }, ..PASSES },
};
