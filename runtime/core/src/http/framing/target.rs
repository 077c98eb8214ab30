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

/// The one expectation there is (RFC 9110, 10.1.1).
const CONTINUE: &[u8] = b"100-continue";

/// Whether an `Expect` has that one in a list, which the parser behind does not take for one.
#[cold]
pub(super) fn is_expectation_in_other_words(value: &[u8]) -> bool {
    let mut members = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let is_known = |member: &[u8]| member.is_empty() || member.eq_ignore_ascii_case(CONTINUE);
    value.contains(&b',') && members.all(is_known) && value.iter().any(u8::is_ascii_alphabetic)
}

/// A head with its target, its version and an expectation spelled well. `None`: it begins with no
/// request line that can be.
pub fn respell(head: &[u8]) -> Option<Vec<u8>> {
    let start = memchr::memchr(b' ', head)? + 1;
    let end = memchr::memmem::find(head, b" HTTP/1.")?;
    let (before, target) = (head.get(..start)?, head.get(start..end)?);
    let (version, lines) = head.get(end..)?.split_at_checked(b" HTTP/1.1".len())?;
    let http10 = version.ends_with(b"0");
    let version: &[u8] = if http10 { version } else { b" HTTP/1.1" };
    let mut lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
    for line in &mut lines {
        if value_of(b"expect:", line).is_some_and(is_expectation_in_other_words) {
            *line = b"expect: 100-continue\r\n";
        }
    }
    if before.trim_ascii() == b"OPTIONS"
        && is_pathless(target)
        && let Some(lines) = with_host(&lines, authority(target)?, http10)
    {
        return Some([before, b"*", version, &lines].concat());
    }
    Some([before, &spell(target).ok()?, version, &lines.concat()].concat())
}

/// The value of a field line that begins so, in any case.
fn value_of<'a>(name: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// Field lines whose one `Host` names this authority, as the target does: it wins. HTTP/1.0 needs
/// none. `None`: there is not one.
fn with_host(lines: &[&[u8]], authority: &[u8], http10: bool) -> Option<Vec<u8>> {
    let is_host = |line: &&&[u8]| value_of(b"host:", line).is_some();
    let host = [b"host: ", authority, b"\r\n"].concat();
    match lines.iter().filter(is_host).count() {
        1 => {
            let lines = lines.iter().map(|line| if is_host(&line) { &host } else { *line });
            Some(lines.flatten().copied().collect())
        }
        // Behind the end of the request line.
        0 if http10 => {
            let (first, rest) = lines.split_first()?;
            Some([first, &host[..], &rest.concat()].concat())
        }
        _ => None,
    }
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
        // HTTP/1.0 has none.
        let head = b"OPTIONS http://a HTTP/1.0\r\nx: y\r\n\r\n";
        let spelled = b"OPTIONS * HTTP/1.0\r\nhost: a\r\nx: y\r\n\r\n";
        assert_eq!(respell(head).as_deref(), Some(spelled.as_slice()));
        // Whether it has one is for others to say.
        for hosts in ["", "Host: a\r\nHost: a\r\n"] {
            let head = format!("OPTIONS http://a HTTP/1.1\r\n{hosts}\r\n");
            assert_eq!(respell(head.as_bytes()).as_deref(), Some(head.as_bytes()));
        }
    }

    #[test]
    fn a_later_minor_version_and_a_listed_expectation_are_what_is_known() {
        let head = b"GET /a HTTP/1.2\r\nHost: a\r\n\r\n";
        assert_eq!(
            respell(head).as_deref(),
            Some(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n".as_slice())
        );
        for (expect, in_other_words) in [
            ("100-continue", false),
            ("100-continue,", true),
            (", 100-Continue", true),
            ("100-continue , 100-continue", true),
            ("100-continue, other", false),
            ("other", false),
            (",", false),
            ("", false),
        ] {
            let known = is_expectation_in_other_words(expect.as_bytes());
            assert_eq!(known, in_other_words, "{expect}");
            let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nExpect: {expect}\r\nx: y\r\n\r\n");
            let line = if known { "expect: 100-continue" } else { &format!("Expect: {expect}") };
            let spelled = format!("PUT / HTTP/1.1\r\nHost: a\r\n{line}\r\nx: y\r\n\r\n");
            assert_eq!(respell(head.as_bytes()).as_deref(), Some(spelled.as_bytes()));
        }
    }
}
