//! Lets browsers use a service from other origins, as the Fetch standard says
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! In: `Origin` and the questions of a preflight. Out: the answer to a preflight, and the fields
//! that let a browser's page see a response.
//! Never: refuses a request itself; that a page may not read an answer is for the browser to keep.

use weir_sdk::{Duration, Error, Plugin, Problems, Reply, Request, Response, Result, Verdict};

mod origins;
mod policy;
#[cfg(test)]
mod tests;

use origins::{Allowed, Pattern};
use policy::{Answer, list};

/// What the operator writes under `config = { … }`.
#[weir_sdk::config]
struct Config {
    /// Whose pages may use the service: "*", an origin such as "https://app.example.com", one with
    /// a star such as "https://*.example.com", or { regex = "…" } for the whole origin.
    allow_origins: Vec<Pattern>,
    /// Methods beyond GET, HEAD and POST need to stand here; "*" for any.
    #[serde(default = "methods")]
    allow_methods: Vec<String>,
    /// Request header fields beyond the safelisted ones need to stand here; "*" for any.
    #[serde(default)]
    allow_headers: Vec<String>,
    /// Response header fields that pages may read; "*" for all (not with credentials).
    #[serde(default)]
    expose_headers: Vec<String>,
    /// Lets pages send cookies and other credentials.
    #[serde(default)]
    allow_credentials: bool,
    /// How long a browser may remember a preflight's answer; its own default is 5 seconds.
    max_age: Option<Duration>,
    /// Lets public pages use a service in a private network.
    #[serde(default)]
    private_network: bool,
}

fn methods() -> Vec<String> {
    ["GET", "HEAD", "POST"].map(String::from).into()
}

struct Cors {
    origins: Allowed,
    methods: Answer,
    headers: Answer,
    /// Prebuilt; empty where there is nothing to expose.
    expose: String,
    credentials: bool,
    max_age: Option<String>,
    private_network: bool,
}

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const ALLOW_CREDENTIALS: &str = "access-control-allow-credentials";

#[weir_sdk::plugin]
impl Plugin for Cors {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        let mut problems = Problems::new();
        let at = |key: &'static str| move |error: Error| error.at(key);
        let origins = Allowed::new(config.allow_origins).map_err(at("allow_origins"));
        let origins = problems.take(origins);
        let credentials = config.allow_credentials;
        if credentials && matches!(origins, Some(Allowed::Any)) {
            let error = "`allow_origins = [\"*\"]` cannot go with `allow_credentials`: any page could \
                         act for its visitors";
            problems.add(Error::new(error).help("name the origins").at("allow_origins"));
        }
        let expose = problems.take(list(&config.expose_headers).map_err(at("expose_headers")));
        if credentials && config.expose_headers.iter().any(|name| name == "*") {
            let error = "`expose_headers = [\"*\"]` means nothing with `allow_credentials`";
            problems.add(Error::new(error).help("name them").at("expose_headers"));
        }
        let methods = Answer::new(&config.allow_methods).map_err(at("allow_methods"));
        let headers = Answer::new(&config.allow_headers).map_err(at("allow_headers"));
        let (methods, headers) = (problems.take(methods), problems.take(headers));
        let parts = (origins, methods, headers, expose);
        let (Some(origins), Some(methods), Some(headers), Some(expose)) = parts else {
            return problems.or_missing(None);
        };
        problems.or(Self {
            origins,
            methods,
            headers,
            expose,
            credentials,
            max_age: config.max_age.map(|age| age.as_secs().to_string()),
            private_network: config.private_network,
        })
    }

    /// Answers preflights. Of every other request it asks one thing.
    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let Some(method) = request.field("access-control-request-method") else {
            return Ok(Verdict::Forward);
        };
        let origin = match request.field("origin") {
            Some(origin) if request.method() == "OPTIONS" => origin,
            _ => return Ok(Verdict::Forward),
        };
        Ok(self.preflight(request, &origin, &method).into())
    }

    fn on_response(&self, request: &Request, response: &mut Response) -> Result {
        match &self.origins {
            Allowed::Any => response.set_header(ALLOW_ORIGIN, "*")?,
            // One origin is the answer to everybody, as the standard wants it for caches.
            Allowed::One(origin) => self.allow(response, origin)?,
            Allowed::Some(matcher) => {
                response.append_header("vary", "Origin")?;
                let Some(origin) = request.field("origin") else {
                    return Ok(());
                };
                if !matcher.matches(&origin) {
                    // Whatever the upstream thinks of it.
                    return Ok(response.remove_header(ALLOW_ORIGIN)?);
                }
                self.allow(response, &origin)?;
            }
        }
        if !self.expose.is_empty() {
            response.set_header("access-control-expose-headers", &self.expose)?;
        }
        Ok(())
    }
}

impl Cors {
    /// The answer to a preflight, but for what [`on_response`](Plugin::on_response) adds to every
    /// response.
    fn preflight(&self, request: &Request, origin: &[u8], method: &[u8]) -> Reply {
        if !self.origins.allow(origin) {
            return Reply::text(403, "this origin may not use this service\n");
        }
        let asked = "access-control-request-headers";
        let mut reply = Reply::new(204);
        let mut vary = String::new();
        if let Some(value) = self.methods.to(|| Some(method.into())) {
            reply = reply.header("access-control-allow-methods", value);
        }
        if self.methods.echoes() {
            vary.push_str("Access-Control-Request-Method");
        }
        if let Some(value) = self.headers.to(|| request.field(asked)) {
            reply = reply.header("access-control-allow-headers", value);
        }
        if self.headers.echoes() {
            vary.push_str(if vary.is_empty() { "" } else { ", " });
            vary.push_str("Access-Control-Request-Headers");
        }
        if let Some(age) = &self.max_age {
            reply = reply.header("access-control-max-age", age);
        }
        if self.private_network {
            let wanted = request.field("access-control-request-private-network");
            if wanted.is_some_and(|value| value == "true") {
                reply = reply.header("access-control-allow-private-network", "true");
            }
            vary.push_str(if vary.is_empty() { "" } else { ", " });
            vary.push_str("Access-Control-Request-Private-Network");
        }
        if vary.is_empty() { reply } else { reply.header("vary", vary) }
    }

    /// Lets the pages of this origin see the response, with or without credentials as configured
    /// and not as the upstream thinks.
    fn allow(&self, response: &mut Response, origin: &[u8]) -> Result {
        response.set_header(ALLOW_ORIGIN, origin)?;
        if self.credentials {
            response.set_header(ALLOW_CREDENTIALS, "true")?;
        } else {
            response.remove_header(ALLOW_CREDENTIALS)?;
        }
        Ok(())
    }
}
