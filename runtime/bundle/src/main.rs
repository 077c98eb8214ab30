//! The daemon and tool.

use std::process::ExitCode;

/// A request is many small, short-lived allocations, mostly freed on the thread that made them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    weir::cli::main(weir_bundle::BUILT_INS)
}
