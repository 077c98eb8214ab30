//! Behaviours that call what the host offers beside the messages.
//!
//! In: the id of a behaviour. Out: the calls, and what they gave in `x-out`.
//! Never: depends on what an earlier exchange left, but through the host.

use std::time::Duration;

use weir_sdk::limiter::{self, Bucket};
use weir_sdk::{Request, Result, StoreError, log, metrics, random, store};

pub(crate) fn on_request(behaviour: &str, request: &mut Request) -> Result {
    let out = match behaviour {
        "log" => {
            log::trace!(number = 1, text = "a b"; "at {}", "trace");
            log::debug!(number = 1, text = "a b"; "at {}", "debug");
            log::info!(number = 1, text = "a b"; "at {}", "info");
            log::warn!(number = 1, text = "a b"; "at {}", "warn");
            log::error!(number = 1, text = "a b"; "at {}", "error");
            return Ok(());
        }
        "metrics" => {
            metrics::count("seen_total", &[("kind", "a")], 2);
            metrics::count("seen_total", &[("kind", "a")], 3);
            metrics::gauge("level", &[], 1.5);
            metrics::gauge("level", &[], 2.5);
            metrics::observe("took_seconds", &[], 0.25);
            metrics::observe("took_seconds", &[], 0.5);
            return Ok(());
        }
        "metrics_dropped" => {
            for name in ["calls_total", "duration_seconds_sum", "memory_bytes", "No-Name"] {
                metrics::count(name, &[], 1);
            }
            metrics::count("dropped", &[("plugin", "a")], 1);
            metrics::count("dropped", &[("a", "1"), ("a", "2")], 1);
            metrics::count("kept_total", &[], 1);
            return Ok(());
        }
        "limiter_take" => {
            let bucket = Bucket { rate: 0.001, burst: 2 };
            let take = |cost| {
                let verdict = limiter::take("conformance", bucket, cost);
                format!("{} {}", verdict.allowed, verdict.remaining)
            };
            [take(1), take(1), take(1), take(3)].join("|")
        }
        "limiter_enter" => {
            let enter = || limiter::enter("conformance", 1).to_string();
            [enter(), enter()].join("|")
        }
        "limiter_key_too_long" => {
            limiter::take(&"k".repeat(1_025), Bucket { rate: 1.0, burst: 1 }, 1);
            return Ok(());
        }
        "store" => {
            let before = store::get("k")?;
            store::set("k", [0xff, 0x00], None)?;
            let there = store::get("k")?;
            store::delete("k")?;
            store::delete("k")?;
            [before, there, store::get("k")?].map(hex).join("|")
        }
        "store_increment" => {
            let up = store::increment("n", 2, None)?;
            let down = store::increment("n", -5, None)?;
            store::set("t", "text", None)?;
            let text = store::increment("t", 1, None).map(|_| ());
            [up.to_string(), down.to_string(), outcome(text).into()].join("|")
        }
        "store_set_if_absent" => {
            let first = store::set_if_absent("a", "1", None)?;
            let second = store::set_if_absent("a", "2", None)?;
            let value = store::get("a")?.unwrap_or_default();
            format!("{first}|{second}|{}", String::from_utf8(value)?)
        }
        "store_expiry" => {
            store::set("e", "1", Some(Duration::ZERO))?;
            store::set("f", "1", Some(Duration::from_secs(3_600)))?;
            let there = |key| store::get(key).map(|value| value.is_some());
            format!("{}|{}", there("e")?, there("f")?)
        }
        "store_too_large" => {
            let key = store::set(&"k".repeat(1_025), "", None);
            let value = store::set("big", vec![0; 1_048_577], None);
            [outcome(key), outcome(value)].join("|")
        }
        "store_key_too_long" => {
            let key = "k".repeat(1_025);
            let get = store::get(&key).map(drop);
            let add = store::increment(&key, 1, None).map(drop);
            [outcome(get), outcome(store::delete(&key)), outcome(add)].join("|")
        }
        "random" => {
            let differ = random::bytes(16) != random::bytes(16)
                && random::array::<16>() != random::array::<16>();
            if differ { "differ" } else { "equal" }.into()
        }
        _ => return Ok(()),
    };
    request.set_header("x-out", out)?;
    Ok(())
}

fn hex(value: Option<Vec<u8>>) -> String {
    match value {
        Some(value) => value.iter().map(|byte| format!("{byte:02x}")).collect(),
        None => "none".into(),
    }
}

fn outcome(result: Result<(), StoreError>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(StoreError::Unavailable(_)) => "unavailable",
        Err(StoreError::TooLarge) => "too-large",
    }
}
