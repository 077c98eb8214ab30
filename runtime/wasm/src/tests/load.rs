//! What is taken as a plugin, what is refused and with which words, and what is compiled twice.

use std::fs;

use super::guest::{component, of_world, request_filter, with_schema};
use super::*;

const FORWARDS: &str = "(i32.const 256)";

#[track_caller]
fn refused(component: &[u8], words: &[&str]) -> Vec<PluginProblem> {
    let problems = try_load(&host(), component, |_| ()).err().expect("it is refused");
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for word in words {
        assert!(text.iter().any(|text| text.contains(word)), "{word:?} is not in {text:?}");
    }
    problems
}

#[test]
fn not_a_component() {
    refused(b"#!/bin/sh\n", &["no WebAssembly file"]);
    refused(b"", &["no WebAssembly file"]);
    refused(
        &wat::parse_str("(module)").expect("it parses"),
        &["core WebAssembly module", "wasm32-wasip2"],
    );
    let mut broken = request_filter(FORWARDS);
    broken.truncate(broken.len() / 2);
    refused(&broken, &["does not compile"]);
}

/// A component with so many more core instances of a module.
fn grown(mut component: Vec<u8>, module: &str, count: u8) -> Vec<u8> {
    let is_module = |payload: &wasmparser::Payload<'_>| {
        matches!(payload, wasmparser::Payload::ModuleSection { .. })
    };
    let payloads = wasmparser::Parser::new(0).parse_all(&component).flatten();
    let at = u8::try_from(payloads.filter(is_module).count()).expect("few modules");
    let module = wat::parse_str(module).expect("it parses");
    let instances = [vec![count], [0, at, 0].repeat(count.into())].concat();
    for (section, bytes) in [(1, module), (2, instances)] {
        // Lengths below 2^14, in LEB128.
        let [low, high] = [bytes.len() & 0x7f | 0x80, bytes.len() >> 7].map(|part| part as u8);
        component.extend([section, low, high]);
        component.extend(bytes);
    }
    component
}

/// What the engine sets aside for one instance is one memory and four tables. Any component has one
/// memory and two tables.
#[test]
fn a_component_of_many_tables_or_memories_counts_as_several() {
    for (module, count, weight) in
        [("(module (table 1 funcref))", 40, 11), ("(module (memory 1))", 3, 4), ("(module)", 9, 1)]
    {
        let host = host();
        let component = grown(request_filter(FORWARDS), module, count);
        let plugins = [load(&host, &component, |plugin| plugin.name = "heavy".into())];
        let why = host.check_room(&plugins, 1 << 20).expect_err("there is no such room");
        let said = format!("`heavy` counts as {weight},");
        assert_eq!(why.contains(&said), weight > 1, "{why}");
        let fitting = why.rsplit_once(" workers would fit").expect("it says how many").0;
        let fitting = fitting.rsplit_once(' ').and_then(|(_, number)| number.parse().ok());
        let fitting: usize = fitting.expect("a number");
        assert!(host.check_room(&plugins, fitting).is_ok());
        assert!(host.check_room(&plugins, fitting + 1).is_err());
    }
}

/// As many as are taken are taken, whatever the host puts between them and itself; of one more it is said.
#[test]
fn a_component_of_as_many_core_instances_as_may_be_is_taken() {
    let own = crate::plan::Plan::of(&request_filter(FORWARDS)).expect("a plan").steps.len();
    let grown = |count: usize| grown(request_filter(FORWARDS), "(module)", (count - own) as u8);
    refused(&grown(101), &["has 101 core instances; at most 100"]);
    load(&host(), &grown(100), |_| ());
}

#[test]
fn no_file() {
    let problems = host().load(&plugin("/nonexistent/x.wasm".into())).err().expect("refused");
    assert!(problems[0].to_string().contains("/nonexistent/x.wasm"), "{problems:?}");
}

#[test]
fn no_hook() {
    refused(&component("", ""), &["exports no hook", "request-hook"]);
}

#[test]
fn no_lifecycle() {
    refused(
        &of_world(
            "package test:guest; world guest { export run: func(); }",
            r#"(func (export "run"))"#,
        ),
        &["weir:plugin/lifecycle", "exports no hook"],
    );
}

#[test]
fn unknown_import() {
    let world = "package test:guest; interface gpu { draw: func(); } world guest { import gpu; export run: func(); }";
    let core =
        r#"(import "test:guest/gpu" "draw" (func $draw)) (func (export "run") (call $draw))"#;
    refused(&of_world(world, core), &["test:guest/gpu"]);
}

#[test]
fn another_version() {
    let world = "package weir:plugin@0.9.0; interface request-hook { on-request: func(); } world guest { export request-hook; }";
    let core = r#"(func (export "weir:plugin/request-hook@0.9.0#on-request"))"#;
    refused(&of_world(world, core), &["weir:plugin/request-hook@0.9.0", "0.2.x"]);
}

