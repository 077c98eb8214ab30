//! The threads that components are compiled on.
//!
//! In: nothing. Out: as many as there are cores, idle until something is compiled; in a child that
//! compiles, as many as are to be had. Never: made at the first need: where the system gives no
//! thread then, nothing could be compiled until a restart.

use std::error::Error;
use std::io;

use rayon::ThreadPoolBuilder;
use weir_core::threads;

/// Makes the threads, unless they are there.
///
/// # Errors
/// Where the system gives none.
pub fn start() -> io::Result<()> {
    let made = ThreadPoolBuilder::new().thread_name(|at| format!("compiler-{at}")).build_global();
    match made {
        // Without a cause they are there already.
        Err(error) if error.source().is_some() => {
            let error = error.source().unwrap_or(&error);
            Err(threads::none("compiler", "compiles plugins", error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Does what compiles on up to so many threads; on this one alone where the system gives no other.
///
/// # Errors
/// Where not even that can be.
pub fn on_what_there_is<T: Send>(most: usize, does: impl FnOnce() -> T + Send) -> io::Result<T> {
    let halves = std::iter::successors(Some(most), |threads| Some(threads / 2));
    let pools = halves.take_while(|threads| *threads > 1);
    let pool = pools
        .into_iter()
        .find_map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().ok());
    match pool {
        Some(pool) => Ok(pool.install(does)),
        None => {
            let alone = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
            let alone = alone.map_err(io::Error::other)?;
            Ok(alone.install(does))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_is_this_one() {
        let here = std::thread::current().id();
        let ran = |most| on_what_there_is(most, || std::thread::current().id()).expect("a thread");
        assert_eq!(ran(1), here);
        assert_ne!(ran(2), here);
    }
}
