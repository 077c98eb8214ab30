//! What is said of a configuration that is wrong, by the binary itself.

use std::path::Path;
use std::process::{Command, Output};

/// Runs the binary on a configuration, with its error stream in a pipe.
fn weir(command: &str, folder: &Path, text: &str) -> Output {
    std::fs::write(folder.join("weir.toml"), text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_weir-under-test"))
        .args([command, "-c", "weir.toml"])
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("API_KEY", "swordfish")
        .output()
        .unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Keys, names, files, a syntax error, and tables of three plugins.
const WRONG: &str = r#"
[listeners.web]
bind = "8080"
plugins = ["nobody"]
tls.certificates = [{ cert = "no.pem", key = "no.key" }]

[plugins.limit]
component = "rate-limit"
config = { rate = "many", bust = 5, status = 200 }

[plugins.keys]
component = "key-auth"
config = { keys = ["hunter2", { kee = "hunter2" }], hide = "${API_KEY}" }

[plugins.mock]
component = "mock"
on_failure = "skipp"
config = { delay = "1 minute" }

[routes.a]
plugins = ["limit", "keys", "mock"]
timeout =
"#;

#[test]
fn check_tells_everything_at_once_with_the_line_and_a_mark() {
    let folder = tempfile::tempdir().unwrap();
    let output = weir("check", folder.path(), WRONG);
    assert_eq!(output.status.code(), Some(2));
    let text = errors(&output);
    let titles: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(
        titles,
        [
            "error: listeners.web.bind: \"8080\" is not an address to listen on",
            "error: listeners.web.plugins[0]: there is no [plugins.nobody]",
            "error: listeners.web.tls.certificates[0].cert: no.pem cannot be read: No such file or directory (os error 2)",
            "error: listeners.web.tls.certificates[0].key: no.key cannot be read: No such file or directory (os error 2)",
            "error: plugins.limit.config.rate: expected a whole number, found the string \"many\"",
            "error: unknown key \"bust\" in [plugins.limit.config]",
            "error: plugins.limit.config.status: 200 is out of range: 400 to 599",
            "error: plugins.keys.config.keys[1] has no \"name\"",
            "error: unknown key \"kee\" in plugins.keys.config.keys[1]",
            "error: plugins.keys.config.hide: expected true or false, found a string",
            "error: plugins.mock.on_failure: \"skipp\" is none of the choices",
            "error: plugins.mock.config.delay: expected a duration such as \"10s\", found the string \"1 minute\"",
            "error: this is not TOML: string values must be quoted, expected literal string",
        ],
        "{text}"
    );
    for shown in [
        " --> weir.toml:9:27\n",
        "9 | config = { rate = ******, bust = *, status = *** }\n",
        "  |                           ^^^^\n",
        "  = help: did you mean \"burst\"?\n",
        "18 | config = { delay = \"1 minute\" }\n   |                    ^^^^^^^^^^\n",
        "  = help: did you mean \"skip\"?\n",
        "13 | config = { keys = [*********, { kee = ********* }], hide = ************ }\n",
        "13 problems\n",
    ] {
        assert!(text.contains(shown), "{shown}\n{text}");
    }
    assert!(!text.contains("hunter2") && !text.contains("swordfish"), "{text}");
    assert!(!text.contains('\u{1b}'), "a pipe has no colours: {text}");
}

#[test]
fn a_start_without_a_terminal_tells_each_problem_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let output = weir("run", folder.path(), WRONG);
    assert_eq!(output.status.code(), Some(2));
    let text = errors(&output);
    let problems: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("weir.toml:") && line.contains(": error: "))
        .collect();
    assert_eq!(problems.len(), 13, "{text}");
    let limit = "weir.toml:9:27: error: unknown key \"bust\" in [plugins.limit.config]; \
                 hint: did you mean \"burst\"?";
    assert!(problems.contains(&limit), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("swordfish"), "{text}");
}

#[test]
fn a_good_configuration_still_warns() {
    let folder = tempfile::tempdir().unwrap();
    let output = weir(
        "check",
        folder.path(),
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.m]\ncomponent = \"mock\"\n\
         [routes.a]\nplugins = [\"m\"]\n[routes.b]\nplugins = [\"m\"]\n",
    );
    assert_eq!(output.status.code(), Some(0));
    let text = errors(&output);
    assert!(text.contains("warning: [routes.b] matches what [routes.a] does"), "{text}");
    assert!(text.contains("weir.toml:7:1"), "{text}");
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("fine: "));
}

/// Texts, and whether they are durations or sizes: `sdk/units` has the lists.
fn shared(list: &str) -> Vec<(String, bool)> {
    list.lines()
        .filter_map(|line| line.strip_prefix('|')?.rsplit_once("| "))
        .map(|(text, value)| {
            (serde_json::to_string(text).unwrap(), value.starts_with(|c: char| c.is_ascii_digit()))
        })
        .collect()
}

