use std::time::Duration;

use weir_sdk::serde_json::{Value, json};
use weir_sdk::testing::{self, Exchange, FakeRequest, request, response};

use super::RateLimit;
use super::fields::{Digits, join, seconds};

type Proxy = testing::Plugin<RateLimit>;

fn proxy(config: Value) -> Proxy {
    Proxy::configure(config).unwrap()
}

fn get() -> FakeRequest {
    request("GET", "/?tenant=a")
}

/// The three fields, as the client sees them; empty where there is none.
fn told(exchange: &Exchange) -> [String; 3] {
    let response = exchange.response();
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"]
        .map(|name| response.header(name).unwrap_or_default().to_owned())
}

#[test]
fn a_burst_passes_and_then_the_rate() {
    // Configuration, what passes at once, and the tenths of a second until the next one does.
    for (config, burst, tenths) in [
        (json!({ "rate": 10 }), 10, 1),
        (json!({ "rate": 10, "burst": 3 }), 3, 1),
        (json!({ "rate": 1 }), 1, 10),
        (json!({ "rate": 60, "per": "1m" }), 60, 10),
        (json!({ "rate": 6, "per": "1m", "burst": 2 }), 2, 100),
        (json!({ "rate": 5, "per": "500ms", "burst": 1 }), 1, 1),
    ] {
        let mut proxy = proxy(config.clone());
        for _ in 0..burst {
            assert!(proxy.request(get()).is_forwarded(), "{config}");
        }
        let refused = proxy.request(get());
        assert_eq!(refused.reply().status, 429, "{config}");
        proxy.advance(Duration::from_millis(tenths * 100 - 1));
        assert!(!proxy.request(get()).is_forwarded(), "{config}: too early");
        proxy.advance(Duration::from_millis(1));
        assert!(proxy.request(get()).is_forwarded(), "{config}: in time");
        assert!(!proxy.request(get()).is_forwarded(), "{config}: one only");
    }
}

#[test]
fn the_client_is_told_what_is_left() {
    let mut proxy = proxy(json!({ "rate": 2, "per": "10s", "burst": 3 }));
    for (remaining, reset) in [("2", "5"), ("1", "10"), ("0", "15")] {
        let exchange = proxy.exchange(get(), response(200).header("ratelimit-limit", "upstream"));
        assert_eq!(told(&exchange), ["3", remaining, reset]);
        assert_eq!(exchange.response().header("retry-after"), None);
    }
    let exchange = proxy.exchange(get(), response(200));
    assert_eq!(exchange.response().status(), 429);
    assert_eq!(told(&exchange), ["3", "0", "5"]);
    assert_eq!(exchange.response().header("retry-after"), Some("5"));
    assert_eq!(exchange.response().header("content-type"), Some("application/problem+json"));
    let problem: Value = weir_sdk::serde_json::from_slice(exchange.response().body()).unwrap();
    assert_eq!(problem["status"], 429);
    proxy.advance(Duration::from_millis(4_100));
    let exchange = proxy.exchange(get(), response(200));
    assert_eq!(exchange.response().header("retry-after"), Some("1"));
}

#[test]
fn the_client_is_told_nothing_where_headers_are_off() {
    let mut proxy = proxy(json!({ "rate": 1, "headers": false, "status": 503 }));
    let exchange = proxy.exchange(get(), response(200));
    assert_eq!(told(&exchange), ["", "", ""]);
    assert_eq!(exchange.attribute("_rate-limit {client.address} 1/1s 1"), None);
    let exchange = proxy.exchange(get(), response(200));
    assert_eq!(exchange.response().status(), 503);
    assert_eq!(told(&exchange), ["", "", ""]);
    assert_eq!(exchange.response().header("retry-after"), Some("1"));
}

