use fastrand::Rng;

use super::*;

const UP: EndpointState = EndpointState { usable: true, in_flight: 0 };

fn letters(picks: impl IntoIterator<Item = Option<usize>>) -> String {
    picks.into_iter().map(|pick| pick.map_or('-', |index| (b'a' + index as u8) as char)).collect()
}

fn round_robin(weights: &[u32], count: usize) -> String {
    let mut turns = RoundRobin::new(weights, 0);
    letters((0..count).map(|_| turns.pick(|_| true)))
}

#[test]
fn turns_are_smooth() {
    assert_eq!(round_robin(&[5, 1, 1], 14), "aabacaaaabacaa");
    assert_eq!(round_robin(&[1, 1, 1], 7), "abcabca");
    assert_eq!(round_robin(&[2, 1], 6), "abaaba");
    assert_eq!(round_robin(&[3], 3), "aaa");
    assert_eq!(round_robin(&[], 2), "--");
    assert_eq!(round_robin(&[0, 0], 2), "--");
    assert_eq!(round_robin(&[0, 1, 0], 2), "bb");
    assert_eq!(round_robin(&[90, 10], 20).matches('b').count(), 2);
}

#[test]
fn equal_weights_turn_as_the_weighted_way_would() {
    let mut plain = RoundRobin::new(&[7, 7, 7, 7], 0);
    let mut smooth = plain.clone();
    smooth.equal = false;
    for _ in 0..20 {
        assert_eq!(plain.pick(|_| true), smooth.pick(|_| true));
    }
}

#[test]
fn shares_are_exact_over_a_whole_period() {
    let mut random = Rng::with_seed(1);
    for _ in 0..200 {
        let weights: Vec<u32> =
            (0..1 + random.usize(..8)).map(|_| random.usize(..9) as u32).collect();
        let total: u32 = weights.iter().sum();
        let mut turns = RoundRobin::new(&weights, random.usize(..40));
        let mut counts = vec![0; weights.len()];
        for _ in 0..total {
            counts[turns.pick(|_| true).unwrap()] += 1;
        }
        assert_eq!(counts, weights);
    }
}

#[test]
fn workers_begin_at_different_places() {
    let firsts = |weights: &[u32]| {
        letters((0..weights.len()).map(|worker| RoundRobin::new(weights, worker).pick(|_| true)))
    };
    assert_eq!(firsts(&[1, 1, 1]), "abc");
    assert_eq!(firsts(&[5, 1, 1]), "aab");
    assert_eq!(RoundRobin::new(&[], 5).pick(|_| true), None);
}

#[test]
fn one_that_was_out_gets_its_share_again_and_no_more() {
    let mut turns = RoundRobin::new(&[1, 2], 0);
    for _ in 0..1000 {
        assert_eq!(turns.pick(|index| index == 1), Some(1));
    }
    let after = letters((0..6).map(|_| turns.pick(|_| true)));
    assert_eq!(after.matches('a').count(), 2, "{after}");
    let mut turns = RoundRobin::new(&[1, 1, 1], 0);
    assert_eq!(letters((0..4).map(|_| turns.pick(|index| index != 1))), "acac");
}

#[test]
fn least_request_goes_by_load_and_weight() {
    for (weights, in_flight, expected) in [
        (&[1, 1, 1][..], &[3, 1, 2][..], Some(1)),
        (&[1, 10], &[1, 5], Some(1)),
        (&[1, 10], &[1, 11], Some(0)),
        (&[1, 0], &[9, 0], Some(0)),
        (&[0, 0], &[0, 0], None),
        (&[], &[], None),
        (&[1, 1000], &[u32::MAX, u32::MAX], Some(1)),
    ] {
        let mut balancer = Balancer::new(Balance::LeastRequest, weights, 0);
        let state = |index: usize| EndpointState { usable: true, in_flight: in_flight[index] };
        assert_eq!(balancer.pick(&Tried::default(), state), expected, "{weights:?} {in_flight:?}");
    }
}

#[test]
fn least_request_takes_turns_where_all_are_equally_busy() {
    for (weights, expected) in [(&[1, 1, 1][..], "abcabca"), (&[5, 1, 1], "aabacaa")] {
        let mut balancer = Balancer::new(Balance::LeastRequest, weights, 0);
        let picks = (0..7).map(|_| balancer.pick(&Tried::default(), |_| UP));
        assert_eq!(letters(picks), expected);
    }
}

#[test]
fn least_request_fills_by_weight() {
    let mut balancer = Balancer::new(Balance::LeastRequest, &[1, 2, 5], 0);
    let mut in_flight = [0u32; 3];
    for _ in 0..80 {
        let state = |index: usize| EndpointState { usable: true, in_flight: in_flight[index] };
        let pick = balancer.pick(&Tried::default(), state).unwrap();
        in_flight[pick] += 1;
    }
    assert_eq!(in_flight, [10, 20, 50]);
}

#[test]
fn those_that_are_out_or_tried_are_left_out() {
    for policy in [Balance::RoundRobin, Balance::LeastRequest] {
        let pick = |usable: &[bool], tried: &[usize]| {
            let mut balancer = Balancer::new(policy, &vec![1; usable.len()], 0);
            let mut before = Tried::default();
            for index in tried {
                assert!(before.insert(*index));
            }
            let state = |index: usize| EndpointState { usable: usable[index], in_flight: 0 };
            balancer.pick(&before, state)
        };
        assert_eq!(pick(&[true, true], &[]), Some(0), "{policy:?}");
        assert_eq!(pick(&[false, true], &[]), Some(1), "{policy:?}");
        assert_eq!(pick(&[true, true], &[0]), Some(1), "{policy:?}");
        // None left that is any good: no further choice.
        assert_eq!(pick(&[true, false], &[0]), None, "{policy:?}");
        assert_eq!(pick(&[true, true], &[0, 1]), None, "{policy:?}");
        // All are out: among all of them, but each once.
        assert_eq!(pick(&[false, false], &[]), Some(0), "{policy:?}");
        assert_eq!(pick(&[false, false], &[0]), Some(1), "{policy:?}");
        assert_eq!(pick(&[false, false], &[1, 0]), None, "{policy:?}");
        assert_eq!(pick(&[], &[]), None, "{policy:?}");
    }
}

#[test]
fn failing_open_spreads_the_load_too() {
    let mut balancer = Balancer::new(Balance::RoundRobin, &[1, 1, 1], 0);
    let out = EndpointState { usable: false, in_flight: 0 };
    let picks = (0..6).map(|_| balancer.pick(&Tried::default(), |_| out));
    assert_eq!(letters(picks), "abcabc");
}

#[test]
fn tried_has_room_for_so_many() {
    let mut tried = Tried::default();
    assert!(!tried.contains(0));
    for index in 0..Tried::MOST {
        assert!(tried.insert(index * 1000));
        assert!(tried.contains(index * 1000) && !tried.contains(index * 1000 + 1));
    }
    assert!(!tried.insert(1));
    assert!(!tried.contains(1));
}
