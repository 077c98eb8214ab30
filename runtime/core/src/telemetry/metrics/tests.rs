//! The exposition, parsed back as a scraper would.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use super::custom::{MAX_LABEL_SETS, MAX_NAMES, RESERVED};
use super::*;
use crate::quota::{Holding, Payer, Quota};

const NONE: [(&str, &str); 0] = [];

/// Samples by `name{labels}`, after checking that every one has its HELP and TYPE above it.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut family = (String::new(), String::new());
    let mut help = String::new();
    let mut seen = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split(' ').next().unwrap().to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, help, "TYPE without HELP");
            assert!(!seen.contains(&name.to_owned()), "{name} twice");
            seen.push(name.to_owned());
            family = (name.to_owned(), kind.to_owned());
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let base = match family.1.as_str() {
                "histogram" => ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|suffix| name.strip_suffix(suffix))
                    .unwrap(),
                _ => name,
            };
            assert_eq!(base, family.0);
            let value = value.parse().unwrap();
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} twice");
        }
    }
    samples
}

/// More than any test here needs.
fn quota(plugin: &PluginMetrics) -> Quota {
    Quota::new(plugin.account().clone(), 64 << 20)
}

fn scrape(metrics: &Metrics) -> BTreeMap<String, f64> {
    parse(&metrics.render())
}

