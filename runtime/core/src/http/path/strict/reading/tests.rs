//! Readings against models of endpoints, which are written another way.

use super::*;
use crate::http::path::{normalize, strict};

fn is_read_as(path: &str, wanted: &str) -> bool {
    let forwarded = normalize(path).expect("a path that is forwarded");
    readings(path, &forwarded).is_none_or(|all| all.iter().any(|read| read == wanted))
}

#[test]
fn whatever_an_endpoint_does_to_it_is_a_reading() {
    for path in [
        "/admin/y",
        "/admin;x/y",
        "/admin;x=1;z/y;w",
        "//admin//y",
        "//host/admin/y",
        "/admin%2Fy",
        "/admin%5cy",
        "/admin%252fy",
        "/%61dmin/y",
        "/%2561dmin/y",
        "/%25%36%31dmin/y",
        "/x/%2e%2e/admin/y",
        "/x%2F%252e%252e%2Fadmin/y",
        "/%c1%a1dmin/y",
        "/%e0%81%a1dmin/y",
        "/%f0%80%81%a1dmin/y",
        "/admin%f0%80%80%afy",
        "/admin/y%3Fz",
        "/admin/y%0az",
        "/%09admin/y",
        "/admin/y%23/../..",
        "/./admin/./y",
        // A segment that can be climbed out of may stand before it.
        "/a%2Fb/../admin%2Fy",
        "/a%2Fb/../admin;x/y",
        "/a%2Fb/..//admin/y",
        "/a%5Cb/../admin;/y",
        "/a%252Fb/../admin;/y",
        "/x%3F/../admin%2Fy",
        "/x%23/../admin;/y",
    ] {
        assert!(is_read_as(path, "/admin/y"), "{path}");
    }
    // Who does not resolve dots after decoding stays below.
    for path in [
        "/admin%2F%252e%252e%2Fy",
        "/admin%2F..%252fy",
        "/admin;/.%252e/y",
        "/admin;/%c0%ae%c0%ae/y",
    ] {
        let forwarded = normalize(path).expect("a path that is forwarded");
        let all = readings(path, &forwarded).expect("few readings");
        assert!(all.iter().any(|read| read.starts_with("/admin/")), "{path}: {all:?}");
        assert!(all.iter().any(|read| read == "/y"), "{path}: {all:?}");
    }
}

#[test]
fn honest_paths_have_few_readings() {
    for (path, most) in [
        ("/", 1),
        ("/a/b", 1),
        ("/@scope%2Fname", 2),
        ("/x;y", 2),
        ("/bucket//key", 2),
        ("/bucket//a;b/c%2Fd%20e", 24),
        ("/caf%C3%A9/%20", 3),
    ] {
        let all = readings(path, path).expect("few readings");
        assert!(all.len() <= most, "{path}: {all:?}");
    }
}

#[test]
fn what_is_too_long_or_read_in_too_many_ways_has_none() {
    let long = format!("/{};x", "a".repeat(LONGEST));
    assert_eq!(readings(&long, &long), None);
    let many = "//h//a%5Cb;c%2Fd%253Be%252F%252E%3Ff%23g%0ah%c0%afi%25c0%25afj/.%252e/k";
    assert_eq!(readings(many, many), None);
}

