//! Limits how often, and how many at once, a client may ask.
//!
//! In: a request, and the host's token buckets and in-flight counts, which all workers share.
//! Out: the request goes on, or is answered 429 with `Retry-After`; the response tells the client
//! what is left. Never: counts by itself; an instance sees only a part of the traffic.

mod config;
mod fields;
mod key;
#[cfg(test)]
mod tests;

use weir_sdk::limiter::{self, Bucket};
use weir_sdk::{Error, Plugin, Problems, Reply, Request, Response, Result, Template, Verdict};

use config::Config;
use fields::{Digits, seconds};

struct RateLimit {
    key: Template,
    bucket: Option<Bucket>,
    in_flight: Option<u32>,
    /// The refusal, but for the fields that have numbers.
    refusal: Reply,
    headers: bool,
    /// `RateLimit-Limit`.
    limit: Digits,
    /// Where the request hook leaves `REMAINING RESET` for the response hook. It holds the limit,
    /// so that several of these plugins on one route do not read each other's.
    attribute: String,
}

#[weir_sdk::plugin]
impl Plugin for RateLimit {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        let mut problems = Problems::new();
        let bucket = problems.take(config.bucket()).flatten();
        if config.rate.is_none() && config.in_flight.is_none() {
            problems.add(Error::new("nothing is limited").help("set `rate` or `in_flight`"));
        }
        if config.in_flight == Some(0) {
            problems.add(Error::new("0 would refuse every request").at("in_flight"));
        }
        if !(400..=599).contains(&config.status) {
            let error = Error::new(format!("{} is no error, 400 to 599", config.status));
            problems.add(error.at("status"));
        }
        let key = config.key.0;
        if key.as_static().is_some() {
            let error = Error::new(format!("`{}` is the same for every request", key.source()));
            problems.add(error.help("for one limit of all write \"{route}\"").at("key"));
        }
        let burst = bucket.map_or(0, |it| it.burst);
        problems.or(RateLimit {
            attribute: format!(
                "_rate-limit {} {}/{} {burst}",
                key.source(),
                config.rate.unwrap_or(0),
                config.per
            ),
            key,
            bucket,
            in_flight: config.in_flight,
            refusal: refusal(config.status),
            headers: config.headers && bucket.is_some(),
            limit: Digits::of(burst.into()),
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let key = self.key.render_str(request);
        let key = key::short(&key);
        if let Some(bucket) = self.bucket {
            let taken = limiter::take(&key, bucket, 1);
            let wait = seconds(taken.wait_millis);
            if !taken.allowed {
                return Ok(self.refuse(wait, Some(taken.remaining)));
            }
            if self.headers {
                let (left, reset) = (Digits::of(taken.remaining.into()), Digits::of(wait));
                request.set_attribute(&self.attribute, fields::join(&left, &reset).as_str());
            }
        }
        if let Some(limit) = self.in_flight
            && !limiter::enter(&key, limit)
        {
            // Somebody may leave at any time: the smallest wait there is.
            return Ok(self.refuse(1, None));
        }
        Ok(Verdict::Forward)
    }

    fn on_response(&self, request: &Request, response: &mut Response) -> Result {
        if !self.headers {
            return Ok(());
        }
        let Some(left) = request.attribute(&self.attribute) else {
            return Ok(()); // refused: the reply says it
        };
        let Some((remaining, reset)) = left.split_once(' ') else {
            return Ok(());
        };
        response.set_header(fields::LIMIT, self.limit.as_bytes())?;
        response.set_header(fields::REMAINING, remaining)?;
        response.set_header(fields::RESET, reset)?;
        Ok(())
    }
}

// === impl RateLimit ===

impl RateLimit {
    /// The refusal: try again after `wait` seconds; `remaining` where a bucket had too little.
    fn refuse(&self, wait: u64, remaining: Option<u32>) -> Verdict {
        let wait = Digits::of(wait.max(1));
        let mut reply = self.refusal.clone().header("retry-after", wait.as_bytes());
        if let (true, Some(remaining)) = (self.headers, remaining) {
            reply = reply
                .header(fields::LIMIT, self.limit.as_bytes())
                .header(fields::REMAINING, Digits::of(remaining.into()).as_bytes())
                .header(fields::RESET, wait.as_bytes());
        }
        reply.into()
    }
}

/// RFC 9457, written by hand: a JSON writer would be a sixth of the component.
fn refusal(status: u16) -> Reply {
    let status_text = Digits::of(status.into());
    let body = [
        "{\"status\":",
        status_text.as_str(),
        ",\"title\":\"Too many requests\",\"detail\":\"Try again later.\"}",
    ];
    Reply::new(status).header("content-type", "application/problem+json").body(body.concat())
}
