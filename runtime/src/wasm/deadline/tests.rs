use super::Verdict::{Ends, Runs, StepsAside};
use super::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn time_counts_from_the_first_look() {
    let mut budget = Budget::new(10 * MS, false);
    assert_eq!(budget.look(500 * MS), Runs, "what the thread did before is not the guest's");
    assert_ne!(budget.look(509 * MS), Ends);
    assert_eq!(budget.look(510 * MS), Ends);
}

#[test]
fn a_thread_that_does_not_run_spends_nothing() {
    let mut budget = Budget::new(10 * MS, false);
    for _ in 0..1000 {
        assert_eq!(budget.look(7 * MS), Runs);
    }
}

#[test]
fn what_others_do_while_a_fiber_waits_is_not_counted() {
    let mut budget = Budget::new(10 * MS, true);
    assert_eq!(budget.look(MS), Runs);
    budget.resumed(Some(100 * MS));
    assert_eq!(budget.look(105 * MS), StepsAside);
    budget.resumed(Some(200 * MS));
    assert_eq!(budget.look(204 * MS), StepsAside);
    budget.resumed(None);
    assert_eq!(budget.look(300 * MS), Runs);
    budget.resumed(Some(400 * MS));
    assert_eq!(budget.look(401 * MS), Ends);
}

#[test]
fn a_slice_is_over_by_cpu_time_and_the_next_one_begins_anew() {
    let mut budget = Budget::new(10 * MS, true);
    assert_eq!(budget.look(MS), Runs, "a call that was met by a tick may have just begun");
    assert_eq!(budget.look(MS + SLICE / 2), Runs, "the thread hardly ran");
    assert_eq!(budget.look(MS + SLICE), StepsAside);
    budget.resumed(Some(5 * MS));
    assert_eq!(budget.look(5 * MS + SLICE / 2), Runs);
    assert_eq!(budget.look(5 * MS + SLICE), StepsAside);
}

#[test]
fn the_thread_has_a_clock() {
    let before = thread_time();
    let mut work = 0_u64;
    while thread_time() < before + MS {
        work = std::hint::black_box(work + 1);
    }
    assert!(work > 0);
}
