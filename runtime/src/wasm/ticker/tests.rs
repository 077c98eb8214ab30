use super::*;

const DEADLINE: Duration = Duration::from_millis(10);

#[test]
fn short_calls_between_looks_count_as_activity() {
    let (engine, _) = crate::wasm::engine::engine().expect("an engine");
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

#[test]
fn callers_that_are_gone_are_forgotten() {
    let (engine, _) = crate::wasm::engine::engine().expect("an engine");
    let ticker = Ticker::start(&engine).expect("a thread");
    for _ in 0..1000 {
        drop(ticker.pulse(DEADLINE));
    }
    assert!(ticker.shared.pulses.lock().expect("nobody panicked").len() <= 2);
}

#[test]
fn ticks_are_long_while_no_call_lasts() {
    let look = |running, millis| Look {
        running,
        active: true,
        shortest_deadline: Duration::from_millis(millis),
    };
    for (running, deadline, tick) in [
        (false, 10, Duration::from_micros(2_500)),
        (true, 10, TICK),
        (false, 1, TICK),
        (false, 60_000, LONG_TICK),
    ] {
        assert_eq!(look(running, deadline).tick(), tick, "{running} {deadline}");
    }
}

#[test]
fn the_shortest_deadline_counts() {
    let (engine, _) = crate::wasm::engine::engine().expect("an engine");
    let ticker = Ticker::start(&engine).expect("a thread");
    let _long = ticker.pulse(DEADLINE * 2);
    let short = ticker.pulse(DEADLINE);
    assert_eq!(ticker.shared.look().shortest_deadline, DEADLINE);
    drop(short);
    assert_eq!(ticker.shared.look().shortest_deadline, DEADLINE * 2);
}
