//! Asks callers for a name and a password (RFC 7617).
//!
//! In: the `authorization` field. Out: 401 with a challenge, or the request without the
//! credentials and with the caller's name as an attribute.
//! Never: keeps or shows a password, or answers sooner for a name that nobody has.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use weir_sdk::{Duration, Error, Plugin, Problems, Reply, Request, Result, Secret, Verdict, store};

mod cost;
mod password;
#[cfg(test)]
mod tests;

use cost::{MAX_PASSWORD, Purse};
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
    /// How long good credentials are remembered, so that they need not be hashed again; "0s": not.
    #[serde(default = "remember")]
    remember: Duration,
}

struct BasicAuth {
    /// Sorted by name.
    users: Vec<User>,
    challenge: String,
    hide: bool,
    /// How long the store keeps the [`tag`](Self::tag) of credentials that were found good.
    remember: Duration,
    /// HMAC with a key that only this configuration's instances have.
    tag: Hmac<Sha256>,
    /// A hash over all that is secret here.
    lure: Sha256,
}

struct User {
    name: String,
    password: Password,
    /// The longest that is compared with it, in bytes: SHA-crypt takes the longer the longer it is.
    longest: usize,
}

fn realm() -> String {
    "restricted".into()
}

fn hide() -> bool {
    true
}

fn remember() -> Duration {
    Duration::from_secs(3600)
}

#[weir_sdk::plugin]
impl Plugin for BasicAuth {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        let mut problems = Problems::new();
        if config.users.is_empty() {
            let error = Error::new("it is empty, so nobody could pass");
            problems.add(error.help("write at least one").at("users"));
        }
        if config.realm.contains(['"', '\\']) || config.realm.contains(char::is_control) {
            let error = Error::new("a realm has no quotes, backslashes or control characters");
            problems.add(error.at("realm"));
        }
        let mut lure = Sha256::new();
        let mut users = Vec::with_capacity(config.users.len());
        for (name, secret) in config.users {
            if name.contains(':') || name.contains(char::is_control) {
                let error = format!("{name:?} has a colon or a control character (RFC 7617, 2)");
                problems.add(Error::new(error).help("rename it").at(&name).at("users"));
            }
            lure.update(secret.expose());
            let password = Password::parse(secret).map_err(|error| error.at(&name).at("users"));
            let user = |password| User { name, password, longest: MAX_PASSWORD };
            users.extend(problems.take(password).map(user));
        }
        let mut purse = Purse::new();
        for user in &mut users {
            if let Some(cost) = user.password.cost() {
                let longest = purse.longest_password(cost);
                let longest = longest.map_err(|error| error.at(&user.name).at("users"));
                user.longest = problems.take(longest).unwrap_or_default();
            }
        }
        problems.or(Self {
            users,
            challenge: format!("Basic realm=\"{}\", charset=\"UTF-8\"", config.realm),
            hide: config.hide,
            remember: config.remember,
            tag: Hmac::new_from_slice(&key(&lure))?,
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
        let Some((user, is_known)) = self.measure(name) else {
            return Ok(self.refuse("name or password is wrong"));
        };
        if password.len() > user.longest {
            let detail = format!("the password is longer than {} bytes", user.longest);
            return Ok(self.refuse(&detail));
        }
        if !self.verify(name, password, user, is_known)? {
            return Ok(self.refuse("name or password is wrong"));
        }
        if self.hide {
            request.remove_header("authorization")?;
        }
        request.set_attribute("auth.scheme", "basic");
        request.set_attribute("auth.subject", &user.name);
        Ok(Verdict::Forward)
    }
}

impl BasicAuth {
    /// Whom a name is measured by: the user who has it, or for one that nobody has another, so that it
    /// takes the same time and as long a password.
    fn measure(&self, name: &[u8]) -> Option<(&User, bool)> {
        let found = self.users.binary_search_by(|user| user.name.as_bytes().cmp(name));
        // Asked for in any case.
        let stand_in = self.stand_in(name);
        let is_known = found.is_ok();
        let user = found.ok().and_then(|at| self.users.get(at)).or(stand_in)?;
        Some((user, is_known))
    }

    /// Whether these are the credentials of the user, who is known or stands in.
    fn verify(&self, name: &[u8], password: &[u8], user: &User, is_known: bool) -> Result<bool> {
        // A plain password costs less than the look-up would.
        if user.password.cost().is_none() || self.remember.is_zero() {
            return Ok(user.matches(password)? & is_known);
        }
        let tag = self.tag(name, password);
        if store::get(&tag)?.is_some() {
            return Ok(true);
        }
        if !(user.matches(password)? & is_known) {
            return Ok(false);
        }
        store::set(&tag, [], Some(*self.remember))?;
        Ok(true)
    }

    /// Whose password a name that nobody has is measured by: the same each time and in every
    /// instance, as that of a real user is, and not to be foretold.
    fn stand_in(&self, name: &[u8]) -> Option<&User> {
        let hash = self.lure.clone().chain_update(name).finalize();
        let number = hash.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        self.users.get((number % self.users.len() as u64) as usize)
    }

    /// What the store knows credentials by: nothing that leads back to them.
    fn tag(&self, name: &[u8], password: &[u8]) -> String {
        let tag = self.tag.clone().chain_update(name).chain_update(b":").chain_update(password);
        tag.finalize().into_bytes().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn refuse(&self, detail: &str) -> Verdict {
        Reply::problem(401, "Unauthorized", detail)
            .header("www-authenticate", &self.challenge)
            .into()
    }
}

// === impl User ===

impl User {
    fn matches(&self, password: &[u8]) -> Result<bool> {
        self.password.matches(password).map_err(|error| {
            error.context(format_args!("cannot compare with the hash of the user {:?}", self.name))
        })
    }
}

/// The key of all instances that have these passwords, and of no others: a changed password forgets
/// what was remembered. Nobody can guess it who does not have every hash of the configuration.
fn key(lure: &Sha256) -> [u8; 32] {
    lure.clone()
        .chain_update(b"weir basic-auth: credentials that were found good")
        .finalize()
        .into()
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
