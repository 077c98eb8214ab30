//! Text that is no TOML: what is wrong with it hides nothing else, and is shown without secrets.
//!
//! In: configurations with errors of syntax. Out: their problems. Never: values that are only wrong.

use super::collected::found;
use super::*;

#[test]
fn a_syntax_error_hides_nothing_but_its_statement() {
    let found = found(
        r#"
[listeners.web]
bind = "127.0.0.1:80
plugins = ["nobody"]

[routes.a]
match = { path = "a" }
upstream = "users"

[routes.b]
plugins = [
  "z",
  "x"
timeout = 5

[upstreams.users]
endpoints = ["http://127.0.0.1:1"
balance = "random"

[routes.c]
upstream = users
upstrem = 1
"#,
    );
    assert_eq!(
        found,
        [
            "3:21: error: this is not TOML: invalid basic string, expected `\"`",
            "4:12: error: listeners.web.plugins[0]: there is no [plugins.nobody]",
            "7:18: error: routes.a.match.path: path \"a\" does not start with \"/\"",
            "13:6: error: this is not TOML: missing comma between array elements, expected `,`",
            "14:11: error: routes.b.timeout: expected a duration such as \"10s\", found the integer 5",
            "17:34: error: this is not TOML: missing comma between array elements, expected `,`",
            "18:11: error: upstreams.users.balance: \"random\" is none of the choices",
            "21:12: error: this is not TOML: string values must be quoted, expected literal string",
            "22:1: error: unknown key \"upstrem\" in [routes.c]",
        ]
    );
}

#[test]
fn what_may_stand_in_a_broken_table_is_not_missing() {
    let found = found(
        r#"
[listeners.web
bind = "127.0.0.1:80"
nonsense = 5

[routes.a]
upstream = "users"
plugins = ["cors", "other"]
listeners = ["web"]

[upstreams.users]
endpoints = ["http://127.0.0.1:1"
unknown = 1

[plugins.cors
component = "cors"
"#,
    );
    assert_eq!(
        found,
        [
            "2:15: error: this is not TOML: unclosed table, expected `]`",
            "8:20: error: routes.a.plugins[1]: there is no [plugins.other]",
            "12:34: error: this is not TOML: missing comma between array elements, expected `,`",
            "13:1: error: unknown key \"unknown\" in [upstreams.users]",
            "15:14: error: this is not TOML: unclosed table, expected `]`",
        ]
    );
}

#[test]
fn strings_and_lists_over_many_lines_are_no_tables() {
    let found = found(
        r#"
[listeners.web]
bind = 127.0.0.1:80

[plugins.page]
component = "cors"
config.body = """
[section]
x = unquoted
"""
config.matrix = [
[1, 2],
[3, 4],
]
on_failure = "never"

[plugins.page]
component = "cors"

[routes.a]
plugins = ["page"]
priority = "high"
"#,
    );
    assert_eq!(
        found,
        [
            "3:13: error: this is not TOML: invalid float, expected nothing",
            "15:14: error: plugins.page.on_failure: \"never\" is none of the choices",
            "17:1: error: this is not TOML: duplicate key",
            "22:12: error: routes.a.priority: expected a whole number, found the string \"high\"",
        ]
    );
}

#[test]
fn a_string_without_its_end_takes_the_rest_with_it() {
    let found =
        found("[listeners.web]\nbind = 5\n[routes.a]\nx = 1\ny = \"\"\"\nz\n[routes.b]\nq = 1\n");
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].starts_with("2:8: error: listeners.web.bind"), "{found:#?}");
    assert!(found[1].starts_with("4:1: error: unknown key \"x\""), "{found:#?}");
    assert!(found[2].contains("this is not TOML: invalid multi-line basic string"), "{found:#?}");
}

#[test]
fn any_text_is_read_to_its_end() {
    let mut seed = 7_u64;
    let pieces = [
        "[",
        "]",
        "[a.b]\n",
        "\"\"\"",
        "\"",
        "'",
        "x = ",
        "{",
        "}",
        ",",
        "\n",
        "5",
        "[[r]]\n",
        "# c",
        "é",
        ".",
        "=",
        " ",
        "[server]\n",
        "\r\n",
        "'''",
    ];
    for _ in 0..3_000 {
        let mut text = String::new();
        for _ in 0..24 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
        }
        let problems = load_text(&text).expect_err("nothing listens");
        assert!(!problems.is_empty(), "{text}");
    }
}

/// What every other message masks is not in the line that is no TOML.
#[test]
fn no_excerpt_shows_a_secret() {
    let text = r#"
[plugins.h]
component = "headers", config = { request = { set = { x-vault = "hunter1" } } }
[routes.a]
match.headers.x-shared = "hunter2" oops
upstream = "a"
[routes.b]
match.headers.x-other = hunter3
[routes.c.match]
headers = { x-shared = "hunter4", x-more = "hunter4"
[routes.d.match.headers]
x-b = "hunter5"
x-b = "hunter5"
[upstreams.a]
endpoints = ["http://bob:hunter6@127.0.0.1:1" "http://x"]
[upstreams.b]
endpoints = ["bob:hunter7@h"]
[upstreams.c]
timeouts = { connect = 5s }
"#;
    let problems = load_text(text).unwrap_err();
    assert!(problems.len() >= 7, "{problems}");
    for problem in problems.iter() {
        let line = problem.excerpt.as_ref().map(|excerpt| excerpt.line.clone());
        let told = format!("{problem}\n{}", line.unwrap_or_default());
        assert!(!told.contains("hunter"), "{told}");
    }
    let shows = |part: &str| {
        problems.iter().any(|problem| {
            problem.excerpt.as_ref().is_some_and(|excerpt| excerpt.line.contains(part))
        })
    };
    assert!(shows(
        "component = *********, config = { request = { set = { x-vault = ********* } } }"
    ));
    assert!(shows("timeouts = { connect = ** }"), "nobody knows whose value it is");
}
