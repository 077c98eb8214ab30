//! Request targets (RFC 9112, 3.2), as plugins may set one.
//!
//! In: path and query, or `*`, and the method. Out: whether the proxy sends it so. Never: encodes: what a
//! plugin sets is what goes out, in the spelling that a client's has by then.

/// Whether a request with this method may have this target: an absolute path and a query, or `*`
/// where the method is `OPTIONS` (RFC 9112, 3.2.4).
///
/// ```
/// assert!(weir_bounds::target::is_legal("/a%20b?c=d", "GET"));
/// assert!(!weir_bounds::target::is_legal("*", "GET"));
/// ```
pub fn is_legal(target: &str, method: &str) -> bool {
    if target == "*" {
        return fits("*", method);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    path.starts_with('/') && is_path(path.as_bytes()) && query.bytes().all(is_of_query)
}

/// Whether a target that is legal for some method is for this one.
pub fn fits(target: &str, method: &str) -> bool {
    target != "*" || method == "OPTIONS"
}

/// `pchar`, `/` and whole escapes (RFC 3986, 3.3).
fn is_path(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            (b'%', _) => return false,
            (byte, after)
                if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(byte) =>
            {
                after
            }
            _ => return false,
        };
    }
    true
}

/// Visible, and nothing that the URL standard encodes in a query.
fn is_of_query(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"#<>".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::is_legal;

    #[test]
    fn what_goes_out_as_it_is() {
        for legal in
            ["/", "/a/b.c;d=e/%2F", "//a", "/?", "/a?b=c&d[]=`{|}\\^%zz?", "/-._~!$&'()*+,;=:@"]
        {
            assert!(is_legal(legal, "GET"), "{legal}");
        }
        for illegal in [
            "",
            "a",
            "?a",
            "/a b",
            "/a#b",
            "/a<b",
            "/a`b",
            "/a\"b",
            "/a\\b",
            "/a|b",
            "/%",
            "/%zz",
            "/\u{e4}",
            "/a?\"",
            "/a?b c",
            "/a?#",
            "/a?\u{e4}",
            "http://a/",
            "*a",
            "/\r\n",
            "/\0",
        ] {
            assert!(!is_legal(illegal, "GET"), "{illegal}");
        }
        assert!(is_legal("*", "OPTIONS"));
        for method in ["GET", "options", "HEAD", ""] {
            assert!(!is_legal("*", method), "{method}");
        }
    }
}
