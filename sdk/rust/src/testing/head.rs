//! Header fields as the proxy keeps them, and what it refuses to change.
//!
//! In: names and values as a plugin gives them. Out: the field lines, or a refusal.
//! Never: lets a head grow past what plugins may add to a listener's default limits.

use weir_bounds::quota::{self, client_share};
use weir_bounds::reply;

use crate::FieldValue;
use crate::bindings::imports::weir::plugin::types::HeaderError;
use crate::config::{is_owned_by_proxy, is_token};

// What a listener lets in by default, and what plugins may add to it.
const MAX_LINES: usize = 100 + 64;
const MAX_BYTES: usize = (64 + 16) * 1024;

/// Field lines, in order of first appearance.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    lines: Vec<(String, Vec<u8>)>,
}

// === impl Head ===

impl Head {
    pub(crate) fn first(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.lines
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// The lines of a field as one value, as the proxy joins them.
    pub(crate) fn whole(&self, name: &str) -> Option<Vec<u8>> {
        let separator = if name.eq_ignore_ascii_case("cookie") { "; " } else { ", " };
        self.first(name)?;
        let lines: Vec<&[u8]> = self.all(name).filter(|line| !line.is_empty()).collect();
        Some(lines.join(separator.as_bytes()))
    }

    /// Lines with one name stand together, where the first of them appeared.
    pub(crate) fn lines(&self) -> Vec<(String, Vec<u8>)> {
        let mut out: Vec<(String, Vec<u8>)> = Vec::with_capacity(self.lines.len());
        for (name, value) in &self.lines {
            let after = out.iter().rposition(|(key, _)| key == name);
            let at = after.map_or(out.len(), |after| after + 1);
            out.insert(at, (name.clone(), value.clone()));
        }
        out
    }

    /// As a peer sends it: without any check.
    pub(crate) fn push(&mut self, name: &str, value: &[u8]) {
        self.lines.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    pub(crate) fn set(&mut self, name: &str, value: &[u8]) -> Result<(), HeaderError> {
        let name = allowed(name)?;
        legal(value)?;
        let mut next = self.clone();
        match next.lines.iter().position(|(key, _)| *key == name) {
            Some(first) => {
                next.lines[first].1 = value.to_vec();
                let mut index = 0;
                next.lines.retain(|(key, _)| {
                    index += 1;
                    index <= first + 1 || *key != name
                });
            }
            None => next.lines.push((name, value.to_vec())),
        }
        self.replace(next)
    }

    pub(crate) fn append(&mut self, name: &str, value: &[u8]) -> Result<(), HeaderError> {
        let name = allowed(name)?;
        legal(value)?;
        let mut next = self.clone();
        next.lines.push((name, value.to_vec()));
        self.replace(next)
    }

    pub(crate) fn remove(&mut self, name: &str) -> Result<(), HeaderError> {
        let name = allowed(name)?;
        self.lines.retain(|(key, _)| *key != name);
        Ok(())
    }

    fn replace(&mut self, next: Self) -> Result<(), HeaderError> {
        let bytes: usize = next.lines.iter().map(|(name, value)| name.len() + value.len()).sum();
        if next.lines.len() > MAX_LINES || bytes > MAX_BYTES {
            return Err(HeaderError::SizeExceeded);
        }
        *self = next;
        Ok(())
    }
}

fn allowed(name: &str) -> Result<String, HeaderError> {
    if !is_token(name) {
        return Err(HeaderError::InvalidSyntax);
    }
    let name = name.to_ascii_lowercase();
    if is_owned_by_proxy(&name) {
        return Err(HeaderError::Forbidden);
    }
    Ok(name)
}

fn legal(value: &[u8]) -> Result<(), HeaderError> {
    if FieldValue::is_legal(value) { Ok(()) } else { Err(HeaderError::InvalidSyntax) }
}

/// What [`Reply`](crate::Reply) may carry, checked as the proxy does.
pub(crate) fn check_reply(reply: &crate::Reply) -> Result<(), String> {
    if !reply::is_status(reply.status) {
        return Err(format!("status {} of a reply is not in 200 to 599", reply.status));
    }
    if reply.delay.as_millis() > reply::MAX_DELAY_MILLIS.into() {
        return Err("the delay of a reply is longer than 5 minutes".into());
    }
    if reply.body.len() > client_share(quota::DEFAULT) {
        return Err("the body of a reply is more than one client may have of `limits.quota`".into());
    }
    let mut head = Head::default();
    for (name, value) in &reply.headers {
        head.append(name, value)
            .map_err(|error| crate::HeaderError::new(name, error).to_string())?;
    }
    Ok(())
}
