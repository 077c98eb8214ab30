use tokio::sync::Notify;
use tokio::task::{JoinHandle, yield_now};

use crate::clock;

use super::super::tests::busy::{busy, looks, run};
use super::super::{line, spawn, spawn_of};
use super::alone::Last;
use super::*;

const TASKS: usize = 200;

fn client(address: &str) -> ClientKey {
    ClientKey::of(address)
}

/// Has little to do, and often.
fn spawn_other() {
    spawn(client("198.51.100.1"), async {
        loop {
            yield_now().await;
        }
    });
}

async fn looks_until_finished(task: &JoinHandle<()>) -> usize {
    let mut looks = 0;
    while !task.is_finished() {
        yield_now().await;
        looks += 1;
    }
    looks
}

/// The most tasks of one client that were polled between two looks after all were woken at once.
async fn most_at_once() -> usize {
    let (woken, polls) = (Rc::new(Notify::new()), Rc::<Cell<usize>>::default());
    for _ in 0..TASKS {
        let (woken, polls) = (woken.clone(), polls.clone());
        spawn(client("192.0.2.1"), async move {
            loop {
                woken.notified().await;
                polls.set(polls.get() + 1);
            }
        });
    }
    let mut most = 0;
    for round in 1..=4 {
        // All wait for it.
        looks(1_000, &polls).await;
        woken.notify_waiters();
        most = looks(1_000, &polls).await;
        assert_eq!(polls.get(), TASKS * round);
    }
    most
}

/// Two hundred connections of a client whose uploads ended in one moment were two hundred polls in a row.
#[test]
fn many_that_have_little_to_do_wait_for_each_other() {
    let most = run(async {
        spawn_other();
        most_at_once().await
    });
    assert!(most <= 2 * POLLS, "{most} between two looks");
}

#[test]
fn who_is_alone_waits_for_nobody() {
    let most = run(async {
        let begun = clock::now();
        while clock::since(begun) <= 2 * alone::QUIET {
            for _ in 0..alone::POLLS {
                assert!(spawn(client("192.0.2.1"), async {}).await.is_ok());
            }
        }
        most_at_once().await
    });
    // The runtime polls 61 at a time.
    assert!(most > 4 * POLLS, "{most} between two looks");
}

/// Who asked twenty times a second came behind all tasks of who was taken to be alone, each time.
#[test]
fn who_was_there_a_moment_ago_leaves_nobody_alone() {
    let (mut last, mut now) = (Last::of(ClientKey::Unnamed), clock::now());
    let polled = |last: &mut Last, address: &str, polls: u32, now: Instant| {
        (0..polls).for_each(|_| *last = last.polled(client(address), || now));
        last.is_alone
    };
    let busy = |last: &mut Last, now| polled(last, "192.0.2.1", 3 * alone::POLLS, now);
    assert!(!busy(&mut last, now), "for how long is not known");
    now += alone::QUIET;
    assert!(busy(&mut last, now));
    assert!(!polled(&mut last, "198.51.100.1", 1, now) && !busy(&mut last, now));
    now += alone::QUIET;
    assert!(busy(&mut last, now));
}

/// Eight streams that are reset are more than half a millisecond, though none of them is long.
#[test]
fn a_turn_is_over_with_its_time_however_many_were_called() {
    let most = run(async {
        spawn_other();
        let polls = Rc::<Cell<usize>>::default();
        for _ in 0..TASKS {
            let polls = polls.clone();
            spawn(client("192.0.2.1"), async move {
                loop {
                    std::thread::sleep(TURN / 2);
                    polls.set(polls.get() + 1);
                    yield_now().await;
                }
            });
        }
        looks(400, &polls).await;
        looks(200, &polls).await
    });
    assert!(most <= 2 + FREE, "{most} between two looks");
}

/// One turn is half a dozen steps that are not timed, and five that are.
#[test]
fn who_had_too_much_to_do_ends_the_turn_of_those_called_with_it() {
    let most = |tasks: usize| {
        run(async move {
            spawn_other();
            let steps = Rc::<Cell<usize>>::default();
            for _ in 0..tasks {
                spawn(client("192.0.2.1"), busy(steps.clone()));
            }
            // All had their first turn by then.
            looks(400, &steps).await;
            looks(200, &steps).await
        })
    };
    let (one, many) = (most(1), most(20));
    assert!(one > 0 && many <= 2 * one, "{many} steps between two looks, {one} of one task");
}

/// Each ninth task once waited until every busy client had had a turn.
#[test]
fn who_asks_now_and_then_stands_in_no_line() {
    let waited = run(async {
        let steps = Rc::<Cell<usize>>::default();
        for last in 0..50 {
            spawn(client(&format!("192.0.2.{last}")), busy(steps.clone()));
        }
        let mut waited = Vec::new();
        for _ in 0..20 {
            let rests = clock::now();
            while clock::since(rests) < REFILLED {
                yield_now().await;
            }
            let served = spawn(client("198.51.100.1"), async {});
            waited.push(looks_until_finished(&served).await);
        }
        waited
    });
    // Two or three times fifty otherwise.
    assert!(waited.iter().all(|looks| *looks <= 4), "{waited:?} looks");
}

