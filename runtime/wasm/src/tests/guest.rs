//! Guests for tests: core modules in text form, made into components of the contract.
//!
//! In: the functions a guest is to have. Out: a component. Never: more than one behaviour a guest.
//! The whole-system tests use this file as well.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What every guest has: a bump allocator, and what it says of itself.
const COMMON: &str = r#"
    (global $top (mut i32) (i32.const 8192))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (global.set $top (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
        (local.set $at (global.get $top))
        (global.set $top (i32.add (global.get $top) (local.get 3)))
        (local.get $at))
    (data (i32.const 16) "test")
    (data (i32.const 32) "1.2.3")
    (data (i32.const 64) "\10\00\00\00\04\00\00\00\20\00\00\00\05\00\00\00\10\00\00\00\04\00\00\00")
    (func (export "weir:plugin/lifecycle@0.2.0#describe") (result i32)
        (i32.store (i32.const 88) (global.get $schema)) (i32.store (i32.const 92) (global.get $schema_length))
        (i32.const 64))
"#;

/// A `configure` that takes anything: at 128 there are zeros.
const TAKES_ANYTHING: &str = "(i32.const 128)";
/// A page of memory.
const PAGE: usize = 64 << 10;

/// A component that exports `lifecycle` and these interfaces, and imports what `world` says.
pub fn component(world: &str, core: &str) -> Vec<u8> {
    with_schema(world, core, "")
}

/// The same, with a body of its own for `configure`, which at 128 finds 16 zero bytes: "taken".
pub fn configured(world: &str, core: &str, configure: &str) -> Vec<u8> {
    with_lifecycle(world, core, "", configure)
}

/// The same, with a schema for its configuration.
pub fn with_schema(world: &str, core: &str, schema: &str) -> Vec<u8> {
    with_lifecycle(world, core, schema, TAKES_ANYTHING)
}

/// The same, with a `configure` of its own: where its answer is.
pub fn with_lifecycle(world: &str, core: &str, schema: &str, configure: &str) -> Vec<u8> {
    let (resolve, source) = plugin_world(world);
    raw(resolve, &source, &imports_first(core, schema, configure), StringEncoding::UTF8)
}

/// The same, where the world imports from these packages too, in the order in which they need each other.
pub fn with_packages(packages: &[String], world: &str, core: &str) -> Vec<u8> {
    let (mut resolve, source) = plugin_world(world);
    for package in packages {
        resolve.push_str("package.wit", package).expect("the package parses");
    }
    raw(resolve, &source, &imports_first(core, "", TAKES_ANYTHING), StringEncoding::UTF8)
}

/// The contract.
pub fn contract() -> Resolve {
    // Of whichever package these lines are compiled in.
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let contract = package.ancestors().map(|above| above.join("wit")).find(|path| path.is_dir());
    let mut resolve = Resolve::default();
    resolve.push_dir(contract.expect("the contract is there")).expect("the contract parses");
    resolve
}

fn plugin_world(world: &str) -> (Resolve, String) {
    let source = format!(
        "package test:guest;\nworld guest {{\n export weir:plugin/lifecycle@0.2.0;\n {world}\n}}"
    );
    (contract(), source)
}

/// The same, of a component whose texts are in UTF-16.
pub fn wide(world: &str, core: &str) -> Vec<u8> {
    let (resolve, source) = plugin_world(world);
    raw(resolve, &source, &imports_first(core, "", TAKES_ANYTHING), StringEncoding::UTF16)
}

/// The same, with texts of any encoding, and a body of its own for `configure`.
pub fn encoded(world: &str, core: &str, configure: &str, texts: StringEncoding) -> Vec<u8> {
    let (resolve, source) = plugin_world(world);
    let core = imports_first(core, "", configure);
    // A host may make more room than it needs, and give some of it back: what is there stays.
    let moved = "(memory.copy (local.get $at) (local.get 0)
            (select (local.get 1) (local.get 3) (i32.lt_u (local.get 1) (local.get 3))))";
    let core = core.replacen("(local.get $at))\n", &format!("{moved} (local.get $at))\n"), 1);
    assert!(core.contains(moved), "where room is made");
    raw(resolve, &source, &core, texts)
}

/// The same, of a component that makes room in its own way once `$hostile` is set, which its core defines.
pub fn hostile(world: &str, core: &str, realloc: &str) -> Vec<u8> {
    let (resolve, source) = plugin_world(world);
    let usual = "(local $at i32)\n    ";
    let core = imports_first(core, "", TAKES_ANYTHING);
    assert!(core.contains(usual), "where room is made");
    let core =
        core.replacen(usual, &format!("{usual}(if (global.get $hostile) (then {realloc}))\n"), 1);
    raw(resolve, &source, &core, StringEncoding::UTF8)
}

/// A component of any world.
pub fn of_world(source: &str, core: &str) -> Vec<u8> {
    raw(Resolve::default(), source, &format!("(module {core})"), StringEncoding::UTF8)
}

fn raw(mut resolve: Resolve, source: &str, core: &str, texts: StringEncoding) -> Vec<u8> {
    let package = resolve.push_str("guest.wit", source).expect("the world parses");
    let world = resolve.select_world(&[package], None).expect("there is one world");
    let mut module = wat::parse_str(core).expect("the core module parses");
    embed_component_metadata(&mut module, &resolve, world, texts).expect("the metadata fits");
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .unwrap_or_else(|error| panic!("the module fits its world: {error:?}"))
}

/// Imports must stand before everything else in a module.
fn imports_first(core: &str, schema: &str, configure: &str) -> String {
    let (imports, rest): (Vec<&str>, Vec<&str>) =
        core.lines().partition(|line| line.trim_start().starts_with("(import"));
    let escaped: String = schema.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        "(module\n{}\n(memory (export \"memory\") {})\n\
         (global $schema i32 (i32.const {PAGE}))\n(global $schema_length i32 (i32.const {}))\n\
         (data (i32.const {PAGE}) \"{escaped}\")\n{COMMON}\n\
         (func (export \"weir:plugin/lifecycle@0.2.0#configure\") (param i32 i32) (result i32) {configure})\n\
         {}\n)",
        imports.join("\n"),
        1 + schema.len().div_ceil(PAGE),
        schema.len(),
        rest.join("\n"),
    )
}

/// A request filter whose hook has this body. At 256 there are 32 zero bytes, which is "forward";
/// `$header` and `$set` are there.
pub fn request_filter(body: &str) -> Vec<u8> {
    configured_filter(body, TAKES_ANYTHING)
}

/// The same, with a body of its own for `configure`, as [`configured`] has it.
pub fn configured_filter(body: &str, configure: &str) -> Vec<u8> {
    configured(
        "import weir:plugin/request@0.2.0;\n import weir:plugin/request-changes@0.2.0;\n export weir:plugin/request-hook@0.2.0;",
        &format!(
            r#"
    (import "weir:plugin/request@0.2.0" "field-line" (func $header (param i32 i32 i32)))
    (import "weir:plugin/request-changes@0.2.0" "set-field" (func $set (param i32 i32 i32 i32 i32)))
    (global $kept (mut i32) (i32.const 0))
    (data (i32.const 512) "x-test")
    (data (i32.const 528) "yes")
    (data (i32.const 544) "a\0d\0ab")
    (data (i32.const 560) "trace-it")
    (func $set_test
        (call $set (i32.const 512) (i32.const 6) (i32.const 528) (i32.const 3) (i32.const 600)))
    (func $on_request (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        {body})"#
        ),
        configure,
    )
}
