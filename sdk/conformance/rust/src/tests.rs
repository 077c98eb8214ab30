//! Every behaviour in the SDK's fake proxy, against the same list as in the real one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use weir_conformance::{BEHAVIOURS, Behaviour, CONFIGURE_ERROR, Values, foreach_behaviour};
use weir_sdk::testing::{self, Exchange};
use weir_sdk::{FieldValue, serde_json};

use crate::Conformance;

fn find(id: &str) -> &'static Behaviour {
    BEHAVIOURS.iter().find(|behaviour| behaviour.id == id).unwrap()
}

fn check(id: &str) {
    let behaviour = find(id);
    let config = serde_json::json!({});
    let mut proxy = testing::Plugin::<Conformance>::configure(config).unwrap();
    let exchange = catch_unwind(AssertUnwindSafe(|| exchange(&mut proxy, behaviour)));
    let expect = &behaviour.expect;
    let Ok(exchange) = exchange else {
        assert_eq!((expect.client.status, expect.upstream.is_none()), (500, true));
        return;
    };
    let failed = expect.client.status == 500 || expect.client.cut;
    assert_eq!(exchange.outcome().is_err(), failed, "{:?}", exchange.outcome());
    if !failed {
        messages(&exchange, behaviour);
    }

    let logs = proxy.logs();
    let lines: Vec<_> = logs
        .iter()
        .map(|line| (format!("{:?}", line.level).to_lowercase(), &line.message, &line.fields))
        .collect();
    assert_eq!(lines.len(), expect.log.len());
    for ((level, message, fields), line) in lines.iter().zip(expect.log) {
        assert!(level.ends_with(line.level), "{level}");
        assert_eq!(message.as_str(), line.message);
        let fields: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(fields, line.fields);
    }
    for metric in expect.metrics {
        let value = match metric.kind {
            "histogram" => proxy.observations(metric.name, metric.labels).iter().sum(),
            _ => proxy.metric(metric.name, metric.labels),
        };
        assert_eq!(value, metric.value, "{}", metric.name);
    }
}

fn exchange(proxy: &mut testing::Plugin<Conformance>, behaviour: &Behaviour) -> Exchange {
    let mut request = testing::request(behaviour.request.method, behaviour.request.target)
        .header("x-behaviour", behaviour.id)
        .scheme("http")
        .client("127.0.0.1", 40_000)
        .route("conformance")
        .body(behaviour.request.body);
    for (name, value) in behaviour.request.fields {
        request = request.header(name, value);
    }
    let mut response = testing::response(behaviour.upstream.status).body(behaviour.upstream.body);
    for (name, value) in behaviour.upstream.fields {
        response = response.header(name, value);
    }
    proxy.exchange(request, response)
}

fn messages(exchange: &Exchange, behaviour: &Behaviour) {
    let expect = &behaviour.expect;
    assert_eq!(exchange.is_forwarded(), expect.upstream.is_some());
    if let Some(seen) = &expect.upstream {
        let sent = exchange.forwarded();
        assert_eq!((sent.method(), sent.path_with_query()), (seen.method, seen.target));
        assert_eq!(sent.authority(), seen.host);
        assert_eq!(sent.body(), seen.body);
        fields(seen.fields, |name| sent.header_values(name));
    } else {
        assert_eq!(exchange.reply().delay.as_millis(), expect.client.delay_millis.into());
    }
    let answer = exchange.response();
    assert_eq!(answer.status(), expect.client.status);
    fields(expect.client.fields, |name| answer.header_values(name));
    // The fake does not frame messages: it keeps the body of a reply to HEAD.
    if let Some(body) = expect.client.body
        && behaviour.request.method != "HEAD"
    {
        assert_eq!(answer.body(), body);
    }
}

fn fields(expected: &[Values], found: impl Fn(&str) -> Vec<FieldValue>) {
    for (name, values) in expected {
        // Framing is the real proxy's: the fake has none.
        if *name != "content-length" {
            assert_eq!(found(name), *values, "{name}");
        }
    }
}

macro_rules! in_the_fake {
    ($id:ident) => {
        #[test]
        fn $id() {
            check(stringify!($id));
        }
    };
}

foreach_behaviour!(in_the_fake);

#[test]
fn configure_error() {
    let config = serde_json::json!({ "behaviour": "configure_error" });
    let error = testing::Plugin::<Conformance>::configure(config).err().unwrap();
    assert!(error.to_string().contains(CONFIGURE_ERROR));
}

#[test]
fn the_configuration_names_a_behaviour_as_well() {
    let config = serde_json::json!({ "behaviour": "reply" });
    let mut proxy = testing::Plugin::<Conformance>::configure(config).unwrap();
    assert_eq!(proxy.request(testing::request("GET", "/")).reply().status, 403);
}

#[test]
fn a_place_is_given_back_when_the_exchange_ends() {
    let config = serde_json::json!({});
    let mut proxy = testing::Plugin::<Conformance>::configure(config).unwrap();
    for _ in 0..2 {
        messages(&exchange(&mut proxy, find("limiter_enter")), find("limiter_enter"));
    }
}
