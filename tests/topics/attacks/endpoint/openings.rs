//! Endpoints that take their time over an HTTP/2 connection while many wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tokio::sync::Semaphore;
use weir_tests::endpoint::{Endpoint, max_streams, ok, speak};
use weir_tests::frames::{Frames, kind};
use weir_tests::{Certificates, Origin, Proxy, RawClient, Setup, get, until};

const GET: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/x")];

/// More than one stream for each, and fewer than a client may have.
const REQUESTS: u32 = 50;

fn to(origin: &Origin) -> Proxy {
    Setup::to(origin).upstream("protocol = \"http2\"\nretries = 0").start()
}

/// Sends requests, and waits until the proxy has read all of them.
fn ask(proxy: &Proxy) -> Frames {
    let mut client = Frames::connect(proxy.address("web"));
    for number in 0..REQUESTS {
        client.head(number * 2 + 1, true, GET);
    }
    client.all_is_read();
    client
}

/// An endpoint that allows a hundred streams on each connection, and answers all; it says nothing before
/// there is a permit.
fn held() -> (Arc<Semaphore>, Endpoint) {
    let open = Arc::new(Semaphore::new(0));
    let answer = |_, stream| ok(stream, true, &[]);
    (open.clone(), Endpoint::held(open, max_streams(100), answer))
}

fn statuses(client: &mut Frames) -> Vec<u16> {
    let mut statuses: Vec<_> = (0..REQUESTS).map(|number| client.status(number * 2 + 1)).collect();
    statuses.dedup();
    statuses
}

/// Four hundred uploads at once were four hundred connections, for an endpoint that takes a hundred on
/// each.
#[test]
fn requests_that_come_at_once_share_what_is_being_opened() {
    let (open, endpoint) = held();
    let proxy = to(&endpoint.origin);
    let mut client = ask(&proxy);
    open.add_permits(1);
    assert_eq!(statuses(&mut client), [200]);
    assert_eq!(endpoint.origin.connections(), 1);
}

/// The endpoint turns out to allow fewer than all of them.
#[test]
fn who_finds_no_room_on_it_opens_another_one() {
    let open = Arc::new(Semaphore::new(0));
    let (greeting, seen) = (max_streams(10), Arc::new(Semaphore::new(0)));
    let counted = seen.clone();
    let endpoint = Endpoint::held(open.clone(), greeting, move |_, stream| {
        counted.add_permits(1);
        // None ends before all are there.
        if counted.available_permits() < REQUESTS as usize {
            return ok(stream, false, &[]);
        }
        ok(stream, true, &[])
    });
    let proxy = to(&endpoint.origin);
    let mut client = ask(&proxy);
    open.add_permits(1);
    assert_eq!(statuses(&mut client), [200]);
    // Who came late may have had the place of one that waited.
    let opened = endpoint.origin.connections();
    assert!((5..10).contains(&opened), "{opened} connections");
}

#[test]
fn who_waits_for_it_is_told_when_there_is_none() {
    let open = Arc::new(Semaphore::new(0));
    let gate = open.clone();
    let origin = Origin::raw(move |stream| {
        let gate = gate.clone();
        async move {
            drop(gate.acquire().await);
            drop(stream);
        }
    });
    let proxy = to(&origin);
    let mut client = ask(&proxy);
    open.add_permits(1);
    // Written out once, and by its place in the table (RFC 7541, 6.1) from then on.
    assert_eq!(statuses(&mut client), [502, 1]);
    // Whoever had his turn after that asked anew.
    let opened = origin.connections();
    assert!(opened < REQUESTS as usize / 2, "{opened} connections");
}

