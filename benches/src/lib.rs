//! Shared by the benches: exchanges to work on.
