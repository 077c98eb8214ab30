//! What a configuration costs, and how long what is said of it is, whatever somebody wrote.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::*;

/// Seconds on a busy machine; by pairs of routes it would be an hour.
const LONG: Duration = Duration::from_secs(60);
const ROUTES: usize = 16_000;

fn large(head: &str, route: impl Fn(usize, &mut String)) -> String {
    let mut text = format!("[listeners.web]\nbind = \"127.0.0.1:0\"\n{head}\n");
    (0..ROUTES).for_each(|at| route(at, &mut text));
    text
}

/// What is said of a text, soon.
fn soon(what: &str, toml: &str) -> String {
    let started = Instant::now();
    let source = text(toml);
    let said = match load(&source, &Environment::default(), &["key-auth", "cors"]) {
        Ok(config) => format!("{} warnings", config.warnings.len()),
        Err(problems) => problems.to_string(),
    };
    let took = started.elapsed();
    assert!(took < LONG, "{what} took {took:?}");
    assert!(said.len() < 300_000, "{what}: {} bytes are said", said.len());
    said
}

#[test]
fn a_check_costs_what_the_configuration_is_long() {
    let guard = "[plugins.k]\ncomponent = \"key-auth\"\n";
    let one = "[upstreams.u]\nendpoints = [\"http://127.0.0.1:1\"]\n";
    let keyed = |extra: &'static str| {
        move |at: usize, text: &mut String| {
            let _ = writeln!(text, "[routes.r{at}]\nmatch.path = \"/{at}/*\"\n{extra}");
        }
    };
    soon("no guard", &large(one, keyed("upstream = \"u\"")));
    soon(
        "an upstream each",
        &large(guard, |at, text| {
            let _ = writeln!(text, "[routes.r{at}]\nmatch.path = \"/{at}/*\"\nplugins = [\"k\"]");
            let _ = writeln!(text, "upstream = \"u{at}\"\n[upstreams.u{at}]");
            let _ = writeln!(text, "endpoints = [\"http://127.0.0.1:{}\"]", at + 1);
        }),
    );
    let mixed = |host: bool| {
        large(&format!("{guard}{one}"), move |at, text| {
            let plugins = if at % 2 == 0 { "plugins = [\"k\"]\n" } else { "" };
            let path = if at % 2 == 0 { "/admin/*" } else { "/*" };
            let host =
                if host { format!("match.host = \"h{}.test\"\n", at / 2) } else { String::new() };
            let _ = writeln!(
                text,
                "[routes.r{at}]\n{host}match.path = \"{path}\"\n{plugins}upstream = \"u\""
            );
        })
    };
    let said = soon("a host each, guarded and open", &mixed(true));
    assert_eq!(said, "201 warnings");
    soon("equal routes", &mixed(false));
    soon("unknown names", &large(one, keyed("upstream = \"v\"\nplugins = [\"nobody\"]")));
    soon("misspelt keys", &large(one, keyed("upsteam = \"u\"\nupstream = \"u\"\nprority = 1")));
    soon("on one line", &{
        let mut text = "listeners.web.bind = \"127.0.0.1:0\"\nroutes = { ".to_owned();
        (0..ROUTES).for_each(|at| text.push_str(&format!("r{at} = {{ upstream = \"u\" }}, ")));
        text + "}\nupstreams.u.endpoints = [\"http://127.0.0.1:1\"]\n"
    });
    soon("torn tables", &large(one, keyed("upstream = \nplugins = [\n")));
    soon("keys twice", &large("[server]", |_, text| text.push_str("grace = \"1s\"\n")));
}

#[test]
fn the_ways_around_a_guard_are_found_by_what_they_lead_to() {
    let warnings = |toml: &str| -> Vec<String> {
        let config = load(&text(toml), &Environment::default(), &["key-auth"]).unwrap();
        config.warnings.iter().map(|warning| warning.message.clone()).collect()
    };
    let with = |guarded: &str, wide: &str| {
        warnings(&format!(
            "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.k]\ncomponent = \"key-auth\"\n\
             [routes.guarded]\nplugins = [\"k\"]\nupstream = \"u\"\n{guarded}\n\
             [routes.wide]\nupstream = \"v\"\n{wide}\n\
             [upstreams.u]\nendpoints = [\"http://A.test:1\"]\n\
             [upstreams.v]\nendpoints = [\"http://a.test:1\"]\n"
        ))
    };
    let path = "match.path = \"/admin/*\"";
    for (guarded, wide, around) in [
        ("", "", true),
        ("", "match.path = \"/*\"", true),
        ("", "match.path = { prefix = \"/\" }", true),
        ("", "match.path = { regex = \"/.*\" }", true),
        ("", "match.path = \"/other/*\"", false),
        ("", "path = \"normal\"", false),
        ("match.host = \"a.test\"", "", true),
        ("match.host = \"a.test\"", "match.host = \"a.test\"", true),
        ("match.host = \"a.test\"", "match.host = \"*.test\"", true),
        ("match.host = \"*.test\"", "match.host = \"a.test\"", true),
        ("match.host = \"a.test\"", "match.host = \"b.test\"", false),
        ("", "match.host = \"b.test\"", true),
    ] {
        let found = with(&format!("{path}\n{guarded}"), wide);
        assert_eq!(!found.is_empty(), around, "{guarded} / {wide}: {found:?}");
    }
}

#[test]
fn what_is_said_is_short_however_long_what_was_written() {
    let long = "v".repeat(10 << 20);
    let said = soon("a long value", &format!("[routes.a]\nupstream = \"{long}\"\n"));
    assert!(said.contains("characters more)"), "{said}");
    assert!(said.len() < 4000, "{}", said.len());
    let said = soon("a long key", &format!("[routes.a]\n{long} = 1\n"));
    assert!(said.len() < 4000, "{}", said.len());
    let said = soon("a long name", &format!("[routes.{long}]\nupstream = 1\n"));
    assert!(said.len() < 8000, "{}", said.len());
    let mut keys = String::from("[listeners.web]\nbind = \"127.0.0.1:0\"\n");
    (0..5000).for_each(|at| keys.push_str(&format!("wrong{at} = 1\n")));
    let problems = load_text(&keys).unwrap_err();
    assert_eq!(problems.len(), 201);
    let last = problems.iter().last().unwrap();
    assert_eq!(last.message, "4800 more problems are not shown");
}
