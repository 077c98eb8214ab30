//! The plugin in the SDK's fake proxy: no Wasm, no sockets.

use hello::Hello;
use weir_sdk::{serde_json::json, testing};

#[test]
fn it_greets_upstream_and_client() {
    let mut proxy = testing::Plugin::<Hello>::configure(json!({ "greeting": "Moin!" })).unwrap();
    let exchange = proxy.exchange(testing::request("GET", "/"), testing::response(200));
    assert_eq!(exchange.forwarded().header("x-hello"), Some("Moin!"));
    assert_eq!(exchange.response().header("x-hello"), Some("Moin!"));
}

#[test]
fn it_needs_a_greeting() {
    let error = testing::Plugin::<Hello>::configure(json!({})).err().unwrap();
    assert_eq!(error.to_string(), "missing field `greeting`");
}
