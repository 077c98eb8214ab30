//! The same component by wasmtime's own component runtime and by ours: guest and host see the same.

mod guest;
mod host;

use std::collections::BTreeMap;

use http::HeaderValue;
use wasmtime::component::Val;
use weir_core::chain::Summary;
use weir_core::http::Tls;
use wit_component::StringEncoding;

use self::guest::{Came, guest, notes};
use self::host::{Oracle, Seen, maybe, ok, text};
use super::*;

fn any_text(random: &mut fastrand::Rng) -> String {
    const CHARS: [&[char]; 4] = [
        &['a', 'Z', '0', ' ', '\0', '\n', '"'],
        &['\u{80}', '\u{e9}', '\u{ff}'],
        &['\u{100}', '\u{20ac}', '\u{d7ff}', '\u{e000}', '\u{ffff}'],
        &['\u{10000}', '\u{1F600}', '\u{10ffff}'],
    ];
    let kinds = random.usize(1..=4);
    let length = random.usize(0..20);
    (0..length)
        .map(|_| {
            let kind = CHARS[random.usize(0..kinds)];
            kind[random.usize(0..kind.len())]
        })
        .collect()
}

fn any_value(random: &mut fastrand::Rng) -> Vec<u8> {
    let length = random.usize(0..20);
    (0..length)
        .map(|_| if random.bool() { random.u8(b'!'..=b'~') } else { random.u8(0x80..) })
        .collect()
}

fn any_fields(random: &mut fastrand::Rng) -> Vec<(String, Vec<u8>)> {
    let mut fields = Vec::new();
    let mut add = |name: &str, count: usize, random: &mut fastrand::Rng| {
        for _ in 0..count {
            fields.push((name.to_owned(), any_value(random)));
        }
    };
    let counts = [random.usize(0..2), random.usize(0..4), random.usize(0..3)];
    add("x-one", counts[0], random);
    add("x-many", counts[1], random);
    add("cookie", counts[2], random);
    fields.push(("x-empty".to_owned(), Vec::new()));
    fields
}

fn any_seen(random: &mut fastrand::Rng) -> Seen {
    let mut fields = any_fields(random);
    fields.insert(0, ("host".to_owned(), b"example.com".to_vec()));
    let mut attributes = BTreeMap::new();
    for (key, often) in [("in", 2), ("fail", 6), ("pass", 6)] {
        if random.usize(0..often) == 0 {
            attributes.insert(key.to_owned(), any_text(random));
        }
    }
    let tls = random.bool().then(|| {
        let name = random.bool().then(|| any_text(random));
        ("TLSv1.3".to_owned(), any_text(random), name)
    });
    Seen {
        method: "PATCH".to_owned(),
        scheme: if tls.is_some() { "https" } else { "http" }.to_owned(),
        authority: "example.com".to_owned(),
        path: format!("/{}?{}", random.u32(..), random.u32(..)),
        route: any_text(random),
        fields,
        attributes,
        address: any_text(random),
        port: random.u16(..),
        tls,
        status: random.u16(200..600),
        answered: any_fields(random),
        store: BTreeMap::new(),
    }
}

fn headers(of: &[(String, Vec<u8>)]) -> http::HeaderMap {
    let line = |(name, value): &(String, Vec<u8>)| {
        (name.parse::<http::HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap())
    };
    let mut map = http::HeaderMap::new();
    of.iter().map(line).for_each(|(name, value)| {
        map.append(name, value);
    });
    map
}

fn lines(of: &http::HeaderMap) -> Vec<(String, Vec<u8>)> {
    of.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
}

fn to_exchange(seen: &Seen) -> Box<Exchange> {
    let mut exchange = super::exchange(&[]);
    exchange.head_limits = HeadLimits { fields: 100, bytes: 1 << 16 };
    exchange.request.method = "PATCH".parse().unwrap();
    exchange.request.uri = seen.path.parse().unwrap();
    exchange.request.headers = headers(&seen.fields);
    exchange.route = seen.route.as_str().into();
    for (key, value) in &seen.attributes {
        assert!(exchange.attributes.set(key, value).is_ok());
    }
    exchange.client = Arc::new(Client {
        address: seen.address.clone(),
        port: seen.port,
        https: seen.tls.is_some(),
        tls: seen.tls.as_ref().map(|(_, cipher, name)| Tls {
            version: "TLSv1.3",
            cipher: cipher.clone(),
            server_name: name.as_deref().map(Into::into),
        }),
        ..Client::default()
    });
    let (mut head, ()) = http::Response::new(()).into_parts();
    head.status = seen.status.try_into().unwrap();
    head.headers = headers(&seen.answered);
    exchange.response = Some(head);
    exchange
}

