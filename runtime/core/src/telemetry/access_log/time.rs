//! Points in time as log lines have them, in UTC.
//!
//! In: a [`SystemTime`]. Out: `2026-03-01T12:00:00.250Z` or `01/Mar/2026:12:00:00 +0000`. Never:
//! computes a calendar date twice within a second; times before 1970 are written as 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The second written last, and how it is written.
#[derive(Debug, Default)]
pub struct Stamp {
    second: Option<u64>,
    text: String,
}

impl Stamp {
    /// RFC 3339 with milliseconds.
    pub fn rfc3339(&mut self, out: &mut Vec<u8>, time: SystemTime) {
        let since = since_epoch(time);
        self.renew(since.as_secs(), |civil| {
            let Civil { year, month, day, hour, minute, second } = civil;
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.")
        });
        out.extend_from_slice(self.text.as_bytes());
        three_digits(out, since.subsec_millis());
        out.push(b'Z');
    }

    /// As Apache's `%t`, without the brackets.
    pub fn common(&mut self, out: &mut Vec<u8>, time: SystemTime) {
        self.renew(since_epoch(time).as_secs(), |civil| {
            let Civil { year, month, day, hour, minute, second } = civil;
            let month = MONTHS.get(month as usize - 1).unwrap_or(&"Jan");
            format!("{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000")
        });
        out.extend_from_slice(self.text.as_bytes());
    }

    fn renew(&mut self, second: u64, write: impl FnOnce(Civil) -> String) {
        if self.second != Some(second) {
            self.second = Some(second);
            self.text = write(Civil::at(second));
        }
    }
}

/// A point of the Gregorian calendar.
struct Civil {
    year: u64,
    /// 1 to 12.
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Civil {
    /// From seconds since 1970. Years are counted from March, so that a leap day is the last one,
    /// in eras of 400 years (146,097 days).
    fn at(unix: u64) -> Civil {
        let (days, rest) = (unix / 86_400, unix % 86_400);
        let days = days + 719_468; // from 0000-03-01 to 1970-01-01
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Civil {
            year: era * 400 + year + u64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }
}

/// Milliseconds with three decimals.
pub fn millis(out: &mut Vec<u8>, duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    out.extend_from_slice(itoa::Buffer::new().format(micros / 1_000).as_bytes());
    out.push(b'.');
    three_digits(out, (micros % 1_000) as u32);
}

fn three_digits(out: &mut Vec<u8>, number: u32) {
    let digit = |at: u32| b'0' + (number / at % 10) as u8;
    out.extend_from_slice(&[digit(100), digit(10), digit(1)]);
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}
