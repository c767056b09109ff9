//! Names of uploaded files, as far as they decide whether a part is a file at all: Django 5.2
//! `MultiPartParser.sanitize_file_name`.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The name without folders and without characters that do not print; `None` when no name is left, and the part is dropped.
///
/// **Differs:** of the named HTML character references only those of separators and blanks are resolved.
pub(crate) fn sanitize(name: &str) -> Option<String> {
    let name = resolve_references(name);
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|&character| is_printable(character)).collect();
    (!matches!(name.as_str(), "" | "." | "..")).then_some(name)
}

/// Python's `str.isprintable()` for one character.
fn is_printable(character: char) -> bool {
    use GeneralCategory as Category;
    character == ' '
        || !matches!(
            character.general_category(),
            Category::Control
                | Category::Format
                | Category::Surrogate
                | Category::PrivateUse
                | Category::Unassigned
                | Category::LineSeparator
                | Category::ParagraphSeparator
                | Category::SpaceSeparator
        )
}

/// Python's `html.unescape`, numbers and a few names.
fn resolve_references(text: &str) -> String {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        resolved.push_str(before);
        if let Some((reference, length)) = reference(after) {
            resolved.extend(reference);
            rest = &after[length..];
        } else {
            resolved.push('&');
            rest = after;
        }
    }
    resolved.push_str(rest);
    resolved
}

/// The character of the reference at the start of `text` (`None` inside for one without character), and its length.
fn reference(text: &str) -> Option<(Option<char>, usize)> {
    const NAMES: [(&str, char); 6] =
        [("period;", '.'), ("sol;", '/'), ("bsol;", '\\'), ("Tab;", '\t'), ("NewLine;", '\n'), ("nbsp", '\u{a0}')];
    let Some(number) = text.strip_prefix('#') else {
        let (name, character) = NAMES.iter().find(|(name, _)| text.starts_with(name))?;
        let semicolon = usize::from(!name.ends_with(';') && text[name.len()..].starts_with(';'));
        return Some((Some(*character), name.len() + semicolon));
    };
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(hex) => (hex, 16),
        None => (number, 10),
    };
    let count = digits.bytes().take_while(|&byte| char::from(byte).is_digit(radix)).count();
    if count == 0 {
        return None;
    }
    let code = digits[..count].chars().filter_map(|digit| digit.to_digit(radix));
    let code = code.fold(0_u32, |code, digit| code.saturating_mul(radix).saturating_add(digit));
    let length = text.len() - digits.len() + count + usize::from(digits[count..].starts_with(';'));
    Some((character_of(code), length))
}

/// The HTML rule for numeric references: Windows-1252 for the C1 range, U+FFFD for what is no character.
fn character_of(code: u32) -> Option<char> {
    let noncharacter = (0xfdd0..=0xfdef).contains(&code) || (code & 0xfffe) == 0xfffe;
    match code {
        0 | 0xd800..=0xdfff | 0x0011_0000.. => Some('\u{fffd}'),
        0x80..=0x9f => {
            let byte = [u8::try_from(code).ok()?];
            encoding_rs::WINDOWS_1252.decode_without_bom_handling(&byte).0.chars().next()
        }
        1..=8 | 0xb | 0xe..=0x1f | 0x7f => None,
        _ if noncharacter => None,
        _ => char::from_u32(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_unprintable_characters_go() {
        assert_eq!(sanitize("a.txt").as_deref(), Some("a.txt"));
        assert_eq!(sanitize(r"C:\x\y/b.txt").as_deref(), Some("b.txt"));
        assert_eq!(sanitize("a\u{200b}\u{7}b").as_deref(), Some("ab"));
        assert_eq!(sanitize(" ").as_deref(), Some(" "));
    }

    #[test]
    fn nothing_and_dots_are_no_names() {
        for name in ["", ".", "..", "a/", "a/..", "&#46;&#x2E;", "&period;", "x&sol;", "\u{a0}", "&#7;", "&#0046"] {
            assert_eq!(sanitize(name), None, "{name}");
        }
        for name in ["...", "&", "&#", "&#x;", "&unknown;", "&#0;", "&#xD800;", "&#128;", "&#99999999999999;"] {
            assert!(sanitize(name).is_some(), "{name}");
        }
    }
}