#[test]
fn guest_and_host_see_what_wasmtimes_own_runtime_has_them_see() {
    let encodings = [StringEncoding::UTF8, StringEncoding::UTF16, StringEncoding::CompactUTF16];
    for (seed, texts) in encodings.into_iter().enumerate() {
        let random = &mut fastrand::Rng::with_seed(seed as u64);
        let component = guest(texts);
        let mut oracle = Oracle::new(&component);
        let clock = weir_core::clock::TurnedClock::new();
        let host = host_at(Clock::Turned(clock.clone()));
        let plugin = load(&host, &component, |plugin| {
            plugin.grants.write(Grant::Store, true);
            plugin.limits.memory = 8 << 20;
            plugin.limits.deadline = Duration::from_secs(10);
        });
        let member = member(&plugin);
        for round in 0..300 {
            let what = format!("{texts:?}, round {round}");
            let seen = any_seen(random);
            // What is kept outlives an exchange, and the bucket is full again.
            clock.turn(Duration::from_secs(1));
            let store = std::mem::take(&mut oracle.store.data_mut().store);
            *oracle.store.data_mut() = Seen { store, ..seen.clone() };
            let expected = oracle.request(texts);
            let (exchange, came) = wait(member.on_request(to_exchange(&seen)));
            let came = match came {
                Ok(Verdict::Forward) => Came::Forwards,
                Ok(Verdict::Respond(reply)) => Came::Replies {
                    status: reply.status.as_u16(),
                    fields: vec![],
                    notes: notes(&reply.body, texts),
                },
                Err(failure) => {
                    assert_eq!(failure.reason, "error", "{what}: {failure:?}");
                    Came::Fails(failure.detail.clone())
                }
            };
            match (&came, &expected) {
                (
                    Came::Replies { status, notes, .. },
                    Came::Replies { status: wanted, notes: all, .. },
                ) => {
                    assert_eq!(status, wanted, "{what}");
                    for (at, (note, wanted)) in notes.iter().zip(all).enumerate() {
                        assert_eq!(note, wanted, "{what}: note {at}");
                    }
                    assert_eq!(notes.len(), all.len(), "{what}");
                }
                // Control characters are told another way.
                (Came::Fails(_), Came::Fails(_)) => {}
                (came, expected) => assert_eq!(came, expected, "{what}"),
            }
            let seen = oracle.store.data().clone();
            assert_eq!(headers(&seen.fields), exchange.request.headers, "{what}");
            let left: BTreeMap<String, String> = exchange
                .attributes
                .iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
            assert_eq!(left, seen.attributes, "{what}");
            let (exchange, told) = wait(member.on_response(exchange));
            assert!(told.is_ok(), "{what}: {told:?}");
            assert_eq!(oracle.call("response-hook", "on-response", &[], 1), [ok(None)]);
            let seen = oracle.store.data().clone();
            let head = exchange.response.as_ref().expect("a response");
            assert_eq!(head.status.as_u16(), seen.status, "{what}");
            assert_eq!(headers(&seen.answered), head.headers, "{what}");
            assert_eq!(lines(&head.headers).len(), seen.answered.len());
            let summary = Summary {
                status: random.u16(..),
                request_bytes: random.u64(..),
                response_bytes: random.u64(..),
                duration: Duration::from_micros(random.u64(..1 << 50)),
                upstream: random.bool().then(|| any_text(random).into()),
                error: [None, Some(""), Some("proxy_internal_error")][random.usize(0..3)],
            };
            let record = Val::Record(
                [
                    ("status", Val::U16(summary.status)),
                    ("request-bytes", Val::U64(summary.request_bytes)),
                    ("response-bytes", Val::U64(summary.response_bytes)),
                    ("duration-micros", Val::U64(summary.duration.as_micros() as u64)),
                    ("upstream", maybe(summary.upstream.as_deref().map(text))),
                    ("error", maybe(summary.error.map(text))),
                ]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            );
            oracle.call("completion-hook", "on-complete", &[record], 0);
            assert!(wait(member.on_complete(exchange, &summary)).1.is_ok(), "{what}");
        }
    }
}
