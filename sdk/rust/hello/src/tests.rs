use weir_sdk::testing;

use super::Hello;

#[test]
fn it_greets_upstream_and_client() {
    let config = weir_sdk::serde_json::json!({ "greeting": "Moin!" });
    let mut proxy = testing::Plugin::<Hello>::configure(config).unwrap();
    let exchange = proxy.exchange(testing::request("GET", "/"), testing::response(200));
    assert_eq!(exchange.forwarded().header("x-hello"), Some("Moin!"));
    assert_eq!(exchange.response().header("x-hello"), Some("Moin!"));
}
