//! `Accept`: the form in which a client wants to read an error (RFC 9110, section 12.5.1).
//!
//! In: a request's fields. Out: the form it likes best of those there are; gRPC has one of its own. Never: refuses; who takes
//! none of them, or says nothing, gets problem details.

use http::HeaderMap;
use http::header::ACCEPT;

use weir_core::http::grpc;

/// The form in which a client wants to read an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Problem,
    Text,
    /// A page for people: what a browser asks for.
    Html,
    /// The same page, for who takes only that.
    Xhtml,
    Grpc,
}

/// In the order in which they are given to whoever likes them the same.
const FORMS: [(Form, &[&str]); 4] = [
    (Form::Problem, &["application/problem+json", "application/json"]),
    (Form::Text, &["text/plain"]),
    (Form::Html, &["text/html"]),
    (Form::Xhtml, &["application/xhtml+xml"]),
];

/// How much a client wants a form: its weight, in thousandths, and how exactly it named it. Of what it
/// wants the same the first that it names counts.
type Liking = (u16, u8, std::cmp::Reverse<usize>);

impl Form {
    /// The form that a request's head asks for.
    pub fn wanted_by(headers: &HeaderMap) -> Form {
        if grpc::is_spoken(headers) { Form::Grpc } else { preferred(headers) }
    }
}

/// What a client likes best.
fn preferred(headers: &HeaderMap) -> Form {
    if !headers.contains_key(ACCEPT) {
        return Form::Problem;
    }
    let mut best: Option<(Liking, Form)> = None;
    for (form, names) in FORMS {
        let liked = names.iter().filter_map(|name| liking(headers, name)).max();
        if let Some(liked) = liked
            && best.is_none_or(|(other, _)| liked > other)
        {
            best = Some((liked, form));
        }
    }
    best.map_or(Form::Problem, |(_, form)| form)
}

/// By the range that fits a type most exactly. `None`: it is not wanted.
fn liking(headers: &HeaderMap, name: &str) -> Option<Liking> {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let ranges = lines.flat_map(|line| line.split(',')).enumerate();
    let fitting = ranges.filter_map(|(at, range)| {
        let mut parts = range.split(';').map(str::trim);
        let exactness = fits(parts.next()?, name)?;
        let weight = parts.find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
        });
        Some((exactness, std::cmp::Reverse(at), weight.unwrap_or(1000)))
    });
    let (exactness, at, weight) = fitting.max()?;
    (weight > 0).then_some((weight, exactness, at))
}

/// How exactly a range fits a type.
fn fits(range: &str, name: &str) -> Option<u8> {
    if range.eq_ignore_ascii_case(name) {
        return Some(2);
    }
    match range.strip_suffix("/*")? {
        "*" => Some(0),
        kind => {
            let (known, _) = name.split_once('/')?;
            kind.eq_ignore_ascii_case(known).then_some(1)
        }
    }
}

/// A weight: at most three decimals. What is none weighs nothing.
fn thousandths(weight: &str) -> u16 {
    match weight.parse::<f32>() {
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1000.0).round() as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_liked_best_is_given() {
        for (accept, form) in [
            (&[][..], Form::Problem),
            (&[""], Form::Problem),
            (&["*/*"], Form::Problem),
            (&["nonsense, /, ;q=1, text/"], Form::Problem),
            (&["text/html"], Form::Html),
            (&["TEXT/HTML;Q=0.5"], Form::Html),
            (&["text/html;level=1;q=0.5"], Form::Html),
            (&["text/html;q=0"], Form::Problem),
            (&["text/html;q=0.000, text/plain"], Form::Text),
            (&["text/html;q=0.1, application/json"], Form::Problem),
            (&["text/html;q=0.2, application/json;q=0.1"], Form::Html),
            (&["application/json;q=0.1, text/html ; q=0.2"], Form::Html),
            (&["text/html, */*"], Form::Html),
            (&["text/html;q=0.1, */*"], Form::Problem),
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], Form::Html),
            (&["application/xhtml+xml"], Form::Xhtml),
            (&["application/xhtml+xml, text/html;q=0.9"], Form::Xhtml),
            (&["text/*"], Form::Text),
            (&["text/*, text/plain;q=0"], Form::Html),
            (&["text/*;q=0, text/html"], Form::Html),
            (&["*/*;q=0"], Form::Problem),
            (&["text/html;q=2"], Form::Problem),
            (&["text/html;q=x, text/plain;q=0.1"], Form::Text),
            (&["image/png", "text/plain"], Form::Text),
            (&["text/plain", "text/html"], Form::Text),
            (&["text/html", "text/plain"], Form::Html),
        ] {
            let mut headers = HeaderMap::new();
            for line in accept {
                headers.append(ACCEPT, HeaderValue::from_static(line));
            }
            assert_eq!(preferred(&headers), form, "{accept:?}");
        }
    }
}
