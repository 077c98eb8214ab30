use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use weir_core::chain::{Failure, Middleware, Step, Verdict};
use weir_core::client::ClientKey;

use super::super::tests::*;

mod room;

/// A guest that is busy until its time is up.
const LOOP: &str = "(loop $for_ever (br $for_ever)) (i32.const 256)";

/// Calls a busy guest so many times at once, while another task of the worker counts its own runs
/// until all of them ended. Gives what came of them, and that count.
fn busy(member: &Rc<dyn Middleware>, calls: usize) -> (Vec<Failure>, usize) {
    let runs = Rc::new(Cell::new(0));
    let local = tokio::task::LocalSet::new();
    let failures = local.block_on(&runtime(), async {
        let counting = tokio::task::spawn_local({
            let runs = runs.clone();
            async move {
                loop {
                    runs.set(runs.get() + 1);
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut under_way = Vec::new();
        for _ in 0..calls {
            let step = member.on_request(exchange(&[])).resolve();
            under_way.push(tokio::task::spawn_local(step));
        }
        let mut failures = Vec::new();
        for call in under_way {
            let (_, result) = call.await.expect("no panic");
            failures.push(*result.map(|_: Verdict| ()).expect_err("it loops for ever"));
        }
        counting.abort();
        failures
    });
    (failures, runs.get())
}

fn looping(
    edit: impl FnOnce(&mut weir_core::config::Plugin),
) -> (super::super::Host, Rc<dyn Middleware>) {
    let host = host();
    let plugin = load(&host, &guest::request_filter(LOOP), edit);
    let member = member(&plugin);
    (host, member)
}

#[test]
fn a_busy_guest_lets_others_run_until_its_time_is_up() {
    let (_host, member) = looping(|plugin| plugin.limits.deadline = Duration::from_millis(200));
    let (failures, runs) = busy(&member, 3);
    assert!(failures.iter().all(|failure| failure.reason == "deadline"), "{failures:?}");
    // Some hundred on a quiet machine; one without stepping aside.
    assert!(runs > 10, "the other task ran {runs} times");
}

/// A waker that tells whether it was used.
struct Told {
    woken: AtomicBool,
    to: Waker,
}

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Relaxed);
        self.to.wake_by_ref();
    }
}

/// A task that is woken while it runs is run again before the sockets are looked at: a single busy
/// guest once held the worker for 61 slices in a row.
#[test]
fn a_slice_is_followed_by_a_look_at_the_sockets() {
    let (_host, member) = looping(|plugin| plugin.limits.deadline = Duration::from_millis(60));
    let local = tokio::task::LocalSet::new();
    let slices = local.block_on(&runtime(), async {
        let mut call = pin!(member.on_request(exchange(&[])).resolve());
        let mut slices = 0;
        poll_fn(|cx| {
            let told = Arc::new(Told { woken: AtomicBool::new(false), to: cx.waker().clone() });
            let waker = Waker::from(told.clone());
            let polled = call.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_ready() || !told.woken.load(Relaxed), "after {slices} slices");
            slices += 1;
            polled.map(drop)
        })
        .await;
        slices
    });
    assert!(slices > 3, "{slices} slices");
}

#[test]
fn a_guest_that_was_seen_to_take_long_is_put_on_a_fiber_the_next_time() {
    let host = host();
    let plugin = load(&host, &guest::request_filter(LOOP), |_| ());
    let member = member(&plugin);
    assert!(!plugin.template.runs_on_fibers());
    let (_, result) = at_once(member.on_request(exchange(&[])));
    assert_eq!(result.expect_err("it loops").reason, "deadline");
    assert!(plugin.template.runs_on_fibers());
    let (failures, _) = busy(&member, 2);
    assert!(failures.iter().all(|failure| failure.reason == "deadline"), "{failures:?}");
}

