//! What a request asks of its response's framing.
//!
//! In: a method, a version and a kind, as the client sent them, and what its listener says. Out: whether
//! there is a body, and whose rules frame it. Never: changes with what plugins make of the request.

use http::{Method, Version};

/// What of a request decides how its response is framed. Plugins may change the method later: that
/// is the endpoint's matter, not the client's.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The client sent HEAD.
    head: bool,
    /// The client's version.
    version: Version,
    /// A gRPC call, which has its client's time.
    pub grpc: bool,
    /// The listener's messages say that they went through us.
    pub via: bool,
}

impl Asked {
    pub fn new(method: &Method, version: Version) -> Asked {
        Asked { head: *method == Method::HEAD, version, grpc: false, via: true }
    }

    /// The response has no body, whatever its fields say (RFC 9110, 9.3.2).
    pub fn is_head(self) -> bool {
        self.head
    }

    /// The connection serves one exchange after the other.
    pub fn is_http1(self) -> bool {
        self.version < Version::HTTP_2
    }
}
