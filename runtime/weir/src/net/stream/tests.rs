use std::future::poll_fn;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use weir_core::clock;

fn pair() -> (Stream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (near.into(), far)
}

/// One read, and what it found: `None` is nothing yet.
async fn look(stream: &mut Stream) -> Option<Vec<u8>> {
    poll_fn(|cx| {
        let mut space = [0; 16];
        let mut buf = ReadBuf::new(&mut space);
        let read = Pin::new(&mut *stream).poll_read(cx, &mut buf);
        Poll::Ready(read.is_ready().then(|| buf.filled().to_vec()))
    })
    .await
}

#[tokio::test]
async fn a_byte_wakes_a_reader_that_asked_several_times() {
    let (mut stream, mut far) = pair();
    for _ in 0..3 {
        assert_eq!(look(&mut stream).await, None);
    }
    let write = async {
        tokio::task::yield_now().await;
        far.write_all(b"x").await.unwrap();
    };
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut byte));
    let (read, ()) = tokio::join!(read, write);
    read.expect("the reader is woken").unwrap();
    assert_eq!(&byte, b"x");
    assert_eq!(look(&mut stream).await, None);
}

#[tokio::test]
async fn the_end_is_seen_and_another_task_is_woken() {
    let (mut stream, far) = pair();
    assert_eq!(look(&mut stream).await, None);
    let reader = tokio::spawn(async move {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.map(|_| rest)
    });
    tokio::task::yield_now().await;
    drop(far);
    let rest = tokio::time::timeout(Duration::from_secs(5), reader).await;
    assert_eq!(rest.expect("the reader is woken").unwrap().unwrap(), b"");
}

#[tokio::test]
async fn a_task_that_used_up_its_turn_is_woken_later() {
    let (mut stream, mut far) = pair();
    let reading = async {
        // Each look that finds a byte costs a unit of the turn, until there is none left.
        poll_fn(|cx| {
            while coop::has_budget_remaining() {
                let _ = coop::poll_proceed(cx).map(|unit| unit.made_progress());
            }
            let mut space = [0; 1];
            let read = Pin::new(&mut stream).poll_read(cx, &mut ReadBuf::new(&mut space));
            assert!(read.is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
        assert_eq!(look(&mut stream).await, None);
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
    };
    let write = async {
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        far.write_all(b"x").await.unwrap();
    };
    let both = async { tokio::join!(reading, write) };
    tokio::time::timeout(Duration::from_secs(5), both).await.expect("the reader is woken");
}

#[tokio::test]
async fn a_peer_that_reads_nothing_for_a_while_is_stalled_until_it_reads() {
    let (mut stream, mut far) = pair();
    let stall = stream.notice_writes();
    let later = || clock::now() + Duration::from_secs(2);
    stream.write_all(b"x").await.unwrap();
    assert_eq!(stall.lasts(later), None);
    let full = [0; 64 << 10];
    let fill = poll_fn(|cx| {
        while Pin::new(&mut stream).poll_write(cx, &full).is_ready() {}
        Poll::Ready(())
    });
    fill.await;
    assert!(stall.lasts(later) > Some(Duration::from_secs(1)));
    // Not at once.
    assert_eq!(stall.lasts(clock::now), None);
    let reading = async {
        let mut read = vec![0; 1 << 20];
        while stall.lasts(later).is_some() {
            assert!(far.read(&mut read).await.unwrap() > 0);
            tokio::task::yield_now().await;
        }
    };
    let (written, ()) = tokio::join!(stream.write(b"x"), reading);
    assert_eq!(written.unwrap(), 1);
}
