//! HTTP/2: streams share connections as far as the endpoint's SETTINGS let them, and an endpoint that is
//! gone without a word is found out.

use std::cell::RefCell;

use super::*;
use crate::upstream::sample::http2::Http2End;

/// A pool of an upstream with prior knowledge, whose endpoint answers after this time and allows so many
/// streams. Gives its connections too.
fn speaking(
    after: Duration,
    streams: u32,
    change: impl Fn(&mut config::Upstream),
) -> (Arc<Played>, Rc<Pool>, Rc<RefCell<Vec<Http2End>>>) {
    let (endpoint, pool) = pool(|upstream| {
        upstream.protocol = config::UpstreamProtocol::Http2;
        change(upstream);
    });
    let ends = Rc::<RefCell<Vec<Http2End>>>::default();
    let open = ends.clone();
    endpoint.serve(move |end| {
        let answer = move || async move {
            time::sleep(after).await;
            "hi"
        };
        open.borrow_mut().push(Http2End::serve(end, streams, answer));
        async {}
    });
    (endpoint, pool, ends)
}

/// So many requests at once, each of a client of its own: when each was answered.
async fn at_once(pool: &Rc<Pool>, many: usize) -> Vec<Duration> {
    let begun = clock::now();
    let asking = (1..=many).map(|number| {
        let pool = pool.clone();
        tokio::task::spawn_local(async move {
            assert_eq!(Asker::new(number).fetch(&pool).await, "hi");
            clock::since(begun)
        })
    });
    let mut times = Vec::new();
    for asking in asking.collect::<Vec<_>>() {
        times.push(asking.await.expect("an answer"));
    }
    times
}

#[test]
fn streams_share_a_connection() {
    paused(async {
        let (endpoint, pool, _ends) = speaking(SECOND, 200, |_| {});
        assert_eq!(at_once(&pool, 50).await, [SECOND; 50]);
        assert_eq!((endpoint.dialled(), pool.counts()), (1, (0, 1)));
        at_once(&pool, 50).await;
        assert_eq!(endpoint.dialled(), 1);
    });
}

#[test]
fn no_more_streams_are_open_than_the_endpoint_allows() {
    paused(async {
        let narrow = |upstream: &mut config::Upstream| upstream.pool.max_connections = 1;
        let (endpoint, pool, _ends) = speaking(SECOND, 2, narrow);
        let times = at_once(&pool, 6).await;
        let at = |seconds| times.iter().filter(|time| **time == seconds * SECOND).count();
        assert_eq!((at(1), at(2), at(3)), (2, 2, 2), "{times:?}");
        assert_eq!(endpoint.dialled(), 1);
    });
}

#[test]
fn where_streams_are_short_there_are_more_connections() {
    paused(async {
        let narrow = |upstream: &mut config::Upstream| upstream.pool.max_connections = 3;
        let (endpoint, pool, _ends) = speaking(SECOND, 2, narrow);
        at_once(&pool, 1).await;
        assert_eq!(at_once(&pool, 6).await, [SECOND; 6]);
        assert_eq!((endpoint.dialled(), pool.counts()), (3, (0, 3)));
    });
}

/// A machine that is gone closes nothing: it is asked after half a minute without a byte, and given up ten
/// seconds later, with everything that was on its way there.
#[test]
fn an_endpoint_that_answers_no_ping_is_given_up() {
    paused(async {
        let (endpoint, pool, ends) = speaking(SECOND, 100, |_| {});
        at_once(&pool, 1).await;
        ends.borrow()[0].fall_silent();
        let begun = clock::now();
        let asker = |number| Asker { first_byte: 600 * SECOND, ..Asker::new(number) };
        let (one, other) = (asker(1), asker(2));
        let (one, other) = tokio::join!(one.get(&pool), other.get(&pool));
        assert_eq!(clock::since(begun), 40 * SECOND);
        for failed in [one, other] {
            let failed = failure(failed);
            assert_eq!(failed.error.kind, Kind::ConnectionTerminated, "{}", failed.error);
            assert!(failed.reused && failed.ended.is_some());
        }
        // The next one goes on a connection of its own.
        assert_eq!((at_once(&pool, 1).await, endpoint.dialled()), (vec![SECOND], 2));
        pool.sweep(clock::now());
        assert_eq!(pool.counts(), (0, 1));
    });
}

#[test]
fn a_connection_without_streams_is_closed_at_its_time() {
    paused(async {
        let (_, pool, ends) =
            speaking(SECOND, 100, |upstream| upstream.pool.idle_timeout = 20 * SECOND);
        at_once(&pool, 1).await;
        // When it had nothing to do is what a sweep finds.
        pool.sweep(clock::now());
        time::sleep(20 * SECOND - MILLISECOND).await;
        pool.sweep(clock::now());
        assert_eq!(pool.counts(), (0, 1));
        time::sleep(MILLISECOND).await;
        pool.sweep(clock::now());
        assert_eq!(pool.counts(), (0, 0));
        settle().await;
        assert!(ends.borrow()[0].is_over(), "the endpoint sees the end");
    });
}

/// Only the stream ends: others go on, and the connection serves the next one.
#[test]
fn a_stream_whose_time_is_over_leaves_its_connection_to_others() {
    paused(async {
        let (endpoint, pool, _ends) = speaking(3 * SECOND, 100, |_| {});
        let hasty = Asker { first_byte: 2 * SECOND, ..Asker::new(1) };
        let patient = Asker::new(2);
        let (late, answered) = tokio::join!(hasty.get(&pool), patient.fetch(&pool));
        assert_eq!(failure(late).error.kind, Kind::HttpResponseTimeout);
        assert_eq!((&*answered, endpoint.dialled()), (&b"hi"[..], 1));
        patient.fetch(&pool).await;
        assert_eq!(endpoint.dialled(), 1);
    });
}
