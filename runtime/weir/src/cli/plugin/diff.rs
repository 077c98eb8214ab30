//! Two components beside each other.
//!
//! In: what is known of each. Out: every line of both, marked where only one has it, and whether the new one
//! can do what the old one cannot. Never: compares what they do: what they could is all that a binary tells.

use similar::{ChangeTag, TextDiff};
use weir_core::config::Grant;
use weir_core::telemetry::acting::Shown;
use weir_wasm::Inspection;

use super::schema;

/// What changes, in lines, and whether that lets the new one do more.
pub fn of(old: &Inspection, new: &Inspection) -> (String, bool) {
    let (before, after) = (lines(old), lines(new));
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    let after: Vec<&str> = after.iter().map(String::as_str).collect();
    let mut text = String::new();
    for change in TextDiff::from_slices(&before, &after).iter_all_changes() {
        let mark = match change.tag() {
            ChangeTag::Equal => ' ',
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        text += &format!("{mark} {}\n", change.value());
    }
    let beyond = new.capabilities.beyond(&old.capabilities);
    let words: Vec<_> = beyond.iter().map(|(_, can)| *can).collect();
    let needed = |grant: &Grant| beyond.iter().any(|(of, _)| of == grant);
    let grants = Grant::ALL.into_iter().filter(needed);
    let grants: Vec<_> = grants.map(|grant| grant.line()).collect();
    text += &match beyond.is_empty() {
        true => "\nthe new one can do nothing that the old one cannot\n".to_owned(),
        false => format!(
            "\nthe new one can do what the old one cannot: {}\n\
             a reload to it is refused without grants = {{ {} }}\n",
            words.join(", "),
            grants.join(", ")
        ),
    };
    (text, !beyond.is_empty())
}

/// Everything, a line each. What a component says of itself is a stranger's.
fn lines(of: &Inspection) -> Vec<String> {
    let Inspection { about, digest, size, hooks, imports, functions, capabilities } = of;
    let mut lines = vec![format!("{} {}", Shown(&about.name), Shown(&about.version))];
    lines.push(Shown(&about.summary).to_string());
    lines.push(format!("sha256:{digest}"));
    lines.push(format!("{size} bytes"));
    let mut section = |title: &str, items: Vec<String>| {
        lines.push(title.to_owned());
        lines.extend(items.into_iter().map(|item| format!("    {item}")));
    };
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    section("can", owned(&capabilities.can));
    section("cannot", owned(&capabilities.cannot));
    section("hooks", owned(&hooks.names()));
    let mut called: Vec<String> = functions
        .iter()
        .map(|(interface, function)| format!("{}.{}", Shown(interface), Shown(function)))
        .collect();
    called.sort();
    section("functions", called);
    let mut imported: Vec<String> = imports.iter().map(|it| Shown(it).to_string()).collect();
    imported.sort();
    section("imports", imported);
    section("config", schema(about));
    lines
}

#[cfg(test)]
mod tests {
    use weir_core::chain::Hooks;
    use weir_wasm::{About, Capabilities};

    use super::*;

    fn component(hooks: Hooks, called: &[(&str, &str)], schema: &str) -> Inspection {
        let functions: Vec<_> =
            called.iter().map(|(of, name)| ((*of).to_owned(), (*name).to_owned())).collect();
        let about = About {
            name: "it".to_owned(),
            version: "1".to_owned(),
            summary: "does it".to_owned(),
            config_schema: schema.to_owned(),
        };
        let capabilities = Capabilities::of(hooks, &functions);
        let (digest, size, imports) = ("00".to_owned(), functions.len(), Vec::new());
        Inspection { about, digest, size, hooks, imports, functions, capabilities }
    }

    #[test]
    fn what_only_one_has_is_marked() {
        let hooks = Hooks { request: true, ..Hooks::default() };
        let old = component(hooks, &[("request", "field")], "{\"a\": 1}");
        let called = [("request", "field"), ("store", "get"), ("store", "set")];
        let new = component(hooks, &called, "{\"a\": 1, \"b\": 2}");
        let (text, beyond) = of(&old, &new);
        assert!(beyond);
        for line in [
            "  it 1\n",
            "- 1 bytes\n",
            "+ 3 bytes\n",
            "+     keep data from one request to the next, for all workers\n",
            "-     keep data for all workers\n",
            "      request.field\n",
            "+     store.get\n",
            "+       \"b\": 2\n",
            "refused without grants = { store = true }\n",
        ] {
            assert!(text.contains(line), "{line:?} is not in\n{text}");
        }
        // Of several that need the same grant it stands there once.
        let bodies = Hooks { request_body: true, response_body: true, ..hooks };
        let (text, _) = of(&old, &component(bodies, &[("request", "field")], ""));
        assert!(text.ends_with("without grants = { bodies = true }\n"), "{text}");
        let (text, beyond) = of(&new, &old);
        assert!(!beyond && text.ends_with("nothing that the old one cannot\n"), "{text}");
    }
}
