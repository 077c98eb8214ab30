use std::rc::Rc;

use super::*;
use crate::upstream::usage::{Clients, Counted};

/// A client with so many exchanges.
fn client(clients: &Rc<Clients>, address: &str, exchanges: usize) -> (Rc<Usage>, Vec<Counted>) {
    let usage = clients.usage(ClientKey::of(address));
    let counted = (0..exchanges).map(|_| usage.begin()).collect();
    (usage, counted)
}

fn enter(queue: &Queue, standing: Standing) -> usize {
    (0..2000).filter(|_| queue.enter(standing, 0)).count()
}

#[test]
fn the_last_places_are_for_those_within_their_share() {
    for (most, beyond, spread, within) in [
        (1, 1, 0, 0),
        (2, 2, 0, 0),
        (4, 3, 0, 1),
        (8, 6, 1, 1),
        (16, 12, 2, 2),
        (32, 24, 4, 4),
        (1024, 768, 128, 128),
    ] {
        let queue = Queue::new(most);
        assert_eq!(enter(&queue, Standing::Beyond), beyond, "{most}");
        assert_eq!(enter(&queue, Standing::Spread), spread, "{most}");
        assert_eq!(enter(&queue, Standing::Within), within, "{most}");
    }
    let queue = Queue::new(32);
    assert_eq!(enter(&queue, Standing::Within), 32);
    // Idle ones are nobody's.
    assert!(queue.is_reserved(Standing::Beyond, 8) && !queue.is_reserved(Standing::Beyond, 9));
}

#[test]
fn a_share_counts_all_that_a_client_has() {
    let (queue, clients) = (Queue::new(32), Rc::default());
    let (one, _two) = client(&clients, "192.0.2.1", 2);
    assert_eq!(queue.standing(&one, 2), Standing::Within);
    let _third = one.begin();
    assert_eq!(queue.standing(&one, 1), Standing::Spread);
    assert_eq!(queue.standing(&one, 3), Standing::Beyond);
}

#[tokio::test]
async fn turns_come_in_order_and_those_of_a_crowd_last() {
    let queue = Queue::new(8);
    assert_eq!(enter(&queue, Standing::Within), 8);
    let nobody = || ();
    let key = ClientKey::Unnamed;
    let mut spread = queue.join(Standing::Spread, key, nobody);
    let mut first = queue.join(Standing::Within, key, nobody);
    let second = queue.join(Standing::Within, key, nobody);
    drop(second);
    queue.leave();
    queue.wake_one(0);
    first.come().await;
    // The one that gave up is passed over; the others wait until more is free than is kept.
    queue.wake_one(0);
    assert!(spread.wait.try_recv().is_err());
    queue.leave();
    queue.wake_one(0);
    spread.come().await;
    assert!(queue.wanted().is_none());
}

#[tokio::test]
async fn behind_a_pile_the_newest_comes_to_its_turn() {
    let queue = Queue::new(8);
    let nobody = || ();
    let mut pile: Vec<_> =
        (0..10).map(|_| queue.join(Standing::Spread, ClientKey::Unnamed, nobody)).collect();
    queue.wake_one(0);
    queue.wake_one(0);
    let told: Vec<_> =
        (0..10).filter(|at| pile.get_mut(*at).unwrap().wait.try_recv().is_ok()).collect();
    assert_eq!(told, [0, 9]);
}

#[test]
fn only_what_is_above_a_share_gives_way_and_only_to_those_within_theirs_or_to_itself() {
    let (queue, clients) = (Queue::new(32), Rc::default());
    let (crowd, _c) = client(&clients, "192.0.2.1", 10);
    let (other, _o) = client(&clients, "192.0.2.2", 5);
    let (small, _s) = client(&clients, "192.0.2.3", 2);
    assert!(queue.wanted().is_none() && !queue.is_wanted_from(&crowd));
    // A crowd that waits has nothing of others, however much they have.
    let waiting: Vec<_> =
        (0..3).map(|_| queue.join(Standing::Spread, crowd.key(), || ())).collect();
    let mut wanted = queue.wanted().expect("somebody waits");
    assert!(!wanted.take(&other) && !wanted.take(&small));
    assert!(queue.is_wanted_from(&crowd) && !queue.is_wanted_from(&other));
    assert_eq!((0..10).filter(|_| wanted.take(&crowd)).count(), 3, "as many as wait");
    // Who is within his share has what others have above theirs, and no more of it.
    let within: Vec<_> =
        (0..20).map(|_| queue.join(Standing::Within, small.key(), || ())).collect();
    let mut wanted = queue.wanted().expect("somebody waits");
    assert!(!wanted.take(&small));
    assert_eq!((0..10).filter(|_| wanted.take(&other)).count(), 3, "its share stays");
    assert_eq!((0..20).filter(|_| wanted.take(&crowd)).count(), 8);
    assert!(queue.is_wanted_from(&other) && !queue.is_wanted_from(&small));
    drop((waiting, within));
    assert!(queue.wanted().is_none(), "they gave up");
}
