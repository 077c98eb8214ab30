//! Connections to endpoints, before anything is said on them.
//!
//! In: an endpoint's name and port. Out: a connected stream, or an error by RFC 9209. Never: reaches
//! what the upstream must not, by whatever name, speaks TLS or HTTP, or bounds the time; the [`Connector`](super::connector::Connector) does.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use tokio::net::{TcpSocket, TcpStream};
use weir_core::config::{Endpoint, Reach};
use weir_core::error::{Error, Kind, Result, Side};
use weir_core::public::is_public;

use super::resolver;
use crate::net::{ENDPOINT_PATIENCE, Stream, ask_when_silent, end_after};

/// A stream that is on its way.
pub type Dialling<'a> = Pin<Box<dyn Future<Output = Result<Stream>> + 'a>>;

/// Makes connections to endpoints.
pub trait Dial: Send + Sync {
    /// A stream to an endpoint. Cancel safety: a dropped call leaves nothing.
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> Dialling<'a>;
}

/// By TCP, to the first address of the endpoint's name that answers and may be reached.
pub struct Tcp(pub Reach);

impl Dial for Tcp {
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> Dialling<'a> {
        Box::pin(dial(endpoint, self.0))
    }
}

async fn dial(endpoint: &Endpoint, reach: Reach) -> Result<Stream> {
    let Endpoint { host, port, .. } = endpoint;
    let mut addresses = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, *port)],
        Err(_) => resolver::lookup(host, *port).await.map_err(|error| {
            Error::new(Kind::DnsError, Side::Upstream, &**host).caused_by(error)
        })?,
    };
    if reach == Reach::Public {
        only_public(&mut addresses, endpoint)?;
    }
    let mut failed = None;
    for address in addresses {
        match connect(address).await {
            Ok(stream) => return Ok(stream.into()),
            Err(error) => failed = Some(error),
        }
    }
    let Some(error) = failed else {
        let detail = format!("{host} has no address");
        return Err(Error::new(Kind::DnsError, Side::Upstream, detail));
    };
    let kind = match error.kind() {
        std::io::ErrorKind::ConnectionRefused => Kind::ConnectionRefused,
        std::io::ErrorKind::TimedOut => Kind::ConnectionTimeout,
        _ => Kind::DestinationUnavailable,
    };
    Err(Error::new(kind, Side::Upstream, format!("{host}:{port}")).caused_by(error))
}

/// Leaves those that anybody may reach: a name's owner may point it at anything.
fn only_public(addresses: &mut Vec<SocketAddr>, endpoint: &Endpoint) -> Result<()> {
    let Some(private) = addresses.iter().find(|address| !is_public(address.ip())) else {
        return Ok(());
    };
    let (host, ip, origin) = (&endpoint.host, private.ip(), endpoint.origin());
    addresses.retain(|address| is_public(address.ip()));
    if !addresses.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "{host} stands for {ip}, which is not public; if that is meant, grant \
         {{ url = \"{origin}\", private = true }}"
    );
    Err(Error::new(Kind::DestinationIpProhibited, Side::Upstream, detail))
}

/// A connection that has its end, should the peer be gone, from its first moment.
async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Small writes must not wait for acknowledgements; a failure here only costs latency.
    let _ = socket.set_nodelay(true);
    ask_when_silent(&socket);
    end_after(&socket, ENDPOINT_PATIENCE);
    socket.connect(address).await
}
