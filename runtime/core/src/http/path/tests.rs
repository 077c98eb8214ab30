use fastrand::Rng;

use super::*;

fn normal(path: &str) -> Result<String, BadPath> {
    normalize(path).map(Cow::into_owned)
}

#[test]
fn normal_paths_are_borrowed() {
    for path in [
        "/",
        "*",
        "/a",
        "/a/b.c/d..e/f...",
        "/a//b///",
        "/a;v=1/b,c",
        "/~user/-_!$&'()*+,;=:@",
        "/a/x.",
        "/a/x..",
    ] {
        assert!(matches!(normalize(path), Ok(Cow::Borrowed(same)) if same == path), "{path}");
    }
    // Looked at more closely, and still the same.
    for path in ["/...", "/a%2Fb", "/a%5Cb", "/.hidden", "/..a", "/%25", "/%252e%252e/", "/.;x"] {
        assert_eq!(normal(path).as_deref(), Ok(path));
    }
}

#[test]
fn table_of_normal_forms() {
    for (path, expected) in [
        ("", "/"),
        // Dot segments, RFC 3986 5.2.4 and 5.4.
        ("/.", "/"),
        ("/./", "/"),
        ("/a/.", "/a/"),
        ("/a/./b", "/a/b"),
        ("/a/..", "/"),
        ("/a/../", "/"),
        ("/a/b/..", "/a/"),
        ("/a/b/../c", "/a/c"),
        ("/a/b/c/./../../g", "/a/g"),
        ("/mid/content=5/../6", "/mid/6"),
        ("/a//../b", "/a/b"),
        ("/a/b//..", "/a/b/"),
        ("//..", "/"),
        // Encoded dots are dots.
        ("/a/%2e%2e/b", "/b"),
        ("/a/%2E./b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/%2e/b", "/a/b"),
        ("/x%2ey", "/x.y"),
        // Unreserved are decoded, the rest in upper case.
        ("/%41%62%7e%2D%5f", "/Ab~-_"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%5cb", "/a%5Cb"),
        ("/a%3bb%c3%a9", "/a%3Bb%C3%A9"),
        ("/%2525", "/%2525"),
        ("/%0d%0a", "/%0D%0A"),
        // No characters of a path.
        ("/é", "/%C3%A9"),
        ("/{a}|\"<b>^`[c]", "/%7Ba%7D%7C%22%3Cb%3E%5E%60%5Bc%5D"),
        ("/a b?#", "/a%20b%3F%23"),
        ("/static/../api/%61dmin", "/api/admin"),
    ] {
        assert_eq!(normal(path).as_deref(), Ok(expected), "{path}");
    }
}

#[test]
fn table_of_refusals() {
    for (path, expected) in [
        ("a", BadPath::NotAbsolute),
        ("**", BadPath::NotAbsolute),
        ("/%", BadPath::Escape),
        ("/%4", BadPath::Escape),
        ("/%zz", BadPath::Escape),
        ("/%+1", BadPath::Escape),
        ("/%4/1", BadPath::Escape),
        ("/%00", BadPath::Control),
        ("/a\0", BadPath::Control),
        ("/a\r\nb", BadPath::Control),
        ("/a\tb", BadPath::Control),
        ("/a\x7f", BadPath::Control),
        ("/a\\b", BadPath::Backslash),
        ("/..\\b", BadPath::Backslash),
        ("/..", BadPath::AboveRoot),
        ("/../a", BadPath::AboveRoot),
        ("/a/../../b", BadPath::AboveRoot),
        ("/%2e%2e/a", BadPath::AboveRoot),
        ("/.%2e", BadPath::AboveRoot),
        ("/a/..%2fb", BadPath::HiddenDots),
        ("/a/%2e%2e%2fb", BadPath::HiddenDots),
        ("/a/x%2f..%2fb", BadPath::HiddenDots),
        ("/a/x%5c..", BadPath::HiddenDots),
        ("/a/..;/b", BadPath::HiddenDots),
        ("/a/..;jsession=1", BadPath::HiddenDots),
        ("/a/b%2F..;x%5C", BadPath::HiddenDots),
    ] {
        assert_eq!(normal(path), Err(expected), "{path:?}");
    }
}

/// What must hold for any text; a fuzz target can call it as it is.
fn check(path: &str) {
    let Ok(once) = normalize(path) else { return };
    assert_eq!(normalize(&once).as_deref(), Ok(&*once), "not stable: {path:?} -> {once:?}");
    if once == "*" {
        return;
    }
    assert!(once.starts_with('/'), "{path:?} -> {once:?}");
    assert!(once.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'), "{path:?}");
    for segment in once.split('/') {
        assert!(!matches!(segment, "." | ".."), "{path:?} -> {once:?}");
        let decoded = segment.replace("%2F", "/").replace("%5C", "/");
        let climbs = decoded.split('/').any(|part| part.split(';').next() == Some(".."));
        assert!(!climbs, "{path:?} -> {once:?}");
    }
    // Empty segments are not merged and encoded separators not decoded: nothing is added.
    assert!(once.matches('/').count() <= path.matches('/').count().max(1), "{path:?} -> {once:?}");
}

#[test]
fn seeded_paths_have_one_normal_form() {
    let pieces = [
        "/", "/", "/", ".", ".", "..", "%2e", "%2E", "%2f", "%5c", "%5C", "%25", "%41", "a", "b",
        ";", "é", "\\", "%", "%0", "%00", " ", "*", "//", "~", "%7e", "{",
    ];
    let mut random = Rng::with_seed(1);
    for _ in 0..200_000 {
        let mut path = String::from(if random.usize(..8) == 0 { "" } else { "/" });
        for _ in 0..random.usize(..12) {
            path.push_str(pieces[random.usize(..pieces.len())]);
        }
        check(&path);
    }
}
