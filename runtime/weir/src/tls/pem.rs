//! PEM files of one configuration, each decoded once, however many name it.
//!
//! In: paths. Out: certificates of X.509 with their dates, at least one; exactly one key. Never: reads a format
//! of its own: [`weir_core::config::pem`] does, for whoever checks a configuration too.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use weir_core::config::pem::{self, NotPem};
use weir_core::config::{Contents, file};

use super::Error;
use super::dates::Validity;

/// Clones share what was decoded.
#[derive(Clone, Default)]
pub struct PemFiles(Rc<Decoded>);

#[derive(Default)]
struct Decoded {
    contents: Arc<Contents>,
    chains: RefCell<HashMap<PathBuf, Result<Chain, Error>>>,
}

/// The certificates of a file, in order.
#[derive(Clone)]
pub struct Chain {
    pub certificates: Arc<[CertificateDer<'static>]>,
    /// What they say of their time, in the same order.
    pub validity: Arc<[Validity]>,
}

impl PemFiles {
    pub fn new(contents: Arc<Contents>) -> PemFiles {
        PemFiles(Rc::new(Decoded { contents, ..Decoded::default() }))
    }

    /// Every certificate of the file.
    ///
    /// # Errors
    /// It cannot be read, is no PEM, or a block is no certificate.
    pub fn chain(&self, file: &Path) -> Result<Chain, Error> {
        if let Some(known) = self.0.chains.borrow().get(file) {
            return known.clone();
        }
        let chain = self.decode(file);
        self.0.chains.borrow_mut().insert(file.to_owned(), chain.clone());
        chain
    }

    /// The first private key of the file.
    ///
    /// # Errors
    /// It cannot be read, or holds none.
    pub fn private_key(&self, file: &Path) -> Result<PrivateKeyDer<'static>, Error> {
        pem::private_key(&self.read(file)?).map_err(|not| not_pem(file, not))
    }

    fn decode(&self, file: &Path) -> Result<Chain, Error> {
        let found = pem::certificates(&self.read(file)?).map_err(|not| not_pem(file, not))?;
        // The parser's own error may hold bytes of the file.
        let validity: Option<Arc<[Validity]>> = found.iter().map(|der| Validity::of(der)).collect();
        let broken = || {
            let hint = "make the file again from what the authority sent";
            Error::of(file, "holds a broken certificate", hint)
        };
        Ok(Chain { certificates: found.into(), validity: validity.ok_or_else(broken)? })
    }

    fn read(&self, path: &Path) -> Result<Arc<[u8]>, Error> {
        self.0.contents.read(path, file::PEM).map_err(|error| {
            let hint = "check the path (relative ones start at the configuration file) and that \
                 this user may read it";
            Error::of(path, format!("cannot be read: {error}"), hint)
        })
    }
}

fn not_pem(file: &Path, NotPem { what, hint }: NotPem) -> Error {
    Error::of(file, what, hint)
}
