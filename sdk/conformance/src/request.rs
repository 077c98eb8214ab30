//! The request hook: fields, method, authority, path, client, body, reply.
//!
//! In: nothing. Out: behaviours. Never: more than one thing in a behaviour.

#![allow(non_upper_case_globals, reason = "named as the behaviours are")]

use super::*;

pub(crate) const request_header: Behaviour = reports(
    "request_header",
    "`x-out` = first value of `X-In` (asked in that case).",
    Request { fields: &[("x-in", b"a"), ("x-in", b"b")], ..GET },
    &[("x-out", &[b"a"])],
);

pub(crate) const request_header_missing: Behaviour = reports(
    "request_header_missing",
    "`x-out` = `none` if `x-in` is absent.",
    GET,
    &[("x-out", &[b"none"])],
);

pub(crate) const request_header_values: Behaviour = reports(
    "request_header_values",
    "`x-out` = every value of `x-in`, joined with `|`.",
    Request {
        fields: &[("x-in", b"a"), ("x-other", b"o"), ("x-in", b""), ("x-in", b"c, d")],
        ..GET
    },
    &[("x-out", &[b"a||c, d"])],
);

pub(crate) const request_headers: Behaviour = reports(
    "request_headers",
    "`x-out` = each line of the head whose name begins with `x-in`, as `NAME=VALUE`, joined with `|`.",
    Request { fields: &[("X-In-2", b"a"), ("x-in-1", b"b"), ("x-in-2", b"c")], ..GET },
    &[("x-out", &[b"x-in-2=a|x-in-2=c|x-in-1=b"])],
);

pub(crate) const set_request_header: Behaviour = reports(
    "set_request_header",
    "Sets `X-In` to `new` and `x-more` to `more`.",
    Request { fields: &[("x-in", b"a"), ("x-in", b"b")], ..GET },
    &[("x-in", &[b"new"]), ("x-more", &[b"more"])],
);

pub(crate) const append_request_header: Behaviour = reports(
    "append_request_header",
    "Appends `b` to `x-in`.",
    Request { fields: &[("x-in", b"a")], ..GET },
    &[("x-in", &[b"a", b"b"])],
);

pub(crate) const remove_request_header: Behaviour = reports(
    "remove_request_header",
    "Removes `x-in`, and `x-absent`, which is not there.",
    Request { fields: &[("x-in", b"a"), ("X-In", b"b"), ("x-stays", b"s")], ..GET },
    &[("x-in", &[]), ("x-stays", &[b"s"])],
);

pub(crate) const request_value_not_utf8: Behaviour = reports(
    "request_value_not_utf8",
    "Appends the first value of `x-in` to `x-out`, byte for byte.",
    Request { fields: &[("x-in", b"\xffa\xfe")], ..GET },
    &[("x-out", &[b"\xffa\xfe"])],
);

pub(crate) const request_illegal_fields: Behaviour = reports(
    "request_illegal_fields",
    "Sets `bad name`, the empty name, `x-bad` to `a\\r\\nb: c`, and `x-bad` to a NUL; `x-out` = the four refusals, joined with `|`.",
    GET,
    &[
        ("x-out", &[b"invalid-syntax|invalid-syntax|invalid-syntax|invalid-syntax"]),
        ("x-bad", &[]),
        ("b", &[]),
    ],
);

pub(crate) const request_forbidden_fields: Behaviour = reports(
    "request_forbidden_fields",
    "Sets `Host`, `content-length`, `transfer-encoding`, `connection` and `upgrade` to `x`, and removes `host`; `x-out` = the six refusals, joined with `|`.",
    GET,
    &[("x-out", &[b"forbidden|forbidden|forbidden|forbidden|forbidden|forbidden"])],
);

pub(crate) const request_size_exceeded: Behaviour = reports(
    "request_size_exceeded",
    "Sets `x-big` to 131,072 times `a`; `x-out` = the refusal.",
    GET,
    &[("x-out", &[b"size-exceeded"]), ("x-big", &[])],
);

pub(crate) const request_facts: Behaviour = reports(
    "request_facts",
    "`x-out` = method, scheme, authority, path with query, route and the client's address, joined with `|`; the client speaks plain HTTP from 127.0.0.1.",
    Request { method: "PATCH", target: "/a%20b?c=d&c", ..GET },
    &[("x-out", &[b"PATCH|http|example.com|/a%20b?c=d&c|conformance|127.0.0.1"])],
);

pub(crate) const request_id: Behaviour = reports(
    "request_id",
    "`x-out` = `yes` if the attribute `request.id` is there and not empty, `x-none` = `none` if the attribute `conformance.none` is absent.",
    GET,
    &[("x-out", &[b"yes"]), ("x-none", &[b"none"])],
);

pub(crate) const set_method: Behaviour = Behaviour {
    id: "set_method",
    guest: "Sets the method to `PUT`; then to `A B`; `x-out` = the refusal.",
    request: GET,
    upstream: OK,
    expect: Expect {
        upstream: Some(Seen {
            method: "PUT",
            fields: &[("x-out", &[b"invalid-syntax"])],
            ..FORWARDED
        }),
        ..PASSES
    },
};

