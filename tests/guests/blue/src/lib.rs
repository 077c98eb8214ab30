//! Says which build of a plugin answered, and with which configuration.
//!
//! In: `version` of the configuration. Out: the request's field `x-asked`, the response's fields
//! `x-answered` and `x-build`. Never: says anything that is not of this very instance. Built twice,
//! as the packages `blue` and `green`, so that a test can exchange one binary for another.

use weir_sdk::{Plugin, Request, Response, Result, Verdict};

#[weir_sdk::config]
pub struct Build {
    /// Repeated in both directions.
    version: String,
}

#[weir_sdk::plugin]
impl Plugin for Build {
    type Config = Build;

    fn configure(config: Build) -> Result<Self> {
        Ok(config)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        request.set_header("x-asked", &self.version)?;
        Ok(Verdict::Forward)
    }

    fn on_response(&self, _: &Request, response: &mut Response) -> Result {
        response.set_header("x-answered", &self.version)?;
        response.set_header("x-build", env!("CARGO_PKG_NAME"))?;
        Ok(())
    }
}
