mod cost;

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::{HeaderName, HeaderValue, Method};

use crate::config::{Bound, Match, PathMatch, Pattern, ValueMatch};

use super::*;

fn route(name: &str, matches: Match) -> Route {
    Route {
        name: Arc::from(name),
        listeners: None,
        matches,
        path: crate::config::PathPolicy::Normal,
        priority: 0,
        plugins: Vec::new(),
        upstreams: Vec::new(),
        timeout: Bound::by_default(Duration::from_secs(30)),
    }
}

/// `exact`, `/below/*`, `prefix:/a`, `regex:…`, or empty for any.
fn path(text: &str) -> Option<PathMatch> {
    Some(if text.is_empty() {
        return None;
    } else if let Some(prefix) = text.strip_prefix("prefix:") {
        PathMatch::Prefix(prefix.trim_end_matches('/').into())
    } else if let Some(regex) = text.strip_prefix("regex:") {
        PathMatch::Regex(Pattern::of_path(regex).unwrap())
    } else if let Some(below) = text.strip_suffix('*') {
        PathMatch::Below(below.into())
    } else {
        PathMatch::Exact(text.into())
    })
}

/// `a.example`, `*.example`, or empty for any.
fn host(text: &str) -> Option<HostMatch> {
    Some(match text {
        "" => return None,
        _ => match text.strip_prefix('*') {
            Some(suffix) => HostMatch::Suffix(suffix.into()),
            None => HostMatch::Exact(text.into()),
        },
    })
}

fn parts(method: &str, headers: &[(&str, &str)]) -> Parts {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = method.parse().unwrap();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        parts.headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    parts
}

/// Of a request that is not too long.
fn find(
    router: &Router,
    host: &str,
    path: &str,
    query: Option<&str>,
    parts: &Parts,
) -> Option<usize> {
    router.find(host, path, query, parts, &Steps::of_a_request()).unwrap()
}

/// The name of the route that a plain GET takes.
fn get<'r>(routes: &'r [Route], host: &str, path: &str) -> Option<&'r str> {
    let found = find(&Router::new(routes), host, path, None, &parts("GET", &[]));
    found.map(|index| &*routes[index].name)
}

fn table(rows: &[(&str, &str, &str)]) -> Vec<Route> {
    let of = |(name, on, at): &(&str, &str, &str)| {
        route(name, Match { host: host(on), path: path(at), ..Match::default() })
    };
    rows.iter().map(of).collect()
}

#[test]
fn no_route_no_match() {
    assert_eq!(get(&[], "a", "/"), None);
    assert_eq!(get(&table(&[("r", "a", "/x")]), "a", "/"), None);
    assert_eq!(get(&table(&[("r", "a", "")]), "b", "/"), None);
}

#[test]
fn hosts_go_from_exact_to_any() {
    let routes = table(&[
        ("any", "", ""),
        ("exact", "a.b.example", ""),
        ("long", "*.b.example", ""),
        ("short", "*.example", ""),
    ]);
    for (host, expected) in [
        ("a.b.example", "exact"),
        ("x.b.example", "long"),
        ("x.y.b.example", "long"),
        ("b.example", "short"),
        ("x.example", "short"),
        ("example", "any"),
        (".example", "any"),
        ("xexample", "any"),
        ("[::1]", "any"),
        ("", "any"),
    ] {
        assert_eq!(get(&routes, host, "/"), Some(expected), "{host}");
    }
}

#[test]
fn a_host_without_a_matching_path_falls_back_to_the_next() {
    let routes = table(&[("a", "a.example", "/a"), ("s", "*.example", "/s"), ("any", "", "/z")]);
    assert_eq!(get(&routes, "a.example", "/a"), Some("a"));
    assert_eq!(get(&routes, "a.example", "/s"), Some("s"));
    assert_eq!(get(&routes, "a.example", "/z"), Some("any"));
    assert_eq!(get(&routes, "a.example", "/"), None);
}