pub(crate) const set_authority: Behaviour = Behaviour {
    id: "set_authority",
    guest: "Sets the authority to `other.example:81`; then to `a/b`; `x-out` = the refusal.",
    request: GET,
    upstream: OK,
    expect: Expect {
        upstream: Some(Seen {
            host: "other.example:81",
            fields: &[("x-out", &[b"invalid-syntax"])],
            ..FORWARDED
        }),
        ..PASSES
    },
};

pub(crate) const set_path_with_query: Behaviour = Behaviour {
    id: "set_path_with_query",
    guest: "Sets path and query to `/b?c=d`; then to `b`, and to `/a b`; `x-out` = the two refusals, joined with `|`.",
    request: Request { target: "/a", ..GET },
    upstream: OK,
    expect: Expect {
        upstream: Some(Seen {
            target: "/b?c=d",
            fields: &[("x-out", &[b"invalid-syntax|invalid-syntax"])],
            ..FORWARDED
        }),
        ..PASSES
    },
};

pub(crate) const read_request_body: Behaviour = reports(
    "read_request_body",
    "Reads the body with a limit of 1,024; `x-out` = its length. The upstream gets it all the same.",
    Request { method: "POST", body: b"the quick brown fox jumps over the lazy dog", ..GET },
    &[("x-out", &[b"43"])],
);

pub(crate) const read_request_body_too_large: Behaviour = reports(
    "read_request_body_too_large",
    "Reads the body with a limit of 4; `x-out` = the error. The upstream gets it all the same.",
    Request { method: "POST", body: b"12345", ..GET },
    &[("x-out", &[b"too-large"])],
);

pub(crate) const set_request_body: Behaviour = Behaviour {
    id: "set_request_body",
    guest: "Sets the body to `replaced by the guest`.",
    request: Request { method: "POST", body: b"old", ..GET },
    upstream: OK,
    expect: Expect {
        upstream: Some(Seen {
            method: "POST",
            body: b"replaced by the guest",
            fields: &[("content-length", &[b"21"])],
            ..FORWARDED
        }),
        ..PASSES
    },
};

pub(crate) const limit_request_body: Behaviour = Behaviour {
    id: "limit_request_body",
    guest: "Limits the body to 3 bytes, then to 1,024: the lowest counts.",
    request: Request { method: "POST", body: b"1234", ..GET },
    upstream: OK,
    expect: Expect {
        upstream: None,
        client: Got { status: 413, body: None, ..ANSWERED },
        ..PASSES
    },
};

pub(crate) const transform_request_body: Behaviour = Behaviour {
    id: "transform_request_body",
    guest: "Streams the request's body through a transform: ASCII to upper case; at the end ` N` for the N bytes it saw.",
    request: Request {
        method: "POST",
        body: b"the quick brown fox jumps over the lazy dog",
        ..GET
    },
    upstream: OK,
    expect: Expect {
        upstream: Some(Seen {
            method: "POST",
            body: b"THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG 43",
            ..FORWARDED
        }),
        ..PASSES
    },
};

pub(crate) const reply: Behaviour = Behaviour {
    id: "reply",
    guest: "Replies 403 with two lines `x-many` (`a`, `b`) and the body `no`.",
    request: GET,
    upstream: OK,
    expect: Expect {
        upstream: None,
        client: Got {
            status: 403,
            body: Some(b"no"),
            fields: &[("x-many", &[b"a", b"b"]), ("content-length", &[b"2"])],
            ..ANSWERED
        },
        ..PASSES
    },
};

pub(crate) const reply_to_head: Behaviour = Behaviour {
    id: "reply_to_head",
    guest: "As `reply`, to a HEAD request: no body comes, the length stays.",
    request: Request { method: "HEAD", ..GET },
    upstream: OK,
    expect: Expect {
        upstream: None,
        client: Got {
            status: 403,
            body: Some(b""),
            fields: &[("x-many", &[b"a", b"b"]), ("content-length", &[b"2"])],
            ..ANSWERED
        },
        ..PASSES
    },
};

pub(crate) const reply_delay: Behaviour = Behaviour {
    id: "reply_delay",
    guest: "Replies 204 after 300 ms.",
    request: GET,
    upstream: OK,
    expect: Expect {
        upstream: None,
        client: Got { status: 204, body: Some(b""), delay_millis: 300, ..ANSWERED },
        ..PASSES
    },
};

pub(crate) const reply_status_illegal: Behaviour = Behaviour {
    id: "reply_status_illegal",
    guest: "Replies 999, which is an error of the plugin.",
    request: GET,
    upstream: OK,
    expect: FAILS,
};

pub(crate) const reply_field_illegal: Behaviour = Behaviour {
    id: "reply_field_illegal",
    guest: "Replies 200 with `x-bad: a\\r\\nb: c`, which is an error of the plugin.",
    request: GET,
    upstream: OK,
    expect: FAILS,
};

pub(crate) const reply_field_forbidden: Behaviour = Behaviour {
    id: "reply_field_forbidden",
    guest: "Replies 200 with `content-length: 1`, which is an error of the plugin.",
    request: GET,
    upstream: OK,
    expect: FAILS,
};
