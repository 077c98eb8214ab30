//! Whatever is wrong with a configuration, nothing that is said of it holds a secret that is in it.

use super::*;

/// What stands in every place where a secret can.
const MARK: &str = "hunter";

const WHOLE: &str = r#"
[server]
admin = "u:hunter@127.0.0.1:1"
log = "info"
[listeners.web]
bind = "127.0.0.1:0"
[listeners.t]
bind = "127.0.0.1:0"
tls = { certificates = [{ cert = "-----BEGIN CERTIFICATE-----\nhunter", key = "-----BEGIN PRIVATE KEY-----\nhunter\n" }] }
[listeners.d]
bind = "127.0.0.1:0"
tls = { certificates = [{ cert = "x", key = "MIIhunterAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }] }
[plugins.x]
component = "https://u:hunter@h/x.wasm"
[plugins.x.config]
request.set = [
  ["x-vault", "hunter"],
  { name = "vault", value = "hunter" },
]
secret = "hunter"
keys = [
  "aGVsbG8hunterV29ybGQ=",
  "hunter1V29ybGQ" ,
]
[plugins.x.config.users]
alice = "hunter" # hunter
bob = "${PASSWORD:-hunter}"
[plugins.y]
component = "cors"
config = { headers = { x-v = "hunter" }, rules = [["a", "hunter"]], key = "hunter" }
[routes.a]
match = { headers = { x-shared = "hunter", authorization = "hunter" }, query = { token = "hunter" }, host = "u:hunter@h" }
upstream = "u"
[routes.b.match.headers]
x-shared = "hunter"
x-line = """
hunter
"""
[routes.b]
upstream = "u:hunter@h"
"Authorization: Bearer hunter" = 1
"https://u:hunter@h" = 1
[upstreams.u]
endpoints = ["http://u:hunter@h/x y", "http://u:hunter@h:99999", { url = "http://u:hunter@h", weight = 0 }, "http://u:hunt/er@h"]
health = { path = "http://u:hunter@h/", host = "u:hunter@h" }
[upstreams.v]
endpoints = "http://u:hunter@h"
tls = { ca = """-----BEGIN CERTIFICATE-----
hunter
-----END CERTIFICATE-----
""", server_name = "https://u:hunter@h" }
"#;

/// All that is said of a text.
fn said(toml: &str, environment: &Environment) -> String {
    let Err(problems) = load(&text(toml), environment, &["cors"]) else { return String::new() };
    let all = problems.iter().chain(problems.warnings());
    all.map(|problem| {
        let line = problem.excerpt.as_ref().map(|excerpt| excerpt.line.as_str());
        format!("{problem}\n{}\n", line.unwrap_or_default())
    })
    .collect()
}

/// A sequence that is another for each seed, and always the same (Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }
}

/// Broken in one or two places.
fn broken(seed: u64) -> String {
    const SIGNS: [&str; 10] = ["\"", "'", "[", "]", "{", "}", ",", "\n", " oops ", "\"\"\""];
    let mut dice = Dice(seed);
    let mut text = WHOLE.to_owned();
    for _ in 0..1 + dice.below(2) {
        let at = text.floor_char_boundary(dice.below(text.len()));
        match dice.below(5) {
            0 => text.insert_str(at, SIGNS[dice.below(SIGNS.len())]),
            // Without one of these a URL names nobody.
            1 if text[at..].starts_with([':', '@']) => {}
            1 => drop(text.remove(at)),
            2 => {
                let line = text[at..].lines().next().unwrap_or_default().len();
                text.replace_range(at..at + line, "");
            }
            3 => {
                let line = text[at..].lines().next().unwrap_or_default().to_owned();
                text.insert_str(at, &line);
            }
            // A text without its quotes.
            _ => {
                let quotes = text[at..].match_indices('"').map(|(quote, _)| at + quote);
                let quotes: Vec<usize> = quotes.take(2).collect();
                quotes.into_iter().rev().for_each(|at| text.replace_range(at..at + 1, ""));
            }
        }
    }
    text
}

#[test]
fn no_secret_is_told_of_a_configuration_that_is_wrong() {
    let told = said(WHOLE, &Environment::default());
    assert!(told.lines().count() > 20 && !told.contains(MARK), "{told}");
    for seed in 0..4000 {
        let toml = broken(seed);
        let told = said(&toml, &Environment::default());
        let line = told.lines().find(|line| line.contains(MARK));
        assert!(line.is_none(), "seed {seed}: {}\n{toml}", line.unwrap_or_default());
    }
}

/// Where neither a value nor its name says what it is.
#[test]
fn a_key_in_the_place_of_a_path_or_of_a_name_is_not_told() {
    let der = "MC4CAQAwBQYDK2VwBCIEIHVudGVyaHVudGVyaHVudGVyaHVudGVyaHVu";
    for toml in [
        format!(
            "[listeners.t]\nbind = \"127.0.0.1:0\"\ntls.certificates = [{{ cert = \"x\", key = \"{der}\" }}]\n"
        ),
        format!("[upstreams.v]\nendpoints = [\"http://h\"]\ntls.ca = \"{der}\"\n"),
        format!("[plugins.v]\ncomponent = \"{der}\"\n"),
        format!("[server]\ncache = \"{der}\"\naccess_log.file = \"{der}\"\nworkers = \"{der}\"\n"),
        format!(
            "[routes.a]\n\"Bearer {der}\" = 1\n\"key={der}\" = {{ x = \"y\" }}\n\"{der}\" = 1\n"
        ),
        format!("[routes.a]\nmatch = {{ \"token: {der}\" = 1, host = 5 }}\n"),
        format!("[plugins.a]\ncomponent = \"cors\"\nconfig = {{ \"token: {der}\" = 1 }}\n"),
        format!("\"Authorization: Basic {der}\" = 1\n"),
    ] {
        let told = said(&toml, &Environment::default());
        assert!(!told.is_empty() && !told.contains("MC4CAQ"), "{told}");
    }
}

#[test]
fn nothing_that_came_from_the_environment_is_told() {
    let sound = "[listeners.web]\nbind = \"127.0.0.1:0\"\n[routes.a]\nupstream = \"u\"\n\
                 [upstreams.u]\nendpoints = [\"http://127.0.0.1:1\"]\n";
    for (name, value) in [
        ("WEIR__ROUTES__A__MATCH__HEADERS", "{x=\"hunter\""),
        ("WEIR__SERVER__LOG", "hunter"),
        ("WEIR__SERVER__WORKERS", "hunter"),
        ("WEIR__SERVER__ADMIN", "hunter"),
        ("WEIR__LISTENERS__WEB__BIND", "hunter"),
        ("WEIR__ROUTES__A__UPSTREAM", "hunter"),
        ("WEIR__ROUTES__A__TIMEOUT", "hunter"),
        ("WEIR__UPSTREAMS__U__ENDPOINTS", "hunter"),
        ("WEIR__UPSTREAMS__U__ENDPOINTS", "[\"hunter\"]"),
        ("WEIR__UPSTREAMS__U__TLS__CA", "hunter"),
        ("WEIR__SERVER__ACCESS_LOG__FILE", "/nowhere/hunter"),
    ] {
        let environment = [(name, value)].into_iter().collect();
        let told = said(sound, &environment);
        assert!(told.contains(name) && !told.contains(MARK), "{name}={value}: {told}");
    }
}

#[test]
fn what_is_shown_of_a_line_that_is_no_toml_are_its_keys() {
    for (line, shown) in [
        ("bind = 127.0.0.1:80", "bind = ************"),
        ("[plugins.x", "[plugins.x"),
        ("  [\"a\", \"b\" \"c\"],", "  [***, *** ***],"),
        ("{ name = \"vault\", value = \"v\" oops },", "{ name = *******, value = *** **** },"),
        ("[plugins.q] component = \"c\"", "[*********] ********* = ***"),
        ("MIIaGVsbG8=", "**********="),
        ("  aGVsbG8hunter=,", "  *************=,"),
        ("  aGVsbG8hunter= , \"a\"", "  *************= , ***"),
        ("aGVsbG8hunter=]", "*************=]"),
        ("aGVsbG8hunter= }", "*************= }"),
        ("aGVsbG8hunter=", "*************="),
        ("aGVsbG8hunter= # why", "*************= *****"),
        ("  aGVsbG8hunter= \"a\"", "  *************= ***"),
        ("x-vault = \"a\" b", "x-vault = *** *"),
        ("a = \"x, b = \"y\" # why", "a = *****************"),
    ] {
        let mut told = line.to_owned();
        for range in crate::config::torn::values("", line) {
            told.replace_range(range.clone(), &"*".repeat(range.len()));
        }
        assert_eq!(told, shown, "{line}");
    }
}
