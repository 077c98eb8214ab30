//! The verdicts as a table, and connections over a pipe under a turned clock.

use std::cell::Cell;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::task::spawn_local;
use weir_core::clock;
use weir_core::config::Limits;

use super::*;
use crate::busy;
use crate::net::Overdue;
use crate::net::SWEEP;
use crate::net::overdue::{Observed, Phase, Timeouts};
use crate::net::watched::Watched;

const TIMEOUTS: Timeouts =
    Timeouts { handshake: 10_000, header: 30_000, idle: 75_000, body: 60_000 };
const GRACE: u64 = SWEEP.as_millis() as u64;

#[test]
fn verdicts() {
    use Phase::{Exchange, Handshake, Lingering, New, Tunnel};
    let started = 1_000;
    // phase, awaits body, awaits room, time since phase began, since progress, verdict
    for (phase, awaits_body, awaits_room, since, progress, expected) in [
        (Handshake, false, false, 10_000 + GRACE, 0, None),
        (Handshake, false, false, 10_001 + GRACE, 0, Some(Overdue::Handshake)),
        (New, false, false, 30_000 + GRACE, 30_000, None),
        (New, false, false, 30_001 + GRACE, 30_001, Some(Overdue::Idle)),
        // A byte now and then does not buy a head more time.
        (Phase::Head, false, false, 30_000 + GRACE, 0, None),
        (Phase::Head, false, false, 30_001 + GRACE, 0, Some(Overdue::Head)),
        (Phase::Idle, false, false, 75_000 + GRACE, 75_000 + GRACE, None),
        (Phase::Idle, false, false, 75_001 + GRACE, 0, Some(Overdue::Idle)),
        (Phase::Idle, false, true, 75_001 + GRACE, 0, None),
        (Phase::Idle, false, true, 70_000, 60_001 + GRACE, Some(Overdue::Body)),
        (Exchange, false, false, u64::MAX, u64::MAX, None),
        (Exchange, true, false, 600_000, 60_000 + GRACE, None),
        (Exchange, true, false, 600_000, 60_001 + GRACE, Some(Overdue::Body)),
        (Exchange, false, true, 600_000, 60_000 + GRACE, None),
        (Exchange, false, true, 600_000, 60_001 + GRACE, Some(Overdue::Body)),
        (Tunnel, true, true, u64::MAX, u64::MAX, None),
        (Lingering, true, false, 2_000 + GRACE, 0, None),
        (Lingering, true, false, 2_001 + GRACE, 0, Some(Overdue::Linger)),
    ] {
        let now = u64::max(since, progress).saturating_add(started);
        let observed = Observed {
            phase,
            since: now - since.min(now),
            read: now - progress.min(now),
            written: now - progress.min(now),
            awaits_body,
            awaits_room,
        };
        let expected = expected.map_or(Verdict::Keep, Verdict::Close);
        assert_eq!(verdict(&observed, now, &TIMEOUTS), expected, "{observed:?} at {now}");
    }
    // Each way has its own progress: bytes that come do not excuse an answer that nobody takes.
    let stuck = Observed {
        phase: Exchange,
        since: 0,
        read: 100_000,
        written: 0,
        awaits_body: false,
        awaits_room: true,
    };
    assert_eq!(verdict(&stuck, 100_000, &TIMEOUTS), Verdict::Close(Overdue::Body));
    // A stamp from the future, or a bound without end, closes nothing.
    let observed = Observed {
        phase: Phase::Head,
        since: 9,
        read: 9,
        written: 9,
        awaits_body: false,
        awaits_room: false,
    };
    assert_eq!(verdict(&observed, 0, &TIMEOUTS), Verdict::Keep);
    let endless = Timeouts { header: u64::MAX, ..TIMEOUTS };
    assert_eq!(verdict(&observed, u64::MAX, &endless), Verdict::Keep);
}

/// A worker's watch with one connection, and a clock in the test's hand.
struct Scene {
    watch: Watch,
    start: Instant,
    passed: u64,
    activity: Arc<Activity>,
    server: Watched<DuplexStream>,
    client: DuplexStream,
}

impl Scene {
    fn new(room: usize) -> Self {
        let start = clock::now();
        let watch = Watch::new(start);
        let activity = watch.register(Bounds::new(&Limits::default()), false);
        let (near, client) = duplex(room);
        let server = Watched::new(near, activity.clone());
        Scene { watch, start, passed: 0, activity, server, client }
    }

