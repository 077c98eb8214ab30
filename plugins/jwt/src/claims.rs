//! The claims of a token (RFC 7519, 4.1), and what is expected of them.
//!
//! In: a payload whose signature was good. Out: what the plugin tells of it, or a refusal.
//! Never: builds a tree of the claims: those that matter are looked at where they stand.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use weir_sdk::Duration;

use crate::refusal::Refusal;
use crate::verified::Verified;

/// What is expected of a token.
#[derive(Debug)]
pub struct Expected {
    /// The claims that matter; first those of [`FIXED`].
    names: Vec<String>,
    issuers: Option<Vec<String>>,
    audiences: Option<Vec<String>>,
    leeway: f64,
    /// Places in `names`.
    required: Vec<usize>,
    /// Places in `names`, in the order of the configuration.
    mapped: Vec<usize>,
}

/// The claims that are read by themselves.
const FIXED: [&str; 5] = ["exp", "nbf", "sub", "iss", "aud"];

/// A subject longer than this is not told: attributes have 16 KiB in all.
const MAX_SUBJECT: usize = 1 << 10;

/// Reads the claims of `names`, each as the JSON text it is.
struct Wanted<'a>(&'a [String]);

// === impl Expected ===

impl Expected {
    pub fn new(
        issuers: Option<Vec<String>>,
        audiences: Option<Vec<String>>,
        leeway: Duration,
        required: Vec<String>,
        mapped: Vec<String>,
    ) -> Self {
        let mut names: Vec<String> = FIXED.map(String::from).into();
        let mut place = |name: String| match names.iter().position(|known| *known == name) {
            Some(at) => at,
            None => {
                names.push(name);
                names.len() - 1
            }
        };
        Self {
            required: required.into_iter().map(&mut place).collect(),
            mapped: mapped.into_iter().map(&mut place).collect(),
            names,
            issuers,
            audiences,
            leeway: leeway.as_secs_f64(),
        }
    }

    /// Checks everything but the time.
    pub fn check(&self, payload: &[u8]) -> Result<Verified, Refusal> {
        let mut json = serde_json::Deserializer::from_slice(payload);
        let claims = Wanted(&self.names)
            .deserialize(&mut json)
            .and_then(|claims| json.end().map(|()| claims))
            .map_err(|_| Refusal::Malformed)?;
        let [exp, nbf, sub, iss, aud, ..] = *claims.as_slice() else {
            return Err(Refusal::Malformed);
        };

        let present = |at: &usize| claims.get(*at).copied().flatten();
        if !self.required.iter().all(|at| present(at).is_some()) {
            return Err(Refusal::Claim);
        }
        if let Some(issuers) = &self.issuers {
            let issuer = iss.and_then(text).ok_or(Refusal::Issuer)?;
            if !issuers.contains(&issuer) {
                return Err(Refusal::Issuer);
            }
        }
        if let Some(audiences) = &self.audiences {
            let audience = aud.and_then(texts).ok_or(Refusal::Audience)?;
            if !audience.iter().any(|name| audiences.contains(name)) {
                return Err(Refusal::Audience);
            }
        }
        Ok(Verified {
            until: date(exp)?.map_or(f64::INFINITY, |date| date + self.leeway),
            from: date(nbf)?.map_or(f64::NEG_INFINITY, |date| date - self.leeway),
            subject: sub.and_then(text).filter(|subject| subject.len() <= MAX_SUBJECT),
            mapped: self
                .mapped
                .iter()
                .map(|at| present(at).map(field).transpose())
                .collect::<Result<_, _>>()?,
        })
    }
}

/// A NumericDate: seconds since the epoch.
fn date(claim: Option<&RawValue>) -> Result<Option<f64>, Refusal> {
    let Some(claim) = claim else { return Ok(None) };
    match claim.get().parse::<f64>() {
        Ok(date) if date.is_finite() => Ok(Some(date)),
        _ => Err(Refusal::Malformed),
    }
}

fn text(claim: &RawValue) -> Option<String> {
    serde_json::from_str(claim.get()).ok()
}

/// One text, or a list of them.
fn texts(claim: &RawValue) -> Option<Vec<String>> {
    text(claim).map(|text| vec![text]).or_else(|| serde_json::from_str(claim.get()).ok())
}

/// A claim as the value of a header field: a text as it is, a list of texts with commas, anything
/// else as JSON.
fn field(claim: &RawValue) -> Result<Vec<u8>, Refusal> {
    let value = match texts(claim) {
        Some(texts) => texts.join(","),
        None => claim.get().to_owned(),
    };
    if value.contains(|c: char| c.is_ascii_control()) {
        return Err(Refusal::Claim);
    }
    Ok(value.into_bytes())
}

// === impl Wanted ===

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the claims of a token")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut claims = vec![None; self.0.len()];
        while let Some(at) = map.next_key_seed(Name(self.0))? {
            let Some(claim) = at.and_then(|at| claims.get_mut(at)) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            // RFC 7519, 4: names are unique. Two readers might choose differently.
            if claim.is_some() {
                return Err(A::Error::custom("a claim is there twice"));
            }
            // `null` says no more than nothing, but it takes the claim's place.
            *claim = Some(map.next_value::<&RawValue>()?);
        }
        for claim in &mut claims {
            *claim = claim.filter(|value| value.get() != "null");
        }
        Ok(claims)
    }
}

/// Finds the place of a name without keeping it.
struct Name<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a claim")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| known == name))
    }
}
