//! The two streams of a tunnel, joined until it is over.
//!
//! In: the client's stream and the endpoint's. Out: every byte of either on the other one, and its
//! end. Never: keeps a tunnel that is half closed and silent: a peer that has gone away looks like
//! one that still listens, so what nothing comes of in a while is over; lets one direction have every
//! turn.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use weir_core::http::{IdleTimer, UploadState};
use weir_core::turn;

/// Bytes on their way, in each direction.
const BUFFER: usize = 8 << 10;

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Both sides closed.
    Closed,
    /// One side closed, and of the other nothing came for too long.
    Silent,
    /// One side closed, and somebody else had need of its place.
    GaveWay,
}

/// Both directions.
struct Ways {
    up: Way,
    down: Way,
    /// The turn ended while the other one moved: this one begins the next.
    down_first: bool,
}

/// One direction.
struct Way {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes so far.
    moved: u64,
    unflushed: bool,
    /// Its reader's side closed.
    ended: bool,
    /// The other side knows.
    over: bool,
}

/// Joins two streams until both closed; with one closed, until nothing moves for `patience`.
/// `closing` is shown to whoever may want the place from then on.
///
/// # Errors
/// Where a stream fails.
pub async fn join<C, E>(
    client: &mut C,
    endpoint: &mut E,
    patience: Duration,
    closing: impl FnOnce(&Arc<UploadState>),
) -> io::Result<End>
where
    C: AsyncRead + AsyncWrite + Unpin,
    E: AsyncRead + AsyncWrite + Unpin,
{
    let mut ways = Ways { up: Way::new(), down: Way::new(), down_first: false };
    poll_fn(|cx| {
        let _ = ways.poll(cx, client, endpoint)?;
        // To wait for both would be to wait for nobody who can tell.
        match ways.up.ended || ways.down.ended {
            true => Poll::Ready(io::Result::Ok(())),
            false => Poll::Pending,
        }
    })
    .await?;
    let state = Arc::<UploadState>::default();
    state.begin();
    state.set_starved(true);
    state.close();
    closing(&state);
    let mut idle = IdleTimer::new(patience);
    poll_fn(|cx| {
        let before = ways.moved();
        if ways.poll(cx, client, endpoint)?.is_ready() {
            return Poll::Ready(Ok(End::Closed));
        }
        let moved = ways.moved() - before;
        if moved > 0 {
            state.add(moved);
            idle.progress();
        }
        if state.has_to_give_way() {
            return Poll::Ready(Ok(End::GaveWay));
        }
        state.read_by(cx.waker());
        ready!(idle.poll(cx));
        Poll::Ready(Ok(End::Silent))
    })
    .await
}

impl Ways {
    fn moved(&self) -> u64 {
        self.up.moved + self.down.moved
    }

