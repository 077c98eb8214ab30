//! Gives every exchange an identifier that upstream, client and log see.
//!
//! In: a request, perhaps with an identifier from somebody trusted. Out: the identifier in a field
//! of the request, in the attribute `request.id`, and in a field of the response.
//! Never: takes over an identifier from a client unless `trust` says so, and then none that is
//! too long or holds what could break a log.

mod id;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use weir_sdk::{FieldName, FieldValue, Plugin, Request, Response, Result, Verdict};

use id::{Algorithm, Generator};

/// How identifiers are made, and who sees them.
#[weir_sdk::config]
struct Config {
    /// The field that carries the identifier.
    #[serde(default = "header")]
    header: FieldName,
    /// What an identifier looks like.
    #[serde(default)]
    algorithm: Algorithm,
    /// Keep the identifier that a request brings along, if it is one: a single field line of 1 to
    /// 128 letters, digits and `-._~:/+=@`. Only where every client is trusted.
    #[serde(default)]
    trust: bool,
    /// Tell the client the identifier too.
    #[serde(default = "yes")]
    respond: bool,
}

/// The attribute that log and other plugins read, and that the proxy has filled before.
const ATTRIBUTE: &str = "request.id";
const MAX_LENGTH: usize = 128;

struct RequestId {
    header: FieldName,
    trust: bool,
    respond: bool,
    generator: RefCell<Generator>,
}

#[weir_sdk::plugin]
impl Plugin for RequestId {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        Ok(RequestId {
            header: config.header.writable().map_err(|error| error.at("header"))?,
            trust: config.trust,
            respond: config.respond,
            generator: RefCell::new(Generator::new(config.algorithm)),
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        if self.trust
            && let [given] = request.header_values(&self.header).as_slice()
            && let Some(given) = acceptable(given)
        {
            request.set_attribute(ATTRIBUTE, given);
            return Ok(Verdict::Forward);
        }
        let id = self.generator.borrow_mut().next();
        request.set_header(&self.header, id.as_bytes())?;
        request.set_attribute(ATTRIBUTE, id.as_str());
        Ok(Verdict::Forward)
    }

    fn on_response(&self, request: &Request, response: &mut Response) -> Result {
        if self.respond
            && let Some(id) = request.attribute(ATTRIBUTE)
        {
            response.set_header(&self.header, id)?;
        }
        Ok(())
    }
}

/// The identifier that a request brought along, if it is harmless in a header, a log and a URL.
fn acceptable(given: &FieldValue) -> Option<&str> {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:/+=@".contains(byte);
    let fits = (1..=MAX_LENGTH).contains(&given.len());
    (fits && given.iter().all(harmless)).then_some(given.as_str()?)
}

fn header() -> FieldName {
    FieldName::literal("x-request-id")
}

fn yes() -> bool {
    true
}
