//! What finding a route may cost.

use super::*;

/// However many expressions and parameters there are, and whatever comes.
#[test]
fn what_a_request_costs_is_bounded() {
    let regex = |text: &str| ValueMatch::Regex(Pattern::of_value(text).unwrap());
    let many = |make: &dyn Fn(usize) -> Match| -> Router {
        let routes: Vec<Route> = (0..100).map(|n| route(&format!("r{n}"), make(n))).collect();
        Router::new(&routes)
    };
    let paths = many(&|n| Match { path: path(&format!("regex:/.*/x{n}")), ..Match::default() });
    let fields = many(&|n| Match {
        headers: vec![(HeaderName::from_static("x-a"), regex(&format!(".*x{n}")))],
        ..Match::default()
    });
    let queries = many(&|n| Match {
        query: vec![(format!("p{n}"), ValueMatch::Present)],
        ..Match::default()
    });
    let long = "a".repeat(60_000);
    let (long_path, long_query) = (format!("/{long}"), format!("{long}&p99"));
    let (none, with) = (parts("GET", &[]), parts("GET", &[("x-a", &*long)]));
    let of_lines = parts("GET", &[("x-a", &*long), ("x-a", &*long)]);
    for (router, path, query, parts, expected) in [
        (&paths, "/a/x99", None, &none, Ok(Some(99))),
        (&paths, &*long_path, None, &none, Err(TooLong::Target)),
        (&fields, "/", None, &with, Err(TooLong::Field)),
        (&fields, "/", None, &of_lines, Err(TooLong::Field)),
        (&fields, &*long_path, Some(&*long_query), &none, Ok(None)),
        (&queries, "/", Some("a=b&p99"), &none, Ok(Some(99))),
        (&queries, "/", Some(&*long_query), &none, Err(TooLong::Target)),
        (&queries, &*long_path, None, &with, Ok(None)),
    ] {
        let found = router.find("a", path, query, parts, &Steps::of_a_request());
        assert_eq!(found, expected, "{path:.10} {:.10}", query.unwrap_or_default());
    }
    // What cannot match any more is read no further.
    let other = format!("x{long}");
    assert_eq!(find(&paths, "a", &other, None, &none), None);
}
