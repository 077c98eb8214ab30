//! Plugins that cannot be used: the proxy does not start, and says where and what to do.

use weir_tests::{Proxy, guest};

/// The text of the refusal; `weir.toml` has the plugin's table on lines 3 to 5.
fn refusal(component: &[u8], rest: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("plugin.wasm"), component).expect("written");
    let config = format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.mine]\n{}\n{rest}\n\
         [routes.all]\nmatch = {{ path = \"/*\" }}\nplugins = [\"mine\"]\n",
        "component = \"./plugin.wasm\""
    );
    match Proxy::start_in(folder, &config) {
        Ok(_) => panic!("the plugin is taken"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("a component as text")
}

fn conformance() -> Vec<u8> {
    std::fs::read(guest("conformance-guest")).expect("a component")
}

#[test]
fn a_file_that_is_no_component() {
    let text = refusal(b"hello", "");
    assert_says(&text, &["weir.toml:4:", "this is no WebAssembly file", "names a built-in plugin"]);
}

#[test]
fn an_empty_file() {
    assert_says(&refusal(b"", ""), &["weir.toml:4:", "this is no WebAssembly file"]);
}

#[test]
fn a_core_module() {
    let text = refusal(&component("(module)"), "");
    assert_says(&text, &["weir.toml:4:", "core WebAssembly module", "wasm32-wasip2"]);
}

#[test]
fn a_component_that_is_cut_off() {
    let mut bytes = conformance();
    bytes.truncate(bytes.len() / 2);
    assert_says(&refusal(&bytes, ""), &["weir.toml:4:", "does not compile"]);
}

#[test]
fn a_component_without_hooks() {
    let text = refusal(&component("(component)"), "");
    assert_says(&text, &["weir.toml:4:", "exports no hook", "request-hook"]);
}

#[test]
fn an_import_that_nobody_provides() {
    let text =
        refusal(&component(r#"(component (import "wasi:sockets/tcp@0.2.0" (instance)))"#), "");
    assert_says(&text, &["weir.toml:4:", "`wasi:sockets/tcp@0.2.0`", "no network"]);
}

#[test]
fn a_contract_that_is_not_ours() {
    let text =
        refusal(&component(r#"(component (import "weir:plugin/http@7.0.0" (instance)))"#), "");
    assert_says(&text, &["weir.toml:4:", "`weir:plugin/http@7.0.0`", "rebuild"]);
}

#[test]
fn a_store_without_a_grant_prints_the_line_to_add() {
    let text = refusal(&conformance(), "");
    assert_says(
        &text,
        &["weir.toml:3:", "can keep data", "grants = { store = true }", "[plugins.mine]"],
    );
}

#[test]
fn a_configuration_that_the_plugin_refuses() {
    let rest = "grants = { store = true }\nconfig = { behaviour = \"configure_error\" }";
    let text = refusal(&conformance(), rest);
    assert_says(&text, &["weir.toml:6:", "this configuration is refused on purpose"]);
}

#[test]
fn a_configuration_against_the_schema() {
    let text = refusal(&conformance(), "grants = { store = true }\nconfig = { behavior = \"x\" }");
    assert_says(&text, &["weir.toml:6:", "behavior"]);
    let text = refusal(&conformance(), "grants = { store = true }\nconfig = { behaviour = 7 }");
    assert_says(&text, &["weir.toml:6:24", "string"]);
}
