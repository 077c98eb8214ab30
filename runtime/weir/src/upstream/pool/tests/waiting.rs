//! Requests that wait for a connection: how long, what they are told, and what they leave behind.

use super::*;
use crate::upstream::sample::played::Dials;

/// An upstream with one connection at a time, for which two seconds are waited.
fn narrow(upstream: &mut config::Upstream) {
    upstream.pool.max_connections = 1;
    upstream.timeouts.connect = 2 * SECOND;
}

#[test]
fn an_endpoint_that_never_connects_is_given_up_at_the_connect_timeout() {
    paused(async {
        let (endpoint, pool) = pool(|upstream| upstream.timeouts.connect = 3 * SECOND);
        endpoint.dials(Dials::Never);
        let begun = clock::now();
        let error = failure(Asker::new(1).get(&pool).await).error;
        assert_eq!(clock::since(begun), 3 * SECOND);
        assert_eq!((error.kind, error.retryable), (Kind::ConnectionTimeout, true), "{error}");
        assert_eq!(pool.counts(), (0, 0));
    });
}

#[test]
fn who_refuses_is_no_longer_waited_for() {
    paused(async {
        let (endpoint, pool) = usual();
        endpoint.dials(Dials::Refused);
        let begun = clock::now();
        let error = failure(Asker::new(1).get(&pool).await).error;
        assert_eq!(clock::since(begun), Duration::ZERO);
        assert_eq!((error.kind, error.retryable), (Kind::ConnectionRefused, true), "{error}");
        assert_eq!(pool.counts(), (0, 0));
    });
}

/// Where the operator has said how long an answer may take, connecting is a part of it.
#[test]
fn connecting_takes_no_longer_than_an_answer_may() {
    paused(async {
        let (endpoint, pool) = usual();
        endpoint.dials(Dials::Never);
        let begun = clock::now();
        let asker = Asker { due: Some(begun + SECOND), ..Asker::new(1) };
        let error = failure(asker.get(&pool).await).error;
        assert_eq!(clock::since(begun), SECOND);
        assert_eq!((error.kind, error.retryable), (Kind::HttpResponseTimeout, true), "{error}");
    });
}

#[test]
fn what_connecting_took_is_told_of_the_request_that_waited_for_it() {
    paused(async {
        let (endpoint, pool) = usual();
        endpoint.dials(Dials::After(2 * SECOND));
        endpoint.answers(Duration::ZERO, HI);
        let asker = Asker::new(1);
        for (connect, reused) in [(Some(2 * SECOND), false), (None, true)] {
            let (answer, lease) = asker.get(&pool).await.unwrap_or_else(|_| panic!("no answer"));
            assert_eq!((lease.connect, lease.reused), (connect, reused));
            answer.body.collect().await.expect("a body");
            lease.finish(clock::now());
        }
    });
}

#[test]
fn who_finds_every_connection_busy_waits_for_the_next_one() {
    paused(async {
        let (endpoint, pool) = pool(narrow);
        endpoint.answers(SECOND, HI);
        let (one, other) = (Asker::new(1), Asker::new(2));
        let begun = clock::now();
        let (_, waited) = tokio::join!(one.fetch(&pool), async {
            let body = other.fetch(&pool).await;
            (body, clock::since(begun))
        });
        // A second for the first one's answer, one for its own.
        assert_eq!(waited, (Bytes::from("hi"), 2 * SECOND));
        assert_eq!((endpoint.dialled(), pool.counts()), (1, (1, 1)));
    });
}

#[test]
fn who_waits_in_vain_is_told_at_the_connect_timeout() {
    paused(async {
        let (endpoint, pool) = pool(narrow);
        endpoint.answers(10 * SECOND, HI);
        let (one, other) = (Asker::new(1), Asker::new(2));
        let begun = clock::now();
        let (answered, ()) = tokio::join!(one.fetch(&pool), async {
            let error = failure(other.get(&pool).await).error;
            assert_eq!(clock::since(begun), 2 * SECOND);
            let told = (error.kind, error.retryable);
            assert_eq!(told, (Kind::ConnectionLimitReached, true), "{error}");
        });
        assert_eq!((&*answered, clock::since(begun)), (&b"hi"[..], 10 * SECOND));
        // Who gave up has taken nobody's place with him.
        assert_eq!(other.fetch(&pool).await, "hi");
        assert_eq!(endpoint.dialled(), 1);
    });
}

/// Whatever a request waits for when its client goes away: nothing of it stays.
#[test]
fn a_cancelled_request_closes_its_connection_and_frees_its_place() {
    paused(async {
        for dials in [Dials::AtOnce, Dials::Never] {
            let (endpoint, pool) = pool(narrow);
            endpoint.dials(dials);
            let (one, other) = (Asker::new(1), Asker::new(2));
            assert!(time::timeout(SECOND, one.get(&pool)).await.is_err());
            assert_eq!(pool.counts(), (0, 0), "{dials:?}");
            if matches!(dials, Dials::AtOnce) {
                let mut end = endpoint.accept().await;
                assert!(end.request().await.is_some());
                end.ended().await;
            }
            endpoint.dials(Dials::AtOnce);
            endpoint.answers(Duration::ZERO, HI);
            let begun = clock::now();
            assert_eq!(other.fetch(&pool).await, "hi");
            assert_eq!((clock::since(begun), endpoint.dialled()), (Duration::ZERO, 2));
        }
    });
}

#[test]
fn who_is_cancelled_while_he_waits_for_a_place_leaves_it_to_others() {
    paused(async {
        let (endpoint, pool) = pool(narrow);
        endpoint.answers(SECOND, HI);
        let askers = [1, 2, 3].map(Asker::new);
        let begun = clock::now();
        let (_, gone, waited) = tokio::join!(
            askers[0].fetch(&pool),
            time::timeout(SECOND / 2, askers[1].get(&pool)),
            async {
                askers[2].fetch(&pool).await;
                clock::since(begun)
            }
        );
        assert!(gone.is_err());
        assert_eq!(waited, 2 * SECOND);
    });
}
