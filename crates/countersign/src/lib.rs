//! DRF's and SimpleJWT's authentication decisions as a library: who a request comes from, what they may do, and the tokens they
//! are given.
//!
//! An [`Authority`] holds the database, the keys, the settings, the clock and the randomness. It answers three questions:
//! [`authenticate`](Authority::authenticate) (who is this?), [`permit`](Authority::permit) (may they?) and the logins
//! ([`obtain_auth_token`](Authority::obtain_auth_token), [`obtain_pair`](Authority::obtain_pair), …). Every refusal is a
//! [`Failure`], which knows its status and its body to the byte.
//!
//! ```
//! use countersign::{Authority, ClientAddress, Credentials, Failure, Scheme, Settings};
//! use countersign_formats::jwt::{HmacAlgorithm, HmacSecret, SigningKey};
//! use countersign_formats::password::Password;
//! use countersign_store::{DatabaseUrl, InstalledApps, Store, StoreOptions};
//! use http::{HeaderMap, header::AUTHORIZATION};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Django's database and SECRET_KEY; here an empty one in memory.
//! let store = Store::open(&"sqlite::memory:".parse::<DatabaseUrl>()?, StoreOptions::default()).await?;
//! store.migrate(&InstalledApps::default(), "2025-06-15T15:06:40Z".parse()?).await?;
//! let secret = HmacSecret::new("django-insecure-but-long-enough-for-an-example")?;
//! let settings = Settings::new(SigningKey::hmac(HmacAlgorithm::Hs256, &secret));
//! let authority = Authority::builder(store, settings).build().await?;
//!
//! // Unknown, inactive and wrong read alike.
//! let credentials = Credentials::new("alice", Password::new("correct horse"));
//! let refused = authority.obtain_pair(credentials).await.unwrap_err();
//! assert_eq!(refused.to_string(), "No active account found with the given credentials");
//! assert_eq!(refused.status(), 401);
//!
//! // Without credentials a request comes from nobody; with bad ones it is refused.
//! let mut headers = HeaderMap::new();
//! let client = ClientAddress::UNKNOWN;
//! let nobody = authority.authenticate(&[Scheme::Jwt], &headers, client).await.result?;
//! assert!(!nobody.is_authenticated());
//! headers.insert(AUTHORIZATION, "Bearer nonsense".parse()?);
//! let refused = authority.authenticate(&[Scheme::Jwt], &headers, client).await.result.unwrap_err();
//! assert!(matches!(refused, Failure::NoTokenClass(_)));
//! # Ok(())
//! # }
//! ```

pub mod audit;
mod authenticate;
mod authority;
mod basic_header;
mod claim_value;
mod client;
mod clients;
pub mod clock;
mod csrf;
mod declared_claims;
mod devices;
mod django_session;
mod failure;
mod family;
mod hashing;
mod introspection;
mod key_ring;
mod knox;
pub mod ladder;
mod last_seen;
mod login;
mod native_token;
mod pair;
mod permission;
pub mod pruning;
mod revocation;
mod session;
mod session_counts;
pub mod settings;
pub mod testing;
mod throttle;

pub use authenticate::{Authentication, Credential, Identity, Principal, Scheme, SessionId};
pub use authority::{AUTHTOKEN_TABLE, Authority, AuthorityBuilder};
pub use client::{Caller, Client, ClientAddress, Credentials, place};
pub use clients::{ClientRight, RegisteredClient};
pub use devices::{CurrentSession, SessionInfo};
pub use failure::Failure;
pub use hashing::HashingStats;
pub use introspection::{Accepted, LiveToken};
pub use key_ring::{FETCH_INTERVAL, KeyRing, Keys, LadderKey, LadderKeys, SeenKey};
pub use knox::KnoxLogin;
pub use native_token::NativeLogin;
pub use pair::{Pair, Refreshed};
pub use permission::{ModelName, Permission};
pub use revocation::RevocationStats;
pub use session_counts::SessionCounts;
pub use settings::Settings;
pub use throttle::{Counted, Ident, NoAddress, Rate, RateError, SharedCounters, Throttle, ThrottlePolicy, TwoRates};
