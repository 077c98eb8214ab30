//! The admin listener: metrics, health, what is configured and how it fares, reload.
//!
//! In: HTTP/1.1 requests of operators and their tools. Out: text and JSON made by an [`AdminView`].
//! Never: shows a secret (the view masks them), runs on a worker, or lets a web page of another
//! site use a browser that can reach it.

mod connections;
mod site;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use weir_core::http::query;
use weir_core::telemetry::metrics;

use self::site::Site;
use crate::net::Acceptor;
use crate::proxy::Refused;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// What the admin listener shows and does; the server implements it.
pub trait AdminView: Send + Sync + 'static {
    /// The text exposition format.
    fn metrics(&self) -> String;
    /// Whether traffic may be sent here; if not, why.
    fn ready(&self) -> Result<(), String>;
    /// Whether the configuration lists a host (lower case, no port) as one of this listener's.
    fn goes_by(&self, host: &str) -> bool;
    /// The configuration in use, secrets masked.
    fn config(&self) -> serde_json::Value;
    /// Upstreams, their endpoints and health.
    fn upstreams(&self) -> serde_json::Value;
    /// Plugins, their components, hooks and instances.
    fn plugins(&self) -> serde_json::Value;
    /// Reads the configuration again and takes it into use; gives the files that are left as they were,
    /// for somebody is writing to them, or why not.
    fn reload(&self) -> Reload;
    /// What the daemon's own log tells; with a level, or levels by target, from now on those, and
    /// with an empty text what the configuration says.
    fn log(&self, level: Option<&str>) -> Result<String, String>;
}

/// A reload under way.
pub type Reload = Pin<Box<dyn Future<Output = Result<Vec<String>, NotReloaded>> + Send>>;

/// Why a configuration is not taken into use.
pub enum NotReloaded {
    /// Every problem that it has.
    Wrong(Vec<String>),
    /// None is any more, and why.
    Ending(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Index,
    Metrics,
    Live,
    Ready,
    Config,
    Upstreams,
    Plugins,
    Reload,
    Log,
}

const PAGES: [(&str, Page, &str); 9] = [
    ("/", Page::Index, "this list"),
    ("/metrics", Page::Metrics, "metrics for Prometheus"),
    ("/livez", Page::Live, "200 while the process runs"),
    ("/readyz", Page::Ready, "200 while it takes traffic, else 503 and why"),
    ("/config", Page::Config, "the configuration in use, secrets masked"),
    ("/upstreams", Page::Upstreams, "upstreams, their endpoints and health"),
    ("/plugins", Page::Plugins, "plugins, their components and hooks"),
    ("/reload", Page::Reload, "reads the configuration again; 422 and every problem if it is bad"),
    (
        "/log",
        Page::Log,
        "what the log tells; POST /log?level=debug, or info,weir::proxy=debug, changes it",
    ),
];

/// Serves until it is dropped, which ends its connections too.
pub async fn serve(acceptor: Acceptor, view: Arc<dyn AdminView>) {
    connections::serve(acceptor, move |request, local| {
        let view = view.clone();
        async move { answer(&*view, &request.into_parts().0, local).await }
    })
    .await;
}

/// One request, on a connection that arrived at `local`.
async fn answer(
    view: &dyn AdminView,
    request: &Parts,
    local: Option<SocketAddr>,
) -> Response<Full<Bytes>> {
    let site = Site { local, listed: &|host| view.goes_by(host) };
    if let Err((status, why)) = site.check(request) {
        return text(status, why);
    }
    let (method, uri) = (&request.method, &request.uri);
    let Some((_, page, _)) = PAGES.iter().find(|(known, ..)| *known == uri.path()) else {
        return text(StatusCode::NOT_FOUND, "No such page; / lists what there is.\n");
    };
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if *page == Page::Reload {
        if *method != Method::POST {
            return not_allowed("POST");
        }
    } else if *page == Page::Log && *method == Method::POST {
        return match uri.query().and_then(|query| query::first(query, "level")) {
            Some(level) => log(view.log(Some(&String::from_utf8_lossy(&level)))),
            None => text(StatusCode::BAD_REQUEST, "Say which: POST /log?level=debug.\n"),
        };
    } else if !reads {
        return not_allowed(if *page == Page::Log { "GET, HEAD, POST" } else { "GET, HEAD" });
    }
    match page {
        Page::Index => text(StatusCode::OK, index()),
        Page::Metrics => respond(StatusCode::OK, metrics::CONTENT_TYPE, view.metrics()),
        Page::Live => text(StatusCode::OK, "live\n"),
        Page::Ready => match view.ready() {
            Ok(()) => text(StatusCode::OK, "ready\n"),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
        },
        Page::Config => json(StatusCode::OK, &view.config()),
        Page::Upstreams => json(StatusCode::OK, &view.upstreams()),
        Page::Plugins => json(StatusCode::OK, &view.plugins()),
        Page::Log => log(view.log(None)),
        Page::Reload => match view.reload().await {
            Ok(left) if left.is_empty() => {
                json(StatusCode::OK, &serde_json::json!({ "reloaded": true }))
            }
            Ok(left) => {
                let body = serde_json::json!({ "reloaded": true, "still_written": left });
                json(StatusCode::OK, &body)
            }
            Err(why) => {
                let (status, problems) = match why {
                    NotReloaded::Wrong(problems) => (StatusCode::UNPROCESSABLE_ENTITY, problems),
                    NotReloaded::Ending(why) => (StatusCode::SERVICE_UNAVAILABLE, vec![why]),
                };
                let body = serde_json::json!({ "reloaded": false, "problems": problems });
                json(status, &body)
            }
        },
    }
}

fn log(told: Result<String, String>) -> Response<Full<Bytes>> {
    match told {
        Ok(level) => text(StatusCode::OK, format!("{level}\n")),
        Err(why) => text(StatusCode::BAD_REQUEST, format!("{why}\n")),
    }
}

fn index() -> String {
    let line = |(path, page, what): &(&str, Page, &str)| {
        let method = if *page == Page::Reload { "POST" } else { "GET" };
        format!("{method:<5}{path:<12}{what}\n")
    };
    PAGES.iter().map(line).collect()
}

fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let body = format!("Allowed here: {allowed}.\n");
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, body);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// A request that could not be read; nothing behind it is.
fn refused(Refused { error, head }: &Refused) -> Response<Full<Bytes>> {
    tracing::debug!(method = %head.method, %error, "admin request refused");
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = text(status, format!("{}\n", error.detail()));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    respond(status, TEXT, body)
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    respond(status, JSON, format!("{value:#}\n"))
}

fn respond(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
