//! The behaviours that the guest of every SDK must show.
//!
//! In: nothing. Out: for each behaviour what the guest does, the request to send, what the
//! upstream answers, and what upstream, client, log and metrics must see.
//! Never: tests anything itself; whoever has a host does.
//!
//! A test names every behaviour by [`foreach_behaviour!`], so that one without a test does not
//! compile:
//!
//! ```
//! # macro_rules! check { ($id:ident) => { fn $id() {} } }
//! # weir_conformance::foreach_behaviour!(check);
//! macro_rules! assert_test_exists {
//!     ($id:ident) => {
//!         const _: fn() = $id;
//!     };
//! }
//! weir_conformance::foreach_behaviour!(assert_test_exists);
//! ```
//!
//! # How to run them
//!
//! Configure one plugin, `conformance`, from the SDK's guest with `config = {}` and
//! `grants = { store = true }`, on the route `conformance` that matches everything and leads to
//! one upstream. For each behaviour start with an empty limiter and store; send
//! [`Behaviour::request`] with the field `x-behaviour` set to the id, let the upstream answer
//! [`Behaviour::upstream`], and compare with [`Behaviour::expect`].
//! `{"behaviour": "ID"}` as configuration does the same as the field `x-behaviour`.
//! The configuration `{"behaviour": "configure_error"}` must be refused with a text that holds
//! [`CONFIGURE_ERROR`].

mod lifecycle;
mod request;
mod response;
mod services;
#[cfg(test)]
mod tests;

/// What `configure` says where the configuration is `{"behaviour": "configure_error"}`.
pub const CONFIGURE_ERROR: &str = "this configuration is refused on purpose";

/// Something a guest does, and how it shows.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// Its name, also the value of `x-behaviour`.
    pub id: &'static str,
    /// What the guest does, for whoever writes one.
    pub guest: &'static str,
    /// What the client sends.
    pub request: Request,
    /// What the upstream answers, if it is asked.
    pub upstream: Answer,
    /// What must be seen.
    pub expect: Expect,
}

/// A request of a client.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// Path and query.
    pub target: &'static str,
    /// Field lines, beside `host: example.com` and `x-behaviour`.
    pub fields: &'static [(&'static str, &'static [u8])],
    /// The body; sent in several chunks where it is longer than 16 bytes.
    pub body: &'static [u8],
}

/// A response of the upstream.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Field lines.
    pub fields: &'static [(&'static str, &'static [u8])],
    /// The body, sent with its `content-length`.
    pub body: &'static [u8],
}

/// What must be seen.
#[derive(Debug, Clone, Copy)]
pub struct Expect {
    /// By the upstream; `None` if it must not be asked.
    pub upstream: Option<Seen>,
    /// By the client.
    pub client: Got,
    /// Lines in the log, in this order; others may stand between.
    pub log: &'static [Line],
    /// In the metrics of the plugin, without the prefix `weir_plugin_` and the label `plugin`.
    pub metrics: &'static [Metric],
}

/// The values of a field: exactly these, in this order; none if it must be absent.
pub type Values = (&'static str, &'static [&'static [u8]]);

/// The request as the upstream must see it.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The method.
    pub method: &'static str,
    /// Path and query.
    pub target: &'static str,
    /// The authority.
    pub host: &'static str,
    /// Fields.
    pub fields: &'static [Values],
    /// The body, whole and with correct framing.
    pub body: &'static [u8],
}

/// The response as the client must get it.
#[derive(Debug, Clone, Copy)]
pub struct Got {
    /// The status.
    pub status: u16,
    /// Fields.
    pub fields: &'static [Values],
    /// The body; `None` if the proxy's own, or none of the test's business.
    pub body: Option<&'static [u8]>,
    /// Whether the body must end too early, by a reset or a closed connection.
    pub cut: bool,
    /// No byte of it before so many milliseconds.
    pub delay_millis: u64,
}

/// A line in the log.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// The text.
    pub message: &'static str,
    /// Names and values; the host may add more.
    pub fields: &'static [(&'static str, &'static str)],
}

/// A metric's value.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The plugin's own name for it.
    pub name: &'static str,
    /// The plugin's own labels.
    pub labels: &'static [(&'static str, &'static str)],
    /// The value; of a histogram, the sum of what was observed.
    pub value: f64,
}

const GET: Request = Request { method: "GET", target: "/", fields: &[], body: b"" };

const OK: Answer = Answer { status: 200, fields: &[], body: b"answer" };

const FORWARDED: Seen =
    Seen { method: "GET", target: "/", host: "example.com", fields: &[], body: b"" };

const ANSWERED: Got =
    Got { status: 200, fields: &[], body: Some(b"answer"), cut: false, delay_millis: 0 };

/// A request that passes, and its answer.
const PASSES: Expect =
    Expect { upstream: Some(FORWARDED), client: ANSWERED, log: &[], metrics: &[] };

/// The plugin failed in its request hook, and `on_failure` is `reject`.
const FAILS: Expect = Expect {
    upstream: None,
    client: Got { status: 500, body: None, ..ANSWERED },
    log: &[],
    metrics: &[],
};

