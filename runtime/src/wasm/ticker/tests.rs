use super::*;

#[test]
fn short_calls_between_looks_count_as_activity() {
    let engine = crate::wasm::engine::engine().expect("an engine");
    let ticker = Ticker::start(&engine).expect("a thread");
    let pulse = ticker.pulse();
    // The ticker's own looks may come between; a guest that runs is seen by each of them.
    let beat = pulse.beat();
    assert!(ticker.shared.is_active());
    assert!(ticker.shared.is_active());
    drop(beat);
    drop(pulse);
    assert!(!ticker.shared.is_active(), "a caller that is gone is not active");
}

#[test]
fn callers_that_are_gone_are_forgotten() {
    let engine = crate::wasm::engine::engine().expect("an engine");
    let ticker = Ticker::start(&engine).expect("a thread");
    for _ in 0..1000 {
        drop(ticker.pulse());
    }
    assert!(ticker.shared.pulses.lock().expect("nobody panicked").len() <= 2);
}
