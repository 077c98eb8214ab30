//! A plugin's table in words: what is wanted, what is there, what to write.

use std::sync::Arc;

use weir_core::config::{self, Environment, Held, Refused, Source, read};

use super::*;

/// The problems of a plugin `p` with this schema and configuration, as they are told.
fn problems(schema: &str, config: &str) -> Vec<config::Problem> {
    let text = format!(
        "[listeners.web]\nbind = \"127.0.0.1:1\"\nplugins = [\"p\"]\n\
         [plugins.p]\ncomponent = \"cors\"\n[plugins.p.config]\n{config}"
    );
    let source = Source::Text { name: "weir.toml".into(), text };
    let environment = Environment::default().with("SECRET", "hunter2");
    let read = match read(&source, &environment, &["cors"], Held::new()) {
        Ok(config) => config,
        // What others found wrong is theirs.
        Err(refused) => {
            let Refused { sound, .. } = *refused;
            sound
        }
    };
    let plugin: Arc<str> = "p".into();
    let found = check(&read.plugins[0].config, schema).err().unwrap_or_default();
    let found = found.into_iter().map(|problem| problem.of(&plugin));
    found.filter_map(|problem| read.places.problem(problem.finding())).collect()
}

#[track_caller]
fn told(schema: &str, config: &str, expected: &[&str]) {
    let line = |problem: &config::Problem| {
        let line = problem.to_string().replace("weir.toml:", "").replace(": error", "");
        without_general(line)
    };
    let mut found: Vec<String> = problems(schema, config).iter().map(line).collect();
    found.sort();
    assert_eq!(found, expected, "{config}");
}

/// Without a hint that says no more than the message does; there is one always.
fn without_general(line: String) -> String {
    let (said, hint) = line.split_once("; hint: ").expect("a hint");
    let again = |wanted: &str| said.contains(&format!("expected {wanted}"));
    let general = hint.strip_prefix("what is wanted: ").is_some_and(again)
        || hint.starts_with("the README of [plugins.p]")
        || hint.starts_with("remove it, or look")
        || hint.starts_with("add ");
    if general { said.to_owned() } else { line }
}

