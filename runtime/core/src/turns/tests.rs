pub(super) mod busy;

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use busy::{STEP, busy, looks, run};
use tokio::task::yield_now;

use super::*;

fn spawn_busy(client: &str, steps: &Rc<Cell<usize>>) {
    spawn(ClientKey::of(client), busy(steps.clone()));
}

/// One turn is half a dozen steps that are not timed, and five that are.
#[test]
fn who_has_little_to_do_waits_for_one_busy_task_at_most() {
    let (of_one, of_many) = (run(between(1)), run(between(50)));
    assert!(of_many <= 2 * of_one, "{of_many} steps between two looks, {of_one} of one alone");
}

async fn between(busy_tasks: usize) -> usize {
    let steps = Rc::default();
    (0..busy_tasks).for_each(|_| spawn_busy("192.0.2.1", &steps));
    // All had their first turn.
    looks(100, &steps).await;
    let most = looks(200, &steps).await;
    assert!(most > 0, "nobody worked");
    most
}

/// A connection with a pipeline of requests is polled again at once after sixteen of them, by its codec's
/// own doing and not because its turn is over.
#[test]
fn who_wakes_himself_after_much_waits_for_a_look() {
    let most = run(async {
        let steps = Rc::<Cell<usize>>::default();
        let counted = steps.clone();
        spawn(
            ClientKey::of("192.0.2.1"),
            poll_fn(move |cx| {
                for _ in 0..16 {
                    // As cheap as may be: none of its turns is over.
                    let _ = turn::poll_proceed(cx);
                    counted.set(counted.get() + 1);
                }
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            }),
        );
        looks(100, &steps).await;
        looks(200, &steps).await
    });
    // Sixty-one times sixteen otherwise.
    assert!(most <= 32, "{most} steps between two looks");
}

/// A task that wakes itself all the time, or is woken by others, waits for its turn all the same.
#[test]
fn a_turn_comes_no_sooner_to_who_is_polled_often() {
    run(async {
        let mut waits = next_of(ClientKey::default(), Who::Busy);
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            Pin::new(&mut waits).poll(cx)
        })
        .await;
        // The block's own task has a round of the others' before the worker looks at its sockets.
        assert!(polls > 2, "{polls}");
    });
}

#[test]
fn clients_alternate_however_many_tasks_they_have() {
    run(async {
        let (of_many, of_one) = (Rc::default(), Rc::default());
        (0..50).for_each(|_| spawn_busy("192.0.2.1", &of_many));
        looks(100, &of_many).await;
        spawn_busy("192.0.2.2", &of_one);
        let before = of_many.get();
        looks(400, &of_many).await;
        let (many, one) = (of_many.get() - before, of_one.get());
        assert!(one * 3 > many, "{one} steps beside {many} of fifty tasks");
    });
}