#[test]
fn paths_match_as_they_are_written() {
    for (pattern, matching, other) in [
        ("/api", &["/api"][..], &["/api/", "/ap", "/apis", "/api/x", "/"][..]),
        ("/api/*", &["/api/", "/api/x", "/api/x/y", "/api//"], &["/api", "/apix", "/"]),
        ("/*", &["/", "/x", "//"], &["*"]),
        ("prefix:/api", &["/api", "/api/", "/api/x"], &["/apix", "/ap", "/"]),
        ("prefix:/", &["/", "/x"], &["*"]),
        ("regex:/v[0-9]+/.*", &["/v1/", "/v22/x"], &["/v1", "/vx/", "/a/v1/"]),
        ("", &["/", "/x", "*"], &[]),
        // Patterns get the normal form that requests have.
        ("/caf\u{e9}/%7eme", &["/caf%C3%A9/~me"], &["/caf/~me"]),
        ("/a/../b/*", &["/b/", "/b/x"], &["/a/../b/"]),
    ] {
        let routes = table(&[("r", "", pattern)]);
        for path in matching {
            assert_eq!(get(&routes, "a", path), Some("r"), "{pattern} {path}");
        }
        for path in other {
            assert_eq!(get(&routes, "a", path), None, "{pattern} {path}");
        }
    }
}

#[test]
fn paths_go_from_exact_over_the_longest_prefix_to_any() {
    let routes = table(&[
        ("any", "", ""),
        ("regex", "", "regex:/.*x"),
        ("exact", "", "/a/b"),
        ("below", "", "/a/*"),
        ("below-b", "", "/a/b/*"),
        ("prefix", "", "prefix:/a/b"),
        ("sibling", "", "/a/b-c/*"),
    ]);
    for (path, expected) in [
        ("/a/b", "exact"),
        ("/a/b/", "below-b"),
        ("/a/b/x", "below-b"),
        ("/a/b-c/x", "sibling"),
        ("/a/b-c", "below"),
        ("/a/bx", "below"),
        ("/a/", "below"),
        ("/a", "any"),
        ("/x", "regex"),
        ("/", "any"),
    ] {
        assert_eq!(get(&routes, "a", path), Some(expected), "{path}");
    }
}

#[test]
fn conditions_decide_between_equal_paths() {
    let header = |value| (HeaderName::from_static("x-beta"), value);
    let exact = |text: &str| ValueMatch::Exact(text.into());
    let regex = |text: &str| ValueMatch::Regex(Pattern::of_value(text).unwrap());
    let with = |name: &str, change: &dyn Fn(&mut Match)| {
        let mut matches = Match::default();
        change(&mut matches);
        route(name, matches)
    };
    let routes = [
        with("b-bare", &|_| {}),
        with("a-bare", &|_| {}),
        with("method", &|m| m.methods = vec![Method::POST, Method::PUT]),
        with("header", &|m| m.headers = vec![header(exact("1"))]),
        with("header-any", &|m| {
            m.headers = vec![header(ValueMatch::Present), header(regex("[23]+"))];
        }),
        with("header-list", &|m| m.headers = vec![header(exact("2, 3"))]),
        with("query", &|m| m.query = vec![("v".into(), exact("x y"))]),
        with("query-two", &|m| {
            m.query = vec![("v".into(), exact("x y")), ("w".into(), ValueMatch::Present)];
        }),
    ];
    let router = Router::new(&routes);
    for (method, headers, query, expected) in [
        ("GET", &[][..], None, "a-bare"),
        ("HEAD", &[], None, "a-bare"),
        ("PUT", &[], None, "method"),
        ("PUT", &[("x-beta", "1")], Some("v=x+y"), "method"),
        ("GET", &[("x-beta", "1")], Some("v=x+y&w"), "header"),
        ("GET", &[("x-beta", "0"), ("x-beta", "1")], None, "a-bare"),
        ("GET", &[("x-beta", "2"), ("x-beta", "3")], None, "header-list"),
        ("GET", &[("x-beta", "23")], None, "header-any"),
        ("GET", &[("x-beta", "24")], None, "a-bare"),
        ("GET", &[], Some("v=x%20y"), "query"),
        ("GET", &[], Some("w=&v=x+y"), "query-two"),
        ("GET", &[], Some("v=z&v=x+y"), "a-bare"),
    ] {
        let found = find(&router, "a", "/", query, &parts(method, headers));
        assert_eq!(found.map(|index| &*routes[index].name), Some(expected), "{method} {query:?}");
    }
    // A value that is no UTF-8 is compared, not panicked over.
    let mut odd = parts("GET", &[]);
    odd.headers.insert("x-beta", HeaderValue::from_bytes(b"\xff").unwrap());
    assert_eq!(find(&router, "a", "/", None, &odd), Some(1));
}

