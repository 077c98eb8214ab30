//! Everything that is wrong is told at once, and nothing that only follows from it.

use super::*;
use crate::config::cases::Folder;

/// Place and message of each problem of a text, without hints.
pub(super) fn found(toml: &str) -> Vec<String> {
    short(load_text(toml).expect_err("it is refused"))
}

pub(super) fn short(problems: Problems) -> Vec<String> {
    let line = |problem: &Problem| problem.to_string().replace("weir.toml:", "");
    let without = |line: String| line.split("; hint: ").next().unwrap_or_default().to_owned();
    problems.iter().map(line).map(without).collect()
}

#[test]
fn a_dozen_mistakes_are_a_dozen_problems() {
    let found = found(
        r#"
[server]
workers = 0
grace = 10
[listeners.web]
bind = "8080"
plugins = ["request-id"]
max_headers = "many"
[listeners.tls]
bind = "127.0.0.1:443"
tls.certificates = [{ cert = "no.pem", key = "no.key" }]
[plugins.x]
component = "./no.wasm"
[plugins.y]
component = "cores"
[routes.a]
upsteam = "users"
match = { host = "http://a", path = "api", methods = ["get"] }
plugins = ["x", "y", "z"]
timeout = "1 minute"
[upstreams.users]
endpoints = ["127.0.0.1:1"]
"#,
    );
    let places: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "3:11", "4:9", "6:8", "7:12", "8:15", "11:30", "11:46", "13:13", "15:13", "17:1",
            "18:18", "18:37", "18:55", "19:22", "20:11", "22:14"
        ],
        "{found:#?}"
    );
}

#[test]
fn one_file_of_a_folder_does_not_hide_the_others() {
    let folder = Folder::new();
    folder.write(
        "a.toml",
        "[listeners.web]\nbind = \"127.0.0.1:80\"\n[upstreams.known]\nendpoints = 5\n",
    );
    folder.write("b.toml", "[upstreams.lost]\nendpoints = [\"http://a\"\n[routes\nupstream = 1\n");
    folder.write("c.toml", b"[server]\n# \xe9\nworkers = 0\n");
    folder.write("d.toml", "[routes.d]\nupstream = \"lost\"\nplugins = [\"z\"]\ntimeout = 1\n");
    let source = Source::Path(folder.path().to_owned());
    let problems = load(&source, &Environment::default(), &[]).unwrap_err();
    let prefix = format!("{}/", folder.path().display());
    let found: Vec<String> = short(problems).iter().map(|line| line.replace(&prefix, "")).collect();
    assert_eq!(
        found,
        [
            "a.toml:4:13: error: upstreams.known.endpoints: expected a list, found the integer 5",
            "b.toml:2:24: error: this is not TOML: unclosed array, expected `]`",
            "b.toml:3:8: error: this is not TOML: unclosed table, expected `]`",
            "c.toml:2:3: error: this is not TOML: a byte here is not UTF-8",
            // The plugin `z` may be in the file that is no text.
            "d.toml:4:11: error: routes.d.timeout: expected a duration such as \"10s\", found the integer 1",
        ]
    );
}

#[test]
fn routes_that_match_the_same_are_warned_of() {
    let base = "[listeners.web]\nbind = \"127.0.0.1:80\"\n[listeners.tls]\nbind = \"127.0.0.1:81\"\n\
                [upstreams.u]\nendpoints = [\"http://127.0.0.1:1\"]\n";
    let warnings = |routes: &[&str]| -> Vec<String> {
        let names = ["a", "b", "c"].iter().zip(routes);
        let routes: String = names
            .map(|(name, more)| format!("[routes.{name}]\nupstream = \"u\"\n{more}\n"))
            .collect();
        let config = load_text(&format!("{base}{routes}")).unwrap_or_else(|p| panic!("{p}"));
        config.warnings.iter().map(|warning| warning.message.clone()).collect()
    };
    let never = |loser: &str, winner: &str, why: &str, on: &str| {
        format!(
            "[routes.{loser}] matches what [routes.{winner}] does, {why}: it is never taken{on}"
        )
    };
    let name = "whose name comes first";
    assert_eq!(warnings(&["", ""]), [never("b", "a", name, "")]);
    let same = "match = { host = \"A.test\", methods = [\"GET\", \"PUT\"], headers = { b = \"1\", a = { regex = \"x\" } } }";
    let written = "match = { headers = { A = { regex = \"x\" }, b = \"1\" }, methods = [\"PUT\", \"GET\", \"GET\"], host = \"a.test\" }";
    assert_eq!(warnings(&[same, written]), [never("b", "a", name, "")]);
    assert_eq!(warnings(&[same, written, same]).len(), 2);
    for (a, b) in [
        ("priority = 1", ""),
        ("match.path = \"/a\"", "match.path = \"/a/*\""),
        ("match.headers = { a = \"1\" }", "match.headers = { a = \"2\" }"),
        ("match.headers = { a = \"1\" }", "match.query = { a = \"1\" }"),
        ("match.path = { regex = \"/a\" }", "match.path = { exact = \"/a\" }"),
        ("match.methods = [\"GET\"]", ""),
        ("listeners = [\"web\"]", "listeners = [\"tls\"]"),
    ] {
        assert_eq!(warnings(&[a, b]), [""; 0], "{a} and {b}");
    }
    let on = " on listener web";
    assert_eq!(warnings(&["listeners = [\"web\"]", ""]), [never("b", "a", name, on)]);
    assert_eq!(warnings(&["", "listeners = [\"web\"]"]), [never("b", "a", name, "")]);
    assert_eq!(
        warnings(&["listeners = [\"tls\"]", "listeners = [\"web\"]", "listeners = [\"web\"]"]),
        [never("c", "b", name, "")]
    );
    // Every path, written in three ways: the most specific is the one that is taken.
    let path = "which names its path";
    assert_eq!(
        warnings(&["", "match.path = { prefix = \"/\" }", "match.path = \"/*\""]),
        [never("a", "c", path, ""), never("b", "c", path, "")]
    );
}

