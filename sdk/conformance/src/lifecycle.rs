//! Failing, and the end of an exchange.
//!
//! In: nothing. Out: behaviours. Never: more than one thing in a behaviour.

#![allow(non_upper_case_globals, reason = "named as the behaviours are")]

use super::*;

pub(crate) const error: Behaviour = Behaviour {
    id: "error",
    guest: "The request hook fails with the text `failed on purpose`; the proxy's own log line has that text.",
    request: GET,
    upstream: OK,
    expect: FAILS,
};

pub(crate) const trap: Behaviour = Behaviour {
    id: "trap",
    guest: "The request hook traps. The next exchange is served as if nothing had been.",
    request: GET,
    upstream: OK,
    expect: FAILS,
};

pub(crate) const attribute_overflow: Behaviour = Behaviour {
    id: "attribute_overflow",
    guest: "Sets the attributes `n.0` to `n.63`, one more than there may be beside `request.id`: a trap.",
    request: GET,
    upstream: OK,
    expect: FAILS,
};

pub(crate) const completion: Behaviour = Behaviour {
    id: "completion",
    guest: "The completion hook logs `completed` at `info` with the fields `status`, `request_bytes`, `response_bytes` and `timed` (`yes` if the duration is above 0).",
    request: Request { method: "POST", body: b"12345", ..GET },
    upstream: OK,
    expect: Expect {
        upstream: Some(Seen { method: "POST", body: b"12345", ..FORWARDED }),
        log: &[Line {
            level: "info",
            message: "completed",
            fields: &[
                ("status", "200"),
                ("request_bytes", "5"),
                ("response_bytes", "6"),
                ("timed", "yes"),
            ],
        }],
        ..PASSES
    },
};
