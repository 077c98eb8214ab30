//! Query parameters (the URL standard's `application/x-www-form-urlencoded`).
//!
//! In: a query as received. Out: decoded values. Never: fails; an escape that is none stays as it is,
//! as in browsers.

use std::borrow::Cow;

use super::path::hex;

/// The value of the first parameter with this name; one without `=` has an empty value.
pub fn first<'q>(query: &'q str, name: &str) -> Option<Cow<'q, [u8]>> {
    query.as_bytes().split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).find_map(|pair| {
        let (key, value) = split(pair);
        (*decode(key) == *name.as_bytes()).then(|| decode(value))
    })
}

/// Name and value of a pair, as they are written.
pub fn split(pair: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'=', pair) {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &b""[..]),
    }
}

/// Undoes `+` and percent-encoding. Borrowed if there is neither.
pub fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr2(b'%', b'+', text) else { return Cow::Borrowed(text) };
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend_from_slice(&text[..first]);
    let mut rest = &text[first..];
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    rest = after;
                }
                _ => decoded.push(byte),
            },
            _ => decoded.push(byte),
        }
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn parameters_are_decoded() {
        for (query, name, expected) in [
            ("a=1&b=2", "b", Some("2")),
            ("a=1&a=2", "a", Some("1")),
            ("&&a=1", "a", Some("1")),
            ("a", "a", Some("")),
            ("a&b", "b", Some("")),
            ("a==1", "a", Some("=1")),
            ("a=x+y%20z", "a", Some("x y z")),
            ("%61=%C3%A9", "a", Some("é")),
            ("a%3Db=1", "a=b", Some("1")),
            ("a=%zz%4", "a", Some("%zz%4")),
            ("a=%", "a", Some("%")),
            ("a=%2b", "a", Some("+")),
            ("=1", "", Some("1")),
            ("", "a", None),
            ("ab=1", "a", None),
            ("A=1", "a", None),
        ] {
            let value = first(query, name);
            assert_eq!(value.as_deref(), expected.map(str::as_bytes), "{query} {name}");
        }
    }
}
