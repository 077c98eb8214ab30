//! What a configuration costs, and how long what is said of it is, whatever somebody wrote.

use std::fmt::Write as _;
use std::time::Duration;

use crate::clock;

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
    let started = clock::now();
    let source = text(toml);
    let said = match load(&source, &Environment::default(), &["key-auth", "cors"]) {
        Ok(config) => format!("{} warnings", config.warnings.len()),
        Err(problems) => problems.to_string(),
    };
    let took = clock::since(started);
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
    let many = "[server]\n".to_owned() + &"grace = \"1s\"\n".repeat(20 * ROUTES);
    soon("one key many times", &many);
}

/// What is said of guards, and that not everything was compared.
const TOO_MANY: &str = "there are too many routes to compare";

/// The warnings of a text, of which no more are wanted than are told.
fn warned(toml: &str) -> Vec<String> {
    let config = load(&text(toml), &Environment::default(), &["key-auth"]).unwrap();
    config.warnings.iter().map(|warning| warning.message.clone()).collect()
}

/// By what is visited, which is bounded, and not by the time that it takes.
#[test]
fn what_many_guards_cost_is_what_they_are_long() {
    const MANY: usize = 2000;
    let head = "[listeners.web]\nbind = \"127.0.0.1:0\"\npath = \"normal\"\n\
                [plugins.k]\ncomponent = \"key-auth\"\n\
                [upstreams.u]\nendpoints = [\"http://127.0.0.1:1\"]\n";
    let with = |route: &dyn Fn(usize, &mut String)| {
        let mut text = head.to_owned();
        (0..MANY).for_each(|at| route(at, &mut text));
        text
    };
    let tenants = with(&|at, text| {
        let _ = writeln!(text, "[plugins.k{at}]\ncomponent = \"key-auth\"\n[routes.r{at}]");
        let _ = writeln!(text, "match.path = \"/api/v1/tenants/t{at}/*\"\nplugins = [\"k{at}\"]");
        let _ = writeln!(text, "upstream = \"u\"");
    });
    let patterns = with(&|at, text| {
        let _ = writeln!(text, "[routes.r{at}]\nmatch.path = \"/a/b/c/d/e{at}/*\"");
        let _ = writeln!(text, "plugins = [\"k\"]\nupstream = \"u\"\n[routes.p{at}]");
        let _ =
            writeln!(text, "match.path = {{ regex = \"/x{at}/[a-z]+/.*y\" }}\nupstream = \"u\"");
    });
    let hosts = with(&|at, text| {
        let _ = writeln!(text, "[routes.r{at}]\nmatch = {{ host = \"h{at}\", path = \"/a/*\" }}");
        let _ = writeln!(text, "plugins = [\"k\"]\nupstream = \"u\"\n[routes.p{at}]");
        let _ = writeln!(text, "match = {{ host = \"h{at}\", path = \"/b/*\" }}\nupstream = \"u\"");
    });
    let endpoints = (0..50).fold(String::new(), |all, at| format!("{all}\"http://10.0.0.{at}\", "));
    let endpoints = tenants.replace("\"http://127.0.0.1:1\"", &endpoints);
    for (what, toml) in [
        ("a guard each", &tenants),
        ("and many endpoints", &endpoints),
        ("beside patterns", &patterns),
        ("of a host each", &hosts),
    ] {
        let warned = warned(toml);
        assert!(!warned.iter().any(|it| it.contains("takes") || it.contains(TOO_MANY)), "{what}");
    }
    let open = "[routes.open]\nupstream = \"u\"\n";
    let found = warned(&format!("{tenants}{open}"));
    assert_eq!(found.len(), 201, "{:?}", found.first());
    // Where nobody can tell without comparing all with all it is said.
    let alike = with(&|at, text| {
        let _ = writeln!(text, "[routes.r{at}]\nmatch.path = \"/a/{at}/*\"");
        let _ = writeln!(text, "plugins = [\"k\"]\nupstream = \"u\"\n[routes.p{at}]");
        let _ = writeln!(text, "match.path = {{ regex = \".*/x{at}/y\" }}\nupstream = \"u\"");
    });
    let found = warned(&alike);
    assert!(found.iter().any(|it| it.contains(TOO_MANY)), "{:?}", found.first());
}

#[test]
fn a_guarded_path_may_be_as_long_as_a_head() {
    for (paths, segments) in [(1, 8000), (40, 2000)] {
        let mut toml = String::from(
            "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.k]\ncomponent = \"key-auth\"\n\
             [upstreams.u]\nendpoints = [\"http://127.0.0.1:1\"]\n\
             [routes.open]\nmatch.path = \"/a/a/*\"\nupstream = \"u\"\n",
        );
        for at in 0..paths {
            let path = "/a".repeat(segments);
            let _ = writeln!(toml, "[routes.r{at}]\nmatch.path = {{ prefix = \"{path}/{at}\" }}");
            let _ = writeln!(toml, "plugins = [\"k\"]\nupstream = \"u\"");
        }
        let warned = warned(&toml);
        assert!(warned.iter().all(|it| it.starts_with("[routes.open] takes")), "{}", warned[0]);
        assert_eq!(warned.len(), paths);
    }
}

#[test]
fn the_ways_around_a_guard_are_found_by_what_they_lead_to() {
    let with = |guarded: &str, wide: &str| {
        warned(&format!(
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
