//! The server: what is built from a configuration, and what serves it.

pub mod admin;
