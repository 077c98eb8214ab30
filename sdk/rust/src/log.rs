//! Structured log lines; the proxy adds plugin, route and request id.
//!
//! Fields come first, then a semicolon, then a text as for [`format!`]. A field's value is
//! anything with `Display`. At most 64 KiB for message and fields, and 256 lines in one call of a hook;
//! the rest is cut or dropped. Control characters are escaped by the proxy. In a JSON log the fields are
//! members of the object `fields`. No secrets here.
//!
//! ```
//! use weir_sdk::log;
//! let (name, tries) = ("alice", 3);
//! log::info!(key = name, tries = tries; "refused after {tries} tries");
//! log::warn!("no fields");
//! ```

pub use crate::bindings::records::weir::plugin::log::Level;

#[doc(inline)]
pub use crate::{
    __log_debug as debug, __log_error as error, __log_info as info, __log_trace as trace,
    __log_warn as warn,
};

/// Writes a log line. The macros [`trace!`], [`debug!`], [`info!`], [`warn!`](crate::log::warn!)
/// and [`error!`] do it with formatting.
pub fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    crate::host::log::log(level, message, fields);
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $($key:ident = $value:expr),+; $($text:tt)+) => {
        $crate::log::log(
            $crate::log::Level::$level,
            &::std::format!($($text)+),
            &[$((::core::stringify!($key), ::std::string::ToString::to_string(&$value).as_str())),+],
        )
    };
    ($level:ident, $($text:tt)+) => {
        $crate::log::log($crate::log::Level::$level, &::std::format!($($text)+), &[])
    };
}

/// Logs what helps to follow one exchange. See [`log`](crate::log).
#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace {
    ($($text:tt)+) => { $crate::__log!(Trace, $($text)+) };
}

/// Logs what helps to find a fault. See [`log`](crate::log).
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($text:tt)+) => { $crate::__log!(Debug, $($text)+) };
}

/// Logs what an operator wants to know. See [`log`](crate::log).
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($text:tt)+) => { $crate::__log!(Info, $($text)+) };
}

/// Logs what an operator should look at. See [`log`](crate::log).
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($text:tt)+) => { $crate::__log!(Warn, $($text)+) };
}

/// Logs what failed. See [`log`](crate::log).
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($text:tt)+) => { $crate::__log!(Error, $($text)+) };
}
