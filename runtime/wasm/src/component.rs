//! What a component is, as its imports and exports say.
//!
//! In: a compiled component. Out: its hooks, where to find them, the capabilities it wants, and
//! whether its hooks can suspend. Never: instantiates it.

use weir_core::chain::Hooks;
use weir_core::config::{Flaw, Grant, Grants};

use super::capability::Capabilities;
use super::contract::{self, PACKAGE, interface, is_current};
use super::engine::{MAX_CORE_INSTANCES_PER_COMPONENT, MAX_GLUE, TABLES_PER_INSTANCE};
use super::host::{INTERFACES, functions, wasi};
use super::plan::{Lifted, Plan};
use super::problem::Problem;

/// Functions of `weir:plugin` that wait for a peer.
const SUSPENDING: [(&str, &str); 3] =
    [("request-body", "read"), ("response-body", "read"), ("outbound", "send")];

/// Interfaces a component may import. The contract has 14, WASI 0.2 some 25; CPython imports 30.
const MAX_IMPORTS: usize = 100;
/// Functions in them, each of which the host links when it makes an instance.
const MAX_IMPORTED_ITEMS: usize = 2_000;

/// What inspection found.
#[derive(Debug, Clone)]
pub struct Inspected {
    pub hooks: Hooks,
    /// Every interface it imports, as it names them.
    pub imports: Vec<String>,
    /// What it imports of the contract: interfaces without version, and functions.
    pub functions: Vec<(String, String)>,
    pub capabilities: Capabilities,
    /// It imports a function that waits, so its calls run on fibers.
    pub suspends: bool,
    /// It imports a function that calls others.
    pub calls_out: bool,
}

