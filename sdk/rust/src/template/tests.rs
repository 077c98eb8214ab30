use super::*;
use crate::{NoConfig, Plugin, Verdict, testing};

/// Writes a template rendered both ways into two fields.
struct Render(Template);

#[weir_sdk::config]
struct Config {
    text: Template,
}

impl Plugin for Render {
    type Config = Config;

    fn configure(config: Config) -> crate::Result<Self> {
        Ok(Self(config.text))
    }

    fn on_request(&self, request: &mut Request) -> crate::Result<Verdict> {
        request.set_header("x-out", self.0.render(request))?;
        if let Some(complete) = self.0.render_complete(request) {
            assert_eq!(complete, self.0.render_str(request));
            request.set_header("x-complete", complete.as_bytes())?;
        }
        Ok(Verdict::Forward)
    }
}

fn render(text: &str, request: testing::FakeRequest) -> (String, bool) {
    let config = serde_json::json!({ "text": text });
    let mut proxy = testing::Plugin::<Render>::configure(config).unwrap();
    let exchange = proxy.request(request);
    let forwarded = exchange.forwarded();
    let complete = forwarded.header("x-complete").is_some();
    (forwarded.header("x-out").unwrap().into(), complete)
}

#[test]
fn every_variable_renders() {
    let request = || {
        testing::request("PUT", "/a%20b?n=x%20y&z")
            .authority("API.example.com:8443")
            .header("x-one", "1")
            .header("x-one", "2")
            .header("x-empty", "")
            .header("x-empty", "3")
            .header("x-empty", "")
            .header("cookie", "a=b; sid=\"s\"")
            .header("cookie", "c=d")
            .attribute("auth.subject", "alice")
            .route("api")
    };
    for (text, expected) in [
        ("{client.address}", "192.0.2.1"),
        ("{client.port}", "50000"),
        ("{request.id}", "request-1"),
        ("{request.method}", "PUT"),
        ("{request.scheme}", "https"),
        ("{request.host}", "api.example.com"),
        ("{request.path}", "/a%20b"),
        ("{request.query}", "n=x%20y&z"),
        ("{request.query.n}", "x y"),
        ("{request.header.X-One}", "1, 2"),
        ("{request.header.x-empty}", "3"),
        ("{request.header.cookie}", "a=b; sid=\"s\"; c=d"),
        ("{request.cookie.sid}", "s"),
        ("{attribute.auth.subject}", "alice"),
        ("{route}", "api"),
        ("<{route}>{request.method}", "<api>PUT"),
        ("{{{route}}} {{}}", "{api} {}"),
        ("plain", "plain"),
    ] {
        assert_eq!(render(text, request()), (expected.to_owned(), true), "{text}");
    }
}

#[test]
fn what_is_missing_is_empty_and_incomplete() {
    for text in [
        "{request.query}",
        "{request.query.no}",
        "{request.header.no}",
        "{request.cookie.no}",
        "{attribute.no}",
    ] {
        let request = testing::request("GET", "/");
        assert_eq!(render(text, request.clone()), (String::new(), false), "{text}");
        let mixed = format!("a{text}b");
        assert_eq!(render(&mixed, request), ("ab".to_owned(), false), "{text}");
    }
}

#[test]
fn a_value_that_is_no_utf8_is_kept() {
    let config = serde_json::json!({ "text": "{request.header.x}" });
    let mut proxy = testing::Plugin::<Render>::configure(config).unwrap();
    let exchange = proxy.request(testing::request("GET", "/").header("x", b"\xffa"));
    assert_eq!(exchange.forwarded().header_values("x-out")[0], b"\xffa"[..]);
}

#[test]
fn a_text_without_variables_is_static() {
    let template: Template = "a {{b}}".parse().unwrap();
    assert_eq!(template.as_static(), Some("a {b}"));
    assert_eq!(template, Template::literal("a {b}"));
    assert_eq!("{route}".parse::<Template>().unwrap().as_static(), None);
}

#[test]
fn mistakes_are_configuration_errors() {
    for (text, expected) in [
        ("{client.adress}", "unknown variable `{client.adress}`; known are {client.address},"),
        ("{}", "unknown variable `{}`"),
        ("{request.header.}", "unknown variable `{request.header.}`"),
        ("{ route }", "unknown variable `{ route }`"),
        ("a{route", "the brace at offset 1 has no partner"),
        ("ab}", "the brace at offset 2 has no partner"),
    ] {
        let config = serde_json::json!({ "text": text });
        let error = testing::Plugin::<Render>::configure(config).err().unwrap();
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
    let error = serde_json::from_str::<NoConfig>("{\"a\": 1}").unwrap_err();
    assert!(error.to_string().contains("unknown field `a`"), "{error}");
}
