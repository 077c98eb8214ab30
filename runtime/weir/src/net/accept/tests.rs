use std::cell::Cell;
use std::rc::Rc;

use tokio::io::AsyncReadExt;
use weir_core::config::Bind;
use weir_core::telemetry::metrics::Metrics;

use super::*;
use crate::busy::{looks, run};
use crate::net::listen;

#[test]
fn only_the_system_is_waited_for() {
    for (code, of_one) in [(103, true), (104, true), (24, false), (23, false), (105, false)] {
        // ECONNABORTED, ECONNRESET; EMFILE, ENFILE, ENOBUFS
        assert_eq!(is_of_one_connection(&io::Error::from_raw_os_error(code)), of_one, "{code}");
    }
}

#[tokio::test]
async fn beyond_the_limit_connections_are_closed() {
    let listener = listen(&Bind::Tcp("127.0.0.1:0".parse().unwrap()), 1).unwrap().remove(0);
    let address = listener.local_addr().unwrap();
    let metrics = Metrics::new();
    let limit = ConnectionLimit::new(Some(1));
    let mut acceptor = Acceptor::new(listener, limit, metrics.listener("web")).unwrap();
    let connect = || tokio::net::TcpStream::connect(address);
    let first = connect().await.unwrap();
    let accepted = acceptor.accept(|_| false, || false).await;
    assert_eq!(accepted.peer, Some(first.local_addr().unwrap()));
    let mut refused = connect().await.unwrap();
    let next = tokio::spawn(async move { acceptor.accept(|_| false, || false).await });
    assert_eq!(refused.read(&mut [0]).await.unwrap(), 0);
    drop(accepted);
    let third = connect().await.unwrap();
    assert_eq!(next.await.unwrap().peer, Some(third.local_addr().unwrap()));
    let text = metrics.render();
    assert!(text.contains("weir_connections_accepted_total{listener=\"web\"} 2"), "{text}");
    assert!(text.contains("weir_connections_rejected_total{listener=\"web\"} 1"), "{text}");
}

/// Nobody was accepted while it was found out whether somebody else's client was still there.
#[tokio::test]
async fn who_waits_for_a_place_keeps_nobody_else_waiting() {
    let listener = listen(&Bind::Tcp("127.0.0.1:0".parse().unwrap()), 1).unwrap().remove(0);
    let address = listener.local_addr().unwrap();
    let limit = ConnectionLimit::new(Some(4));
    let own = ClientKey::of("127.0.0.1");
    let mut share: Vec<_> = (0..3).map(|_| limit.enter(own, || true).unwrap()).collect();
    let metrics = Metrics::new().listener("web");
    let mut acceptor = Acceptor::new(listener, limit, metrics).unwrap();
    let beyond = tokio::net::TcpStream::connect(address).await.unwrap();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let other = socket.connect(address).await.unwrap();
    let asked = Cell::new(0);
    let doubt = || {
        asked.set(asked.get() + 1);
        true
    };
    let accepted = acceptor.accept(|_| false, doubt).await;
    assert_eq!(accepted.peer, Some(other.local_addr().unwrap()));
    assert!(asked.get() <= HEARD_WITHIN.len(), "all its time was over before");
    // And gets it, once there is one.
    drop((share.pop(), accepted));
    let accepted = acceptor.accept(|_| false, || true).await;
    assert_eq!(accepted.peer, Some(beyond.local_addr().unwrap()));
}

/// Two hundred that came at once were eight milliseconds in which nobody else was served.
#[test]
fn a_few_are_accepted_between_two_looks() {
    const MANY: usize = 100;
    let most = run(async {
        let listener = listen(&Bind::Tcp("127.0.0.1:0".parse().unwrap()), 1).unwrap().remove(0);
        let address = listener.local_addr().unwrap();
        let metrics = Metrics::new().listener("web");
        let mut acceptor = Acceptor::new(listener, ConnectionLimit::new(None), metrics).unwrap();
        let clients: Vec<_> = (0..MANY).map(|_| std::net::TcpStream::connect(address)).collect();
        let accepted = Rc::<Cell<usize>>::default();
        let counted = accepted.clone();
        let accepting = tokio::task::spawn_local(async move {
            let mut all = Vec::new();
            while all.len() < MANY {
                all.push(acceptor.accept(|_| false, || false).await);
                counted.set(all.len());
            }
        });
        let most = looks(10 * MANY, &accepted).await;
        accepting.await.unwrap();
        assert!(clients.iter().all(Result::is_ok));
        most
    });
    // Whoever looks is polled before or after it.
    assert!(most <= 2 * AT_ONCE as usize, "{most}");
}
