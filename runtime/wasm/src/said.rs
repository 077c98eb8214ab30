//! What a plugin's `configure` says of its configuration.
//!
//! In: the text of the contract: one sentence, or a line `#POINTER: MESSAGE` for each problem, with a
//! line `help: …` behind it. Out: problems with their places. Never: more of them than are told.

use weir_core::config::Flaw;
use weir_core::http::query;

use super::problem::{MAX_PROBLEMS, Problem};

/// The problems of a text.
pub fn problems(text: &str) -> Vec<Problem> {
    let whole = || vec![Problem::at("/config", Flaw::Said(text.to_owned()))];
    let mut all: Vec<Problem> = Vec::new();
    for line in text.lines() {
        if let Some((pointer, message)) = placed(line) {
            if all.len() > MAX_PROBLEMS {
                break;
            }
            let pointer = format!("/config{pointer}");
            all.push(Problem::at(pointer, Flaw::Said(message.to_owned())));
            continue;
        }
        match (line.strip_prefix("help: "), all.last_mut()) {
            (Some(help), Some(last)) => last.hint = Some(help.to_owned()),
            // Somebody's own words, of several lines.
            _ => return whole(),
        }
    }
    if all.is_empty() { whole() } else { all }
}

/// Those of the plugin that tell something new beside what its schema found: what is said of a value
/// that the schema refused, or of a table around one, may only follow from it.
pub fn besides(said: Vec<Problem>, found: &[Problem]) -> Vec<Problem> {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let follows = |said: &Problem| {
        let Some(here) = said.pointer.as_deref() else { return true };
        found.iter().any(|found| {
            let Some(there) = found.pointer.as_deref() else { return true };
            let lacks = matches!(found.flaw, Flaw::MissingKey(_));
            within(there, here) || (within(here, there) && !lacks)
        })
    };
    said.into_iter().filter(|said| !follows(said)).collect()
}

/// The pointer, decoded (RFC 6901, 6), and what is said of the value.
fn placed(line: &str) -> Option<(String, &str)> {
    let (pointer, message) = line.strip_prefix('#')?.split_once(": ")?;
    if !(pointer.is_empty() || pointer.starts_with('/')) || pointer.contains(' ') {
        return None;
    }
    // A plus is a plus in a fragment.
    let decoded = query::decode(pointer.replace('+', "%2B").as_bytes()).into_owned();
    Some((String::from_utf8_lossy(&decoded).into_owned(), message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(String, String, Option<String>)> {
        let told = |problem: Problem| {
            (problem.pointer.unwrap_or_default(), problem.flaw.words(), problem.hint)
        };
        problems(text).into_iter().map(told).collect()
    }

    #[test]
    fn each_line_with_a_pointer_is_a_problem() {
        let text = "#/allow/0: `x` is none\nhelp: write \"y\"\n#/a%20b/~1c: wrong: so\n#: nothing";
        let at = |pointer: &str, said: &str, help: Option<&str>| {
            (pointer.to_owned(), said.to_owned(), help.map(str::to_owned))
        };
        let expected = [
            at("/config/allow/0", "`x` is none", Some("write \"y\"")),
            at("/config/a b/~1c", "wrong: so", None),
            at("/config", "nothing", None),
        ];
        assert_eq!(told(text), expected);
    }

    #[test]
    fn any_other_text_is_one_problem() {
        for text in ["", "no", "two\nlines", "#1 is wrong", "# : x", "help: x", "#/a: b\nand more"]
        {
            let told = told(text);
            assert_eq!(told.len(), 1, "{text}");
            assert_eq!(told[0].0, "/config", "{text}");
        }
        assert!(told(&"#/a: b\n".repeat(100_000)).len() <= MAX_PROBLEMS + 1);
    }

    #[test]
    fn what_follows_from_the_schema_s_is_not_told() {
        let found = [
            Problem::at("/config/rules/0/path", Flaw::Value("is none".to_owned())),
            Problem::at("/config/rules/1", Flaw::MissingKey("to".to_owned())),
        ];
        let said = problems(
            "#: nothing\n#/rules/0: a\n#/rules/0/path: b\n#/rules/0/path/x: c\n#/rules/1: d\n\
             #/rules/0/paths: new\n#/rules/1/from: new\n#/host: new",
        );
        let new = besides(said, &found);
        let places: Vec<_> = new.iter().filter_map(|new| new.pointer.as_deref()).collect();
        assert_eq!(places, ["/config/rules/0/paths", "/config/rules/1/from", "/config/host"]);
    }
}
