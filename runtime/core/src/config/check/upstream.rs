//! `[upstreams.NAME]`

use std::collections::HashSet;

use rustls_pki_types::ServerName;

use super::Check;
use crate::config::address;
use crate::config::field::Field;
use crate::config::model::{
    Balance, Bound, CertificateFile, Endpoint, Health, HostPolicy, Pool, Reach, Upstream,
    UpstreamProtocol, UpstreamTimeouts, UpstreamTls,
};
use crate::config::path::steps;
use crate::config::problem::Fault;
use crate::config::read::{Named, TableReader};

impl Check<'_> {
    pub(super) fn upstream(&self, named: &Named<'_, TableReader<'_>>) -> Option<Upstream> {
        let table = &named.value;
        let endpoints = table.required("endpoints").map(|field| endpoints(&field));
        let endpoints = endpoints.unwrap_or_default();
        let tls = table.table("tls").map(|tls| self.upstream_tls(&tls)).unwrap_or_default();
        if let Some(field) = table.field("tls")
            && !endpoints.is_empty()
            && endpoints.iter().all(|endpoint| !endpoint.tls)
        {
            let message = "no endpoint is https://, so this changes nothing";
            field.warning(Fault::hint(message, "write https:// endpoints, or remove tls"));
        }
        Some(Upstream {
            name: named.name.into(),
            endpoints,
            balance: match table.one_of("balance") {
                Some("least-request") => Balance::LeastRequest,
                _ => Balance::RoundRobin,
            },
            health: table.table("health").and_then(|health| self::health(&health)),
            protocol: match table.one_of("protocol") {
                Some("http1") => UpstreamProtocol::Http1,
                Some("http2") => UpstreamProtocol::Http2,
                _ => UpstreamProtocol::Auto,
            },
            tls,
            timeouts: table.table("timeouts").map(|t| timeouts(&t)).unwrap_or_default(),
            pool: table.table("pool").map(|pool| self::pool(&pool)).unwrap_or_default(),
            host: table.parsed("host", host).unwrap_or(HostPolicy::Client),
            essential: essential(table),
            retries: table.integer("retries").unwrap_or(Upstream::RETRIES),
            reach: Reach::Anywhere,
        })
    }

    fn upstream_tls(&self, table: &TableReader<'_>) -> UpstreamTls {
        let ca = table.field("ca").and_then(|field| {
            let path = self.file(&field)?;
            self.holds_certificates(&field, &path).then(|| {
                let file =
                    CertificateFile { at: steps(&field.path), file: path.clone(), key: None };
                self.certificates.borrow_mut().push(file);
                path
            })
        });
        let verify = table.flag("verify").unwrap_or(UpstreamTls::default().verify);
        if !verify && let Some(field) = table.field("verify") {
            field.warning(Fault::hint(
                "any certificate is accepted, so anybody on the way can read and change all",
                "for a private authority name its certificate: ca = \"ca.pem\"",
            ));
        }
        let server_name = table.parsed("server_name", |text| {
            ServerName::try_from(text).map(|_| text.to_owned()).map_err(|_| {
                Fault::hint(format!("{text:?} is not a server name"), "write \"api.example.com\"")
            })
        });
        UpstreamTls { ca, server_name, verify }
    }
}

fn essential(table: &TableReader<'_>) -> bool {
    let essential = table.flag("essential").unwrap_or(false);
    if essential
        && table.field("health").is_none()
        && let Some(field) = table.field("essential")
    {
        let message = "without a health check its endpoints always count as healthy";
        field.warning(Fault::hint(message, "add one: health = { path = \"/health\" }"));
    }
    essential
}

fn endpoints(field: &Field<'_>) -> Vec<Endpoint> {
    let Some(items) = field.list() else { return Vec::new() };
    if items.is_empty() {
        field.problem(Fault::hint(
            "an upstream needs at least one endpoint",
            "endpoints = [\"http://127.0.0.1:9001\"]",
        ));
    }
    let (mut out, mut seen) = (Vec::new(), HashSet::new());
    for item in items {
        let Some(endpoint) = endpoint(&item) else { continue };
        if !seen.insert((endpoint.tls, endpoint.host.clone(), endpoint.port)) {
            let hint = "to send more there: { url = \"…\", weight = 2 }";
            let Endpoint { host, port, .. } = &endpoint;
            let message = format!("this endpoint is in the list already: {host}, port {port}");
            item.problem(Fault::hint(message, hint));
        }
        out.push(endpoint);
    }
    out
}

fn endpoint(field: &Field<'_>) -> Option<Endpoint> {
    let (url, weight) = match field.shorthand() {
        Ok(_) => (field.parsed(address::origin), 1),
        Err(field) => {
            let table = field?.table()?;
            let url = table.required("url").and_then(|url| url.parsed(address::origin));
            (url, table.integer("weight").unwrap_or(1))
        }
    };
    Some(Endpoint { weight, ..url? })
}

fn health(table: &TableReader<'_>) -> Option<Health> {
    let path = table.required("path").and_then(|field| {
        field.parsed(|text| match text.parse::<http::uri::PathAndQuery>() {
            Ok(_) if text.starts_with('/') => Ok(text.to_owned()),
            _ => Err(Fault::hint(
                format!("{text:?} is not a path"),
                "start it with \"/\": \"/health\"",
            )),
        })
    });
    let host = table.parsed("host", |text| {
        let fault = |_| {
            let hint = "write \"app.example.com\", with a port where it has one";
            Fault::hint(format!("{text:?} is not a host"), hint)
        };
        address::authority(text).map_err(fault)
    });
    // All else is read, to tell what is wrong with it, before a path that is none ends it.
    let default = Health::of(String::new());
    let health = Health {
        host,
        interval: table.duration("interval").unwrap_or(default.interval),
        timeout: table.duration("timeout").unwrap_or(default.timeout),
        healthy: table.integer("healthy").unwrap_or(default.healthy),
        unhealthy: table.integer("unhealthy").unwrap_or(default.unhealthy),
        path: path?,
    };
    Some(health)
}

fn timeouts(table: &TableReader<'_>) -> UpstreamTimeouts {
    let default = UpstreamTimeouts::default();
    UpstreamTimeouts {
        connect: table.duration("connect").unwrap_or(default.connect),
        first_byte: table.duration("first_byte").map_or(default.first_byte, Bound::written),
        idle: table.duration("idle").map_or(default.idle, Bound::written),
    }
}

fn pool(table: &TableReader<'_>) -> Pool {
    let default = Pool::default();
    Pool {
        max_idle: table.integer("max_idle").unwrap_or(default.max_idle),
        idle_timeout: table.duration("idle_timeout").unwrap_or(default.idle_timeout),
        max_connections: table.integer("max_connections").unwrap_or(default.max_connections),
    }
}

fn host(text: &str) -> Result<HostPolicy, Fault> {
    match text {
        "client" => Ok(HostPolicy::Client),
        "endpoint" => Ok(HostPolicy::Endpoint),
        _ => address::authority(text).map(HostPolicy::Fixed),
    }
}