/// A connection to an endpoint was one client to the worker: whoever was answered through it waited until
/// all who were busy had had a turn.
#[test]
fn what_works_for_many_stands_in_no_line_after_a_few_polls() {
    let polls = run(async {
        let steps = Rc::default();
        (0..20).for_each(|last| spawn_busy(&format!("192.0.2.{last}"), &steps));
        looks(100, &steps).await;
        let polls = Rc::<Cell<usize>>::default();
        let counted = polls.clone();
        spawn_for_all(async move {
            loop {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
        });
        looks(100, &steps).await;
        polls.get()
    });
    assert!(polls >= 90, "{polls} polls in a hundred looks");
    let (one, many) = (run(between(1)), run(between_of_all(50)));
    assert!(many <= 2 * one, "{many} steps between two looks, {one} of one alone");
}

async fn between_of_all(busy_tasks: usize) -> usize {
    let steps = Rc::default();
    (0..busy_tasks).for_each(|_| drop(spawn_for_all(busy(Rc::clone(&steps)))));
    looks(100, &steps).await;
    looks(200, &steps).await
}

#[test]
fn a_task_that_ends_in_its_turn_is_done_and_one_that_is_dropped_leaves_the_line() {
    run(async {
        assert_eq!(spawn(ClientKey::default(), async { 7 }).await.expect("no panic"), 7);
        let steps = Rc::default();
        let abandoned: Vec<_> = (0..20).map(|_| next_of(ClientKey::default(), Who::Busy)).collect();
        drop(abandoned);
        spawn_busy("192.0.2.1", &steps);
        looks(100, &steps).await;
        assert!(steps.get() > 20, "{}", steps.get());
    });
}

/// Work within a task may wait for something else when its turn comes, as the body of a request that is
/// sent once more waits for a connection: nobody else had a turn meanwhile.
#[test]
fn a_turn_that_is_not_taken_passes_on_and_comes_again() {
    run(async {
        let line = line();
        let mut stuck = Offer::next(&line, ClientKey::of("192.0.2.1"));
        assert!(poll_fn(|cx| Poll::Ready(Pin::new(&mut stuck).poll(cx))).await.is_pending());
        for _ in 0..3 {
            let other = Offer::next(&line, ClientKey::of("192.0.2.2"));
            let turn = tokio::time::timeout(Duration::from_secs(60), other).await;
            assert!(turn.is_ok_and(|turn| turn.is_some()), "it passes on");
        }
        assert!(stuck.await.is_some(), "who asks again has it again");
        assert!(Offer::next(&line, ClientKey::default()).await.is_some(), "it was given back");
    });
}

/// Guests wait in a line of their own: with a turn of each between two looks, who had little to do waited
/// for two.
#[test]
fn lines_alternate() {
    run(async {
        let (turns, looks) = (Rc::<Cell<usize>>::default(), Rc::<Cell<usize>>::default());
        let lines = [line(), line()];
        let taken = lines.map(|line| {
            let (turns, taken) = (turns.clone(), Rc::<Cell<usize>>::default());
            let counted = taken.clone();
            spawn_local(async move {
                while let Some(turn) = Offer::next(&line, ClientKey::default()).await {
                    turns.set(turns.get() + 1);
                    counted.set(counted.get() + 1);
                    drop(turn);
                }
            });
            taken
        });
        for _ in 0..400 {
            let before = turns.get();
            yield_now().await;
            looks.set(looks.get() + 1);
            assert!(turns.get() - before <= 1, "two between two looks");
        }
        let [one, other] = taken.map(|taken| taken.get());
        assert!(one > 50 && one.abs_diff(other) <= 1, "{one} and {other} in {} looks", looks.get());
    });
}

/// A task that waits in this line may have its turn in another one: it is run for that, or it would miss
/// each.
#[test]
fn a_task_is_called_for_a_turn_in_another_line() {
    let taken = Rc::<Cell<usize>>::default();
    let counted = taken.clone();
    run(async move {
        let (client, steps) = (ClientKey::of("192.0.2.1"), Rc::default());
        (0..50).for_each(|_| spawn_busy("192.0.2.1", &steps));
        let line = line();
        let mut offer = Offer::next(&line, client);
        let both = poll_fn(move |cx| {
            while turn::poll_proceed(cx).is_ready() {
                std::thread::sleep(STEP);
            }
            while Pin::new(&mut offer).poll(cx).is_ready() {
                counted.set(counted.get() + 1);
                offer = Offer::next(&line, client);
            }
            Poll::<()>::Pending
        });
        spawn(client, both);
        looks(400, &steps).await;
    });
    // A fiftieth of the turns of its own line would be eight.
    assert!(taken.get() > 50, "{}", taken.get());
}

/// Ten thousand connections that are overdue in one moment were ten thousand polls in a row.
#[test]
fn what_is_done_to_many_is_done_to_a_few_between_two_looks() {
    run(async {
        let backlog = Rc::new(Backlog::default());
        let done = Rc::new(Cell::new(0));
        (0..1_000).for_each(|one| backlog.put(one));
        let (working, counted) = (backlog.clone(), done.clone());
        let each = move |one| assert_eq!(counted.replace(one + 1), one, "in order");
        let task = spawn_local(async move { working.work_off(each).await });
        let most = looks(2_000, &done).await;
        assert!(most <= 16, "{most} at once");
        assert!(backlog.is_empty() && task.is_finished());
    });
}
