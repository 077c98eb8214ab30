//! Calls upstreams in the way that the request's fields ask for.
//!
//! In: `x-call`, `x-call-after` and `x-call-late`, with URLs that are called at once in the request, response and
//! completion hook; how, by `x-method`, `x-with`, `x-timeout` and `x-limit`, and by `x-pad` and `x-value`, bytes more of
//! the path and of a field; and `x-rewrite`, with URLs that every chunk of the request's body is sent to. Out: what came of it, `STATUS BYTES FIELD` or the failure for each,
//! in `x-came`. Never: calls anybody where it was not asked.

use std::time::Duration;

use weir_sdk::outbound::{Call, CallError, send_all};
use weir_sdk::{
    Error, NoConfig, Plugin, Request, Response, Result, Summary, Transform, Verdict, log,
};

struct Calling;

#[weir_sdk::plugin]
impl Plugin for Calling {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self> {
        Ok(Calling)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        if let Some(came) = came(request, "x-call") {
            request.set_header("x-came", came)?;
        }
        Ok(Verdict::Forward)
    }

    fn on_response(&self, request: &Request, response: &mut Response) -> Result {
        if let Some(came) = came(request, "x-call-after") {
            response.set_header("x-came", came)?;
        }
        Ok(())
    }

    fn on_request_body(&self, request: &Request) -> Option<Box<dyn Transform>> {
        let millis = number(request, "x-timeout").unwrap_or(5_000);
        let urls = request.header_str("x-rewrite")?;
        Some(Box::new(Rewrite { urls, timeout: Duration::from_millis(millis) }))
    }

    fn on_complete(&self, request: &Request, _: &Summary) {
        if let Some(came) = came(request, "x-call-late") {
            log::info!("came: {came}");
        }
    }
}

/// Every chunk as the last of some upstreams answers it.
struct Rewrite {
    urls: String,
    timeout: Duration,
}

// === impl Rewrite ===

impl Transform for Rewrite {
    fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>> {
        let mut came = Vec::new();
        for url in self.urls.split_whitespace() {
            let call = Call::post(url).body(chunk.clone()).timeout(self.timeout);
            came = call.send().map_err(Error::from)?.body();
        }
        Ok(came)
    }
}

fn came(request: &Request, field: &str) -> Option<String> {
    let urls = request.header_str(field)?;
    let number = |name: &str| number(request, name);
    let method = request.header_str("x-method").unwrap_or_else(|| "GET".to_owned());
    let padding = |name: &str| "a".repeat(number(name).unwrap_or(0) as usize);
    let calls = urls.split_whitespace().map(|url| {
        let mut call = Call::new(method.as_str(), url.to_owned() + &padding("x-pad"));
        if number("x-value").is_some() {
            call = call.header("x-value", padding("x-value"));
        }
        if let Some((name, value)) = request.header_str("x-with").as_deref().and_then(pair) {
            call = call.header(name, value);
        }
        if method == "POST" {
            call = call.body("a body");
        }
        if let Some(millis) = number("x-timeout") {
            call = call.timeout(Duration::from_millis(millis));
        }
        if let Some(limit) = number("x-limit") {
            call = call.limit(u32::try_from(limit).unwrap_or(u32::MAX));
        }
        call
    });
    let told = send_all(calls).into_iter().map(|outcome| match outcome {
        Ok(answer) => {
            let field = answer.header("x-from").map(|value| value.to_string_lossy().into_owned());
            let fields = answer.headers().len();
            assert!(fields > 0, "an answer has fields");
            format!("{} {} {}", answer.status(), answer.body().len(), field.unwrap_or_default())
        }
        Err(CallError::TooLarge) => "too large".to_owned(),
        Err(error) => format!("{error:?}").to_lowercase(),
    });
    Some(told.collect::<Vec<_>>().join(", "))
}

fn number(request: &Request, name: &str) -> Option<u64> {
    request.header_str(name).and_then(|text| text.parse().ok())
}

fn pair(line: &str) -> Option<(&str, &str)> {
    line.split_once('=')
}
