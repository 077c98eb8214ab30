//! Uses as much of the host as the request's field `x-greed` asks for.
//!
//! In: what to do, and in `x-count` how often or how large. Out: what came of it, in the response's
//! `x-out`. Never: greedy by itself.

use std::time::Duration;

use weir_sdk::limiter::{self, Bucket};
use weir_sdk::{
    NoConfig, Plugin, Reply, Request, Response, Result, StoreError, Transform, Verdict, bail, log,
    metrics, random, store,
};

struct Greedy;

#[weir_sdk::plugin]
impl Plugin for Greedy {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self> {
        Ok(Greedy)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let greed = request.header_str("x-greed").unwrap_or_default();
        let count = request.header_str("x-count").and_then(|text| text.parse().ok()).unwrap_or(1);
        let salt = request.header_str("x-salt").unwrap_or_default();
        let out = match greed.as_str() {
            "limiter-keys" => limiter_keys(&salt, SLOW, count),
            "limiter-quick-keys" => limiter_keys(&salt, QUICK, count),
            "limiter-key" => {
                limiter::take(&"k".repeat(count), SLOW, 1);
                String::new()
            }
            "limiter-places" => {
                let entered = (0..count).filter(|key| limiter::enter(&format!("{salt} {key}"), 1));
                entered.count().to_string()
            }
            "store-keys" => store_keys(&salt, count),
            "store-key" => outcome(store::get(&"k".repeat(count)).map(drop)),
            "store-value" => outcome(store::set("big", vec![0; count], None)),
            "metric-sets" => {
                let text = "v".repeat(500);
                for set in 0..count {
                    metrics::observe("greedy", &[("set", &format!("{set}")), ("text", &text)], 1.0);
                }
                String::new()
            }
            "metric-labels" => {
                let text = "v".repeat(count);
                metrics::count("long", &[("text", &text)], 1);
                metrics::count(&text, &[], 1);
                metrics::count("many", &vec![("text", "v"); count / 16], 1);
                String::new()
            }
            "metric-reserved" => {
                metrics::count("calls_total", &[], 1);
                metrics::count("No-Name", &[], 1);
                metrics::count("calls_total", &[], 1);
                String::new()
            }
            "read-body" => request.read_body(count as u64)?.len().to_string(),
            "set-body" => {
                request.set_body(vec![b'b'; count]);
                String::new()
            }
            "limit-body" => {
                request.limit_body(count as u64);
                bail!("failed on purpose");
            }
            "limit-and-read" => {
                request.limit_body(count as u64);
                if request.read_body(1 << 20).is_err() {
                    bail!("failed on purpose");
                }
                String::new()
            }
            "print" => {
                let text = "a\n".repeat(count / 2);
                // As a toolchain writes that does not ask how much it may.
                print!("{text}");
                String::new()
            }
            "print-part" => {
                print!("{}", "p".repeat(count));
                String::new()
            }
            "log-lines" => {
                for line in 0..count {
                    log::info!("line {line}");
                }
                String::new()
            }
            "log-text" => {
                let text = "\u{1}".repeat(count);
                log::log(log::Level::Info, &text, &[(&text, &text)]);
                log::log(log::Level::Info, "fields", &vec![("name", "value"); count / 16]);
                String::new()
            }
            "panic-text" => panic!("{}", "p".repeat(count)),
            "error-text" => bail!("{}", "e".repeat(count)),
            "reply" => return Ok(Reply::new(200).body(vec![b'r'; count]).into()),
            "reply-delayed" => {
                let reply = Reply::new(200).body(vec![b'r'; count]);
                return Ok(reply.delay(Duration::from_secs(120)).into());
            }
            "reply-name" => return Ok(Reply::new(200).header("n".repeat(count), "v").into()),
            "reply-fields" => {
                let reply = Reply::new(200);
                return Ok((0..count)
                    .fold(reply, |it, at| it.header(format!("x-{at}"), "v"))
                    .into());
            }
            "header-value" => outcome_of(&request.set_header("x-big", "v".repeat(count))),
            "header-name" => outcome_of(&request.set_header(&"n".repeat(count), "v")),
            "method" => outcome_of(&request.set_method(&"M".repeat(count))),
            "authority" => outcome_of(&request.set_authority(&"a".repeat(count))),
            "path" => outcome_of(&request.set_path_with_query(&"/p".repeat(count))),
            "attribute" => {
                request.set_attribute("big", &"v".repeat(count));
                String::new()
            }
            "attribute-key" => {
                request.set_attribute(&"k".repeat(count), "v");
                String::new()
            }
            "random" => random::bytes(count).len().to_string(),
            "surroundings" => surroundings(),
            "add-fields" => {
                for at in 0..count {
                    request.set_header(&format!("x-added-{at}"), "v")?;
                }
                String::new()
            }
            _ => return Ok(Verdict::Forward),
        };
        request.set_header("x-out", &*out)?;
        request.set_attribute("out", &out);
        Ok(Verdict::Forward)
    }

