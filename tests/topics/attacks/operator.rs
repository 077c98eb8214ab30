//! What an operator gets wrong, or does at a bad moment.

mod files;
mod pins;
mod signals;
