//! The daemon for tests that need a process: the same `main` as the `weir` binary's.

fn main() -> std::process::ExitCode {
    weir::cli::main(weir_bundle::BUILT_INS)
}
