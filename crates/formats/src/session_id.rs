//! Ids under which sessions are shown to their owner. They follow from what the client keeps and do not give it away.

use sha2::{Digest as _, Sha256};

/// The id of the session that a token is: 32 hex digits, 128 bits of a SHA-256 over the token's kind and what its table keeps of it,
/// which nobody can guess. It stays the same when keys change.
#[must_use]
pub fn session_id(kind: &str, kept: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["countersign session id, version 1", kind, kept] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python: `hashlib.sha256(b"countersign session id, version 1\0knox\0abc\0").hexdigest()[:32]`.
    #[test]
    fn follows_from_kind_and_token() {
        assert_eq!(session_id("knox", "abc"), "8ab3041853c786c333561757d161c643");
        assert_ne!(session_id("knox", "abc"), session_id("token", "abc"));
        assert_ne!(session_id("knox", "abc"), session_id("knox", "abd"));
    }
}
