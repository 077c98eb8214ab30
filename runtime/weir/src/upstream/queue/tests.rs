use std::time::Duration;

use weir_core::client::ClientKey;
use weir_core::clock;

use super::*;
use crate::upstream::usage::Usage;

/// A new connection of a client.
fn connection(queue: &Rc<Queue>, address: &str) -> Rc<Claim> {
    Usage::new(ClientKey::of(address), ClientKey::Unnamed).claim(queue)
}

/// So many places as it gets, on connections of its own or on one.
fn fill(queue: &Rc<Queue>, connect: impl Fn(usize) -> Rc<Claim>) -> Vec<Place> {
    (0..5000).map_while(|number| queue.enter(&connect(number))).collect()
}

fn came(turn: &mut Turn) -> Option<Place> {
    let place = turn.told.try_recv().ok();
    turn.came |= place.is_some();
    place
}

fn join(claim: &Rc<Claim>, count: usize) -> Vec<Turn> {
    (0..count).map(|_| claim.queue.join(claim, clock::now())).collect()
}

#[test]
fn the_last_places_are_for_those_within_their_share() {
    for (most, streams, beyond, spread, within) in [
        (1, 1, 1, 0, 0),
        (2, 1, 1, 0, 1),
        (3, 1, 2, 0, 1),
        (8, 1, 6, 1, 1),
        (32, 1, 24, 4, 4),
        (1024, 1, 768, 128, 128),
        (1, 2, 1, 0, 1),
        (2, 100, 150, 25, 25),
        (8, 4, 24, 4, 4),
    ] {
        let queue = Queue::new(most);
        queue.set_streams(streams);
        let one = connection(&queue, "192.0.2.1");
        let alone = fill(&queue, |_| one.clone());
        let many = fill(&queue, |_| connection(&queue, "192.0.2.1"));
        let others = fill(&queue, |number| connection(&queue, &format!("198.51.100.{number}")));
        let got = (alone.len(), many.len(), others.len());
        assert_eq!(got, (beyond, spread, within), "{most} times {streams}");
    }
}

#[test]
fn what_waits_and_what_is_held_elsewhere_does_not_count() {
    let (queue, elsewhere) = (Queue::new(32), Queue::new(32));
    let crowd = fill(&queue, |_| connection(&queue, "192.0.2.1"));
    assert_eq!(crowd.len(), 28);
    let client = Usage::new(ClientKey::of("192.0.2.2"), ClientKey::Unnamed);
    let other: Vec<_> = (0..9).map_while(|_| elsewhere.enter(&client.claim(&elsewhere))).collect();
    assert_eq!(other.len(), 9);
    let claim = client.claim(&queue);
    let mut held: Vec<_> = (0..3).map_while(|_| queue.enter(&claim)).collect();
    assert_eq!(held.len(), 2, "a share");
    let mut turns = join(&claim, 20);
    for turn in &mut turns {
        assert!(came(turn).is_none(), "while it holds its share");
        // Given back, and had again.
        drop(held.pop());
        held.push(came(turn).expect("it is within its share again"));
    }
    drop((held, crowd));
    assert_eq!((queue.held.get(), queue.waiting.get()), (0, 0));
    drop((claim, turns));
    drop(client);
    assert_eq!(queue.holders.len(), 0, "nobody is remembered");
}

#[test]
fn clients_take_turns_whatever_one_piled_up() {
    let queue = Queue::new(16);
    let mut places = fill(&queue, |number| connection(&queue, &format!("198.51.100.{number}")));
    assert_eq!(places.len(), 16);
    let (pile, one) = (connection(&queue, "192.0.2.1"), connection(&queue, "192.0.2.2"));
    let mut piled = join(&pile, 500);
    let mut turn = join(&one, 1);
    drop(places.pop());
    let first = came(&mut piled[0]).expect("the oldest");
    drop(places.pop());
    assert!(came(&mut turn[0]).is_some(), "before the second of the pile");
    // The place that was taken and dropped is kept from whoever has his share.
    assert!(piled[1..].iter_mut().all(|turn| came(turn).is_none()));
    drop(first);
    assert!(came(&mut piled[1]).is_some());
}

