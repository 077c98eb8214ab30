//! What a plugin can do, in words for people.
//!
//! In: its hooks, and the functions that its component imports. Out: what it can do, and what it cannot.
//! Never: what it wants to do: a component that imports a function may call it.

use weir_core::chain::Hooks;
use weir_core::config::{Grant, Grants};

/// What an import, or a hook, lets a plugin do.
struct Capability {
    /// Is it there?
    has: fn(&Plugin<'_>) -> bool,
    /// What it needs.
    grant: Grant,
    /// "it can …", and nothing for what any plugin can.
    can: &'static str,
    /// "it cannot …", and nothing where that is no surprise.
    cannot: &'static str,
}

/// What is known of a plugin from its binary alone.
struct Plugin<'a> {
    hooks: Hooks,
    /// Interfaces of `weir:plugin` without version, with their functions.
    functions: &'a [(String, String)],
}

/// In words: each fits behind "it can" and "it cannot".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub can: Vec<&'static str>,
    pub cannot: Vec<&'static str>,
}

/// Each interface of the contract is here, and each of its functions that says something of its own.
const ALL: [Capability; 20] = [
    Capability {
        has: |plugin| plugin.imports("request"),
        grant: Grant::Request,
        can: "read heads of requests",
        cannot: "read anything of a request",
    },
    Capability {
        has: |plugin| plugin.changes("request-changes"),
        grant: Grant::RequestChanges,
        can: "change heads of requests",
        cannot: "change heads of requests",
    },
    Capability {
        has: |plugin| plugin.calls("request-changes", "limit-body"),
        grant: Grant::RequestChanges,
        can: "limit the length of bodies of requests",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.hooks.request,
        grant: Grant::Reply,
        can: "answer requests by itself",
        cannot: "answer by itself",
    },
    Capability {
        has: |plugin| plugin.calls("request-body", "read") || plugin.hooks.request_body,
        grant: Grant::Bodies,
        can: "see bodies of requests",
        cannot: "see bodies of requests",
    },
    Capability {
        has: |plugin| plugin.calls("request-body", "set") || plugin.hooks.request_body,
        grant: Grant::Bodies,
        can: "replace bodies of requests",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.hooks.response,
        grant: Grant::Response,
        can: "take part in responses",
        cannot: "take part in responses",
    },
    Capability {
        has: |plugin| plugin.imports("response"),
        grant: Grant::Response,
        can: "read heads of responses",
        cannot: "read anything of a response",
    },
    Capability {
        has: |plugin| plugin.changes("response-changes"),
        grant: Grant::ResponseChanges,
        can: "change heads of responses",
        cannot: "change heads of responses",
    },
    Capability {
        has: |plugin| plugin.calls("response-body", "read") || plugin.hooks.response_body,
        grant: Grant::Bodies,
        can: "see bodies of responses",
        cannot: "see bodies of responses",
    },
    Capability {
        has: |plugin| plugin.calls("response-body", "set") || plugin.hooks.response_body,
        grant: Grant::Bodies,
        can: "replace bodies of responses",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.imports("client"),
        grant: Grant::Client,
        can: "know the client's address",
        cannot: "know the client's address",
    },
    Capability {
        has: |plugin| plugin.calls("request", "attribute"),
        grant: Grant::Attributes,
        can: "read facts that other plugins left",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.imports("attributes"),
        grant: Grant::Attributes,
        can: "leave facts for other plugins and the access log",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.hooks.completion,
        grant: Grant::Completion,
        can: "learn how exchanges end",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.imports("log"),
        grant: Grant::Log,
        can: "write to the log",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.imports("metrics"),
        grant: Grant::Metrics,
        can: "count in the metrics",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.imports("limiter"),
        grant: Grant::Limiter,
        can: "count requests over all workers",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.imports("store"),
        grant: Grant::Store,
        can: "keep data from one request to the next, for all workers",
        cannot: "keep data for all workers",
    },
    Capability {
        has: |plugin| plugin.imports("outbound"),
        grant: Grant::Http,
        can: "call upstreams that it is granted",
        cannot: "call anybody",
    },
];

impl Capabilities {
    /// Of a component with these hooks, that imports these functions of `weir:plugin`: names of their
    /// interfaces without package and version, and theirs.
    pub fn of(hooks: Hooks, functions: &[(String, String)]) -> Capabilities {
        let plugin = Plugin { hooks, functions };
        Capabilities::told(|capability| (capability.has)(&plugin))
    }

    /// What is left of it with these grants.
    pub fn within(&self, grants: &Grants) -> Capabilities {
        Capabilities::told(|Capability { grant, can, .. }| {
            self.can.contains(can) && grants.allow(*grant)
        })
    }

    /// What these grants do not let it do, in words, each with what it needs.
    pub fn ungranted(&self, grants: &Grants) -> Vec<(Grant, &'static str)> {
        self.which(|capability| !grants.allow(capability.grant))
    }

    /// What it can do and `other` cannot.
    pub fn beyond(&self, other: &Capabilities) -> Vec<(Grant, &'static str)> {
        self.which(|capability| !other.can.contains(&capability.can))
    }

    fn told(has: impl Fn(&Capability) -> bool) -> Capabilities {
        let mut words = Capabilities::default();
        for capability in &ALL {
            let (list, word) = match has(capability) {
                true => (&mut words.can, capability.can),
                false => (&mut words.cannot, capability.cannot),
            };
            if !word.is_empty() {
                list.push(word);
            }
        }
        // There is no function for it: none can.
        words.cannot.push("open connections, or reach files or the environment");
        words
    }

    fn which(&self, is: impl Fn(&Capability) -> bool) -> Vec<(Grant, &'static str)> {
        let own =
            ALL.iter().filter(|capability| self.can.contains(&capability.can) && is(capability));
        own.map(|capability| (capability.grant, capability.can)).collect()
    }
}

impl Plugin<'_> {
    fn imports(&self, interface: &str) -> bool {
        self.functions.iter().any(|(name, _)| name == interface)
    }

    fn calls(&self, interface: &str, function: &str) -> bool {
        self.functions.iter().any(|(name, called)| name == interface && called == function)
    }

    /// Whether it imports a function that changes a head, and not only one that limits a body.
    fn changes(&self, interface: &str) -> bool {
        let changes =
            |(name, called): &(String, String)| name == interface && called != "limit-body";
        self.functions.iter().any(changes)
    }
}

#[cfg(test)]
mod tests;
