//! Ways around a guard: each is a warning, and nothing else is.

use super::*;

/// `path = "strict"` is missing where another spelling leads around a guard.
#[test]
fn a_way_around_a_guard_is_a_warning() {
    let toml = |listener: &str, guarded: &str, wide: &str| {
        format!(
            "[listeners.web]\nbind = \"127.0.0.1:80\"\n{listener}\n\
             [plugins.guard]\ncomponent = \"key-auth\"\n\
             [plugins.other]\ncomponent = \"cors\"\n\
             [routes.admin]\nplugins = [\"guard\", \"other\"]\nupstream = \"app\"\n{guarded}\n\
             [routes.wide]\n{wide}\n\
             [upstreams.app]\nendpoints = [\"http://a\"]\n\
             [upstreams.same]\nendpoints = [\"http://c\", \"http://A:80\"]\n\
             [upstreams.else]\nendpoints = [\"http://b\"]\n\
             [routes.else]\nmatch.host = \"else\"\nupstream = \"else\"\n"
        )
    };
    let below = "match.path = \"/admin/*\"";
    let open = "upstream = \"app\"";
    for (listener, guarded, wide, spelling) in [
        ("", below, open, Some("/admin;x/y")),
        ("", "match.path = { prefix = \"/admin\" }", open, Some("/admin;x/y")),
        ("", "match.path = \"/admin\"", open, Some("/admin;x/y")),
        (
            "",
            "match.path = \"/a/admin/*\"",
            "match.path = \"/a/*\"\nupstream = \"app\"",
            Some("/a/admin;x/y"),
        ),
        (
            "",
            "match.path = \"/a/b/*\"",
            "match.path = { prefix = \"/a\" }\nupstream = \"app\"",
            Some("/a/b;x/y"),
        ),
        ("", below, "match.path = { regex = '/.*' }\nupstream = \"app\"", Some("/admin;x/y")),
        ("", below, "match.path = { regex = '//.*' }\nupstream = \"app\"", Some("//admin/y")),
        ("", below, "upstream = [{ to = \"else\" }, { to = \"app\" }]", Some("/admin;x/y")),
        ("", below, "plugins = [\"other\"]\nupstream = \"app\"", Some("/admin;x/y")),
        ("", "match.path = { regex = \"/admin(/.*)?\" }", open, Some("/admin;x/y")),
        ("", "match.path = { regex = \"/(admin|secret)/.+\" }", open, Some("/admin;x/x")),
        ("", "match.path = { regex = \"/admin/[0-9]+\" }", open, Some("/admin/1;x/y")),
        ("", "match.path = { regex = \"/admin(;.*|/.*|)\" }", open, Some("//admin;/y")),
        ("", below, "upstream = \"same\"", Some("/admin;x/y")),
        (
            "",
            "match = { path = \"/admin/*\", methods = [\"POST\", \"PUT\"] }",
            "match.methods = [\"GET\", \"PUT\"]\nupstream = \"app\"",
            Some("/admin;x/y"),
        ),
        (
            "",
            "match = { path = \"/admin/*\", headers = { x-beta = \"1\" } }",
            "match.headers = { x-beta = { regex = \"[0-9]\" } }\nupstream = \"app\"",
            Some("/admin;x/y"),
        ),
        // No request can take either.
        (
            "",
            "match = { path = \"/admin/*\", methods = [\"POST\"] }",
            "match.methods = [\"GET\"]\nupstream = \"app\"",
            None,
        ),
        (
            "",
            "match = { path = \"/admin/*\", headers = { x-beta = \"1\" } }",
            "match.headers = { x-beta = \"2\" }\nupstream = \"app\"",
            None,
        ),
        (
            "",
            "match = { path = \"/admin/*\", query = { v = { regex = \"1.*\" } } }",
            "match.query = { v = \"2\" }\nupstream = \"app\"",
            None,
        ),
        // Guarded as well, somewhere else, strict, or said to be meant.
        ("", below, "plugins = [\"guard\"]\nupstream = \"app\"", None),
        ("plugins = [\"guard\"]", "plugins = []", open, None),
        ("", below, "upstream = \"else\"", None),
        // What has no weight is sent nothing.
        ("", below, "upstream = [{ to = \"else\" }, { to = \"app\", weight = 0 }]", None),
        ("", below, "match.path = \"/open/*\"\nupstream = \"app\"", None),
        ("", "match.path = \"/*\"", open, None),
        (
            "",
            "match = { path = \"/admin/*\", host = \"a\" }",
            "match.host = \"b\"\nupstream = \"app\"",
            None,
        ),
        ("", below, "path = \"strict\"\nupstream = \"app\"", None),
        ("", "path = \"strict\"\nmatch.path = \"/admin/*\"", open, None),
        ("path = \"strict\"", below, open, None),
        ("", below, "path = \"normal\"\nupstream = \"app\"", None),
    ] {
        let mut toml = toml(listener, guarded, wide);
        if guarded.starts_with("plugins") {
            toml = toml.replace("plugins = [\"guard\", \"other\"]\n", "");
        }
        let built_ins = ["cors", "key-auth"];
        let config = load(&text(&toml), &Environment::default(), &built_ins)
            .unwrap_or_else(|problems| panic!("{toml}\n{problems}"));
        let shown: Vec<String> =
            config.warnings.iter().map(|w| w.as_warning().to_string()).collect();
        let spelled = |warning: &&String| {
            warning.contains("[routes.wide] takes") && warning.contains("read it as the guarded")
        };
        let found = shown.iter().find(spelled);
        match spelling {
            None => assert_eq!(found, None, "{toml}"),
            Some(spelling) => {
                let found = found.unwrap_or_else(|| panic!("no warning of\n{toml}"));
                assert!(found.contains(&format!("takes {spelling:?} to")), "{found}");
                assert!(found.contains("[routes.admin] guards"), "{found}");
                assert!(found.contains("path = \"strict\""), "{found}");
            }
        }
    }
}