    /// Moves what there is. Ready when both are over.
    fn poll<C, E>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut C,
        endpoint: &mut E,
    ) -> Poll<io::Result<()>>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        E: AsyncRead + AsyncWrite + Unpin,
    {
        let Ways { up, down, down_first } = self;
        let (sent, received) = if *down_first {
            let received = down.poll(cx, endpoint, client)?;
            *down_first = !turn::is_over();
            (up.poll(cx, client, endpoint)?, received)
        } else {
            let sent = up.poll(cx, client, endpoint)?;
            *down_first = turn::is_over();
            (sent, down.poll(cx, endpoint, client)?)
        };
        if sent.is_ready() && received.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl Way {
    fn new() -> Way {
        Way {
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            moved: 0,
            unflushed: false,
            ended: false,
            over: false,
        }
    }

    /// Moves what there is. Ready when it is over: the reader's side closed, and the writer's knows.
    fn poll<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        while !self.over {
            if let Some(rest) = self.buffer.get(self.start..self.end).filter(|it| !it.is_empty()) {
                let written = ready!(Pin::new(&mut *to).poll_write(cx, rest))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.start += written;
                self.moved += written as u64;
                self.unflushed = true;
            } else if self.ended {
                ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                self.over = true;
            } else {
                let mut room = ReadBuf::new(&mut self.buffer);
                let read = Pin::new(&mut *from).poll_read(cx, &mut room);
                let length = room.filled().len();
                if read.is_pending() && self.unflushed {
                    ready!(Pin::new(&mut *to).poll_flush(cx))?;
                    self.unflushed = false;
                }
                ready!(read)?;
                (self.start, self.end) = (0, length);
                self.ended = length == 0;
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use weir_core::clock;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use weir_core::http::Pause;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    /// Always has something to say, and listens.
    #[derive(Default)]
    struct Flood {
        heard: u64,
    }

    impl AsyncRead for Flood {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            room: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            ready!(turn::poll_proceed(cx));
            room.initialize_unfilled().fill(b'x');
            room.advance(room.remaining());
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Flood {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            ready!(turn::poll_proceed(cx));
            self.heard += bytes.len() as u64;
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn directions_take_turns() {
        let (mut client, mut endpoint) = (Flood::default(), Flood::default());
        {
            let mut joined = pin!(join(&mut client, &mut endpoint, LONG, |_| ()));
            let mut cx = Context::from_waker(std::task::Waker::noop());
            for _ in 0..20 {
                let taken = turn::take(turn::Task::next(), || joined.as_mut().poll(&mut cx));
                assert!(taken.was_short && taken.result.is_pending());
            }
        }
        let (down, up) = (client.heard, endpoint.heard);
        assert!(down > up / 4 && up > down / 4, "{down} and {up}");
    }

    #[tokio::test]
    async fn each_side_closes_by_itself_and_what_comes_afterwards_arrives() {
        for client_closes in [true, false] {
            let ((client, mut near), (mut far, endpoint)) = (duplex(64), duplex(64));
            let (mut closing, mut other) =
                if client_closes { (client, endpoint) } else { (endpoint, client) };
            let closes = async move {
                closing.write_all(&[b'x'; 1000]).await.unwrap();
                closing.shutdown().await.unwrap();
                let mut heard = Vec::new();
                closing.read_to_end(&mut heard).await.unwrap();
                heard
            };
            let answers = async move {
                let mut heard = Vec::new();
                other.read_to_end(&mut heard).await.unwrap();
                for _ in 0..100 {
                    other.write_all(b"more").await.unwrap();
                    tokio::task::yield_now().await;
                }
                other.shutdown().await.unwrap();
                heard.len()
            };
            let joined = join(&mut near, &mut far, LONG, |_| ());
            let (end, heard, sent) = tokio::join!(joined, closes, answers);
            assert_eq!((end.unwrap(), sent), (End::Closed, 1000));
            assert_eq!(heard, b"more".repeat(100));
        }
    }

    #[tokio::test]
    async fn a_half_closed_tunnel_that_is_silent_is_over() {
        for client_closes in [true, false] {
            let ((mut client, mut near), (mut far, mut endpoint)) = (duplex(64), duplex(64));
            match client_closes {
                true => client.shutdown().await.unwrap(),
                false => endpoint.shutdown().await.unwrap(),
            }
            let patience = Duration::from_millis(20);
            let end = join(&mut near, &mut far, patience, |_| ()).await;
            assert_eq!(end.unwrap(), End::Silent);
        }
    }

    #[tokio::test]
    async fn a_half_closed_tunnel_gives_way_and_an_open_one_is_not_asked() {
        let ((mut client, mut near), (mut far, _endpoint)) = (duplex(64), duplex(64));
        let shown = std::cell::OnceCell::new();
        let closing = |state: &Arc<UploadState>| drop(shown.set(state.clone()));
        let mut joined = pin!(join(&mut near, &mut far, LONG, closing));
        let mut turn =
            async || poll_fn(|cx| Poll::Ready(joined.as_mut().poll(cx).map(Result::unwrap))).await;
        assert_eq!(turn().await, Poll::Pending);
        assert!(shown.get().is_none());
        client.shutdown().await.unwrap();
        assert_eq!(turn().await, Poll::Pending);
        let state = shown.get().expect("it is shown");
        let now = clock::now();
        let pauses: Vec<_> = (1..4).map(|sweep| state.pause(now + LONG * sweep)).collect();
        assert_eq!(pauses.last(), Some(&Some(Pause::Closed)));
        state.give_way();
        assert_eq!(turn().await, Poll::Ready(End::GaveWay));
    }
}
