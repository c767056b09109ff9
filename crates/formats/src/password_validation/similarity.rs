//! How alike two texts are, as Python's `difflib.SequenceMatcher.quick_ratio` measures it.

use std::collections::HashMap;

use crate::user_fields::characters::is_word;

/// Whether a password, already in lower case, is too like an attribute or one of its words.
/// Source: Django 5.2 `UserAttributeSimilarityValidator.validate`.
pub(super) fn resembles(password: &str, attribute: &str, max_similarity: f64) -> bool {
    if attribute.is_empty() {
        return false;
    }
    let attribute = attribute.to_lowercase();
    let password: Vec<char> = password.chars().collect();
    words(&attribute).chain(std::iter::once(attribute.as_str())).any(|part| {
        let part: Vec<char> = part.chars().collect();
        !is_far_shorter(&part, &password, max_similarity) && quick_ratio(&password, &part) >= max_similarity
    })
}

/// Python's `re.split(r"\W+", text)`: an empty part before a separator at the start and after one at the end, none
/// elsewhere.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let parts: Vec<&str> = text.split(|character| !is_word(character)).collect();
    let last = parts.len() - 1;
    parts
        .into_iter()
        .enumerate()
        .filter(move |(index, part)| *index == 0 || *index == last || !part.is_empty())
        .map(|(_, part)| part)
}

/// Source: Django 5.2 `exceeds_maximum_length_ratio`.
fn is_far_shorter(part: &[char], password: &[char], max_similarity: f64) -> bool {
    password.len() >= 10 * part.len() && length(part) < max_similarity / 2.0 * length(password)
}

/// Twice the characters in common, each as often as it is in both, by the characters of both; 1 for two empty texts.
fn quick_ratio(left: &[char], right: &[char]) -> f64 {
    if left.is_empty() && right.is_empty() {
        return 1.0;
    }
    let mut available: HashMap<char, usize> = HashMap::new();
    for character in right {
        *available.entry(*character).or_default() += 1;
    }
    let mut matches = 0_u32;
    for character in left {
        if let Some(count) = available.get_mut(character).filter(|count| **count > 0) {
            *count -= 1;
            matches += 1;
        }
    }
    2.0 * f64::from(matches) / (length(left) + length(right))
}

fn length(characters: &[char]) -> f64 {
    f64::from(u32::try_from(characters.len()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(left: &str, right: &str) -> f64 {
        quick_ratio(&left.chars().collect::<Vec<_>>(), &right.chars().collect::<Vec<_>>())
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "Python computes the same quotients")]
    fn ratios_are_pythons() {
        assert_eq!(ratio("A", &"A".repeat(10)), 0.181_818_181_818_181_82);
        assert_eq!(ratio("abcd", "bcde"), 0.75);
        assert_eq!(ratio("aab", "abb"), 4.0 / 6.0);
        assert_eq!(ratio("", ""), 1.0);
        assert_eq!(ratio("a", ""), 0.0);
    }

    #[test]
    fn words_split_as_pythons_regular_expression_splits() {
        let split = |text| words(text).collect::<Vec<_>>();
        assert_eq!(split("jane.doe@example.org"), ["jane", "doe", "example", "org"]);
        assert_eq!(split("--a--b_c--"), ["", "a", "b_c", ""]);
        assert_eq!(split("!!!"), ["", ""]);
        assert_eq!(split("é\u{301}x"), ["é", "x"]);
    }

    /// Answers of Django 5.2.19: password, attribute, whether it is too similar.
    #[test]
    fn w4_judged_as_django_judges() {
        for (password, attribute, expected) in [
            ("alice123", "alice", true),
            ("alice", "alice", true),
            ("Alice!", "ALICE", true),
            ("malice", "alice", true),
            ("xxalicexx", "alice", true),
            ("secret-jane", "jane.doe@example.org", false),
            ("example1", "jane.doe@example.org", true),
            ("janedoe99", "jane.doe@example.org", false),
            ("ab", "a", false),
            ("abcdefghij", "a", false),
            ("aaaaaaaaaa", "a", false),
            ("aaaaaaaaa", "a", false),
            ("", "", false),
            ("", "a-", true),
            ("", "a", false),
            ("x", "x-", true),
            ("password", "-", false),
            ("aaaaaaaaaaaaaaaaaaaa", "aa", false),
            ("aaaaaaaaaaaaaaaaaaa", "aa", false),
            ("İstanbul", "istanbul", true),
            ("straße99", "STRASSE", false),
            ("\u{3a3}\u{39f}\u{3a6}\u{39f}\u{3a3}12", "\u{3c3}\u{3bf}\u{3c6}\u{3bf}\u{3c2}", true),
            ("caf\u{301}e\u{301}x", "cafe", true),
            ("testclient", "testclient", true),
            ("client1", "testclient", true),
            ("tset", "test", true),
            ("qwertyui", "uytrewq", true),
            ("a_b_c_d_", "a_b-c_d", true),
        ] {
            assert_eq!(resembles(&password.to_lowercase(), attribute, 0.7), expected, "{password} {attribute}");
        }
    }
}
