//! Endpoints that end, stall or smuggle.

mod endings;
mod endpoint_streams;
mod heads;
mod openings;
