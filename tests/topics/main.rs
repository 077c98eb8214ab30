//! Every topic of the whole-system tests.

mod slice;
