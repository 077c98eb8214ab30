//! What guests say: metrics, log lines, errors.

use weir_tests::{Origin, free_address, lines, request, wait_for_line};

use super::{MIB, Setup, config_of, daemon};

#[test]
fn metrics_are_dropped_beyond_the_quota_and_a_scrape_stays_short() {
    let setup = Setup::new("scraped", "512KiB");
    assert_eq!(setup.ask("metric-sets", 250).status, 200);
    assert!(setup.held("metrics") <= 512 << 10);
    let text = setup.proxy.metrics();
    assert!(text.len() < MIB, "a scrape of {} bytes", text.len());
    let refused = r#"weir_plugin_memory_refused_total{plugin="scraped",kind="metrics"}"#;
    assert!(setup.proxy.metric(refused) > 100.0);
    let line = wait_for_line("scraped", |line| line.message.contains("metric is dropped"));
    assert!(line.message.contains("limits.quota"), "{line:?}");
}

#[test]
fn a_metric_that_is_dropped_is_told_once_and_counted() {
    let setup = Setup::new("dropped", "16MiB");
    for _ in 0..3 {
        assert_eq!(setup.ask("metric-reserved", 1).status, 200);
        assert_eq!(setup.ask("metric-labels", 2 * MIB).status, 200);
    }
    let dropped = r#"weir_plugin_metrics_dropped_total{plugin="dropped"}"#;
    assert_eq!(setup.proxy.metric(dropped), 18.0);
    let told =
        |what: &str| lines("dropped").iter().filter(|line| line.message.contains(what)).count();
    assert_eq!(told("the proxy has a metric of that name"), 1);
    assert_eq!(told("the name is not"), 2, "two different names");
    assert_eq!(told("its labels are not"), 2, "two different metrics");
    let longest = lines("dropped").iter().map(|line| line.field("metric").len()).max();
    assert!(longest < Some(200), "{longest:?}");
}

#[test]
fn what_a_guest_says_is_short_in_the_log() {
    let setup = Setup::new("wordy", "16MiB");
    setup.assert_ended("error-text", 7 * MIB, "error", "eeee");
    setup.assert_ended("panic-text", 7 * MIB, "trap", "unreachable");
    setup.assert_ended("reply-name", 7 * MIB, "invalid-reply", "a field");
    setup.assert_ended("reply-fields", 2000, "invalid-reply", "2000 fields are more than 164");
    setup.assert_ended("attribute", 17 << 10, "trap", "is longer than 16384");
    setup.assert_ended("attribute-key", 2 * MIB, "trap", "is longer than 16384");
    let longest = lines("wordy").iter().map(|line| line.message.len()).max();
    assert!(longest < Some(9 << 10), "{longest:?}");
}

#[test]
fn lines_of_one_call_are_bounded() {
    let setup = Setup::new("chatty", "16MiB");
    for greed in ["log-lines", "print"] {
        assert_eq!(setup.ask(greed, 60_000).status, 200, "{greed}");
    }
    wait_for_line("chatty", |line| line.message.contains("more than 256 log lines"));
    let said = lines("chatty").len();
    assert!(said < 2 * 256 + 20, "{said} lines");
    let dropped = setup.proxy.metric(r#"weir_plugin_log_dropped_total{plugin="chatty"}"#);
    assert_eq!(dropped, (60_000 - 256 + 30_000 - 256) as f64);
    assert_eq!(setup.ask("log-text", 100_000).status, 200);
    let line = wait_for_line("chatty", |line| line.field("fields").contains(r#"name="value""#));
    assert_eq!(line.field("fields").matches(r#"name="value""#).count(), 64);
    let longest = lines("chatty").iter().map(|line| line.message.len()).max();
    assert!(longest <= Some(64 << 10), "{longest:?}");
}

#[test]
fn a_line_without_end_counts() {
    let setup = Setup::new("endless-line", "16MiB");
    assert_eq!(setup.ask("print-part", 5000).status, 200);
    // Rust's own buffer keeps the end of a line that has none.
    assert_eq!(setup.ask("print-part", 50_000).status, 200);
    assert!(setup.held("output") <= 8 << 10, "{}", setup.held("output"));
}

#[test]
fn a_plugins_fields_are_fields_of_a_json_log() {
    let origin = Origin::echo();
    let web = free_address();
    let mut daemon = daemon(&config_of("conformance-guest", &origin, "says", ""), web);
    assert_eq!(request(web, "GET", "/", &[("x-behaviour", "log")], b"").status, 200);
    let line = daemon.wait_for_line("at warn");
    assert!(line.contains(r#""fields":{"number":"1","text":"a b"}"#), "{line}");
    assert!(line.contains(r#""plugin":"says""#) && line.contains(r#""level":"WARN""#), "{line}");
}
