//! What `django_session` keeps: a signed JSON object, and in it who has logged in. Django 5.2 `django.contrib.sessions`,
//! `django.contrib.auth`.

use zeroize::Zeroizing;

use crate::django_signing::{SecretKeys, SignedLimits};
use crate::json::Value;

/// Longest text of a session that is read, in bytes.
pub const MAX_SESSION_BYTES: usize = 128 * 1024;
const LIMITS: SignedLimits = SignedLimits { text: MAX_SESSION_BYTES, json: 1024 * 1024 };

const SALT: &str = "django.contrib.sessions.SessionStore";
const AUTH_HASH_SALT: &str = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";

/// Who has logged in to a session. Django 5.2 `django.contrib.auth.login`.
#[derive(Clone)]
pub struct SessionLogin {
    /// `_auth_user_id`: the user's primary key as text.
    pub user_id: String,
    /// `_auth_user_backend`: dotted path of the backend that let the user in.
    pub backend: String,
    /// `_auth_user_hash`, if there is one.
    auth_hash: Option<Zeroizing<String>>,
    /// `_csrftoken`, where `CSRF_USE_SESSIONS` keeps the secret in the session.
    csrf_secret: Option<Zeroizing<String>>,
}

impl SessionLogin {
    /// Reads `session_data`. `None` for a session in which nobody has logged in, and for anything that Django did not make,
    /// which Django takes for an empty session (Django 5.2 `SessionBase.decode`). Only JSON is read: a pickle is nothing.
    #[must_use]
    pub fn read(keys: &SecretKeys, session_data: &str) -> Option<Self> {
        let data = keys.loads(SALT, session_data, LIMITS)?;
        let data = data.as_object()?;
        let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            user_id: text("_auth_user_id")?,
            backend: text("_auth_user_backend")?,
            auth_hash: text("_auth_user_hash").map(Zeroizing::new),
            csrf_secret: text("_csrftoken").map(Zeroizing::new),
        })
    }

    /// Whether the login was made under this stored password, by any of the keys; compared in constant time. Django 5.2
    /// `AbstractBaseUser.get_session_auth_hash`.
    #[must_use]
    pub fn is_of_password(&self, keys: &SecretKeys, encoded_password: &str) -> bool {
        let Some(hash) = &self.auth_hash else { return false };
        keys.made_hex(hash, AUTH_HASH_SALT, encoded_password.as_bytes())
    }

    /// The session's own CSRF secret (`CSRF_USE_SESSIONS`).
    #[must_use]
    pub fn csrf_secret(&self) -> Option<&str> {
        self.csrf_secret.as_ref().map(|secret| secret.as_str())
    }
}

/// Shows the user and the backend, nothing that is secret.
impl std::fmt::Debug for SessionLogin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SessionLogin")
            .field("user_id", &self.user_id)
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "compat-reference-secret-key-0123456789-abcdefghijklmnopqrstuv";
    /// Made by Django 5.2 (`session/get-ok` of the recorded exchanges).
    const ALICE: &str = ".eJxVjDsOwjAQBe_iGln-rr2U9JzBWv9wADlSnFSIu0OkFNC-mXkvFmhbW9hGWcKU2ZlJdvrdIqVH6TvId-q3mae5r8sU-a7wgw5-nXN5Xg7376DRaN-a0FuRhIYinVLaA2bnhJQSDZIppKoB7ZONriIWAdV5BIXOV6BqdWbvD6o5Nq8:1uQmLA:tb9DxoCCTeKF2Aog2m4MLEwKI6XGfWaKkUfV8vwIhSA";
    const PASSWORD: &str = "pbkdf2_sha256$1000000$Ab3dEfGh1jKlMn0pQrSt01$43YM+WY8ieLyf1w4NeLAg9QJCmcjZfRjka8Bc2i2DG0=";

    #[test]
    fn reads_what_django_stored() {
        let keys = SecretKeys::new(SECRET, &[]);
        let login = SessionLogin::read(&keys, ALICE).expect("a session");
        assert_eq!(
            (login.user_id.as_str(), login.backend.as_str()),
            ("1", "django.contrib.auth.backends.ModelBackend")
        );
        assert!(login.is_of_password(&keys, PASSWORD));
        assert!(!login.is_of_password(&keys, "another"));
        assert!(!login.is_of_password(&SecretKeys::new("another", &[]), PASSWORD));
        assert!(login.is_of_password(&SecretKeys::new("another", &[SECRET]), PASSWORD));
        assert!(login.csrf_secret().is_none());
    }

    #[test]
    fn what_is_no_session_of_django_is_none() {
        let keys = SecretKeys::new(SECRET, &[]);
        for data in ["", "e30:1uQmLA:x", &ALICE[1..], &ALICE[..ALICE.len() - 1], &format!("{ALICE}A")] {
            assert!(SessionLogin::read(&keys, data).is_none(), "{data}");
        }
        assert!(SessionLogin::read(&SecretKeys::new("another", &[]), ALICE).is_none());
    }

    #[test]
    fn s2_debug_shows_no_hash() {
        let login = SessionLogin::read(&SecretKeys::new(SECRET, &[]), ALICE).expect("a session");
        assert!(!format!("{login:?}").contains("a9850c036e17223869d7"), "{login:?}");
    }
}
