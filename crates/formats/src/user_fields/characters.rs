//! Classes of characters as Python 3.11 knows them.
//!
//! General categories come from a newer Unicode (18) than Python 3.11's (14): letters that were added since count as
//! letters here, as they do in newer Pythons.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// Characters with a digit value outside the category `Nd`: superscripts, subscripts, circled and full-stop digits, and
/// those of a few old scripts. Generated from `unicodedata` of Python 3.11.
const DIGITS_OUTSIDE_ND: [(char, char); 20] = [
    ('\u{b2}', '\u{b3}'),
    ('\u{b9}', '\u{b9}'),
    ('\u{1369}', '\u{1371}'),
    ('\u{19da}', '\u{19da}'),
    ('\u{2070}', '\u{2070}'),
    ('\u{2074}', '\u{2079}'),
    ('\u{2080}', '\u{2089}'),
    ('\u{2460}', '\u{2468}'),
    ('\u{2474}', '\u{247c}'),
    ('\u{2488}', '\u{2490}'),
    ('\u{24ea}', '\u{24ea}'),
    ('\u{24f5}', '\u{24fd}'),
    ('\u{24ff}', '\u{24ff}'),
    ('\u{2776}', '\u{277e}'),
    ('\u{2780}', '\u{2788}'),
    ('\u{278a}', '\u{2792}'),
    ('\u{10a40}', '\u{10a43}'),
    ('\u{10e60}', '\u{10e68}'),
    ('\u{11052}', '\u{1105a}'),
    ('\u{1f100}', '\u{1f10a}'),
];

/// Python's `\w`: letters and numbers of every script, and `_`. Marks do not count.
pub(crate) fn is_word(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || character == '_';
    }
    matches!(character.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number)
}

/// Python's `str.isdigit` of one character.
pub(crate) fn is_digit(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_digit();
    }
    character.general_category() == GeneralCategory::DecimalNumber
        || DIGITS_OUTSIDE_ND.iter().any(|(first, last)| (*first..=*last).contains(&character))
}

/// Python's `str.isspace` of one character, which is what `str.strip` removes: Unicode's white space and the four
/// information separators.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// Python's `str.strip()`.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_numbers_without_marks() {
        assert!(['a', '_', '0', 'é', 'ж', '中', '٣', '²', 'Ⅷ', '½', 'ª'].into_iter().all(is_word));
        assert!([' ', '-', '.', '\u{301}', 'ः', '€', '🔑', 'ⓐ', '\0', '\u{200d}'].into_iter().all(|c| !is_word(c)));
    }

    #[test]
    fn digits_have_a_digit_value() {
        assert!(['7', '٣', '²', '①', '⑴', '𝟘', '፩'].into_iter().all(is_digit));
        assert!(['½', 'Ⅷ', '一', '⑩', 'a', '_', '-'].into_iter().all(|c| !is_digit(c)));
    }

    #[test]
    fn space_is_what_python_strips() {
        let spaces: String =
            (0..=0x10_ffff).filter_map(char::from_u32).filter(|character| is_space(*character)).collect();
        let expected = "\t\n\u{b}\u{c}\r\u{1c}\u{1d}\u{1e}\u{1f} \u{85}\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\
                        \u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}";
        assert_eq!(spaces, expected);
        assert_eq!(strip(&format!("{spaces}a b{spaces}")), "a b");
        assert_eq!(strip("\u{200b}a"), "\u{200b}a");
    }
}
