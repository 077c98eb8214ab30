//! The rows of the table: which plugins a route has, and what is asked of it.
//!
//! In: nothing. Out: a configuration with a route for each row, and its request. Never: shows a plugin at its
//! cheapest: each does for every request what it is there for.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::load::Endpoint;

/// A route, and what it is asked for.
pub struct Row {
    pub name: &'static str,
    /// Names of plugins: those of [`PLUGINS`].
    plugins: &'static [&'static str],
    /// Field lines of its request beside the usual ones.
    fields: &'static str,
    /// Of every answer.
    pub status: &'static str,
    /// In lower case, something that the plugin did to the answer, or to the endpoint's.
    pub shows: &'static str,
}

/// Without plugins: what each row is compared with.
pub const PLAIN: Row = Row { name: "plain", plugins: &[], fields: "", ..ROW };

/// A row's plugins have its name, where it is one.
const ROW: Row =
    Row { name: "", plugins: &[], fields: "", status: "200", shows: "x-endpoint: one" };

/// A token of HS256, the demo's, which is good for ever.
const TOKEN: &str = "authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
                     eyJzdWIiOiJhZGEiLCJhdWQiOiJkZW1vIiwiZXhwIjo0MTAyNDQ0ODAwfQ.\
                     A4dn7xIu_c8kAd2IiwKMGkpQ7Et5yfGCbDVdSGByE9A\r\n";

/// A token, and what `cors` looks at.
const ORIGIN_AND_TOKEN: &str = "origin: https://app.example.com\r\n\
                     authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
                     eyJzdWIiOiJhZGEiLCJhdWQiOiJkZW1vIiwiZXhwIjo0MTAyNDQ0ODAwfQ.\
                     A4dn7xIu_c8kAd2IiwKMGkpQ7Et5yfGCbDVdSGByE9A\r\n";

/// In the order in which they are printed.
pub const ROWS: [Row; 16] = [
    Row { name: "trivial", plugins: &["trivial"], shows: "x-plugin: hello", ..ROW },
    Row {
        name: "basic-auth",
        plugins: &["basic-auth"],
        fields: "authorization: Basic YWRhOmxvdmVsYWNl\r\n",
        ..ROW
    },
    Row { name: "body-limit", plugins: &["body-limit"], ..ROW },
    Row {
        name: "cors",
        plugins: &["cors"],
        fields: "origin: https://app.example.com\r\n",
        shows: "access-control-allow-origin: https://app.example.com",
        ..ROW
    },
    Row { name: "headers", plugins: &["headers"], shows: "x-served-by: weir", ..ROW },
    Row { name: "ip-filter", plugins: &["ip-filter"], ..ROW },
    Row { name: "jwt", plugins: &["jwt"], fields: TOKEN, ..ROW },
    Row { name: "key-auth", plugins: &["key-auth"], fields: "x-api-key: open-sesame\r\n", ..ROW },
    Row { name: "mock", plugins: &["mock"], status: "418", shows: "x-mood: steaming", ..ROW },
    Row { name: "rate-limit", plugins: &["rate-limit"], ..ROW },
    Row {
        name: "redirect",
        plugins: &["redirect"],
        status: "308",
        shows: "location: /elsewhere/item",
        ..ROW
    },
    Row { name: "request-id", plugins: &["request-id"], shows: "x-request-id: ", ..ROW },
    Row { name: "rewrite", plugins: &["rewrite"], ..ROW },
    Row {
        name: "security-headers",
        plugins: &["security-headers"],
        shows: "x-content-type-options: nosniff",
        ..ROW
    },
    // One call to the endpoint that the request itself goes to, too.
    Row { name: "outbound", plugins: &["outbound"], ..ROW },
    Row {
        name: "six",
        plugins: &["request-id", "headers", "cors", "rate-limit", "jwt", "rewrite-six"],
        fields: ORIGIN_AND_TOKEN,
        shows: "x-request-id: ",
        ..ROW
    },
];

