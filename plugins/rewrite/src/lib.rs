//! Changes path, query and host of a request before the upstream sees it.
//!
//! In: the path and query that the route matched. Out: those the upstream gets; the steps are
//! strip_prefix, regex, add_prefix, query, host. Never: changes the route, touches a pair of the
//! query that no edit names, or lets a rewritten path climb out of its directory.

mod path;
mod query;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use weir_sdk::{
    Error, Plugin, Problems, Refusal, Reply, Request, Result, Substitution, Template, TooLong,
    Verdict,
};

use path::Prefix;
use query::{Edits, Query};

/// What is rewritten. Every key is optional; one is needed.
#[weir_sdk::config]
struct Config {
    /// Removed from the begin of the path, whole segments only. Other paths stay as they are.
    strip_prefix: Option<Prefix>,
    /// Put before the path.
    add_prefix: Option<Prefix>,
    /// Replaces every match in the path (not the query), after strip_prefix. Begin the pattern
    /// with `^` to anchor it.
    regex: Option<Substitution>,
    /// The host, with a port if need be, that the upstream sees.
    host: Option<Template>,
    /// Edits of the query.
    #[serde(default)]
    query: Edits,
}

struct Rewrite {
    strip_prefix: Option<Prefix>,
    add_prefix: Option<Prefix>,
    regex: Option<Substitution>,
    host: Option<Template>,
    query: Query,
}

#[weir_sdk::plugin]
impl Plugin for Rewrite {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        let mut problems = Problems::new();
        if let Some(host) = config.host.as_ref().and_then(Template::as_static)
            && !is_authority(host)
        {
            let error = Error::new(format!("`{host}` is no host with an optional port"));
            problems.add(error.help("such as \"app.internal:8080\"").at("host"));
        }
        if let Some(regex) = &config.regex
            && let Some(text) = regex.texts().find(|text| !path::is_target(text))
        {
            let error = Error::new(format!("`{text}` cannot be part of a path"));
            problems.add(error.help("escape it as %XX").at("replace").at("regex"));
        }
        let rewrite = Rewrite {
            strip_prefix: config.strip_prefix,
            add_prefix: config.add_prefix,
            regex: config.regex,
            host: config.host,
            query: Query::new(config.query),
        };
        if !rewrite.changes_target() && rewrite.host.is_none() {
            let error = Error::new("nothing is rewritten");
            problems.add(error.help("set strip_prefix, add_prefix, regex, query or host"));
        }
        problems.or(rewrite)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        // Rendered first: variables are about the request as it came.
        let host = match &self.host {
            Some(host) => host.render_complete(request),
            None => None,
        };
        if self.changes_target() {
            let target = request.path_with_query();
            match self.target(&target, request) {
                Some(Ok(new)) if new != target => request.set_path_with_query(&new)?,
                Some(Err(Unfit::Climbs)) => {
                    return Ok(bad_request("the rewritten path has dot segments"));
                }
                Some(Err(Unfit::TooLong)) => {
                    return Ok(Reply::text(414, "the path is too long to be rewritten").into());
                }
                _ => {}
            }
        }
        if let Some(host) = host {
            match request.set_authority(&host) {
                Err(error) if error.reason == Refusal::InvalidSyntax => {
                    return Ok(bad_request("no host can be made of this request"));
                }
                other => other?,
            }
        }
        Ok(Verdict::Forward)
    }
}

/// A path that cannot be rewritten.
enum Unfit {
    /// It got `.` or `..`: what a pattern cut apart does not fit any more.
    Climbs,
    /// More than the pattern is held against.
    TooLong,
}

// === impl Rewrite ===

impl Rewrite {
    fn changes_target(&self) -> bool {
        self.strip_prefix.is_some()
            || self.add_prefix.is_some()
            || self.regex.is_some()
            || !self.query.is_empty()
    }

    /// Path and query for the upstream; `None` for `*`, which has neither. A path that only loses
    /// its prefix is a slice of what was there.
    fn target<'t>(
        &self,
        target: &'t str,
        request: &Request,
    ) -> Option<Result<Cow<'t, str>, Unfit>> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        if !path.starts_with('/') {
            return None;
        }
        let stripped = self.strip_prefix.as_ref().and_then(|prefix| prefix.strip(path));
        let kept = stripped.unwrap_or(path);
        let mut new_path = Cow::Borrowed(kept);
        let mut more_query = None;
        let replaced = match self.regex.as_ref().map(|regex| regex.apply(kept)) {
            Some(Err(TooLong)) => return Some(Err(Unfit::TooLong)),
            Some(Ok(replaced)) => replaced,
            None => None,
        };
        if let Some(mut new) = replaced {
            if let Some(question) = new.find('?') {
                more_query = Some(new.split_off(question).split_off(1));
            }
            if path::climbs(&new) {
                return Some(Err(Unfit::Climbs));
            }
            new_path = path::rooted(new.into());
        }
        if let Some(prefix) = &self.add_prefix {
            new_path = Cow::Owned(prefix.before(&new_path));
        }

        let joined = match (&more_query, query) {
            (Some(more), Some(query)) if !query.is_empty() => {
                Some(Cow::Owned([more, "&", query].concat()))
            }
            (Some(more), _) => Some(Cow::Borrowed(more.as_str())),
            (None, query) => query.map(Cow::Borrowed),
        };
        let edited = self.query.edit(joined.as_deref(), request);
        if let (Cow::Borrowed(new), None, None) = (&new_path, &more_query, &edited)
            && let Some(rest) = path::with_rest(target, path, new)
        {
            return Some(Ok(Cow::Borrowed(rest)));
        }
        let mut out = new_path.into_owned();
        let new_query = match &edited {
            Some(edited) => edited.as_deref(),
            None => joined.as_deref(),
        };
        if let Some(query) = new_query {
            out.push('?');
            out.push_str(query);
        }
        Some(Ok(Cow::Owned(out)))
    }
}

fn bad_request(why: &str) -> Verdict {
    Reply::text(400, why).into()
}

fn is_authority(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_graphic() && !b"/?#@\\".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}
