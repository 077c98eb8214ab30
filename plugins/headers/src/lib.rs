//! Sets, adds, removes and renames header fields of requests and responses.
//!
//! In: the head of a request or a response. Out: the same head with the configured edits, in a
//! fixed order: remove, rename, set, set_if_absent, add.
//! Never: looks at a message whose side of the configuration is empty, or fails because a client
//! put a line break where a variable reads.

mod config;
mod edit;
#[cfg(test)]
mod tests;

use weir_sdk::{Plugin, Problems, Request, Response, Result, Verdict};

use config::Config;
use edit::{Answer, Edit, apply};

/// The edits of each side, ready to be applied.
struct Headers {
    request: Vec<Edit>,
    response: Vec<Edit>,
}

#[weir_sdk::plugin]
impl Plugin for Headers {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        let mut problems = Problems::new();
        let request = edit::plan(config.request).map_err(|error| error.at("request"));
        let response = edit::plan(config.response).map_err(|error| error.at("response"));
        let (request, response) = (problems.take(request), problems.take(response));
        problems.or(Headers {
            request: request.unwrap_or_default(),
            response: response.unwrap_or_default(),
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        apply(&self.request, request)?;
        Ok(Verdict::Forward)
    }

    fn on_response(&self, request: &Request, response: &mut Response) -> Result {
        apply(&self.response, &mut Answer { request, response })
    }
}
