//! The smallest plugin: greets the upstream and the client with one header field each.

use weir_sdk::{Plugin, Request, Response, Result, Verdict};

#[weir_sdk::config]
pub struct Hello {
    /// What to say.
    greeting: String,
}

#[weir_sdk::plugin]
impl Plugin for Hello {
    type Config = Hello;

    fn configure(config: Hello) -> Result<Self> {
        Ok(config)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        request.set_header("x-hello", self.greeting.to_uppercase())?;
        Ok(Verdict::Forward)
    }

    fn on_response(&self, _: &Request, response: &mut Response) -> Result {
        response.set_header("x-hello", self.greeting.to_uppercase())?;
        Ok(())
    }
}