/// Looks at a component.
///
/// # Errors
/// Every reason why it is no plugin, at once.
pub fn inspect(plan: &Plan) -> Result<Inspected, Vec<Problem>> {
    let mut problems = Vec::new();
    let functions = imports(plan, &mut problems);
    let hooks = exports(plan, &mut problems);
    if plan.steps.len() > MAX_CORE_INSTANCES_PER_COMPONENT as usize {
        problems.push(Problem::component(format!(
            "the component has {} core instances; at most {MAX_CORE_INSTANCES_PER_COMPONENT} are taken",
            plan.steps.len()
        )));
    }
    let allocators = plan.lowering().count();
    if allocators >= MAX_GLUE as usize {
        problems.push(Problem::component(format!(
            "the component has {allocators} allocators; at most {} are taken",
            MAX_GLUE - 1
        )));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let waits = |(interface, function): &(String, String)| {
        SUSPENDING.contains(&(interface.as_str(), function.as_str()))
    };
    Ok(Inspected {
        hooks,
        imports: plan.interfaces.clone(),
        capabilities: Capabilities::of(hooks, &functions),
        suspends: functions.iter().any(waits),
        calls_out: functions.iter().any(|(interface, _)| interface == "outbound"),
        functions,
    })
}

impl Inspected {
    /// Holds what it can do against what the operator granted. Whether it answers by itself is seen when
    /// it does: one that changes requests has the same hook.
    pub fn check_grants(&self, plugin: &str, grants: &Grants) -> Vec<Problem> {
        let mut ungranted = self.capabilities.ungranted(grants);
        ungranted.retain(|(grant, _)| *grant != Grant::Reply);
        ungranted_problems(plugin, grants, &ungranted, "which it is not granted")
    }
}

/// A problem for each grant that is missing.
pub fn ungranted_problems(
    plugin: &str,
    grants: &Grants,
    ungranted: &[(Grant, &'static str)],
    why: &str,
) -> Vec<Problem> {
    let of = |grant: Grant| {
        let words: Vec<_> =
            ungranted.iter().filter(|(of, _)| *of == grant).map(|(_, word)| *word).collect();
        if words.is_empty() {
            return None;
        }
        let (key, can) = (grant.key(), words.join(", and "));
        let place = match grants.written(grant) {
            Some(_) => format!("/grants/{key}"),
            None => "/grants".to_owned(),
        };
        let problem = Problem::at(&place, Flaw::Said(format!("the component can {can}, {why}")));
        Some(problem.hint(format!(
            "if it may, write in [plugins.{plugin}]: grants = {{ {} }}",
            grant.line()
        )))
    };
    Grant::ALL.into_iter().filter_map(of).collect()
}

/// The seats that an instance takes: what the engine has for one is one memory and a few tables.
pub fn weight(memories: u32, tables: u32) -> usize {
    memories.max(tables.div_ceil(TABLES_PER_INSTANCE)).max(1) as usize
}

/// What it imports of the contract: interfaces without version, and functions.
fn imports(plan: &Plan, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
    if plan.interfaces.len() > MAX_IMPORTS || plan.imports.len() > MAX_IMPORTED_ITEMS {
        problems.push(Problem::component(format!(
            "the component imports more than a plugin can have: at most {MAX_IMPORTS} interfaces with \
             {MAX_IMPORTED_ITEMS} functions together"
        )));
        return Vec::new();
    }
    for name in plan.interfaces.iter().filter(|name| !wasi::is_known(name)) {
        let known = interface(name);
        if known.is_some() && !is_current(name) {
            problems.push(outdated(name));
        } else if !INTERFACES.iter().any(|interface| known == Some(interface)) {
            problems.push(unknown_import(name));
        }
    }
    let mut found = Vec::new();
    for import in &plan.imports {
        match (functions::of(import), interface(&import.interface)) {
            (Some(function), _) if function.signature != import.signature => {
                let (name, signature) = (&import.function, &import.signature);
                problems.push(of_another_type(
                    &import.interface,
                    name,
                    signature,
                    function.signature,
                ));
            }
            (None, Some(known)) if INTERFACES.contains(&known) && is_current(&import.interface) => {
                let what = format!("{}#{}", import.interface, import.function);
                problems.push(unknown_import(&what));
            }
            (_, Some(known)) => found.push((known.to_owned(), import.function.clone())),
            _ => {}
        }
    }
    found
}

fn unknown_import(name: &str) -> Problem {
    let hint = if name.starts_with("wasi:http/") || name.starts_with("wasi:sockets/") {
        "plugins have no network; remove what opens connections (StarlingMonkey: --disable http)"
    } else {
        "a plugin may import what the worlds of weir:plugin name, and wasi 0.2 without sockets and http"
    };
    Problem::component(format!("the component imports `{name}`, which nothing here provides"))
        .hint(hint)
}

fn exports(plan: &Plan, problems: &mut Vec<Problem>) -> Hooks {
    problems
        .extend(plan.exported.iter().filter(|name| !is_current(name)).map(|name| outdated(name)));
    let current = |lifted: &&Lifted| is_current(&lifted.interface);
    for Lifted { interface: of, name, signature: is, .. } in plan.exports.iter().filter(current) {
        let mut all = contract::EXPORTS.iter();
        let known =
            all.find(|(known, function, _)| interface(of) == Some(known) && function == name);
        if let Some((.., should_be)) = known.filter(|(.., should_be)| should_be != is) {
            problems.push(of_another_type(of, name, is, should_be));
        }
    }
    let has = |wanted: &str, function: &str| {
        let mut exports = plan.exports.iter().filter(current);
        exports.any(|it| interface(&it.interface) == Some(wanted) && it.name == function)
    };
    let transforms = |of: &str| ["open", "push", "finish"].iter().all(|function| has(of, function));
    let hooks = Hooks {
        request: has("request-hook", "on-request"),
        response: has("response-hook", "on-response"),
        request_body: transforms("request-body-hook"),
        response_body: transforms("response-body-hook"),
        completion: has("completion-hook", "on-complete"),
    };
    if hooks == Hooks::default() {
        problems.push(
            Problem::component("the component exports no hook, so it would never be called").hint(
                "export at least one of weir:plugin/{request-hook, response-hook, \
                 request-body-hook, response-body-hook, completion-hook}@0.2.0",
            ),
        );
    }
    if !(has("lifecycle", "describe") && has("lifecycle", "configure")) {
        problems.push(
            Problem::component("the component does not export `weir:plugin/lifecycle`")
                .hint("every plugin exports weir:plugin/lifecycle@0.2.0 beside its hooks"),
        );
    }
    hooks
}

fn of_another_type(interface: &str, function: &str, is: &str, should_be: &str) -> Problem {
    Problem::component(format!(
        "the component does not fit the contract: its `{interface}#{function}` is {is}"
    ))
    .hint(format!("it should be {should_be}: rebuild it against {PACKAGE}*@0.2.0"))
}

fn outdated(name: &str) -> Problem {
    Problem::component(format!("the component was built for `{name}`"))
        .hint("this build of Weir knows weir:plugin@0.2.x: rebuild the plugin against it")
}
