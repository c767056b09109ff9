//! Text from outside made fit to print: secrets shortened, control characters replaced, length bounded.

/// A secret as it is shown: the first six and last four characters, or `…` alone when that would be most of it.
pub(super) fn shorten(secret: &str) -> String {
    let count = secret.chars().count();
    if count < 20 {
        return "…".to_owned();
    }
    let head: String = secret.chars().take(6).collect();
    let tail: String = secret.chars().skip(count - 4).collect();
    format!("{head}…{tail}")
}

/// Text with control characters (a terminal would obey them) and direction marks replaced; line ends stay.
pub(super) fn printable(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// At most `limit` characters, with `…` for what is cut off.
pub(super) fn clip(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        text.to_owned()
    } else {
        text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
    }
}

/// What a server said, without the secrets it may have repeated: the password is cut out, and any word that is long enough
/// to be a token is shortened, whether we know it or not.
pub(super) fn veil(text: &str, password: &str) -> String {
    let text = if password.is_empty() { text.to_owned() } else { text.replace(password, "…") };
    let of_token = |c: char| c.is_ascii_alphanumeric() || "-_.+=~".contains(c);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let word = &rest[..rest.find(|c| !of_token(c)).unwrap_or(rest.len())];
        if word.len() >= 24 {
            shown.push_str(&shorten(word));
        } else {
            shown.push_str(word);
        }
        rest = &rest[word.len()..];
        let gap = rest.find(of_token).unwrap_or(rest.len());
        shown.push_str(&rest[..gap]);
        rest = &rest[gap..];
    }
    shown
}

/// Words of a server that hold no password, fit to show in at most `limit` characters.
pub(super) fn foreign(text: &str, limit: usize) -> String {
    clip(&printable(&veil(text, "")).replace('\n', " "), limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_whole() {
        assert_eq!(shorten("9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"), "9944b0…ee4b");
        assert_eq!(shorten("12345678901234567890"), "123456…7890");
        assert_eq!(shorten("1234567890123456789"), "…");
        assert_eq!(shorten(""), "…");
        assert_eq!(shorten("ééééééééééééééééééééééé"), "éééééé…éééé");
    }

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{202e}d"), "a\u{fffd}[31mb\nc\u{fffd}d");
    }

    #[test]
    fn clipping_counts_characters() {
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(clip("äöüß", 3), "äö…");
    }

    #[test]
    fn veiling_finds_known_and_unknown_secrets() {
        let said =
            "no hunter2 for \"9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b\", é eyJhbGciOi.eyJ1c2VyX2lk.c2lnbmF0dXJl!";
        assert_eq!(veil(said, "hunter2"), "no … for \"9944b0…ee4b\", é eyJhbG…dXJl!");
        assert_eq!(
            veil("Unable to log in with provided credentials.", "x"),
            "Unable to log in with provided credentials."
        );
    }
}