    /// Lets milliseconds pass, sweeping as a worker would.
    fn pass(&mut self, millis: u64) -> Option<Overdue> {
        let end = self.passed + millis;
        while self.passed < end {
            self.passed = end.min(self.passed + GRACE);
            self.watch.sweep(self.start + Duration::from_millis(self.passed));
            self.watch.wake_all_found();
        }
        self.activity.overdue()
    }

    /// Reads once; `None` where there is nothing to read.
    async fn read(&mut self) -> Option<io::Result<usize>> {
        let mut space = [0; 64];
        let mut buf = ReadBuf::new(&mut space);
        poll_fn(|cx| {
            Poll::Ready(match Pin::new(&mut self.server).poll_read(cx, &mut buf) {
                Poll::Pending => None,
                Poll::Ready(read) => Some(read.map(|()| buf.filled().len())),
            })
        })
        .await
    }

    /// Writes once; whether there was room.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        let stream = &mut self.server;
        poll_fn(|cx| Poll::Ready(Pin::new(&mut *stream).poll_write(cx, bytes).is_ready())).await
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let mut scene = Scene::new(1024);
    scene.client.write_all(b"GET / HT").await.unwrap();
    assert_eq!(scene.read().await.unwrap().unwrap(), 8);
    for _ in 0..29 {
        assert_eq!(scene.pass(1_000), None);
        scene.client.write_all(b"T").await.unwrap();
        assert_eq!(scene.read().await.unwrap().unwrap(), 1);
    }
    assert_eq!(scene.pass(2_000), Some(Overdue::Head));
    let error = scene.read().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn silence_is_answered_with_silence() {
    let mut scene = Scene::new(1024);
    assert!(scene.read().await.is_none());
    assert_eq!(scene.pass(30_000), None);
    assert_eq!(scene.pass(1_000), Some(Overdue::Idle));
    assert_eq!(scene.read().await.unwrap().unwrap(), 0);
    drop(scene.server);
    let mut answer = Vec::new();
    scene.client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"");
}

#[tokio::test]
async fn idle_time_runs_from_the_end_of_the_exchange() {
    let mut scene = Scene::new(1024);
    scene.client.write_all(b"GET").await.unwrap();
    scene.read().await.unwrap().unwrap();
    scene.activity.begin_exchange(false);
    // The upstream takes its time: no fault of the client.
    assert!(scene.read().await.is_none());
    assert_eq!(scene.pass(500_000), None);
    assert!(scene.write(b"200").await);
    scene.activity.end_exchange();
    assert_eq!(scene.pass(75_000), None);
    // A new head: its own time starts with its first byte.
    scene.client.write_all(b"G").await.unwrap();
    scene.read().await.unwrap().unwrap();
    assert_eq!(scene.pass(29_000), None);
    scene.activity.begin_exchange(false);
    scene.activity.end_exchange();
    assert_eq!(scene.pass(75_000), None);
    assert_eq!(scene.pass(1_000), Some(Overdue::Idle));
}

