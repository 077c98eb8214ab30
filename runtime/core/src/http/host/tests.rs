use http::{Method, Request, Uri};

use super::*;

fn head(version: Version, uri: &str, hosts: &[&[u8]]) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.version = version;
    parts.uri = uri.parse::<Uri>().unwrap();
    for host in hosts {
        parts.headers.append(HOST, HeaderValue::from_bytes(host).unwrap());
    }
    parts
}

#[test]
fn table_of_requests() {
    use BadHost::*;
    type Case = (Version, &'static str, &'static [&'static [u8]], Result<&'static str, BadHost>);
    let (h10, h11, h2) = (Version::HTTP_10, Version::HTTP_11, Version::HTTP_2);
    let cases: &[Case] = &[
        (h11, "/", &[b"a.example"], Ok("a.example")),
        (h11, "/", &[b"A.Example:80"], Ok("a.example")),
        (h11, "/", &[], Err(Missing)),
        (h11, "/", &[b"a", b"a"], Err(Several)),
        (h11, "/", &[b"a", b"b"], Err(Several)),
        (h11, "/", &[b""], Err(Empty)),
        (h11, "/", &[b"\xff"], Err(Name)),
        (h11, "/", &[b"\xc3\xa9.example"], Err(Name)),
        // The absolute form wins, but wants one Host all the same.
        (h11, "http://a.example/", &[b"b.example"], Ok("a.example")),
        (h11, "http://a.example/", &[], Err(Missing)),
        (h11, "http://a.example/", &[b"a.example", b"a.example"], Err(Several)),
        (h11, "ftp://a.example/", &[b"a.example"], Err(Scheme)),
        (h11, "http://user@a.example/", &[b"a.example"], Err(Userinfo)),
        (h11, "http://user:secret@a.example/", &[b"a.example"], Err(Userinfo)),
        (h10, "/", &[], Ok("")),
        (h10, "/", &[b"a"], Ok("a")),
        (h10, "/", &[b"a", b"b"], Err(Several)),
        (h10, "http://a.example/", &[], Ok("a.example")),
        (h2, "https://a.example/", &[], Ok("a.example")),
        (h2, "https://a.example/", &[b"A.EXAMPLE"], Ok("a.example")),
        (h2, "https://a.example/", &[b"b.example"], Err(Differ)),
        (h2, "https://a.example/", &[b"a.example:443"], Err(Differ)),
        (h2, "https://a.example/", &[b"a.example", b"a.example"], Err(Several)),
        (h2, "https://user@a.example/", &[], Err(Userinfo)),
        (h2, "/", &[b"a.example"], Ok("a.example")),
        (h2, "/", &[], Err(Missing)),
    ];
    for (version, uri, hosts, expected) in cases {
        let parts = head(*version, uri, hosts);
        let host = target(&parts).map(|target| target.host.into_owned());
        assert_eq!(host.as_deref().map_err(|bad| *bad), *expected, "{version:?} {uri} {hosts:?}");
    }
}

#[test]
fn connect_names_an_authority_without_a_scheme() {
    let mut parts = head(Version::HTTP_11, "a.example:443", &[b"a.example:443"]);
    assert_eq!(target(&parts), Err(BadHost::Scheme));
    parts.method = Method::CONNECT;
    assert_eq!(target(&parts).map(|target| target.port), Ok(Some(443)));
}

#[test]
fn table_of_authorities() {
    use BadHost::*;
    type Case = (&'static str, Result<(&'static str, Option<u16>), BadHost>);
    let cases: &[Case] = &[
        ("a", Ok(("a", None))),
        ("a.example.", Ok(("a.example", None))),
        ("a.example.:8080", Ok(("a.example", Some(8080)))),
        ("xn--bcher-kva.example", Ok(("xn--bcher-kva.example", None))),
        ("a_b.example", Ok(("a_b.example", None))),
        ("127.0.0.1:1", Ok(("127.0.0.1", Some(1)))),
        ("a:", Ok(("a", None))),
        ("a:65535", Ok(("a", Some(65535)))),
        ("a:00080", Ok(("a", Some(80)))),
        ("[::1]", Ok(("[::1]", None))),
        ("[2001:DB8::1]:443", Ok(("[2001:db8::1]", Some(443)))),
        ("[::ffff:1.2.3.4]", Ok(("[::ffff:1.2.3.4]", None))),
        ("a:0", Err(Port)),
        ("a:65536", Err(Port)),
        ("a:999999", Err(Port)),
        ("a:+80", Err(Port)),
        ("a:-1", Err(Port)),
        ("a:8o", Err(Port)),
        ("a:80:80", Err(Port)),
        ("[::1]:0", Err(Port)),
        ("[::1]80", Err(Port)),
        ("", Err(Empty)),
        (":80", Err(Empty)),
        (".", Err(Name)),
        ("..", Err(Name)),
        (".a", Err(Name)),
        ("a..b", Err(Name)),
        ("a..", Err(Name)),
        ("a,b", Err(Name)),
        ("a b", Err(Name)),
        ("a/b", Err(Name)),
        ("a%00", Err(Name)),
        ("a%41", Err(Name)),
        ("a\\b", Err(Name)),
        ("a?b", Err(Name)),
        ("::1", Err(Empty)),
        ("user@a", Err(Userinfo)),
        ("user:x@a", Err(Userinfo)),
        ("@a", Err(Userinfo)),
        ("[::1]@a", Err(Userinfo)),
        ("[", Err(Ipv6)),
        ("[]", Err(Ipv6)),
        ("[::1", Err(Ipv6)),
        ("[1.2.3.4]", Err(Ipv6)),
        ("[fe80::1%25eth0]", Err(Ipv6)),
        ("[v1.x]", Err(Ipv6)),
    ];
    for (authority, expected) in cases {
        let parsed = Target::parse(authority);
        let got = parsed.as_ref().map(|target| (&*target.host, target.port)).map_err(|bad| *bad);
        assert_eq!(got, *expected, "{authority:?}");
        if let Ok(target) = parsed {
            assert_eq!(target.authority, *authority);
        }
    }
    let long = |length| Target::parse(&"a".repeat(length)).map(|_| ());
    assert_eq!((long(MAX_AUTHORITY), long(MAX_AUTHORITY + 1)), (Ok(()), Err(TooLong)));
}

#[test]
fn lower_case_names_are_borrowed() {
    for authority in ["a.example:80", "a.example.", "[::1]:80"] {
        let target = Target::parse(authority).unwrap();
        assert!(matches!(target.host, Cow::Borrowed(_)), "{authority}");
    }
}

#[test]
fn the_forwarded_field_is_shared_where_it_can_be() {
    let parts = head(Version::HTTP_11, "/", &[b"A.example:80"]);
    let own = &parts.headers[HOST];
    let field = target(&parts).unwrap().value();
    assert_eq!(field.as_bytes().as_ptr(), own.as_bytes().as_ptr());

    let parts = head(Version::HTTP_11, "http://a.example/", &[b"b.example"]);
    assert_eq!(target(&parts).unwrap().value(), "a.example");

    let parts = head(Version::HTTP_2, "https://a.example/", &[]);
    assert_eq!(target(&parts).unwrap().value(), "a.example");

    let parts = head(Version::HTTP_10, "/", &[]);
    assert_eq!(target(&parts).unwrap().value(), "");
}
