use hyper::rt::Executor as _;
use tokio::task::yield_now;

use super::*;
use crate::busy::{busy, looks, run};

/// Eight of them once had a turn each: one turn is half a dozen steps that are not timed, and five that
/// are.
#[test]
fn busy_streams_of_a_connection_share_its_turn() {
    let most = |streams: usize| {
        run(async move {
            let steps = Rc::<Cell<usize>>::default();
            let executor = StreamExecutor::new(ClientKey::of("192.0.2.1"));
            for _ in 0..streams {
                executor.execute(busy(steps.clone()));
            }
            // All had their first turn by then.
            looks(100, &steps).await;
            looks(200, &steps).await
        })
    };
    let (one, many) = (most(1), most(20));
    assert!(one > 0 && many <= 2 * one, "{many} steps between two looks, {one} of one stream");
}

/// Each ninth stream once waited until every busy client had had a turn.
#[test]
fn who_asks_now_and_then_stands_in_no_line() {
    let waited = run(async {
        let steps = Rc::<Cell<usize>>::default();
        for last in 0..50 {
            turns::spawn(ClientKey::of(&format!("192.0.2.{last}")), busy(steps.clone()));
        }
        let executor = StreamExecutor::new(ClientKey::of("198.51.100.1"));
        let mut waited = Vec::new();
        for _ in 0..20 {
            let rests = Instant::now();
            while rests.elapsed() < REFILLED {
                yield_now().await;
            }
            let served = Rc::<Cell<bool>>::default();
            let told = served.clone();
            executor.execute(async move { told.set(true) });
            let mut looks = 0;
            while !served.get() {
                yield_now().await;
                looks += 1;
            }
            waited.push(looks);
        }
        waited
    });
    // Two or three times fifty otherwise.
    assert!(waited.iter().all(|looks| *looks <= 4), "{waited:?} looks");
}

/// Who is given up while it waits, or was called and did not run yet, keeps nobody waiting.
#[test]
fn streams_that_end_while_they_wait_are_passed_over() {
    run(async {
        let steps = Rc::<Cell<usize>>::default();
        let executor = StreamExecutor::new(ClientKey::of("192.0.2.1"));
        let mut tasks = Vec::new();
        for _ in 0..40 {
            tasks.push(executor.begin());
            executor.execute(busy(steps.clone()));
        }
        for _ in 0..50 {
            yield_now().await;
        }
        for task in &tasks {
            task.end();
            yield_now().await;
        }
        let served = Rc::<Cell<bool>>::default();
        let told = served.clone();
        executor.execute(async move { told.set(true) });
        for _ in 0..20 {
            yield_now().await;
        }
        assert!(served.get(), "nobody else is left");
        assert!(executor.turns.waiting.borrow().is_empty());
    });
}
