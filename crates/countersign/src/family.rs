//! Families of refresh tokens: all that come from one login by rotation, named by one session id.

use countersign_formats::jwt::{DerivedKey, SigningKey};

/// Keys that turn the id of a refresh token into the ids of what follows from it, so that every node comes to the same ones.
///
/// They are derived from the signing key: who does not have it can neither foretell nor recognise such an id.
#[derive(Debug, Clone)]
pub(crate) struct FamilyKeys {
    session: DerivedKey,
}

impl FamilyKeys {
    pub(crate) fn of(signing_key: &SigningKey) -> Self {
        Self { session: signing_key.derived("session id, version 1") }
    }

    /// The session that began with this refresh token: 128 bits in hexadecimal.
    pub(crate) fn session_of(&self, root_jti: &str) -> String {
        hex::encode(self.session.id(root_jti.as_bytes()))
    }
}
