use weir_sdk::serde_json::{Value, json};
use weir_sdk::testing;

use super::IpFilter;

fn passes(config: &Value, address: &str) -> bool {
    let mut proxy = testing::Plugin::<IpFilter>::configure(config.clone()).unwrap();
    let exchange = proxy.request(testing::request("GET", "/").client(address, 1));
    if !exchange.is_forwarded() {
        let reply = exchange.reply();
        assert_eq!(reply.status, 403);
        assert!(!String::from_utf8_lossy(&reply.body).contains(address) || address.is_empty());
    }
    exchange.is_forwarded()
}

#[test]
fn lists_decide_by_address() {
    let inside = json!({ "allow": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"] });
    let outside = json!({ "deny": ["10.0.0.0/8", "2001:db8::/32"] });
    let both = json!({ "allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16", "10.2.3.4"] });
    let v4_mapped = json!({ "allow": ["::ffff:10.0.0.0/104"] });
    let all_v6 = json!({ "deny": ["::/0"] });
    let all_v4 = json!({ "deny": ["0.0.0.0/0"] });
    for (config, address, expected) in [
        (&inside, "10.0.0.0", true),
        (&inside, "10.255.255.255", true),
        (&inside, "11.0.0.0", false),
        (&inside, "9.255.255.255", false),
        (&inside, "192.0.2.7", true),
        (&inside, "192.0.2.8", false),
        (&inside, "192.0.2.6", false),
        (&inside, "2001:db8::1", true),
        (&inside, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true),
        (&inside, "2001:db9::", false),
        (&inside, "::ffff:10.0.0.1", true),
        (&inside, "", false),
        (&outside, "10.1.2.3", false),
        (&outside, "::ffff:10.1.2.3", false),
        (&outside, "2001:db8::1", false),
        (&outside, "192.0.2.1", true),
        (&outside, "", true),
        (&both, "10.0.0.1", true),
        (&both, "10.1.0.1", false),
        (&both, "10.2.3.4", false),
        (&both, "10.2.3.5", true),
        (&both, "192.0.2.1", false),
        (&v4_mapped, "10.1.2.3", true),
        (&v4_mapped, "::ffff:10.1.2.3", true),
        (&v4_mapped, "11.1.2.3", false),
        (&all_v6, "::1", false),
        (&all_v6, "192.0.2.1", false),
        (&all_v4, "192.0.2.1", false),
        (&all_v4, "::1", true),
    ] {
        assert_eq!(passes(config, address), expected, "{config} {address:?}");
    }
}

#[test]
fn overlapping_and_many_ranges_are_one_set() {
    let allow: Vec<_> = (0..2000_u32)
        .map(|n| format!("10.{}.{}.0/24", n / 250, n % 250))
        .chain(["10.0.0.0/16".into(), "10.0.3.0/24".into()])
        .collect();
    let config = json!({ "allow": allow });
    for (address, expected) in [
        ("10.0.255.1", true),
        ("10.0.3.1", true),
        ("10.7.249.255", true),
        ("10.7.250.0", false),
        ("10.1.250.0", false),
        ("10.8.0.0", false),
    ] {
        assert_eq!(passes(&config, address), expected, "{address}");
    }
}

#[test]
fn a_wrong_configuration_says_what_to_write() {
    for (config, says) in [
        (json!({}), "nothing would be filtered"),
        (
            json!({ "allow": ["10.0.0.1/8"] }),
            "allow[0]: `10.0.0.1/8` has bits behind its prefix; write \"10.0.0.0/8\"",
        ),
        (json!({ "deny": ["10.0.0/8"] }), "deny[0]: `10.0.0/8` is no address"),
        (json!({ "deny": ["10.0.0.0/33"] }), "is no address and no CIDR range"),
        (json!({ "deny": ["localhost"] }), "`localhost` is no address"),
        (json!({ "deni": [] }), "unknown field `deni`"),
        (json!({ "allow": ["::1", "banana"], "deny": ["1.2.3.4/33"] }), "deny[0]: `1.2.3.4/33`"),
        (json!({ "allow": ["::1", "banana"], "deny": ["1.2.3.4/33"] }), "allow[1]: `banana`"),
    ] {
        let error = testing::Plugin::<IpFilter>::configure(config).err().unwrap();
        assert!(error.to_string().contains(says), "{error}");
    }
}
