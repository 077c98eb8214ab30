//! Connections that wait for a request: which are kept, for how long, and which serve again.

use super::*;

#[test]
fn requests_one_after_the_other_need_one_connection() {
    paused(async {
        let (endpoint, pool) = usual();
        endpoint.answers(Duration::ZERO, HI);
        let asker = Asker::new(1);
        for _ in 0..20 {
            assert_eq!(asker.fetch(&pool).await, "hi");
        }
        assert_eq!((endpoint.dialled(), pool.counts()), (1, (1, 1)));
    });
}

#[test]
fn an_idle_connection_is_closed_at_its_time_and_not_before() {
    paused(async {
        let (endpoint, pool) = pool(|upstream| upstream.pool.idle_timeout = 20 * SECOND);
        let asker = Asker::new(1);
        let (answered, mut end) = tokio::join!(asker.get(&pool), async {
            let mut end = endpoint.accept().await;
            end.request().await.expect("a request");
            end.say(HI).await;
            end
        });
        time::sleep(5 * SECOND).await;
        // From the end of the exchange, not from its begin.
        finish(answered).await.expect("a body");
        time::sleep(20 * SECOND - MILLISECOND).await;
        pool.sweep(clock::now());
        assert_eq!(pool.counts(), (1, 1));
        time::sleep(MILLISECOND).await;
        pool.sweep(clock::now());
        assert_eq!(pool.counts(), (0, 0));
        end.ended().await;
    });
}

/// Of requests that come seldom all go on the connection that was used last: the others shrink away.
#[test]
fn the_connection_that_was_used_last_is_taken_first() {
    paused(async {
        let (endpoint, pool) = pool(|upstream| upstream.pool.idle_timeout = 20 * SECOND);
        endpoint.answers(SECOND, HI);
        let (one, other) = (Asker::new(1), Asker::new(2));
        tokio::join!(one.fetch(&pool), other.fetch(&pool));
        assert_eq!(pool.counts(), (2, 2));
        for _ in 0..4 {
            time::sleep(4 * SECOND).await;
            one.fetch(&pool).await;
        }
        // The other one has waited for twenty seconds by now.
        pool.sweep(clock::now());
        assert_eq!((endpoint.dialled(), pool.counts()), (2, (1, 1)));
    });
}

#[test]
fn no_more_are_kept_than_may_be_idle() {
    paused(async {
        let (endpoint, pool) = pool(|upstream| upstream.pool.max_idle = 1);
        endpoint.answers(SECOND, HI);
        let askers = [1, 2, 3].map(Asker::new);
        let [one, two, three] = askers.each_ref().map(|asker| asker.fetch(&pool));
        tokio::join!(one, two, three);
        assert_eq!((endpoint.dialled(), pool.counts()), (3, (1, 1)));
    });
}

#[test]
fn what_the_endpoint_has_closed_is_not_handed_out() {
    paused(async {
        let (endpoint, pool) = usual();
        // Each connection serves one request, and is closed a second later.
        endpoint.serve(|mut end| async move {
            end.request().await;
            end.say(HI).await;
            time::sleep(SECOND).await;
        });
        let asker = Asker::new(1);
        asker.fetch(&pool).await;
        time::sleep(2 * SECOND).await;
        assert_eq!(pool.counts(), (1, 1), "nobody has looked");
        asker.fetch(&pool).await;
        assert_eq!((endpoint.dialled(), pool.counts()), (2, (1, 1)));
        time::sleep(2 * SECOND).await;
        pool.sweep(clock::now());
        assert_eq!(pool.counts(), (0, 0), "a sweep looks");
    });
}

/// What it said would be taken for the next request's answer.
#[test]
fn an_endpoint_that_says_more_than_it_was_asked_is_not_asked_again() {
    paused(async {
        let (endpoint, pool) = usual();
        endpoint.serve(|mut end| async move {
            end.request().await;
            end.say(HI).await;
            time::sleep(SECOND).await;
            end.say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await;
            end.ended().await;
        });
        let asker = Asker::new(1);
        asker.fetch(&pool).await;
        time::sleep(2 * SECOND).await;
        assert_eq!(asker.fetch(&pool).await, "hi");
        assert_eq!(endpoint.dialled(), 2);
    });
}

#[test]
fn a_response_that_was_not_read_to_its_end_closes_its_connection() {
    /// What becomes of a lease whose body was not read.
    fn given_up(lease: Lease) {
        drop(lease);
    }
    /// The proxy says so by mistake: the codec knows better.
    fn finished(lease: Lease) {
        lease.finish(clock::now());
    }
    paused(async {
        for over in [given_up as fn(Lease), finished] {
            let (endpoint, pool) = usual();
            let asker = Asker::new(1);
            let (answered, mut end) = tokio::join!(asker.get(&pool), async {
                let mut end = endpoint.accept().await;
                end.request().await.expect("a request");
                end.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf ").await;
                end
            });
            let (answer, lease) = answered.unwrap_or_else(|_| panic!("no answer"));
            assert_eq!(pool.counts(), (0, 1));
            drop(answer.body);
            over(lease);
            assert_eq!(pool.counts(), (0, 0));
            end.ended().await;
            endpoint.answers(Duration::ZERO, HI);
            asker.fetch(&pool).await;
            assert_eq!(endpoint.dialled(), 2);
        }
    });
}

/// Nobody sends there any more: what is idle goes, and what is on its way comes to its end.
#[test]
fn a_retired_pool_keeps_nothing() {
    paused(async {
        let (endpoint, pool) = usual();
        endpoint.answers(SECOND, HI);
        let (one, other) = (Asker::new(1), Asker::new(2));
        tokio::join!(one.fetch(&pool), other.fetch(&pool));
        let retiring = async {
            time::sleep(SECOND / 2).await;
            assert_eq!(pool.counts(), (1, 2));
            pool.retire();
            assert_eq!(pool.counts(), (0, 1));
        };
        let (body, ()) = tokio::join!(one.fetch(&pool), retiring);
        assert_eq!((&*body, pool.counts()), (&b"hi"[..], (0, 0)));
    });
}