#[test]
fn a_turn_that_nobody_takes_is_the_next_ones() {
    let queue = Queue::new(1);
    let claim = connection(&queue, "192.0.2.1");
    let place = queue.enter(&claim);
    let mut turns = join(&claim, 3);
    drop(turns.remove(0));
    drop(place);
    drop(turns.remove(0));
    assert!(came(&mut turns[0]).is_some());
    // Those that gave up leave nothing behind.
    for _ in 0..1000 {
        drop(join(&claim, 1));
    }
    assert_eq!((queue.held.get(), queue.waiting.get()), (0, 0));
}

#[test]
fn of_a_crowd_behind_one_address_the_newest_comes_to_its_turn() {
    let queue = Queue::new(8);
    let mut crowd = fill(&queue, |_| connection(&queue, "192.0.2.1"));
    let waiting: Vec<_> = (0..10).map(|_| connection(&queue, "192.0.2.1")).collect();
    let mut turns: Vec<_> = waiting.iter().flat_map(|claim| join(claim, 1)).collect();
    let mut told = Vec::new();
    for _ in 0..3 {
        drop(crowd.pop());
        told.extend(
            (0..10).filter(|at| came(&mut turns[*at]).map(|place| crowd.push(place)).is_some()),
        );
    }
    assert_eq!(told.len(), 3);
    assert!(told.contains(&0) && told.contains(&9), "{told:?}");
}

#[test]
fn more_streams_than_were_known_are_given_at_once() {
    let queue = Queue::new(2);
    let claim = connection(&queue, "192.0.2.1");
    let place = queue.enter(&claim);
    let mut turns = join(&claim, 30);
    queue.set_streams(10);
    let places: Vec<_> = turns.iter_mut().filter_map(came).collect();
    assert_eq!(places.len(), 14, "one connection's part of 20, with the first");
    drop((place, places));
}

#[test]
fn only_what_is_above_a_share_gives_way_and_hardly_ever_to_itself() {
    let queue = Queue::new(32);
    let connect = |address: &str| connection(&queue, address);
    let hold = |claim: &Rc<Claim>, count| (0..count).map(|_| Place::of(claim)).collect::<Vec<_>>();
    let (crowd, small) = (connect("192.0.2.1"), connect("192.0.2.3"));
    let _held = (hold(&crowd, 30), hold(&small, 2));
    let now = clock::now();
    let late = now + Duration::from_secs(3);
    let taken = |claim: &Claim, pause| (0..40).filter(|_| queue.takes_from(claim, pause)).count();
    queue.look(late);
    assert_eq!(taken(&crowd, Pause::Closed), 0, "nobody waits");
    // Its own requests get what it has closed, what it stalls when their time is nearly over, and
    // nothing else.
    let own: Vec<_> = (0..3).map(|_| queue.join(&crowd, late)).collect();
    for (when, pause, count) in [
        (now, Pause::Short, 0),
        (late, Pause::Short, 0),
        (now, Pause::Long, 0),
        (late, Pause::Long, 3),
        (now, Pause::Closed, 3),
    ] {
        queue.look(when);
        assert_eq!(taken(&crowd, pause), count, "{pause:?}");
        assert_eq!(taken(&small, pause), 0);
    }
    drop(own);
    // Others get as many as they have up to their share.
    let other = connect("192.0.2.4");
    let _waiting: Vec<_> = (0..9).map(|_| queue.join(&other, late)).collect();
    for (when, pause, count) in [
        (now, Pause::Short, 0),
        (late, Pause::Short, 2),
        (now, Pause::Long, 2),
        (now, Pause::Closed, 2),
    ] {
        queue.look(when);
        assert_eq!(taken(&small, pause), 0, "its share stays");
        assert_eq!(taken(&crowd, pause), count, "{pause:?}");
    }
}
