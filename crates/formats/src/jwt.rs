//! JSON web tokens as `SimpleJWT` 5.5 makes and checks them (`PyJWT` 2.15 underneath).
//!
//! Reading is two calls: [`decode`] does what `SimpleJWT`'s `TokenBackend.decode` does, [`check_token`] what `Token.verify`
//! does. The look into the blacklist belongs between them and to the caller. What is accepted lies inside what the original
//! accepts; where the original crashes the token is refused; [`Rules::strict`] refuses more.
//!
//! ```
//! use countersign_formats::jwt::{
//!     Claims, HmacAlgorithm, HmacSecret, Lifetime, Rules, SigningKey, TokenType, check_token, decode,
//! };
//! use jiff::{SignedDuration, Timestamp};
//!
//! let secret = HmacSecret::new("a secret of thirty-two bytes....").unwrap();
//! let key = SigningKey::hmac(HmacAlgorithm::Hs256, &secret);
//! let rules = Rules::default();
//! let now = Timestamp::from_second(1_750_000_000).unwrap();
//!
//! let lifetime = Lifetime::of(SignedDuration::from_mins(5));
//! let mut claims = Claims::for_type(TokenType::Access, &rules, now, &lifetime, "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
//! claims.set("user_id", "1");
//! let token = claims.sign_with(&key, &rules);
//!
//! let read = decode(token.as_bytes(), &key.verifying_key(), &rules, now).unwrap();
//! check_token(&read, TokenType::Access, &rules, now).unwrap();
//! assert_eq!(read.get("user_id").and_then(|id| id.as_str()), Some("1"));
//!
//! let refusal = decode(token.as_bytes(), &key.verifying_key(), &rules, now + SignedDuration::from_mins(5)).unwrap_err();
//! assert_eq!(refusal.message(), "Token is expired");
//! ```

mod algorithm;
mod check;
mod claims;
mod jws;
mod key;
mod refusal;
mod rules;
mod secret;
mod time;

pub use algorithm::{Algorithm, AlgorithmError, HmacAlgorithm};
pub use check::{check_claim_not_expired, check_token, decode, decode_with};
pub use claims::{Claims, Lifetime};
pub use jws::{sign, signed_part};
pub use key::{DerivedKey, KeyError, KeySet, SigningKey, VerifyingKey};
pub use refusal::{Cause, Refusal};
pub use rules::{Expected, Rules, TokenType};
pub use secret::{HmacSecret, SecretError};

#[cfg(test)]
mod tests;
