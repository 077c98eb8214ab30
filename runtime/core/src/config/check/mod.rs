//! From the tree to [`Config`](crate::config::Config): one file for each kind of table.
//!
//! In: the tree, with overrides and `${…}` applied. Out: the parts of a `Config` that are sound,
//! every name an index; problems go to the report. Never: stops at a problem; where the report has
//! one, indices may mean nothing and [`super::read()`] gives no `Config`.
#![expect(clippy::disallowed_methods, reason = "a configuration is checked on the control side")]

mod access_log;
mod alike;
mod binds;
mod grants;
mod guarded;
mod listener;
mod pem_file;
mod plugin;
mod route;
mod sample;
mod server;
mod upstream;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use binds::Binds;

use super::Environment;
use super::field::Field;
use super::keys;
use super::model::{CertificateFile, Listener, Plugin, Route, Server, Upstream};
use super::problem::{Fault, Problem};
use super::read::{Named, TableReader};
use super::report::Report;
use super::told;
use super::tree::{Node, Table};

/// What the checks of single tables share.
pub(crate) struct Check<'a> {
    pub environment: &'a Environment,
    /// Where relative paths start that are not written in a file.
    pub folder: PathBuf,
    pub built_ins: &'a [&'a str],
    pub report: &'a Report,
    certificates: RefCell<Vec<CertificateFile>>,
    listeners: Section<'a>,
    plugins: Section<'a>,
    upstreams: Section<'a>,
    /// Addresses that are taken, and the key that takes them.
    binds: RefCell<Binds>,
    /// Those that plugins may call.
    origins: RefCell<Vec<Upstream>>,
}

/// The names of a section, and those that something uses.
struct Section<'a> {
    /// `plugins`
    title: &'static str,
    /// Sorted.
    names: Vec<&'a str>,
    used: RefCell<BTreeSet<usize>>,
}

/// Names that a hint tells.
const MAX_NAMES: usize = 20;

/// Tables of a section that were read to their end, by name.
type Tables<'a> = HashMap<&'a str, &'a TableReader<'a>>;

/// Everything of a configuration but what [`super::load`] adds.
pub(crate) struct Checked {
    pub server: Server,
    pub listeners: Vec<Listener>,
    pub plugins: Vec<Plugin>,
    pub routes: Vec<Route>,
    pub upstreams: Vec<Upstream>,
    pub certificates: Vec<CertificateFile>,
}

pub(crate) fn check(
    root: &Node,
    environment: &Environment,
    folder: PathBuf,
    built_ins: &[&str],
    report: &Report,
) -> Checked {
    let none = Table::new();
    let table = root.as_table().unwrap_or(&none);
    let reader = TableReader::new(root, table, String::new(), keys::ROOT, report);
    let check = Check {
        environment,
        folder,
        built_ins,
        report,
        certificates: RefCell::default(),
        listeners: Section::new("listeners", table),
        plugins: Section::new("plugins", table),
        upstreams: Section::new("upstreams", table),
        binds: RefCell::default(),
        origins: RefCell::default(),
    };
    let listeners = reader.named("listeners");
    let misspelled = reader.is_misspelled("listeners");
    if listeners.is_empty() && !table.contains_key("listeners") && !misspelled {
        reader.problem(Fault::hint(
            "there is no listener, so nothing would be served",
            "add [listeners.web] with bind = \"0.0.0.0:8080\"",
        ));
    }
    let server = check.server(reader.table("server"));
    let (plugins, upstreams) = (reader.named("plugins"), reader.named("upstreams"));
    let routes = reader.named("routes");
    let mut checked = Checked {
        server,
        listeners: listeners.iter().filter_map(|named| check.listener(named)).collect(),
        routes: routes.iter().filter_map(|named| check.route(named)).collect(),
        plugins: plugins.iter().filter_map(|named| check.plugin(named)).collect(),
        upstreams: upstreams.iter().filter_map(|named| check.upstream(named)).collect(),
        certificates: check.certificates.take(),
    };
    // Behind all others: routes name theirs by place.
    checked.upstreams.extend(check.origins.take());
    check.unused(&check.plugins, &plugins);
    check.unused(&check.upstreams, &upstreams);
    // What could not be read of a route is not what it takes.
    let read = |named: &Named<'_, TableReader<'_>>| {
        let wrong = |key| report.is_wrong(&format!("{}.{key}", named.value.path));
        !["match", "listeners", "priority", "upstream", "plugins"].into_iter().any(wrong)
    };
    let known: Tables<'_> =
        routes.iter().filter(|named| read(named)).map(|named| (named.name, &named.value)).collect();
    let (sound, rest): (Vec<Route>, Vec<Route>) =
        checked.routes.into_iter().partition(|route| known.contains_key(&*route.name));
    checked.routes = sound;
    check.alike(&checked.routes, &known);
    check.ways_around(&checked, &known);
    if !rest.is_empty() {
        checked.routes.extend(rest);
        checked.routes.sort_by(|a, b| a.name.cmp(&b.name));
    }
    checked
}

