//! The plugins that come with the binary.
//!
//! In: what `build.rs` compiled from `plugins/`. Out: a table. Never: decompressed or copied: the
//! bytes stay where the binary was mapped, and are read only when one is compiled.

use super::plugin::BuiltIn;

/// Names and components, sorted by name.
pub static BUILT_INS: &[BuiltIn] = include!(concat!(env!("OUT_DIR"), "/built_ins.rs"));
