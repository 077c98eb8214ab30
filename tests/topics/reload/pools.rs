//! Connections to endpoints over a reload: kept where nothing about them changed, else closed, even
//! while something of the old configuration lives on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use weir_tests::{Origin, Proxy, RawClient, Setup, get, read_head, until};

/// An endpoint that answers requests and switches protocols, and says how many connections it has.
fn counting() -> (Origin, Arc<AtomicUsize>) {
    let open = Arc::new(AtomicUsize::new(0));
    let counted = open.clone();
    let origin = Origin::raw(move |mut stream| {
        let open = counted.clone();
        async move {
            open.fetch_add(1, Ordering::SeqCst);
            loop {
                let head = read_head(&mut stream).await;
                if head.is_empty() {
                    break;
                }
                let upgrade = String::from_utf8_lossy(&head).contains("upgrade: x");
                let answer: &[u8] = match upgrade {
                    true => b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
                    false => b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                };
                if stream.write_all(answer).await.is_err() {
                    break;
                }
            }
            open.fetch_sub(1, Ordering::SeqCst);
        }
    });
    (origin, open)
}

#[test]
fn a_pool_that_changed_closes_its_idle_connections_though_a_tunnel_lives_on() {
    let (origin, open) = counting();
    let setup = |max_idle: usize| {
        let upstream = format!("pool = {{ max_idle = {max_idle} }}");
        Setup::to(&origin).server("workers = 1").upstream(&upstream).toml()
    };
    let proxy = Proxy::start(&setup(8));
    let mut tunnel = RawClient::connect(proxy.address("web"));
    tunnel.send(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    assert_eq!(tunnel.answer().status, 101);
    assert_eq!(get(proxy.address("web"), "/").status, 200);
    until("two are open", || open.load(Ordering::SeqCst) == 2);
    proxy.reload(&setup(8)).expect("it reloads");
    assert_eq!(get(proxy.address("web"), "/").status, 200);
    assert_eq!(open.load(Ordering::SeqCst), 2, "nothing changed: the idle one serves on");
    proxy.reload(&setup(9)).expect("it reloads");
    until("the idle one is closed", || open.load(Ordering::SeqCst) == 1);
    assert_eq!(get(proxy.address("web"), "/").status, 200);
    until("two are open", || open.load(Ordering::SeqCst) == 2);
}