#[test]
fn durations_and_sizes_are_the_same_in_core_and_plugins() {
    let durations = shared(include_str!("../../sdk/units/cases/durations.txt"));
    let sizes = shared(include_str!("../../sdk/units/cases/sizes.txt"));
    let mut toml = String::from("[listeners.web]\nbind = \"127.0.0.1:0\"\nnothing = 1\n");
    for (i, (text, _)) in durations.iter().enumerate() {
        toml += &format!(
            "[plugins.d{i}]\ncomponent = \"cors\"\n\
             config = {{ allow_origins = [\"*\"], max_age = {text} }}\n\
             [routes.d{i}]\nplugins = [\"d{i}\"]\ntimeout = {text}\n"
        );
    }
    for (i, (text, _)) in sizes.iter().enumerate() {
        toml += &format!(
            "[plugins.s{i}]\ncomponent = \"body-limit\"\nconfig.limit = {text}\n\
             [listeners.s{i}]\nbind = \"127.0.0.1:0\"\nbody_limit = {text}\n"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let text = errors(&weir("run", folder.path(), &toml));
    // A value out of a key's range is one.
    let refused = |path: &str| {
        let told = format!(" error: {path}: ");
        text.lines().any(|line| line.contains(&told) && !line.contains("out of range"))
    };
    assert!(text.contains("unknown key \"nothing\""), "{text}");
    for (i, (value, good)) in durations.iter().enumerate() {
        assert_eq!(refused(&format!("routes.d{i}.timeout")), !good, "core: {value}\n{text}");
        assert_eq!(
            refused(&format!("plugins.d{i}.config.max_age")),
            !good,
            "plugin: {value}\n{text}"
        );
    }
    for (i, (value, good)) in sizes.iter().enumerate() {
        assert_eq!(refused(&format!("listeners.s{i}.body_limit")), !good, "core: {value}\n{text}");
        assert_eq!(
            refused(&format!("plugins.s{i}.config.limit")),
            !good,
            "plugin: {value}\n{text}"
        );
    }
}

/// A problem's key and message, and a word of its help.
type Told = (&'static str, &'static str);

/// Every built-in plugin whose table can be wrong in several ways, and what is told of it: the place, and
/// a word of the message or of the help.
const TABLES: [(&str, &str, &[Told]); 12] = [
    (
        "ip-filter",
        r#"{ allow = ["10.0.0.1/8", "banana", "1.2.3.4/33"], deny = ["::1/129", "::1"] }"#,
        &[
            ("allow[0]: `10.0.0.1/8` has bits behind its prefix", "write \"10.0.0.0/8\""),
            ("allow[1]: `banana` is no address", "such as \"192.0.2.7\""),
            ("allow[2]: `1.2.3.4/33` is no address", "such as"),
            ("deny[0]: `::1/129` is no address", "such as"),
        ],
    ),
    (
        "redirect",
        r#"{ port = 99999, status = 304, host = "a:80", path = "/x y", prefix = { from = "a", to = "/b" }, regex = { pattern = "(", replace = "" } }"#,
        &[
            ("port: 99999 is out of range: 1 to 65535", ""),
            ("status: expected 301, 302, 303, 307 or 308, found the integer 304", ""),
            ("host: `a:80` is no host", "a port goes into `port`"),
            ("path: `/x y` is no path", "such as \"/new\""),
            ("prefix.from: `a` is no path", "such as \"/new\""),
            ("regex.pattern: `(` is no regular expression", ""),
        ],
    ),
    (
        "rewrite",
        r#"{ strip_prefix = "api", add_prefix = "/a b", host = "a b", regex = { pattern = "(", replace = "" } }"#,
        &[
            ("strip_prefix: \"api\" is not a prefix of a path", ""),
            ("add_prefix: `/a b` is no prefix of a path", "\"/api/v1\""),
            ("host: `a b` is no host", "app.internal:8080"),
            ("regex.pattern: `(` is no regular expression", ""),
        ],
    ),
    (
        "cors",
        r#"{ allow_origins = ["https://a.example/", { regex = "(" }], allow_methods = ["G ET"], expose_headers = ["a b", ""] }"#,
        &[
            ("allow_origins[0]: `https://a.example/` is never sent", "not even a slash"),
            ("allow_origins[1].regex: `(` is no regular expression", ""),
            ("allow_methods[0]: \"G ET\" is no name", "one in each text"),
            ("expose_headers[0]: \"a b\" is no name", ""),
            ("expose_headers[1]: \"\" is no name", ""),
        ],
    ),
    (
        "headers",
        r#"{ request = { set = { Host = "x", x = "{nope}", y = "a\nb" }, remove = ["connection"], rename = { a = "b", c = "b" } } }"#,
        &[
            ("request.set.host: the field `host` belongs to the proxy", ""),
            ("request.set.x: unknown variable `{nope}`", "known are {client.address}"),
            ("request.set.y: the value \"***\" has control characters", ""),
            ("request.remove[0]: the field `connection` belongs", ""),
            ("request.rename.c: another field is renamed to `b` too", ""),
        ],
    ),
    (
        "basic-auth",
        r#"{ users = { alice = "hunter2", "a:b" = "plain:hunter2", c = "plain:", d = "$2b$15$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy", e = "$argon2id$v=19$m=131072,t=1,p=1$aHVudGVyMjI$J0h/eOIccad38gI2gY5uzw", f = "$2b$31$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy", g = "$argon2id$v=19$m=90000,t=1,p=1$aHVudGVyMjI$J0h/eOIccad38gI2gY5uzw" }, realm = "\"" }"#,
        &[
            ("users.d: to compare with this hash may take 7.2s", "raise it to \"8s\""),
            ("users.e: to compare with this hash takes 128 MiB", "raise it to \"136MiB\""),
            ("users.f: to compare with this hash may take", "make one of a lower cost"),
            ("users.alice: it is no hash of a kind known here", ""),
            ("users.\"a:b\": \"a:b\" has a colon", "rename it"),
            ("users.c: the password is empty", ""),
            ("realm: a realm has no quotes", ""),
        ],
    ),
    (
        "key-auth",
        r#"{ keys = ["hunter2\n", "", "hunter2", { key = "hunter2", name = "b" }], realm = "\\" }"#,
        &[
            ("keys[0]: it has bytes", "printable ASCII"),
            ("keys[1]: it is empty", ""),
            ("keys[3]: one key is there twice", "remove one of them"),
            ("realm: a realm has no quotes", ""),
        ],
    ),
    (
        "jwt",
        r#"{ secret = "hunter2", realm = "\"", claims_to_headers = { sub = "host", a = "te" } }"#,
        &[
            ("secret: it has 7 bytes", ""),
            ("realm: a realm has no quotes", ""),
            ("claims_to_headers.sub: the field `host` belongs", ""),
            ("claims_to_headers.a: the field `te` belongs", ""),
        ],
    ),
    (
        "mock",
        r#"{ headers = { te = "1", x = "{nope}" }, body = "{nope}", delay = "6m", paths = [{ path = "a" }, { path = "/", delay = "1d" }] }"#,
        &[
            ("headers.te: the field `te` belongs", ""),
            ("headers.x: unknown variable", ""),
            ("body: unknown variable", ""),
            ("delay: this delay is longer than 5 minutes", "at most \"5m\""),
            ("paths[0].path: `a` does not begin with a slash", "write \"/a\""),
            ("paths[1].delay: this delay is longer", ""),
        ],
    ),
    (
        "rate-limit",
        r#"{ rate = 1, per = "0s", key = "client.adress", status = 200 }"#,
        &[
            ("per: the period is 0", "such as \"1m\""),
            ("key: unknown variable", ""),
            ("status: 200 is out of range: 400 to 599", ""),
        ],
    ),
    (
        "security-headers",
        r#"{ remove = ["host", "te"], x-frame-options = "a\nb", cache-control = "\n" }"#,
        &[
            ("remove[0]: the field `host` belongs", ""),
            ("remove[1]: the field `te` belongs", ""),
            ("x-frame-options: the value is empty or has control", "`false` leaves it out"),
            ("cache-control: the value is empty or has control", ""),
        ],
    ),
    (
        "request-id",
        r#"{ header = "host", algorithm = "uuid" }"#,
        &[
            ("header: the field `host` belongs", ""),
            ("algorithm: expected", "did you mean \"uuidv7\"?"),
        ],
    ),
];

#[test]
fn all_that_a_plugin_finds_is_told_at_once_each_at_its_value() {
    let folder = tempfile::tempdir().unwrap();
    for (plugin, config, expected) in TABLES {
        let text = format!(
            "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.p]\ncomponent = {plugin:?}\n\
             config = {config}\n[routes.a]\nplugins = [\"p\"]\n"
        );
        let output = weir("check", folder.path(), &text);
        assert_eq!(output.status.code(), Some(2), "{plugin}");
        let told = errors(&output);
        let problems: Vec<&str> =
            told.split("\n\n").filter(|one| one.starts_with("error")).collect();
        for (says, help) in expected {
            let title = format!("error: plugins.p.config.{says}");
            let problem = problems.iter().find(|problem| problem.starts_with(&title));
            let problem = problem.unwrap_or_else(|| panic!("{plugin}: {title}\n{told}"));
            assert!(problem.contains(help) && problem.contains("^"), "{plugin}: {help}\n{problem}");
            assert!(!problem.contains("weir.toml:5:10\n"), "the mark is on the table:\n{problem}");
        }
        assert_eq!(problems.len(), expected.len(), "{plugin}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

/// Nobody can tell before whether it will have a reader.
#[test]
fn an_access_log_that_cannot_be_opened_is_told_with_its_key_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let text = "[listeners.web]\nbind = \"127.0.0.1:0\"\n[routes.a]\nupstream = \"u\"\n\
                [upstreams.u]\nendpoints = [\"http://127.0.0.1:1\"]\n\
                [server]\naccess_log = { file = \"pipe\" }\n";
    assert_eq!(weir("check", folder.path(), text).status.code(), Some(0));
    let output = weir("run", folder.path(), text);
    assert_eq!(output.status.code(), Some(1));
    let told = errors(&output);
    assert!(told.contains("weir.toml:8:23: server.access_log.file: "), "{told}");
    assert!(told.contains("pipe: cannot be opened for appending"), "{told}");
}
