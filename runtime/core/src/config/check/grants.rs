//! `[plugins.NAME.grants]`
//!
//! In: the table. Out: what a plugin may do, and an upstream for each origin that it may call. Never: knows what
//! its component can do.

use std::net::IpAddr;
use std::sync::Arc;

use super::Check;
use crate::config::address;
use crate::config::field::Field;
use crate::config::model::{Callable, Endpoint, Grant, Grants, Reach, Upstream};
use crate::config::problem::Fault;
use crate::config::read::TableReader;

impl Check<'_> {
    /// What is written, and of the others these.
    pub(super) fn grants(&self, table: Option<TableReader<'_>>, mut grants: Grants) -> Grants {
        let Some(table) = table else { return grants };
        if let Some(called) = table.field("http").and_then(|field| field.list()) {
            grants.http = called.iter().filter_map(|item| self.callable(item)).collect();
            if !grants.http.is_empty() {
                grants.write(Grant::Http, true);
            }
        }
        for grant in Grant::ALL.into_iter().filter(|grant| *grant != Grant::Http) {
            if let Some(allowed) = table.flag(grant.key()) {
                grants.write(grant, allowed);
            }
        }
        grants
    }

    fn callable(&self, field: &Field<'_>) -> Option<Callable> {
        let (url, is_private) = match field.shorthand() {
            Ok(text) => match text.strip_prefix("upstream://") {
                Some(name) => return self.callable_upstream(field, text, name),
                None => (field.parsed(callable_origin), false),
            },
            Err(field) => {
                let table = field?.table()?;
                let url = table.required("url").and_then(|url| url.parsed(callable_origin));
                (url, table.flag("private").unwrap_or(false))
            }
        };
        Some(self.callable_at(url?, is_private))
    }

    fn callable_upstream(&self, field: &Field<'_>, text: &str, name: &str) -> Option<Callable> {
        match self.upstreams.index(name, self.report) {
            Ok(_) => return Some(Callable { named: text.into(), upstream: name.into() }),
            Err(_) if self.report.may_have_lost(name) => {}
            Err(fault) => field.problem(fault),
        }
        None
    }

    /// An origin is an upstream that no route has: with connections, health and metrics like any.
    fn callable_at(&self, endpoint: Endpoint, is_private: bool) -> Callable {
        let named: Arc<str> = endpoint.origin().into();
        // Where the address or this machine is named, that is what is meant.
        let is_said = endpoint.host.parse::<IpAddr>().is_ok() || is_this_machine(&endpoint.host);
        let (name, reach) = match (is_said, is_private) {
            (true, _) => (named.clone(), Reach::Anywhere),
            (false, true) => (format!("{named}+private").into(), Reach::Anywhere),
            (false, false) => (named.clone(), Reach::Public),
        };
        let mut origins = self.origins.borrow_mut();
        if origins.iter().all(|known| known.name != name) {
            origins.push(Upstream::of_origin(name.clone(), endpoint, reach));
        }
        Callable { named, upstream: name }
    }
}

/// Names that stand for nothing else (RFC 6761, 6.3).
fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

fn callable_origin(text: &str) -> Result<Endpoint, Fault> {
    let hint =
        "write \"https://host\", or \"upstream://NAME\" for an upstream of this configuration";
    if text.starts_with("upstream://") {
        return Err(Fault::hint("an upstream is no origin", format!("write {text:?} by itself")));
    }
    let Some((_, rest)) = text.split_once("://").filter(|_| !text.contains('@')) else {
        // A user and password may be in it.
        let fault = Fault::hint("this is neither an origin nor an upstream", hint);
        return Err(if text.contains('@') { fault.secret() } else { fault });
    };
    match rest.find(['/', '?', '#']) {
        Some(at) if &rest[at..] != "/" => {
            Err(Fault::hint("an origin is granted as a whole, not a path of it", hint))
        }
        _ => address::origin(text),
    }
}