/// Every guard that one open route leads around is told of at once.
#[test]
fn each_guard_that_can_be_passed_is_a_warning() {
    let toml = "[listeners.web]\nbind = \"127.0.0.1:80\"\n\
                [plugins.guard]\ncomponent = \"key-auth\"\n\
                [routes.admin]\nmatch.path = \"/admin/*\"\nplugins = [\"guard\"]\nupstream = \"app\"\n\
                [routes.secret]\nmatch.path = \"/secret\"\nplugins = [\"guard\"]\nupstream = \"app\"\n\
                [routes.wide]\nupstream = \"app\"\n\
                [upstreams.app]\nendpoints = [\"http://a\"]\n";
    let config = load(&text(toml), &Environment::default(), &["key-auth"]).unwrap();
    let shown: Vec<String> = config.warnings.iter().map(|w| w.as_warning().to_string()).collect();
    for guarded in [
        "\"/admin;x/y\" to the upstream that [routes.admin]",
        "\"/secret;x/y\" to the upstream that [routes.secret]",
    ] {
        assert!(shown.iter().any(|warning| warning.contains(guarded)), "{shown:?}");
    }
    // And of each with the other slash at its end.
    assert_eq!(shown.len(), 4, "{shown:?}");
}

/// The warnings of a guarded and a wider route, and what else there is.
fn warned(guarded: &str, wide: &str, rest: &str) -> Vec<String> {
    let toml = format!(
        "[listeners.web]\nbind = \"127.0.0.1:80\"\n\
         [plugins.guard]\ncomponent = \"key-auth\"\n\
         [routes.admin]\nplugins = [\"guard\"]\nupstream = \"app\"\n{guarded}\n\
         [routes.wide]\nupstream = \"app\"\n{wide}\n\
         [upstreams.app]\nendpoints = [\"http://127.0.0.1:1\"]\n{rest}\n"
    );
    let config = load(&text(&toml), &Environment::default(), &["cors", "key-auth"])
        .unwrap_or_else(|problems| panic!("{toml}\n{problems}"));
    config.warnings.iter().map(|warning| warning.as_warning().to_string()).collect()
}