fn properties(properties: &str) -> String {
    format!(r#"{{"type":"object","properties":{{{properties}}},"additionalProperties":false}}"#)
}

#[test]
fn types_are_words_with_what_was_found() {
    let schema = properties(
        r#""n":{"type":"integer"},"x":{"type":"number"},"b":{"type":"boolean"},
           "s":{"type":"string"},"l":{"type":"array"},"t":{"type":"object"},
           "m":{"type":["string","array"]}"#,
    );
    told(
        &schema,
        "n = \"5\"\nx = \"many\"\nb = \"true\"\ns = 5\nl = \"a\"\nt = [1]\nm = 1.5\n",
        &[
            "10:5: plugins.p.config.s: expected a string, found the integer 5; hint: put it in quotes: \"5\"",
            "11:5: plugins.p.config.l: expected a list, found the string \"a\"; hint: put it in brackets: [\"…\"]",
            "12:5: plugins.p.config.t: expected a table, found a list",
            "13:5: plugins.p.config.m: expected a string or a list, found the float 1.5; hint: put it in quotes: \"1.5\"",
            "7:5: plugins.p.config.n: expected a whole number, found the string \"5\"; hint: write it without quotes",
            "8:5: plugins.p.config.x: expected a number, found the string \"many\"",
            "9:5: plugins.p.config.b: expected true or false, found the string \"true\"; hint: write it without quotes",
        ],
    );
}

#[test]
fn durations_and_sizes_are_named_and_not_their_patterns() {
    let (duration, size) = (weir_units::duration::PATTERN, weir_units::size::PATTERN);
    let schema = properties(&format!(
        r#""d":{{"type":"string","minLength":2,"pattern":"{duration}"}},
           "e":{{"type":"string","minLength":2,"pattern":"{duration}"}},
           "f":{{"type":"string","minLength":2,"pattern":"{duration}"}},
           "s":{{"type":"string","pattern":"{size}"}},"t":{{"type":"string","pattern":"{size}"}}"#
    ));
    let written = |unit: &str| match unit {
        "d" => weir_units::duration::WRITTEN,
        _ => weir_units::size::WRITTEN,
    };
    told(
        &schema,
        "d = \"5\"\ne = 5\nf = \"\"\ns = \"64 apples\"\nt = 64\n",
        &[
            &format!(
                "10:5: plugins.p.config.s: expected a size such as \"64KiB\", found the string \"64 apples\"; hint: {}",
                written("s")
            ),
            "11:5: plugins.p.config.t: expected a size such as \"64KiB\", found the integer 64; hint: with a unit: \"64B\"",
            &format!(
                "7:5: plugins.p.config.d: expected a duration such as \"10s\", found the string \"5\"; hint: {}",
                written("d")
            ),
            "8:5: plugins.p.config.e: expected a duration such as \"10s\", found the integer 5; hint: with a unit: \"5s\" or \"5ms\"",
            &format!(
                "9:5: plugins.p.config.f: expected a duration such as \"10s\", found the string \"\"; hint: {}",
                written("d")
            ),
        ],
    );
    told(&schema, "d = \"1.5s\"\ne = \"1m30s\"\nf = \"0s\"\ns = \"1kib\"\nt = \"512\"\n", &[]);
}

#[test]
fn unknown_keys_are_compared_with_the_known_ones() {
    let schema = r#"{"type":"object","required":["rate","burst"],"additionalProperties":false,
        "properties":{"rate":{"type":"integer","description":"Tokens a period. More later."},
        "burst":{"type":"integer"},"per":{"type":"string"}}}"#;
    told(
        schema,
        "rat = 5\nunlike = 1\n",
        &[
            "6:1: [plugins.p.config] has no \"burst\"; hint: it is a whole number",
            "7:1: unknown key \"rat\" in [plugins.p.config]; hint: did you mean \"rate\"?",
            "8:1: unknown key \"unlike\" in [plugins.p.config]; hint: known here: burst, per, rate",
        ],
    );
    told(
        schema,
        "burst = 1\n",
        &["6:1: [plugins.p.config] has no \"rate\"; hint: what is wanted: Tokens a period"],
    );
}

#[test]
fn bounds_lengths_and_choices_are_told_with_the_value() {
    let schema = properties(
        r#""n":{"type":"integer","minimum":1,"maximum":10},"x":{"type":"number","exclusiveMinimum":0},
           "m":{"enum":["reject","skip"]},"c":{"enum":["a","b","c"]},
           "s":{"type":"string","minLength":1},"l":{"type":"array","minItems":1},
           "u":{"type":"array","uniqueItems":true},
           "p":{"type":"string","pattern":"^/","description":"A path."},
           "h":{"type":"string","pattern":"^a+$","title":"a row of the letter a"}"#,
    );
    told(
        &schema,
        "n = 11\nx = 0\nm = \"rejct\"\nc = \"zebra\"\ns = \"\"\nl = []\nu = [1, 1]\np = \"x\"\nh = \"b\"\n",
        &[
            "10:5: plugins.p.config.c: expected \"a\", \"b\" or \"c\", found the string \"zebra\"",
            "11:5: plugins.p.config.s: \"\" is empty",
            "12:5: plugins.p.config.l: this value has less than 1 entry",
            "13:5: plugins.p.config.u: this value has an entry twice",
            "14:5: plugins.p.config.p: \"x\" does not match the pattern ^/; hint: what is wanted: A path",
            "15:5: plugins.p.config.h: \"b\" is not a row of the letter a",
            "7:5: plugins.p.config.n: 11 is out of range: 1 to 10",
            "8:5: plugins.p.config.x: 0 is out of range: above 0",
            "9:5: plugins.p.config.m: expected \"reject\" or \"skip\", found the string \"rejct\"; hint: did you mean \"reject\"?",
        ],
    );
}

