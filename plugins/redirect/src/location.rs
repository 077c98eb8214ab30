//! The parts of a `Location`: origins and paths.
//!
//! In: what the configuration and the request say. Out: a URL, or a path with one slash first.
//! Never: a path that a browser would take for a host.

use weir_sdk::{Error, Result, Schema};

/// `http` or `https`.
#[weir_sdk::config]
#[derive(Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plaintext.
    Http,
    /// TLS.
    Https,
}

/// A host, without a port.
#[weir_sdk::config]
#[serde(try_from = "String")]
pub struct Host(pub String);

/// A path, perhaps with a query.
#[weir_sdk::config]
#[serde(try_from = "String")]
pub struct Path(pub String);

/// The status of a redirect (RFC 9110, 15.4); 308 where none is said.
#[derive(weir_sdk::serde::Deserialize)]
#[serde(crate = "weir_sdk::serde", try_from = "u16")]
pub struct Status(pub u16);

/// Scheme, host and port; the port of the scheme is no port.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    pub scheme: Scheme,
    pub host: &'a str,
    pub port: Option<u16>,
}

/// One prefix for another: `{ from = "/old", to = "/new" }`.
#[weir_sdk::config]
#[serde(try_from = "Prefixes")]
pub struct Prefix {
    from: String,
    to: String,
}

/// The prefixes as they are written.
#[weir_sdk::config]
struct Prefixes {
    /// The prefix of whole segments that goes; `/` fits every path.
    from: Path,
    /// What comes in its place; `/` is nothing.
    to: Path,
}

// === impl Scheme ===

impl Scheme {
    pub fn named(name: &str) -> Self {
        if name == "https" { Self::Https } else { Self::Http }
    }

    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

// === impl Origin ===

impl<'a> Origin<'a> {
    /// Takes an authority apart; the colons of an IPv6 address stand in brackets.
    pub fn new(scheme: Scheme, authority: &'a str) -> Self {
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
            _ => (authority, None),
        };
        Self { scheme, host, port: port.filter(|port| *port != scheme.default_port()) }
    }

    /// The URL of a path and query here.
    pub fn with(&self, target: &str) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http://",
            Scheme::Https => "https://",
        };
        let mut out = [scheme, self.host].concat();
        if let Some(port) = self.port {
            out.push(':');
            out.push_str(&port.to_string());
        }
        // `OPTIONS *` is about the whole server.
        if target.starts_with('/') {
            out.push_str(target);
        }
        out
    }
}

impl PartialEq for Origin<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.port == other.port
            && self.host.eq_ignore_ascii_case(other.host)
    }
}

// === impl Prefix ===

impl Prefix {
    /// The path under the other prefix. A path that is there already is left alone where one
    /// prefix lies below the other.
    pub fn swap(&self, path: &str) -> Option<String> {
        let nested = below(&self.to, &self.from).is_some();
        if nested && below(path, &self.to).is_some() {
            return None;
        }
        Some(rooted([self.to.as_str(), below(path, &self.from)?].concat()))
    }
}

impl TryFrom<Prefixes> for Prefix {
    type Error = Error;

    fn try_from(prefixes: Prefixes) -> Result<Self> {
        let [from, to] = [prefixes.from, prefixes.to].map(|path| path.0);
        let (from, to) = (from.trim_end_matches('/'), to.trim_end_matches('/'));
        if from == to {
            return Err(Error::new("`from` and `to` are the same"));
        }
        Ok(Self { from: from.into(), to: to.into() })
    }
}

// === impl Host ===

impl TryFrom<String> for Host {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
        let fits = match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !text.is_empty() && text.bytes().all(name),
        };
        if !fits {
            let error = Error::new(format!("`{text}` is no host"));
            return Err(error.help("such as \"www.example.com\"; a port goes into `port`"));
        }
        Ok(Self(text))
    }
}

// === impl Path ===

impl TryFrom<String> for Path {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        if !text.starts_with('/') || text.starts_with("//") || !is_target(&text) {
            let error = Error::new(format!("`{text}` is no path"));
            return Err(
                error.help("such as \"/new\": one slash first, and what is no ASCII escaped")
            );
        }
        Ok(Self(text))
    }
}

// === impl Status ===

impl Default for Status {
    fn default() -> Self {
        Self(308)
    }
}

impl TryFrom<u16> for Status {
    type Error = Error;

    fn try_from(status: u16) -> Result<Self> {
        match status {
            301..=303 | 307 | 308 => Ok(Self(status)),
            _ => {
                Err(Error::new(format!("{status} is no redirect"))
                    .help("301, 302, 303, 307 or 308"))
            }
        }
    }
}

impl Schema for Status {
    fn members(out: &mut String) {
        out.push_str(r#""enum":[301,302,303,307,308]"#);
    }
}

/// Whether a text can stand in path and query as it is.
pub fn is_target(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\\".contains(&byte))
}

/// The path with exactly one slash first: `//x` would be a host to a browser.
pub fn rooted(path: String) -> String {
    if path.starts_with('/') && !path.starts_with("//") {
        return path;
    }
    ["/", path.trim_start_matches('/')].concat()
}

/// The path without its query.
pub fn path_of(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// What follows a prefix of whole segments: nothing, or a slash and more.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}
