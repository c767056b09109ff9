//! Who asks too often. DRF's throttles ([`Throttle`], [`ThrottlePolicy`]) count the requests of a view, and [`logins`] the guesses
//! at passwords. Nodes count together where they have a server for it ([`SharedCounters`]).
//!
//! What a client has a window of, and for how long, is DRF's to the microsecond. Differs: users and addresses are counted apart
//! even where a client calls itself by a user's number (`X-Forwarded-For: 1`), a scope has one rate, counts are exact when many
//! requests come at once, and memory is bounded (SECURITY A2, A4).

mod logins;
mod rate;
mod settings;
mod shared;
mod table;
mod window;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_formats::jwt::{DerivedKey, SigningKey};

use crate::authenticate::{Identity, Principal};
use crate::authority::Authority;
use crate::claim_value::to_text;
use crate::client::ClientAddress;
use crate::failure::Failure;
use logins::Logins;
pub use rate::{Rate, RateError};
pub use settings::{LoginLimits, ThrottlingSettings};
use shared::{Key, Shared};
pub use shared::{NoAddress, SharedCounters};
use table::{Fingerprint, Table};
use window::Refusal;

/// In the unit of all instants here.
const SECOND: i64 = 1_000_000;

/// One of a view's throttles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// What it counts: all views with this scope count together. DRF's `anon`, `user`, and a view's `throttle_scope`.
    pub scope: String,
    /// How often a client may ask. A scope has one rate.
    pub rate: Rate,
    /// Whose requests it counts.
    pub counts: Counted,
}

/// Whose requests a throttle counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Those of nobody in particular, by address. DRF 3.18 `AnonRateThrottle`.
    Anonymous,
    /// Those of users by user, of others by address. DRF 3.18 `UserRateThrottle`, `ScopedRateThrottle`.
    Everyone,
}

/// How often a view may be asked. Every view has one, be it [`unlimited`](Self::unlimited).
#[derive(Clone)]
pub struct ThrottlePolicy(Vec<Limit>);

#[derive(Clone)]
struct Limit {
    counts: Counted,
    counters: Arc<Counters>,
}

/// What a client without a user is told apart by. DRF 3.18 `BaseThrottle.get_ident`.
#[derive(Clone, Debug)]
pub enum Ident<'a> {
    /// Its address.
    Address(ClientAddress),
    /// What a proxy says of it, as it stands.
    Said(Cow<'a, [u8]>),
}

/// Two throttles count the same scope at different rates.
#[derive(Debug, thiserror::Error)]
#[error("the scope \"{scope}\" has the rate {first} elsewhere, and a scope has one rate")]
pub struct TwoRates {
    scope: String,
    first: Rate,
}

impl ThrottlePolicy {
    /// As often as you like.
    #[must_use]
    pub fn unlimited() -> Self {
        Self(Vec::new())
    }

    /// Whether nothing is counted.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for ThrottlePolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|limit| &limit.counters.scope)).finish()
    }
}

/// All that is counted.
pub(crate) struct Throttling {
    settings: ThrottlingSettings,
    names: DerivedKey,
    scopes: Mutex<HashMap<String, Arc<Counters>>>,
    logins: Option<Logins>,
    shared: Option<Shared>,
}

/// The counters of a scope. Addresses, of which anybody has many, cannot take the room of users.
struct Counters {
    scope: String,
    users: Table,
    addresses: Table,
}

impl Throttling {
    /// Nothing counted yet. Connects to the shared counters, if there are any; that they do not answer is no error.
    pub(crate) async fn start(settings: &ThrottlingSettings, signing_key: &SigningKey) -> Self {
        let shared = settings.shared.as_ref().map(Shared::new);
        if let Some(shared) = &shared {
            shared.connect().await;
        }
        Self {
            settings: settings.clone(),
            names: signing_key.derived("throttle key, version 1"),
            scopes: Mutex::default(),
            logins: settings.logins.as_ref().map(|limits| Logins::new(limits, settings.memory)),
            shared,
        }
    }

