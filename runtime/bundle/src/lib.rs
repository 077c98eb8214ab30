//! The plugins that come with the binary.
//!
//! In: what `build.rs` compiled from `plugins/`. Out: a table. Never: decompressed or copied: the
//! bytes stay where the binary was mapped, and are read only when one is compiled. The binary stands
//! beside this table and not in the library's package, so that another plugin is no other library.

/// Names and components, sorted by name.
pub static BUILT_INS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/built_ins.rs"));
