use super::*;

#[test]
fn durations_are_read_and_written() {
    for (text, millis) in [
        ("250ms", 250),
        ("10s", 10_000),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("2d", 172_800_000),
        ("1h30m", 5_400_000),
        ("0s", 0),
    ] {
        let read: Duration = text.parse().unwrap();
        assert_eq!(read.as_millis(), millis, "{text}");
        assert_eq!(
            read.to_string().parse::<Duration>().unwrap(),
            read,
            "{text}"
        );
    }
    for text in [
        "",
        "10",
        "s",
        "1.5s",
        "-1s",
        "10 s",
        "10S",
        "1s?",
        "99999999999999999999s",
    ] {
        let error = text.parse::<Duration>().unwrap_err().to_string();
        assert!(error.contains("is no duration"), "{text}: {error}");
    }
}

#[test]
fn sizes_are_read_and_written() {
    for (text, bytes) in [
        ("0B", 0),
        ("64KiB", 65_536),
        ("10MiB", 10_485_760),
        ("1KB", 1_000),
    ] {
        let read: Size = text.parse().unwrap();
        assert_eq!(read.bytes(), bytes, "{text}");
        assert_eq!(read.to_string().parse::<Size>().unwrap(), read, "{text}");
    }
    for text in ["", "10", "KiB", "1kib", "1.5MiB", "-1B", "99999999999GiB"] {
        let error = text.parse::<Size>().unwrap_err().to_string();
        assert!(error.contains("is no size"), "{text}: {error}");
    }
}

#[test]
fn a_secret_is_not_shown() {
    let secret = Secret::from("hunter2");
    assert_eq!(format!("{secret:?}"), "Secret(…)");
    assert!(secret.matches("hunter2") && secret.matches(b"hunter2"));
    assert!(!secret.matches("hunter") && !secret.matches("hunter3"));
}

#[test]
fn the_schema_has_types_descriptions_and_defaults() {
    /// A table.
    #[weir_sdk::config]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Table {
        /// How long.
        age: Duration,
        #[serde(default)]
        secret: Option<Secret>,
    }
    let schema: serde_json::Value = serde_json::from_str(&schema::<Table>()).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["age"]["type"], "string");
    assert_eq!(schema["properties"]["age"]["description"], "How long.");
    assert_eq!(schema["required"], serde_json::json!(["age"]));
    assert!(schema["$schema"].as_str().unwrap().contains("2020-12"));
}
