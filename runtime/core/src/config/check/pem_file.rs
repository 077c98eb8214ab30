//! PEM files: that they can be read, and hold what they should.
//!
//! In: a field, and the path that it names. Out: problems at the field. Never: looks at what a
//! certificate or a key says: who uses them for TLS does.

use std::path::Path;

use super::{Check, unreadable};
use crate::config::field::Field;
use crate::config::file;
use crate::config::pem::{self, NotPem};
use crate::config::problem::Fault;

impl Check<'_> {
    /// Whether a file holds certificates, at least one.
    pub(super) fn holds_certificates(&self, field: &Field<'_>, path: &Path) -> bool {
        self.holds(field, path, |bytes| pem::certificates(bytes).map(drop))
    }

    /// Whether a file holds a private key.
    pub(super) fn holds_key(&self, field: &Field<'_>, path: &Path) -> bool {
        self.holds(field, path, |bytes| pem::private_key(bytes).map(drop))
    }

    fn holds(
        &self,
        field: &Field<'_>,
        path: &Path,
        parse: impl Fn(&[u8]) -> Result<(), NotPem>,
    ) -> bool {
        let read = self.report.contents().read(path, file::PEM);
        let fault = match read.map(|bytes| parse(&bytes)) {
            Ok(Ok(())) => return true,
            Ok(Err(NotPem { what, hint })) => {
                Fault::hint(format!("{} {what}", field.shown_path(path)), hint)
            }
            Err(error) => unreadable(field, path, &error),
        };
        field.plain_problem(fault);
        false
    }
}
