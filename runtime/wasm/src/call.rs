//! The hook calls there are: which function, with what, and what its answer means.
//!
//! In: what a hook is told. Out: the parameters of one exported function, and its checked answer.
//! Never: runs anything: an [`Instance`](super::instance::Instance) does, at once or on a fiber.

use wasmtime::component::{ComponentNamedList, Lift, Lower, TypedFunc};
use weir_core::chain::{Exchange, Verdict};

use super::bindings;
use super::fault::Fault;
use super::functions::{Functions, TransformFunctions};
use super::reply;
use super::state::{Phase, State};

/// One call of a hook, with an exchange at hand.
pub trait Call: Send + 'static {
    type Parameters: ComponentNamedList + Lower + Send + Sync + 'static;
    type Results: ComponentNamedList + Lift + Send + Sync + 'static;
    type Output: Send + 'static;

    /// What the hook may change.
    const PHASE: Phase;

    /// The function, where the plugin has it.
    fn function(&self, of: &Functions) -> Option<TypedFunc<Self::Parameters, Self::Results>>;
    /// What a plugin without the function answers.
    fn absent() -> Self::Output;
    fn parameters(self) -> Self::Parameters;
    /// Bytes that it has.
    fn bytes(_: &Self::Results) -> usize {
        0
    }
    /// What the answer means.
    fn check(
        results: Self::Results,
        functions: &Functions,
        exchange: &Exchange,
        state: &State,
    ) -> Result<Self::Output, Fault>;
}

/// `request-hook.on-request`
pub struct OnRequest;
/// `response-hook.on-response`
pub struct OnResponse;
/// `completion-hook.on-complete`
pub struct OnComplete(pub bindings::Summary);
/// `request-body-hook.transform.open`
pub struct OpenRequestBody;
/// `response-body-hook.transform.open`
pub struct OpenResponseBody;

impl Call for OnRequest {
    type Parameters = ();
    type Results = (Result<bindings::Verdict, String>,);
    type Output = Verdict;

    const PHASE: Phase = Phase::Request;

    fn function(&self, of: &Functions) -> Option<TypedFunc<Self::Parameters, Self::Results>> {
        of.on_request
    }

    fn absent() -> Verdict {
        Verdict::Forward
    }

    fn parameters(self) {}

    fn bytes((answer,): &Self::Results) -> usize {
        match answer {
            Ok(bindings::Verdict::Forward) => 0,
            Ok(bindings::Verdict::Respond(reply)) => {
                let lines = reply.fields.iter().map(|(name, value)| name.len() + value.len());
                lines.sum::<usize>() + reply.body.len()
            }
            Err(message) => message.len(),
        }
    }

    fn check(
        (answer,): Self::Results,
        _: &Functions,
        exchange: &Exchange,
        state: &State,
    ) -> Result<Verdict, Fault> {
        match answer {
            Ok(bindings::Verdict::Forward) => {
                let (target, method) = (exchange.request.uri.path(), &exchange.request.method);
                // Each was legal when it was set.
                if !weir_bounds::target::fits(target, method.as_str()) {
                    return Err(Fault::error("`*` is no target but of OPTIONS"));
                }
                Ok(Verdict::Forward)
            }
            Ok(bindings::Verdict::Respond(reply)) => {
                reply::check(reply, exchange, state).map(Verdict::Respond)
            }
            Err(message) => Err(Fault::error(&message)),
        }
    }
}

impl Call for OnResponse {
    type Parameters = ();
    type Results = (Result<(), String>,);
    type Output = ();

    const PHASE: Phase = Phase::Response;

    fn function(&self, of: &Functions) -> Option<TypedFunc<Self::Parameters, Self::Results>> {
        of.on_response
    }

    fn absent() {}

    fn parameters(self) {}

    fn bytes((answer,): &Self::Results) -> usize {
        answer.as_ref().err().map_or(0, String::len)
    }

    fn check(
        (answer,): Self::Results,
        _: &Functions,
        _: &Exchange,
        _: &State,
    ) -> Result<(), Fault> {
        answer.map_err(|message| Fault::error(&message))
    }
}

impl Call for OnComplete {
    type Parameters = (bindings::Summary,);
    type Results = ();
    type Output = ();

    const PHASE: Phase = Phase::Complete;

    fn function(&self, of: &Functions) -> Option<TypedFunc<Self::Parameters, Self::Results>> {
        of.on_complete
    }

    fn absent() {}

    fn parameters(self) -> Self::Parameters {
        (self.0,)
    }

    fn check((): (), _: &Functions, _: &Exchange, _: &State) -> Result<(), Fault> {
        Ok(())
    }
}

impl Call for OpenRequestBody {
    type Parameters = ();
    type Results = (Result<bool, String>,);
    type Output = Option<TransformFunctions>;

    const PHASE: Phase = Phase::Request;

    fn function(&self, of: &Functions) -> Option<TypedFunc<Self::Parameters, Self::Results>> {
        of.request_body.map(|functions| functions.open)
    }

    fn absent() -> Self::Output {
        None
    }

    fn parameters(self) {}

    fn check(
        (answer,): Self::Results,
        functions: &Functions,
        _: &Exchange,
        _: &State,
    ) -> Result<Self::Output, Fault> {
        opened(functions.request_body, answer)
    }
}

impl Call for OpenResponseBody {
    type Parameters = ();
    type Results = (Result<bool, String>,);
    type Output = Option<TransformFunctions>;

    const PHASE: Phase = Phase::Response;

    fn function(&self, of: &Functions) -> Option<TypedFunc<Self::Parameters, Self::Results>> {
        of.response_body.map(|functions| functions.open)
    }

    fn absent() -> Self::Output {
        None
    }

    fn parameters(self) {}

    fn check(
        (answer,): Self::Results,
        functions: &Functions,
        _: &Exchange,
        _: &State,
    ) -> Result<Self::Output, Fault> {
        opened(functions.response_body, answer)
    }
}

/// What pushes the body on, where the guest wants it.
fn opened(
    functions: Option<TransformFunctions>,
    answer: Result<bool, String>,
) -> Result<Option<TransformFunctions>, Fault> {
    let wanted = answer.map_err(|message| Fault::error(&message))?;
    Ok(functions.filter(|_| wanted))
}