/// Tables of the plugins.
const PLUGINS: &str = r#"
[plugins.trivial]
component = "./trivial.wasm"

[plugins.basic-auth]
component = "basic-auth"
config = { realm = "demo", users = { ada = "plain:lovelace" } }

[plugins.body-limit]
component = "body-limit"
config = { limit = "1MB" }

[plugins.cors]
component = "cors"
config = { allow_origins = ["https://app.example.com"], allow_methods = ["GET", "PUT"], max_age = "1h" }

[plugins.headers]
component = "headers"
[plugins.headers.config]
request = { set = { x-client = "{client.address}" }, remove = ["x-in"] }
response = { set = { x-served-by = "weir" }, remove = ["server"] }

[plugins.ip-filter]
component = "ip-filter"
config = { deny = ["192.0.2.0/24", "2001:db8::/32"] }

[plugins.jwt]
component = "jwt"
config = { secret = "a secret that everybody may know", audience = "demo", claims_to_headers = { sub = "x-user" } }

[plugins.key-auth]
component = "key-auth"
config = { keys = [{ key = "open-sesame", name = "ali" }] }

[plugins.mock]
component = "mock"
config = { status = 418, headers = { x-mood = "steaming" }, body = "short and stout\n" }

[plugins.rate-limit]
component = "rate-limit"
config = { rate = 1000000, per = "1s" }

[plugins.redirect]
component = "redirect"
config = { prefix = { from = "/redirect", to = "/elsewhere" } }

[plugins.request-id]
component = "request-id"

[plugins.rewrite]
component = "rewrite"
config = { strip_prefix = "/rewrite" }

[plugins.rewrite-six]
component = "rewrite"
config = { strip_prefix = "/six" }

[plugins.outbound]
component = "./outbound.wasm"
config = { url = "upstream://one/outbound" }
grants = { http = ["upstream://one"] }

[plugins.waiting]
component = "./outbound.wasm"
config = { url = "upstream://silent/" }
grants = { http = ["upstream://silent"] }
limits = { instances = 1024 }

[plugins.security-headers]
component = "security-headers"
config = { preset = "strict" }
"#;

impl Row {
    /// As a browser asks.
    pub fn request(&self) -> Vec<u8> {
        format!(
            "GET {}/item?id=7 HTTP/1.1\r\nhost: api.example.com\r\n\
             user-agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0 Safari/537.36\r\n\
             accept: application/json, text/plain, */*\r\naccept-encoding: gzip, deflate, br\r\n\
             accept-language: en-GB,en;q=0.8\r\ncookie: sid=3f9c1d7a2b6e4c58; theme=dark\r\n\
             x-in: abc\r\n{}\r\n",
            self.path(),
            self.fields
        )
        .into_bytes()
    }

    fn path(&self) -> String {
        format!("/{}", self.name.replace(' ', "-"))
    }
}

/// A route for each row, all of one listener, to one endpoint; and two that another endpoint keeps waiting, who
/// asks and a plugin.
pub fn configuration(workers: usize, web: SocketAddr, endpoint: &Endpoint) -> String {
    let (one, silent) = (endpoint.address(), endpoint.silent());
    let mut text = format!(
        "[server]\nworkers = {workers}\n[listeners.web]\nbind = \"{web}\"\n\
         [upstreams]\none.endpoints = [\"http://{one}\"]\nsilent.endpoints = [\"http://{silent}\"]\n{PLUGINS}\
         [routes.waiting-itself]\nmatch.path = \"/waiting-itself\"\nupstream = \"silent\"\n\
         [routes.waiting]\nmatch.path = \"/waiting\"\nupstream = \"one\"\nplugins = [\"waiting\"]\n"
    );
    for row in ROWS.iter().chain([&PLAIN]) {
        let path = row.path();
        let name = path.trim_start_matches('/');
        let _ = writeln!(text, "[routes.{name}]\nmatch.path = {{ prefix = \"{path}\" }}");
        let _ = writeln!(text, "upstream = \"one\"\nplugins = {:?}", row.plugins);
    }
    text
}
