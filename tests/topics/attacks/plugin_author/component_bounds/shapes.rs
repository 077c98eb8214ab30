//! Sound plugins with something more in them: a module of many functions, blocks or types within each
//! other without end, more imports than a plugin has use for.

use std::fmt::Write as _;

use super::*;

/// What of a binary comes first: of a core module, and of a component.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// Sections of a core module.
const TYPES: u8 = 1;
const FUNCTIONS: u8 = 3;
const CODE: u8 = 10;
/// Sections of a component.
const CORE_MODULE: u8 = 1;
const NESTED_COMPONENT: u8 = 4;
const COMPONENT_TYPES: u8 = 7;

/// LEB128.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &number(content.len()), content].concat()
}

/// A module of so many functions with this body: `[] -> []`.
fn module(count: usize, body: &[u8]) -> Vec<u8> {
    let code = [&number(body.len()), body].concat();
    [
        MODULE.to_vec(),
        section(TYPES, &[1, 0x60, 0, 0]),
        section(FUNCTIONS, &[number(count), vec![0; count]].concat()),
        section(CODE, &[number(count), code.repeat(count)].concat()),
    ]
    .concat()
}

/// A plugin that is fine, and has one more section.
fn with(id: u8, content: &[u8]) -> Vec<u8> {
    [hostile("", "", ANYTHING), section(id, content)].concat()
}

/// Loads a component into a proxy that serves, which must take it.
#[track_caller]
fn taken(component: &[u8]) {
    let before = "[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n\
                  [plugins.fine]\ncomponent = \"mock\"\n[routes.fine]\nplugins = [\"fine\"]\n";
    let proxy = Proxy::start(before);
    std::fs::write(proxy.folder().join("many.wasm"), component).expect("written");
    let after = format!("{before}[plugins.many]\ncomponent = \"./many.wasm\"\n");
    proxy.reload(&after).expect("it is taken");
    assert_eq!(get(proxy.address("web"), "/").status, 200);
}

#[test]
fn functions_have_a_number() {
    // No locals, and the end.
    let tried = refused(&with(CORE_MODULE, &module(1_000_001, &[0, 0x0b])), "");
    assert!(tried.text.contains("does not compile"), "{}", tried.text);
    assert!(tried.text.contains("exceeds limit of 1000000"), "{}", tried.text);
}

#[test]
fn as_many_functions_as_may_be_take_the_time_and_memory_that_are_allowed() {
    // Nothing is put down and taken up again, seven times.
    let body = [&[0][..], &[0x41, 0, 0x1a].repeat(7), &[0x0b]].concat();
    let bomb = with(CORE_MODULE, &module(1_000_000, &body));
    let tried = refused_while(&bomb, "compile = { time = \"2s\", memory = \"256MiB\" }", |proxy| {
        for _ in 0..50 {
            assert_eq!(get(proxy.address("web"), "/fine").status, 200);
        }
    });
    assert!(tried.text.contains("compiling the component takes more than"), "{}", tried.text);
    assert!(tried.took < Duration::from_secs(120), "{:?}", tried.took);
}

/// A hundred thousand, and what leaves all of them at once.
#[test]
fn blocks_within_blocks() {
    const DEPTH: usize = 100_000;
    let body = [
        &[0][..],
        &[0x02, 0x40].repeat(DEPTH),
        &[0x0c],
        &number(DEPTH - 1),
        &[0x0b].repeat(DEPTH),
        &[0x0b],
    ]
    .concat();
    taken(&with(CORE_MODULE, &module(1, &body)));
}

#[test]
fn types_of_components_within_each_other() {
    const DEPTH: usize = 100_000;
    // The type of a component that declares a type, and so on; the innermost declares nothing.
    let nested = [&[1][..], &[0x41, 1, 1].repeat(DEPTH), &[0x41, 0]].concat();
    let tried = refused(&with(COMPONENT_TYPES, &nested), "");
    assert!(tried.text.contains("nests deeper than the stack allows"), "{}", tried.text);
}

#[test]
fn components_within_each_other() {
    const DEPTH: usize = 100_000;
    // From the inside out: heads of all, each with the length of what it holds.
    let mut heads = vec![COMPONENT.to_vec()];
    let mut length = COMPONENT.len();
    for _ in 0..DEPTH {
        let head = [COMPONENT, &[NESTED_COMPONENT], &number(length)].concat();
        length += head.len();
        heads.push(head);
    }
    heads.reverse();
    let tried = refused(&with(NESTED_COMPONENT, &heads.concat()), "");
    assert!(tried.text.contains("nests deeper than the stack allows"), "{}", tried.text);
}

/// A plugin that imports so many functions of each of so many interfaces.
fn importing(interfaces: &[usize]) -> Vec<u8> {
    let mut package = String::from("package wasi:cli@0.2.0;\n");
    let (mut world, mut core) = (String::new(), String::new());
    for (at, functions) in interfaces.iter().enumerate() {
        let _ = writeln!(package, "interface i{at} {{");
        let _ = writeln!(world, "import wasi:cli/i{at}@0.2.0;");
        for function in 0..*functions {
            let _ = writeln!(package, "take{function}: func();");
            let _ = writeln!(core, "(import \"wasi:cli/i{at}@0.2.0\" \"take{function}\" (func))");
        }
        package += "}\n";
    }
    world += "export weir:plugin/request-hook@0.2.0;";
    core += r#"(func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32) (i32.const 256))"#;
    as_text::with_packages(&[package], &world, &core)
}

#[test]
fn imports_have_a_number() {
    // Beside the contract's own interface, with the types that a hook has.
    for most in [&[1; 99][..], &[990; 2]] {
        taken(&importing(most));
    }
    for more in [&[1; 100][..], &[1_000, 1_001]] {
        let tried = refused(&importing(more), "");
        assert!(tried.text.contains("imports more than a plugin can have"), "{}", tried.text);
        assert!(tried.text.contains("100 interfaces with 2000 functions"), "{}", tried.text);
    }
}
