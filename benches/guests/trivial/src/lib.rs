//! What the benches call: the least a plugin can do. Two header reads and one write on the request,
//! one write on the response.

use weir_sdk::{NoConfig, Plugin, Request, Response, Result, Verdict};

struct Trivial;

#[weir_sdk::plugin]
impl Plugin for Trivial {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self> {
        Ok(Trivial)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let seen = request.header("x-in");
        let _ = request.header("user-agent");
        match &seen {
            Some(value) => request.set_header("x-plugin-req", value)?,
            None => request.set_header("x-plugin-req", "none")?,
        }
        Ok(Verdict::Forward)
    }

    fn on_response(&self, _: &Request, response: &mut Response) -> Result {
        Ok(response.set_header("x-plugin", "hello")?)
    }
}
