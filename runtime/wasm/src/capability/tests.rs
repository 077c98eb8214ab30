//! What a person reads of a binary.

use wit_parser::{WorldItem, WorldKey};

use super::*;
use crate::tests::guest::contract;

fn of(hooks: Hooks, functions: &[(&str, &str)]) -> Capabilities {
    let owned: Vec<_> = functions.iter().map(|(at, name)| ((*at).into(), (*name).into())).collect();
    Capabilities::of(hooks, &owned)
}

const NO_NETWORK: &str = "open connections, or reach files or the environment";

#[test]
fn a_plugin_that_sets_one_field() {
    let hooks = Hooks { response: true, ..Hooks::default() };
    let words = of(hooks, &[("response-changes", "set-field")]);
    assert_eq!(words.can, ["take part in responses", "change heads of responses"]);
    assert_eq!(
        words.cannot,
        [
            "read anything of a request",
            "change heads of requests",
            "answer by itself",
            "see bodies of requests",
            "read anything of a response",
            "see bodies of responses",
            "know the client's address",
            "keep data for all workers",
            "call anybody",
            NO_NETWORK,
        ]
    );
}

#[test]
fn who_limits_bodies_changes_no_head() {
    let hooks = Hooks { request: true, ..Hooks::default() };
    let words = of(hooks, &[("request-changes", "limit-body")]);
    assert_eq!(words.can, ["limit the length of bodies of requests", "answer requests by itself"]);
    assert!(words.cannot.contains(&"change heads of requests"));
}

#[test]
fn a_transform_sees_bodies_whatever_it_imports() {
    let hooks = Hooks { response_body: true, ..Hooks::default() };
    assert_eq!(of(hooks, &[]).can, ["see bodies of responses", "replace bodies of responses"]);
}

/// A function that is added to the contract has a word here, or this fails.
#[test]
fn whatever_a_plugin_may_import_is_something_that_it_can() {
    let contract = contract();
    let world = contract.worlds.iter().find(|(_, world)| world.name == "imports");
    let (_, world) = world.expect("the world of everything that may be imported");
    for (key, item) in &world.imports {
        let (WorldKey::Interface(id), WorldItem::Interface { .. }) = (key, item) else {
            panic!("{key:?} is no interface");
        };
        let interface = &contract.interfaces[*id];
        let name = interface.name.as_deref().expect("its name");
        for function in interface.functions.keys() {
            let words = of(Hooks::default(), &[(name, function)]);
            assert!(!words.can.is_empty(), "{name}.{function} has no word");
        }
    }
}

#[test]
fn what_is_not_granted_it_cannot() {
    let hooks = Hooks { request: true, completion: true, ..Hooks::default() };
    let all = of(hooks, &[("log", "write")]);
    assert_eq!(
        all.can,
        ["answer requests by itself", "learn how exchanges end", "write to the log"]
    );
    let mut grants = Grants::default();
    assert_eq!((all.within(&grants), all.ungranted(&grants)), (all.clone(), vec![]));
    grants.write(Grant::Reply, false);
    let within = all.within(&grants);
    assert_eq!(within.can, ["learn how exchanges end", "write to the log"]);
    assert!(within.cannot.contains(&"answer by itself"));
    let reply = vec![(Grant::Reply, "answer requests by itself")];
    assert_eq!((all.ungranted(&grants), all.beyond(&within)), (reply.clone(), reply));
    assert_eq!(within.beyond(&all), []);
    let store = of(hooks, &[("store", "get")]);
    assert_eq!(store.ungranted(&Grants::default()).len(), 1, "it has to be granted");
    assert_eq!(store.ungranted(&Grants::everything()), []);
}

/// `attributes` is about them in both directions, as `configs/reference.toml` says.
#[test]
fn who_may_not_use_attributes_does_not_read_those_of_others() {
    let mut grants = Grants::default();
    grants.write(Grant::Attributes, false);
    let hooks = Hooks { request: true, ..Hooks::default() };
    let reads = of(hooks, &[("request", "attribute")]);
    assert_eq!(reads.ungranted(&grants).len(), 1, "{reads:?}");
}

/// A hook makes answers fail, or late, whatever it imports: one more of them is something new.
#[test]
fn each_hook_is_something_that_a_plugin_can() {
    let completion = Hooks { completion: true, ..Hooks::default() };
    let before = of(completion, &[]);
    for (name, hooks) in [
        ("request", Hooks { request: true, ..completion }),
        ("response", Hooks { response: true, ..completion }),
        ("request-body", Hooks { request_body: true, ..completion }),
        ("response-body", Hooks { response_body: true, ..completion }),
    ] {
        assert!(!of(hooks, &[]).beyond(&before).is_empty(), "{name}");
    }
}