#[test]
fn priority_overrides_everything_else() {
    let mut routes =
        table(&[("exact", "a.example", "/x"), ("s", "*.example", ""), ("any", "", "")]);
    assert_eq!(get(&routes, "a.example", "/x"), Some("exact"));
    routes[2].priority = 1;
    assert_eq!(get(&routes, "a.example", "/x"), Some("any"));
    routes[1].priority = 2;
    assert_eq!(get(&routes, "a.example", "/x"), Some("s"));
    routes[1].priority = -1;
    routes[2].priority = -1;
    assert_eq!(get(&routes, "a.example", "/x"), Some("exact"));
    assert_eq!(get(&routes, "b.example", "/x"), Some("s"));
}

#[test]
fn a_host_of_many_labels_is_bounded() {
    let routes = table(&[("s", "*.example", "")]);
    let host = format!("{}example", "a.".repeat(30_000));
    assert_eq!(get(&routes, &host, "/"), Some("s"));
    assert_eq!(get(&routes, &format!("{host}s"), "/"), None);
}

#[test]
fn thousands_of_routes_are_all_found() {
    let rows: Vec<(String, String, String)> = (0..3_000)
        .map(|n| (format!("r{n}"), format!("h{}.example", n % 30), format!("/p{n}/*")))
        .collect();
    let rows: Vec<(&str, &str, &str)> = rows.iter().map(|(a, b, c)| (&**a, &**b, &**c)).collect();
    let routes = table(&rows);
    let router = Router::new(&routes);
    let request = parts("GET", &[]);
    for (index, (_, host, path)) in rows.iter().enumerate() {
        let path = path.replace('*', "x/y");
        assert_eq!(find(&router, host, &path, None, &request), Some(index));
        assert_eq!(find(&router, "h30.example", &path, None, &request), None);
    }
}

// === against a plain reading of the rule ===

fn pick<'a>(random: &mut Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(..from.len())]
}

const HOSTS: [&str; 8] = ["", "a.x", "b.a.x", "*.x", "*.a.x", "*.b.a.x", "x", "other"];
const PATHS: [&str; 20] = [
    "",
    "/",
    "/*",
    "/a",
    "/a/*",
    "/ab",
    "/ab/*",
    "/a/b",
    "/a/b/*",
    "/a/b/c",
    "prefix:/",
    "prefix:/a",
    "prefix:/ab",
    "prefix:/a/b",
    "prefix:/a/b/c",
    "regex:/a.*",
    "regex:/[ab]+",
    "regex:.*c",
    "/a-b/*",
    "prefix:/a-b",
];
const REQUEST_HOSTS: [&str; 9] =
    ["", "x", "a.x", "b.a.x", "c.b.a.x", "d.c.b.a.x", "other", "y.other", "c.x"];
const REQUEST_PATHS: [&str; 18] = [
    "/", "/a", "/a/", "/ab", "/ab/", "/abc", "/a/b", "/a/b/", "/a/bc", "/a/b/c", "/a/b/c/",
    "/a/b/c/d", "/a-b", "/a-b/", "/a-b/c", "/z", "//", "*",
];

