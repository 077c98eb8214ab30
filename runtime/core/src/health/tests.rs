use crate::clock;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> config::Health {
    config::Health {
        host: None,
        path: "/health".into(),
        interval: 10 * SECOND,
        timeout: 5 * SECOND,
        healthy: 2,
        unhealthy: 3,
    }
}

/// Feeds outcomes (`+` and `-`); says after each whether it is up, and marks transitions.
fn play(check: &mut Check, now: Instant, outcomes: &str) -> String {
    let mut line = String::new();
    for outcome in outcomes.chars() {
        let outcome = if outcome == '+' { Probed::Success } else { Probed::Failure };
        check.begin(now);
        let transition = check.observe(outcome, now);
        assert_eq!(transition.is_some_and(|to| to == Transition::Healthy), {
            transition.is_some() && check.is_healthy()
        });
        line.push(match (transition, check.is_healthy()) {
            (Some(_), true) => 'U',
            (Some(_), false) => 'D',
            (None, true) => 'u',
            (None, false) => 'd',
        });
    }
    line
}

#[test]
fn thresholds_count_outcomes_in_a_row() {
    let now = clock::now();
    for (outcomes, expected) in [
        ("++", "uu"),
        ("---", "uuD"),
        ("--+--+---", "uuuuuuuuD"),
        ("----", "uuDd"),
        ("---++", "uuDdU"),
        ("---+-++", "uuDdddU"),
        ("---++---++", "uuDdUuuDdU"),
        ("---++--+", "uuDdUuuu"),
    ] {
        let mut check = Check::new(&settings(), now, 1);
        assert!(check.is_healthy(), "starts healthy");
        assert_eq!(play(&mut check, now, outcomes), expected, "{outcomes}");
    }
    let one = config::Health { healthy: 1, unhealthy: 1, ..settings() };
    assert_eq!(play(&mut Check::new(&one, now, 1), now, "-+-+"), "DUDU");
    // Not a threshold, so treated as 1.
    let none = config::Health { healthy: 0, unhealthy: 0, ..settings() };
    assert_eq!(play(&mut Check::new(&none, now, 1), now, "+-+"), "uDU");
}

#[test]
fn first_probes_are_spread_over_the_interval() {
    let now = clock::now();
    let mut tenths = [0; 10];
    for seed in 0..1000 {
        let wait = Check::new(&settings(), now, seed).next_at() - now;
        tenths[wait.as_secs() as usize] += 1;
    }
    assert!(tenths.iter().all(|count| (60..140).contains(count)), "{tenths:?}");
}

#[test]
fn probes_keep_their_beat() {
    let start = clock::now();
    let mut check = Check::new(&settings(), start, 5);
    let first = check.next_at();
    assert!(!check.due(first - Duration::from_nanos(1)));
    assert!(check.due(first));

    // Begun a little late, and it takes a while: the next is on the beat, and not before this ends.
    check.begin(first + SECOND);
    assert!(!check.due(first + 30 * SECOND), "one at a time");
    assert_eq!(check.observe(Probed::Success, first + 4 * SECOND), None);
    assert_eq!(check.next_at(), first + 10 * SECOND);

    // Longer than the interval: at once, but once only.
    check.begin(first + 10 * SECOND);
    check.observe(Probed::Failure, first + 25 * SECOND);
    assert_eq!(check.next_at(), first + 25 * SECOND);

    // Far behind: nothing is made up for.
    check.begin(first + 1000 * SECOND);
    check.observe(Probed::Success, first + 1001 * SECOND);
    assert_eq!(check.next_at(), first + 1010 * SECOND);
    assert_eq!(check.timeout(), 5 * SECOND);
}

#[test]
fn a_reload_keeps_what_is_known() {
    let now = clock::now();
    let mut check = Check::new(&settings(), now, 1);
    assert_eq!(play(&mut check, now, "---+"), "uuDd");
    check.begin(now);
    let quicker = config::Health { interval: SECOND, ..settings() };
    let mut reloaded = check.reloaded(&quicker, now, 1);
    assert!(!reloaded.is_healthy());
    assert_eq!(reloaded.next_at(), now + SECOND, "the new interval holds at once");
    assert!(reloaded.due(now + SECOND), "the old probe does not hold it up");
    assert_eq!(play(&mut reloaded, now, "+"), "U");
}

#[test]
fn statuses_are_outcomes() {
    for (status, expected) in [
        (200, Probed::Success),
        (204, Probed::Success),
        (302, Probed::Success),
        (399, Probed::Success),
        (101, Probed::Failure),
        (400, Probed::Failure),
        (404, Probed::Failure),
        (503, Probed::Failure),
        (999, Probed::Failure),
    ] {
        assert_eq!(Probed::from(StatusCode::from_u16(status).unwrap()), expected, "{status}");
    }
}
