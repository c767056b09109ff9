//! [`Authority`]: the store, the keys, the settings, the clock and the randomness behind every decision. Cheap to clone; several
//! can live in one process.

use std::sync::Arc;

use countersign_store::{Store, StoreError, TokenTable, UserField};
use jiff::Timestamp;

use crate::audit::{About, Audit, Event, EventStats};
use crate::clock::{Clock, Entropy, EntropyFailed, SystemClock, SystemEntropy, fresh_jti, random};
use crate::declared_claims::ClaimReader;
use crate::family::FamilyKeys;
use crate::hashing::{Hashing, HashingStats};
use crate::key_ring::KeyRing;
use crate::last_seen::LastSeen;
use crate::revocation::Revocations;
use crate::session_counts::{SessionCounters, SessionCounts};
use crate::settings::Settings;
use crate::throttle::Throttling;

/// The table of DRF's `authtoken` app.
pub const AUTHTOKEN_TABLE: &str = "authtoken_token";

/// Who may do what. See the [crate's front page](crate) for an example.
#[derive(Clone)]
pub struct Authority {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    settings: Settings,
    user_id: UserIdSource,
    claims: Option<ClaimReader>,
    token_tables: Vec<TokenTable>,
    key_ring: KeyRing,
    families: Option<FamilyKeys>,
    session_counters: SessionCounters,
    last_seen: Option<LastSeen>,
    revocations: Option<Arc<Revocations>>,
    hashing: Hashing,
    audit: Audit,
    throttling: Throttling,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Where `USER_ID_FIELD` points.
#[derive(Debug, Clone)]
pub(crate) enum UserIdSource {
    /// The primary key.
    PrimaryKey,
    /// Another column of the user table.
    Field(UserField),
}

/// Makes an [`Authority`].
pub struct AuthorityBuilder {
    store: Store,
    settings: Settings,
    token_tables: Vec<TokenTable>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl AuthorityBuilder {
    /// Counts the tokens of these tables among users' sessions, besides those of DRF's own, which is known where its app is.
    #[must_use]
    pub fn token_tables(mut self, tables: Vec<TokenTable>) -> Self {
        self.token_tables = tables;
        self
    }

    /// Uses another clock than the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Uses another source of randomness than the operating system's.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Checks the settings against the database, puts the parts together and starts the hashing threads and, where there are
    /// sessions, what follows their ends; both stop when the last clone of the authority is dropped. Events are written by a task of the
    /// Tokio runtime that this is called in.
    ///
    /// # Errors
    /// [`StoreError`] when `USER_ID_FIELD` or a declared claim names no usable column, or the database does not answer.
    pub async fn build(self) -> Result<Authority, StoreError> {
        let Self { store, settings, mut token_tables, clock, entropy } = self;
        let field = store.user_field(&settings.simple_jwt.user_id_field).await?;
        let revocations = match &settings.sessions {
            Some(sessions) => {
                let lifetime = settings.longest_access();
                let id_type = field.id_type();
                // On the heap: large, as it makes a connection.
                let started = Revocations::start(&store, sessions, id_type, lifetime, Arc::clone(&clock));
                Some(Box::pin(started).await?)
            }
            None => None,
        };
        let user_id = if field.is_primary_key() { UserIdSource::PrimaryKey } else { UserIdSource::Field(field) };
        let claims = ClaimReader::of(&store, &settings.claims).await?;
        if settings.apps.authtoken && token_tables.iter().all(|table| table.name() != AUTHTOKEN_TABLE) {
            token_tables.push(store.token_table(AUTHTOKEN_TABLE).await?);
        }
        let families = settings.sessions.is_some().then(|| FamilyKeys::of(&settings.simple_jwt.signing_key));
        let key_ring = KeyRing::new(&settings.simple_jwt);
        let hashing = Hashing::start(&settings.hashing, &settings.hashers);
        let throttling = Throttling::start(&settings.throttling, &settings.simple_jwt.signing_key).await;
        let session_counters = SessionCounters::default();
        let audit = Audit::start(&settings.audit, &store, &clock);
        let is_noted = settings.sessions.as_ref().is_some_and(|sessions| sessions.last_seen.is_some());
        let last_seen = is_noted.then(LastSeen::default);
        Ok(Authority {
            inner: Arc::new(Inner {
                store,
                settings,
                user_id,
                claims,
                token_tables,
                key_ring,
                families,
                session_counters,
                last_seen,
                revocations,
                hashing,
                audit,
                throttling,
                clock,
                entropy,
            }),
        })
    }
}

impl Authority {
    /// Starts building an authority over `store`.
    #[must_use]
    pub fn builder(store: Store, settings: Settings) -> AuthorityBuilder {
        AuthorityBuilder {
            store,
            settings,
            token_tables: Vec::new(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        }
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// What the authority decides by.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The clock's instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(crate) fn user_id_source(&self) -> &UserIdSource {
        &self.inner.user_id
    }

    /// What new tokens say of a user beyond SimpleJWT's claims, where something is declared.
    pub(crate) fn claim_reader(&self) -> Option<&ClaimReader> {
        self.inner.claims.as_ref()
    }

    /// DRF's own token table, when the app is installed.
    pub(crate) fn tokens(&self) -> Option<&TokenTable> {
        let is_drfs = |table: &&TokenTable| self.settings().apps.authtoken && table.name() == AUTHTOKEN_TABLE;
        self.token_tables().iter().find(is_drfs)
    }

    /// Where there are DRF tokens: DRF's own table, when the app is installed, and those of the [builder](AuthorityBuilder::token_tables).
    #[must_use]
    pub fn token_tables(&self) -> &[TokenTable] {
        &self.inner.token_tables
    }

    /// The keys in force.
    #[must_use]
    pub fn key_ring(&self) -> &KeyRing {
        &self.inner.key_ring
    }

    /// What ids of sessions and successors are derived with, while there are sessions.
    pub(crate) fn family_keys(&self) -> Option<&FamilyKeys> {
        self.inner.families.as_ref()
    }

    /// Which valid tokens are refused, where there are sessions.
    pub(crate) fn revocations(&self) -> Option<&Arc<Revocations>> {
        self.inner.revocations.as_ref()
    }

    /// What became of refresh tokens so far, where there are sessions.
    #[must_use]
    pub fn session_stats(&self) -> SessionCounts {
        self.inner.session_counters.now()
    }

    pub(crate) fn session_counts(&self) -> &SessionCounters {
        &self.inner.session_counters
    }

    /// Where it is noted when sessions were seen.
    pub(crate) fn last_seen(&self) -> Option<&LastSeen> {
        self.inner.last_seen.as_ref()
    }

    /// What became of password hashes so far, and how many run and wait now.
    #[must_use]
    pub fn hashing_stats(&self) -> HashingStats {
        self.inner.hashing.stats()
    }

    /// What became of events so far.
    #[must_use]
    pub fn event_stats(&self) -> EventStats {
        self.inner.audit.stats()
    }

    /// Waits until all events of before are in their table, or given up; done before the store is closed.
    pub async fn flush_events(&self) {
        self.inner.audit.flush().await;
    }

    pub(crate) fn audit(&self) -> &Audit {
        &self.inner.audit
    }

    /// Tells what happened now.
    pub(crate) fn tell(&self, event: &Event, about: &About<'_>) {
        self.inner.audit.tell(event, about, self.now());
    }

    pub(crate) fn hashing(&self) -> &Hashing {
        &self.inner.hashing
    }

    pub(crate) fn throttling(&self) -> &Throttling {
        &self.inner.throttling
    }

    /// `N` random bytes.
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], EntropyFailed> {
        random(&*self.inner.entropy)
    }

    /// A fresh token id.
    pub(crate) fn fresh_jti(&self) -> Result<String, EntropyFailed> {
        fresh_jti(&*self.inner.entropy)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}
