//! The byte formats of Django, DRF and SimpleJWT, as pure functions: bytes, keys, `now` and random bytes in; a value or an
//! error out. No clock, no randomness, no I/O, no SQL, no HTTP types.

pub mod client_secret;
pub mod csrf;
pub mod django_session;
pub mod django_signing;
pub mod django_time;
pub mod drf_datetime;
pub mod json;
pub mod jwt;
pub mod key_encryption;
pub mod knox_token;
pub mod native_token;
pub mod negotiation;
pub mod password;
pub mod password_validation;
pub mod python_base64;
pub mod request_body;
pub mod scan;
pub mod session_id;
pub mod token_key;
pub mod user_fields;
