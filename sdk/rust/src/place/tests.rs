use super::*;
use crate::testing::{self, FakeRequest, request};
use crate::{NoConfig, Plugin, Result, Verdict};

/// What is sent beside a good credential in the header field, for the cookie `j_t` and the parameter
/// `j_t`. Whoever reads it as the credential would believe `EVIL`.
const READ: [(&str, &[&str]); 9] = [
    (
        "cookie as RFC 6265 has it",
        &["j_t=EVIL", " j_t =EVIL", "a=b;j_t=EVIL", "j_t=\"EVIL\"", "j_t"],
    ),
    ("cookie, Python", &["a=b j_t=EVIL", "a=b, j_t=EVIL", "a=b\tj_t = EVIL", "a=\"x\" j_t=EVIL"]),
    ("cookie, RFC 2109", &["a=b,j_t=EVIL", "a=b ,j_t=EVIL", "a=\"x,j_t=EVIL\"", "a,j_t =EVIL"]),
    ("cookie, ASP.NET", &["J_T=EVIL", "a=b; J_t=EVIL", "a=b,J_t=EVIL"]),
    (
        "cookie, PHP",
        &["j.t=EVIL", "j t=EVIL", "j[t=EVIL", "j_t[]=EVIL", "j_t%00x=EVIL", "%6a_t=EVIL"],
    ),
    ("cookie, Django", &["\u{a0}j_t=EVIL", "j_t\u{a0}=EVIL", "=j_t=EVIL", "\"j_t\"=EVIL"]),
    (
        "query, anybody",
        &["j_t=EVIL", "a=b&j_t=EVIL", "j%5Ft=EVIL", "a=b;j_t=EVIL", "%6a%5ft=EVIL", "j_t"],
    ),
    (
        "query, PHP",
        &[
            "+j_t=EVIL",
            "%20j_t=EVIL",
            "j_t%00=EVIL",
            "j_t%00;x=EVIL",
            "j.t=EVIL",
            "j+t=EVIL",
            "j%20t=EVIL",
            "j[t=EVIL",
            "j%5Bt=EVIL",
            "j_t[]=EVIL",
            "j_t%5B0%5D=EVIL",
            "++j.t%00.x=EVIL",
        ],
    ),
    (
        "query, others",
        &[
            "[j_t]=EVIL",
            "J_T=EVIL",
            "a;%20J_t=EVIL",
            "%u006a_t=EVIL",
            "%j_t=EVIL",
            "?j_t=EVIL",
            "j_t%20=EVIL",
            "j_t+=EVIL",
            "%C2%A0j_t=EVIL",
            "%EF%BB%BFj_t=EVIL",
        ],
    ),
];

/// What nobody reads as the credential: it is forwarded as it is.
const NOT_READ: [(&str, &[&str]); 2] = [
    (
        "cookie",
        &[
            "a=b",
            "a=j_t",
            "a=\"x j_t\"",
            "a=x j_t",
            "a=j_t=c",
            "a=b|j_t=c",
            "a=%20j_t%3Dc",
            "my_j_t=c",
            "j_tt=c",
            "xj_t=c",
            "j_t_=c",
            "j-t=c",
            "a={\"j_t\":1}",
            "a=b; c=d e=f, g=h",
            "$j_t=c",
        ],
    ),
    (
        "query",
        &[
            "q=j_t",
            "q=j_t%3DX",
            "q=j_t=X",
            "q=a%26j_t%3DX",
            "q=a+j_t=X",
            "q=a%20j_t=X",
            "q=a%3Bj_t=X",
            "my_j_t=X",
            "j_tt=X",
            "j-t=X",
            "q[j_t]=X",
            "q.j_t=X",
            "q=100%&a=b",
            "J_T",
            "&&;",
            "j%255Ft=X",
        ],
    ),
];

/// Gives back what was found, and takes out what is in all places.
struct Taker(Vec<Place>);

impl Plugin for Taker {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self> {
        Ok(Self(Place::all("x-token".into(), Some("j_t".into()), Some("j_t".into()))))
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let sent = match Place::sent(&self.0, request, |_, _| true) {
            Sent::Nothing => "nothing",
            Sent::One(..) => "one",
            Sent::Several => "several",
        };
        request.set_attribute("sent", sent);
        self.0.iter().try_for_each(|place| place.strip(request))?;
        Ok(Verdict::Forward)
    }
}

fn carrying(kind: &str, what: &str) -> FakeRequest {
    match kind.starts_with("cookie") {
        // As bytes of Latin-1, which is what white space beyond ASCII is in a field.
        true => {
            let bytes: Vec<u8> = what.chars().map(|c| c as u8).collect();
            request("GET", "/").header("cookie", bytes)
        }
        false => request("GET", &format!("/?{what}")),
    }
}

fn sent(request: FakeRequest) -> (String, String, Option<String>) {
    let mut proxy = testing::Plugin::<Taker>::configure(serde_json::json!({})).unwrap();
    let exchange = proxy.request(request);
    let forwarded = exchange.forwarded();
    let cookie = forwarded.header("cookie").map(str::to_owned);
    (exchange.attribute("sent").unwrap_or_default(), forwarded.path_with_query().to_owned(), cookie)
}

#[test]
fn what_some_endpoint_reads_as_the_credential_is_sent_and_taken_out() {
    for (reader, all) in READ {
        for what in all {
            let (count, target, cookie) = sent(carrying(reader, what).header("x-token", "good"));
            assert_eq!(count, "several", "{reader}: {what}");
            assert!(!target.contains("EVIL"), "{reader}: {what}: {target}");
            assert!(
                !cookie.as_deref().unwrap_or_default().contains("EVIL"),
                "{reader}: {cookie:?}"
            );
        }
    }
}

#[test]
fn what_nobody_reads_as_the_credential_is_let_alone() {
    for (kind, all) in NOT_READ {
        for what in all {
            assert_eq!(sent(carrying(kind, what)).0, "nothing", "{kind}: {what}");
            let (count, target, cookie) = sent(carrying(kind, what).header("x-token", "good"));
            assert_eq!(count, "one", "{kind}: {what}");
            assert_eq!(cookie.as_deref().unwrap_or(target.get(2..).unwrap_or_default()), *what);
        }
    }
}

#[test]
fn one_that_is_written_as_it_should_be_is_one() {
    for (kind, what) in [
        ("cookie", "a=b; j_t=good; c=d e"),
        ("cookie", "j_t=go od=, x"),
        ("query", "a=b&j_t=good=&c"),
        ("query", "a=b;%6a_t=good;c=d"),
        ("query", "j%5Ft"),
    ] {
        let (count, target, cookie) = sent(carrying(kind, what));
        // In other letters than these it is the same parameter to whoever decodes at all.
        assert_eq!(count, "one", "{kind}: {what}");
        assert!(!target.contains("good"), "{target}");
        assert!(!cookie.unwrap_or_default().contains("j_t"), "{what}");
    }
    // The second in what stands with a good one.
    assert_eq!(sent(carrying("cookie", "j_t=good j_t=EVIL")).0, "several");
}

/// However many marks and signs there are, each byte is looked at a few times.
#[test]
fn a_long_field_takes_no_longer_than_its_length() {
    for piece in
        ["=", " ", ",", "a= ", "a=,", "j_t ", "= ", "%00", "[", "j_t", "%=,", "%=;", "%6a="]
    {
        let long = piece.repeat(60_000 / piece.len());
        sent(carrying("cookie", &format!("x{long}")));
        sent(carrying("query", &format!("x{}", long.replace(' ', "+"))));
    }
}
