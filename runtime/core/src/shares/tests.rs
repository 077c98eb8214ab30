use std::sync::Arc;
use std::task::{Context, Waker};

use super::*;

fn as_many(shares: &Arc<Shares>, client: &str) -> Vec<Share> {
    std::iter::from_fn(|| shares.try_take(ClientKey::of(client))).collect()
}

#[test]
fn one_client_leaves_a_quarter_to_others() {
    for (places, greedy, other) in [(1, 1, 0), (3, 3, 0), (4, 3, 1), (16, 12, 4), (64, 48, 16)] {
        let shares = Shares::new(places, 0);
        let first = as_many(&shares, "192.0.2.1");
        assert_eq!(first.len(), greedy, "of {places}");
        let second = as_many(&shares, "192.0.2.2");
        assert_eq!(second.len(), other, "of {places}");
        drop((first, second));
        assert!(shares.places().clients.is_empty());
        assert_eq!(as_many(&shares, "192.0.2.3").len(), greedy, "all came back");
    }
}

#[test]
fn many_addresses_of_one_network_are_one_client() {
    let shares = Shares::new(4, 0);
    let of = |last: u16| ClientKey::of(&format!("2001:db8::{last:x}"));
    let first: Vec<_> = (1..100).filter_map(|last| shares.try_take(of(last))).collect();
    assert_eq!(first.len(), 3);
    assert!(shares.try_take(ClientKey::of("2001:db8:0:1::1")).is_some());
}

/// What has come of waiting.
fn came<K: Key>(waiting: &mut Waiting<K>) -> Option<Share<K>> {
    let mut cx = Context::from_waker(Waker::noop());
    match Pin::new(waiting).poll(&mut cx) {
        Poll::Ready(place) => place,
        Poll::Pending => None,
    }
}

#[test]
fn who_holds_little_waits_for_any_place_and_who_holds_much_for_an_open_one() {
    let shares = Shares::<u8>::new(4, 8);
    let mut greedy: Vec<_> = std::iter::from_fn(|| shares.try_take(1)).collect();
    let kept = shares.try_take(2).expect("a place is kept");
    let mut more = shares.wait(1).expect("room");
    let mut any = shares.wait(3).expect("room");
    assert!(came(&mut more).is_none() && came(&mut any).is_none());
    drop(kept);
    assert!(came(&mut more).is_none(), "the kept place is not for it");
    let _any = came(&mut any).expect("a place");
    greedy.pop();
    assert!(came(&mut more).is_none(), "it has two of four, and one is kept");
    greedy.clear();
    assert!(came(&mut more).is_some());
}

/// One that had its share when it began to wait was never given the kept places that it gave back.
#[test]
fn what_a_client_gives_back_may_be_its_own_again() {
    let shares = Shares::<u8>::new(16, 64);
    let _stalled: Vec<_> = std::iter::from_fn(|| shares.try_take(1)).collect();
    let mut held: Vec<_> = std::iter::from_fn(|| shares.try_take(2)).collect();
    let mut waiting: Vec<_> = (0..28).map_while(|_| shares.wait(2)).collect();
    assert_eq!((held.len(), waiting.len()), (4, 28));
    for waiting in &mut waiting {
        assert!(came(waiting).is_none());
        held.pop();
        held.push(came(waiting).expect("the place that was given back"));
    }
}

#[test]
fn who_began_to_wait_with_nothing_takes_no_more_than_its_share_of_the_kept_places() {
    let shares = Shares::<u8>::new(16, 64);
    let _stalled: Vec<_> = std::iter::from_fn(|| shares.try_take(1)).collect();
    let first: Vec<_> = (2..6).filter_map(|client| shares.try_take(client)).collect();
    let mut crowd: Vec<_> = (0..40).map_while(|_| shares.wait(9)).collect();
    let mut late = shares.wait(7).expect("room");
    drop(first);
    let late = came(&mut late);
    let crowd: Vec<_> = crowd.iter_mut().filter_map(came).collect();
    assert_eq!((late.is_some(), crowd.len()), (true, 3), "clients take turns");
}

