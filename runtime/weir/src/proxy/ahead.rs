//! What was read of a response before its client took it.
//!
//! In: frames as an endpoint sends them. Out: the same bytes in blocks, then the trailers. Never: keeps
//! the memory that a frame was read into, or a frame for each byte: what is counted is what is held.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Frame;
use weir_core::http::field_line;

/// Bytes of a block; the last one may be smaller.
const BLOCK: usize = 64 << 10;
/// What a field costs beyond its letters.
const FIELD: usize = 128;

/// In the order in which it came.
#[derive(Debug, Default)]
pub struct Ahead {
    full: VecDeque<Bytes>,
    block: BytesMut,
    trailers: Option<HeaderMap>,
    /// A frame that was not copied: the client is about to take it.
    first: Option<Frame<Bytes>>,
}

impl Ahead {
    /// A frame that is taken at once.
    pub fn next(frame: Frame<Bytes>) -> Ahead {
        Ahead { first: Some(frame), ..Ahead::default() }
    }

    /// One more frame. Gives the bytes that it costs.
    pub fn push(&mut self, frame: Frame<Bytes>) -> usize {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                self.trailers = frame.into_trailers().ok();
                return self.trailers.as_ref().map_or(0, cost_of_fields);
            }
        };
        let mut rest = &*data;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            if self.block.len() == BLOCK {
                self.full.push_back(std::mem::take(&mut self.block).freeze());
            }
            rest = later;
        }
        data.len()
    }

    /// What the client takes next, and what it has cost.
    pub fn pop(&mut self) -> Option<(Frame<Bytes>, usize)> {
        if let Some(frame) = self.first.take() {
            return Some((frame, 0));
        }
        let last = || std::mem::take(&mut self.block).freeze();
        let data = self.full.pop_front().unwrap_or_else(last);
        if !data.is_empty() {
            let cost = data.len();
            return Some((Frame::data(data), cost));
        }
        let trailers = self.trailers.take()?;
        let cost = cost_of_fields(&trailers);
        Some((Frame::trailers(trailers), cost))
    }

    pub fn is_empty(&self) -> bool {
        let Ahead { full, block, trailers, first } = self;
        full.is_empty() && block.is_empty() && trailers.is_none() && first.is_none()
    }
}

fn cost_of_fields(fields: &HeaderMap) -> usize {
    fields.iter().map(|field| field_line::size(field) + FIELD).sum()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_comes_out_is_what_went_in_and_costs_as_much() {
        let mut ahead = Ahead::default();
        let body: Vec<u8> = (0..3 * BLOCK + 5).map(|at| (at % 251) as u8).collect();
        let (small, large) = body.split_at(BLOCK / 2);
        let mut cost = 0;
        for byte in small.chunks(1) {
            cost += ahead.push(Frame::data(Bytes::copy_from_slice(byte)));
        }
        cost += ahead.push(Frame::data(Bytes::copy_from_slice(large)));
        assert_eq!(cost, body.len());
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("1"));
        cost += ahead.push(Frame::trailers(trailers.clone()));
        let (mut out, mut frames) = (Vec::new(), 0);
        while let Some((frame, paid)) = ahead.pop() {
            frames += 1;
            cost -= paid;
            match frame.into_data() {
                Ok(data) => out.extend_from_slice(&data),
                Err(frame) => assert_eq!(frame.into_trailers().expect("trailers"), trailers),
            }
        }
        assert!(out == body && ahead.is_empty());
        assert_eq!((cost, frames), (0, 5), "three blocks, a rest and trailers");
    }

    /// A frame of one byte may keep a buffer of a quarter of a megabyte.
    #[test]
    fn the_memory_that_a_frame_was_read_into_is_let_go() {
        let mut ahead = Ahead::default();
        let buffer = Bytes::from(vec![b'a'; 256 << 10]);
        ahead.push(Frame::data(buffer.slice(..1)));
        assert!(buffer.is_unique());
        assert!(ahead.block.capacity() <= BLOCK);
    }
}
