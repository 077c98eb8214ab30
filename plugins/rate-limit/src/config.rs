//! The configuration as it is written.

use std::borrow::Cow;

use weir_sdk::limiter::Bucket;
use weir_sdk::serde::de::{Deserialize, Deserializer, Error as _};
use weir_sdk::{Duration, Error, Problems, Result, Schema, Template, TemplateError};

/// At least one of `rate` and `in_flight`.
#[weir_sdk::config]
pub struct Config {
    /// Requests allowed in each period, on average.
    #[schema(min = 1)]
    pub rate: Option<u32>,
    /// The period of `rate`.
    #[serde(default = "second")]
    pub per: Duration,
    /// Requests allowed at once after a quiet time. Absent: `rate`.
    #[schema(min = 1)]
    pub burst: Option<u32>,
    /// Who is limited: a variable such as `client.address`, or a text with variables in braces.
    #[serde(default = "client_address")]
    pub key: Key,
    /// Requests of one key under way at the same time.
    #[schema(min = 1)]
    pub in_flight: Option<u32>,
    /// The status of a refusal.
    #[serde(default = "too_many_requests")]
    #[schema(min = 400, max = 599)]
    pub status: u16,
    /// Tell the client in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`.
    #[serde(default = "yes")]
    pub headers: bool,
}

/// A template, where a text without braces is the name of one variable.
pub struct Key(pub Template);

// === impl Config ===

impl Config {
    /// The bucket of each key, if there is a rate.
    pub fn bucket(&self) -> Result<Option<Bucket>> {
        let Some(rate) = self.rate else {
            if self.burst.is_some() {
                let error = Error::new("it needs a `rate` that fills it again");
                return Err(error.at("burst"));
            }
            return Ok(None);
        };
        let mut problems = Problems::new();
        if self.per.is_zero() {
            problems.add(Error::new("the period is 0").help("such as \"1m\"").at("per"));
        }
        for (key, number) in [("rate", Some(rate)), ("burst", self.burst)] {
            if number == Some(0) {
                problems.add(Error::new("0 would refuse every request").at(key));
            }
        }
        problems.or(Some(Bucket {
            rate: f64::from(rate) / self.per.as_secs_f64(),
            burst: self.burst.unwrap_or(rate),
        }))
    }
}

// === impl Key ===

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        let template =
            if text.contains(['{', '}']) { text.parse() } else { format!("{{{text}}}").parse() };
        template.map(Self).map_err(|error: TemplateError| D::Error::custom(error.told()))
    }
}

impl Schema for Key {
    fn members(out: &mut String) {
        out.push_str(r#""type":"string""#);
    }
}

fn second() -> Duration {
    Duration::from_secs(1)
}

fn client_address() -> Key {
    Key("{client.address}".parse().unwrap_or_default())
}

fn too_many_requests() -> u16 {
    429
}

fn yes() -> bool {
    true
}
