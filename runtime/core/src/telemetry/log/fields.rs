//! Named values of one event, whose names are known only when it happens.
//!
//! In: what a plugin logs beside its message. Out: `{name="value"}` for people, an object in JSON.
//! Never: mixed with the names of the event itself, which a plugin must not be able to forge.

use std::fmt::{self, Write as _};

/// Of one event. `tracing` hands over one kind of value only whose type a formatter can ask for, an
/// error: that is why this says to be one. Record it as `&dyn Error`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, (name, value)) in self.0.iter().enumerate() {
            let before = if at == 0 { "" } else { " " };
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            match !name.is_empty() && name.bytes().all(plain) {
                true => write!(f, "{before}{name}=")?,
                false => write!(f, "{before}{}=", Quoted(name))?,
            }
            write!(f, "{}", Quoted(value))?;
        }
        f.write_str("}")
    }
}

/// A text whose end can be told.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(character)?;
        }
        f.write_char('"')
    }
}

impl std::error::Error for Fields {}

#[cfg(test)]
mod tests {
    use super::Fields;

    #[test]
    fn no_value_looks_like_other_fields() {
        let pairs = [("a", "b"), ("user", "x\" plugin=\"other"), ("x} plugin", "c\\"), ("", "")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            Fields(pairs.to_vec()).to_string(),
            r#"{a="b" user="x\" plugin=\"other" "x} plugin"="c\\" ""=""}"#
        );
    }
}
