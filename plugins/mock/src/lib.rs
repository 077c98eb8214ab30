//! Answers by itself, without an upstream: status, headers, body, delay.
//!
//! In: a request. Out: the reply of the first path and method that fit, else the common one, else
//! the request goes on. Never: reads a body, or puts what a client sent into JSON or HTML as is.

mod answer;
mod body;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use weir_sdk::{Duration, Error, FieldName, Plugin, Problems, Request, Result, Template, Verdict};

use answer::{Answer, Parts};

/// One reply for every request, or one for each path, or both.
#[weir_sdk::config]
struct Config {
    /// The status of the reply.
    #[schema(min = 200, max = 599)]
    status: Option<u16>,
    /// Its fields.
    #[serde(default)]
    headers: BTreeMap<FieldName, Template>,
    /// Its body.
    body: Option<String>,
    /// How long the proxy waits before it replies.
    delay: Option<Duration>,
    /// Replies for paths; the first that fits is given.
    #[serde(default)]
    paths: Vec<Entry>,
}

/// The reply for a path.
#[weir_sdk::config]
struct Entry {
    /// A path, or one that ends in `/*` for all below it.
    path: Path,
    /// Only for this method; `GET` stands for `HEAD` too.
    method: Option<String>,
    /// The status of the reply.
    #[schema(min = 200, max = 599)]
    status: Option<u16>,
    /// Its fields.
    #[serde(default)]
    headers: BTreeMap<FieldName, Template>,
    /// Its body.
    body: Option<String>,
    /// How long the proxy waits before it replies.
    delay: Option<Duration>,
}

struct Mock {
    places: Vec<Place>,
    /// For requests that none of the places fits.
    otherwise: Option<Answer>,
}

/// A path, perhaps a method, and what is answered there.
struct Place {
    path: Path,
    method: Option<String>,
    answer: Answer,
}

#[weir_sdk::config]
#[serde(try_from = "String")]
enum Path {
    Exact(String),
    /// With the slash at its end.
    Below(String),
}

#[weir_sdk::plugin]
impl Plugin for Mock {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        let common = config.status.is_some()
            || config.body.is_some()
            || config.delay.is_some()
            || !config.headers.is_empty()
            || config.paths.is_empty();
        let parts = Parts {
            status: config.status,
            headers: config.headers,
            body: config.body,
            delay: config.delay,
        };
        let mut problems = Problems::new();
        let otherwise = common.then(|| problems.take(Answer::new(parts))).flatten();
        let mut places = Vec::with_capacity(config.paths.len());
        for (index, entry) in config.paths.into_iter().enumerate() {
            let place = Place::new(entry).map_err(|error| error.at(index).at("paths"));
            places.extend(problems.take(place));
        }
        problems.or(Mock { places, otherwise })
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let answer = self.place(request).map(|place| &place.answer);
        let answer = answer.or(self.otherwise.as_ref());
        Ok(answer.map(|answer| answer.reply(request)).into())
    }
}

// === impl Mock ===

impl Mock {
    /// The first place that fits. The method is asked for only where one counts.
    fn place(&self, request: &Request) -> Option<&Place> {
        if self.places.is_empty() {
            return None;
        }
        let target = request.target();
        let mut method = None;
        self.places.iter().find(|place| {
            place.path.fits(target.path())
                && place.method.as_ref().is_none_or(|wanted| {
                    let method = method.get_or_insert_with(|| request.method());
                    method == wanted || (method == "HEAD" && wanted == "GET")
                })
        })
    }
}

// === impl Place ===

impl Place {
    fn new(entry: Entry) -> Result<Self> {
        Ok(Self {
            path: entry.path,
            method: entry.method,
            answer: Answer::new(Parts {
                status: entry.status,
                headers: entry.headers,
                body: entry.body,
                delay: entry.delay,
            })?,
        })
    }
}

// === impl Path ===

impl TryFrom<String> for Path {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        if !text.starts_with('/') {
            let error = Error::new(format!("`{text}` does not begin with a slash"));
            return Err(error.help(format!("write \"/{text}\"")));
        }
        Ok(match text.strip_suffix('*') {
            Some(below) if below.ends_with('/') => Self::Below(below.into()),
            _ => Self::Exact(text),
        })
    }
}

impl Path {
    fn fits(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => path == exact,
            Self::Below(prefix) => path.starts_with(prefix.as_str()),
        }
    }
}