#[test]
fn values_that_are_not_lists_or_tables_do_not_hide_their_neighbours() {
    let found = found("[listeners.web]\nbind = 5\nplugins = \"x\"\ntls = true\nmax_headers = 0\n");
    assert_eq!(found.len(), 4, "{found:#?}");
}

/// Nothing that only follows from what could not be read.
#[test]
fn a_match_that_is_wrong_is_not_one_that_takes_everything() {
    let text = r#"
[listeners.web]
bind = "127.0.0.1:80"
[routes.a]
match.path = "*.html"
upstream = "one"
[routes.b]
match.path = { regex = "(" }
upstream = "one"
[routes.c]
upstream = ["two"]
[routes.d]
match = { path = "/d" }
upstream = "thre"
[upstreams.one]
endpoints = ["http://127.0.0.1:1"]
[upstreams.two]
endpoints = ["http://127.0.0.1:1"]
[upstreams.three]
endpoints = ["http://127.0.0.1:1"]
"#;
    let problems = load_text(text).unwrap_err();
    assert_eq!(problems.len(), 4, "{problems}");
    assert!(problems.warnings().is_empty(), "{:?}", problems.warnings());
}

#[test]
fn a_table_with_more_errors_than_are_told_says_so() {
    let text = format!("[server]\n{}", "x = =\n".repeat(100));
    let problems = load_text(&text).unwrap_err();
    let told = problems.iter().any(|problem| problem.message.contains("too much is wrong"));
    assert!(told && problems.len() < 30, "{problems}");
}

#[test]
fn hidden_files_of_a_folder_are_not_read() {
    let folder = Folder::new();
    folder.write("a.toml", "[listeners.web]\nbind = \"127.0.0.1:80\"\n");
    folder.write(".a.toml", "no TOML");
    std::os::unix::fs::symlink("user@host.1234", folder.path().join(".#a.toml")).unwrap();
    let source = Source::Path(folder.path().to_owned());
    load(&source, &Environment::default(), &[]).unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn the_level_of_the_environment_is_checked_too() {
    let environment = [("WEIR_LOG", "bogus")].into_iter().collect();
    let source = text("[listeners.web]\nbind = \"127.0.0.1:80\"\n");
    let problems = load(&source, &environment, &[]).unwrap_err();
    let told = problems.to_string();
    assert!(
        told.starts_with("environment variable WEIR_LOG: error: WEIR_LOG: \"bogus\""),
        "{told}"
    );
}

#[test]
fn secrets_are_known_by_name_or_by_what_they_are() {
    use crate::config::secret::{looks_secret, sounds_secret};
    for name in
        ["sessionId", "accessKey", "accesskey", "x-sessionid", "x-pw", "x-psk", "sig", "x-auth"]
    {
        assert!(sounds_secret(name), "{name}");
    }
    for name in ["status", "keep", "monkey", "allow_origins", "path", "hostname"] {
        assert!(!sounds_secret(name), "{name}");
    }
    for text in [
        "Bearer hunter12",
        "basic aGk6aG8=",
        "sv=1&sig=hunter8",
        "https://h/?token=x",
        "eyJh.eyJz.c2ln",
    ] {
        assert!(looks_secret(text), "{text}");
    }
    for text in ["Bearer", "basic", "/a?b=c", "max-age=5", "token={request.query.t}", "a.b.c", ""] {
        assert!(!looks_secret(text), "{text}");
    }
}
