//! Certificates exchanged by a reload.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use weir_tests::{Certificates, Origin, Proxy};

type Stream = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

fn connect(address: SocketAddr, config: Arc<rustls::ClientConfig>) -> std::io::Result<Stream> {
    let name = "localhost".try_into().expect("a name");
    let connection = rustls::ClientConnection::new(config, name).expect("a connection");
    let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(address)?);
    ask(&mut stream)?;
    Ok(stream)
}

/// One request; the answer has a body of two bytes.
fn ask(stream: &mut Stream) -> std::io::Result<()> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nhi") {
        let mut chunk = [0; 1024];
        match stream.read(&mut chunk)? {
            0 => return Err(std::io::Error::other("closed")),
            length => answer.extend_from_slice(&chunk[..length]),
        }
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    Ok(())
}

fn chain(stream: &Stream) -> Vec<u8> {
    let certificates = stream.conn.peer_certificates().expect("a certificate");
    certificates[0].to_vec()
}

#[test]
fn new_connections_get_the_new_certificate_and_old_ones_go_on() {
    let origin = Origin::saying("hi");
    let (first, second) =
        (Certificates::for_names(&["localhost"]), Certificates::for_names(&["localhost"]));
    let folder = tempfile::tempdir().expect("a folder");
    let install = |certificates: &Certificates, folder: &std::path::Path| {
        std::fs::copy(certificates.cert(), folder.join("cert.pem")).expect("copied");
        std::fs::copy(certificates.key(), folder.join("key.pem")).expect("copied");
    };
    install(&first, folder.path());
    let text = format!(
        r#"
        [listeners.secure]
        bind = "127.0.0.1:0"
        [listeners.secure.tls]
        certificates = [{{ cert = "cert.pem", key = "key.pem" }}]
        [routes.all]
        match = {{ path = "/*" }}
        upstream = "origin"
        [upstreams.origin]
        endpoints = ["{}"]
        "#,
        origin.url()
    );
    let proxy = Proxy::start_in(folder, &text).expect("it starts");
    let address = proxy.address("secure");
    let mut kept = connect(address, first.client_config(&[b"http/1.1"])).expect("a connection");
    install(&second, proxy.folder());
    proxy.reload(&text).expect("it reloads");
    ask(&mut kept).expect("the old connection goes on");
    let new = connect(address, second.client_config(&[b"http/1.1"])).expect("a connection");
    assert_ne!(chain(&kept), chain(&new));
    assert!(connect(address, first.client_config(&[b"http/1.1"])).is_err(), "the old one is gone");

    // A key that belongs to another certificate is refused, and the good pair goes on serving.
    std::fs::copy(first.key(), proxy.folder().join("key.pem")).expect("copied");
    let Err(error) = proxy.reload(&text) else { panic!("a key that does not fit is taken") };
    assert!(error.to_string().contains("weir.toml:5:"), "{error}");
    let again = connect(address, second.client_config(&[b"http/1.1"])).expect("a connection");
    assert_eq!(chain(&new), chain(&again));
}
