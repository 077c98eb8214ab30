//! Redirects requests to another scheme, host, port or path.
//!
//! In: where a request went. Out: a redirect to where it should have gone, or nothing where it is
//! there already. Never: redirects a request to itself, to a host that a client named, or round and
//! round.

mod location;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use weir_sdk::{Plugin, Reply, Request, Result, Substitution, TooLong, Verdict, bail};

use location::{Origin, Prefix, Scheme};

/// What changes. One of the keys but `status` is needed, and at most one of path, prefix and regex.
#[weir_sdk::config]
struct Config {
    /// `http` or `https`. Its default port goes with it, unless `port` says another.
    scheme: Option<Scheme>,
    /// The host, without a port.
    host: Option<String>,
    /// The port.
    #[schema(min = 1)]
    port: Option<u16>,
    /// This path for all requests.
    #[schema(pattern = "^/")]
    path: Option<String>,
    /// One prefix for another, whole segments; other paths are not redirected.
    prefix: Option<Prefix>,
    /// What takes the place of each match in the path; paths without one are not redirected.
    regex: Option<Substitution>,
    /// 301, 302, 303, 307 or 308.
    #[serde(default = "permanent")]
    #[schema(min = 301, max = 308)]
    status: u16,
}

struct Redirect {
    scheme: Option<Scheme>,
    host: Option<String>,
    port: Option<u16>,
    rule: Option<Rule>,
    status: u16,
}

/// How the path changes.
enum Rule {
    Path(String),
    Prefix(Prefix),
    Regex(Substitution),
}

/// How often a rule may change its own result before it counts as endless.
const MAX_STEPS: usize = 8;

#[weir_sdk::plugin]
impl Plugin for Redirect {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        if !matches!(config.status, 301..=303 | 307 | 308) {
            bail!("status: {} is no redirect: 301, 302, 303, 307 or 308", config.status);
        }
        if config.port == Some(0) {
            bail!("port: 0 is none");
        }
        let host = config.host.map(location::host).transpose()?;
        let rules = [
            config.path.map(location::path).transpose()?.map(Rule::Path),
            config.prefix.map(Rule::Prefix),
            config.regex.map(Rule::Regex),
        ];
        let mut rules = rules.into_iter().flatten();
        let rule = rules.next();
        if rules.next().is_some() {
            bail!("path, prefix and regex exclude each other: one of them makes the path");
        }
        if let Some(Rule::Regex(regex)) = &rule
            && let Some(text) = regex.texts().find(|text| !location::is_target(text))
        {
            bail!("regex.replace: `{text}` cannot be part of a path: escape it as %XX");
        }
        if rule.is_none() && config.scheme.is_none() && host.is_none() && config.port.is_none() {
            bail!("nothing is redirected: set scheme, host, port, path, prefix or regex");
        }
        Ok(Redirect { scheme: config.scheme, host, port: config.port, rule, status: config.status })
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        match self.location(request) {
            Ok(location) => Ok(location.map(|it| Reply::redirect(self.status, it)).into()),
            Err(TooLong) => Ok(Reply::text(414, "the path is too long to be redirected").into()),
        }
    }
}

// === impl Redirect ===

impl Redirect {
    /// Where the request should have gone; `None` where it is there. Asks the proxy for no more
    /// than the configuration needs.
    fn location(&self, request: &Request) -> Result<Option<String>, TooLong> {
        if self.scheme.is_none() && self.host.is_none() && self.port.is_none() {
            // A path alone, which every client resolves against where it is.
            let target = request.path_with_query();
            let new = self.target(&target, true)?;
            return Ok(new.filter(|new| *new != target).map(Cow::into_owned));
        }
        let scheme = Scheme::named(&request.scheme());
        if let (Some(wanted), None, None, None) = (self.scheme, &self.host, self.port, &self.rule)
            && wanted == scheme
        {
            return Ok(None);
        }
        let authority = request.authority();
        let here = Origin::new(scheme, &authority);
        let there = self.origin(&here);
        if there.host.is_empty() {
            return Ok(None); // HTTP/1.0 without a host: nowhere to send it
        }
        let moves = here != there;
        let target = request.path_with_query();
        let new = self.target(&target, !moves)?;
        Ok(new.filter(|new| moves || *new != target).map(|new| there.with(&new)))
    }

    fn origin<'a>(&'a self, here: &Origin<'a>) -> Origin<'a> {
        let scheme = self.scheme.unwrap_or(here.scheme);
        // A port belongs to its scheme: the one for plaintext has no TLS on it.
        let port = self.port.or(here.port.filter(|_| scheme == here.scheme));
        Origin {
            scheme,
            host: self.host.as_deref().unwrap_or(here.host),
            port: port.filter(|port| *port != scheme.default_port()),
        }
    }

    /// The new path with the query that came. `None` if no rule fits, or if the client would come
    /// back (`here`) to be redirected for ever: every step is taken at once instead.
    fn target<'t>(&self, target: &'t str, here: bool) -> Result<Option<Cow<'t, str>>, TooLong> {
        let Some(rule) = &self.rule else {
            return Ok(Some(Cow::Borrowed(target)));
        };
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        if !path.starts_with('/') {
            return Ok(None);
        }
        let mut spent = 0;
        let Some(mut new) = rule.apply(path, &mut spent)? else { return Ok(None) };
        if here {
            let mut steps = 0;
            while let Some(next) = rule.apply(location::path_of(&new), &mut spent)? {
                if next == new {
                    break;
                }
                steps += 1;
                if steps == MAX_STEPS {
                    return Ok(None);
                }
                new = next;
            }
        }
        if let Some(query) = query {
            // `/a?b` came from `/a` itself and has its query already.
            let asked = here && location::path_of(&new) == path;
            if asked && new.contains('?') {
                return Ok(None);
            }
            new.push(if new.contains('?') { '&' } else { '?' });
            new.push_str(query);
        }
        Ok(Some(Cow::Owned(new)))
    }
}

// === impl Rule ===

impl Rule {
    fn apply(&self, path: &str, spent: &mut usize) -> Result<Option<String>, TooLong> {
        match self {
            Self::Path(path) => Ok(Some(path.clone())),
            Self::Prefix(prefix) => Ok(prefix.swap(path)),
            Self::Regex(regex) => Ok(regex.apply_again(path, spent)?.map(location::rooted)),
        }
    }
}

fn permanent() -> u16 {
    308
}
