//! Request targets in the one spelling that is routed and forwarded (RFC 9112, 3.2).
//!
//! In: a target as a client wrote it. Out: the same with every character percent-encoded that has no
//! place in it, as the URL standard's path and query states do
//! (<https://url.spec.whatwg.org/#percent-encoded-bytes>), or why it is refused. Never: decodes;
//! allocates for a target that is spelled well already.

use std::borrow::Cow;

use http::Uri;

use super::Violation;

/// The longest target, in bytes and as it is spelled: more has no place in a [`Uri`].
const MAX: usize = u16::MAX as usize - 1;

/// Whether a target in origin form may stay as it is: nearly every one may.
#[inline]
pub(super) fn is_plain(target: &[u8]) -> bool {
    let (words, tail) = target.as_chunks::<4>();
    let plain = words.iter().all(|[a, b, c, d]| {
        PLAIN[*a as usize] & PLAIN[*b as usize] & PLAIN[*c as usize] & PLAIN[*d as usize]
    });
    plain
        && tail.iter().all(|byte| PLAIN[*byte as usize])
        && target.first() == Some(&b'/')
        && target.len() <= MAX
}

/// A target in its one spelling.
///
/// # Errors
/// What no spelling makes a target: white space and control characters, and a fragment, which is
/// for the client alone: to cut it off would be to act on another resource than it names.
pub fn spell(target: &[u8]) -> Result<Cow<'_, [u8]>, Violation> {
    if target.is_empty() || target.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
        return Err(Violation::RequestLine);
    }
    if target.contains(&b'#') {
        return Err(Violation::Fragment);
    }
    let spelled = encode(target);
    if spelled.len() > MAX {
        return Err(Violation::TargetTooLong);
    }
    let is_origin_form = spelled.first() == Some(&b'/');
    if !is_origin_form && Uri::try_from(&*spelled).is_err() {
        return Err(Violation::Target);
    }
    Ok(spelled)
}

/// Percent-encodes what has no place in a path and, behind the first `?`, in a query.
pub fn encode(target: &[u8]) -> Cow<'_, [u8]> {
    let mut in_query = false;
    let mut encodes = |byte: &u8| {
        in_query |= *byte == b'?';
        match byte {
            b'"' | b'#' | b'<' | b'>' | 0..=0x20 | 0x7f.. => true,
            b'`' => !in_query,
            _ => false,
        }
    };
    let Some(first) = target.iter().position(&mut encodes) else { return Cow::Borrowed(target) };
    let (before, rest) = target.split_at(first);
    let mut out = Vec::with_capacity(target.len() + 16);
    out.extend_from_slice(before);
    for byte in rest {
        if encodes(byte) {
            crate::http::path::push_escape(*byte, &mut out);
        } else {
            out.push(*byte);
        }
    }
    Cow::Owned(out)
}

/// The same for a query alone, of a target that a parser has taken already.
pub fn encode_query(query: &str) -> Cow<'_, str> {
    if query.is_ascii() {
        return Cow::Borrowed(query);
    }
    let mut out = Vec::with_capacity(query.len() + 16);
    for byte in query.bytes() {
        match byte {
            0x80.. => crate::http::path::push_escape(byte, &mut out),
            _ => out.push(byte),
        }
    }
    // Only ASCII was pushed.
    String::from_utf8(out).map_or(Cow::Borrowed(""), Cow::Owned)
}

/// Whether a target is `http://host` and no more. With OPTIONS it is about the host and no path of
/// it, which is spelled `*` (RFC 9112, 3.2.4).
pub(super) fn is_pathless(target: &[u8]) -> bool {
    authority(target).is_some_and(|authority| !authority.iter().any(|b| matches!(b, b'/' | b'?')))
}

/// What follows the scheme of a target in absolute form.
fn authority(target: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(target, b"://")?;
    target.get(at + 3..)
}

/// A head with its target spelled well. `None`: it begins with no request line that can be.
pub fn respell(head: &[u8]) -> Option<Vec<u8>> {
    let start = memchr::memchr(b' ', head)? + 1;
    let end = memchr::memmem::find(head, b" HTTP/1.")?;
    let (method, target) = (head.get(..start)?.trim_ascii(), head.get(start..end)?);
    let (before, behind) = (head.get(..start)?, head.get(end..)?);
    if method == b"OPTIONS"
        && is_pathless(target)
        && let Some(behind) = with_host(behind, authority(target)?)
    {
        return Some([before, b"*", &behind].concat());
    }
    Some([before, &spell(target).ok()?, behind].concat())
}

