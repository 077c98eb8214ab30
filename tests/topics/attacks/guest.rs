//! Guests that fail, that want more than they may, or that have the host work for them.

mod plugin_failures;
mod quotas;
mod surroundings;
