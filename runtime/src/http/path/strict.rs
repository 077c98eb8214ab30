//! Paths that endpoints may read differently: what `path = "strict"` refuses.
//!
//! In: a path as received. Out: nothing, or what it holds that one endpoint takes for data and
//! another for structure; and what the most eager of them reads. Never: changes what is forwarded, or
//! judges a path that has no normal form: that is refused anyway.
//!
//! | received | who reads it differently |
//! |---|---|
//! | `;`, `%3B` | servlet containers cut parameters off: `/admin;x/y` is `/admin/y` |
//! | `//` | many merge slashes: `//admin/y` is `/admin/y` |
//! | `%2F`, `%5C`, `\` | who decodes before taking the path apart, and Windows: `/admin%2Fy` |
//! | `%2E` | who resolves dots before decoding |
//! | `%3F`, `%23` | who decodes before cutting the query off: `/admin%3Fy` is `/admin` |
//! | `%25` and two digits | who decodes twice: `%252F` |
//! | `%01` to `%1F`, `%7F` | who trims or cuts at them |
//! | escapes that are no UTF-8 | who decodes overlong forms: `%C0%AF` is `/` |

use super::{hex, normalize};

/// What makes a path ambiguous. The answer is 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguous {
    Parameters,
    EmptySegment,
    Separator,
    Dot,
    Query,
    Twice,
    Control,
    Utf8,
}

/// Whether every endpoint reads a path as the router does.
///
/// # Errors
/// The first thing that some of them read differently.
pub fn check(path: &str) -> Result<(), Ambiguous> {
    let mut rest = path.as_bytes();
    let mut beyond_ascii = false;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'/', [b'/', ..]) => return Err(Ambiguous::EmptySegment),
            (b';', _) => return Err(Ambiguous::Parameters),
            (b'\\', _) => return Err(Ambiguous::Separator),
            (b'%', [high, low, after @ ..]) => {
                if let (Some(high), Some(low)) = (hex(*high), hex(*low)) {
                    rest = after;
                    let decoded = high << 4 | low;
                    beyond_ascii |= decoded >= 0x80;
                    escape(decoded, after)?;
                }
            }
            _ => {}
        }
    }
    if beyond_ascii && std::str::from_utf8(&decode(path.as_bytes())).is_err() {
        return Err(Ambiguous::Utf8);
    }
    Ok(())
}

/// What an endpoint reads that decodes all, and twice, cuts query, parameters and what stands behind a
/// control character off, merges slashes and resolves dots last, in normal form. To see whose path it could be: never forwarded.
pub fn reading(path: &str) -> String {
    let decoded = shortest(&decode(&decode(path.as_bytes())));
    let ends = |byte: &u8| matches!(byte, b'?' | b'#' | 0x00..=0x1f | 0x7f);
    let path = decoded.split(ends).next().unwrap_or_default();
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut is_folder = false;
    for segment in path.split(|byte| matches!(byte, b'/' | b'\\')) {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        is_folder = matches!(name, b"" | b"." | b"..");
        match name {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(name),
        }
    }
    let mut text = String::with_capacity(path.len());
    for segment in &segments {
        text.push('/');
        for byte in *segment {
            match byte {
                byte if byte.is_ascii_graphic() && *byte != b'%' => text.push((*byte).into()),
                byte => text.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    if is_folder || text.is_empty() {
        text.push('/');
    }
    match normalize(&text) {
        Ok(normal) => normal.into_owned(),
        Err(_) => text,
    }
}

/// Two bytes of overlong UTF-8 as the ASCII character that lenient decoders make of them.
fn shortest(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (0xc0 | 0xc1, [low @ 0x80..=0xbf, after @ ..]) => {
                out.push((byte & 1) << 6 | (low & 0x3f));
                rest = after;
            }
            _ => out.push(byte),
        }
    }
    out
}

/// One escape, and what follows it.
fn escape(decoded: u8, after: &[u8]) -> Result<(), Ambiguous> {
    match (decoded, after) {
        (b';', _) => Err(Ambiguous::Parameters),
        (b'/' | b'\\', _) => Err(Ambiguous::Separator),
        (b'.', _) => Err(Ambiguous::Dot),
        (b'?' | b'#', _) => Err(Ambiguous::Query),
        (b'%', [high, low, ..]) if hex(*high).is_some() && hex(*low).is_some() => {
            Err(Ambiguous::Twice)
        }
        (0x00..=0x1f | 0x7f, _) => Err(Ambiguous::Control),
        _ => Ok(()),
    }
}

/// Every escape as the byte it stands for.
fn decode(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            None => out.push(byte),
        }
    }
    out
}