/// How a made endpoint reads a path: its habits in their order.
fn read_by(endpoint: &[&str], path: &str) -> String {
    let mut text: Vec<char> = path.bytes().map(char::from).collect();
    for habit in endpoint {
        let whole: String = text.iter().collect();
        let read = match *habit {
            "decode" => {
                let mut parts = whole.split('%');
                let mut out = parts.next().unwrap_or_default().to_owned();
                for part in parts {
                    match part.get(..2).and_then(|two| u8::from_str_radix(two, 16).ok()) {
                        Some(byte) => out.push(char::from(byte)),
                        None => out.push_str(&format!("%{}", part.get(..2).unwrap_or(part))),
                    }
                    out.push_str(part.get(2..).unwrap_or_default());
                }
                out
            }
            "parameters" => {
                let segments = whole.split('/').map(|s| s.split(';').next().unwrap_or_default());
                segments.collect::<Vec<_>>().join("/")
            }
            "slashes" => {
                let mut whole = whole;
                while whole.contains("//") {
                    whole = whole.replace("//", "/");
                }
                whole
            }
            "dots" => {
                let mut out: Vec<&str> = Vec::new();
                for segment in whole.split('/').skip(1) {
                    match segment {
                        "." => {}
                        ".." => drop(out.pop()),
                        _ => out.push(segment),
                    }
                }
                format!("/{}", out.join("/"))
            }
            "backslash" => whole.replace('\\', "/"),
            "query" => whole.split(['?', '#']).next().unwrap_or_default().to_owned(),
            "end" => whole.split(|c: char| c.is_ascii_control()).next().unwrap_or_default().into(),
            "trim" => whole.chars().filter(|c| !c.is_ascii_control()).collect(),
            "overlong" => whole.replace("\u{c0}\u{af}", "/").replace("\u{c0}\u{ae}", "."),
            "authority" => match whole.strip_prefix("//") {
                Some(rest) => rest.find('/').map_or("", |at| &rest[at..]).to_owned(),
                None => whole,
            },
            habit => panic!("{habit}"),
        };
        text = read.chars().collect();
    }
    text.into_iter().collect()
}

/// Whoever reads a path as one of the guarded ones: it takes the guarded route, or is ambiguous and
/// has a reading that does.
#[test]
fn no_endpoint_reads_what_its_readings_leave_out() {
    const ENDPOINTS: [&[&str]; 10] = [
        &[],
        &["decode"],
        &["parameters", "decode", "slashes", "dots"],
        &["decode", "parameters", "dots"],
        &["decode", "slashes", "dots"],
        &["decode", "decode", "backslash", "dots"],
        &["decode", "query"],
        &["decode", "overlong", "end"],
        &["authority", "decode", "dots"],
        &["dots", "decode", "trim", "query", "dots"],
    ];
    const HABITS: [&str; 10] = [
        "decode",
        "parameters",
        "slashes",
        "dots",
        "backslash",
        "query",
        "end",
        "trim",
        "overlong",
        "authority",
    ];
    const PIECES: [&str; 30] = [
        "/", "/", "/", "/", "/s", "/s", "s", "s", "a", "/a", ";", ";x", "..", ".", "%2F", "%2f",
        "%5C", "%2e", "%252e", "%252F", "%25", "32", "%73", "%2573", "%3B", "%3F", "%23", "%c0%af",
        "%0a", "%c0%ae",
    ];
    let guarded = |path: &str| path == "/s" || path.starts_with("/s/");
    let mut random = fastrand::Rng::with_seed(20_261_126);
    let (mut judged, mut guarded_by_reading) = (0, 0);
    for case in 0..60_000 {
        let mut path = "/".to_owned();
        for _ in 0..random.usize(1..9) {
            path.push_str(PIECES[random.usize(..PIECES.len())]);
        }
        let Ok(forwarded) = normalize(&path) else { continue };
        let made: Vec<&str>;
        let endpoint = match ENDPOINTS.get(case % 20) {
            Some(known) => *known,
            None => {
                let mut habits: Vec<&str> = HABITS.to_vec();
                habits.push("decode");
                random.shuffle(&mut habits);
                habits.truncate(random.usize(..habits.len()));
                made = habits;
                &made
            }
        };
        let read = read_by(endpoint, &forwarded);
        if !guarded(&read) || guarded(&forwarded) {
            continue;
        }
        judged += 1;
        assert!(strict::check(&path, &forwarded).is_err(), "{path} {forwarded} {endpoint:?}");
        let all = readings(&path, &forwarded);
        guarded_by_reading += usize::from(all.is_some());
        let refused = all.as_ref().is_none_or(|all| all.iter().any(|read| guarded(read)));
        assert!(refused, "{path} {forwarded} {endpoint:?} {read}: {all:?}");
    }
    assert!(judged > 500 && guarded_by_reading * 2 > judged, "{judged} {guarded_by_reading}");
}
