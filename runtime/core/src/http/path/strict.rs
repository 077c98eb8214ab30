//! Paths that endpoints may read differently: what `path = "strict"` refuses.
//!
//! In: a path as received or as forwarded. Out: nothing, or what it holds that one endpoint takes for
//! data and another for structure; and what they may read ([`readings`]). Never: changes what is
//! forwarded, or judges a path that has no normal form: that is refused anyway.
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

mod reading;

use super::hex;

pub use reading::readings;

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

/// Whether every endpoint reads a path as the router does. The normal form has no encoded dots any
/// more, but may be encoded twice where what came was not (`%25%34%31`): both are looked at.
///
/// # Errors
/// The first thing that some of them read differently.
pub fn check(received: &str, forwarded: &str) -> Result<(), Ambiguous> {
    check_one(received)?;
    if received == forwarded { Ok(()) } else { check_one(forwarded) }
}

fn check_one(path: &str) -> Result<(), Ambiguous> {
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
    decode_some(path, |_| true)
}

/// The same for those that stand for certain bytes.
fn decode_some(path: &[u8], which: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped.map(|(high, low)| high << 4 | low) {
            Some(decoded) if which(decoded) => {
                out.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => out.push(byte),
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
            assert_eq!(check_one(path), Ok(()), "{path}");
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
            assert_eq!(check_one(path), Err(why), "{path}");
        }
    }

    #[test]
    fn the_normal_form_may_say_what_the_path_did_not() {
        assert_eq!(check_one("/%25%36%31dmin"), Ok(()));
        assert_eq!(check("/%25%36%31dmin", "/%2561dmin"), Err(Ambiguous::Twice));
        assert_eq!(check("/%2e/admin", "/admin"), Err(Ambiguous::Dot));
        assert_eq!(check("/%61dmin", "/admin"), Ok(()));
    }
}
