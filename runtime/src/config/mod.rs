//! Configuration: as written → checked → as used.
//!
//! In: TOML files, the environment. Out: one [`Config`], or every problem at once, each with
//! file:line:column and a hint. Never: opens a socket or starts anything.

mod model;

pub use model::*;