/// What a component thinks it calls, or is called with, is what is there.
#[test]
fn functions_of_other_types() {
    let hook =
        r#"(func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32) (i32.const 0))"#;
    let world = "package weir:plugin@0.2.0;
        interface request-hook { on-request: func() -> u32; }
        world guest { export request-hook; }";
    let is = "`weir:plugin/request-hook@0.2.0#on-request` is () -> u32";
    refused(&of_world(world, hook), &[is]);
    let world = "package weir:plugin@0.2.0;
        interface request { method: func() -> u64; }
        interface request-hook { on-request: func() -> u32; }
        world guest { import request; export request-hook; }";
    let import = r#"(import "weir:plugin/request@0.2.0" "method" (func (result i64)))"#;
    let is = "`weir:plugin/request@0.2.0#method` is () -> u64";
    refused(&of_world(world, &format!("{import}{hook}")), &[is]);
    let world = "package weir:plugin@0.2.0;
        interface request { secrets: func() -> u64; }
        interface request-hook { on-request: func() -> u32; }
        world guest { import request; export request-hook; }";
    let import = r#"(import "weir:plugin/request@0.2.0" "secrets" (func (result i64)))"#;
    refused(
        &of_world(world, &format!("{import}{hook}")),
        &["request@0.2.0#secrets", "nothing here"],
    );
}

#[test]
fn store_needs_a_grant() {
    let guest = component(
        "import weir:plugin/store@0.2.0; export weir:plugin/request-hook@0.2.0;",
        r#"
    (import "weir:plugin/store@0.2.0" "delete" (func $delete (param i32 i32 i32)))
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        (call $delete (i32.const 0) (i32.const 0) (i32.const 600)) (i32.const 256))"#,
    );
    let problems = refused(&guest, &["can keep data", "grants = { store = true }"]);
    assert_eq!(problems[0].pointer.as_deref(), Some("/grants"));
    let plugin = load(&host(), &guest, |plugin| plugin.grants.write(Grant::Store, true));
    assert!(plugin.imports().contains(&"weir:plugin/store@0.2.0".to_owned()));
    assert!(request(&member(&plugin)).1.is_ok());
}

#[test]
fn configuration_is_held_against_the_schema() {
    let schema = r#"{"type":"object","properties":{"rate":{"type":"number","minimum":1},"key":{"type":"string"}},"additionalProperties":false}"#;
    let guest = with_schema(
        "export weir:plugin/request-hook@0.2.0;",
        r#"(func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32) (i32.const 256))"#,
        schema,
    );
    let host = host();
    let with = |config: &str| try_load(&host, &guest, |plugin| plugin.config = config.into());
    assert!(with(r#"{"rate": 5, "key": "x"}"#).is_ok());
    let problems = with(r#"{"rate": "hunter2", "key": 7}"#).err().expect("two mistakes");
    let places: Vec<_> = problems.iter().filter_map(|problem| problem.pointer.as_deref()).collect();
    assert_eq!(places, ["/config/key", "/config/rate"]);
    assert!(!format!("{problems:?}").contains("hunter2"), "a value is told: {problems:?}");
    assert_eq!(with(r#"{"rat": 5}"#).err().expect("an unknown key").len(), 1);
    let none = with_schema(
        "export weir:plugin/request-hook@0.2.0;",
        r#"(func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32) (i32.const 256))"#,
        "",
    );
    let problems = try_load(&host, &none, |plugin| plugin.config = r#"{"a":1}"#.into());
    assert!(problems.err().expect("it takes none")[0].message.contains("takes no configuration"));
}

#[test]
fn the_same_plugin_is_loaded_once_and_a_thousand_reloads_keep_nothing() {
    let host = host();
    let folder = Folder::new();
    let mut config = plugin(folder.file("guest.wasm", &request_filter(FORWARDS)));
    let first = host.load(&config).expect("it loads");
    assert!(Arc::ptr_eq(&first, &host.load(&config).expect("it loads")));
    let mut latest = first;
    for round in 0..1000 {
        config.limits.deadline = Duration::from_millis(10 + round % 2);
        latest = host.load(&config).expect("it loads");
    }
    assert_eq!(host.components(), 1);
    drop(latest);
    assert_eq!(host.components(), 0);
}

#[test]
fn limits_outlive_a_reload() {
    let folder = Folder::new();
    let host = host();
    let mut config = plugin(folder.file("guest.wasm", &request_filter(FORWARDS)));
    let old = host.load(&config).expect("it loads");
    config.limits.deadline = Duration::from_millis(11);
    let new = host.load(&config).expect("it loads");
    assert!(!Arc::ptr_eq(&old, &new));
    assert!(Arc::ptr_eq(&old.template.shared.limiter, &new.template.shared.limiter));
    assert!(Arc::ptr_eq(&old.template.shared.store, &new.template.shared.store));
    host.retain(|name| name != "test");
    config.limits.deadline = Duration::from_millis(12);
    let newer = host.load(&config).expect("it loads");
    assert!(!Arc::ptr_eq(&new.template.shared.limiter, &newer.template.shared.limiter));
}

#[test]
fn what_is_built_in_is_listed() {
    let config =
        Plugin { component: ComponentSource::BuiltIn("nope".into()), ..plugin(PathBuf::new()) };
    let options =
        HostOptions { built_ins: &[("cors", b""), ("jwt", b"")], ..HostOptions::default() };
    let problems = Host::new(options).expect("an engine").load(&config).err().expect("refused");
    assert!(problems[0].to_string().contains("cors, jwt"), "{problems:?}");
}

#[test]
fn unreadable_cache_is_no_obstacle() {
    let folder = Folder::new();
    let file = folder.file("file", b"");
    let options = HostOptions { cache_dir: Some(file), ..HostOptions::default() };
    let host = Host::new(options).expect("an engine");
    assert!(try_load(&host, &request_filter(FORWARDS), |_| ()).is_ok());
    assert!(fs::metadata(folder.0.join("file")).expect("it is there").is_file());
}
