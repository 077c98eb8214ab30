//! Components that are made to hurt whoever loads them.

mod component_bounds;
