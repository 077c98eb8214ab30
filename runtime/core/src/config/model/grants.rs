//! What a plugin may do of what its component can.
//!
//! In: what `[plugins.NAME.grants]` says. Out: whether a capability is granted, and whether that was written or
//! is the default. Never: knows components: whoever loads one holds what it can do against this.

use std::sync::Arc;

/// A part of the contract that an operator can grant to a plugin, or refuse to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grant {
    Request,
    RequestChanges,
    Response,
    ResponseChanges,
    Bodies,
    Reply,
    Client,
    Attributes,
    Completion,
    Log,
    Metrics,
    Limiter,
    Store,
    /// To call those of [`Grants::http`], if any.
    Http,
}

/// `[plugins.NAME.grants]`. Equal if the same is granted, written or not.
#[derive(Debug, Clone, Eq, Default)]
pub struct Grants {
    /// In the order of [`Grant::ALL`].
    written: [Option<bool>; Grant::ALL.len()],
    /// The plugin comes with the proxy.
    is_ours: bool,
    pub http: Vec<Callable>,
}

/// Whom a plugin may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callable {
    /// In front of the path: `upstream://users`, `https://idp.internal`.
    pub named: Arc<str>,
    /// The name of the upstream that it is.
    pub upstream: Arc<str>,
}

impl Grant {
    pub const ALL: [Grant; 14] = [
        Grant::Request,
        Grant::RequestChanges,
        Grant::Response,
        Grant::ResponseChanges,
        Grant::Bodies,
        Grant::Reply,
        Grant::Client,
        Grant::Attributes,
        Grant::Completion,
        Grant::Log,
        Grant::Metrics,
        Grant::Limiter,
        Grant::Store,
        Grant::Http,
    ];

    /// As it is written.
    pub fn key(self) -> &'static str {
        match self {
            Grant::Request => "request",
            Grant::RequestChanges => "request_changes",
            Grant::Response => "response",
            Grant::ResponseChanges => "response_changes",
            Grant::Bodies => "bodies",
            Grant::Reply => "reply",
            Grant::Client => "client",
            Grant::Attributes => "attributes",
            Grant::Completion => "completion",
            Grant::Log => "log",
            Grant::Metrics => "metrics",
            Grant::Limiter => "limiter",
            Grant::Store => "store",
            Grant::Http => "http",
        }
    }

    /// What to write, within `grants`, to grant it.
    pub fn line(self) -> String {
        match self {
            Grant::Http => "http = [\"https://HOST\", \"upstream://NAME\"]".to_owned(),
            _ => format!("{} = true", self.key()),
        }
    }

    /// Whether any plugin has it where nothing is written: what ends with the exchange, and what is
    /// counted. What is kept beyond it, or reaches others, has to be granted.
    fn is_usual(self) -> bool {
        !matches!(self, Grant::Store | Grant::Http)
    }
}

impl Grants {
    /// Whatever a component can do: what a plugin has that comes with the proxy. Others have what is usual
    /// by default.
    pub fn everything() -> Grants {
        Grants { is_ours: true, ..Grants::default() }
    }

    /// What is written of it.
    pub fn write(&mut self, grant: Grant, allowed: bool) {
        self.written[grant as usize] = Some(allowed);
    }

    /// What is written of it, if anything.
    pub fn written(&self, grant: Grant) -> Option<bool> {
        self.written[grant as usize]
    }

    pub fn allow(&self, grant: Grant) -> bool {
        self.written(grant).unwrap_or(self.is_ours || grant.is_usual())
    }

    /// Whether the plugin comes with the proxy.
    pub fn are_ours(&self) -> bool {
        self.is_ours
    }
}

impl PartialEq for Grants {
    fn eq(&self, other: &Self) -> bool {
        self.http == other.http
            && Grant::ALL.into_iter().all(|grant| self.allow(grant) == other.allow(grant))
    }
}