impl Ambiguous {
    /// What the client is told.
    pub fn as_str(self) -> &'static str {
        match self {
            Ambiguous::Parameters => "the path holds parameters (\";\"), which are refused here",
            Ambiguous::EmptySegment => "the path holds an empty segment (\"//\")",
            Ambiguous::Separator => "the path holds a separator as data (\"%2F\", \"%5C\", \"\\\")",
            Ambiguous::Dot => "the path holds an encoded dot (\"%2E\")",
            Ambiguous::Query => "the path holds an encoded \"?\" or \"#\"",
            Ambiguous::Twice => "the path is percent-encoded twice (\"%25\")",
            Ambiguous::Control => "the path holds a control character",
            Ambiguous::Utf8 => "the path's escapes are no UTF-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_endpoints_read_alike_passes() {
        for path in [
            "",
            "/",
            "*",
            "/a/b.c/d..e/",
            "/a/./b/../c",
            "/%61dmin",
            "/~u/-_!$&'()*+,=:@",
            "/100%25",
            "/100%25/x",
            "/a%20b",
            "/caf%C3%A9",
            "/caf\u{e9}",
            "/%E2%82%AC",
            "/%zz",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn the_most_eager_reading_finds_the_path_behind() {
        for path in [
            "/admin/y",
            "/admin;x/y",
            "/admin;x=1;z/y;w",
            "//admin//y",
            "/admin%2Fy",
            "/admin%5cy",
            "/admin%252fy",
            "/%61dmin/y",
            "/%2561dmin/y",
            "/x/%2e%2e/admin/y",
            "/x%2F..%2Fadmin/y",
            "/x/..;/admin/y",
            "/x/..%c0%afadmin/y",
            "/%c1%a1dmin/y",
            "/admin/y%3Fz",
            "/admin/y%0az",
            "/admin/y%23/../..",
            "/./admin/./y",
        ] {
            assert_eq!(reading(path), "/admin/y", "{path}");
        }
        for (path, read) in [
            ("", "/"),
            ("//", "/"),
            ("/a//", "/a/"),
            ("/a/%2e", "/a/"),
            ("/a/..", "/"),
            ("/../../a", "/a"),
            ("/caf%C3%A9/%20", "/caf%C3%A9/%20"),
            ("/a%25", "/a%25"),
            ("/%E9;", "/%E9"),
        ] {
            assert_eq!(reading(path), read, "{path}");
        }
    }

    #[test]
    fn what_some_read_differently_does_not() {
        for (path, why) in [
            ("/admin;x/y", Ambiguous::Parameters),
            ("/admin;", Ambiguous::Parameters),
            ("/admin%3bx", Ambiguous::Parameters),
            ("/admin%3B", Ambiguous::Parameters),
            ("//admin/y", Ambiguous::EmptySegment),
            ("/a//b", Ambiguous::EmptySegment),
            ("/a//", Ambiguous::EmptySegment),
            ("/admin%2Fy", Ambiguous::Separator),
            ("/admin%2fy", Ambiguous::Separator),
            ("/admin%5Cy", Ambiguous::Separator),
            ("/admin%5cy", Ambiguous::Separator),
            ("/admin\\y", Ambiguous::Separator),
            ("/x/%2e%2e/admin", Ambiguous::Dot),
            ("/x/.%2E/admin", Ambiguous::Dot),
            ("/%2e/admin", Ambiguous::Dot),
            ("/admin%2ehtml", Ambiguous::Dot),
            ("/admin%3Fy", Ambiguous::Query),
            ("/admin%3f", Ambiguous::Query),
            ("/admin%23y", Ambiguous::Query),
            ("/admin%252Fy", Ambiguous::Twice),
            ("/%2561dmin", Ambiguous::Twice),
            ("/admin%0a", Ambiguous::Control),
            ("/admin%09", Ambiguous::Control),
            ("/admin%7F", Ambiguous::Control),
            ("/admin%00", Ambiguous::Control),
            ("/x%C0%AFadmin", Ambiguous::Utf8),
            ("/%c0%ae%c0%ae/admin", Ambiguous::Utf8),
            ("/caf%E9", Ambiguous::Utf8),
            ("/%E2%82", Ambiguous::Utf8),
        ] {
            assert_eq!(check(path), Err(why), "{path}");
        }
    }
}
