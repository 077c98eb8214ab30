//! Cookie crumbs: HTTP/2 lets a client send its cookies in several fields (RFC 9113, 8.2.3).
//!
//! In: the fields of an HTTP/2 request. Out: the same with one `Cookie`, as HTTP/1.1 and every
//! plugin expects it. Never: touches a request with one such field.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// Joins the crumbs by `; `, in their order.
pub fn join(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // Pieces of legal values make a legal value.
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(b"; ".as_slice())) {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crumbs_become_one_field() {
        for (crumbs, joined) in [
            (&["a=1"][..], "a=1"),
            (&["a=1", "b=2"], "a=1; b=2"),
            (&["a=1; b=2", "c=3", "a=4"], "a=1; b=2; c=3; a=4"),
        ] {
            let mut headers = HeaderMap::new();
            for crumb in crumbs {
                headers.append(COOKIE, HeaderValue::from_static(crumb));
            }
            join(&mut headers);
            let values: Vec<_> = headers.get_all(COOKIE).iter().collect();
            assert_eq!(values, [joined]);
        }
    }
}
