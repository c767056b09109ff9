//! DRF's and SimpleJWT's authentication decisions as a library: who a request comes from, what they may do, and the tokens they
//! are given.
//!
//! An [`Authority`] holds the database, the keys, the settings, the clock and the randomness. It answers three questions:
//! [`authenticate`](Authority::authenticate) (who is this?), [`permit`](Authority::permit) (may they?) and the logins
//! ([`obtain_auth_token`](Authority::obtain_auth_token), [`obtain_pair`](Authority::obtain_pair), …). Every refusal is a
//! [`Failure`], which knows its status and its body to the byte.

mod authenticate;
mod authority;
mod basic_header;
mod claim_value;
pub mod clock;
mod failure;
mod hashing;
mod login;
mod pair;
mod permission;
pub mod settings;
pub mod testing;

pub use authenticate::{Authentication, Identity, Principal, Scheme};
pub use authority::{AUTHTOKEN_TABLE, Authority, AuthorityBuilder};
pub use failure::Failure;
pub use pair::{Pair, Refreshed};
pub use permission::{ModelName, Permission};
pub use settings::Settings;