/// No endpoint has to refuse it, and many make no difference.
#[test]
fn a_guarded_path_with_another_slash_is_a_way_around() {
    let below = "match.path = \"/admin/*\"\npath = \"strict\"";
    let guarded_there = |matches: &str| {
        format!("[routes.more]\n{matches}\nplugins = [\"guard\"]\nupstream = \"app\"")
    };
    let moved = "[plugins.cors]\ncomponent = \"cors\"\n[routes.more]\nmatch.path = \"/admin\"\n\
                 plugins = [\"cors\"]";
    let here = guarded_there("match.path = \"/admin\"");
    let prefix = guarded_there("match.path = { prefix = \"/admin\" }");
    for (guarded, wide, rest, path) in [
        (below, "", "", Some("/admin")),
        (below, "path = \"strict\"", "", Some("/admin")),
        (below, "match.path = \"/*\"", "", Some("/admin")),
        (below, "match.path = { prefix = \"/admin\" }", "", Some("/admin")),
        (below, "match.path = { regex = \"/[a-z]+\" }", "", Some("/admin")),
        ("match.path = \"/a/admin/*\"", "match.path = \"/a/*\"", "", Some("/a/admin")),
        ("match.path = \"/admin/\"", "", "", Some("/admin")),
        ("match.path = \"/admin\"", "", "", Some("/admin/")),
        ("match.path = { regex = \"/admin/.*\" }", "", "", Some("/admin")),
        // Only some of it is guarded there.
        (
            below,
            "",
            &guarded_there("match = { path = \"/admin\", methods = [\"GET\"] }"),
            Some("/admin"),
        ),
        (below, "priority = 1", &here, Some("/admin")),
        // Guarded, taken by another, or said to be meant.
        (below, "", &here, None),
        (below, "", &prefix, None),
        (below, "", moved, None),
        (below, "path = \"normal\"", "", None),
        (below, "match.path = \"/admin\"", "", None),
        (below, "match.path = \"/open/*\"", "", None),
        (below, "plugins = [\"guard\"]", "", None),
        ("match.path = { prefix = \"/admin\" }", "", "", None),
        ("match.path = { regex = \"/admin(/.*)?\" }", "", "", None),
        ("match.path = \"/*\"", "", "", None),
        ("match.path = \"/\"", "", "", None),
    ] {
        let shown = warned(guarded, wide, rest);
        let found =
            shown.iter().find(|it| it.contains("[routes.wide] takes") && it.contains("slash"));
        match path {
            None => assert_eq!(found, None, "{guarded} / {wide} / {rest}"),
            Some(path) => {
                let found =
                    found.unwrap_or_else(|| panic!("{guarded} / {wide} / {rest}: {shown:?}"));
                assert!(found.contains(&format!("takes {path:?} to")), "{found}");
                assert!(found.contains("path = \"normal\" here"), "{found}");
            }
        }
    }
}

/// By whatever name it goes.
#[test]
fn a_machine_is_one_endpoint_at_one_port() {
    for (one, other, same) in [
        ("localhost:1", "127.0.0.1:1", true),
        ("localhost:1", "[::1]:1", true),
        ("127.0.0.1:1", "[::ffff:127.0.0.1]:1", true),
        ("LOCALHOST:1", "[0:0:0:0:0:0:0:1]:1", true),
        ("[2001:db8::1]:1", "[2001:DB8:0::1]:1", true),
        ("localhost:1", "127.0.0.1:2", false),
        ("localhost:1", "127.0.0.2:1", false),
        ("localhost:1", "local.test:1", false),
    ] {
        let toml = format!(
            "[listeners.web]\nbind = \"127.0.0.1:80\"\n[plugins.guard]\ncomponent = \"key-auth\"\n\
             [routes.admin]\nmatch.path = \"/admin/*\"\nplugins = [\"guard\"]\nupstream = \"one\"\n\
             [routes.wide]\nupstream = \"other\"\n\
             [upstreams.one]\nendpoints = [\"http://{one}\"]\n\
             [upstreams.other]\nendpoints = [\"http://{other}\"]\n"
        );
        let config = load(&text(&toml), &Environment::default(), &["key-auth"]).unwrap();
        assert_eq!(!config.warnings.is_empty(), same, "{one} and {other}: {:?}", config.warnings);
    }
}
