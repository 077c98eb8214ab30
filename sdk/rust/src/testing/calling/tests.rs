//! What a plugin sees of the upstreams that a test answers for.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::outbound::{Call, CallError, send_all};
use crate::{NoConfig, Plugin, Reply, Request, Result, Verdict, testing};

/// Answers with what came of the calls that the field `x-call` asks for.
struct Asking;

#[crate::plugin]
impl Plugin for Asking {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self> {
        Ok(Asking)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let urls = request.header_str("x-call").unwrap_or_default();
        let calls = urls.split_whitespace().map(|url| match url.split_once('!') {
            Some(("long", url)) => Call::get(url).limit(3),
            Some(("never", url)) => Call::get(url).timeout(Duration::ZERO),
            Some((name, url)) => Call::post(url).header(name, "v").body("sent"),
            None => Call::get(url),
        });
        let told = send_all(calls).into_iter().map(|outcome| match outcome {
            Ok(answer) => {
                let field = answer.header("x-from").map(|it| it.to_string_lossy().into_owned());
                let body = String::from_utf8(answer.body()).unwrap_or_default();
                format!("{} {} {body}", answer.status(), field.unwrap_or_default())
            }
            Err(error) => format!("{error:?}"),
        });
        Ok(Reply::text(200, told.collect::<Vec<_>>().join(", ")).into())
    }
}

fn told(urls: &str) -> (String, Vec<String>) {
    let mut proxy =
        testing::Plugin::<Asking>::configure(serde_json::json!({})).expect("it takes it");
    let seen = Rc::new(RefCell::new(Vec::new()));
    let sees = seen.clone();
    proxy
        .origin("https://idp.example:8443", |_| Ok(testing::response(204).header("x-from", "idp")));
    proxy.upstream("users", move |call| {
        let (field, body) = (call.header("x-a").unwrap_or("none"), call.body().len());
        let line = format!("{} {} {field} {body}", call.method(), call.path_with_query());
        sees.borrow_mut().push(line);
        match call.path_with_query() {
            "/away" => Err(CallError::Unavailable),
            _ => Ok(testing::response(201).header("x-from", "here").body("long")),
        }
    });
    let exchange = proxy.request(testing::request("GET", "/").header("x-call", urls));
    let body = String::from_utf8(exchange.reply().body.clone()).expect("text");
    (body, seen.take())
}

#[test]
fn an_upstream_answers_as_the_test_says() {
    let (told, seen) = told("upstream://users?a=b x-a!upstream://users/path upstream://users/away");
    assert_eq!(told, "201 here long, 201 here long, Unavailable");
    assert_eq!(seen, ["GET /?a=b none 0", "POST /path v 4", "GET /away none 0"]);
}

#[test]
fn an_origin_answers_as_the_test_says() {
    let idp = "https://idp.example:8443";
    let (told, seen) =
        told(&format!("{idp}/a {idp} https://idp.example/a http://idp.example:8443/"));
    assert_eq!((&*told, seen.len()), ("204 idp , 204 idp , Denied, Denied", 0));
}

#[test]
fn what_the_proxy_would_refuse_is_refused() {
    let (told, seen) = told(
        "upstream://others/ https://users/ ftp://users/ upstream://users/a#b host!upstream://users/ \
         never!upstream://users/ long!upstream://users/",
    );
    assert_eq!(told, "Denied, Denied, Invalid, Invalid, Invalid, Invalid, TooLarge");
    assert_eq!(seen.len(), 1, "only the one that is too long is made");
}

#[test]
#[should_panic(expected = "at most 16 calls are made at once")]
fn too_many_at_once_are_a_trap() {
    told(&["upstream://users/"; 17].join(" "));
}
