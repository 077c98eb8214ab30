//! What the host offers: log, metrics, limiter, store, randomness.
//!
//! In: nothing. Out: behaviours. Never: more than one thing in a behaviour.

#![allow(non_upper_case_globals, reason = "named as the behaviours are")]

use super::*;

pub(crate) const log: Behaviour = Behaviour {
    id: "log",
    guest: "Logs `at LEVEL` at each level, from `trace` to `error`, each with the fields `number` = `1` and `text` = `a b`.",
    request: GET,
    upstream: OK,
    expect: Expect {
        log: &[
            Line {
                level: "trace",
                message: "at trace",
                fields: &[("number", "1"), ("text", "a b")],
            },
            Line {
                level: "debug",
                message: "at debug",
                fields: &[("number", "1"), ("text", "a b")],
            },
            Line { level: "info", message: "at info", fields: &[("number", "1"), ("text", "a b")] },
            Line { level: "warn", message: "at warn", fields: &[("number", "1"), ("text", "a b")] },
            Line {
                level: "error",
                message: "at error",
                fields: &[("number", "1"), ("text", "a b")],
            },
        ],
        ..PASSES
    },
};

pub(crate) const metrics: Behaviour = Behaviour {
    id: "metrics",
    guest: "Adds 2 and 3 to the counter `seen_total` with the label `kind` = `a`, sets the gauge `level` to 1.5 and then to 2.5, and observes 0.25 and 0.5 in the histogram `took_seconds`.",
    request: GET,
    upstream: OK,
    expect: Expect {
        metrics: &[
            Metric { kind: "counter", name: "seen_total", labels: &[("kind", "a")], value: 5.0 },
            Metric { kind: "gauge", name: "level", labels: &[], value: 2.5 },
            Metric { kind: "histogram", name: "took_seconds", labels: &[], value: 0.75 },
        ],
        ..PASSES
    },
};

pub(crate) const metrics_dropped: Behaviour = Behaviour {
    id: "metrics_dropped",
    guest: "Adds 1 to the counters `calls_total`, `duration_seconds_sum`, `memory_bytes` and `No-Name`, to `dropped` with the label `plugin` = `a`, and with the label `a` twice; then to `kept_total`.",
    request: GET,
    upstream: OK,
    expect: Expect {
        metrics: &[
            Metric { kind: "counter", name: "kept_total", labels: &[], value: 1.0 },
            Metric { kind: "counter", name: "metrics_dropped_total", labels: &[], value: 6.0 },
        ],
        ..PASSES
    },
};

pub(crate) const limiter_take: Behaviour = reports(
    "limiter_take",
    "Takes 1, 1, 1 and 3 tokens from the bucket `conformance` of rate 0.001 and burst 2; `x-out` = each verdict as `ALLOWED REMAINING`, joined with `|`.",
    GET,
    &[("x-out", &[b"true 1|true 0|false 0|false 0"])],
);

pub(crate) const limiter_enter: Behaviour = reports(
    "limiter_enter",
    "Enters `conformance` with a limit of 1, twice; `x-out` = both answers, joined with `|`. Sent twice, one after the other, it gives the same: the first exchange gave its place back.",
    GET,
    &[("x-out", &[b"true|false"])],
);

pub(crate) const limiter_key_too_long: Behaviour = Behaviour {
    id: "limiter_key_too_long",
    guest: "Takes a token from a bucket whose key has 1,025 bytes: a trap.",
    request: GET,
    upstream: OK,
    expect: FAILS,
};

pub(crate) const store: Behaviour = reports(
    "store",
    "Gets the absent `k`; sets `k` to the bytes ff 00; gets it; deletes it twice; gets it. `x-out` = the answers to the three gets, as lower-case hex or `none`, joined with `|`.",
    GET,
    &[("x-out", &[b"none|ff00|none"])],
);

pub(crate) const store_increment: Behaviour = reports(
    "store_increment",
    "Adds 2 to `n`, then -5; sets `t` to `text` and adds 1 to it. `x-out` = the two sums, and `unavailable` for the third, joined with `|`.",
    GET,
    &[("x-out", &[b"2|-3|unavailable"])],
);

pub(crate) const store_set_if_absent: Behaviour = reports(
    "store_set_if_absent",
    "Sets `a` if absent to `1`, again to `2`; gets it. `x-out` = both answers and the value, joined with `|`.",
    GET,
    &[("x-out", &[b"true|false|1"])],
);

pub(crate) const store_expiry: Behaviour = reports(
    "store_expiry",
    "Sets `e` to `1` with a time to live of 0 ms, and `f` to `1` with one of an hour; `x-out` = whether each is there, joined with `|`.",
    GET,
    &[("x-out", &[b"false|true"])],
);

pub(crate) const store_too_large: Behaviour = reports(
    "store_too_large",
    "Sets a key of 1,025 bytes, and `big` to 1,048,577 bytes; `x-out` = both errors, joined with `|`.",
    GET,
    &[("x-out", &[b"too-large|too-large"])],
);

pub(crate) const store_key_too_long: Behaviour = reports(
    "store_key_too_long",
    "Gets, deletes, and adds 1 to a key of 1,025 bytes; `x-out` = the three errors, joined with `|`.",
    GET,
    &[("x-out", &[b"too-large|too-large|too-large"])],
);

pub(crate) const random: Behaviour = reports(
    "random",
    "Draws 16 random bytes twice; `x-out` = `differ` if they do.",
    GET,
    &[("x-out", &[b"differ"])],
);
