//! `[server]`

use std::net::Ipv6Addr;
use std::path::PathBuf;

use super::{Check, binds};
use crate::config::field::Field;
use crate::config::model::{Bind, CompileLimits, HostMatch, Server};
use crate::config::place::Place;
use crate::config::problem::{Fault, Problem};
use crate::config::read::TableReader;
use crate::config::{address, matcher};
use crate::telemetry::log::Filter;

fn filter(text: &str) -> Result<Filter, Fault> {
    Filter::parse(text).map_err(|why| {
        let hint = "write off, error, warn, info, debug or trace, or levels by target: \
                    \"info,weir=debug\"";
        Fault::hint(why, hint)
    })
}

/// A host that the admin pages may be asked for by.
fn admin_host(text: &str) -> Result<HostMatch, Fault> {
    matcher::host(text).map_err(|fault| match text {
        "" | "*" => Fault::hint(fault.message, "name each host; any would let foreign pages in"),
        _ if text.contains(':') && !text.contains("://") && text.parse::<Ipv6Addr>().is_err() => {
            Fault::hint(fault.message, "leave the port out: any is taken")
        }
        _ => fault,
    })
}

impl Check<'_> {
    /// The levels of the environment go before `server.log`, and are read by the start alone.
    fn environment_log(&self) {
        let set = |name| self.environment.get(name).filter(|value| !value.is_empty());
        if let Some(Err(fault)) = set("WEIR_LOG").map(filter) {
            self.report.problem(Problem::of(fault, Place::Variable("WEIR_LOG".into()), "WEIR_LOG"));
        }
    }

    pub(super) fn server(&self, table: Option<TableReader<'_>>) -> Server {
        let mut server = Server::by_default(self.default_cache());
        self.environment_log();
        let Some(table) = table else { return server };
        server.workers = table.integer("workers").unwrap_or(server.workers);
        server.grace = table.duration("grace").unwrap_or(server.grace);
        server.log = table.parsed("log", filter).unwrap_or_default();
        server.admin = table.field("admin").and_then(|field| self.bind(&field));
        let told = if server.admin.is_some() { Server::TOLD } else { server.drain_delay };
        server.drain_delay = table.duration("drain_delay").unwrap_or(told);
        let hosts = table.list("admin_hosts").unwrap_or_default();
        server.admin_hosts = hosts.iter().filter_map(|item| item.parsed(admin_host)).collect();
        if let Some(field) = table.field("cache") {
            server.cache = field.text().map(|text| self.path(&field, text));
        }
        if let Some(table) = table.table("compile") {
            let CompileLimits { memory, time } = &mut server.compile;
            *memory = table.size("memory").unwrap_or(*memory);
            *time = table.duration("time").unwrap_or(*time);
        }
        server.access_log = table.field("access_log").and_then(|field| self.access_log(&field));
        let networks = table.list("trusted_proxies").unwrap_or_default();
        server.trusted_proxies =
            networks.iter().filter_map(|item| item.parsed(address::network)).collect();
        server
    }

    fn default_cache(&self) -> Option<PathBuf> {
        let set = |name| self.environment.get(name).filter(|value| !value.is_empty());
        let base = set("XDG_CACHE_HOME").map(PathBuf::from);
        let base = base.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")));
        base.map(|base| base.join("weir"))
    }

    /// An address to listen on that nothing else listens on; a relative socket path starts from
    /// the folder of its file.
    pub(super) fn bind(&self, field: &Field<'_>) -> Option<Bind> {
        let bind = match field.parsed(address::bind)? {
            Bind::Unix(path) => {
                Bind::Unix(field.node.place.folder().unwrap_or(&self.folder).join(path))
            }
            tcp => tcp,
        };
        match self.binds.borrow_mut().take(&bind, &field.path) {
            Ok(()) => {
                if let Some(fault) = binds::unusable(&bind) {
                    field.plain_problem(fault);
                } else if let Bind::Tcp(address) = bind
                    && binds::is_foreign(address)
                {
                    field.warning(Fault::hint(
                        "this machine has no such address",
                        "name one that it has, or 0.0.0.0 or [::] for all, where it is to run",
                    ));
                }
            }
            Err(fault) => field.problem(fault),
        }
        Some(bind)
    }
}
