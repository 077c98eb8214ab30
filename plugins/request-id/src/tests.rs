use std::collections::BTreeSet;
use std::time::Duration;

use weir_sdk::serde_json::{Value, json};
use weir_sdk::testing::{self, request, response};

use super::RequestId;

type Proxy = testing::Plugin<RequestId>;

const ALGORITHMS: [&str; 3] = ["uuidv7", "ulid", "nanoid"];

fn proxy(config: Value) -> Proxy {
    Proxy::configure(config).unwrap()
}

fn next(proxy: &mut Proxy) -> String {
    let exchange = proxy.request(request("GET", "/"));
    let id = exchange.attribute("request.id").unwrap();
    assert_eq!(exchange.forwarded().header("x-request-id"), Some(id.as_str()));
    id
}

fn millis_of_uuid(id: &str) -> u64 {
    u64::from_str_radix(&id.replace('-', "")[..12], 16).unwrap()
}

#[test]
fn upstream_client_and_log_see_the_same_identifier() {
    for algorithm in ALGORITHMS {
        let mut proxy = proxy(json!({ "algorithm": algorithm, "header": "X-Trace" }));
        let exchange = proxy.exchange(
            request("GET", "/").header("x-trace", "forged").header("x-trace", "twice"),
            response(200).header("x-trace", "the upstream's"),
        );
        let id = exchange.attribute("request.id").unwrap();
        assert_eq!(exchange.forwarded().header_values("x-trace"), [id.as_str()]);
        assert_eq!(exchange.response().header_values("x-trace"), [id.as_str()]);
    }
}

#[test]
fn the_client_is_told_only_if_wanted() {
    let mut proxy = proxy(json!({ "respond": false }));
    let exchange = proxy.exchange(request("GET", "/"), response(200));
    assert!(exchange.forwarded().header("x-request-id").is_some());
    assert_eq!(exchange.response().header("x-request-id"), None);
}

#[test]
fn an_identifier_of_somebody_trusted_stays_if_it_is_harmless() {
    let longest = "a".repeat(128);
    let too_long = "a".repeat(129);
    for (lines, stays) in [
        (vec!["abc"], true),
        (vec!["019b76da-a800-7b9c-8e5f-2f1d0c3b4a59"], true),
        (vec!["Root=1-5759e988-bd862e3fe1be46a994272793"], true),
        (vec!["a-._~:/+=@Z9"], true),
        (vec![longest.as_str()], true),
        (vec![too_long.as_str()], false),
        (vec![""], false),
        (vec!["a b"], false),
        (vec!["a,b"], false),
        (vec!["a\"b"], false),
        (vec!["{a}"], false),
        (vec!["é"], false),
        (vec!["a", "b"], false),
        (vec![], false),
    ] {
        for trust in [true, false] {
            let mut proxy = proxy(json!({ "trust": trust }));
            let message = lines
                .iter()
                .fold(request("GET", "/"), |message, line| message.header("x-request-id", line));
            let exchange = proxy.exchange(message, response(200));
            let id = exchange.attribute("request.id").unwrap();
            if stays && trust {
                assert_eq!([id.as_str()], lines.as_slice());
            } else {
                assert_eq!(id.len(), 36, "{lines:?}");
            }
            assert_eq!(exchange.forwarded().header_values("x-request-id"), [id.as_str()]);
            assert_eq!(exchange.response().header("x-request-id"), Some(id.as_str()));
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_never_trusted() {
    let mut proxy = proxy(json!({ "trust": true }));
    let exchange = proxy.request(request("GET", "/").header("x-request-id", b"\xff"));
    assert_eq!(exchange.attribute("request.id").unwrap().len(), 36);
}

#[test]
fn a_uuid_has_its_shape_and_the_time() {
    let mut proxy = proxy(json!({}));
    for _ in 0..200 {
        let id = next(&mut proxy);
        let groups: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert!(id.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9' | b'a'..=b'f')));
        assert_eq!(&id[14..15], "7", "version");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "variant: {id}");
        assert_eq!(millis_of_uuid(&id), 1_767_225_600_000);
    }
}

#[test]
fn a_ulid_has_its_shape_and_the_time() {
    let mut proxy = proxy(json!({ "algorithm": "ulid" }));
    let id = next(&mut proxy);
    assert_eq!(id.len(), 26);
    // 1767225600000 in Crockford's base 32.
    assert_eq!(&id[..10], "01KDVDNA00");
    assert!(id.bytes().all(|byte| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&byte)));
}

#[test]
fn a_nanoid_needs_no_escape() {
    let mut proxy = proxy(json!({ "algorithm": "nanoid" }));
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        let id = next(&mut proxy);
        assert_eq!(id.len(), 21);
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        seen.extend(id.bytes());
    }
    assert_eq!(seen.len(), 64, "every digit of the alphabet occurs");
}

#[test]
fn identifiers_never_repeat_and_those_with_a_time_grow() {
    for algorithm in ALGORITHMS {
        let mut proxy = proxy(json!({ "algorithm": algorithm }));
        let mut all = Vec::new();
        // Many in a millisecond (more than the counter of a UUID holds), then many milliseconds.
        for step in 0..6_000_u64 {
            if step > 5_000 {
                proxy.advance(Duration::from_millis(1));
            }
            all.push(next(&mut proxy));
        }
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{algorithm}");
        if algorithm != "nanoid" {
            assert!(all.is_sorted(), "{algorithm}");
        }
    }
}

#[test]
fn a_clock_that_steps_back_a_little_does_not_disturb_the_order() {
    for algorithm in ["uuidv7", "ulid"] {
        let mut proxy = proxy(json!({ "algorithm": algorithm }));
        let start = proxy.host(weir_sdk::clock::now);
        let before = next(&mut proxy);
        proxy.set_now(start - Duration::from_secs(10));
        assert!(next(&mut proxy) > before, "{algorithm}");
        proxy.set_now(start - Duration::from_secs(11));
        assert!(next(&mut proxy) < before, "{algorithm}: a long step back is believed");
    }
}

#[test]
fn two_instances_share_no_randomness() {
    let mut one = proxy(json!({ "algorithm": "nanoid" }));
    let mut other = proxy(json!({ "algorithm": "nanoid" }));
    other.seed(2);
    assert_ne!(next(&mut one), next(&mut other));
}

#[test]
fn a_wrong_configuration_is_refused_with_a_reason() {
    for (config, why) in [
        (json!({ "algorithm": "uuid" }), "unknown variant `uuid`"),
        (json!({ "header": "a b" }), "is no name of a header field"),
        (json!({ "header": "Host" }), "the field `host` belongs to the proxy"),
        (json!({ "trusted": true }), "unknown field `trusted`"),
    ] {
        let error = Proxy::configure(config.clone()).err().unwrap();
        assert!(error.to_string().contains(why), "{config}: {error}");
    }
}
