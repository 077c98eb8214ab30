//! `weir:plugin/outbound`: upstreams and origins that a test answers for.
//!
//! In: calls. Out: what the test says that they answer. Never: calls anybody.

use weir_bounds::outbound::{
    MAX_AT_ONCE, MAX_CALLS, MAX_FIELDS, MAX_HEAD_BYTES, MAX_TIMEOUT_MILLIS,
};
use weir_bounds::target::is_legal;

use super::head::Head;
use super::message::{Called, FakeRequest, FakeResponse, request};
use super::state::current;
use crate::BodyError;
use crate::FieldValue;
use crate::bindings::imports::weir::plugin::outbound::{Answer, Failure, Request};
use crate::config::{is_owned_by_proxy, is_token};
use crate::error::CallError;

pub fn send(requests: &[Request]) -> Vec<Result<Answer, Failure>> {
    assert!(requests.len() <= MAX_AT_ONCE, "trap: at most {MAX_AT_ONCE} calls are made at once");
    let made = {
        let state = current();
        let mut state = state.borrow_mut();
        state.called += requests.len();
        state.called
    };
    assert!(made <= MAX_CALLS, "trap: a hook makes at most {MAX_CALLS} calls");
    requests.iter().map(call).collect()
}

pub fn field(call: u32, name: &str) -> Option<Vec<u8>> {
    answered(call, |answer| answer.head.whole(name))
}

pub fn fields(call: u32) -> Vec<(String, Vec<u8>)> {
    answered(call, |answer| answer.head.lines())
}

pub fn body(call: u32) -> Vec<u8> {
    answered(call, |answer| answer.body.clone().unwrap_or_default())
}

fn answered<R>(call: u32, read: impl FnOnce(&FakeResponse) -> R) -> R {
    let state = current();
    let state = state.borrow();
    let answer = state.answers.get(call as usize);
    read(answer.unwrap_or_else(|| panic!("trap: this hook has no answer to a call {call}")))
}

fn call(of: &Request) -> Result<Answer, Failure> {
    let (scheme, rest) = of.url.split_once("://").ok_or(Failure::Invalid)?;
    if !matches!(scheme, "upstream" | "http" | "https") {
        return Err(Failure::Invalid);
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (whom, target) = of.url.split_at(of.url.len() - rest.len() + end);
    let slash = if target.starts_with('/') { "" } else { "/" };
    let target = format!("{slash}{target}");
    let state = current();
    // Taken out while it answers: it may look at the plugin's proxy.
    let known = state.borrow_mut().callable.remove(whom);
    let mut answering = known.ok_or(Failure::Denied)?;
    let answer = legal(of, &target).and_then(|asked| {
        let answer = answering(&asked).map_err(failure)?;
        match &answer.body {
            Ok(body) if body.len() > of.limit as usize => Err(Failure::TooLarge),
            Ok(_) => Ok(answer),
            Err(BodyError::Timeout) => Err(Failure::Timeout),
            Err(_) => Err(Failure::Broken),
        }
    });
    let mut state = state.borrow_mut();
    state.callable.insert(whom.to_owned(), answering);
    let answer = answer?;
    let (call, status) = (state.answers.len() as u32, answer.status);
    state.answers.push(answer);
    Ok(Answer { call, status })
}

/// The request, where the proxy would make it.
fn legal(of: &Request, target: &str) -> Result<Called, Failure> {
    let mut head = Head::default();
    let mut bytes = of.method.len() + target.len();
    for (name, value) in &of.fields {
        bytes += name.len() + value.len();
        if !is_token(name) || is_owned_by_proxy(name) || !FieldValue::is_legal(value) {
            return Err(Failure::Invalid);
        }
        head.push(name, value);
    }
    let fits = of.fields.len() <= MAX_FIELDS && bytes <= MAX_HEAD_BYTES;
    let method = is_token(&of.method) && of.method != "CONNECT";
    if !fits || !method || !is_legal(target, &of.method) {
        return Err(Failure::Invalid);
    }
    if !(1..=MAX_TIMEOUT_MILLIS).contains(&of.timeout_millis) {
        return Err(Failure::Invalid);
    }
    Ok(Called(FakeRequest { head, ..request(&of.method, target).body(&of.body) }))
}

fn failure(error: CallError) -> Failure {
    match error {
        CallError::Denied => Failure::Denied,
        CallError::Invalid => Failure::Invalid,
        CallError::Unavailable => Failure::Unavailable,
        CallError::Timeout => Failure::Timeout,
        CallError::TooLarge => Failure::TooLarge,
        CallError::Broken => Failure::Broken,
    }
}

#[cfg(test)]
mod tests;
