//! Every key there is, once: its kind, its default and what it says.
//!
//! In: nothing. Out: the definition that the reader, the "unknown key" suggestions, environment
//! overrides, the effective configuration and the test over `configs/reference.toml` share.
//! Never: reads anything.

use std::time::Duration;

/// One key of a table.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    /// As it would be written; empty where there is none, because the key is required or absence
    /// is a meaning of its own.
    pub default: &'static str,
    /// One sentence, without the full stop.
    pub says: &'static str,
}

/// What may be written for a key.
#[derive(Debug)]
pub enum Kind {
    Text,
    Flag,
    /// Bounds inclusive, as in all of these.
    Integer(i64, i64),
    Duration(Duration, Duration),
    /// In bytes.
    Size(u64, u64),
    OneOf(&'static [&'static str]),
    List(&'static Kind),
    Table(&'static [Key]),
    /// Tables under names of the user's choice.
    Named(&'static [Key]),
    /// Values of one kind under keys of the user's choice.
    Map(&'static Kind),
    /// A string as a shorthand of something longer.
    TextOr(&'static Kind),
    /// Anything; somebody else checks it.
    Any,
}

const fn key(name: &'static str, kind: Kind, default: &'static str, says: &'static str) -> Key {
    Key { name, kind, default, says }
}

const fn seconds(from: u64, to: u64) -> Kind {
    Kind::Duration(Duration::from_secs(from), Duration::from_secs(to))
}

/// From a millisecond to so many seconds.
const fn up_to(seconds: u64) -> Kind {
    Kind::Duration(Duration::from_millis(1), Duration::from_secs(seconds))
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

pub static ROOT: &[Key] = &[
    key("server", Kind::Table(SERVER), "{}", "The process itself"),
    key("listeners", Kind::Named(LISTENER), "", "Addresses and their protocols"),
    key("plugins", Kind::Named(PLUGIN), "", "Components with a configuration and a name"),
    key("routes", Kind::Named(ROUTE), "", "A match and what happens then"),
    key("upstreams", Kind::Named(UPSTREAM), "", "Named sets of endpoints"),
];

pub static SERVER: &[Key] = &[
    key("workers", Kind::Integer(1, 1024), "", "Threads that serve; absent: as many as there are cores"),
    key("drain_delay", seconds(0, HOUR), "", "How long after SIGTERM /readyz fails while new connections are still accepted; absent: 5s with an admin listener, else 0s"),
    key("grace", seconds(0, HOUR), r#""10s""#, "Time to drain on SIGTERM"),
    key("log", Kind::Text, r#""info""#, "What the daemon's own log tells: a level, or levels by target"),
    key("admin", Kind::Text, "", "Address of metrics, health and reloads; absent: off"),
    key("admin_hosts", Kind::List(&Kind::Text), "[]", "Names that the admin listener goes by, beyond loopback's and its address: \"weir.internal\", \"*.example.com\""),
    key("cache", Kind::Text, "", "Folder of compiled components; absent: $XDG_CACHE_HOME/weir, else ~/.cache/weir"),
    key("compile", Kind::Table(COMPILE), "{}", "What compiling a component may take"),
    key("access_log", Kind::TextOr(&Kind::Table(ACCESS_LOG)), "", "\"json\", \"combined\" or a table; absent: off"),
    key("trusted_proxies", Kind::List(&Kind::Text), "[]", "Networks whose Forwarded and X-Forwarded-* are believed"),
];

pub static COMPILE: &[Key] = &[
    key("memory", Kind::Size(256 * MIB, 64 * 1024 * MIB), r#""1GiB""#, "Of the process that compiles a component which is not built in"),
    key("time", seconds(1, HOUR), r#""60s""#, "Its processor time; by the clock ten times as much"),
];

pub static ACCESS_LOG: &[Key] = &[
    key("format", Kind::OneOf(&["json", "combined"]), r#""json""#, "Shape of a line"),
    key("file", Kind::Text, "", "File to append to; absent: standard output"),
];

pub static LISTENER: &[Key] = &[
    key("bind", Kind::Text, "", "\"address:port\" or \"unix:/path\"; required"),
    key("plugins", Kind::List(&Kind::Text), "[]", "Run before every route's own chain"),
    key("http3", Kind::Flag, "false", "HTTP/3 over QUIC on the same port; this build has none yet"),
    key("header_timeout", up_to(HOUR), r#""30s""#, "From the first byte of a head to its end"),
    key("idle_timeout", up_to(DAY), r#""75s""#, "Between two requests of a connection"),
    key("body_timeout", up_to(HOUR), r#""60s""#, "Between two bytes of a body, either way; gRPC: only if written"),
    key("min_body_rate", Kind::Size(0, GIB), r#""240B""#, "Of a request's body, in a second; 0B: no bound"),
    key("min_body_rate_window", up_to(HOUR), r#""60s""#, "Of waiting for the client, over which that is a mean"),
    key("read_ahead", Kind::Size(0, GIB), r#""4MiB""#, "Of responses that a connection's client does not take yet"),
    key("handshake_timeout", up_to(HOUR), r#""10s""#, "Of a TLS handshake"),
    key("max_header_bytes", Kind::Size(8 * KIB, 16 * MIB), r#""64KiB""#, "Request line and fields"),
    key("max_headers", Kind::Integer(1, 10_000), "100", "Field lines of a head"),
    key("max_connections", Kind::Integer(1, 10_000_000), "", "At a time, all workers together; absent: no bound"),
    key("body_limit", Kind::Size(0, u64::MAX), "", "Of a request's body; absent: no bound"),
    key("path", Kind::OneOf(&["normal", "strict"]), r#""normal""#, "strict: paths that endpoints may read differently are refused: \";\", \"//\", encoded separators and dots …"),
    key("max_streams", Kind::Integer(1, 100_000), "128", "HTTP/2 streams at a time, for each connection"),
    key("via", Kind::Flag, "true", "Via in requests and responses; false: nginx endpoints compress again, and loops are not found"),
    key("drop_ambiguous", Kind::OneOf(&["known", "all"]), r#""known""#, "Request fields with _ or . in their names: those that could be taken for one that Weir or a plugin sets or checks, or all"),
    key("tls", Kind::Table(LISTENER_TLS), "", "Termination; absent: plaintext"),
];

pub static LISTENER_TLS: &[Key] = &[
    key("certificates", Kind::List(&Kind::Table(CERTIFICATE)), "", "The first serves clients without SNI; required"),
    key("min_version", Kind::OneOf(&["1.2", "1.3"]), r#""1.2""#, "Oldest TLS that is spoken"),
];

pub static CERTIFICATE: &[Key] = &[
    key("cert", Kind::Text, "", "PEM file with the chain, leaf first; required"),
    key("key", Kind::Text, "", "PEM file with the private key; required"),
];

pub static PLUGIN: &[Key] = &[
    key("component", Kind::Text, "", "A built-in's name, or a file: \"./x.wasm\"; required"),
    key("config", Kind::Map(&Kind::Any), "{}", "The plugin's own table; its README says what it takes"),
    key("grants", Kind::Table(GRANTS), "{}", "What it may do of what its component can"),
    key("limits", Kind::Table(PLUGIN_LIMITS), "{}", "What an instance may use"),
    key("on_failure", Kind::OneOf(&["reject", "skip"]), r#""reject""#, "An exchange whose plugin trapped or failed: a 500, or as if it were not there"),
    key("isolation", Kind::OneOf(&["worker", "request"]), r#""worker""#, "An instance serves many exchanges of its worker, or one"),
];

pub static GRANTS: &[Key] = &[
    key("request", Kind::Flag, "true", "Read heads of requests"),
    key("request_changes", Kind::Flag, "true", "Change heads of requests, and bound their bodies"),
    key("response", Kind::Flag, "true", "Take part in responses, and read their heads"),
    key("response_changes", Kind::Flag, "true", "Change heads of responses"),
    key("bodies", Kind::Flag, "true", "See and replace bodies of requests and responses"),
    key("reply", Kind::Flag, "true", "Answer requests by itself"),
    key("client", Kind::Flag, "true", "Know the client's address"),
    key("attributes", Kind::Flag, "true", "Leave facts for other plugins and the access log, and read theirs"),
    key("completion", Kind::Flag, "true", "Learn how exchanges end"),
    key("log", Kind::Flag, "true", "Write to the log, also by the standard streams"),
    key("metrics", Kind::Flag, "true", "Count in the metrics"),
    key("limiter", Kind::Flag, "true", "Count requests over all workers"),
    key("store", Kind::Flag, "false", "Key-value state that outlives instances and reloads; what comes with the proxy has it"),
    key("http", Kind::List(&Kind::TextOr(&Kind::Table(CALLABLE))), "[]", "Whom it may call: \"https://host\", or \"upstream://NAME\""),
];

pub static CALLABLE: &[Key] = &[
    key("url", Kind::Text, "", "\"https://host\", with a port where it has one of its own; required"),
    key("private", Kind::Flag, "false", "Its name may stand for addresses that are not public"),
];

pub static PLUGIN_LIMITS: &[Key] = &[
    key("memory", Kind::Size(64 * KIB, 256 * MIB), r#""16MiB""#, "Linear memory of an instance; basic-auth has 96MiB"),
    key("deadline", up_to(10), r#""10ms""#, "CPU time of one hook call; what comes with the proxy has 50ms, basic-auth 2s"),
    key("instances", Kind::Integer(1, 1024), "64", "Calls at a time that wait or take long, for each worker, three quarters of them of one client; basic-auth has 16"),
    key("wait", up_to(60), r#""5s""#, "How long a call waits for an instance before its exchange gets a 503, and for calls of its own where its exchange has no time left"),
    key("quota", Kind::Size(64 * KIB, 16 << 30), r#""16MiB""#, "What the plugin holds in the proxy: limiter, store, own metrics, bodies; all instances together"),
];

pub static ROUTE: &[Key] = &[
    key("listeners", Kind::List(&Kind::Text), "", "Only requests of these; absent: of every listener"),
    key("match", Kind::Table(MATCH), "{}", "What a request must be; what is absent matches anything"),
    key("path", Kind::OneOf(&["normal", "strict"]), r#""normal""#, "strict: as a listener's, for paths that take this route or that an endpoint may read as its own; what to match goes into match"),
    key("priority", Kind::Integer(i32::MIN as i64, i32::MAX as i64), "0", "Higher wins, before the most specific does"),
    key("plugins", Kind::List(&Kind::Text), "[]", "The chain, in order"),
    key("upstream", Kind::TextOr(&Kind::List(&Kind::Table(WEIGHTED))), "", "Where it goes; absent: a plugin must reply"),
    key("timeout", up_to(DAY), r#""60s""#, "From the request's head to the response's head; gRPC: only if written"),
];

pub static MATCH: &[Key] = &[
    key("host", Kind::Text, "", "Exact, or \"*.example.com\""),
    key("path", Kind::TextOr(&Kind::Table(PATH)), "", "Exact, or all below if it ends in \"/*\", or a table"),
    key("methods", Kind::List(&Kind::Text), "", "Any of these"),
    key("headers", Kind::Map(&Kind::TextOr(&Kind::Table(VALUE))), "{}", "All of these, by field name; the lines of a field are one value, joined by commas"),
    key("query", Kind::Map(&Kind::TextOr(&Kind::Table(VALUE))), "{}", "All of these, by parameter name"),
];

pub static PATH: &[Key] = &[
    key("exact", Kind::Text, "", "This path only"),
    key("prefix", Kind::Text, "", "This path and below, in whole segments"),
    key("regex", Kind::Text, "", "The whole path"),
];

pub static VALUE: &[Key] = &[
    key("regex", Kind::Text, "", "The whole value"),
    key("present", Kind::Flag, "", "Any value, also an empty one"),
];

pub static WEIGHTED: &[Key] = &[
    key("to", Kind::Text, "", "Name of an upstream; required"),
    key("weight", Kind::Integer(0, 1_000_000), "1", "Share among the list; 0 sends nothing"),
];

pub static UPSTREAM: &[Key] = &[
    key("endpoints", Kind::List(&Kind::TextOr(&Kind::Table(ENDPOINT))), "", "At least one; required"),
    key("balance", Kind::OneOf(&["round-robin", "least-request"]), r#""round-robin""#, "Which endpoint is next"),
    key("health", Kind::Table(HEALTH), "", "Active checks; absent: off"),
    key("protocol", Kind::OneOf(&["auto", "http1", "http2"]), r#""auto""#, "auto: HTTP/1.1, or what ALPN settles; http2 without TLS is prior knowledge"),
    key("tls", Kind::Table(UPSTREAM_TLS), "{}", "How https endpoints are verified"),
    key("timeouts", Kind::Table(UPSTREAM_TIMEOUTS), "{}", "Towards an endpoint"),
    key("pool", Kind::Table(POOL), "{}", "Connections kept, for each endpoint and worker"),
    key("host", Kind::Text, r#""client""#, "Host sent: the client's (\"client\"), the endpoint's (\"endpoint\"), or this text"),
    key("essential", Kind::Flag, "false", "/readyz fails while none of its endpoints is healthy"),
    key("retries", Kind::Integer(0, 10), "1", "How often a request that was not sent, or is idempotent without a body, is sent again"),
];

pub static ENDPOINT: &[Key] = &[
    key("url", Kind::Text, "", "\"http://host:port\" or \"https://host:port\"; required"),
    key("weight", Kind::Integer(1, 1000), "1", "Share among the endpoints"),
];

pub static HEALTH: &[Key] = &[
    key("path", Kind::Text, "", "What is asked for with GET; 2xx and 3xx are healthy; required"),
    key("host", Kind::Text, "", "What Host says; absent: what it is in traffic"),
    key("interval", up_to(DAY), r#""10s""#, "Between two checks of an endpoint"),
    key("timeout", up_to(HOUR), r#""5s""#, "Of one check"),
    key("healthy", Kind::Integer(1, 1000), "2", "Successes in a row that bring an endpoint back"),
    key("unhealthy", Kind::Integer(1, 1000), "3", "Failures in a row that take it out"),
];

pub static UPSTREAM_TLS: &[Key] = &[
    key("ca", Kind::Text, "", "PEM file of the authorities to trust, or of endpoints' own certificates; absent: the system's"),
    key("server_name", Kind::Text, "", "For SNI and verification; absent: the endpoint's host"),
    key("verify", Kind::Flag, "true", "False accepts any certificate"),
];

pub static UPSTREAM_TIMEOUTS: &[Key] = &[
    key("connect", up_to(HOUR), r#""5s""#, "TCP and TLS"),
    key("first_byte", up_to(DAY), r#""60s""#, "From the request sent to the response's head; gRPC: only if written"),
    key("idle", up_to(DAY), r#""5m""#, "Between two bytes of the response's body; gRPC: only if written"),
];

pub static POOL: &[Key] = &[
    key("max_idle", Kind::Integer(0, 100_000), "256", "Idle connections kept"),
    key("idle_timeout", up_to(DAY), r#""60s""#, "How long one is kept idle"),
    key("max_connections", Kind::Integer(1, 1_000_000), "1024", "Open at a time, of either version; a request beyond waits within the connect timeout"),
];
