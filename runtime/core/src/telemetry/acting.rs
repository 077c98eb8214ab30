//! Characters that act on whoever reads a line, instead of being read.
//!
//! In: text of strangers: of peers, of guests, of who wrote a component. Out: whether a character may
//! stand in a line as it is, or the text with such ones escaped. Never: about quoting, which is a
//! matter of each form.

use std::fmt::{self, Write as _};

/// Text that is shown with escapes in place of what acts.
pub struct Shown<'a>(pub &'a str);

/// Controls, which terminals obey; what ends a line or a paragraph for some that read it; and what
/// turns the direction of the text behind it, so that it reads as another one.
pub fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(character, '\u{2066}'..='\u{2069}')
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match acts(character) {
            // A control character has an escape of its own, as `\n`; the others have a number.
            true if character.is_control() => write!(f, "{}", character.escape_default()),
            true => write!(f, "{}", character.escape_unicode()),
            false => f.write_char(character),
        })
    }
}

/// Appends `text` with what acts in it escaped, at most `most` bytes.
pub fn escape(to: &mut String, text: &str, most: usize) {
    let most = to.len().saturating_add(most);
    for character in text.chars() {
        let before = to.len();
        // Writing to a String cannot fail.
        let _ = write!(to, "{}", Shown(character.encode_utf8(&mut [0; 4])));
        if to.len() > most {
            to.truncate(before);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Shown;

    #[test]
    fn what_acts_is_escaped_and_what_is_read_is_not() {
        let text = "a\u{1b}[2Jb\nc\u{85}d\u{202e}e\u{2028}f \u{fc}\u{4e2d}\u{1f600}";
        let shown = "a\\u{1b}[2Jb\\nc\\u{85}d\\u{202e}e\\u{2028}f \u{fc}\u{4e2d}\u{1f600}";
        assert_eq!(Shown(text).to_string(), shown);
    }
}