impl Check<'_> {
    /// A path as written at `field`: relative ones start from the folder of the file that names it.
    fn path(&self, field: &Field<'_>, text: &str) -> PathBuf {
        field.node.place.folder().unwrap_or(&self.folder).join(text)
    }

    /// A file that must be there; a problem is reported at `field`.
    fn file(&self, field: &Field<'_>) -> Option<PathBuf> {
        let text = field.text()?;
        let path = self.path(field, text);
        if told::is_contents(text) || told::is_der(text) && !path.exists() {
            let hint = "write it to a file, and name that file here";
            field.plain_problem(Fault::hint("this is no path, but what a file holds", hint));
            return None;
        }
        self.report.source(path.clone());
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => Some(path),
            Ok(_) => {
                let message = format!("{} is not a file", field.shown_path(&path));
                field.plain_problem(Fault::hint(message, "name a regular file, or a link to one"));
                None
            }
            Err(error) => {
                field.plain_problem(unreadable(field, &path, &error));
                None
            }
        }
    }

    /// Plugins by name, in order.
    fn chain(&self, table: &TableReader<'_>) -> Vec<usize> {
        let (mut chain, mut seen) = (Vec::new(), HashSet::new());
        for item in table.list("plugins").unwrap_or_default() {
            let Some(index) = self.plugin_index(&item) else { continue };
            if !seen.insert(index) {
                item.problem(Fault::hint(
                    format!("this plugin is in the chain already: {:?}", item.text().unwrap_or("")),
                    "a second pass needs a second [plugins.NAME] with the same component",
                ));
            }
            chain.push(index);
        }
        chain
    }

    /// Listeners by name; an empty list would be a route that no request can reach.
    fn listener_indices(&self, field: &Field<'_>) -> Vec<usize> {
        let items = field.list().unwrap_or_default();
        if field.is_empty_list() {
            field.problem(Fault::hint(
                "no request could reach this route",
                "name a listener, or leave the key out for all of them",
            ));
        }
        let index = |item: &Field<'_>| self.index(&self.listeners, item, |_| None);
        items.iter().filter_map(index).collect()
    }

    fn plugin_index(&self, field: &Field<'_>) -> Option<usize> {
        self.index(&self.plugins, field, |name| {
            let table = format!("[plugins.{name}] with component = {name:?}");
            let built_in = self.built_ins.contains(&name);
            built_in.then(|| format!("this is a built-in component; to use it add {table}"))
        })
    }

    fn upstream_index(&self, field: &Field<'_>) -> Option<usize> {
        self.index(&self.upstreams, field, |name| {
            let url = name.contains("://");
            url.then(|| format!("add [upstreams.NAME] with endpoints = [{name:?}] and name that"))
        })
    }

    /// Where in a section the name stands that is written at `field`. A name that may stand in
    /// what could not be read is no problem.
    fn index(
        &self,
        section: &Section<'_>,
        field: &Field<'_>,
        better_hint: impl Fn(&str) -> Option<String>,
    ) -> Option<usize> {
        let name = field.text()?;
        let fault = match section.index(name, self.report) {
            Ok(index) => return Some(index),
            Err(fault) => fault,
        };
        if !self.report.may_have_lost(name) {
            let hint = better_hint(name).or(fault.hint.clone());
            field.problem(Fault { hint, ..fault });
        }
        None
    }

    fn unused(&self, section: &Section<'_>, tables: &[Named<'_, TableReader<'_>>]) {
        // A name that was misspelt is used, and it is not known which.
        if !self.report.compared_all() {
            return;
        }
        for named in tables {
            let index = section.names.binary_search(&named.name);
            let unused = index.is_ok_and(|index| !section.used.borrow().contains(&index));
            if unused && !self.report.may_have_lost(named.name) {
                let message = format!("[{}] is not used", named.value.path);
                self.report.warning(
                    Problem::new(named.value.place.clone(), named.value.path.clone(), message)
                        .with_hint("name it in a route or listener, or remove it"),
                );
            }
        }
    }
}

fn unreadable(field: &Field<'_>, path: &Path, error: &std::io::Error) -> Fault {
    let hint = "relative paths start from the folder of the file that names them";
    Fault::hint(format!("{} cannot be read: {error}", field.shown_path(path)), hint)
}

impl<'a> Section<'a> {
    fn new(title: &'static str, root: &'a Table) -> Section<'a> {
        let section = root.get(title).and_then(|entry| entry.node.as_table());
        let names = section.map_or_else(Vec::new, |s| s.keys().map(String::as_str).collect());
        Section { title, names, used: RefCell::default() }
    }

    fn index(&self, name: &str, report: &Report) -> Result<usize, Fault> {
        if let Ok(index) = self.names.binary_search(&name) {
            self.used.borrow_mut().insert(index);
            return Ok(index);
        }
        let title = self.title;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let hint = match report.nearest(name, self.names.iter().copied()) {
            Some(nearest) => {
                // It is used as soon as its name is mended.
                self.used.borrow_mut().extend(self.names.binary_search(&nearest));
                format!("did you mean {nearest:?}?")
            }
            None if name.is_empty() || !name.bytes().all(legal) => {
                format!("no name has such characters; there are: {}", self.some())
            }
            None if self.names.is_empty() => format!("add [{title}.{name}]"),
            None => format!("add [{title}.{name}]; there are: {}", self.some()),
        };
        Err(Fault::hint(format!("there is no [{title}.{name}]"), hint))
    }

    /// The first names.
    fn some(&self) -> String {
        let some = self.names.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
        match self.names.len().saturating_sub(MAX_NAMES) {
            0 => some,
            more => format!("{some}, and {more} more"),
        }
    }
}