#[test]
fn of_alternatives_the_one_that_was_meant_is_told() {
    let schema = properties(
        r##""keys":{"type":"array","items":{"anyOf":[{"type":"string","writeOnly":true},
           {"type":"object","properties":{"key":{"type":"string"},"name":{"type":"string"}},
            "required":["key"],"additionalProperties":false}]}},
           "mode":{"anyOf":[{"const":"off"},{"const":"on"},{"type":"object"}]},
           "more":{"$ref":"#/$defs/more"}"##,
    )
    .replacen(
        '{',
        r#"{"$defs":{"more":{"anyOf":[{"type":"integer"},{"type":"boolean"}]}},"#,
        1,
    );
    told(
        &schema,
        "keys = [{ kee = \"a\", name = 5 }, 7]\nmode = \"onn\"\nmore = \"x\"\n",
        &[
            "7:11: unknown key \"kee\" in plugins.p.config.keys[0]; hint: did you mean \"key\"?",
            "7:29: plugins.p.config.keys[0].name: expected a string, found an integer",
            "7:34: plugins.p.config.keys[1]: expected a string or a table, found an integer",
            "8:8: plugins.p.config.mode: expected \"off\", \"on\" or a table, found the string \"onn\"; hint: did you mean \"on\"?",
            "9:8: plugins.p.config.more: expected a whole number or true or false, found the string \"x\"",
        ],
    );
}

#[test]
fn secrets_are_not_told_by_whatever_way_they_are_known() {
    let schema = properties(
        r#""cookie":{"type":"string","writeOnly":true,"minLength":50},
           "password":{"type":"integer"},"plain":{"type":"integer"},
           "deep":{"type":"object","additionalProperties":{"type":"array","items":
              {"type":"string","writeOnly":true,"pattern":"^x"}}}"#,
    );
    let config = "cookie = \"hunter2\"\npassword = \"hunter2\"\nplain = \"${SECRET}\"\n\
                  deep = { a = [\"hunter2\", \"x\"] }\n";
    let found = problems(&schema, config);
    assert_eq!(found.len(), 4, "{found:?}");
    for problem in &found {
        assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        assert!(problem.excerpt.is_some(), "{problem:?}");
    }
    let plain = found.iter().find(|problem| problem.path.ends_with("plain")).unwrap();
    assert!(plain.message.contains("found a string"), "{plain}");
}

#[test]
fn what_a_plugin_says_leads_to_the_value_and_hides_secrets() {
    let text = "[listeners.web]\nbind = \"127.0.0.1:1\"\nplugins = [\"p\"]\n\
                [plugins.p]\ncomponent = \"cors\"\n[plugins.p.config]\n\
                keys = [\"a\", \"hunter\\\"2\"]\nrule = \"(\"\nother = \"${SECRET}\"\n";
    let source = Source::Text { name: "weir.toml".into(), text: text.into() };
    let environment = Environment::default().with("SECRET", "swordfish");
    let config = read(&source, &environment, &["cors"], Held::new()).unwrap();
    let told = |said: &str| {
        let problem = Problem::at("/config", Flaw::Said(said.to_owned())).of(&"p".into());
        without_general(config.places.problem(problem.finding()).unwrap().to_string())
    };
    assert_eq!(
        told("rule: `(` is no regular expression"),
        "weir.toml:8:8: error: plugins.p.config.rule: `(` is no regular expression"
    );
    assert_eq!(
        told("keys[1]: `hunter\"2` is too short, hunter\\\"2"),
        "weir.toml:7:14: error: plugins.p.config.keys[1]: `***` is too short, ***"
    );
    assert_eq!(
        told("nobody knows: swordfish"),
        "weir.toml:6:1: error: plugins.p.config: nobody knows: ***"
    );
}

#[test]
fn what_was_reported_before_is_not_told_again() {
    let schema = properties(r#""a":{"type":"integer"},"b":{"type":"integer"}"#);
    // The first is a variable that is not set, which the configuration's own check tells.
    told(
        &schema,
        "a = \"${UNSET}\"\nb = true\n",
        &["8:5: plugins.p.config.b: expected a whole number, found the boolean true"],
    );
}
