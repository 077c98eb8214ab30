use super::Verdict::{Ends, Runs, StepsAside};
use super::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn time_counts_from_the_first_look() {
    let mut budget = Budget::new(10 * MS, false);
    assert_eq!(budget.look(500 * MS), Runs, "what the thread did before is not the guest's");
    for at in 501..510 {
        assert_ne!(budget.look(at * MS), Ends);
    }
    assert_eq!(budget.look(510 * MS), Ends);
}

#[test]
fn a_machine_that_stood_still_is_no_guest_that_ran() {
    let mut budget = Budget::new(10 * MS, false);
    assert_eq!(budget.look(MS), Runs);
    assert_ne!(budget.look(1000 * MS), Ends, "a look counts a quarter at most");
    for at in 1001..1008 {
        assert_ne!(budget.look(at * MS), Ends);
    }
    assert_eq!(budget.look(1008 * MS), Ends);
}

/// On a machine that others had for a while in its midst, one call of a million: the plugin was on fibers
/// for good.
#[test]
fn a_machine_that_stood_still_in_a_call_of_a_moment_makes_it_no_long_one() {
    let mut budget = Budget::new(10 * MS, false);
    assert_eq!(budget.look(MS), Runs);
    assert_eq!(budget.look(9 * MS), Runs);
    assert_eq!(budget.look(9 * MS + SLICE / 4), Runs);
    assert_eq!(budget.look(9 * MS + SLICE / 2), StepsAside, "it runs still");
}

#[test]
fn a_guest_that_runs_between_rare_looks_is_ended_all_the_same() {
    let mut budget = Budget::new(10 * MS, false);
    let looks = (0..100).take_while(|at| budget.look(at * 50 * MS) != Ends).count();
    assert_eq!(looks, 4);
}

#[test]
fn what_the_host_does_has_a_price_and_its_time_does_not_count() {
    let mut budget = Budget::new(10 * MS, false);
    assert_eq!(budget.look(MS), Runs);
    for at in 1..7 {
        budget.pay(MS / 2).expect("it had little time");
        budget.set_apart(900 * MS);
        assert_eq!(budget.look(MS + at * 901 * MS), StepsAside, "after {at}");
    }
    budget.pay(MS).expect_err("six, three and one are ten");
    assert_eq!(budget.look(MS + 6 * 901 * MS), Ends);
}

#[test]
fn the_price_counts_before_any_look() {
    let budget = Budget::new(10 * MS, false);
    budget.pay(9 * MS).expect("less than it may");
    budget.pay(MS).expect_err("just as much");
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
    for round in 1..5 {
        budget.resumed(Some(round * 100 * MS));
        assert_eq!(budget.look(round * 100 * MS + 2 * MS), StepsAside);
    }
    budget.resumed(None);
    assert_eq!(budget.look(900 * MS), Runs);
    budget.resumed(Some(1000 * MS));
    assert_eq!(budget.look(1002 * MS), Ends);
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
