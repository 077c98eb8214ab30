//! The threads that components are compiled on.
//!
//! In: nothing. Out: as many as there are cores, idle until something is compiled. Never: made at
//! the first need: where the system gives no thread then, nothing could be compiled until a restart.

use std::error::Error;
use std::io;

/// Makes the threads, unless they are there.
///
/// # Errors
/// Where the system gives none.
pub fn start() -> io::Result<()> {
    let threads = rayon::ThreadPoolBuilder::new().thread_name(|at| format!("compiler-{at}"));
    match threads.build_global() {
        // Without a cause they are there already.
        Err(error) if error.source().is_some() => Err(io::Error::other(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
