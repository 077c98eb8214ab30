//! Asks callers for an API key.
//!
//! In: a key in a header field, a query parameter or a cookie. Out: 401, or the request without
//! its key and with the caller's name as an attribute.
//! Never: shows a key, takes longer for a better guess, or forwards a key that it did not check.

use weir_sdk::{Error, Place, Plugin, Problems, Reply, Request, Result, Secret, Sent, Verdict};

mod keys;
#[cfg(test)]
mod tests;

use keys::Keys;

/// What the operator writes under `config = { … }`.
#[weir_sdk::config]
struct Config {
    /// The keys that open the door.
    keys: Vec<Key>,
    /// The header field that carries the key; empty: none does.
    #[serde(default = "header")]
    #[schema(credential = "header")]
    header: String,
    /// The query parameter that may carry the key instead.
    #[schema(credential = "query")]
    query: Option<String>,
    /// The cookie that may carry the key instead.
    #[schema(credential = "cookie")]
    cookie: Option<String>,
    /// Takes the key out of the request that the upstream sees.
    #[serde(default = "hide")]
    hide: bool,
    /// The protection space that a 401 names.
    #[serde(default = "realm")]
    realm: String,
}

/// One key.
#[weir_sdk::config]
#[serde(untagged)]
enum Key {
    /// The key alone.
    Text(Secret),
    /// A key and whose it is.
    Named {
        /// The key.
        key: Secret,
        /// Whose it is: the attribute `auth.subject`.
        name: String,
    },
}

struct KeyAuth {
    keys: Keys,
    /// Where a key may be.
    places: Vec<Place>,
    hide: bool,
    challenge: String,
}

fn header() -> String {
    "x-api-key".into()
}

fn hide() -> bool {
    true
}

fn realm() -> String {
    "restricted".into()
}

#[weir_sdk::plugin]
impl Plugin for KeyAuth {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        let places = Place::all(config.header, config.query, config.cookie);
        let mut problems = Problems::new();
        if places.is_empty() {
            let error = Error::new("no place for a key is left");
            problems.add(error.help("name a `header`, a `query` or a `cookie`"));
        }
        if config.realm.contains(|c: char| matches!(c, '"' | '\\') || c.is_control()) {
            let error = Error::new("a realm has no quotes, backslashes or control characters");
            problems.add(error.at("realm"));
        }
        let keys = problems.take(Keys::new(config.keys).map_err(|error| error.at("keys")));
        problems.or_missing(keys.map(|keys| Self {
            keys,
            places,
            hide: config.hide,
            challenge: format!("ApiKey realm=\"{}\"", config.realm),
        }))
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let (place, candidate) = match Place::sent(&self.places, request, |_, _| true) {
            Sent::One(place, candidate) => (place, candidate),
            Sent::Nothing => return Ok(self.refuse("a key is needed")),
            // Which of them would the upstream believe?
            Sent::Several => {
                return Ok(self.refuse("one key is allowed, several were sent or may be read"));
            }
        };
        let Some(name) = self.keys.find(&candidate) else {
            return Ok(self.refuse("the key is not known"));
        };
        if self.hide {
            place.strip(request)?;
        }
        request.set_attribute("auth.scheme", "key");
        if let Some(name) = name {
            request.set_attribute("auth.subject", name);
        }
        Ok(Verdict::Forward)
    }
}

impl KeyAuth {
    fn refuse(&self, detail: &str) -> Verdict {
        Reply::problem(401, "Unauthorized", detail)
            .header("www-authenticate", &self.challenge)
            .into()
    }
}
