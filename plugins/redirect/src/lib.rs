//! Redirects requests to another scheme, host, port or path.
//!
//! In: where a request went. Out: a redirect to where it should have gone, or nothing where it is
//! there already. Never: redirects a request to itself, to a host that a client named, or round and
//! round.

mod location;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use weir_sdk::{Error, Plugin, Problems, Reply, Request, Result, Substitution, TooLong, Verdict};

use location::{Host, Origin, Path, Prefix, Scheme, Status};

/// What changes. One of the keys but `status` is needed, and at most one of path, prefix and regex.
#[weir_sdk::config]
struct Config {
    /// `http` or `https`. Its default port goes with it, unless `port` says another.
    scheme: Option<Scheme>,
    /// The host, without a port.
    host: Option<Host>,
    /// The port.
    #[schema(min = 1)]
    port: Option<u16>,
    /// This path for all requests.
    path: Option<Path>,
    /// One prefix for another, whole segments; other paths are not redirected.
    prefix: Option<Prefix>,
    /// What takes the place of each match in the path; paths without one are not redirected.
    regex: Option<Substitution>,
    /// 301, 302, 303, 307 or 308.
    #[serde(default)]
    status: Status,
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
        let mut problems = Problems::new();
        if config.port == Some(0) {
            problems.add(Error::new("0 is no port").at("port").help("1 to 65535"));
        }
        let rules = [
            config.path.map(|path| Rule::Path(path.0)),
            config.prefix.map(Rule::Prefix),
            config.regex.map(Rule::Regex),
        ];
        let mut rules = rules.into_iter().flatten();
        let rule = rules.next();
        let others: Vec<&str> = rules.map(|rule| rule.key()).collect();
        if let Some(Rule::Regex(regex)) = &rule
            && let Some(text) = regex.texts().find(|text| !location::is_target(text))
        {
            let error = Error::new(format!("`{text}` cannot be part of a path"));
            problems.add(error.help("escape it as %XX").at("replace").at("regex"));
        }
        for other in others {
            let error = "path, prefix and regex exclude each other: one of them makes the path";
            problems.add(Error::new(error).help("remove the others").at(other));
        }
        let nothing = config.scheme.is_none() && config.host.is_none() && config.port.is_none();
        if rule.is_none() && nothing {
            problems.add(
                Error::new("nothing is redirected")
                    .help("set scheme, host, port, path, prefix or regex"),
            );
        }
        problems.or(Redirect {
            scheme: config.scheme,
            host: config.host.map(|host| host.0),
            port: config.port,
            rule,
            status: config.status.0,
        })
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
    /// Where the configuration has it.
    fn key(&self) -> &'static str {
        match self {
            Self::Path(_) => "path",
            Self::Prefix(_) => "prefix",
            Self::Regex(_) => "regex",
        }
    }

    fn apply(&self, path: &str, spent: &mut usize) -> Result<Option<String>, TooLong> {
        match self {
            Self::Path(path) => Ok(Some(path.clone())),
            Self::Prefix(prefix) => Ok(prefix.swap(path)),
            Self::Regex(regex) => Ok(regex.apply_again(path, spent)?.map(location::rooted)),
        }
    }
}
