//! What a good token says, and when it is good.

use crate::refusal::Refusal;

/// What a good token says.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Seconds since the epoch, leeway included: not good from then on.
    pub until: f64,
    /// Seconds since the epoch, leeway included: good from then on.
    pub from: f64,
    /// `sub`.
    pub subject: Option<String>,
    /// Values for header fields, in the order of the configuration.
    pub mapped: Vec<Option<Vec<u8>>>,
}

impl Verified {
    pub fn check_time(&self, now: f64) -> Result<(), Refusal> {
        if now >= self.until {
            return Err(Refusal::Expired);
        }
        if now < self.from {
            return Err(Refusal::NotYet);
        }
        Ok(())
    }
}
