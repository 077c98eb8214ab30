//! The daemon under siege: this program once more, as a child, with a route for each kind of harm.
//!
//! In: nothing. Out: its addresses, its memory. Never: shares a thread with those who ask.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tokio::io::AsyncWriteExt as _;
use weir_tests::{Origin, free_address, guest, read_head, resident_bytes, until_within};

use crate::machine::{elsewhere, precedes};

/// `open sesame`, by bcrypt with cost 12.
const HASH: &str = "$2b$12$4/eyuUiQh9rnZwSXxQtMNO7NuhQOi9vt5KjafvRpXBVr5nY6NmgF6";
/// A thousand chunks of a byte come so often from each endpoint of such.
const PACE: Duration = Duration::from_millis(5);
/// The large answer: pieces of so many bytes, and how many of them. An endpoint that sends all of it at
/// once holds a processor for 12 ms (no kernel takes one away from a copy on a machine that serves), and
/// it is on a machine of its own in truth.
const PIECE: usize = 64 << 10;
const PIECES: usize = 64;

/// The longest that a first start may take: every plugin is compiled.
const START: Duration = Duration::from_secs(120);

/// The child; killed when dropped.
pub struct Daemon {
    child: Child,
    folder: tempfile::TempDir,
    web: SocketAddr,
    admin: SocketAddr,
    #[expect(dead_code, reason = "they serve until they are dropped")]
    endpoints: (Origin, Odd),
    /// The first configuration.
    text: String,
}

/// Endpoints that are part of the harm.
struct Odd {
    /// Sends as fast as it can.
    large: Origin,
    /// Sends a byte at a time, and has no end.
    tiny: Origin,
    /// Takes its time.
    slow: Origin,
}

impl Daemon {
    pub fn start(workers: usize) -> Daemon {
        let origin = std::thread::spawn(|| {
            precedes();
            Origin::answering(|_| Response::new(Full::new(Bytes::from("fine")))).forgetting()
        });
        let origin = origin.join().expect("an endpoint starts");
        let folder = tempfile::tempdir().expect("a folder");
        let (web, admin) = (free_address(), free_address());
        let file = folder.path().join("weir.toml");
        let odd = elsewhere(Odd::start).join().expect("endpoints start");
        let text = config(web, admin, &origin, &odd, workers);
        std::fs::write(&file, &text).expect("the configuration");
        let child = Command::new(std::env::current_exe().expect("this program"))
            .arg("run")
            .arg("-c")
            .arg(&file)
            .env("XDG_CACHE_HOME", folder.path().join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).expect("a log"))
            .spawn()
            .expect("the daemon starts");
        until_within(START, "the daemon does not serve", || TcpStream::connect(web).is_ok());
        Daemon { child, folder, web, admin, endpoints: (origin, odd), text }
    }

    pub fn web(&self) -> SocketAddr {
        self.web
    }

    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Bytes in memory.
    pub fn resident(&self) -> usize {
        resident_bytes(self.child.id())
    }

    /// What makes the next configuration of the file, by a rename.
    pub fn renewal(&self) -> Renewal {
        Renewal { folder: self.folder.path().to_owned(), text: self.text.clone(), version: 1 }
    }
}

/// Writes one configuration after the other.
pub struct Renewal {
    folder: PathBuf,
    text: String,
    version: usize,
}

impl Renewal {
    pub fn write(&mut self) {
        self.version += 1;
        let text = self.text.replace("version-1", &format!("version-{}", self.version));
        let new = self.folder.join("new");
        let _ = std::fs::write(&new, text);
        let _ = std::fs::rename(new, self.folder.join("weir.toml"));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Odd {
    fn start() -> Odd {
        let large = Origin::raw(|mut stream| async move {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", PIECE * PIECES);
            let piece = vec![b'a'; PIECE];
            while !read_head(&mut stream).await.is_empty() {
                let mut sent = stream.write_all(head.as_bytes()).await;
                for _ in 0..PIECES {
                    if sent.is_err() {
                        return;
                    }
                    sent = stream.write_all(&piece).await;
                }
            }
        });
        let tiny = Origin::raw(|mut stream| async move {
            read_head(&mut stream).await;
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let many = b"1\r\nx\r\n".repeat(1000);
            let mut sent = stream.write_all(head).await;
            while sent.is_ok() {
                // As fast as it can, it would have what the proxy leaves of this machine's processors.
                tokio::time::sleep(PACE).await;
                sent = stream.write_all(&many).await;
            }
        });
        let slow = Origin::raw(|mut stream| async move {
            read_head(&mut stream).await;
            tokio::time::sleep(Duration::from_secs(20)).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        });
        Odd { large, tiny, slow }
    }
}

fn config(
    web: SocketAddr,
    admin: SocketAddr,
    origin: &Origin,
    odd: &Odd,
    workers: usize,
) -> String {
    let routes: String = [
        ("good", r#""ids", "mark""#),
        ("faulty", r#""faulty""#),
        ("reading", r#""reading""#),
        ("staff", r#""staff""#),
        ("rewrite", r#""rewrite""#),
        ("limited", r#""limited""#),
        ("large", ""),
        ("tiny", ""),
        ("slow", ""),
    ]
    .iter()
    .map(|(name, plugins)| {
        format!(
            "[routes.{name}]\nmatch = {{ path = {{ prefix = \"/{name}\" }} }}\nplugins = [{plugins}]\nupstream = \"{}\"\n",
            if ["large", "tiny", "slow"].contains(name) { name } else { "origin" }
        )
    })
    .collect();
    format!(
        r#"
[server]
workers = {workers}
admin = "{admin}"
[listeners.web]
bind = "{web}"
body_timeout = "10s"
header_timeout = "10s"
[plugins.ids]
component = "request-id"
[plugins.mark]
component = "headers"
config = {{ response = {{ set = {{ x-mark = "version-1" }} }} }}
[plugins.faulty]
component = "{faulty}"
limits = {{ memory = "4MiB" }}
[plugins.reading]
component = "{reading}"
limits = {{ memory = "4MiB" }}
[plugins.staff]
component = "basic-auth"
[plugins.staff.config]
users = {{ alice = '{HASH}' }}
[plugins.rewrite]
component = "rewrite"
config = {{ regex = {{ pattern = '(a|b|ab)*c', replace = "/y" }} }}
[plugins.limited]
component = "rate-limit"
config = {{ rate = 10, key = "request.header.x-key" }}
{routes}
[upstreams.origin]
endpoints = ["{origin}"]
[upstreams.large]
endpoints = ["{large}"]
pool = {{ max_connections = 64 }}
[upstreams.tiny]
endpoints = ["{tiny}"]
[upstreams.slow]
endpoints = ["{slow}"]
"#,
        faulty = guest("faulty").display(),
        reading = guest("faulty-reading").display(),
        origin = origin.url(),
        large = odd.large.url(),
        tiny = odd.tiny.url(),
        slow = odd.slow.url(),
    )
}
