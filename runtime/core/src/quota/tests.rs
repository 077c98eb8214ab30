use super::*;

fn quota(limit: usize) -> Quota {
    Quota::new(Arc::default(), limit)
}

#[test]
fn no_more_than_the_limit_whatever_it_is_for() {
    let quota = quota(100);
    assert!(quota.charge(Holding::Limiter, 60));
    assert!(quota.charge(Holding::Store, 5));
    let body = quota.hold(Holding::Bodies, 34, "").expect("just so much");
    assert!(quota.charge(Holding::Store, 1), "it has a part to itself");
    assert!(!quota.charge(Holding::Store, 1));
    assert!(quota.hold(Holding::Replies, usize::MAX, "192.0.2.1").is_none(), "no overflow");
    drop(body);
    assert!(quota.charge(Holding::Store, 34));
    quota.release(Holding::Limiter, 60);
    assert_eq!(quota.account.held(Holding::Limiter), 0);
    assert_eq!(quota.account.held(Holding::Store), 40);
    assert_eq!(quota.account.total.load(Relaxed), 40);
}

#[test]
fn what_grows_counts_once() {
    let quota = quota(100);
    let mut held = quota.hold(Holding::Bodies, 30, "192.0.2.1").expect("room");
    held.absorb(quota.hold(Holding::Bodies, 20, "192.0.2.1").expect("room"));
    assert_eq!(quota.account.held(Holding::Bodies), 50);
    drop(held);
    assert_eq!(quota.account.held(Holding::Bodies), 0);
    assert_eq!(quota.account.total.load(Relaxed), 0);
}

#[test]
fn a_smaller_limit_takes_nothing_away_and_gives_nothing_more() {
    let before = quota(100);
    assert!(before.charge(Holding::Store, 80));
    let after = Quota::new(before.account.clone(), 50);
    assert!(!after.charge(Holding::Store, 1));
    after.release(Holding::Store, 40);
    assert!(after.charge(Holding::Store, 7));
}

#[test]
fn a_refusal_says_who_holds_what_and_is_counted() {
    let quota = quota(100);
    assert!(quota.charge(Holding::Limiter, 70) && quota.charge(Holding::Bodies, 20));
    let text = quota.refuse(Holding::Bodies, 30).to_string();
    assert_eq!(
        text,
        "`limits.quota` is used up: 30 bytes more for bodies exceed 100, \
         of which 6 are kept for limiter and store; \
         held are 70 for limiter, 20 for bodies"
    );
    assert_eq!(quota.account.refused(Holding::Bodies), 1);
    assert_eq!(quota.account.refused(Holding::Limiter), 0);
}

#[test]
fn one_client_leaves_a_quarter_to_the_others() {
    let quota = quota(100);
    let one = quota.hold(Holding::Bodies, 50, "192.0.2.1").expect("room");
    let two = quota.hold(Holding::Replies, 16, "192.0.2.1").expect("just its share");
    assert!(quota.hold(Holding::Bodies, 1, "192.0.2.1").is_none());
    let why = quota.refuse_client(Holding::Bodies, 1, "192.0.2.1").to_string();
    assert!(why.contains("not for one client alone") && why.contains("66 are held"), "{why}");
    let other = quota.hold(Holding::Bodies, 22, "192.0.2.2").expect("the rest is theirs");
    let why = quota.refuse_client(Holding::Bodies, 1, "192.0.2.2").to_string();
    assert!(why.contains("is used up"), "{why}");
    assert!(quota.hold(Holding::Bodies, 1, "2001:db8::1").is_none());
    drop((one, two));
    let six = quota.hold(Holding::Bodies, 61, "2001:db8::1").expect("room");
    assert!(quota.hold(Holding::Bodies, 6, "2001:db8::2").is_none(), "the same /64");
    drop(six);
    assert!(quota.hold(Holding::Bodies, 66, "192.0.2.1").is_some());
    drop(other);
    assert!(quota.account.clients().is_empty(), "nobody is kept who holds nothing");
    assert_eq!(quota.account.total.load(Relaxed), 0);
}

#[test]
fn neither_bodies_nor_keys_of_the_other_take_the_last_of_limiter_and_store() {
    let quota = quota(1600);
    let body = quota.hold(Holding::Bodies, 1400, "").expect("but for a sixteenth each");
    assert!(quota.hold(Holding::Replies, 1, "").is_none());
    assert!(quota.charge(Holding::Limiter, 100) && quota.charge(Holding::Store, 100));
    assert!(!quota.charge(Holding::Limiter, 1) && !quota.charge(Holding::Store, 1));
    assert_eq!((quota.spare(Holding::Limiter), quota.spare(Holding::Store)), (0, 0));
    drop(body);
    assert!(quota.charge(Holding::Limiter, 1400));
    assert_eq!((quota.spare(Holding::Limiter), quota.lacking(Holding::Bodies, 7)), (1400, 7));
    quota.release(Holding::Store, 100);
    assert!(!quota.charge(Holding::Limiter, 1), "the store's own part is not the limiter's");
    assert!(quota.charge(Holding::Store, 100));
}
