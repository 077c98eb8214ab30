//! Addresses that are listened on: each once, and only where a socket can be.
//!
//! In: addresses with the keys that name them. Out: what is wrong with one. Never: listens: somebody
//! else may, or this be another machine than the one it will run on.
#![expect(clippy::disallowed_methods, reason = "a configuration is checked on the control side")]

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::config::model::Bind;
use crate::config::problem::Fault;

/// Addresses that are taken, and the key that takes each.
#[derive(Default)]
pub(super) struct Binds {
    files: HashMap<PathBuf, String>,
    /// Files that are written to, likewise.
    written: HashMap<PathBuf, String>,
    ports: HashMap<u16, Port>,
}

/// Who listens at one port.
#[derive(Default)]
struct Port {
    /// As sockets compare them: an IPv4 address is the same within IPv6 (RFC 4291, 2.5.5.2).
    at: HashMap<IpAddr, (IpAddr, String)>,
    first: Option<String>,
    first_v4: Option<String>,
}

impl Binds {
    /// Takes an address for a key, or tells who has it.
    pub(super) fn take(&mut self, bind: &Bind, key: &str) -> Result<(), Fault> {
        match bind {
            Bind::Unix(path) => {
                let path = resolved(path);
                if let Some(other) = self.written.get(&path) {
                    let hint = "give the socket a path of its own";
                    return Err(Fault::hint(format!("{other} names this file to write to"), hint));
                }
                match self.files.get(&path) {
                    Some(other) => return Err(twice(other)),
                    None => self.files.insert(path, key.to_owned()),
                };
            }
            // Port 0 is another one each time.
            Bind::Tcp(address) if address.port() == 0 => {}
            Bind::Tcp(address) => {
                let port = self.ports.entry(address.port()).or_default();
                port.taken(address.ip()).map_or(Ok(()), Err)?;
                port.take(address.ip(), key);
            }
        }
        Ok(())
    }

    /// Takes a file to write to for a key, or tells whose socket it is.
    pub(super) fn write_to(&mut self, path: &Path, key: &str) -> Result<(), Fault> {
        let path = resolved(path);
        if let Some(other) = self.files.get(&path) {
            let hint = "name a file, or leave file out for standard output";
            return Err(Fault::hint(format!("{other} listens there"), hint));
        }
        self.written.insert(path, key.to_owned());
        Ok(())
    }
}

impl Port {
    /// Why nobody can listen there any more. Linux gives IPv4's connections to a socket at `[::]`, too.
    fn taken(&self, ip: IpAddr) -> Option<Fault> {
        let all_v4 = IpAddr::from([0; 4]);
        let all = IpAddr::from([0; 16]);
        let own = ip.to_canonical();
        if let Some((same, other)) = self.at.get(&own) {
            return Some(match *same == ip {
                true => twice(other),
                false => Fault::hint(
                    format!("{other} listens there already: {same} and {ip} are one address"),
                    "give each listener an address of its own",
                ),
            });
        }
        let wider = self.at.get(&all).or_else(|| self.at.get(&all_v4).filter(|_| own.is_ipv4()));
        let narrower = match own {
            own if own == all => self.first.as_ref(),
            own if own == all_v4 => self.first_v4.as_ref(),
            _ => None,
        };
        let other = wider.map(|(_, other)| other).or(narrower)?;
        Some(Fault::hint(
            format!("{other} listens at this port of every address already"),
            "give each listener a port of its own, or name the addresses of both",
        ))
    }

    fn take(&mut self, ip: IpAddr, key: &str) {
        let own = ip.to_canonical();
        self.first.get_or_insert_with(|| key.to_owned());
        if own.is_ipv4() {
            self.first_v4.get_or_insert_with(|| key.to_owned());
        }
        self.at.insert(own, (ip, key.to_owned()));
    }
}

fn twice(other: &str) -> Fault {
    let hint = "give each listener an address of its own";
    Fault::hint(format!("{other} listens there already"), hint)
}

/// The same path for the same file, which need not be there.
fn resolved(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Why no socket can be made there.
pub(super) fn unusable(bind: &Bind) -> Option<Fault> {
    let Bind::Unix(path) = bind else { return None };
    match std::fs::symlink_metadata(path) {
        Ok(facts) if facts.is_dir() => {
            Some(Fault::hint("there is a folder of that name", "name a file in it"))
        }
        Ok(facts) if !facts.file_type().is_socket() => Some(Fault::hint(
            "there is a file of that name which is no socket",
            "name another one, or move that file away",
        )),
        Ok(_) => None,
        Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            folder.is_some_and(|folder| !folder.is_dir()).then(|| {
                Fault::hint("the socket's folder is not there", "make the folder, or name another")
            })
        }
    }
}

/// Whether this machine has no such address; nothing is sent to find out.
pub(super) fn is_foreign(address: SocketAddr) -> bool {
    let (mut any_port, no_interface) = (address, rustix::io::Errno::NODEV.raw_os_error());
    any_port.set_port(0);
    UdpSocket::bind(any_port).is_err_and(|error| {
        error.kind() == std::io::ErrorKind::AddrNotAvailable
            || error.raw_os_error() == Some(no_interface)
    })
}
