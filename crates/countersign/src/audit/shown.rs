//! Texts that a client wrote, as they may stand in a log or on a terminal.

use std::borrow::Cow;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// The first `length` characters of a text, with `…` where more were cut off. Whatever could break a line, steer a terminal or turn the
/// order of letters (control and formatting characters, line separators, unassigned and private ones) is written as `\u{…}`, a
/// backslash as `\\`: SECURITY S2, CVE-2025-48432.
#[must_use]
pub fn shown(text: &str, length: usize) -> Cow<'_, str> {
    let end = text.char_indices().nth(length).map_or(text.len(), |(end, _)| end);
    let kept = &text[..end];
    if end == text.len() && !kept.chars().any(must_be_escaped) {
        return Cow::Borrowed(kept);
    }
    let mut escaped = String::with_capacity(kept.len() + 16);
    for character in kept.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            _ if must_be_escaped(character) => escaped.extend(character.escape_unicode()),
            _ => escaped.push(character),
        }
    }
    if end < text.len() {
        escaped.push('…');
    }
    Cow::Owned(escaped)
}

/// Whether there is something in a text that could steer whoever reads it.
#[must_use]
pub fn steers(text: &str) -> bool {
    text.chars().any(is_steering)
}

fn must_be_escaped(character: char) -> bool {
    character == '\\' || is_steering(character)
}

fn is_steering(character: char) -> bool {
    use GeneralCategory as Category;

    match character {
        ' '..='~' => false,
        _ => matches!(
            character.general_category(),
            Category::Control
                | Category::Format
                | Category::LineSeparator
                | Category::ParagraphSeparator
                | Category::Surrogate
                | Category::PrivateUse
                | Category::Unassigned
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn s2_what_steers_is_escaped() {
        for (text, expected) in [
            ("ann", "ann"),
            ("Åsa Öberg 日本", "Åsa Öberg 日本"),
            ("a\r\nINFO forged", "a\\r\\nINFO forged"),
            ("\u{1b}[2J\u{7}", "\\u{1b}[2J\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("nna\u{202e}", "nna\\u{202e}"),
            ("a\u{2066}b\u{2069}\u{200f}\u{61c}", "a\\u{2066}b\\u{2069}\\u{200f}\\u{61c}"),
            ("a\u{2028}b\u{2029}\u{85}", "a\\u{2028}b\\u{2029}\\u{85}"),
            ("a\u{200b}\u{feff}\u{e0041}", "a\\u{200b}\\u{feff}\\u{e0041}"),
            ("\0\u{7f}", "\\u{0}\\u{7f}"),
            ("a\\nb", "a\\\\nb"),
        ] {
            assert_eq!(shown(text, 100), expected);
        }
    }

    #[test]
    fn what_is_long_is_cut() {
        assert_eq!(shown("abcdef", 6), "abcdef");
        assert_eq!(shown("abcdefg", 6), "abcdef…");
        assert_eq!(shown("äöü", 2), "äö…");
        assert_eq!(shown("\n\n\n", 2), "\\n\\n…");
    }

    proptest! {
        #[test]
        fn s2_nothing_steers_and_two_names_stay_two(one in ".{0,20}", two in ".{0,20}") {
            let (first, second) = (shown(&one, 50), shown(&two, 50));
            prop_assert!(!steers(&first));
            prop_assert_eq!(one == two, first == second);
        }

        #[test]
        fn the_length_is_bounded(text in proptest::collection::vec(any::<char>(), 0..300)) {
            let text: String = text.into_iter().collect();
            prop_assert!(shown(&text, 20).chars().count() <= 20 * 10 + 1);
        }
    }
}
