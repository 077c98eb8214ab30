//! What an operator gets wrong, or does at a bad moment.

mod dead_mount;
mod files;
mod half_written;
mod pins;
mod signals;