#[tokio::test]
async fn a_stalled_body_is_overdue_unless_nobody_reads_it() {
    let mut scene = Scene::new(1024);
    scene.activity.begin_exchange(true);
    scene.client.write_all(b"some").await.unwrap();
    scene.read().await.unwrap().unwrap();
    // The upstream takes no more, so nobody reads: back-pressure is not the client's fault.
    assert_eq!(scene.pass(300_000), None);
    scene.client.write_all(b"more").await.unwrap();
    scene.read().await.unwrap().unwrap();
    assert!(scene.read().await.is_none());
    assert_eq!(scene.pass(60_000), None);
    assert_eq!(scene.pass(1_000), Some(Overdue::Body));
    assert_eq!(scene.read().await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_overdue() {
    let mut scene = Scene::new(4);
    scene.activity.begin_exchange(false);
    assert!(scene.write(b"full").await);
    assert!(!scene.write(b"more").await);
    assert_eq!(scene.pass(59_000), None);
    scene.client.read_exact(&mut [0; 2]).await.unwrap();
    assert!(scene.write(b"more").await);
    assert!(!scene.write(b"more").await);
    assert_eq!(scene.pass(60_000), None);
    assert_eq!(scene.pass(1_000), Some(Overdue::Body));
}

#[tokio::test]
async fn a_multiplexed_connection_is_idle_between_streams() {
    let mut scene = Scene::new(1024);
    scene.activity.ready(true);
    for _ in 0..74 {
        // Pings are no requests.
        scene.client.write_all(b"ping").await.unwrap();
        scene.read().await.unwrap().unwrap();
        assert_eq!(scene.pass(1_000), None);
    }
    scene.activity.begin_exchange(true);
    scene.activity.begin_exchange(true);
    scene.activity.end_exchange();
    assert!(scene.read().await.is_none());
    assert_eq!(scene.pass(500_000), None);
    assert!(!scene.activity.has_pending_body());
    scene.activity.end_exchange();
    assert_eq!(scene.pass(75_000), None);
    assert_eq!(scene.pass(1_000), Some(Overdue::Idle));
}

#[tokio::test]
async fn tunnels_are_left_alone() {
    let mut scene = Scene::new(1024);
    scene.activity.begin_exchange(true);
    scene.activity.tunnel();
    scene.activity.end_exchange();
    assert!(scene.read().await.is_none());
    assert_eq!(scene.pass(1_000_000), None);
}

#[tokio::test]
async fn the_task_is_woken_and_the_dead_are_forgotten() {
    let mut scene = Scene::new(1024);
    let closed = tokio::spawn(scene.activity.closed());
    tokio::task::yield_now().await;
    assert!(!closed.is_finished());
    scene.pass(31_000);
    assert_eq!(closed.await.unwrap(), Overdue::Idle);
    assert_eq!(scene.watch.len(), 1);
    let Scene { watch, start, passed, activity, server, .. } = scene;
    drop((activity, server));
    assert_eq!(watch.sweep(start + Duration::from_millis(passed)), 0);
    assert_eq!(watch.len(), 0);
}

/// A thousand clients that closed their side were a thousand polls in a row, four times a second.
#[test]
fn many_are_woken_a_few_between_two_looks() {
    const MANY: usize = 1_000;
    busy::run(async {
        let start = clock::now();
        let watch = Rc::new(Watch::new(start));
        let woken = Rc::new(Cell::new(0));
        for number in 0..MANY {
            let activity = watch.register(Bounds::new(&Limits::default()), false);
            if number % 2 == 0 {
                // Of the others the head never comes.
                activity.begin_exchange(false);
                activity.half_close();
            }
            let (counted, mut closed) = (woken.clone(), activity.closed());
            spawn_local(async move {
                poll_fn(|cx| {
                    let is_closed = Pin::new(&mut closed).poll(cx);
                    if is_closed.is_ready() || activity.is_attended_to() {
                        counted.set(counted.get() + 1);
                    }
                    is_closed
                })
                .await
            });
        }
        // Each says whom to wake.
        busy::looks(100, &woken).await;
        let waking = watch.clone();
        spawn_local(async move { waking.wake_found().await });
        assert_eq!(watch.sweep(start + Duration::from_secs(100)), MANY / 2);
        let most = busy::looks(MANY, &woken).await;
        assert_eq!(woken.get(), MANY);
        assert!(most <= 16, "{most} at once");
        // The next one finds those that only closed their side, though not before the last was woken.
        assert_eq!(watch.sweep(start + Duration::from_secs(101)), 0);
        assert_eq!(watch.sweep(start + Duration::from_secs(101)), 0);
        busy::looks(MANY, &woken).await;
        assert_eq!(woken.get(), MANY + MANY / 2);
    });
}

/// A place is wanted while a sweep's finds are still being woken: who was woken before the doubt looked
/// without it, and would be asked with the next sweep, when nobody waits for the place any more.
#[test]
fn who_is_doubted_while_others_are_woken_is_asked() {
    let watch = Watch::new(clock::now());
    let [one, other] = [(), ()].map(|()| {
        let activity = watch.register(Bounds::new(&Limits::default()), false);
        activity.begin_exchange(false);
        activity.half_close();
        activity
    });
    assert_eq!(watch.sweep(clock::now()), 0);
    watch.found.take().expect("one of them").attend_to();
    assert!(one.is_attended_to() != other.is_attended_to(), "one was woken, one waits");
    assert!(watch.doubt(), "nobody was asked before");
    watch.wake_all_found();
    assert!(one.is_attended_to() && one.take_doubt(), "woken before, and once more");
    assert!(other.is_attended_to() && other.take_doubt());
    assert!(!watch.doubt(), "both were asked just before");
}
