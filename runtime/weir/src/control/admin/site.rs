//! Whether a request comes from somebody who meant this listener.
//!
//! In: a request's head, and where its connection arrived. Out: nothing, or why it is refused. Never:
//! lets a web page of another site use a browser that can reach the listener: neither by asking for
//! it across origins, nor by a name of its own that leads here (DNS rebinding).

use std::net::{IpAddr, SocketAddr};

use http::header::{HeaderName, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use weir_core::http::host::{self, Target};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names and addresses that the listener goes by.
pub(super) struct Site<'a> {
    /// Where the connection arrived; `None`: a Unix socket, which no browser reaches.
    pub local: Option<SocketAddr>,
    /// Whether the configuration lists a host, given in lower case and without a port.
    pub listed: &'a (dyn Fn(&str) -> bool + Sync),
}

impl Site<'_> {
    /// # Errors
    /// Status and text of the answer.
    pub fn check(&self, parts: &Parts) -> Result<(), (StatusCode, String)> {
        let target = host::target(parts)
            .map_err(|bad| (StatusCode::BAD_REQUEST, format!("{}\n", bad.as_str())))?;
        // Only HTTP/1.0 can leave it out, which no browser speaks.
        if !target.authority.is_empty() && !self.goes_by(&target.host) {
            let host = &target.host;
            let text = format!(
                "The admin listener does not go by {host:?}; add it to admin_hosts in [server].\n"
            );
            return Err((StatusCode::FORBIDDEN, text));
        }
        let mut origins = parts.headers.get_all(ORIGIN).iter();
        let foreign = |origin: &[u8]| !self.is_same_site(origin, &target);
        if is_cross_site(&parts.headers) || origins.any(|origin| foreign(origin.as_bytes())) {
            let text = "Requests of other sites' pages are refused.\n";
            return Err((StatusCode::FORBIDDEN, text.to_owned()));
        }
        Ok(())
    }

    /// Loopback names and addresses, the address that the client connected to, and what is listed.
    fn goes_by(&self, host: &str) -> bool {
        let Some(local) = self.local else { return true };
        if host == "localhost" || host.ends_with(".localhost") || (self.listed)(host) {
            return true;
        }
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match literal.unwrap_or(host).parse::<IpAddr>() {
            Ok(address) => {
                let address = address.to_canonical();
                address.is_loopback() || address == local.ip().to_canonical()
            }
            Err(_) => false,
        }
    }

    /// Whether a page's origin is this listener: by one of its names, and at the port that was asked
    /// for or connected to.
    fn is_same_site(&self, origin: &[u8], target: &Target<'_>) -> bool {
        let Some((scheme, authority)) =
            std::str::from_utf8(origin).ok().and_then(|origin| origin.split_once("://"))
        else {
            return false;
        };
        let default = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return false,
        };
        let Ok(page) = Target::parse(authority) else { return false };
        let port = page.port.unwrap_or(default);
        let is_here = port == target.port.unwrap_or(default)
            || self.local.is_some_and(|local| local.port() == port);
        is_here && (page.host == target.host || (self.local.is_some() && self.goes_by(&page.host)))
    }
}

/// Browsers say where a request comes from (Fetch Metadata); tools send nothing.
fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get_all(SEC_FETCH_SITE).iter().any(|site| site != "same-origin" && site != "none")
}
