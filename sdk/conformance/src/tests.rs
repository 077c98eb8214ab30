use super::*;

#[test]
fn the_macro_and_the_table_name_the_same_behaviours() {
    let mut named = Vec::new();
    macro_rules! name {
        ($id:ident) => {
            named.push(stringify!($id))
        };
    }
    foreach_behaviour!(name);
    let listed: Vec<_> = BEHAVIOURS.iter().map(|behaviour| behaviour.id).collect();
    assert_eq!(named, listed);
}

#[test]
fn every_behaviour_can_be_seen() {
    for behaviour in BEHAVIOURS {
        let expect = &behaviour.expect;
        let seen = expect.upstream.is_none()
            || expect
                .upstream
                .is_some_and(|seen| !seen.fields.is_empty() || seen.body != behaviour.request.body)
            || !expect.client.fields.is_empty()
            || expect.client.cut
            || expect.client.body != Some(behaviour.upstream.body)
            || !expect.log.is_empty()
            || !expect.metrics.is_empty();
        assert!(seen, "{} would pass without the guest", behaviour.id);
    }
}