/// What a plugin makes at its first call takes long once.
#[test]
fn a_guest_that_took_long_once_is_called_at_once_again_after_many_calls() {
    let host = host();
    // Some 20 ms at its first call.
    let body = "(local $left i32)
        (if (i32.eqz (global.get $kept)) (then
            (global.set $kept (i32.const 1))
            (local.set $left (i32.const 40_000_000))
            (loop $on (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))
        (i32.const 256)";
    let plugin = load(&host, &guest::request_filter(body), |plugin| {
        plugin.limits.deadline = Duration::from_millis(50);
    });
    let member = member(&plugin);
    at_once(member.on_request(exchange(&[]))).1.expect("it has its time");
    assert!(plugin.template.runs_on_fibers());
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime(), async {
        for _ in 0..super::super::shared::ON_FIBERS {
            let step = member.on_request(exchange(&[]));
            assert!(matches!(step, Step::Pending(_)));
            step.resolve().await.1.expect("the next ones take a moment");
        }
    });
    assert!(!plugin.template.runs_on_fibers());
    at_once(member.on_request(exchange(&[]))).1.expect("at once");
}

#[test]
fn of_long_calls_there_are_so_many_and_no_more() {
    let (_host, member) = looping(|plugin| {
        plugin.limits.deadline = Duration::from_millis(60);
        plugin.limits.instances = 16;
    });
    // Of 16 places 12 may take long, of which 9 are for everybody and 3 for other clients.
    let (failures, _) = busy(&member, 12);
    let reasons = |reason: &str| failures.iter().filter(|it| it.reason == reason).count();
    assert_eq!((reasons("deadline"), reasons("busy")), (9, 3), "{failures:?}");
    assert!(busy(&member, 1).0[0].reason == "deadline", "the next one may take long again");
}

#[test]
fn a_call_that_is_given_up_leaves_its_turn_to_others() {
    let (_host, member) = looping(|plugin| plugin.limits.deadline = Duration::from_secs(5));
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime(), async {
        let call = || tokio::task::spawn_local(member.on_request(exchange(&[])).resolve());
        let (one, two) = (call(), call());
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        one.abort();
        two.abort();
        assert!(one.await.is_err_and(|error| error.is_cancelled()));
        assert!(two.await.is_err_and(|error| error.is_cancelled()));
        let whose = (Default::default(), super::Slice::Later);
        let turn = tokio::time::timeout(Duration::from_secs(60), super::next_turn(whose)).await;
        assert!(turn.is_ok_and(|turn| turn.is_some()), "nobody holds it");
    });
    drop(local);
    // The thread's own, and this one.
    assert_eq!(Arc::strong_count(&super::SLICES.with(Arc::clone)), 2);
}

/// An exchange of a client.
fn of_client(address: &str) -> Box<weir_core::chain::Exchange> {
    with_fields(address, &[])
}

fn with_fields(
    address: &str,
    fields: &[(&'static str, &'static str)],
) -> Box<weir_core::chain::Exchange> {
    let mut exchange = exchange(fields);
    let key = ClientKey::of(address);
    exchange.client = Arc::new(weir_core::http::Client { key, ..Default::default() });
    exchange
}

/// Each call beyond a client's part once ran a first slice at once: forty that asked again and again
/// had nearly all the time, and others' calls none.
#[test]
fn calls_beyond_their_clients_part_take_its_own_turns() {
    let (_host, member) = looping(|plugin| {
        plugin.limits.deadline = Duration::from_millis(200);
        plugin.limits.instances = 16;
    });
    let refused = Rc::new(Cell::new(0));
    let local = tokio::task::LocalSet::new();
    let (polls, meanwhile) = local.block_on(&runtime(), async {
        for _ in 0..40 {
            let (member, refused) = (member.clone(), refused.clone());
            tokio::task::spawn_local(async move {
                loop {
                    let step = member.on_request(of_client("192.0.2.1"));
                    let (_, result) = step.resolve().await;
                    refused.set(refused.get() + usize::from(result.is_err_and(|it| it.is_busy())));
                    tokio::task::yield_now().await;
                }
            });
        }
        while refused.get() == 0 {
            tokio::task::yield_now().await;
        }
        let before = refused.get();
        let mut call = pin!(member.on_request(of_client("192.0.2.2")).resolve());
        let mut polls = 0;
        let (_, result) = poll_fn(|cx| {
            polls += 1;
            call.as_mut().poll(cx)
        })
        .await;
        assert_eq!(result.expect_err("it loops").reason, "deadline");
        (polls, refused.get() - before)
    });
    // Two for each slice, in each of which the other client has two turns.
    assert!(polls > 20 && meanwhile <= polls, "{meanwhile} were refused in {polls} polls");
}