/// It was given up with the request that had it opened, and whoever waited with that one began anew.
#[test]
fn it_is_for_the_others_where_the_first_one_is_gone() {
    let (open, endpoint) = held();
    let proxy = to(&endpoint.origin);
    let mut first = Frames::connect(proxy.address("web"));
    first.head(1, true, GET);
    until("it is being opened", || endpoint.origin.connections() == 1);
    let mut other = ask(&proxy);
    first.send(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    first.all_is_read();
    open.add_permits(1);
    assert_eq!(statuses(&mut other), [200]);
    assert_eq!(endpoint.origin.connections(), 1);
}

/// Each hundred requests that were given up meanwhile were one more connection.
#[test]
fn who_gives_up_leaves_the_place_to_others() {
    let (open, endpoint) = held();
    let proxy = to(&endpoint.origin);
    let mut client = Frames::connect(proxy.address("web"));
    let mut next = 1;
    for _ in 0..6 {
        let begun: Vec<u32> = (next..).step_by(2).take(REQUESTS as usize).collect();
        next += 2 * REQUESTS;
        for stream in &begun {
            client.head(*stream, true, GET);
        }
        // Twice, for the streams have their turns between.
        client.all_is_read();
        client.all_is_read();
        for stream in &begun {
            client.send(kind::RST_STREAM, 0, *stream, &[0, 0, 0, 8]);
        }
    }
    client.head(next, true, GET);
    open.add_permits(1);
    assert_eq!(client.status(next), 200);
    assert_eq!(endpoint.origin.connections(), 1);
}

/// An endpoint that starts anew: each of the requests that were under way had a connection of its own
/// opened, for it wants one that was not there before.
#[test]
fn who_tries_again_on_a_fresh_connection_shares_it() {
    let endpoint = Restarting::new(true);
    let proxy = Setup::to(&endpoint.origin).upstream("protocol = \"http2\"").start();
    assert_eq!(get(proxy.address("web"), "/").status, 200);
    let mut client = ask(&proxy);
    endpoint.restart_after(1 + REQUESTS as usize);
    assert_eq!(statuses(&mut client), [200]);
    assert_eq!(endpoint.origin.connections(), 2);
}

/// It ends each connection at the first request: that is no stale connection any more, and another
/// endpoint is there.
#[test]
fn who_finds_the_fresh_one_dying_too_goes_elsewhere() {
    let dying = Restarting::new(false);
    let healthy = Endpoint::new(max_streams(100), |_, stream| ok(stream, true, &[]));
    let setup = Setup::to(&dying.origin).and(healthy.origin.url());
    let proxy = setup.upstream("protocol = \"http2\"\nbalance = \"round-robin\"").start();
    for _ in 0..2 {
        assert_eq!(get(proxy.address("web"), "/").status, 200);
    }
    let mut client = ask(&proxy);
    dying.restart_after(1 + REQUESTS as usize / 2);
    assert_eq!(statuses(&mut client), [200]);
}

/// An endpoint whose first connection answers one request, and ends when it is told to.
struct Restarting {
    origin: Origin,
    begun: Arc<Semaphore>,
    ends: Arc<Semaphore>,
}

impl Restarting {
    /// Its later connections serve; or end at their first request.
    fn new(serves: bool) -> Restarting {
        let (begun, ends) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (counted, ended, first) = (begun.clone(), ends.clone(), AtomicBool::new(true));
        let origin = Origin::raw(move |stream| {
            let (counted, first) = (counted.clone(), first.swap(false, Relaxed));
            let over = if first { ended.clone() } else { Arc::new(Semaphore::new(0)) };
            async move {
                let ends = over.clone();
                let before = speak(stream, max_streams(100), move |number, stream| {
                    counted.add_permits(1);
                    let answers = if first { number == 0 } else { serves };
                    if !first && !serves {
                        ends.add_permits(1);
                    }
                    if answers { ok(stream, true, &[]) } else { Vec::new() }
                });
                tokio::select! {
                    () = before => {}
                    _ = over.acquire() => {}
                }
            }
        });
        Restarting { origin, begun, ends }
    }

    /// Ends the first connection once so many requests have come.
    fn restart_after(&self, requests: usize) {
        until("all are under way", || self.begun.available_permits() == requests);
        self.ends.add_permits(1);
    }
}

/// What it speaks is not known before it is asked.
#[test]
fn an_endpoint_that_speaks_http1_after_all_serves_all_of_them() {
    let certificates = Certificates::for_names(&["127.0.0.1"]);
    let say = |_: &_| Response::new(Full::new(Bytes::from("said")));
    let origin = Origin::tls(&certificates, false, say);
    let url = origin.url().replace("http:", "https:");
    let lines = format!("protocol = \"auto\"\ntls = {{ ca = {:?} }}", certificates.ca());
    let proxy = Setup::to_url(url).upstream(&lines).start();
    let mut client = ask(&proxy);
    assert_eq!(statuses(&mut client), [200]);
    let mut other = RawClient::connect(proxy.address("web"));
    other.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(other.answer().text(), "said");
}
