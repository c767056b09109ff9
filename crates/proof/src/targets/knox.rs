//! Knox's tokens: any text has a beginning and a digest, and shows neither.

use countersign_formats::knox_token::{KnoxHash, KnoxToken};

use super::Target;

pub(super) const TARGET: Target =
    Target { name: "knox", check, words: &["00112233445566778899aabbccddeeff", "knox_", "é", "\u{1f600}", "\0"] };

fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let token = KnoxToken::from_text(&text);
    assert_eq!(token.expose(), text);
    assert!(text.starts_with(token.key()));
    assert_eq!(token.key().chars().count(), text.chars().count().min(15));
    for (hash, digits) in [(KnoxHash::Sha256, 64), (KnoxHash::Sha384, 96), (KnoxHash::Sha512, 128)] {
        let digest = token.digest(hash);
        assert!(digest.len() == digits && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        assert_eq!(digest, KnoxToken::from_text(&text).digest(hash));
        assert_ne!(digest, KnoxToken::from_text(&format!("{text}0")).digest(hash));
    }
    assert_eq!(format!("{token:?}"), "KnoxToken(..)");
}
