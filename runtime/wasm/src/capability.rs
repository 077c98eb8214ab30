//! What a plugin can do, in words for people.
//!
//! In: its hooks, and the functions that its component imports. Out: what it can do, and what it cannot.
//! Never: what it wants to do: a component that imports a function may call it.

use weir_core::chain::Hooks;

/// What an import, or a hook, lets a plugin do.
struct Capability {
    /// Is it there?
    has: fn(&Plugin<'_>) -> bool,
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
const ALL: [Capability; 16] = [
    Capability {
        has: |plugin| plugin.imports("request"),
        can: "read heads of requests",
        cannot: "read anything of a request",
    },
    Capability {
        has: |plugin| plugin.changes("request-changes"),
        can: "change heads of requests",
        cannot: "change heads of requests",
    },
    Capability {
        has: |plugin| plugin.calls("request-changes", "limit-body"),
        can: "limit the length of bodies of requests",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.hooks.request,
        can: "answer requests by itself",
        cannot: "answer by itself",
    },
    Capability {
        has: |plugin| plugin.calls("request-body", "read") || plugin.hooks.request_body,
        can: "see bodies of requests",
        cannot: "see bodies of requests",
    },
    Capability {
        has: |plugin| plugin.calls("request-body", "set") || plugin.hooks.request_body,
        can: "replace bodies of requests",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.imports("response"),
        can: "read heads of responses",
        cannot: "read anything of a response",
    },
    Capability {
        has: |plugin| plugin.changes("response-changes"),
        can: "change heads of responses",
        cannot: "change heads of responses",
    },
    Capability {
        has: |plugin| plugin.calls("response-body", "read") || plugin.hooks.response_body,
        can: "see bodies of responses",
        cannot: "see bodies of responses",
    },
    Capability {
        has: |plugin| plugin.calls("response-body", "set") || plugin.hooks.response_body,
        can: "replace bodies of responses",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.imports("client"),
        can: "know the client's address",
        cannot: "know the client's address",
    },
    Capability {
        has: |plugin| plugin.imports("attributes"),
        can: "leave facts for other plugins and the access log",
        cannot: "",
    },
    Capability { has: |plugin| plugin.imports("log"), can: "write to the log", cannot: "" },
    Capability { has: |plugin| plugin.imports("metrics"), can: "count in the metrics", cannot: "" },
    Capability {
        has: |plugin| plugin.imports("limiter"),
        can: "count requests over all workers",
        cannot: "",
    },
    Capability {
        has: |plugin| plugin.imports("store"),
        can: "keep data from one request to the next, for all workers",
        cannot: "keep data for all workers",
    },
];

impl Capabilities {
    /// Of a component with these hooks, that imports these functions of `weir:plugin`: names of their
    /// interfaces without package and version, and theirs.
    pub fn of(hooks: Hooks, functions: &[(String, String)]) -> Capabilities {
        let plugin = Plugin { hooks, functions };
        let mut words = Capabilities::default();
        for Capability { has, can, cannot } in ALL {
            let (list, word) = match has(&plugin) {
                true => (&mut words.can, can),
                false => (&mut words.cannot, cannot),
            };
            if !word.is_empty() {
                list.push(word);
            }
        }
        // There is no function for it: none can.
        words.cannot.push("reach the network, files, or the environment");
        words
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