    fn on_response(&self, request: &Request, response: &mut Response) -> Result {
        match request.header_str("x-greed").as_deref() {
            Some("response-fields") => {
                for at in 0..10 {
                    response.set_header(&format!("x-added-{at}"), "v")?;
                }
            }
            _ => {
                if let Some(out) = request.attribute("out") {
                    response.set_header("x-out", out)?;
                }
            }
        }
        Ok(())
    }

    fn on_request_body(&self, request: &Request) -> Option<Box<dyn Transform>> {
        Gives::asked(request, "request-")
    }

    fn on_response_body(&self, request: &Request, _: &Response) -> Option<Box<dyn Transform>> {
        Gives::asked(request, "response-")
    }
}

/// Gives so many bytes for each chunk, or at the end.
struct Gives {
    push: usize,
    finish: usize,
}

impl Gives {
    fn asked(request: &Request, hook: &str) -> Option<Box<dyn Transform>> {
        let greed = request.header_str("x-greed")?;
        let count = request.header_str("x-count")?.parse().ok()?;
        match greed.strip_prefix(hook)? {
            "push" => Some(Box::new(Gives { push: count, finish: 0 })),
            "finish" => Some(Box::new(Gives { push: 0, finish: count })),
            _ => None,
        }
    }
}

impl Transform for Gives {
    fn push(&mut self, _: Vec<u8>) -> Result<Vec<u8>> {
        Ok(vec![b'p'; self.push])
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        Ok(vec![b'f'; self.finish])
    }
}

/// What there is to be seen of the process and of its machine.
fn surroundings() -> String {
    let mut variables: Vec<String> =
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    variables.sort_unstable();
    let read = std::fs::read_dir("/").is_ok() || std::fs::read("/etc/hostname").is_ok();
    let written = std::fs::write("/tmp/weir-greedy", "x").is_ok();
    let folder = std::env::current_dir().is_ok_and(|folder| folder.read_dir().is_ok());
    format!(
        "arguments {}; variables {}; read {read}; written {written}; folder {folder}",
        std::env::args_os().count(),
        variables.join(" "),
    )
}

/// Is not full again within a test.
const SLOW: Bucket = Bucket { rate: 0.001, burst: 1_000 };

/// Is full again at once.
const QUICK: Bucket = Bucket { rate: 1e6, burst: 1_000 };

fn limiter_keys(salt: &str, bucket: Bucket, count: usize) -> String {
    let mut key = "k".repeat(900);
    let start = key.len();
    for number in 0..count {
        key.truncate(start);
        key += &format!("{salt} {number}");
        limiter::take(&key, bucket, 1);
    }
    String::new()
}

fn store_keys(salt: &str, count: usize) -> String {
    for number in 0..count {
        if let Err(error) = store::set(&format!("{salt} {number}"), [0; 1 << 10], None) {
            return outcome(Err(error));
        }
    }
    "ok".into()
}

fn outcome(result: Result<(), StoreError>) -> String {
    match result {
        Ok(()) => "ok".into(),
        Err(StoreError::TooLarge) => "too-large".into(),
        Err(StoreError::Unavailable(why)) => why,
    }
}

fn outcome_of(result: &Result<(), weir_sdk::HeaderError>) -> String {
    match result {
        Ok(()) => "ok".into(),
        Err(error) => format!("{:?}", error.reason),
    }
}
