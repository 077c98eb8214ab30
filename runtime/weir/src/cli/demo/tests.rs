use weir_bundle::BUILT_INS;

use super::*;

#[test]
fn every_plugin_has_a_route_and_an_example() {
    for (name, _) in BUILT_INS {
        assert!(CONFIG.contains(&format!("component = \"{name}\"")), "{name} has no route");
        let path = format!("/{name}");
        let of_it = |example: &&Example| example.target.starts_with(&path);
        assert!(EXAMPLES.iter().any(|example| of_it(&example)), "{name} has no example");
    }
}

#[test]
fn lines_can_be_pasted_into_a_shell() {
    let line = |target, with, times| {
        let example =
            Example { about: "", to: To::Web, target, with, times, answers: 200, shows: &[] };
        example.command("http://127.0.0.1:1")
    };
    assert_eq!(line("/a", &[], 1), "curl -i http://127.0.0.1:1/a");
    assert_eq!(line("/a?b&c", &[], 1), "curl -i 'http://127.0.0.1:1/a?b&c'");
    assert_eq!(line("/a", &[], 3), "curl -i 'http://127.0.0.1:1/a?[1-3]'");
    let with = &[With::Method("PUT"), With::Field("x-a", "b"), With::Body("c d")];
    assert_eq!(line("/", with, 1), "curl -i -X PUT -H 'x-a: b' -d 'c d' http://127.0.0.1:1/");
}

#[test]
fn a_promise_is_broken_by_another_answer() {
    let none = |_: &str| None;
    let field = |name: &str| (name == "a").then_some("bcd");
    assert!(Shows::Field("a", "bcd").is_kept(field, ""));
    assert!(Shows::Field("a", "b…").is_kept(field, ""));
    assert!(!Shows::Field("a", "b").is_kept(field, ""));
    assert!(!Shows::Field("a", "…").is_kept(none, ""));
    assert!(Shows::Line("x: y").is_kept(none, "GET /\nx: y\n"));
    assert!(!Shows::Line("x: y").is_kept(none, "GET /\nx: yz\n"));
    assert!(Shows::Not("x").is_kept(none, "GET /\nxy: z\n"));
    assert!(!Shows::Not("x").is_kept(none, "GET /\nX: z\n"));
    assert!(!Shows::Not("a").is_kept(field, "GET /\n"));
    assert!(!Shows::Not("x").is_kept(none, ""), "nothing was shown at all");
}

#[test]
fn only_listeners_that_are_there_are_shown() {
    let web: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let text = guide(Some(web), None);
    assert!(text.contains("curl -i http://127.0.0.1:1/mock\n      → 418, "));
    assert!(!text.contains("/metrics"));
}
