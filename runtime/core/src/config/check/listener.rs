//! `[listeners.NAME]`

use super::Check;
use crate::config::field::Field;
use crate::config::model::{
    Bound, CertificateFile, CertificateFiles, DropAmbiguous, Limits, Listener, ListenerTls,
    PathPolicy, TlsVersion,
};
use crate::config::path::steps;
use crate::config::problem::Fault;
use crate::config::read::{Named, TableReader};

impl Check<'_> {
    pub(super) fn listener(&self, named: &Named<'_, TableReader<'_>>) -> Option<Listener> {
        let table = &named.value;
        let bind = table.required("bind").and_then(|field| self.bind(&field));
        if let Some(field) = table.field("http3")
            && field.flag() == Some(true)
        {
            field.problem(Fault::hint("this build speaks no HTTP/3 yet", "remove http3"));
        }
        let listener = Listener {
            name: named.name.into(),
            plugins: self.chain(table),
            tls: table.table("tls").map(|tls| self.listener_tls(&tls)),
            path: path_policy(table),
            limits: limits(table),
            via: table.flag("via").unwrap_or(true),
            drop_ambiguous: match table.one_of("drop_ambiguous") {
                Some("all") => DropAmbiguous::All,
                _ => DropAmbiguous::Known,
            },
            bind: bind?,
        };
        Some(listener)
    }

    fn listener_tls(&self, table: &TableReader<'_>) -> ListenerTls {
        let field = table.required("certificates");
        let items = field.as_ref().and_then(Field::list);
        if let (Some(field), Some(items)) = (&field, &items)
            && items.is_empty()
        {
            field.problem(Fault::hint(
                "a TLS listener needs a certificate",
                "certificates = [{ cert = \"a.pem\", key = \"a.key\" }]",
            ));
        }
        let items = items.unwrap_or_default();
        let certificates = items.iter().filter_map(|item| self.certificate(&item.table()?));
        ListenerTls {
            certificates: certificates.collect(),
            min_version: match table.one_of("min_version") {
                Some("1.3") => TlsVersion::V1_3,
                _ => TlsVersion::V1_2,
            },
        }
    }

    fn certificate(&self, table: &TableReader<'_>) -> Option<CertificateFiles> {
        let (cert, key) = (table.required("cert"), table.required("key"));
        let cert_path = cert.as_ref().and_then(|field| self.file(field));
        let key_path = key.as_ref().and_then(|field| self.file(field));
        let key = key.zip(key_path.clone()).filter(|(field, path)| self.holds_key(field, path));
        if let Some((field, path)) = cert.zip(cert_path.as_ref())
            && self.holds_certificates(&field, path)
        {
            let key = key.map(|(field, file)| (steps(&field.path), file));
            let file = CertificateFile { at: steps(&field.path), file: path.clone(), key };
            self.certificates.borrow_mut().push(file);
        }
        Some(CertificateFiles { cert: cert_path?, key: key_path? })
    }
}

/// `path = "normal"` or `"strict"`, of a listener or a route.
pub(super) fn path_policy(table: &TableReader<'_>) -> PathPolicy {
    match table.one_of("path") {
        Some("strict") => PathPolicy::Strict,
        _ => PathPolicy::Normal,
    }
}

fn limits(table: &TableReader<'_>) -> Limits {
    let default = Limits::default();
    let timeout = |name, default| table.duration(name).unwrap_or(default);
    Limits {
        header_timeout: timeout("header_timeout", default.header_timeout),
        idle_timeout: timeout("idle_timeout", default.idle_timeout),
        body_timeout: table.duration("body_timeout").map_or(default.body_timeout, Bound::written),
        handshake_timeout: timeout("handshake_timeout", default.handshake_timeout),
        max_header_bytes: table.size("max_header_bytes").unwrap_or(default.max_header_bytes),
        max_headers: table.integer("max_headers").unwrap_or(default.max_headers),
        max_connections: table.integer("max_connections"),
        body_limit: table.size("body_limit"),
        max_streams: table.integer("max_streams").unwrap_or(default.max_streams),
        min_body_rate: table.size("min_body_rate").unwrap_or(default.min_body_rate),
        min_body_rate_window: timeout("min_body_rate_window", default.min_body_rate_window),
        read_ahead: table.size("read_ahead").unwrap_or(default.read_ahead),
    }
}
