//! Where a credential may be in a request.
//!
//! In: the operator's choice of field, parameter or cookie. Out: the one credential that was sent in
//! any of them, or the request without it. Never: chooses between two: whoever verifies one of them
//! cannot know that the upstream believes the same one. Nor takes for nothing what some endpoint would
//! [read](doubtful) as the credential.

mod doubtful;
#[cfg(test)]
mod tests;

use crate::request::{cookie_pairs, cookies};
use crate::{FieldValue, HeaderError, Request, Target};

/// A place in a request where a credential may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A header field.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
}

/// What was sent in all the places together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent<'p> {
    /// No credential anywhere.
    Nothing,
    /// This one, here.
    One(&'p Place, FieldValue),
    /// More than one, be they equal or not (RFC 6750, 2); or something that some endpoints read as one
    /// and others do not, such as a cookie behind a comma or a parameter in another case.
    Several,
}

// === impl Place ===

impl Place {
    /// The places that are named, in the order in which they are to be looked at. An empty name is
    /// none.
    pub fn all(header: String, query: Option<String>, cookie: Option<String>) -> Vec<Self> {
        let named = |name: &String| !name.is_empty();
        [
            Some(header).filter(named).map(Self::Header),
            query.filter(named).map(Self::Query),
            cookie.filter(named).map(Self::Cookie),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The credential of a request that may carry it in any of these places. `counts` says whether
    /// what was found is a credential of this kind at all, however bad. Where it gives [`Sent::One`], no
    /// endpoint can read another one in a parameter or cookie of these places.
    ///
    /// One host call for each place: a later one is looked at although an earlier one has it.
    pub fn sent<'p>(
        places: &'p [Self],
        request: &Request,
        counts: impl Fn(&Self, &[u8]) -> bool,
    ) -> Sent<'p> {
        let mut sent = Sent::Nothing;
        for place in places {
            let (found, is_doubtful) = place.look(request);
            // Several lines of a field are refused whatever is in them: who joins them reads another
            // value than who takes the first.
            if found.len() > 1 || is_doubtful {
                return Sent::Several;
            }
            for value in found.into_iter().filter(|value| counts(place, value)) {
                if sent != Sent::Nothing {
                    return Sent::Several;
                }
                sent = Sent::One(place, value);
            }
        }
        sent
    }

    /// Takes out of what is forwarded whatever stands in the other places: nobody verified it.
    pub fn strip_others(&self, places: &[Self], request: &mut Request) -> Result<(), HeaderError> {
        places.iter().filter(|place| *place != self).try_for_each(|place| place.strip(request))
    }

    /// Everything that was sent here, in order; in a query also what stands behind a `;`, which some
    /// upstreams take for a separator.
    pub fn read(&self, request: &Request) -> Vec<FieldValue> {
        self.look(request).0
    }

    /// The same, and whether some endpoint reads more than that.
    fn look(&self, request: &Request) -> (Vec<FieldValue>, bool) {
        match self {
            Self::Header(name) => (request.header_values(name), false),
            Self::Query(name) => {
                let target = request.target();
                let values = target.values_however_separated(name).into_iter();
                let values = values.map(|value| value.into_owned().into()).collect();
                (values, target.pairs().any(|pair| doubtful::has_parameter(pair, name)))
            }
            Self::Cookie(name) => {
                let lines = request.cookie_lines();
                let plain = cookies(&lines).filter(|(key, _)| *key == name.as_bytes());
                let values = plain.map(|(_, value)| value.into()).collect();
                (values, cookie_pairs(&lines).any(|pair| doubtful::has_cookie(pair, name)))
            }
        }
    }

    /// Takes it all out of what is forwarded, also what only some endpoint would read here; of such
    /// the whole that stands between two `;`, in a query between two `&`.
    pub fn strip(&self, request: &mut Request) -> Result<(), HeaderError> {
        match self {
            Self::Header(name) => request.remove_header(name),
            Self::Query(name) => {
                let target = request.target();
                let plain = target.without(name).map(Target::new);
                let is_other = |pair: &str| !doubtful::has_parameter(pair, name);
                match plain
                    .as_ref()
                    .unwrap_or(&target)
                    .with_pairs(is_other)
                    .or(plain.map(Target::into_string))
                {
                    Some(rest) => request.set_path_with_query(&rest),
                    None => Ok(()),
                }
            }
            Self::Cookie(name) => request.keep_cookies(|key, pair| {
                key != name.as_bytes() && !doubtful::has_cookie(pair, name)
            }),
        }
    }
}
