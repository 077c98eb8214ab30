//! An order to reload, and its answer.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::options::StartError;

/// How a reload went, for everybody who asked for it: which files were left as they were, for somebody
/// is writing to them.
pub type ReloadResult = Result<Arc<[PathBuf]>, Arc<StartError>>;

/// Somebody who asked for a reload.
pub type Order = oneshot::Sender<ReloadResult>;
