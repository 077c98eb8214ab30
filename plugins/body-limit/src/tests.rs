use weir_sdk::serde_json::json;
use weir_sdk::testing;

use super::BodyLimit;

fn proxy(limit: &str) -> testing::Plugin<BodyLimit> {
    testing::Plugin::configure(json!({ "limit": limit })).unwrap()
}

#[test]
fn an_announced_length_decides_up_front() {
    for (limit, length, passes) in [
        ("10B", "10", true),
        ("10B", "0", true),
        ("10B", "11", false),
        ("1KiB", "1024", true),
        ("1KiB", "1025", false),
        ("1KB", "1001", false),
        ("0B", "0", true),
        ("0B", "1", false),
        ("1GiB", "18446744073709551615", false),
        ("1GiB", "18446744073709551616", false),
        ("1GiB", "99999999999999999999999999", false),
    ] {
        let exchange =
            proxy(limit).request(testing::request("POST", "/").header("content-length", length));
        assert_eq!(exchange.is_forwarded(), passes, "{limit} {length}");
        if !passes {
            assert_eq!(exchange.reply().status, 413);
        }
    }
}

#[test]
fn a_body_without_a_length_is_refused_when_it_grows_too_long() {
    for (body, passes) in [("", true), ("1234567890", true), ("12345678901", false)] {
        let mut proxy = proxy("10B");
        let exchange =
            proxy.exchange(testing::request("POST", "/").body(body), testing::response(200));
        assert_eq!(exchange.is_forwarded(), passes, "{body}");
        if passes {
            assert_eq!(exchange.forwarded().body(), body.as_bytes());
        } else {
            assert_eq!(exchange.reply().status, 413);
        }
    }
}

#[test]
fn the_limit_is_needed_and_checked() {
    for (config, says) in [
        (json!({}), "missing field `limit`"),
        (json!({ "limit": "10X" }), "`10X` is no size"),
        (json!({ "limit": "10B", "status": 400 }), "unknown field `status`"),
    ] {
        let error = testing::Plugin::<BodyLimit>::configure(config).err().unwrap();
        assert!(error.to_string().contains(says), "{error}");
    }
}