#[test]
fn each_key_has_a_bucket_of_its_own() {
    let one = || get().header("x-key", "1").header("cookie", "s=1").attribute("user", "1");
    let other = || {
        request("GET", "/?tenant=b")
            .client("192.0.2.9", 1)
            .header("x-key", "2")
            .header("cookie", "s=2")
            .attribute("user", "2")
            .route("other")
    };
    for key in [
        "client.address",
        "{client.address}",
        "request.header.x-key",
        "request.cookie.s",
        "request.query.tenant",
        "attribute.user",
        "route",
        "{route}:{client.address}",
    ] {
        let mut proxy = proxy(json!({ "rate": 1, "key": key }));
        assert!(proxy.request(one()).is_forwarded(), "{key}");
        assert!(!proxy.request(one()).is_forwarded(), "{key}");
        assert!(proxy.request(other()).is_forwarded(), "{key}");
        assert!(!proxy.request(other()).is_forwarded(), "{key}");
    }
}

#[test]
fn those_without_a_key_share_one_bucket() {
    let mut proxy = proxy(json!({ "rate": 1, "key": "request.header.x-key" }));
    assert!(proxy.request(get()).is_forwarded());
    assert!(!proxy.request(get().client("192.0.2.9", 1)).is_forwarded());
}

#[test]
fn so_many_are_under_way_at_once() {
    let mut proxy = proxy(json!({ "in_flight": 2 }));
    let mut first = proxy.request(get());
    let second = proxy.request(get());
    assert!(first.is_forwarded() && second.is_forwarded());
    let mut third = proxy.request(get());
    assert_eq!(third.reply().status, 429);
    proxy.respond(&mut third, response(200));
    assert_eq!(third.response().header("retry-after"), Some("1"));
    assert_eq!(told(&third), ["", "", ""]);
    assert!(proxy.request(get().client("192.0.2.9", 1)).is_forwarded());
    proxy.finish(&mut first);
    assert!(proxy.request(get()).is_forwarded());
    assert!(!proxy.request(get()).is_forwarded());
}

#[test]
fn rate_and_in_flight_work_together() {
    let mut proxy = proxy(json!({ "rate": 3, "in_flight": 1 }));
    let mut first = proxy.request(get());
    assert!(first.is_forwarded());
    // Refused for the second limit, told about the first, and a token is gone.
    let busy = proxy.exchange(get(), response(200));
    assert_eq!(busy.response().status(), 429);
    assert_eq!(told(&busy), ["3", "1", "1"]);
    proxy.finish(&mut first);
    assert!(proxy.exchange(get(), response(200)).is_forwarded());
    assert!(!proxy.exchange(get(), response(200)).is_forwarded());
}

#[test]
fn numbers_are_written_without_formatting() {
    for (number, text) in [(0, "0"), (9, "9"), (10, "10"), (u64::MAX, "18446744073709551615")] {
        assert_eq!(Digits::of(number).as_str(), text);
    }
    let longest = join(&Digits::of(u64::MAX), &Digits::of(u64::MAX));
    assert_eq!(longest.as_str(), "18446744073709551615 18446744073709551615");
    assert_eq!(join(&Digits::of(1), &Digits::of(20)).as_str(), "1 20");
    for (millis, whole) in [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2)] {
        assert_eq!(seconds(millis), whole);
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_a_reason() {
    for (config, why) in [
        (json!({}), "nothing is limited"),
        (json!({ "key": "route" }), "nothing is limited"),
        (json!({ "burst": 3, "in_flight": 1 }), "burst: it needs a `rate`"),
        (json!({ "rate": 0 }), "rate: 0 would refuse every request"),
        (json!({ "rate": 1, "burst": 0 }), "burst: 0 would refuse"),
        (json!({ "in_flight": 0 }), "in_flight: 0 would refuse"),
        (json!({ "rate": 1, "per": "0s" }), "the period is 0"),
        (json!({ "rate": 1, "per": "1" }), "is no duration"),
        (json!({ "rate": 1, "status": 200 }), "status: 200 is no error"),
        (json!({ "rate": 1, "key": "client.ip" }), "unknown variable `{client.ip}`"),
        (json!({ "rate": 1, "key": "{{all}}" }), "is the same for every request"),
        (json!({ "rate": -1 }), "rate"),
        (json!({ "rates": 1 }), "unknown field `rates`"),
    ] {
        let error = Proxy::configure(config.clone()).err().unwrap();
        assert!(error.to_string().contains(why), "{config}: {error}");
    }
}
