//! What a component is, as its imports and exports say.
//!
//! In: a compiled component. Out: its hooks, where to find them, the capabilities it wants, and
//! whether its hooks can suspend. Never: instantiates it.

use wasmparser::{CanonicalFunction, CanonicalOption, Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex};
use weir_core::chain::Hooks;
use weir_core::config::{Flaw, Grants};

use super::bindings::{PACKAGE, VERSION_TRACK};
use super::capability::Capabilities;
use super::engine::{MAX_CORE_INSTANCES_PER_COMPONENT, TABLES_PER_INSTANCE};
use super::host::{INTERFACES, wasi};
use super::problem::Problem;

/// Functions of `weir:plugin` that wait for a peer.
const SUSPENDING: [(&str, &str); 2] = [("request-body", "read"), ("response-body", "read")];

/// Interfaces a component may import. The contract has 13, WASI 0.2 some 25; CPython imports 30.
const MAX_IMPORTS: usize = 100;
/// The most that an instance weighs, for one of which it cannot be told.
const MAX_WEIGHT: usize = MAX_CORE_INSTANCES_PER_COMPONENT.div_ceil(TABLES_PER_INSTANCE) as usize;
/// Functions and types in them, each of which the host defines before it makes an instance.
const MAX_IMPORTED_ITEMS: usize = 2_000;

/// What inspection found.
#[derive(Debug, Clone)]
pub struct Inspected {
    pub hooks: Hooks,
    pub exports: Exports,
    /// Every interface it imports, as it names them.
    pub imports: Vec<String>,
    pub capabilities: Capabilities,
    /// It imports a function that waits, so its calls run on fibers.
    pub suspends: bool,
    /// See [`weight`].
    pub weight: usize,
}

/// What it imports.
#[derive(Default)]
struct Imports {
    /// Interfaces, as it names them.
    names: Vec<String>,
    /// Functions of `weir:plugin`, with the names of their interfaces.
    functions: Vec<(String, String)>,
}

/// Where its functions are.
#[derive(Debug, Clone)]
pub struct Exports {
    pub describe: ComponentExportIndex,
    pub configure: ComponentExportIndex,
    pub on_request: Option<ComponentExportIndex>,
    pub on_response: Option<ComponentExportIndex>,
    pub request_body: Option<TransformExports>,
    pub response_body: Option<TransformExports>,
    pub on_complete: Option<ComponentExportIndex>,
}

/// The functions of a body transform.
#[derive(Debug, Clone)]
pub struct TransformExports {
    pub open: ComponentExportIndex,
    pub push: ComponentExportIndex,
    pub finish: ComponentExportIndex,
}

/// Looks at a component.
///
/// # Errors
/// Every reason why it is no plugin, at once.
pub fn inspect(engine: &Engine, component: &Component) -> Result<Inspected, Vec<Problem>> {
    let mut problems = Vec::new();
    let Imports { names, functions } = imports(engine, component, &mut problems);
    let exports = exports(engine, component, &mut problems);
    match exports {
        Some((hooks, exports)) if problems.is_empty() => {
            let waits = |(interface, function): &(String, String)| {
                SUSPENDING.contains(&(interface.as_str(), function.as_str()))
            };
            Ok(Inspected {
                hooks,
                exports,
                imports: names,
                capabilities: Capabilities::of(hooks, &functions),
                suspends: functions.iter().any(waits),
                weight: weight(component),
            })
        }
        _ => Err(problems),
    }
}

impl Inspected {
    /// Holds what it imports against what the operator granted.
    pub fn check_grants(&self, plugin: &str, grants: &Grants) -> Vec<Problem> {
        let wants_store = self.imports.iter().any(|import| interface(import) == Some("store"));
        if !wants_store || grants.store {
            return Vec::new();
        }
        let problem = Problem::at(
            "/grants",
            Flaw::Said(
                "the component imports `weir:plugin/store`, which it is not granted".to_owned(),
            ),
        );
        vec![problem.hint(format!(
            "if it may keep state, add to [plugins.{plugin}]: grants = {{ store = true }}"
        ))]
    }
}

/// The seats that an instance of it takes: what the engine has for one is one memory and a few
/// tables.
pub fn weight(component: &Component) -> usize {
    let Some(needs) = component.resources_required() else { return MAX_WEIGHT };
    let needs = (needs.num_memories, needs.num_tables.div_ceil(TABLES_PER_INSTANCE));
    usize::try_from(needs.0.max(needs.1)).unwrap_or(MAX_WEIGHT).max(1)
}

