//! The hook calls there are: which function, with what, and what its answer means.
//!
//! In: what a hook is told. Out: the parameters of one exported function, and its checked answer.
//! Never: runs anything: an [`Instance`](super::instance::Instance) does, at once or on a fiber.

use bytes::Bytes;
use wasmtime::WasmParams;
use weir_core::chain::{Exchange, Verdict};

use super::contract::{self, Answered, Summary};
use super::encoding::Encoding;
use super::fault::Fault;
use super::functions::{Completed, Functions, GuestFunction, TransformFunctions};
use super::reply;
use super::state::{Phase, State};

/// One call of a hook, with an exchange at hand.
pub trait Call: Send + 'static {
    type Parameters: WasmParams + Send + Sync + 'static;
    type Results: Answered + Send + 'static;
    type Output: Send + 'static;

    /// What the hook may change.
    const PHASE: Phase;

    /// The function, where the plugin has it.
    fn function<'f>(&self, of: &'f Functions) -> Option<&'f Function<Self>>;
    /// What a plugin without the function answers.
    fn absent() -> Self::Output;
    /// Its parameters, and the texts that go with them.
    fn parameters(self, encoding: Encoding) -> (Self::Parameters, Vec<Bytes>);
    /// What the answer means.
    fn check(
        results: Self::Results,
        functions: &Functions,
        exchange: &Exchange,
        state: &State,
    ) -> Result<Self::Output, Fault>;
}

/// That of a call.
pub type Function<C> = GuestFunction<<C as Call>::Parameters, <C as Call>::Results>;

/// `request-hook.on-request`
pub struct OnRequest;
/// `response-hook.on-response`
pub struct OnResponse;
/// `completion-hook.on-complete`
pub struct OnComplete(pub Summary);
/// `request-body-hook.transform.open`
pub struct OpenRequestBody;
/// `response-body-hook.transform.open`
pub struct OpenResponseBody;

impl Call for OnRequest {
    type Parameters = ();
    type Results = Result<contract::Verdict, String>;
    type Output = Verdict;

    const PHASE: Phase = Phase::Request;

    fn function<'f>(&self, of: &'f Functions) -> Option<&'f Function<Self>> {
        of.on_request.as_ref()
    }

    fn absent() -> Verdict {
        Verdict::Forward
    }

    fn parameters(self, _: Encoding) -> (Self::Parameters, Vec<Bytes>) {
        Default::default()
    }

    fn check(
        answer: Self::Results,
        _: &Functions,
        exchange: &Exchange,
        state: &State,
    ) -> Result<Verdict, Fault> {
        match answer {
            Ok(contract::Verdict::Forward) => {
                let (target, method) = (exchange.request.uri.path(), &exchange.request.method);
                // Each was legal when it was set.
                if !weir_bounds::target::fits(target, method.as_str()) {
                    return Err(Fault::error("`*` is no target but of OPTIONS"));
                }
                Ok(Verdict::Forward)
            }
            Ok(contract::Verdict::Respond(reply)) => {
                reply::check(reply, exchange, state).map(Verdict::Respond)
            }
            Err(message) => Err(Fault::error(&message)),
        }
    }
}

impl Call for OnResponse {
    type Parameters = ();
    type Results = Result<(), String>;
    type Output = ();

    const PHASE: Phase = Phase::Response;

    fn function<'f>(&self, of: &'f Functions) -> Option<&'f Function<Self>> {
        of.on_response.as_ref()
    }

    fn absent() {}

    fn parameters(self, _: Encoding) -> (Self::Parameters, Vec<Bytes>) {
        Default::default()
    }

    fn check(answer: Self::Results, _: &Functions, _: &Exchange, _: &State) -> Result<(), Fault> {
        answer.map_err(|message| Fault::error(&message))
    }
}

impl Call for OnComplete {
    type Parameters = Completed;
    type Results = ();
    type Output = ();

    const PHASE: Phase = Phase::Complete;

    fn function<'f>(&self, of: &'f Functions) -> Option<&'f Function<Self>> {
        of.on_complete.as_ref()
    }

    fn absent() {}

    fn parameters(self, encoding: Encoding) -> (Completed, Vec<Bytes>) {
        let Summary { status, request_bytes, response_bytes, duration_micros, upstream, error } =
            self.0;
        let mut texts = Vec::new();
        let mut part = |text: Option<String>| {
            let Some(text) = text else { return (0, 0, 0) };
            let (bytes, units) = encoding.encode(text);
            let length = bytes.len() as u32;
            // For what is empty no room is made.
            texts.extend(Some(Bytes::from(bytes)).filter(|bytes| !bytes.is_empty()));
            (1, length, units)
        };
        let (upstream, error) = (part(upstream), part(error));
        let numbers = (status, request_bytes, response_bytes, duration_micros);
        let (a, b, c, d) = numbers;
        ((a, b, c, d, upstream.0, upstream.1, upstream.2, error.0, error.1, error.2), texts)
    }

    fn check((): (), _: &Functions, _: &Exchange, _: &State) -> Result<(), Fault> {
        Ok(())
    }
}

impl Call for OpenRequestBody {
    type Parameters = ();
    type Results = Result<bool, String>;
    type Output = Option<TransformFunctions>;

    const PHASE: Phase = Phase::Request;

    fn function<'f>(&self, of: &'f Functions) -> Option<&'f Function<Self>> {
        of.request_body.as_ref().map(|functions| &functions.open)
    }

    fn absent() -> Self::Output {
        None
    }

    fn parameters(self, _: Encoding) -> (Self::Parameters, Vec<Bytes>) {
        Default::default()
    }

    fn check(
        answer: Self::Results,
        functions: &Functions,
        _: &Exchange,
        _: &State,
    ) -> Result<Self::Output, Fault> {
        opened(functions.request_body.as_ref(), answer)
    }
}

impl Call for OpenResponseBody {
    type Parameters = ();
    type Results = Result<bool, String>;
    type Output = Option<TransformFunctions>;

    const PHASE: Phase = Phase::Response;

    fn function<'f>(&self, of: &'f Functions) -> Option<&'f Function<Self>> {
        of.response_body.as_ref().map(|functions| &functions.open)
    }

    fn absent() -> Self::Output {
        None
    }

    fn parameters(self, _: Encoding) -> (Self::Parameters, Vec<Bytes>) {
        Default::default()
    }

    fn check(
        answer: Self::Results,
        functions: &Functions,
        _: &Exchange,
        _: &State,
    ) -> Result<Self::Output, Fault> {
        opened(functions.response_body.as_ref(), answer)
    }
}

/// What pushes the body on, where the guest wants it.
fn opened(
    functions: Option<&TransformFunctions>,
    answer: Result<bool, String>,
) -> Result<Option<TransformFunctions>, Fault> {
    let wanted = answer.map_err(|message| Fault::error(&message))?;
    Ok(functions.filter(|_| wanted).cloned())
}
