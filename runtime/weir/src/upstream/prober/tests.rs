//! Probes while sets of endpoints replace each other.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};

use super::*;
use crate::upstream::sample;

/// An endpoint that says nothing. Gives its port, and each connection with the path that is asked for.
fn silent() -> (u16, Receiver<(TcpStream, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, asked) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 512];
            let read = stream.read(&mut head).unwrap_or(0);
            let path = String::from_utf8_lossy(&head[..read]).split(' ').nth(1).map(str::to_owned);
            if tell.send((stream, path.unwrap_or_default())).is_err() {
                return;
            }
        }
    });
    (port, asked)
}

/// An upstream of one endpoint that is asked for `path`, all but at once; or is not asked.
fn set(port: u16, path: Option<&str>, before: Option<&EndpointSet>) -> Arc<EndpointSet> {
    let health = path.map(|path| config::Health {
        path: path.to_owned(),
        host: None,
        interval: Duration::from_millis(1),
        timeout: Duration::from_secs(600),
        healthy: 2,
        unhealthy: 3,
    });
    let cluster = sample::cluster(config::Upstream { health, ..sample::upstream() });
    sample::set(&cluster, &[port], before)
}

/// Whoever reloads often would never learn that an endpoint keeps silent.
#[test]
fn a_question_is_given_up_only_where_it_is_another_one() {
    let (port, asked) = silent();
    let (sets, told) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let local = LocalOptions::default();
        let runtime = Builder::new_current_thread().enable_all().build_local(local);
        let runtime = runtime.expect("a runtime");
        runtime.block_on(probe(told, Clock::System));
    });
    let next = || asked.recv_timeout(Duration::from_secs(30)).expect("it is asked");
    let first = set(port, Some("/a"), None);
    let tell = |set: &Arc<EndpointSet>| sets.send(vec![set.clone()]).expect("it probes");
    tell(&first);
    let (mut question, path) = next();
    assert_eq!(path, "/a");
    // Nothing that the question depends on is other: after a reload it is the same.
    for _ in 0..20 {
        tell(&set(port, Some("/a"), Some(&first)));
    }
    tell(&set(port, Some("/b"), Some(&first)));
    let (mut other, path) = next();
    assert_eq!(path, "/b", "no second question for the same");
    assert_eq!(question.read(&mut [0]).expect("its end"), 0, "the first one was given up");
    // Nobody asks for its health any more.
    first.endpoints[0].set_healthy(false);
    tell(&set(port, None, Some(&first)));
    assert_eq!(other.read(&mut [0]).expect("its end"), 0);
    // What ends with the last sender: everything that was to be done is done.
    drop(sets);
    assert!(asked.recv_timeout(Duration::from_millis(1)).is_err());
    let state = &first.endpoints[0];
    assert!(state.is_healthy() && state.check().is_none(), "without a check it is well");
}