/// Whether texts of a component may be in UTF-16, as it chooses for each function. One that cannot
/// be read is taken to.
pub fn has_wide_texts(component: &[u8]) -> bool {
    let is_wide = |options: &[CanonicalOption]| {
        options
            .iter()
            .any(|option| matches!(option, CanonicalOption::UTF16 | CanonicalOption::CompactUTF16))
    };
    Parser::new(0).parse_all(component).any(|payload| match payload {
        Ok(Payload::ComponentCanonicalSection(functions)) => {
            functions.into_iter().any(|function| match function {
                Ok(
                    CanonicalFunction::Lift { options, .. }
                    | CanonicalFunction::Lower { options, .. },
                ) => is_wide(&options),
                Ok(_) => false,
                Err(_) => true,
            })
        }
        Ok(_) => false,
        Err(_) => true,
    })
}

fn imports(engine: &Engine, component: &Component, problems: &mut Vec<Problem>) -> Imports {
    let Imports { mut names, mut functions } = Imports::default();
    let mut items = 0;
    for (name, kind) in component.component_type().imports(engine) {
        if let ComponentItem::ComponentInstance(instance) = &kind.ty {
            items += instance.exports(engine).len();
        }
        if names.len() == MAX_IMPORTS || items > MAX_IMPORTED_ITEMS {
            problems.push(Problem::component(format!(
                "the component imports more than a plugin can have: at most {MAX_IMPORTS} \
                 interfaces with {MAX_IMPORTED_ITEMS} functions and types together"
            )));
            break;
        }
        names.push(name.to_owned());
        if wasi::is_known(name) {
            continue;
        }
        let known = interface(name);
        if known.is_some() && !is_current(name) {
            problems.push(outdated(name));
        } else if !INTERFACES.iter().any(|(interface, _)| known == Some(interface)) {
            problems.push(unknown_import(name));
        }
        if let (ComponentItem::ComponentInstance(instance), Some(known)) = (kind.ty, known) {
            for (item, kind) in instance.exports(engine) {
                if let ComponentItem::ComponentFunc(_) = kind.ty {
                    functions.push((known.to_owned(), item.to_owned()));
                }
            }
        }
    }
    Imports { names, functions }
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

fn exports(
    engine: &Engine,
    component: &Component,
    problems: &mut Vec<Problem>,
) -> Option<(Hooks, Exports)> {
    let names: Vec<String> = component
        .component_type()
        .exports(engine)
        .map(|(name, _)| name.to_owned())
        .filter(|name| interface(name).is_some())
        .collect();
    problems.extend(names.iter().filter(|name| !is_current(name)).map(|name| outdated(name)));
    let find = |wanted: &str| {
        let name = names.iter().find(|name| interface(name) == Some(wanted))?;
        component.get_export_index(None, name.as_str())
    };
    let inside = |interface: &ComponentExportIndex, name: &str| {
        component.get_export_index(Some(interface), name)
    };
    let function = |interface: &str, name: &str| inside(&find(interface)?, name);
    let transform = |interface: &str| {
        let interface = find(interface)?;
        Some(TransformExports {
            open: inside(&interface, "open")?,
            push: inside(&interface, "push")?,
            finish: inside(&interface, "finish")?,
        })
    };
    let on_request = function("request-hook", "on-request");
    let on_response = function("response-hook", "on-response");
    let request_body = transform("request-body-hook");
    let response_body = transform("response-body-hook");
    let on_complete = function("completion-hook", "on-complete");
    let hooks = Hooks {
        request: on_request.is_some(),
        response: on_response.is_some(),
        request_body: request_body.is_some(),
        response_body: response_body.is_some(),
        completion: on_complete.is_some(),
    };
    if hooks == Hooks::default() {
        problems.push(
            Problem::component("the component exports no hook, so it would never be called").hint(
                "export at least one of weir:plugin/{request-hook, response-hook, \
                 request-body-hook, response-body-hook, completion-hook}@0.2.0",
            ),
        );
    }
    let lifecycle = function("lifecycle", "describe").zip(function("lifecycle", "configure"));
    let Some((describe, configure)) = lifecycle else {
        problems.push(
            Problem::component("the component does not export `weir:plugin/lifecycle`")
                .hint("every plugin exports weir:plugin/lifecycle@0.2.0 beside its hooks"),
        );
        return None;
    };
    let exports = Exports {
        describe,
        configure,
        on_request,
        on_response,
        request_body,
        response_body,
        on_complete,
    };
    Some((hooks, exports))
}

/// `request` of `weir:plugin/request@0.2.0`.
fn interface(name: &str) -> Option<&str> {
    let name = name.strip_prefix(PACKAGE)?;
    Some(name.split_once('@').map_or(name, |(interface, _)| interface))
}

fn is_current(name: &str) -> bool {
    name.split_once('@').is_some_and(|(_, version)| version.starts_with(VERSION_TRACK))
}

fn outdated(name: &str) -> Problem {
    Problem::component(format!("the component was built for `{name}`"))
        .hint("this build of Weir knows weir:plugin@0.2.x: rebuild the plugin against it")
}
