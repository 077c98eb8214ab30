//! Asks callers for an API key.
//!
//! In: a key in a header field, a query parameter or a cookie. Out: 401, or the request without
//! its key and with the caller's name as an attribute.
//! Never: shows a key, or takes longer for a better guess.

use weir_sdk::{HeaderError, Plugin, Reply, Request, Result, Secret, Verdict, bail};

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
    header: String,
    /// The query parameter that carries the key where the header field is absent.
    query: Option<String>,
    /// The cookie that carries the key where neither of the others is there.
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
    /// Where a key may be, in the order in which they are looked at.
    places: Vec<Place>,
    hide: bool,
    challenge: String,
}

enum Place {
    Header(String),
    Query(String),
    Cookie(String),
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
        let places: Vec<_> = [
            Some(config.header)
                .filter(|name| !name.is_empty())
                .map(Place::Header),
            config.query.map(Place::Query),
            config.cookie.map(Place::Cookie),
        ]
        .into_iter()
        .flatten()
        .collect();
        if places.is_empty() {
            bail!("no place for a key is left: name a `header`, a `query` or a `cookie`");
        }
        if config
            .realm
            .contains(|c: char| matches!(c, '"' | '\\') || c.is_control())
        {
            bail!("`realm` may have no quotes, backslashes or control characters");
        }
        Ok(Self {
            keys: Keys::new(config.keys)?,
            places,
            hide: config.hide,
            challenge: format!("ApiKey realm=\"{}\"", config.realm),
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        for place in &self.places {
            let Some(candidates) = place.read(request) else {
                continue;
            };
            // One key, or none: which of several would the upstream believe?
            let [candidate] = candidates.as_slice() else {
                return Ok(self.refuse("one key is allowed, several were sent"));
            };
            let Some(name) = self.keys.find(candidate) else {
                return Ok(self.refuse("the key is not known"));
            };
            if self.hide {
                place.strip(request)?;
            }
            request.set_attribute("auth.scheme", "key");
            if let Some(name) = name {
                request.set_attribute("auth.subject", name);
            }
            return Ok(Verdict::Forward);
        }
        Ok(self.refuse("a key is needed"))
    }
}

impl KeyAuth {
    fn refuse(&self, detail: &str) -> Verdict {
        Reply::problem(401, "Unauthorized", detail)
            .header("www-authenticate", &self.challenge)
            .into()
    }
}

impl Place {
    /// What was sent here; `None` for nothing.
    fn read(&self, request: &Request) -> Option<Vec<Vec<u8>>> {
        let found: Vec<Vec<u8>> = match self {
            Self::Header(name) => request
                .header_values(name)
                .into_iter()
                .map(weir_sdk::FieldValue::into_bytes)
                .collect(),
            Self::Query(name) => request
                .target()
                .parameters()
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned().into_bytes())
                .collect(),
            Self::Cookie(name) => request
                .cookie(name)
                .into_iter()
                .map(String::into_bytes)
                .collect(),
        };
        (!found.is_empty()).then_some(found)
    }

    fn strip(&self, request: &mut Request) -> Result<(), HeaderError> {
        match self {
            Self::Header(name) => request.remove_header(name),
            Self::Query(name) => request.remove_query(name),
            Self::Cookie(name) => request.remove_cookie(name),
        }
    }
}
