//! Calls of a client that has its part of those that take long.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use weir_core::chain::{Failure, Verdict};

use super::super::super::tests::*;
use super::super::super::ticker::Ticker;
use super::super::*;
use super::{of_client, with_fields};

/// An instance is made in slices too. Who had his part of the calls that take long was refused for it,
/// with a call that would have been over at once.
#[test]
fn an_instance_may_take_its_time_to_be_made_for_whoever_has_his_part() {
    let host = host();
    // What drops a segment is configured anew each time.
    let configure = "(local $left i32) (local.set $left (i32.const 10000000)) (data.drop 0)
        (loop $on
            (i32.store (i32.const 1024) (local.get $left))
            (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (i32.const 128)";
    let component = guest::configured_filter(&long_or("(i32.const 256)"), configure);
    let (polls, result) = beside_long_calls(&host, &component);
    assert!(result.is_ok(), "{result:?}");
    assert!(polls > 5, "it was made at once, in {polls} polls");
}

/// A hook that lasts for ever where there is `x-test`, and else has this body.
fn long_or(body: &str) -> String {
    format!(
        "(call $header (i32.const 512) (i32.const 6) (i32.const 600))
        (if (i32.load8_u (i32.const 600)) (then (loop $for_ever (br $for_ever))))
        {body}"
    )
}

/// What comes of a call of a client that has its part of those that take long, and how often it was
/// polled.
fn beside_long_calls(
    host: &crate::Host,
    component: &[u8],
) -> (usize, Result<Verdict, Box<Failure>>) {
    let plugin = load(host, component, |plugin| {
        plugin.limits.deadline = Duration::from_secs(5);
        plugin.limits.instances = 16;
    });
    let member = member(&plugin);
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime(), async {
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let long = with_fields("192.0.2.1", &[("x-test", "yes")]);
            all.spawn_local(member.on_request(long).resolve());
        }
        // Its part is nine of them.
        let (_, first) = all.join_next().await.expect("ten").expect("no panic");
        assert_eq!(first.expect_err("it lasts").reason, "busy");
        let mut call = pin!(member.on_request(of_client("192.0.2.1")).resolve());
        let mut polls = 0;
        let (_, result) = poll_fn(|cx| {
            polls += 1;
            call.as_mut().poll(cx)
        })
        .await;
        (polls, result)
    })
}

/// It was refused when its first slice was over, which a busy machine makes of a call that is over in a
/// moment elsewhere.
#[test]
fn a_call_for_which_there_is_no_room_has_some_turns_all_the_same() {
    let ticker = Ticker::start(&wasmtime::Engine::default()).expect("a thread");
    let pulse = ticker.pulse(Duration::from_secs(1));
    let long_calls = LongCalls::of(16, Duration::from_secs(5));
    let client = ClientKey::of("192.0.2.1");
    let admitted = || long_calls.admit(client, None);
    let goes = |admission: &Admission| matches!(admission, Admission::Goes(_));
    let its_part: Vec<_> = std::iter::repeat_with(admitted).take_while(goes).collect();
    assert_eq!(its_part.len(), 9);
    for (slices, is_refused) in [(TURNS - 1, false), (TURNS, true)] {
        // So many are over before it is done.
        let mut left = slices;
        let running = pin!(poll_fn(|_| {
            if left == 0 {
                return Poll::Ready(Ok(()));
            }
            left -= 1;
            slice::end();
            Poll::Pending
        }));
        let (pulse, long_calls) = (&*pulse, &long_calls);
        let terms = Terms { pulse, long_calls, client, due: None, makes_instance: false };
        let local = tokio::task::LocalSet::new();
        let result = local.block_on(&runtime(), Aside::new(running, terms));
        assert_eq!(result.is_err(), is_refused, "{slices} slices");
    }
}