/// Field lines whose one `Host` names this authority, as the target does: it wins. `None`: there is
/// not one.
fn with_host(lines: &[u8], authority: &[u8]) -> Option<Vec<u8>> {
    let is_host = |line: &&[u8]| line.get(..5).is_some_and(|n| n.eq_ignore_ascii_case(b"host:"));
    let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
    if lines.iter().filter(|line| is_host(line)).count() != 1 {
        return None;
    }
    let host = [b"host: ", authority, b"\r\n"].concat();
    let lines = lines.into_iter().map(|line| if is_host(&line) { &host } else { line });
    Some(lines.flatten().copied().collect())
}

/// What may stand both in a path and in a query, and that no parser cuts at.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b'!';
    while byte < 0x7f {
        plain[byte as usize] = !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'`');
        byte += 1;
    }
    plain
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_one_spelling() {
        for (target, spelled) in [
            (&b"/a/b?c=d&e"[..], &b"/a/b?c=d&e"[..]),
            (b"*", b"*"),
            (b"http://a/b", b"http://a/b"),
            ("/\u{fc}?\u{fc}".as_bytes(), b"/%C3%BC?%C3%BC"),
            (b"/\xfc?\xfc", b"/%FC?%FC"),
            (b"/\"<>`{|}?\"<>`{|}", b"/%22%3C%3E%60{|}?%22%3C%3E`{|}"),
            (b"/%zz%", b"/%zz%"),
            ("http://a/\u{fc}".as_bytes(), b"http://a/%C3%BC"),
        ] {
            assert_eq!(spell(target).as_deref(), Ok(spelled), "{}", target.escape_ascii());
            let plain = target.first() == Some(&b'/') && target == spelled;
            assert_eq!(is_plain(target), plain, "{}", target.escape_ascii());
            // What is plain is what the parsers behind take as it is.
            assert!(Uri::try_from(spelled).is_ok());
        }
    }

    #[test]
    fn some_have_none() {
        let long = [b"/".as_slice(), &[b'a'; MAX]].concat();
        let long_once_spelled = [b"/".as_slice(), &[0xfc; MAX / 2]].concat();
        for (target, violation) in [
            (&b"/a#b"[..], Violation::Fragment),
            (b"/a?b#", Violation::Fragment),
            (b"/a b", Violation::RequestLine),
            (b"/a\x7f", Violation::RequestLine),
            (b"", Violation::RequestLine),
            (b"?a", Violation::Target),
            (b"http:///a", Violation::Target),
            (b"a/b", Violation::Target),
            (&long, Violation::TargetTooLong),
            (&long_once_spelled, Violation::TargetTooLong),
        ] {
            assert_eq!(spell(target), Err(violation), "{}", target.escape_ascii());
            assert!(!is_plain(target), "{}", target.escape_ascii());
        }
    }

    #[test]
    fn what_is_plain_a_uri_takes_as_it_is() {
        for byte in 0..=u8::MAX {
            for target in [vec![b'/', byte], vec![b'/', b'?', byte]] {
                if is_plain(&target) {
                    let uri = Uri::try_from(target.as_slice()).expect("a URI");
                    assert_eq!(uri.to_string().as_bytes(), target);
                }
            }
        }
    }

    #[test]
    fn a_head_keeps_all_but_its_target() {
        let head = b"\r\nGET /\xfc?a HTTP/1.1\r\nHost: a\r\nx: GET /\xfc HTTP/1.1\r\n\r\n";
        let spelled = b"\r\nGET /%FC?a HTTP/1.1\r\nHost: a\r\nx: GET /\xfc HTTP/1.1\r\n\r\n";
        assert_eq!(respell(head).as_deref(), Some(spelled.as_slice()));
        assert_eq!(respell(b"nothing"), None);
        let head = b"OPTIONS http://a HTTP/1.1\r\nx: y\r\nHOST: b\r\n\r\n";
        let spelled = b"OPTIONS * HTTP/1.1\r\nx: y\r\nhost: a\r\n\r\n";
        assert_eq!(respell(head).as_deref(), Some(spelled.as_slice()));
        // Whether it has one is for others to say.
        for hosts in ["", "Host: a\r\nHost: a\r\n"] {
            let head = format!("OPTIONS http://a HTTP/1.1\r\n{hosts}\r\n");
            assert_eq!(respell(head.as_bytes()).as_deref(), Some(head.as_bytes()));
        }
    }
}
