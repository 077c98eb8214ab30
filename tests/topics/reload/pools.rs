//! Connections to endpoints over a reload: kept where nothing about them changed, else closed, even
//! while something of the old configuration lives on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use weir_tests::{Certificates, Origin, Proxy, RawClient, Setup, get, read_head, until};

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

/// The path is the same, and the configuration: what is in the file is what is trusted.
#[test]
fn a_replaced_authority_is_trusted_at_once_and_the_old_one_no_more() {
    let (old, new) =
        (Certificates::for_names(&["127.0.0.1"]), Certificates::for_names(&["127.0.0.1"]));
    let say = |_: &weir_tests::Seen| http::Response::new(http_body_util::Full::default());
    let (of_old, of_new) = (Origin::tls(&old, false, say), Origin::tls(&new, false, say));
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    std::fs::copy(old.ca(), &ca).expect("copied");
    let url = |origin: &Origin| origin.url().replace("http:", "https:");
    let toml = format!(
        "[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n\
         [routes.old]\nmatch = {{ path = \"/old\" }}\nupstream = \"old\"\n\
         [routes.new]\nmatch = {{ path = \"/new\" }}\nupstream = \"new\"\n\
         [upstreams.old]\nendpoints = [{:?}]\ntls = {{ ca = {ca:?} }}\n\
         [upstreams.new]\nendpoints = [{:?}]\ntls = {{ ca = {ca:?} }}\n",
        url(&of_old),
        url(&of_new),
    );
    let proxy = Proxy::start(&toml);
    let status = |path| get(proxy.address("web"), path).status;
    assert_eq!((status("/old"), status("/new")), (200, 502));
    proxy.reload_as_it_is().expect("it reloads");
    assert_eq!(status("/old"), 200);
    assert_eq!(of_old.connections(), 1, "nothing changed: the idle connection serves on");
    std::fs::copy(new.ca(), &ca).expect("copied");
    proxy.reload_as_it_is().expect("it reloads");
    assert_eq!((status("/old"), status("/new")), (502, 200));
}

/// Who asks endpoints for their health trusts what the traffic trusts, from the same moment on.
#[test]
fn a_replaced_authority_is_the_probers_too() {
    let certificates = || Certificates::for_names(&["127.0.0.1"]);
    let (old, new) = (certificates(), certificates());
    let say = |_: &weir_tests::Seen| http::Response::new(http_body_util::Full::default());
    let (of_old, of_new) = (Origin::tls(&old, false, say), Origin::tls(&new, false, say));
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    std::fs::copy(old.ca(), &ca).expect("copied");
    let upstream = |name: &str, origin: &Origin| {
        let url = origin.url().replace("http:", "https:");
        format!(
            "[upstreams.{name}]\nendpoints = [{url:?}]\ntls = {{ ca = {ca:?} }}\n\
             health = {{ path = \"/\", interval = \"50ms\", healthy = 1, unhealthy = 1 }}\n"
        )
    };
    let proxy = Proxy::start(&format!(
        "[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n\
         [routes.old]\nmatch = {{ path = \"/old\" }}\nupstream = \"old\"\n\
         [routes.new]\nmatch = {{ path = \"/new\" }}\nupstream = \"new\"\n{}{}",
        upstream("old", &of_old),
        upstream("new", &of_new),
    ));
    let healthy = || {
        [("old", &of_old), ("new", &of_new)].map(|(name, origin)| {
            let endpoint = origin.address();
            proxy.metric(&format!(
                "weir_upstream_healthy{{upstream=\"{name}\",endpoint=\"{endpoint}\"}}"
            )) == 1.0
        })
    };
    until("both are asked", || healthy() == [true, false] && !of_old.seen().is_empty());
    std::fs::copy(new.ca(), &ca).expect("copied");
    proxy.reload_as_it_is().expect("it reloads");
    until("the other one is trusted", || healthy() == [false, true]);
    assert!(!of_new.seen().is_empty());
}
