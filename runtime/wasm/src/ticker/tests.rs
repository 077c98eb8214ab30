use super::*;

const DEADLINE: Duration = Duration::from_millis(10);

#[test]
fn short_calls_between_looks_count_as_activity() {
    let (engine, _) = crate::engine::engine().expect("an engine");
    let ticker = Ticker::start(&engine).expect("a thread");
    let pulse = ticker.pulse(DEADLINE);
    // The ticker's own looks may come between; a guest that runs is seen by each of them.
    let beat = pulse.beat();
    assert!(ticker.shared.look().active);
    assert!(ticker.shared.look().active);
    drop(beat);
    drop(pulse);
    assert!(!ticker.shared.look().active, "a caller that is gone is not active");
}

/// While one waits for its turn others run: what is next must not find a long tick.
#[test]
fn a_call_lasts_until_it_is_over_whether_it_runs_or_not() {
    let (engine, _) = crate::engine::engine().expect("an engine");
    let ticker = Ticker::start(&engine).expect("a thread");
    let pulse = ticker.pulse(DEADLINE);
    let calls = [pulse.lasts(), pulse.lasts()];
    for call in calls {
        let look = ticker.shared.look();
        assert!(look.lasting && look.active && !look.running);
        drop(call);
    }
    assert!(!ticker.shared.look().lasting);
}

#[test]
fn callers_that_are_gone_are_forgotten() {
    let (engine, _) = crate::engine::engine().expect("an engine");
    let ticker = Ticker::start(&engine).expect("a thread");
    for _ in 0..1000 {
        drop(ticker.pulse(DEADLINE));
    }
    assert!(ticker.shared.pulses.lock().expect("nobody panicked").len() <= 2);
}

#[test]
fn ticks_are_long_while_no_call_lasts() {
    let look = |lasting, running, millis| Look {
        running,
        active: true,
        lasting,
        shortest_deadline: Duration::from_millis(millis),
    };
    let (just, long_ago) = (AFTERWARDS / 2, AFTERWARDS);
    for (lasting, since, running, deadline, tick) in [
        (false, long_ago, false, 10, Duration::from_micros(2_500)),
        (false, long_ago, true, 10, TICK),
        (false, long_ago, false, 1, TICK),
        (false, Duration::MAX, false, 60_000, LONG_TICK),
        (false, just, true, 60_000, SHORT_TICK),
        (true, Duration::ZERO, false, 10, SHORT_TICK),
        (true, Duration::ZERO, true, 10, SHORT_TICK),
    ] {
        let look = look(lasting, running, deadline);
        assert_eq!(look.tick(since, OFTEN - 1), tick, "{look:?}, {since:?}");
    }
    let idle = Look { active: false, ..look(false, false, 60_000) };
    assert_eq!(idle.tick(just, 0), LONG_TICK);
}

/// Of many calls that are each over before a second tick none was ever seen to take long.
#[test]
fn ticks_are_short_where_a_guest_is_always_found_running() {
    let shortest_deadline = DEADLINE;
    let look = Look { running: true, active: true, lasting: false, shortest_deadline };
    assert_eq!(look.tick(Duration::MAX, OFTEN), SHORT_TICK);
    assert_eq!(look.tick(Duration::MAX, u32::MAX), SHORT_TICK);
}

#[test]
fn the_shortest_deadline_counts() {
    let (engine, _) = crate::engine::engine().expect("an engine");
    let ticker = Ticker::start(&engine).expect("a thread");
    let _long = ticker.pulse(DEADLINE * 2);
    let short = ticker.pulse(DEADLINE);
    assert_eq!(ticker.shared.look().shortest_deadline, DEADLINE);
    drop(short);
    assert_eq!(ticker.shared.look().shortest_deadline, DEADLINE * 2);
}