/// Of 16 instances 12 may take long. Two clients have them all; the next one's call waits for one of
/// theirs to end, on an instance that is to spare, and is not refused.
#[test]
fn who_has_none_of_them_waits_for_a_long_call_to_end() {
    let (_host, member) = looping(|plugin| {
        plugin.limits.deadline = Duration::from_millis(60);
        plugin.limits.instances = 16;
    });
    let local = tokio::task::LocalSet::new();
    let reasons = local.block_on(&runtime(), async {
        let mut under_way = Vec::new();
        for calls in [
            &[("192.0.2.1", 9)][..],
            &[("192.0.2.2", 3)],
            &[("192.0.2.3", 1), ("192.0.2.4", 1)],
            &[("192.0.2.5", 1)],
        ] {
            for client in calls.iter().flat_map(|(client, count)| vec![client; *count]) {
                let step = member.on_request(of_client(client));
                under_way.push(tokio::task::spawn_local(step.resolve()));
            }
            // All have an instance, and their first slice behind them.
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
        }
        let mut reasons = Vec::new();
        for call in under_way {
            let (_, result) = call.await.expect("no panic");
            reasons.push(result.map(|_: Verdict| ()).expect_err("it loops").reason);
        }
        reasons
    });
    // Two of four instances are to spare.
    assert_eq!(reasons[..14], ["deadline"; 14]);
    assert_eq!(reasons[14], "busy");
}

/// A guest that counts down from so much.
fn counting(from: u32) -> String {
    format!(
        "(i32.store (i32.const 1024) (i32.const {from}))
        (loop $on
            (i32.store (i32.const 1024) (i32.sub (i32.load (i32.const 1024)) (i32.const 1)))
            (br_if $on (i32.load (i32.const 1024))))
        (i32.const 256)"
    )
}

/// How far it counts on this machine in three quarters of a millisecond of its own time: less than a
/// tick while no call lasts.
fn a_moment(host: &super::super::Host) -> u32 {
    const MANY: u32 = 4_000_000;
    let plugin = load(host, &guest::request_filter(&counting(MANY)), |plugin| {
        plugin.limits.deadline = Duration::from_secs(5);
    });
    let member = member(&plugin);
    // Once before: instances are made with the first.
    let (_, _) = request(&member);
    let begun = crate::deadline::thread_time();
    let (_, result) = request(&member);
    assert!(result.is_ok(), "it ends");
    let took = crate::deadline::thread_time() - begun;
    (MANY / 4 * 3) / u32::try_from(took.as_millis()).expect("a moment").max(1)
}

const LOOKS: usize = 100;

/// Forty of them once ran between two looks, for none was ever seen to take long.
#[test]
fn many_calls_of_a_moment_let_others_run_too() {
    let host = host();
    let moment = a_moment(&host);
    let plugin = load(&host, &guest::request_filter(&counting(moment)), |plugin| {
        plugin.limits.deadline = Duration::from_millis(50);
    });
    let member = member(&plugin);
    let done = Rc::new(Cell::new(0));
    let local = tokio::task::LocalSet::new();
    let rounds = local.block_on(&runtime(), async {
        for _ in 0..40 {
            let (member, done) = (member.clone(), done.clone());
            tokio::task::spawn_local(async move {
                loop {
                    drop(member.on_request(of_client("192.0.2.1")).resolve().await);
                    done.set(done.get() + 1);
                    tokio::task::yield_now().await;
                }
            });
        }
        // Instances are made first.
        while done.get() < 200 {
            tokio::task::yield_now().await;
        }
        // The ticker sees it with time, later on a busy machine, and not at each moment there.
        for round in 0..100 {
            let before = done.get();
            for _ in 0..LOOKS {
                tokio::task::yield_now().await;
            }
            if done.get() - before <= LOOKS * 8 {
                return Ok(round);
            }
        }
        Err(done.get())
    });
    println!("{rounds:?} rounds before others ran, at {moment} steps a call");
    assert!(rounds.is_ok(), "{rounds:?} calls, and always many between two looks");
}