#[test]
fn route_counts_come_back() {
    let metrics = Metrics::new();
    let api = metrics.route("api");
    api.finished(200, Duration::from_millis(3), 0, 10);
    metrics.route("api").finished(200, Duration::from_millis(700), 5, 10);
    api.finished(0, Duration::from_secs(60), 0, 0);
    api.finished(999, Duration::ZERO, 0, 0);
    let samples = scrape(&metrics);
    assert_eq!(samples[r#"weir_requests_total{route="api",code="200"}"#], 2.0);
    assert_eq!(samples[r#"weir_requests_total{route="api",code="0"}"#], 2.0);
    assert_eq!(samples[r#"weir_request_body_bytes_total{route="api"}"#], 5.0);
    assert_eq!(samples[r#"weir_response_body_bytes_total{route="api"}"#], 20.0);
    let bucket =
        |le| samples[&format!(r#"weir_request_duration_seconds_bucket{{route="api",le="{le}"}}"#)];
    assert_eq!(
        [
            bucket("0.0025"),
            bucket("0.005"),
            bucket("0.5"),
            bucket("1"),
            bucket("30"),
            bucket("+Inf")
        ],
        [1.0, 2.0, 2.0, 3.0, 3.0, 4.0],
    );
    assert_eq!(samples[r#"weir_request_duration_seconds_count{route="api"}"#], 4.0);
    assert!((samples[r#"weir_request_duration_seconds_sum{route="api"}"#] - 60.703).abs() < 1e-9);
}

#[test]
fn threads_add_up() {
    let metrics = Metrics::new();
    let route = metrics.route("r");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    let _guard = metrics.request();
                    route.finished(204, Duration::ZERO, 0, 0);
                }
            });
        }
    });
    let samples = scrape(&metrics);
    assert_eq!(samples[r#"weir_requests_total{route="r",code="204"}"#], 8000.0);
    assert_eq!(samples["weir_requests_in_flight"], 0.0);
}

#[test]
fn guards_give_back_what_they_took() {
    let metrics = Metrics::new();
    let listener = metrics.listener("web");
    let open = listener.accepted();
    let closed = listener.accepted();
    listener.rejected();
    listener.handshake_failed();
    drop(closed);
    let endpoint = metrics.upstream_endpoint("u", "127.0.0.1:1");
    let mut idle = endpoint.connected(Duration::from_millis(1));
    let active = endpoint.connected(Duration::from_millis(1));
    idle.set(ConnectionState::Idle);
    endpoint.request(Outcome::of_status(503));
    endpoint.request(Outcome::Timeout);
    endpoint.set_healthy(false);
    metrics.upstream("u").retried();
    let _instance = metrics.plugin("p").instance();
    let _request = metrics.request();
    metrics.error(Kind::DnsError);
    let samples = scrape(&metrics);
    let endpoint = r#"upstream="u",endpoint="127.0.0.1:1""#;
    for (series, value) in [
        (r#"weir_connections{listener="web"}"#, 1.0),
        (r#"weir_connections_accepted_total{listener="web"}"#, 2.0),
        (r#"weir_connections_rejected_total{listener="web"}"#, 1.0),
        (r#"weir_tls_handshake_failures_total{listener="web"}"#, 1.0),
        (&format!(r#"weir_upstream_connections{{{endpoint},state="idle"}}"#), 1.0),
        (&format!(r#"weir_upstream_connections{{{endpoint},state="active"}}"#), 1.0),
        (&format!(r#"weir_upstream_requests_total{{{endpoint},outcome="5xx"}}"#), 1.0),
        (&format!(r#"weir_upstream_requests_total{{{endpoint},outcome="timeout"}}"#), 1.0),
        (&format!(r#"weir_upstream_connect_seconds_count{{{endpoint}}}"#), 2.0),
        (&format!("weir_upstream_healthy{{{endpoint}}}"), 0.0),
        (r#"weir_upstream_retries_total{upstream="u"}"#, 1.0),
        (r#"weir_plugin_instances{plugin="p"}"#, 1.0),
        ("weir_requests_in_flight", 1.0),
        (r#"weir_errors_total{kind="dns_error"}"#, 1.0),
        (r#"weir_errors_total{kind="dns_timeout"}"#, 0.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series}");
    }
    drop((open, idle, active));
    let samples = scrape(&metrics);
    assert_eq!(samples[r#"weir_connections{listener="web"}"#], 0.0);
    assert_eq!(samples[&format!(r#"weir_upstream_connections{{{endpoint},state="idle"}}"#)], 0.0);
}

#[test]
fn plugin_calls_are_counted_all_and_timed_some() {
    let metrics = Metrics::new();
    let plugin = metrics.plugin("jwt");
    for _ in 0..32 {
        let called = plugin.called(Hook::Request);
        plugin.returned(Hook::Request, called);
    }
    plugin.failed(Hook::Response, "trap");
    plugin.failed(Hook::Response, "from the future");
    let samples = scrape(&metrics);
    assert_eq!(samples[r#"weir_plugin_calls_total{plugin="jwt",hook="request"}"#], 32.0);
    assert_eq!(samples[r#"weir_plugin_duration_seconds_count{plugin="jwt",hook="request"}"#], 2.0);
    let failures = |reason| {
        samples[&format!(
            r#"weir_plugin_failures_total{{plugin="jwt",hook="response",reason="{reason}"}}"#
        )]
    };
    assert_eq!((failures("trap"), failures("other")), (1.0, 1.0));
}

#[test]
fn what_a_reload_removed_is_gone() {
    let metrics = Metrics::new();
    for name in ["old", "new"] {
        metrics.route(name).finished(200, Duration::ZERO, 0, 0);
        let plugin = metrics.plugin(name);
        let mut custom = WorkerCustomMetrics::new(plugin.custom().clone());
        custom.count(&format!("{name}_hits"), &NONE, 1, &quota(&plugin));
        metrics.upstream(name);
        metrics.upstream_endpoint(name, "h:1");
        metrics.listener(name);
        metrics.set_certificates(name, [("CN=x", 1)]);
    }
    metrics.retain(|series| match series {
        Series::Route(name)
        | Series::Plugin(name)
        | Series::Upstream(name)
        | Series::Listener(name)
        | Series::Endpoint { upstream: name, .. } => name == "new",
    });
    let text = metrics.render();
    assert!(!text.contains("old"), "{text}");
    assert_eq!(parse(&text)[r#"weir_requests_total{route="new",code="200"}"#], 1.0);
    // The name is free again, also for another type.
    let plugin = metrics.plugin("new");
    let mut custom = WorkerCustomMetrics::new(plugin.custom().clone());
    custom.gauge("old_hits", &NONE, 0.5, &quota(&plugin));
    assert_eq!(scrape(&metrics)[r#"weir_plugin_old_hits{plugin="new"}"#], 0.5);
}

#[test]
fn process_and_reloads_are_told() {
    let metrics = Metrics::new();
    metrics.reload_succeeded(UNIX_EPOCH + Duration::from_millis(1_500));
    metrics.reload_failed();
    metrics.set_certificates("web", [("CN=a", 50), ("CN=b", 90), ("CN=a", 40)]);
    metrics.access_log_dropped().fetch_add(3, Relaxed);
    let samples = scrape(&metrics);
    assert_eq!(samples[r#"weir_reloads_total{result="success"}"#], 1.0);
    assert_eq!(samples[r#"weir_reloads_total{result="failure"}"#], 1.0);
    assert_eq!(samples["weir_config_last_reload_success_timestamp_seconds"], 1.5);
    let expiry = r#"weir_certificate_expiry_timestamp_seconds{listener="web",subject="CN=a"}"#;
    assert_eq!(samples[expiry], 40.0);
    assert_eq!(samples["weir_access_log_dropped_total"], 3.0);
    if cfg!(target_os = "linux") {
        assert!(samples["process_resident_memory_bytes"] > 1e5);
        assert!(samples["process_open_fds"] >= 3.0);
        assert!(samples["process_start_time_seconds"] > 1.6e9);
        assert!(samples.contains_key("process_cpu_seconds_total"));
    }
}

#[test]
fn label_values_are_escaped() {
    let metrics = Metrics::new();
    metrics.set_certificates("web", [("CN=\"a\\b\n", 1)]);
    assert!(metrics.render().contains(r#"subject="CN=\"a\\b\n""#));
}

#[test]
fn custom_metrics_come_back() {
    let metrics = Metrics::new();
    let plugin = metrics.plugin("p");
    let quota = quota(&plugin);
    let mut custom = WorkerCustomMetrics::new(plugin.custom().clone());
    custom.count("hits_total", &[("b", "2"), ("a", "1")], 2, &quota);
    custom.count("hits_total", &[("a", "1"), ("b", "2")], 3, &quota);
    custom.count("hits_total", &[("a", "1"), ("b", "2")], 1, &quota);
    custom.gauge("level", &NONE, -0.5, &quota);
    custom.observe("wait_seconds", &NONE, 0.02, &quota);
    custom.observe("wait_seconds", &NONE, 99.0, &quota);
    custom.observe("wait_seconds", &NONE, f64::NAN, &quota);
    let samples = scrape(&metrics);
    assert_eq!(samples[r#"weir_plugin_hits_total{plugin="p",a="1",b="2"}"#], 6.0);
    assert_eq!(samples[r#"weir_plugin_level{plugin="p"}"#], -0.5);
    assert_eq!(samples[r#"weir_plugin_wait_seconds_bucket{plugin="p",le="0.025"}"#], 1.0);
    assert_eq!(samples[r#"weir_plugin_wait_seconds_bucket{plugin="p",le="10"}"#], 1.0);
    assert_eq!(samples[r#"weir_plugin_wait_seconds_count{plugin="p"}"#], 2.0);
    assert_eq!(samples[r#"weir_plugin_wait_seconds_sum{plugin="p"}"#], 99.02);
    assert_eq!(samples[r#"weir_plugin_metrics_dropped_total{plugin="p"}"#], 1.0);
}

#[test]
fn custom_metrics_that_are_dropped() {
    let long = "x".repeat(513);
    let cases: [(&str, &[(&str, &str)]); 14] = [
        ("", &[]),
        ("1a", &[]),
        ("Upper", &[]),
        ("a-b", &[]),
        ("a{x=\"1\"} 1\nweir_y", &[]),
        ("calls_total", &[]),
        ("duration_seconds_sum", &[]),
        ("metrics_dropped_total", &[]),
        ("wait_bucket", &[]),
        ("ok", &[("plugin", "other")]),
        ("ok", &[("le", "1")]),
        ("ok", &[("__name__", "x")]),
        ("ok", &[("a", "1"), ("a", "2")]),
        ("ok", &[("a", &long)]),
    ];
    let metrics = Metrics::new();
    let plugin = metrics.plugin("p");
    let quota = quota(&plugin);
    let mut custom = WorkerCustomMetrics::new(plugin.custom().clone());
    custom.observe("wait", &NONE, 1.0, &quota);
    for (at, (name, labels)) in cases.iter().enumerate() {
        custom.count(name, labels, 1, &quota);
        let dropped = scrape(&metrics)[r#"weir_plugin_metrics_dropped_total{plugin="p"}"#];
        assert_eq!(dropped, (at + 1) as f64, "{name} {labels:?}");
    }
    // A name has one type, for all plugins.
    let other = metrics.plugin("q");
    WorkerCustomMetrics::new(other.custom().clone()).count("wait", &NONE, 1, &quota);
    assert_eq!(scrape(&metrics)[r#"weir_plugin_metrics_dropped_total{plugin="q"}"#], 1.0);
}

#[test]
fn custom_metrics_are_capped() {
    let metrics = Metrics::new();
    let plugin = metrics.plugin("p");
    let quota = quota(&plugin);
    let mut custom = WorkerCustomMetrics::new(plugin.custom().clone());
    for set in 0..MAX_LABEL_SETS + 10 {
        custom.count("sets", &[("n", set.to_string())], 1, &quota);
    }
    for name in 0..MAX_NAMES {
        custom.count(&format!("name_{name}"), &NONE, 1, &quota);
    }
    let samples = scrape(&metrics);
    let of = |prefix: &str| samples.keys().filter(|series| series.starts_with(prefix)).count();
    assert_eq!(of("weir_plugin_sets{"), MAX_LABEL_SETS);
    assert_eq!(of("weir_plugin_name_"), MAX_NAMES - 1);
    assert_eq!(samples[r#"weir_plugin_metrics_dropped_total{plugin="p"}"#], 11.0);
}

#[test]
fn no_name_of_the_proxys_own_is_left_to_plugins() {
    let metrics = Metrics::new();
    let plugin = metrics.plugin("p");
    for hook in [Hook::Request, Hook::Response] {
        plugin.returned(hook, plugin.called(hook));
        plugin.failed(hook, "trap");
    }
    plugin.line_dropped();
    let tiny = Quota::new(plugin.account().clone(), 1);
    tiny.refuse(Holding::Bodies, 2);
    let text = metrics.render();
    let own = text.lines().filter_map(|line| line.strip_prefix("# TYPE weir_plugin_"));
    let own: Vec<&str> = own.filter_map(|rest| rest.split(' ').next()).collect();
    assert!(own.len() > 5, "{text}");
    for name in own {
        assert!(RESERVED.contains(&name), "{name} must be reserved");
    }
}

#[test]
fn a_series_is_found_in_whichever_order_its_labels_stand() {
    let metrics = Metrics::new();
    let plugin = metrics.plugin("p");
    let quota = quota(&plugin);
    let mut custom = WorkerCustomMetrics::new(plugin.custom().clone());
    custom.count("hits", &[("a", "1"), ("b", "2")], 1, &quota);
    for _ in 0..3 {
        custom.count("hits", &[("b", "2"), ("a", "1")], 1, &quota);
        custom.count("hits", &[("a", "1"), ("a", "1")], 1, &quota);
    }
    let samples = scrape(&metrics);
    assert_eq!(samples[r#"weir_plugin_hits{plugin="p",a="1",b="2"}"#], 4.0);
    assert_eq!(samples[r#"weir_plugin_metrics_dropped_total{plugin="p"}"#], 3.0);
}

#[test]
fn a_scrape_is_no_longer_than_the_quota() {
    let metrics = Metrics::new();
    let plugin = metrics.plugin("p");
    let quota = Quota::new(plugin.account().clone(), 1 << 20);
    let mut custom = WorkerCustomMetrics::new(plugin.custom().clone());
    let value = "\\".repeat(500);
    for set in 0..200_u32 {
        let text = format!("{set}{value}");
        let labels: Vec<(String, &str)> = (0..16).map(|at| (format!("l{at}"), &*text)).collect();
        custom.observe("wait", &labels, 1.0, &quota);
        custom.count("hits", &labels, 1, &quota);
    }
    let text = metrics.render();
    assert!(text.len() < (1 << 20) + (16 << 10), "{} bytes", text.len());
    let samples = parse(&text);
    let held = samples[r#"weir_plugin_memory_bytes{plugin="p",kind="metrics"}"#];
    assert!(held <= f64::from(1 << 20) && held > f64::from(1 << 19), "{held}");
    assert!(samples[r#"weir_plugin_metrics_dropped_total{plugin="p"}"#] > 300.0);
    assert!(samples[r#"weir_plugin_memory_refused_total{plugin="p",kind="metrics"}"#] > 300.0);
}