/// A behaviour where the guest writes what it found into the request's field `x-out`.
const fn reports(
    id: &'static str,
    guest: &'static str,
    request: Request,
    fields: &'static [Values],
) -> Behaviour {
    Behaviour {
        id,
        guest,
        request,
        upstream: OK,
        expect: Expect {
            upstream: Some(Seen {
                method: request.method,
                target: request.target,
                body: request.body,
                fields,
                ..FORWARDED
            }),
            ..PASSES
        },
    }
}

/// A behaviour where the guest writes what it found into the response's field `x-out`.
const fn answers(
    id: &'static str,
    guest: &'static str,
    upstream: Answer,
    fields: &'static [Values],
) -> Behaviour {
    Behaviour {
        id,
        guest,
        request: GET,
        upstream,
        expect: Expect {
            client: Got { status: upstream.status, body: Some(upstream.body), fields, ..ANSWERED },
            ..PASSES
        },
    }
}

/// Calls a macro with the id of every behaviour.
#[macro_export]
macro_rules! foreach_behaviour {
    ($each:ident) => {
        $each!(request_header);
        $each!(request_header_missing);
        $each!(request_header_values);
        $each!(request_headers);
        $each!(set_request_header);
        $each!(append_request_header);
        $each!(remove_request_header);
        $each!(request_value_not_utf8);
        $each!(request_illegal_fields);
        $each!(request_forbidden_fields);
        $each!(request_size_exceeded);
        $each!(request_facts);
        $each!(request_id);
        $each!(set_method);
        $each!(set_authority);
        $each!(set_path_with_query);
        $each!(read_request_body);
        $each!(read_request_body_too_large);
        $each!(set_request_body);
        $each!(limit_request_body);
        $each!(transform_request_body);
        $each!(reply);
        $each!(reply_to_head);
        $each!(reply_delay);
        $each!(reply_status_illegal);
        $each!(reply_field_illegal);
        $each!(reply_field_forbidden);
        $each!(response_status);
        $each!(set_response_status);
        $each!(response_header);
        $each!(response_header_values);
        $each!(response_headers);
        $each!(set_response_header);
        $each!(append_response_header);
        $each!(remove_response_header);
        $each!(response_value_not_utf8);
        $each!(response_illegal_fields);
        $each!(response_forbidden_fields);
        $each!(response_size_exceeded);
        $each!(request_is_read_only);
        $each!(attribute);
        $each!(read_response_body);
        $each!(read_response_body_too_large);
        $each!(set_response_body);
        $each!(transform_response_body);
        $each!(transform_declined);
        $each!(transform_error);
        $each!(response_error);
        $each!(error);
        $each!(trap);
        $each!(attribute_overflow);
        $each!(completion);
        $each!(log);
        $each!(metrics);
        $each!(metrics_dropped);
        $each!(limiter_take);
        $each!(limiter_enter);
        $each!(limiter_key_too_long);
        $each!(store);
        $each!(store_increment);
        $each!(store_set_if_absent);
        $each!(store_expiry);
        $each!(store_too_large);
        $each!(store_key_too_long);
        $each!(random);
    };
}

/// Every behaviour.
pub const BEHAVIOURS: &[Behaviour] = &[
    request::request_header,
    request::request_header_missing,
    request::request_header_values,
    request::request_headers,
    request::set_request_header,
    request::append_request_header,
    request::remove_request_header,
    request::request_value_not_utf8,
    request::request_illegal_fields,
    request::request_forbidden_fields,
    request::request_size_exceeded,
    request::request_facts,
    request::request_id,
    request::set_method,
    request::set_authority,
    request::set_path_with_query,
    request::read_request_body,
    request::read_request_body_too_large,
    request::set_request_body,
    request::limit_request_body,
    request::transform_request_body,
    request::reply,
    request::reply_to_head,
    request::reply_delay,
    request::reply_status_illegal,
    request::reply_field_illegal,
    request::reply_field_forbidden,
    response::response_status,
    response::set_response_status,
    response::response_header,
    response::response_header_values,
    response::response_headers,
    response::set_response_header,
    response::append_response_header,
    response::remove_response_header,
    response::response_value_not_utf8,
    response::response_illegal_fields,
    response::response_forbidden_fields,
    response::response_size_exceeded,
    response::request_is_read_only,
    response::attribute,
    response::read_response_body,
    response::read_response_body_too_large,
    response::set_response_body,
    response::transform_response_body,
    response::transform_declined,
    response::transform_error,
    response::response_error,
    lifecycle::error,
    lifecycle::trap,
    lifecycle::attribute_overflow,
    lifecycle::completion,
    services::log,
    services::metrics,
    services::metrics_dropped,
    services::limiter_take,
    services::limiter_enter,
    services::limiter_key_too_long,
    services::store,
    services::store_increment,
    services::store_set_if_absent,
    services::store_expiry,
    services::store_too_large,
    services::store_key_too_long,
    services::random,
];
