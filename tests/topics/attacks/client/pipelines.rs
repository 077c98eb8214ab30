//! Requests of one connection behind each other, which are answered at once: others come between.
//!
//! Counted in requests that go on for others, not in time: machines differ.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use weir_tests::{Proxy, RawClient, until};

const REQUEST: &[u8] = b"GET /page HTTP/1.1\r\nhost: a\r\n\r\n";
const REQUESTS: usize = 30_000;

/// Its codec has a connection polled again at once after sixteen requests, so that a thousand of them were
/// answered before anybody looked whether others had asked for something.
#[test]
fn a_pipeline_takes_turns_with_other_connections() {
    let proxy = Proxy::start(
        "[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n\
         [plugins.page]\ncomponent = \"mock\"\nconfig = { body = \"x\" }\n\
         [routes.page]\nmatch = { path = \"/page\" }\nplugins = [\"page\"]\n",
    );
    // Answered by a plugin, and by the proxy itself.
    for path in ["/page", "/none"] {
        let request = String::from_utf8_lossy(REQUEST).replace("/page", path);
        let answered = &AtomicUsize::new(0);
        let asked = std::thread::scope(|scope| {
            let mut writes = TcpStream::connect(proxy.address("web")).expect("a connection");
            let mut reads = writes.try_clone().expect("the same");
            scope.spawn(move || {
                writes.write_all(request.repeat(REQUESTS).as_bytes()).expect("sent");
                writes.shutdown(Shutdown::Write).expect("closed");
            });
            let reading = scope.spawn(move || {
                let mut chunk = vec![0; 256 << 10];
                while let Ok(length @ 1..) = reads.read(&mut chunk) {
                    let heads = chunk[..length].windows(5).filter(|it| *it == b"date:").count();
                    answered.fetch_add(heads, Relaxed);
                }
            });
            let mut other = RawClient::connect(proxy.address("web"));
            until("the pipeline flows", || answered.load(Relaxed) > 1000);
            let mut asked = 0;
            while !reading.is_finished() {
                other.send(REQUEST);
                assert_eq!(other.answer().status, 200);
                asked += 1;
            }
            asked
        });
        // But for those that came in two parts.
        assert!(answered.load(Relaxed) > REQUESTS / 2, "{path}: {answered:?} answers");
        println!("{path}: {asked} answers to somebody else meanwhile");
        // Thirty or so otherwise.
        assert!(asked > 100, "{path}: {asked} answers to somebody else meanwhile");
    }
}
