//! Files, folders, `${…}`, overrides, and what may be shown of the result.

use super::*;
use crate::config::cases::Folder;

/// A listener, a route and an upstream.
const SMALL: &str = r#"
[listeners.web]
bind = "127.0.0.1:80"
[routes.all]
upstream = "a"
[upstreams.a]
endpoints = ["http://127.0.0.1:1"]
"#;

fn load_with(toml: &str, variables: &[(&str, &str)]) -> Config {
    let environment = variables.iter().copied().collect();
    load(&text(toml), &environment, &["cors", "request-id"]).unwrap_or_else(|p| panic!("{p}"))
}

#[test]
fn a_folder_is_one_configuration() {
    let folder = Folder::new();
    folder.write("10-web.toml", "[listeners.web]\nbind = \"127.0.0.1:80\"\n");
    folder.write("20-a.toml", "[routes.a]\nupstream = \"a\"\n");
    folder.write(
        "30-b.toml",
        "[routes.b]\nupstream = \"a\"\n[upstreams.a]\nendpoints = [\"http://x\"]\n",
    );
    folder.write("notes.txt", "not a configuration");
    let source = Source::Path(folder.path().to_owned());
    let config = load(&source, &Environment::default(), &[]).unwrap();
    assert_eq!(config.routes.len(), 2);
    assert_eq!(config.sources.len(), 4, "the folder and three files");
    assert!(config.places.of("routes.b").to_string().ends_with("30-b.toml:1:1"));
}

#[test]
fn a_missing_file_and_an_empty_folder_are_told_apart() {
    let folder = Folder::new();
    let error =
        |path| load(&Source::Path(path), &Environment::default(), &[]).unwrap_err().to_string();
    assert!(error(folder.path().to_owned()).contains("there is no *.toml in this folder"));
    assert!(
        error(folder.path().join("weir.toml"))
            .contains("weir.toml: error: this file cannot be read")
    );
    let latin1 = folder.write("latin1.toml", b"[server]\n# \xe9\n");
    assert!(
        error(latin1)
            .contains("latin1.toml:2:3: error: this is not TOML: a byte here is not UTF-8")
    );
}

