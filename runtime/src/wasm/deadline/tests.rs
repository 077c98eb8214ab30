use super::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn time_counts_from_the_first_look() {
    let mut budget = Budget::new(10 * MS);
    assert!(!budget.is_spent(500 * MS), "what the thread did before is not the guest's");
    assert!(!budget.is_spent(509 * MS));
    assert!(budget.is_spent(510 * MS));
}

#[test]
fn a_thread_that_does_not_run_spends_nothing() {
    let mut budget = Budget::new(10 * MS);
    for _ in 0..1000 {
        assert!(!budget.is_spent(7 * MS));
    }
}

#[test]
fn what_others_do_while_a_fiber_waits_is_not_counted() {
    let mut budget = Budget::new(10 * MS);
    assert!(!budget.is_spent(MS));
    budget.resumed(Some(100 * MS));
    assert!(!budget.is_spent(105 * MS));
    budget.resumed(Some(200 * MS));
    assert!(!budget.is_spent(204 * MS));
    budget.resumed(None);
    assert!(!budget.is_spent(300 * MS));
    budget.resumed(Some(400 * MS));
    assert!(budget.is_spent(401 * MS));
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
