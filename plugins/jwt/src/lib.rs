//! Lets requests pass that carry a valid JSON Web Token (RFC 7519).
//!
//! In: a token in a header field, a query parameter or a cookie. Out: 401 with the error codes of
//! RFC 6750, or the request with facts of the token in attributes and header fields.
//! Never: believes a token's own word on how to verify it: the type of the key decides. Never
//! forwards a token that it did not verify.

use std::cell::RefCell;

use weir_sdk::{
    Cache, Error, FieldName, Place, Plugin, Problems, Request, Result, Sent, Verdict, clock,
};

mod algorithm;
mod claims;
mod config;
mod jwk;
mod key;
mod keys;
mod material;
mod refusal;
#[cfg(test)]
mod tests;
mod token;
mod verified;

use claims::Expected;
use config::Config;
use keys::Keys;
use refusal::Refusal;
use verified::Verified;

/// Longer tokens are verified each time: what the cache may take has to be bounded.
const MAX_CACHED: usize = 2 << 10;

struct Jwt {
    keys: Keys,
    /// Where a token may be.
    places: Vec<Place>,
    expected: Expected,
    /// Names of the header fields that claims go to, as `expected.mapped` has the claims.
    fields: Vec<FieldName>,
    hide: bool,
    realm: String,
    /// Tokens that were found good but for the time, which is checked again.
    cache: RefCell<Cache<Verified>>,
    /// The decoded part of a token, kept for its capacity.
    scratch: RefCell<Vec<u8>>,
}

#[weir_sdk::plugin]
impl Plugin for Jwt {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        let places = Place::all(config.header, config.query, config.cookie);
        let mut problems = Problems::new();
        if places.is_empty() {
            let error = Error::new("no place for a token is left");
            problems.add(error.help("name a `header`, a `query` or a `cookie`"));
        }
        if config.realm.contains(['"', '\\']) || config.realm.contains(char::is_control) {
            let error = Error::new("a realm has no quotes, backslashes or control characters");
            problems.add(error.at("realm"));
        }
        let fields = config.claims_to_headers.into_iter().filter_map(|(claim, field)| {
            let field = field.writable().map_err(|error| error.at(&claim).at("claims_to_headers"));
            problems.take(field).map(|field| (claim, field))
        });
        let (mapped, fields) = fields.unzip();
        let keys = Keys::new(config.algorithms, config.secret, config.public_key, config.jwks);
        let keys = problems.take(keys);
        problems.or_missing(keys.map(|keys| Self {
            keys,
            places,
            expected: Expected::new(
                config.issuer.map(Into::into),
                config.audience.map(Into::into),
                config.leeway,
                config.require,
                mapped,
            ),
            fields,
            hide: config.hide,
            realm: config.realm,
            cache: RefCell::new(Cache::new(config.cache)),
            scratch: RefCell::default(),
        }))
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let (place, value) = match Place::sent(&self.places, request, is_token) {
            Sent::One(place, value) => (place, value),
            Sent::Nothing => return Ok(Refusal::Missing.reply(&self.realm).into()),
            // Which of them would the upstream believe?
            Sent::Several => return Ok(Refusal::Several.reply(&self.realm).into()),
        };
        if let Err(refusal) = self.admit(bearer(&value).unwrap_or(&value), request)? {
            return Ok(refusal.reply(&self.realm).into());
        }
        if self.hide {
            place.strip(request)?;
        }
        // Credentials of another scheme, which nobody here has verified.
        place.strip_others(&self.places, request)?;
        Ok(Verdict::Forward)
    }
}

impl Jwt {
    /// Verifies the token and tells the upstream and other plugins what it says.
    fn admit(&self, token: &[u8], request: &mut Request) -> Result<Result<(), Refusal>> {
        let now = clock::unix_seconds() as f64;
        let mut cache = self.cache.borrow_mut();
        if let Some(verified) = cache.get(token) {
            return self.tell(verified, now, request);
        }
        let mut scratch = self.scratch.borrow_mut();
        let verified = match token::verify(token, &self.keys, &self.expected, &mut scratch) {
            Ok(verified) => verified,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let told = self.tell(&verified, now, request)?;
        if told.is_ok() && token.len() <= MAX_CACHED {
            cache.put(token, verified);
        }
        Ok(told)
    }

    /// Tells what a verified token says, if now is its time.
    fn tell(
        &self,
        verified: &Verified,
        now: f64,
        request: &mut Request,
    ) -> Result<Result<(), Refusal>> {
        if let Err(refusal) = verified.check_time(now) {
            return Ok(Err(refusal));
        }
        request.set_attribute("auth.scheme", "bearer");
        if let Some(subject) = &verified.subject {
            request.set_attribute("auth.subject", subject);
        }
        for (name, value) in self.fields.iter().zip(&verified.mapped) {
            match value {
                Some(value) => request.set_header(name, value)?,
                // Or the caller could say it in the token's stead.
                None => request.remove_header(name)?,
            }
        }
        Ok(Ok(()))
    }
}

/// Whether something that was sent is a token, however bad: in `authorization` another scheme is
/// not.
fn is_token(place: &Place, value: &[u8]) -> bool {
    match place {
        Place::Header(name) if name.eq_ignore_ascii_case("authorization") => {
            bearer(value).is_some()
        }
        _ => true,
    }
}

/// The token behind `Bearer` (RFC 6750, 2.1), which may be missing anywhere but in `authorization`.
/// Whatever white space stands behind the scheme: some upstreams take any.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(6)?;
    let ends = token.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    (ends && scheme.eq_ignore_ascii_case(b"bearer")).then(|| token.trim_ascii())
}
