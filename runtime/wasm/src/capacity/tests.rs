use std::sync::Arc;

use weir_core::client::ClientKey;

use super::{Capacity, MadeFor, Purpose, Seat};

/// As many as there are, up to `most`.
fn take(capacity: &Capacity, purpose: Purpose, plugin: &str, most: usize) -> Vec<Seat> {
    weighing(capacity, purpose, plugin, 1, most)
}

fn weighing(
    capacity: &Capacity,
    purpose: Purpose,
    plugin: &str,
    weight: usize,
    most: usize,
) -> Vec<Seat> {
    let plugin: Arc<str> = plugin.into();
    (0..most).map_while(|_| capacity.take(purpose, &plugin, weight)).collect()
}

fn configured<const N: usize>(total: usize, plugins: [(&str, usize); N]) -> Capacity {
    let capacity = Capacity::new(total);
    capacity.configure(plugins.map(|(name, own)| (name.into(), own)));
    capacity
}

#[test]
fn requests_leave_a_reload_what_it_needs() {
    let capacity = configured(100, [("a", 40)]);
    let serving = take(&capacity, Purpose::Control, "a", 40);
    let calls = take(&capacity, Purpose::Request, "a", 100);
    assert_eq!(calls.len(), 20);
    let next = take(&capacity, Purpose::Control, "a", 100);
    assert_eq!(next.len(), 40, "every plugin of the next configuration finds its seat");
    drop(serving);
    assert_eq!(take(&capacity, Purpose::Request, "a", 100).len(), 0, "they are as many as before");
    drop(calls);
    assert_eq!(
        take(&capacity, Purpose::Request, "a", 100).len(),
        20,
        "what is given back is there"
    );
}

#[test]
fn a_quarter_is_kept_where_little_serves() {
    let capacity = configured(100, [("a", 1)]);
    let serving = take(&capacity, Purpose::Control, "a", 1);
    let calls = take(&capacity, Purpose::Request, "a", 100);
    assert_eq!(calls.len(), 74);
    drop(serving);
    assert_eq!(take(&capacity, Purpose::Request, "a", 100).len(), 1, "its own");
    capacity.configure([("a".into(), 1000)]);
    assert_eq!(take(&capacity, Purpose::Control, "a", 100).len(), 26);
}

#[test]
fn no_plugin_takes_what_others_have_to_themselves() {
    let capacity = configured(1000, [("greedy", 10), ("a", 10), ("b", 10)]);
    let serving = ["greedy", "a", "b"].map(|name| take(&capacity, Purpose::Control, name, 10));
    // Beside a reload's quarter and what serves there are 720.
    let greedy = take(&capacity, Purpose::Request, "greedy", 1000);
    assert_eq!(greedy.len(), 720 - 2 * 120);
    for plugin in ["a", "b"] {
        let calls = take(&capacity, Purpose::Request, plugin, 1000);
        assert_eq!(calls.len(), 120, "{plugin}");
    }
    // An instance that trapped is made anew, whatever others have taken.
    let rest = take(&capacity, Purpose::Request, "a", 120);
    let [_, of_a, _] = serving;
    drop(of_a);
    assert_eq!(take(&capacity, Purpose::Request, "a", 1000).len(), 10);
    drop((rest, greedy));
    assert_eq!(take(&capacity, Purpose::Request, "b", 1000).len(), 720 - 2 * 120);
}

#[test]
fn what_is_configured_no_more_has_nothing_to_itself() {
    let capacity = configured(100, [("old", 10), ("new", 10)]);
    let old = take(&capacity, Purpose::Control, "old", 10);
    capacity.configure([("new".into(), 10)]);
    assert_eq!(take(&capacity, Purpose::Request, "new", 100).len(), 75);
    drop(old);
    assert_eq!(capacity.0.taken().plugins.len(), 1, "it is forgotten");
}

#[test]
fn who_consists_of_more_takes_more() {
    let capacity = configured(100, [("heavy", 40), ("light", 2)]);
    let serving = weighing(&capacity, Purpose::Control, "heavy", 20, 10);
    assert_eq!(serving.len(), 5);
    drop(serving);
    let serving = weighing(&capacity, Purpose::Control, "heavy", 20, 2);
    // Of 16 beside, 4 are the other's.
    assert_eq!(weighing(&capacity, Purpose::Request, "heavy", 4, 10).len(), 3);
    assert_eq!(weighing(&capacity, Purpose::Request, "heavy", 20, 10).len(), 0);
    let next = weighing(&capacity, Purpose::Control, "heavy", 20, 2);
    assert_eq!(next.len(), 2, "the reload that replaces it has room");
    drop((serving, next));
}

#[test]
fn one_client_leaves_a_quarter_to_the_others() {
    let capacity = configured(100, [("a", 1)]);
    let admit = |address: &str| -> Vec<MadeFor> {
        (0..1000).map_while(|_| capacity.admit(ClientKey::of(address), 1)).collect()
    };
    let one = admit("192.0.2.1");
    assert_eq!(one.len(), 57, "of 75");
    assert_eq!(admit("192.0.2.2").len(), 57);
    assert_eq!(admit("").len(), 1000, "nobody in particular is bounded by seats alone");
    drop(one);
    assert!(capacity.0.taken().clients.is_empty(), "nobody is kept who has nothing");
    assert!(capacity.admit(ClientKey::of("192.0.2.1"), 99).is_some(), "the first is welcome");
}
