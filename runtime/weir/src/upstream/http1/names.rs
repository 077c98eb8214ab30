//! The names of a connection's last response: the next one nearly always has the same ones, in the
//! same order and spelling.
//!
//! In: names as an endpoint spells them, one after the other. Out: the same as names, and what they
//! are. Never: keeps what it was not told by the last head, more than [`MAX_NAMES`] of them, or the
//! memory that they were read into: an idle connection stays small.

use http::HeaderName;
use http::header::InvalidHeaderName;
use weir_core::http::hop::Found;

/// Names that are remembered.
const MAX_NAMES: usize = 32;
/// Bytes of one that is.
const MAX_LENGTH: usize = 64;

/// What the last head had, in its order.
#[derive(Debug, Default)]
pub struct Names {
    /// As they were spelled, without anything between them.
    spelled: Vec<u8>,
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    /// Where it ends in what was spelled.
    end: usize,
    name: HeaderName,
    found: Found,
}

/// A head that is being read.
pub struct Reading<'a> {
    names: &'a mut Names,
    /// Of the next name among those that are known, and where it begins; `None`: it is another head
    /// than the last one, and more of it than is remembered.
    at: Option<(usize, usize)>,
}

impl Names {
    /// At the begin of a head.
    pub fn read(&mut self) -> Reading<'_> {
        Reading { names: self, at: Some((0, 0)) }
    }
}

impl Reading<'_> {
    /// The head's next name, and what it is.
    ///
    /// # Errors
    /// Where it is none.
    #[inline]
    pub fn next(&mut self, spelled: &[u8]) -> Result<(HeaderName, Found), InvalidHeaderName> {
        if let Some((place, start)) = self.at
            && let Some(known) = self.names.known.get(place)
            && self.names.spelled.get(start..known.end) == Some(spelled)
        {
            self.at = Some((place + 1, known.end));
            return Ok((known.name.clone(), known.found));
        }
        self.learn(spelled)
    }

    /// From here on it is another head.
    fn learn(&mut self, spelled: &[u8]) -> Result<(HeaderName, Found), InvalidHeaderName> {
        let name = HeaderName::from_bytes(spelled)?;
        let found = Found::of(&name);
        let Some((place, start)) = self.at.take() else { return Ok((name, found)) };
        let Names { spelled: text, known } = &mut *self.names;
        known.truncate(place);
        text.truncate(start);
        if place < MAX_NAMES && spelled.len() <= MAX_LENGTH {
            text.extend_from_slice(spelled);
            known.push(Known { end: text.len(), name: name.clone(), found });
            self.at = Some((place + 1, text.len()));
        }
        Ok((name, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(names: &mut Names, head: &[&str]) {
        let mut reading = names.read();
        for spelled in head {
            let (name, _) = reading.next(spelled.as_bytes()).unwrap();
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
        let mut reading = names.read();
        assert!(reading.next(b"Server").is_ok() && reading.next(b"Da te").is_err());
        read(&mut names, &["Server", "Date"]);
    }
}
