use super::*;

#[test]
fn we_are_appended_with_the_version_received() {
    let versions = [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3];
    for (version, number) in versions.into_iter().zip(["1.0", "1.1", "2", "3"]) {
        let mut headers = HeaderMap::new();
        headers.insert(VIA, HeaderValue::from_static("1.1 other"));
        append(&mut headers, version);
        let values: Vec<&str> = headers.get_all(VIA).iter().flat_map(|v| v.to_str()).collect();
        assert_eq!(values, ["1.1 other", &format!("{number} {PSEUDONYM}")]);
    }
}

#[test]
fn a_loop_is_found_whether_lines_are_joined_or_not() {
    let mut headers = HeaderMap::new();
    assert!(check(&headers).is_ok());
    for _ in 0..MAX_PASSES - 1 {
        append(&mut headers, Version::HTTP_11);
        append(&mut headers, Version::HTTP_2);
        headers.append(VIA, HeaderValue::from_static("1.1 other (weir), 1.1 weir.example:80"));
        if passes(&headers) >= MAX_PASSES {
            break;
        }
        assert!(check(&headers).is_ok());
    }
    let error = check(&headers).unwrap_err();
    assert_eq!((error.kind, error.status()), (Kind::ProxyLoopDetected, 508));

    let joined = ["HTTP/1.1 \t Weir (x)"; MAX_PASSES].join(" , ");
    let mut headers = HeaderMap::new();
    headers.insert(VIA, HeaderValue::from_str(&joined).unwrap());
    assert!(check(&headers).is_err());
    headers.insert(VIA, HeaderValue::from_bytes(b"\xff, weir, 1.1").unwrap());
    assert_eq!(passes(&headers), 0);
}
