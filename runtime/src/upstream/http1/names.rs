//! The names of a connection's last response: the next one nearly always has the same ones, in the
//! same order and spelling.
//!
//! In: names as an endpoint spells them, one after the other. Out: the same as names. Never: keeps
//! what it was not told by the last head, more than [`MAX_NAMES`] of them, or the memory that they
//! were read into: an idle connection stays small.

use http::HeaderName;
use http::header::InvalidHeaderName;

/// Names that are remembered.
const MAX_NAMES: usize = 32;
/// Bytes of one that is.
const MAX_LENGTH: usize = 64;

/// What the last head had, in its order.
#[derive(Debug, Default)]
pub struct Names {
    /// As they were spelled, without anything between them.
    spelled: Vec<u8>,
    /// Where each of them ends there, and what it is.
    known: Vec<(usize, HeaderName)>,
}

impl Names {
    /// The name at this place of a head.
    ///
    /// # Errors
    /// Where it is none.
    #[inline]
    pub fn at(&mut self, place: usize, spelled: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
        let start = match place.checked_sub(1) {
            None => Some(0),
            Some(before) => self.known.get(before).map(|(end, _)| *end),
        };
        if let (Some(start), Some((end, name))) = (start, self.known.get(place))
            && self.spelled.get(start..*end) == Some(spelled)
        {
            return Ok(name.clone());
        }
        self.learn(place, start, spelled)
    }

    /// From here on it is another head.
    fn learn(
        &mut self,
        place: usize,
        start: Option<usize>,
        spelled: &[u8],
    ) -> Result<HeaderName, InvalidHeaderName> {
        let name = HeaderName::from_bytes(spelled)?;
        if let Some(start) = start {
            self.known.truncate(place);
            self.spelled.truncate(start);
            if place < MAX_NAMES && spelled.len() <= MAX_LENGTH {
                self.spelled.extend_from_slice(spelled);
                self.known.push((self.spelled.len(), name.clone()));
            }
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(names: &mut Names, head: &[&str]) {
        for (place, spelled) in head.iter().enumerate() {
            let name = names.at(place, spelled.as_bytes()).unwrap();
            assert_eq!(name.as_str(), spelled.to_ascii_lowercase(), "{head:?}");
        }
    }

    /// Whatever came before, a head has the names that it has.
    #[test]
    fn what_was_remembered_never_changes_what_is_read() {
        let long = "x".repeat(MAX_LENGTH + 1);
        let many: Vec<String> = (0..MAX_NAMES + 9).map(|n| format!("X-{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let heads: [&[&str]; 8] = [
            &["Server", "Date", "X-A", "Content-Length"],
            &["Server", "Date", "x-a", "Content-Length"],
            &["Server", "Dat", "eX-A", "Content-Length"],
            &["ServerDate", "X-A"],
            &[],
            &["Server", &long, "X-A"],
            &many,
            &["S", "e", "r", "v", "e", "r"],
        ];
        let mut random = fastrand::Rng::with_seed(1);
        let mut names = Names::default();
        for _ in 0..2_000 {
            read(&mut names, heads[random.usize(..heads.len())]);
            assert!(names.known.len() <= MAX_NAMES);
            assert!(names.spelled.len() <= MAX_NAMES * MAX_LENGTH);
        }
    }

    #[test]
    fn what_is_no_name_is_refused_and_not_remembered() {
        let mut names = Names::default();
        read(&mut names, &["Server", "Date"]);
        assert!(names.at(1, b"Da te").is_err());
        read(&mut names, &["Server", "Date"]);
    }
}
