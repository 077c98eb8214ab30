//! Every topic of the whole-system tests.

mod demo;
mod slice;
