//! Every topic of the whole-system tests.

mod conformance;
mod demo;
mod plugin_failures;
mod plugins;
mod reload;
mod slice;
mod startup;
mod tour;
