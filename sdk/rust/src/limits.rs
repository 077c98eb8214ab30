//! What the operator lets this plugin use: its `limits`. Needs no grant, and may be asked in
//! `configure`, for a configuration that could never be served.

use std::time::Duration;

/// The variables of the environment that say it: bytes, and milliseconds.
pub(crate) const MEMORY: &str = "WEIR_LIMITS_MEMORY";
pub(crate) const DEADLINE: &str = "WEIR_LIMITS_DEADLINE";

/// CPU time that a hook call may take: `limits.deadline`, to the millisecond. `None` where the proxy
/// does not say.
pub fn deadline() -> Option<Duration> {
    said(DEADLINE).map(Duration::from_millis)
}

/// Linear memory that an instance may have, in bytes: `limits.memory`. `None` where the proxy does not
/// say.
pub fn memory() -> Option<u64> {
    said(MEMORY)
}

fn said(name: &str) -> Option<u64> {
    let all = crate::host::environment::get_environment();
    all.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.parse().ok())
}
