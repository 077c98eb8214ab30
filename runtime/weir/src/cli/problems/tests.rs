//! What a person sees, to the letter.

use std::ffi::OsString;

use weir_core::config::{Environment, Problems, Source, load};

use super::*;

fn problems(toml: &str) -> Problems {
    let source = Source::Text { name: "weir.toml".into(), text: toml.into() };
    load(&source, &Environment::default(), &["cors"]).expect_err("it is refused")
}

fn shown(toml: &str, colours: bool) -> String {
    let problems = problems(toml);
    let all: Vec<Problem> = problems.iter().cloned().collect();
    drawn(&all, problems.warnings(), colours)
}

#[test]
fn a_problem_is_drawn_under_its_line() {
    assert_eq!(
        shown("[listeners.web]\nbind = \"8080\" # all\n[routes.api]\nupsteam = \"ä\"\n", false),
        r#"error: listeners.web.bind: "8080" is not an address to listen on
 --> weir.toml:2:8
  |
2 | bind = "8080"
  |        ^^^^^^
  |
  = help: an address and a port, "0.0.0.0:8080" or "[::]:8080", or "unix:/run/weir.sock"

error: unknown key "upsteam" in [routes.api]
 --> weir.toml:4:1
  |
4 | upsteam = "*"
  | ^^^^^^^
  |
  = help: did you mean "upstream"?

"#
        .replace("\"*\"", "***")
    );
}

#[test]
fn no_secret_stands_in_the_line_that_is_shown() {
    let text = shown(
        "[listeners.web]\nbind = \"127.0.0.1:1\"\n[routes.a]\nplugins = [\"x\"]\n\
         match.headers = { authorization = \"hunter2\\u0000\", x-a = \"b\\u0000\" }\n\
         [plugins.x]\ncomponent = \"cors\"\n\
         config = { secret = \"hunter2\", at = nan, pin = 4711 }\n\
         [upstreams.u]\nendpoints = [\"http://me:hunter2@127.0.0.1:1\"]\n",
        false,
    );
    assert!(!text.contains("hunter2") && !text.contains("4711"), "{text}");
    assert!(text.contains("config = { secret = *********, at = nan, pin = **** }"), "{text}");
    assert!(
        text.contains("routes.a.match.headers.authorization: this value is not valid"),
        "{text}"
    );
    assert!(
        text.contains(r#"x-a: "b\\0" is not a field value"#) || text.contains("x-a: "),
        "{text}"
    );
}

#[test]
fn colours_are_for_terminals_that_have_them() {
    let toml = "[listeners.web]\nbind = \"8080\"\n";
    assert!(shown(toml, true).contains("\u{1b}["));
    assert!(!shown(toml, false).contains('\u{1b}'));
    let with = |pairs: &'static [(&str, &str)]| {
        may_colour(|name| {
            let pair = pairs.iter().find(|(known, _)| *known == name);
            pair.map(|(_, value)| OsString::from(value))
        })
    };
    assert!(with(&[]) && with(&[("NO_COLOR", ""), ("TERM", "xterm")]));
    assert!(!with(&[("NO_COLOR", "1"), ("TERM", "xterm")]) && !with(&[("TERM", "dumb")]));
}

#[test]
fn a_line_for_machines_is_one_line() {
    for problem in problems("[routes.\"a\\nb\"]\nupstream = \"x\"\n[listeners]\n").iter() {
        let line = problem.to_string();
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.starts_with("weir.toml:") && line.contains(": error: "), "{line}");
    }
}

#[test]
fn they_are_counted() {
    assert_eq!(count(1, 0), "1 problem\n");
    assert_eq!(count(12, 1), "12 problems, 1 warning\n");
}
