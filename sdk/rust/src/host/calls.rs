//! Calls to the proxy in a sandbox: what is asked of a request or a response is a function of the contract.
//!
//! In and out: the types of the bindings. Never: keeps anything: there is one exchange at a time.

pub use crate::bindings::imports::wasi::cli::environment;
pub use crate::bindings::imports::wasi::random::random;
pub use crate::bindings::imports::weir::plugin::{limiter, outbound, store};
pub use crate::bindings::records::weir::plugin::{log, metrics};

use crate::bindings::imports::weir::plugin::types::{BodyError, HeaderError};
use crate::bindings::imports::weir::plugin::{
    attributes, client, request, request_body, request_changes, response, response_body,
    response_changes,
};

/// The request of the hook that runs.
pub struct Request;
/// Its response.
pub struct Response;

/// The wall clock.
pub fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// A method for each function, inlined, so that what a plugin does not call is not imported.
macro_rules! calls {
    ($type:ident: $($module:ident::$call:ident as $name:ident($($argument:ident: $of:ty),*) -> $gives:ty;)*) => {
        impl $type {
            $(#[inline]
            pub fn $name(&self, $($argument: $of),*) -> $gives {
                $module::$call($($argument),*)
            })*
        }
    };
}

calls! { Request:
    request::method as method() -> String;
    request::scheme as scheme() -> String;
    request::authority as authority() -> String;
    request::path_with_query as path_with_query() -> String;
    request::field as field(name: &str) -> Option<Vec<u8>>;
    request::field_line as field_line(name: &str) -> Option<Vec<u8>>;
    request::field_lines as field_lines(name: &str) -> Vec<Vec<u8>>;
    request::fields as fields() -> Vec<(String, Vec<u8>)>;
    request::route as route() -> String;
    request::attribute as attribute(key: &str) -> Option<String>;
    request_changes::set_method as set_method(method: &str) -> Result<(), HeaderError>;
    request_changes::set_authority as set_authority(authority: &str) -> Result<(), HeaderError>;
    request_changes::set_path_with_query as set_path_with_query(value: &str) -> Result<(), HeaderError>;
    request_changes::set_field as set_field(name: &str, value: &[u8]) -> Result<(), HeaderError>;
    request_changes::append_field as append_field(name: &str, value: &[u8]) -> Result<(), HeaderError>;
    request_changes::remove_field as remove_field(name: &str) -> Result<(), HeaderError>;
    request_changes::limit_body as limit_body(limit: u64) -> ();
    request_body::read as read_body(limit: u64) -> Result<Vec<u8>, BodyError>;
    request_body::set as set_body(body: &[u8]) -> ();
    client::address as client_address() -> String;
    client::port as client_port() -> u16;
    client::tls as client_tls() -> Option<client::TlsConnection>;
    attributes::set as set_attribute(key: &str, value: &str) -> ();
}

calls! { Response:
    response::status as status() -> u16;
    response::field as field(name: &str) -> Option<Vec<u8>>;
    response::field_line as field_line(name: &str) -> Option<Vec<u8>>;
    response::field_lines as field_lines(name: &str) -> Vec<Vec<u8>>;
    response::fields as fields() -> Vec<(String, Vec<u8>)>;
    response_changes::set_status as set_status(status: u16) -> Result<(), HeaderError>;
    response_changes::set_field as set_field(name: &str, value: &[u8]) -> Result<(), HeaderError>;
    response_changes::append_field as append_field(name: &str, value: &[u8]) -> Result<(), HeaderError>;
    response_changes::remove_field as remove_field(name: &str) -> Result<(), HeaderError>;
    response_body::read as read_body(limit: u64) -> Result<Vec<u8>, BodyError>;
    response_body::set as set_body(body: &[u8]) -> ();
}
