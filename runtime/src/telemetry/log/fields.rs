//! Named values of one event, whose names are known only when it happens.
//!
//! In: what a plugin logs beside its message. Out: `name=value` for people, an object in JSON. Never:
//! mixed with the names of the event itself, which a plugin must not be able to forge.

use std::fmt;

/// Of one event. `tracing` hands over one kind of value only whose type a formatter can ask for, an
/// error: that is why this says to be one. Record it as `&dyn Error`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.0.iter().enumerate() {
            let before = if at == 0 { "" } else { " " };
            write!(f, "{before}{name}={value}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fields {}