    /// Counts a request for each of these clients, and says who is refused.
    async fn take(&self, clients: &[(&Table, Fingerprint)], now: i64) -> Vec<Option<Refusal>> {
        // What is full here is full everywhere; the others are for the server to say.
        let full: Vec<_> = clients.iter().map(|(table, client)| table.refusal(*client, now)).collect();
        let alone = |(table, client): &(&Table, Fingerprint)| {
            table.take(table.rate().share(self.settings.nodes), *client, now).err()
        };
        let Some(shared) = &self.shared else { return clients.iter().map(alone).collect() };
        let asked = clients.iter().zip(&full).filter(|(_, full)| full.is_none()).map(|(client, _)| client);
        let asked: Vec<_> = asked.collect();
        let keys: Vec<_> = asked.iter().map(|(table, client)| (Key::of(*client), table.rate())).collect();
        let mut refusals: Vec<_> = match shared.take(&keys, now).await {
            Ok(refusals) => {
                for ((table, client), _) in asked.iter().zip(&refusals).filter(|(_, refusal)| refusal.is_none()) {
                    table.write(*client, now);
                }
                refusals
            }
            Err(_) => asked.iter().map(|client| alone(client)).collect(),
        };
        refusals.extend(full.into_iter().flatten().map(Some));
        refusals
    }

    fn counters(&self, throttle: &Throttle) -> Result<Arc<Counters>, TwoRates> {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = scopes.entry(throttle.scope.clone()).or_insert_with(|| {
            let table = || Table::new(throttle.rate, self.settings.memory / 2);
            Arc::new(Counters { scope: throttle.scope.clone(), users: table(), addresses: table() })
        });
        if counters.users.rate() == throttle.rate {
            Ok(Arc::clone(counters))
        } else {
            Err(TwoRates { scope: throttle.scope.clone(), first: counters.users.rate() })
        }
    }

    /// Names are digested under a key that clients do not have, so that nobody can choose two that meet.
    fn fingerprint(&self, scope: &str, kind: u8, name: &[u8]) -> Fingerprint {
        let mut message = Vec::with_capacity(scope.len() + name.len() + 2);
        message.extend_from_slice(scope.as_bytes());
        message.extend_from_slice(&[0, kind]);
        message.extend_from_slice(name);
        Fingerprint(self.names.id(&message))
    }
}

impl Limit {
    /// The table that counts this client, and its name there; `None` where it is not counted.
    fn client(&self, throttling: &Throttling, identity: &Identity, ident: &Ident<'_>) -> Option<(&Table, Fingerprint)> {
        let Counters { scope, users, addresses } = &*self.counters;
        let user = match &identity.principal {
            Principal::Anonymous => None,
            Principal::User(user) => Some(user.id.to_string()),
            // `str()` of a claim; of one that is no scalar, its JSON does as well.
            Principal::Claims { user_id, .. } => Some(to_text(user_id).unwrap_or_else(|| format!("{user_id:?}"))),
        };
        match (user, self.counts) {
            (Some(_), Counted::Anonymous) => None,
            (Some(user), Counted::Everyone) => Some((users, throttling.fingerprint(scope, b'u', user.as_bytes()))),
            (None, _) => {
                let name = match ident {
                    Ident::Address(address) => Cow::Owned(address.to_string().into_bytes()),
                    Ident::Said(said) => Cow::Borrowed(&**said),
                };
                Some((addresses, throttling.fingerprint(scope, b'a', &name)))
            }
        }
    }
}

impl Authority {
    /// The policy of a view with these throttles, which are asked in this order.
    ///
    /// # Errors
    /// [`TwoRates`] where a scope has another rate already.
    pub fn throttle_policy(&self, throttles: &[Throttle]) -> Result<ThrottlePolicy, TwoRates> {
        let limit = |throttle: &Throttle| {
            Ok(Limit { counts: throttle.counts, counters: self.throttling().counters(throttle)? })
        };
        throttles.iter().map(limit).collect::<Result<_, _>>().map(ThrottlePolicy)
    }

    /// Counts a request. Every throttle is asked, and counts the request or refuses it for itself; the longest wait is what the
    /// client hears. DRF 3.18 `APIView.check_throttles`.
    ///
    /// # Errors
    /// [`Failure::Throttled`].
    pub async fn throttle(
        &self,
        policy: &ThrottlePolicy,
        identity: &Identity,
        ident: &Ident<'_>,
    ) -> Result<(), Failure> {
        let now = self.now().as_microsecond();
        let throttling = self.throttling();
        let clients: Vec<_> = policy.0.iter().filter_map(|limit| limit.client(throttling, identity, ident)).collect();
        let refused = throttling.take(&clients, now).await.into_iter().flatten().max();
        refused.map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// Whether nodes count together now; `None` where they are not meant to.
    #[must_use]
    pub fn counts_are_shared(&self) -> Option<bool> {
        self.throttling().shared.as_ref().map(Shared::is_up)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        // DRF rounds up. A wait is never negative: what counts is younger than its period.
        let seconds = |wait: i64| u64::try_from(wait).map_or(0, |wait| wait.div_ceil(1_000_000));
        Self::Throttled { wait: refusal.wait.map(seconds) }
    }
}
