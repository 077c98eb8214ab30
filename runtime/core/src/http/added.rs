//! The fields that a proxy adds to many requests alike: who the client was, and `Via`.
//!
//! In: field lines, once for many requests. Out: the same as bytes for a head of HTTP/1.1, to whoever
//! asks for one by name, and in a map for whoever changes it or writes it otherwise. Never: changes
//! once it is made. Five or six insertions into a map, and as many lines encoded out of it, were a
//! twelfth of what a plain request costs in user space.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::field_line;

/// Field lines that many requests share.
#[derive(Debug)]
pub struct AddedFields {
    fields: Box<[(HeaderName, HeaderValue)]>,
    /// As they stand in a head of HTTP/1.1.
    lines: Box<[u8]>,
    /// Of names and values.
    bytes: usize,
}

impl AddedFields {
    pub fn new(fields: Vec<(HeaderName, HeaderValue)>) -> AddedFields {
        let bytes = fields.iter().map(|(name, value)| field_line::size((name, value))).sum();
        let mut lines = Vec::with_capacity(bytes + fields.len() * ": \r\n".len());
        for (name, value) in &fields {
            field_line::write(&mut lines, name, value);
        }
        AddedFields { fields: fields.into(), lines: lines.into(), bytes }
    }

    /// Each with its line's end.
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// Lines, and bytes of names and values.
    pub fn size(&self) -> (usize, usize) {
        (self.fields.len(), self.bytes)
    }

    /// Bytes that it takes in memory, about.
    pub fn bytes_held(&self) -> usize {
        size_of_val(&*self.fields) + self.bytes + self.lines.len()
    }

    /// The value of a field, by its name in any case.
    pub fn get(&self, name: &str) -> Option<&HeaderValue> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(known, _)| known.as_str().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.fields.iter().map(|(name, value)| (name, value))
    }

    /// Puts them behind what a head has.
    pub fn put(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.fields {
            headers.append(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::{FORWARDED, VIA};

    use super::*;

    #[test]
    fn lines_and_map_say_the_same() {
        let value = HeaderValue::from_static;
        let fields = vec![(FORWARDED, value("for=unknown")), (VIA, value("1.1 weir"))];
        let added = AddedFields::new(fields);
        let mut headers = HeaderMap::from_iter([(VIA, value("1.0 other"))]);
        added.put(&mut headers);
        assert_eq!(headers[FORWARDED], "for=unknown");
        assert!(headers.get_all(VIA).iter().eq(["1.0 other", "1.1 weir"]));
        assert_eq!(added.lines(), b"forwarded: for=unknown\r\nvia: 1.1 weir\r\n");
        assert_eq!(added.size(), (2, 31));
        assert_eq!(added.get("VIA"), Some(&value("1.1 weir")));
        assert_eq!(added.get("vi"), None);
    }
}