#[test]
fn relative_paths_start_from_the_file_that_names_them() {
    let folder = Folder::new();
    let wasm = folder.write("x.wasm", "");
    let secret = folder.write("secret.txt", "hunter2\n");
    let file = folder.write(
        "weir.toml",
        SMALL.to_owned()
            + "[plugins.x]\ncomponent = \"./x.wasm\"\nconfig.secret = \"${file:secret.txt}\"\n",
    );
    let config = load(&Source::Path(file.clone()), &Environment::default(), &[]).unwrap();
    let ComponentSource::File(component) = &config.plugins[0].component else { panic!("a file") };
    assert_eq!(component.canonicalize().unwrap(), wasm.canonicalize().unwrap());
    assert_eq!(&*config.plugins[0].config, r#"{"secret":"hunter2"}"#, "without the line end");
    let canonical = |path: &std::path::PathBuf| path.canonicalize().unwrap();
    let sources: Vec<_> = config.sources.keys().map(canonical).collect();
    assert_eq!(sources, [&secret, &file, &wasm].map(canonical), "all of them are watched");
}

#[test]
fn ten_thousand_routes_find_their_upstreams() {
    let mut toml = String::from("[listeners.web]\nbind = \"127.0.0.1:80\"\n");
    for i in 0..10_000 {
        toml.push_str(&format!(
            "[routes.r{i}]\nmatch = {{ host = \"h{i}.example.com\", path = \"/v1/*\" }}\n\
             upstream = \"u{i}\"\n[upstreams.u{i}]\nendpoints = [\"http://127.0.0.1:9000\"]\n"
        ));
    }
    let config = load_with(&toml, &[]);
    assert_eq!(config.routes.len(), 10_000);
    for route in &config.routes {
        let upstream = &config.upstreams[route.upstreams[0].upstream];
        assert_eq!(upstream.name[1..], route.name[1..]);
    }
}

#[test]
fn references_are_replaced_once() {
    let config = load_with(
        r#"
        [listeners.web]
        bind = "${HOST:-127.0.0.1}:${PORT}"
        max_headers = "${PORT}"
        [plugins.x]
        component = "cors"
        config = { a = "$${PORT}", b = "<${NESTED}>", c = "$5", d = "${EMPTY:-x}", e = "${NONE:-}" }
        "#,
        &[("PORT", "81"), ("NESTED", "${PORT}"), ("EMPTY", "")],
    );
    assert_eq!(config.listeners[0].bind, Bind::Tcp("127.0.0.1:81".parse().unwrap()));
    assert_eq!(config.listeners[0].limits.max_headers, 81, "numbers too");
    assert_eq!(
        &*config.plugins[0].config,
        r#"{"a":"${PORT}","b":"<${PORT}>","c":"$5","d":"","e":""}"#
    );
}

#[test]
fn overrides_replace_and_create() {
    let config = load_with(
        &format!("{SMALL}[plugins.edge-cors]\ncomponent = \"cors\"\n"),
        &[
            ("WEIR__LISTENERS__WEB__BIND", "[::1]:8080"),
            ("WEIR__LISTENERS__WEB__MAX_HEADERS", "64"),
            ("WEIR__server__grace", "3s"),
            ("WEIR__SERVER__ACCESS_LOG__FORMAT", "combined"),
            ("WEIR__PLUGINS__EDGE_CORS__CONFIG__ALLOW_ORIGINS", "[\"https://a\"]"),
            ("WEIR__PLUGINS__EDGE_CORS__CONFIG__MAX_AGE", "1h"),
            ("WEIR__UPSTREAMS__A__ENDPOINTS__0", "http://b"),
            ("WEIR__UPSTREAMS__A__ENDPOINTS__1", "{ url = \"http://c\", weight = 2 }"),
            ("WEIR__ROUTES__EXTRA__UPSTREAM", "a"),
            ("WEIR_LOG", "debug"),
        ],
    );
    assert_eq!(config.listeners[0].bind, Bind::Tcp("[::1]:8080".parse().unwrap()));
    assert_eq!(config.listeners[0].limits.max_headers, 64);
    assert_eq!(config.server.grace, Duration::from_secs(3));
    assert_eq!(config.server.access_log.as_ref().unwrap().format, AccessLogFormat::Combined);
    assert_eq!(&*config.plugins[0].config, r#"{"allow_origins":["https://a"],"max_age":"1h"}"#);
    let endpoints: Vec<_> =
        config.upstreams[0].endpoints.iter().map(|e| (&*e.host, e.weight)).collect();
    assert_eq!(endpoints, [("b", 1), ("c", 2)]);
    assert_eq!(&*config.routes[1].name, "extra");
    let place = config.places.of("server.grace");
    assert_eq!(place.to_string(), "environment variable WEIR__server__grace");
}

#[test]
fn places_are_found_by_path_and_by_pointer() {
    let config = load_text(
        "[listeners.web]\nbind = \"127.0.0.1:80\"\n[plugins.a]\ncomponent = \"cors\"\n\
         [plugins.b]\ncomponent = \"cors\"\nconfig = { x = [1, { \"a/b\" = 2 }] }\n",
    )
    .unwrap();
    let places = &config.places;
    assert_eq!(places.of("plugins.b.config.x[0]").to_string(), "weir.toml:7:17");
    assert_eq!(places.of("plugins.b.config.x[1].\"a/b\"").to_string(), "weir.toml:7:30");
    assert_eq!(places.of("plugins.b.config.y.z").to_string(), "weir.toml:7:10");
    assert_eq!(places.of("").to_string(), "weir.toml:1:1");
    let at = |plugin: &str, pointer: &str| {
        let flaw = Flaw::Said("it must be another".to_owned());
        let finding = Finding { plugin, pointer, flaw: &flaw, hint: None, secrets: &[] };
        places.problem(finding).unwrap().to_string()
    };
    assert_eq!(
        at("b", "/config/x/1/a~1b"),
        "weir.toml:7:30: error: plugins.b.config.x[1].\"a/b\": it must be another; \
         hint: the README of [plugins.b]'s component says what it takes"
    );
    assert!(at("b", "/config").starts_with("weir.toml:7:10: "));
    assert!(at("b", "/config/x/7").starts_with("weir.toml:7:16: "));
    assert!(at("a", "/config/x").starts_with("weir.toml:3:1: "), "no config there");
}

#[test]
fn secrets_are_masked() {
    let config = load_with(
        r#"
        [listeners.web]
        bind = "${BIND}"
        [routes.all]
        upstream = "users"
        match.headers = { authorization = "Bearer x", x-beta = "1", x-gate = { regex = "k|l" }, x-any = { present = true } }
        match.query = { v = "2" }
        [plugins.auth]
        component = "cors"
        [plugins.auth.config]
        realm = "x"
        keys = ["k1", { key = "k2", name = "n" }]
        users = { alice = "h1" }
        public_key = "p"
        limit = 5
        greeting = "hello ${WHO}"
        cookie = "c1"
        x-auth = ["c2"]
        signingSecret = "c3"
        jwks = { keys = [{ kty = "oct", k = "c4" }] }
        idp = ["see https://u:c5@idp.example/a@b", "http://idp.example"]
        told = { deep = ["c6", { x = "c7" }], open = "yes" }
        number = 7
        [plugins.unknown]
        component = "cors"
        config = { anything = "c8" }
        [upstreams.users]
        endpoints = ["http://127.0.0.1:1"]
        "#,
        &[
            ("BIND", "127.0.0.1:80"),
            ("WHO", "hunter2"),
            ("WEIR__PLUGINS__AUTH__CONFIG__MORE", "{ x = [\"c9\"] }"),
            ("WEIR__SERVER__GRACE", "7s"),
        ],
    );
    let schema = serde_json::json!({ "properties": {
        "told": { "properties": { "deep": { "$ref": "#/$defs/deep" } } },
        "number": { "anyOf": [{ "type": "string" }, { "writeOnly": true }] },
    }, "$defs": { "deep": { "items": { "writeOnly": true } } } });
    let shown = masked(&config, &|name| (name == "auth").then(|| schema.clone()));
    assert_eq!(shown["listeners"]["web"]["bind"], "***");
    assert_eq!(shown["listeners"]["web"]["max_headers"], 100, "defaults are there");
    assert_eq!(shown["server"]["grace"], "***", "it came from the environment");
    assert_eq!(shown["server"]["trusted_proxies"], serde_json::json!([]));
    assert_eq!(
        shown["routes"]["all"]["match"],
        serde_json::json!({
            "headers": {
                "authorization": "***", "x-beta": "***",
                "x-gate": { "regex": "***" }, "x-any": { "present": true },
            },
            "query": { "v": "***" },
        })
    );
    assert_eq!(shown["plugins"]["unknown"]["config"], serde_json::json!({ "anything": "***" }));
    assert_eq!(
        shown["plugins"]["auth"]["config"],
        serde_json::json!({
            "realm": "x",
            "keys": ["***", { "key": "***", "name": "***" }],
            "users": { "alice": "***" },
            "public_key": "***",
            "limit": 5,
            "greeting": "***",
            "cookie": "***",
            "x-auth": ["***"],
            "signingSecret": "***",
            "jwks": { "keys": [{ "kty": "***", "k": "***" }] },
            "idp": ["see https://***@idp.example/a@b", "http://idp.example"],
            "told": { "deep": ["***", { "x": "***" }], "open": "yes" },
            "number": "***",
            "more": { "x": ["***"] },
        })
    );
    assert_eq!(shown["upstreams"]["users"]["endpoints"][0], "http://127.0.0.1:1");
    assert!(!format!("{config:?}").contains("hunter2"), "nor does Debug show them");
    assert!(!format!("{config:?}").contains("\"k1\""));
}

/// As secret as what came from the environment, whatever its key is called.
#[test]
fn what_came_from_a_file_is_masked() {
    let folder = Folder::new();
    folder.write("secret.txt", "hunter2\n");
    folder.write("url.txt", "http://hunter2:1\n");
    let file = folder.write(
        "weir.toml",
        "[listeners.web]\nbind = \"127.0.0.1:80\"\n[routes.all]\nupstream = \"a\"\n\
         [upstreams.a]\nendpoints = [\"${file:url.txt}\", \"http://127.0.0.1:1\"]\n\
         [plugins.x]\ncomponent = \"cors\"\n\
         config = { greeting = \"hello ${file:secret.txt}\", list = [\"open\", \"${file:secret.txt}\"] }\n",
    );
    let config = load(&Source::Path(file), &Environment::default(), &["cors"]).unwrap();
    assert_eq!(
        &*config.plugins[0].config,
        r#"{"greeting":"hello hunter2","list":["open","hunter2"]}"#
    );
    let shown = masked(&config, &|_| Some(serde_json::json!({})));
    assert_eq!(
        (&shown["plugins"]["x"]["config"], &shown["upstreams"]["a"]["endpoints"]),
        (
            &serde_json::json!({ "greeting": "***", "list": ["open", "***"] }),
            &serde_json::json!(["***", "http://127.0.0.1:1"]),
        )
    );
    assert!(!shown.to_string().contains("hunter2"));
}

#[test]
fn damaged_configurations_are_refused_or_read_and_never_panic() {
    let whole = include_str!("../../../../../configs/reference.toml");
    // Knuth's MMIX generator: the same damage each time.
    let mut state = 42_u64;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut refused = 0;
    for _ in 0..500 {
        let mut bytes = whole.as_bytes().to_vec();
        for _ in 0..1 + random(4) {
            let at = random(bytes.len());
            match random(3) {
                // One byte is left, so that there is a place for the next damage.
                0 if bytes.len() > 1 => drop(bytes.remove(at)),
                1 => bytes.insert(at, b"\"[]{}=.${}\\\n1:"[random(14)]),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let toml = String::from_utf8_lossy(&bytes);
        if let Err(problems) = load(&text(&toml), &Environment::default(), &["cors"]) {
            assert!(!problems.is_empty() && !problems.to_string().is_empty());
            refused += 1;
        }
    }
    assert!(refused > 100, "{refused}");
}