#[test]
fn a_client_leaves_a_quarter_of_the_queue() {
    let shares = Shares::<u8>::new(1, 16);
    let _all = shares.try_take(0).expect("the only one");
    let wait = |client| std::iter::from_fn(|| shares.wait(client)).collect::<Vec<_>>();
    let (first, second) = (wait(1), wait(2));
    assert_eq!((first.len(), second.len()), (12, 3));
    drop(first);
    assert_eq!(wait(3).len(), 10, "three quarters of what is left");
}

/// The turns of a worker: twelve calls of one client are no more than one of another.
#[test]
fn clients_take_turns() {
    let shares = Shares::<u8>::new(1, usize::MAX);
    let mut held = shares.try_take(1);
    let mut waiting: Vec<_> =
        [1; 12].into_iter().chain([2]).filter_map(|key| shares.wait(key)).collect();
    let mut turns = Vec::new();
    for _ in 0..12 {
        let client = held.as_ref().expect("a turn").client;
        turns.push(client);
        // It wants another turn before it leaves this one.
        waiting.push(shares.wait(client).expect("room"));
        held = None;
        let next = waiting.iter_mut().position(|waiting| {
            held = came(waiting);
            held.is_some()
        });
        waiting.remove(next.expect("somebody's turn"));
    }
    assert_eq!(turns, [1, 2].repeat(6));
}

/// Numbers that look random, the same each time.
fn random(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize % below
}

/// Clients that take, wait, give back and give up, as they like: whoever may have a place has it, and
/// nobody takes the last ones who has his share.
#[test]
fn nobody_waits_who_may_have_a_place() {
    for (seed, most) in (0..60).zip([1, 2, 3, 4, 7, 16].into_iter().cycle()) {
        let mut seed = seed;
        let shares = Shares::<usize>::new(most, 24);
        let (kept, share) = (most / 4, (most / 4).max(1));
        let mut held: Vec<Share<usize>> = Vec::new();
        let mut waiting: Vec<Waiting<usize>> = Vec::new();
        let holds =
            |held: &[Share<usize>], key| held.iter().filter(|one| one.client == key).count();
        for step in 0..2_000 {
            let (client, action) = (random(&mut seed, 5), random(&mut seed, 8));
            // Sometimes a place lies there for a while before who waited comes for it.
            if action < 5 || random(&mut seed, 2) == 0 {
                waiting.retain_mut(|one| came(one).map(|place| held.push(place)).is_none());
                let free = most - held.len();
                for one in &waiting {
                    let bound = if holds(&held, one.client) < share { 0 } else { kept };
                    assert!(free <= bound, "step {step}: {} of {most} waits", one.client);
                }
            }
            match action {
                0 | 1 => {
                    let (own, free) = (holds(&held, client), most - held.len());
                    let taken = shares.try_take(client);
                    assert_eq!(taken.is_some(), free > if own < share { 0 } else { kept });
                    held.extend(taken);
                }
                2..=4 => {
                    let own = waiting.iter().filter(|one| one.client == client).count();
                    let left = 24 - (waiting.len() - own);
                    let more = shares.wait(client);
                    assert_eq!(more.is_some(), own < left - left / 4);
                    waiting.extend(more);
                }
                5 | 6 if !held.is_empty() => drop(held.swap_remove(random(&mut seed, held.len()))),
                7 if !waiting.is_empty() => {
                    // Whether it was given its place or not.
                    drop(waiting.swap_remove(random(&mut seed, waiting.len())));
                }
                _ => {}
            }
            let places = shares.places();
            let all: usize = places.clients.values().map(|client| client.held).sum();
            assert_eq!(places.free + all, most);
            let queued: usize = places.clients.values().map(|client| client.waiting.len()).sum();
            assert_eq!(places.waiting, queued);
            let listed = places.within.len() + places.beyond.len();
            let wait = places.clients.values().filter(|client| !client.waiting.is_empty());
            assert_eq!(listed, wait.count());
        }
        drop((held, waiting));
        let places = shares.places();
        assert!(places.clients.is_empty() && places.free == most && places.waiting == 0);
    }
}
