use super::*;

/// For as long as its requests are alike.
#[test]
fn fields_of_a_connection_are_shared() {
    let peer = client("192.0.2.1");
    let own = ForwardedFields::new(&peer, Some(80));
    let asked = |host: &str, via| {
        let mut headers = map(&[("x-forwarded-for", "1.1.1.1")]);
        let host = HeaderValue::from_str(host).unwrap();
        let (client, added) = own.apply(&mut headers, &host, &peer, &trusted(), via);
        assert!(client.is_none() && headers.is_empty());
        added.unwrap()
    };
    let forwarded = |added: &AddedFields| added.get("forwarded").unwrap().clone();
    let first = asked("a", Some(Version::HTTP_11));
    assert!(Arc::ptr_eq(&first, &asked("a", Some(Version::HTTP_11))));
    assert_eq!(first.get("via").unwrap(), "1.1 weir");
    // Another version, none, another host, none.
    assert_eq!(asked("a", Some(Version::HTTP_10)).get("via").unwrap(), "1.0 weir");
    assert!(asked("a", None).get("via").is_none());
    let other = asked("[::1]:8080", None);
    assert_eq!(forwarded(&other), "for=192.0.2.1;proto=http;host=\"[::1]:8080\"");
    let none = asked("", None);
    assert_eq!(forwarded(&none), "for=192.0.2.1;proto=http");
    assert!(none.get("x-forwarded-host").is_none());
    assert_eq!(asked("a", None).get("x-forwarded-host").unwrap(), "a");
}

/// A long host is shared by requests that are under way, and not kept behind them.
#[test]
fn a_long_host_is_not_kept() {
    let peer = client("192.0.2.1");
    let own = ForwardedFields::new(&peer, Some(80));
    for (length, is_kept) in [(MAX_KEPT_HOST, true), (MAX_KEPT_HOST + 1, false)] {
        let host = HeaderValue::from_str(&"a".repeat(length)).unwrap();
        let asked = || own.apply(&mut HeaderMap::new(), &host, &peer, &trusted(), None).1.unwrap();
        let (first, second) = (asked(), asked());
        assert!(Arc::ptr_eq(&first, &second), "{length}");
        drop(second);
        let after = Arc::downgrade(&first);
        drop(first);
        assert_eq!(after.upgrade().is_some(), is_kept, "{length}");
    }
}
