//! Asks callers for a name and a password (RFC 7617).
//!
//! In: the `authorization` field. Out: 401 with a challenge, or the request without the
//! credentials and with the caller's name as an attribute.
//! Never: keeps or shows a password, or answers sooner for a name that nobody has.

use std::cell::RefCell;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use weir_sdk::{Cache, Plugin, Reply, Request, Result, Secret, Verdict, bail, random};

mod password;
#[cfg(test)]
mod tests;

use password::Password;

/// What the operator writes under `config = { … }`.
#[weir_sdk::config]
struct Config {
    /// Names and their passwords: a hash ($2b$…, $argon2id$…, $5$…, $6$…) or `plain:` and the
    /// password.
    users: BTreeMap<String, Secret>,
    /// The protection space, shown by browsers.
    #[serde(default = "realm")]
    realm: String,
    /// Takes the credentials out of what the upstream sees.
    #[serde(default = "hide")]
    hide: bool,
    /// The number of good credentials that an instance remembers, so that it need not hash them
    /// again; 0: none.
    #[serde(default = "cache")]
    cache: usize,
}

struct BasicAuth {
    /// Sorted by name.
    users: Vec<User>,
    challenge: String,
    hide: bool,
    /// Credentials that were found good, by their [`tag`](Self::tag).
    cache: RefCell<Cache<()>>,
    /// HMAC with a key of this instance's own.
    tag: Hmac<Sha256>,
    /// A hash over all that is secret here.
    lure: Sha256,
}

struct User {
    name: String,
    password: Password,
}

fn realm() -> String {
    "restricted".into()
}

fn hide() -> bool {
    true
}

fn cache() -> usize {
    1024
}

#[weir_sdk::plugin]
impl Plugin for BasicAuth {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        if config.users.is_empty() {
            bail!("`users` is empty, so nobody could pass: write at least one");
        }
        if config.realm.contains(['"', '\\']) || config.realm.contains(char::is_control) {
            bail!("`realm` may have no quotes, backslashes or control characters");
        }
        let mut lure = Sha256::new();
        let mut users = Vec::with_capacity(config.users.len());
        for (name, secret) in config.users {
            if name.contains(':') || name.contains(char::is_control) {
                bail!("users: {name:?} has a colon or a control character (RFC 7617, 2)");
            }
            lure.update(secret.expose());
            let password =
                Password::parse(secret).map_err(|error| error.context(format!("users.{name}")))?;
            users.push(User { name, password });
        }
        Ok(Self {
            users,
            challenge: format!("Basic realm=\"{}\", charset=\"UTF-8\"", config.realm),
            hide: config.hide,
            cache: RefCell::new(Cache::new(config.cache)),
            tag: Hmac::new_from_slice(&random::array::<32>())?,
            lure,
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let values = request.header_values("authorization");
        let value = match values.as_slice() {
            [one] => one,
            [] => return Ok(self.refuse("a name and a password are needed")),
            _ => return Ok(self.refuse("one `authorization` field is allowed, several were sent")),
        };
        let credentials = decode(value);
        let Some((name, password)) = credentials.as_deref().and_then(split) else {
            return Ok(self.refuse("a name and a password are needed"));
        };
        let Some(user) = self.verify(name, password) else {
            return Ok(self.refuse("name or password is wrong"));
        };
        if self.hide {
            request.remove_header("authorization")?;
        }
        request.set_attribute("auth.scheme", "basic");
        request.set_attribute("auth.subject", user);
        Ok(Verdict::Forward)
    }
}

impl BasicAuth {
    /// The user whose credentials these are.
    fn verify(&self, name: &[u8], password: &[u8]) -> Option<&str> {
        let found = self.users.binary_search_by(|user| user.name.as_bytes().cmp(name));
        // Asked for in any case, so that it takes the same time.
        let stand_in = self.stand_in(name)?;
        let known = found.is_ok();
        let user = found.ok().and_then(|at| self.users.get(at)).unwrap_or(stand_in);

        // A plain password costs less than the look-up would.
        if user.password.is_cheap() {
            return (user.password.matches(password) & known).then_some(&user.name);
        }
        let tag = self.tag(name, password);
        if self.cache.borrow_mut().get(&tag).is_some() {
            return Some(&user.name);
        }
        if user.password.matches(password) & known {
            self.cache.borrow_mut().put(&tag, ());
            return Some(&user.name);
        }
        None
    }

    /// Whose password a name that nobody has is measured by: the same each time and in every
    /// instance, as that of a real user is, and not to be foretold.
    fn stand_in(&self, name: &[u8]) -> Option<&User> {
        let hash = self.lure.clone().chain_update(name).finalize();
        let number = hash.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        self.users.get((number % self.users.len() as u64) as usize)
    }

    /// What the cache knows credentials by: nothing that leads back to them.
    fn tag(&self, name: &[u8], password: &[u8]) -> [u8; 32] {
        let tag = self.tag.clone().chain_update(name).chain_update(b":").chain_update(password);
        tag.finalize().into_bytes().into()
    }

    fn refuse(&self, detail: &str) -> Verdict {
        Reply::problem(401, "Unauthorized", detail)
            .header("www-authenticate", &self.challenge)
            .into()
    }
}

/// The credentials behind `Basic`, whose case does not matter (RFC 7235, 2.1).
fn decode(value: &[u8]) -> Option<Vec<u8>> {
    let (scheme, credentials) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    STANDARD.decode(credentials.trim_ascii()).ok()
}

/// The name has no colon, the password may (RFC 7617, 2).
fn split(credentials: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = credentials.iter().position(|byte| *byte == b':')?;
    Some((credentials.get(..colon)?, credentials.get(colon + 1..)?))
}
