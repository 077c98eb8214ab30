//! What the index finds is what comparing every route with every other finds.

use std::fmt::Write as _;

use super::super::meeting::meet;
use super::super::spelling;
use super::*;
use crate::config::{Config, Environment, Source, load};

/// The next of a few, another for each seed and always the same.
struct Dice(u64);

impl Dice {
    fn of<'a>(&mut self, some: &[&'a str]) -> &'a str {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        some[(self.0 >> 33) as usize % some.len()]
    }
}

/// What a route's name ends with that says `path = "normal"`.
const MEANT: &str = "-meant";
const PATHS: [&str; 14] = [
    "",
    "match.path = \"/*\"",
    "match.path = \"/a\"",
    "match.path = \"/a/\"",
    "match.path = \"/a/*\"",
    "match.path = \"/a/b\"",
    "match.path = \"/a/b/*\"",
    "match.path = \"/ab/*\"",
    "match.path = \"/a;x\"",
    "match.path = { prefix = \"/a\" }",
    "match.path = { prefix = \"/a//b\" }",
    "match.path = { regex = '//.*' }",
    "match.path = { regex = '/a/b%2F.*' }",
    "match.path = { regex = '/(a|b)/.*' }",
];
const HOSTS: [&str; 5] =
    ["", "", "match.host = \"h.test\"", "match.host = \"i.test\"", "match.host = \"*.test\""];
const PLUGINS: [&str; 5] = ["[]", "[\"k\"]", "[\"l\"]", "[\"k\", \"l\"]", "[\"l\", \"k\"]"];
const UPSTREAMS: [&str; 6] = [
    "\"one\"",
    "\"one\"",
    "\"same\"",
    "\"other\"",
    "[{ to = \"other\" }, { to = \"one\" }]",
    "[{ to = \"other\" }, { to = \"one\", weight = 0 }]",
];

fn config(seed: u64) -> Config {
    let mut dice = Dice(seed);
    let mut text = String::from(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.k]\ncomponent = \"key-auth\"\n\
         [plugins.l]\ncomponent = \"key-auth\"\n\
         [upstreams.one]\nendpoints = [\"http://localhost:1\", \"http://b\"]\n\
         [upstreams.same]\nendpoints = [\"http://[::1]:1\"]\n\
         [upstreams.other]\nendpoints = [\"http://127.0.0.1:2\"]\n",
    );
    for at in 0..12 {
        let policy = dice.of(&["", "", "path = \"normal\"", "path = \"strict\""]);
        let meant = if policy.contains("normal") { MEANT } else { "" };
        let _ = writeln!(text, "[routes.r{at}{meant}]\n{policy}");
        let _ = writeln!(text, "{}\n{}", dice.of(&PATHS), dice.of(&HOSTS));
        let _ = writeln!(text, "plugins = {}", dice.of(&PLUGINS));
        let _ = writeln!(text, "upstream = {}", dice.of(&UPSTREAMS));
    }
    let source = Source::Text { name: "weir.toml".into(), text };
    load(&source, &Environment::default(), &["key-auth"]).expect("sound")
}

/// `one` and `same` share a machine, `other` is another.
fn leads_there(wide: &Route, guarded: &Route, config: &Config) -> bool {
    let other = |at: usize| &*config.upstreams[at].name == "other";
    wide.upstreams
        .iter()
        .filter(|to| to.weight > 0)
        .any(|wide| guarded.upstreams.iter().any(|it| other(wide.upstream) == other(it.upstream)))
}

#[test]
fn the_index_finds_what_comparing_all_with_all_does() {
    let mut found = 0;
    for seed in 0..300 {
        let config = config(seed);
        let own: Vec<Vec<usize>> = config
            .routes
            .iter()
            .map(|route| {
                let mut guards = route.plugins.clone();
                guards.sort_unstable();
                guards
            })
            .collect();
        let wide = config.routes.iter().zip(&own).map(|(route, guards)| Wide {
            route,
            guards,
            meant: route.name.ends_with(MEANT),
        });
        let wide: Vec<Wide<'_>> = wide.collect();
        let mut left = Left::default();
        let upstreams = config.upstreams.iter().enumerate();
        let ways = Ways::new(upstreams, wide.iter().copied(), &mut left).expect("few");
        for Wide { route, guards, .. } in wide.iter().filter(|it| !it.guards.is_empty()) {
            let guarded = Guarded { route, guards };
            let to = ways.endpoints_of(route);
            let paths = spelling::of(route).into_iter().chain(spelling::with_other_slash(route));
            for path in paths {
                let taking = ways.taking(&guarded, &to, &path, &mut left).expect("few");
                let meeting = |it: &&Route| meet(&it.matches, &route.matches);
                let names = |routes: Vec<&Route>| -> BTreeSet<String> {
                    routes.into_iter().filter(meeting).map(|it| it.name.to_string()).collect()
                };
                let all = wide.iter().filter(|it| {
                    !it.meant
                        && leads_there(it.route, route, &config)
                        && guards.iter().any(|guard| !it.guards.contains(guard))
                        && takes(it.route.matches.path.as_ref(), &path)
                });
                let all = names(all.map(|it| it.route).collect());
                found += all.len();
                assert_eq!(names(taking), all, "seed {seed}: {path} of {}", route.name);
            }
        }
    }
    assert!(found > 1000, "{found}");
}

#[test]
fn what_begins_with_the_same_is_visited_and_nothing_else() {
    let mut text = String::from(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[upstreams.u]\nendpoints = [\"http://b\"]\n",
    );
    for at in 0..1000 {
        let _ = writeln!(text, "[routes.r{at}]\nmatch.path = \"/tenants/t{at}/*\"");
        let _ = writeln!(text, "upstream = \"u\"\n[routes.x{at}]\nupstream = \"u\"");
        let _ = writeln!(text, "match.path = {{ regex = '/x{at}/.*' }}");
    }
    let source = Source::Text { name: "weir.toml".into(), text };
    let config = load(&source, &Environment::default(), &[]).expect("sound");
    let routes = config.routes.iter().map(|route| Wide { route, guards: &[], meant: false });
    let mut left = Left::default();
    let ways = Ways::new(config.upstreams.iter().enumerate(), routes, &mut left).expect("few");
    let guarded = Guarded { route: &config.routes[0], guards: &[0] };
    let to = ways.endpoints_of(guarded.route);
    let before = left.0;
    let taking = ways.taking(&guarded, &to, "/tenants/t500/a", &mut left).expect("few");
    assert_eq!(taking.len(), 1);
    assert!(before - left.0 < 20, "{} visits", before - left.0);
}
