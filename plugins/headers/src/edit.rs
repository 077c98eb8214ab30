//! Edits of a head: planned once, applied to every message.

use std::borrow::Cow;
use std::fmt::Display;

use weir_sdk::{
    Error, FieldName, FieldValue, HeaderError, Problems, Refusal, Request, Response, Result,
    Template,
};

use crate::config::Edits;

/// One change of a head. Names are lower-case.
pub enum Edit {
    Remove(FieldName),
    Rename(FieldName, FieldName),
    Set(FieldName, Template),
    SetIfAbsent(FieldName, Template),
    Add(FieldName, Template),
}

/// A head that can be edited: a request, or a response beside its request.
pub trait Head {
    fn has(&self, name: &str) -> bool;
    fn values(&self, name: &str) -> Vec<FieldValue>;
    fn set(&mut self, name: &str, value: &[u8]) -> Result<(), HeaderError>;
    fn append(&mut self, name: &str, value: &[u8]) -> Result<(), HeaderError>;
    fn remove(&mut self, name: &str) -> Result<(), HeaderError>;
    /// Variables are facts of the request on either side.
    fn render<'t>(&self, value: &'t Template) -> Cow<'t, [u8]>;
}

/// A response and the request it answers.
pub struct Answer<'a> {
    pub request: &'a Request,
    pub response: &'a mut Response,
}

/// Puts the edits in their order, and refuses those that could never work.
pub fn plan(edits: Edits) -> Result<Vec<Edit>> {
    let mut plan = Plan::default();
    for (at, name) in edits.remove.into_iter().enumerate() {
        let name = plan.writable(name, &[&at, &"remove"]);
        plan.edits.extend(name.map(Edit::Remove));
    }
    for (at, (from, to)) in edits.rename.0.iter().enumerate() {
        if edits.rename.0.iter().any(|(other, _)| other == to) {
            let why = "is a new name and an old one: what comes of it would be a guess";
            plan.wrong(Error::new(format!("`{to}` {why}")), &[from, &"rename"]);
        }
        if edits.rename.0.iter().take(at).any(|(_, other)| other == to) {
            let why = "another field is renamed to";
            let error = Error::new(format!("{why} `{to}` too, and one would replace the other"));
            plan.wrong(error, &[from, &"rename"]);
        }
        let old = plan.writable(from.clone(), &[from, &"rename"]);
        let new = plan.writable(to.clone(), &[from, &"rename"]);
        plan.edits.extend(old.zip(new).map(|(old, new)| Edit::Rename(old, new)));
    }
    for (name, value) in edits.set.0 {
        plan.value(name, value, "set", &[], Edit::Set);
    }
    for (name, value) in edits.set_if_absent.0 {
        plan.value(name, value, "set_if_absent", &[], Edit::SetIfAbsent);
    }
    for (name, values) in edits.add.0 {
        let several = values.is_list;
        for (at, value) in values.all.into_iter().enumerate() {
            let step: &[&dyn Display] = if several { &[&at] } else { &[] };
            plan.value(name.clone(), value, "add", step, Edit::Add);
        }
    }
    plan.problems.or(plan.edits)
}

/// Edits, and what is wrong with others.
#[derive(Default)]
struct Plan {
    edits: Vec<Edit>,
    problems: Problems,
}

// === impl Plan ===

impl Plan {
    /// A problem where these steps lead, from the inside out.
    fn wrong(&mut self, error: Error, steps: &[&dyn Display]) {
        self.problems.add(steps.iter().fold(error, |error, step| error.at(step)));
    }

    fn writable(&mut self, name: FieldName, steps: &[&dyn Display]) -> Option<FieldName> {
        name.writable().map_err(|error| self.wrong(error, steps)).ok()
    }

    fn value(
        &mut self,
        name: FieldName,
        value: Template,
        kind: &str,
        step: &[&dyn Display],
        edit: fn(FieldName, Template) -> Edit,
    ) {
        let place: Vec<&dyn Display> =
            step.iter().copied().chain([&name as _, &kind as _]).collect();
        let legal = FieldValue::is_legal(value.source().as_bytes());
        if !legal {
            let error =
                Error::new(format!("the value {:?} has control characters", value.source()));
            self.wrong(error.help("no field may have them"), &place);
        }
        if let (Some(name), true) = (self.writable(name.clone(), &place), legal) {
            self.edits.push(edit(name, value));
        }
    }
}

/// Applies the edits in order.
pub fn apply(plan: &[Edit], head: &mut impl Head) -> Result {
    for edit in plan {
        match edit {
            Edit::Remove(name) => head.remove(name)?,
            Edit::Rename(from, to) => rename(head, from, to)?,
            Edit::Set(name, value) => write(head, name, value, Head::set)?,
            Edit::SetIfAbsent(name, value) => {
                if !head.has(name) {
                    write(head, name, value, Head::set)?;
                }
            }
            Edit::Add(name, value) => write(head, name, value, Head::append)?,
        }
    }
    Ok(())
}

fn rename<H: Head>(head: &mut H, from: &str, to: &str) -> Result {
    let values = head.values(from);
    let mut values = values.iter();
    let Some(first) = values.next() else {
        return Ok(());
    };
    head.remove(from)?;
    head.set(to, first)?;
    for value in values {
        head.append(to, value)?;
    }
    Ok(())
}

/// Writes a value. Variables can hold what a field cannot, a decoded line break for one: these
/// bytes become spaces (RFC 9110, 5.5), but only once the proxy has refused them.
fn write<H: Head>(
    head: &mut H,
    name: &str,
    value: &Template,
    how: impl Fn(&mut H, &str, &[u8]) -> Result<(), HeaderError>,
) -> Result {
    let value = head.render(value);
    match how(head, name, &value) {
        Err(error) if error.reason == Refusal::InvalidSyntax => {
            let mut value = value.into_owned();
            for byte in &mut value {
                if !FieldValue::is_legal(&[*byte]) {
                    *byte = b' ';
                }
            }
            how(head, name, &value)?;
        }
        other => other?,
    }
    Ok(())
}

// === impl Head ===

impl Head for Request {
    fn has(&self, name: &str) -> bool {
        self.header(name).is_some()
    }

    fn values(&self, name: &str) -> Vec<FieldValue> {
        self.header_values(name)
    }

    fn set(&mut self, name: &str, value: &[u8]) -> Result<(), HeaderError> {
        self.set_header(name, value)
    }

    fn append(&mut self, name: &str, value: &[u8]) -> Result<(), HeaderError> {
        self.append_header(name, value)
    }

    fn remove(&mut self, name: &str) -> Result<(), HeaderError> {
        self.remove_header(name)
    }

    fn render<'t>(&self, value: &'t Template) -> Cow<'t, [u8]> {
        value.render(self)
    }
}

impl Head for Answer<'_> {
    fn has(&self, name: &str) -> bool {
        self.response.header(name).is_some()
    }

    fn values(&self, name: &str) -> Vec<FieldValue> {
        self.response.header_values(name)
    }

    fn set(&mut self, name: &str, value: &[u8]) -> Result<(), HeaderError> {
        self.response.set_header(name, value)
    }

    fn append(&mut self, name: &str, value: &[u8]) -> Result<(), HeaderError> {
        self.response.append_header(name, value)
    }

    fn remove(&mut self, name: &str) -> Result<(), HeaderError> {
        self.response.remove_header(name)
    }

    fn render<'t>(&self, value: &'t Template) -> Cow<'t, [u8]> {
        value.render(self.request)
    }
}