fn random_route(random: &mut Rng, number: usize) -> Route {
    let mut matches = Match {
        host: host(pick(random, &HOSTS)),
        path: path(pick(random, &PATHS)),
        ..Match::default()
    };
    if random.usize(..4) == 0 {
        matches.methods.push(Method::POST);
    }
    for name in ["x-one", "x-two"] {
        if random.usize(..5) == 0 {
            let value =
                [ValueMatch::Present, ValueMatch::Exact("1".into())][random.usize(..2)].clone();
            matches.headers.push((HeaderName::from_static(name), value));
        }
        if random.usize(..5) == 0 {
            matches.query.push((name.into(), ValueMatch::Exact("1".into())));
        }
    }
    let mut route = route(&format!("r{:03}", (number * 7919) % 1000), matches);
    if random.usize(..8) == 0 {
        route.priority = random.usize(..5) as i32 - 2;
    }
    route
}

/// Sorts all, takes the first that matches: what the table must do, without any index.
fn reference(routes: &[Route], on: &str, at: &str, query: &[&str], parts: &Parts) -> Option<usize> {
    let matching = routes.iter().enumerate().filter(|(_, route)| {
        let wanted = &route.matches;
        let host = match &wanted.host {
            None => true,
            Some(HostMatch::Exact(host)) => on == host,
            Some(HostMatch::Suffix(end)) => on.len() > end.len() && on.ends_with(end),
        };
        let path = match &wanted.path {
            None => true,
            Some(PathMatch::Exact(path)) => at == path,
            Some(PathMatch::Below(path)) => at.starts_with(path),
            Some(PathMatch::Prefix(path)) => at == path || at.starts_with(&format!("{path}/")),
            Some(PathMatch::Regex(regex)) => regex.is_match(at),
        };
        let method = wanted.methods.is_empty() || wanted.methods.contains(&parts.method);
        let headers = wanted.headers.iter().all(|(name, value)| match parts.headers.get(name) {
            None => false,
            Some(got) => match value {
                ValueMatch::Exact(exact) => got.as_bytes() == exact.as_bytes(),
                _ => true,
            },
        });
        let query = wanted.query.iter().all(|(name, _)| query.contains(&name.as_str()));
        host && path && method && headers && query
    });
    let key = |(_, route): &(usize, &Route)| {
        let wanted = &route.matches;
        let host = match &wanted.host {
            Some(HostMatch::Exact(_)) => usize::MAX,
            Some(HostMatch::Suffix(suffix)) => suffix.len(),
            None => 0,
        };
        let path = match &wanted.path {
            Some(PathMatch::Exact(_)) => usize::MAX,
            Some(PathMatch::Below(path) | PathMatch::Prefix(path)) => path.len() + 2,
            Some(PathMatch::Regex(_)) => 1,
            None => 0,
        };
        let methods = usize::from(!wanted.methods.is_empty());
        let specific = [host, path, methods, wanted.headers.len(), wanted.query.len()];
        (Reverse(route.priority), Reverse(specific), route.name.clone())
    };
    matching.min_by_key(key).map(|(index, _)| index)
}

#[test]
fn seeded_tables_answer_like_the_plain_reading() {
    let mut random = Rng::with_seed(3);
    let (mut found, mut asked) = (0, 0);
    for _ in 0..1_500 {
        let count = 1 + random.usize(..30);
        let routes: Vec<Route> = (0..count).map(|n| random_route(&mut random, n)).collect();
        let router = Router::new(&routes);
        for _ in 0..60 {
            let (host, path) =
                (pick(&mut random, &REQUEST_HOSTS), pick(&mut random, &REQUEST_PATHS));
            let method = pick(&mut random, &["GET", "POST"]);
            let headers = &[("x-one", "1"), ("x-two", "2")][..random.usize(..3)];
            let query = &["x-one", "x-two"][..random.usize(..3)];
            let text: Vec<String> = query.iter().map(|name| format!("{name}=%31")).collect();
            let text = text.join("&");
            let parts = parts(method, headers);
            let got = find(&router, host, path, Some(&text), &parts);
            let expected = reference(&routes, host, path, query, &parts);
            let name = |index: Option<usize>| index.map(|index| &routes[index]);
            assert_eq!(got, expected, "{host} {path}: {:?} {:?}", name(got), name(expected));
            asked += 1;
            found += usize::from(got.is_some());
        }
    }
    assert!(found > asked / 4 && found < asked, "the generator makes both kinds: {found}/{asked}");
}
