//! An HTTP/2 endpoint by hand: the very frames that a test wants it to send.
//!
//! In: what it says at first, and to each stream. Out: an [`Origin`], and what came to it. Never: keeps
//! the protocol's rules, but for acknowledging SETTINGS and PING.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::Origin;
use crate::frames::{ACK, END_HEADERS, END_STREAM, Frame, block, kind};

/// The endpoint and what it saw.
pub struct Endpoint {
    pub origin: Origin,
    seen: Arc<Mutex<Vec<Frame>>>,
}

impl Endpoint {
    /// Sends `greeting` on each connection, and `answer` to the head of each stream: the closure gets
    /// how many streams there were before, of all connections, and the stream's number.
    pub fn new(
        greeting: Vec<u8>,
        answer: impl Fn(usize, u32) -> Vec<u8> + Send + Sync + 'static,
    ) -> Endpoint {
        Endpoint::held(Arc::new(Semaphore::new(1)), greeting, answer)
    }

    /// As [`Endpoint::new`]; says nothing before there is a permit.
    pub fn held(
        open: Arc<Semaphore>,
        greeting: Vec<u8>,
        answer: impl Fn(usize, u32) -> Vec<u8> + Send + Sync + 'static,
    ) -> Endpoint {
        let seen: Arc<Mutex<Vec<Frame>>> = Arc::default();
        let (log, answer) = (seen.clone(), Arc::new(answer));
        let origin = Origin::raw(move |stream| {
            let (open, greeting) = (open.clone(), greeting.clone());
            let (log, answer) = (log.clone(), answer.clone());
            async move {
                drop(open.acquire().await);
                serve(stream, greeting, log, answer).await;
            }
        });
        Endpoint { origin, seen }
    }

    /// How many frames of a kind came that have this flag, or any flag where it is 0.
    pub fn count(&self, kind: u8, flag: u8) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|frame| frame.kind == kind && frame.flags & flag == flag).count()
    }
}

/// Sends `greeting` on a connection, and `answer` to the head of each of its streams.
pub async fn speak(stream: TcpStream, greeting: Vec<u8>, answer: impl Fn(usize, u32) -> Vec<u8>) {
    serve(stream, greeting, Arc::default(), Arc::new(answer)).await;
}

async fn serve(
    mut stream: TcpStream,
    greeting: Vec<u8>,
    seen: Arc<Mutex<Vec<Frame>>>,
    answer: Arc<impl Fn(usize, u32) -> Vec<u8>>,
) {
    let mut preface = [0; 24];
    if stream.read_exact(&mut preface).await.is_err() || stream.write_all(&greeting).await.is_err()
    {
        return;
    }
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return;
        }
        let [high, middle, low, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
        if stream.read_exact(&mut payload).await.is_err() {
            return;
        }
        let frame = Frame { kind, flags, stream: u32::from_be_bytes(id), payload };
        let streams = {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(frame.clone());
            seen.iter().filter(|frame| frame.kind == kind::HEADERS).count()
        };
        let answer = match kind {
            kind::SETTINGS if flags & ACK == 0 => framed(kind::SETTINGS, ACK, 0, &[]),
            kind::PING if flags & ACK == 0 => framed(kind::PING, ACK, 0, &frame.payload),
            kind::HEADERS => answer(streams - 1, frame.stream),
            _ => continue,
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// A frame as it is sent.
pub fn framed(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame's length").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// SETTINGS with a SETTINGS_MAX_CONCURRENT_STREAMS.
pub fn max_streams(most: u32) -> Vec<u8> {
    framed(kind::SETTINGS, 0, 0, &[&[0, 3][..], &most.to_be_bytes()].concat())
}

/// HEADERS with `:status: 200` and these fields.
pub fn ok(stream: u32, ends: bool, fields: &[(&str, &str)]) -> Vec<u8> {
    let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
    framed(kind::HEADERS, flags, stream, &[vec![0x88], block(fields)].concat())
}