/// A hundred heads that took long to be matched were all matched before anybody else came: while each of
/// them was polled, time went by, and with it came polls for the next ones. Those of a task that has more
/// to do than there was time for are given up at once; that was no rest either.
#[test]
fn polls_that_take_long_are_no_rest() {
    for (each, goes_on) in [(REFILLED / 2, false), (REFILLED, true)] {
        let most = run(async move {
            let polls = Rc::<Cell<usize>>::default();
            for _ in 0..40 {
                let polls = polls.clone();
                spawn(client("192.0.2.1"), async move {
                    std::thread::sleep(each);
                    polls.set(polls.get() + 1);
                    if goes_on {
                        busy(Rc::default()).await;
                    }
                });
            }
            let (mut most, mut before) = (0, 0);
            while polls.get() < 40 {
                yield_now().await;
                most = most.max(polls.get() - before);
                before = polls.get();
            }
            most
        });
        // All forty otherwise.
        assert!(most <= FREE + POLLS, "{most} between two looks, each of {each:?}");
    }
}

/// Who is given up while it waits, or was called and did not run yet, keeps nobody waiting.
#[test]
fn tasks_that_end_while_they_wait_are_passed_over() {
    run(async {
        spawn_other();
        let steps = Rc::<Cell<usize>>::default();
        let all = || (0..40).map(|_| spawn(client("192.0.2.1"), busy(steps.clone())));
        let tasks: Vec<_> = all().collect();
        for _ in 0..50 {
            yield_now().await;
        }
        for task in &tasks {
            task.abort();
            yield_now().await;
        }
        let served = spawn(client("192.0.2.1"), async {});
        for _ in 0..20 {
            yield_now().await;
        }
        assert!(served.is_finished(), "nobody else is left");
        assert!(Crowd::of(client("192.0.2.1")).waiting.borrow().is_empty());
    });
}

/// A task that is run for its turn in another line waits no longer among its client's.
#[test]
fn who_is_called_elsewhere_gives_its_place_up() {
    run(async {
        spawn_other();
        let steps = Rc::<Cell<usize>>::default();
        for _ in 0..20 {
            spawn(client("192.0.2.1"), busy(steps.clone()));
        }
        let elsewhere = line();
        let task = spawn(client("192.0.2.1"), async move {
            super::super::Offer::next(&elsewhere, ClientKey::default()).await.is_some()
        });
        for _ in 0..100 {
            yield_now().await;
        }
        assert!(task.is_finished() && task.await.expect("no panic"));
    });
}

/// Whoever has many streams on a connection is not before another connection of the same address.
#[test]
fn flows_of_a_client_alternate() {
    run(async {
        spawn_other();
        let steps = Rc::<Cell<usize>>::default();
        let many = Flow::of(client("192.0.2.1"));
        for _ in 0..TASKS {
            spawn_of(many.clone(), busy(steps.clone()));
        }
        yield_now().await;
        let other = spawn(client("192.0.2.1"), async {});
        let looks = looks_until_finished(&other).await;
        assert!(looks < TASKS / 10, "{looks} looks");
    });
}

/// Streams that are reset give up their place with the protocol, not their task: one connection once had
/// 1.5 GB of them kept in four seconds.
#[test]
fn a_flow_of_which_many_wait_has_no_room() {
    run(async {
        spawn_other();
        let flow = Flow::of(client("192.0.2.1"));
        let (rounds, most_kept) = (Rc::<Cell<usize>>::default(), Rc::<Cell<usize>>::default());
        let kept = Rc::new(());
        let (begun, seen) = (rounds.clone(), most_kept.clone());
        spawn_local(async move {
            for _ in 0..100 {
                std::future::poll_fn(|cx| flow.poll_room(20, cx)).await;
                for _ in 0..50 {
                    let held = kept.clone();
                    spawn_of(flow.clone(), async move { drop(held) });
                }
                begun.set(begun.get() + 1);
                yield_now().await;
                seen.set(seen.get().max(Rc::strong_count(&kept) - 1));
            }
        });
        for _ in 0..20_000 {
            yield_now().await;
        }
        assert_eq!(rounds.get(), 100, "who is held goes on");
        assert!(most_kept.get() <= 20 + 2 * 50, "{} are kept", most_kept.get());
    });
}

/// A task that is run for a turn in another line is not its flow's loss: each such turn was once a round
/// in which none of its connection's streams had a turn among the client's.
#[test]
fn who_is_called_elsewhere_takes_no_round() {
    run(async {
        let flow = Flow::of(client("192.0.2.1"));
        let mut place = Place::of(flow.clone());
        let waits = |place: &mut Place| {
            flow.crowd.left.set(0);
            flow.crowd.since.set(clock::now());
            alone::is_alone(ClientKey::Unnamed);
            !place.admits(&Context::from_waker(Waker::noop()))
        };
        for _ in 0..10 {
            assert!(waits(&mut place));
            place.leave();
        }
        assert_eq!((flow.members.round.get(), flow.members.waiting.get()), (0, 0));
        assert!(waits(&mut place));
        assert_eq!((flow.members.round.get(), flow.members.waiting.get()), (1, 1));
        drop(place);
        assert!(flow.crowd.waiting.borrow().is_empty() && flow.members.waiting.get() == 0);
    });
}

#[test]
fn clients_that_are_gone_are_forgotten() {
    run(async {
        for number in 0..10_000_u32 {
            drop(Crowd::of(ClientKey::V4(number)));
        }
        let known = KNOWN.with_borrow(HashMap::len);
        assert!(known < 100, "{known}");
    });
}
