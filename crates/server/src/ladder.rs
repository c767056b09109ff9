//! The key ladder of the database, opened and kept up to date: every node reads it every few seconds, and writes who is still seen
//! with tokens of keys that sign no longer.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use countersign::ladder::{KeyState, Ladder};
use countersign::{Authority, KeyRing, LadderKey, LadderKeys};
use countersign_formats::jwt::{Algorithm, SigningKey};
use countersign_formats::key_encryption::KeyEncryptionKey;
use countersign_store::{KeyRow, Store};
use jiff::{SignedDuration, Timestamp};

/// `[keys]`.
#[derive(Clone, Debug)]
pub(crate) struct LadderSettings {
    /// What private parts are sealed under in the database.
    pub encryption_key: Option<Arc<KeyEncryptionKey>>,
    /// How often the ladder is read.
    pub reload: Duration,
}

impl LadderSettings {
    /// How long it takes until every node has read a step (one interval), and has noted whom it saw since (another); a third is for
    /// the database to answer.
    pub(crate) fn noted_within(&self) -> SignedDuration {
        SignedDuration::try_from(self.reload.saturating_mul(3)).unwrap_or(SignedDuration::MAX)
    }
}

/// What a private part is sealed for: it opens for no other key.
pub(crate) fn purpose(kid: &str, algorithm: Algorithm) -> Vec<u8> {
    format!("countersign signing key\0{kid}\0{algorithm}").into_bytes()
}

/// The configuration's key on the ladder, with the rows there are.
pub(crate) fn of_rows(rows: Vec<KeyRow>, signing: &SigningKey, now: Timestamp) -> Ladder {
    Ladder::new(rows, &KeyRing::configured_kid(signing), signing.algorithm(), now)
}

/// Opens the keys of a ladder.
///
/// # Errors
/// A key that cannot be opened: no key-encryption key, or another one.
pub(crate) fn open(ladder: &Ladder, settings: &LadderSettings) -> anyhow::Result<LadderKeys> {
    let mut configured = (KeyState::Signing, 100);
    let mut others = Vec::new();
    for row in ladder.rows() {
        let state = KeyState::of_name(&row.state)
            .ok_or_else(|| anyhow!("key {} is in a state that this version does not know: {:?}", row.kid, row.state))?;
        let share = u32::try_from(row.share).unwrap_or_default();
        if ladder.is_configured(&row.kid) {
            configured = (state, share);
        } else if state.is_accepted() {
            others.push(LadderKey { key: open_key(row, settings)?, state, share });
        }
    }
    Ok(LadderKeys { configured, others })
}

/// The key of a row.
pub(crate) fn open_key(row: &KeyRow, settings: &LadderSettings) -> anyhow::Result<SigningKey> {
    let Some(encryption_key) = &settings.encryption_key else {
        bail!("keys.encryption_key: is missing, and the database has key {}, which is sealed under it", row.kid);
    };
    let algorithm: Algorithm = row.algorithm.parse().with_context(|| format!("key {}", row.kid))?;
    let seed = encryption_key
        .open(&row.sealed, &purpose(&row.kid, algorithm))
        .with_context(|| format!("keys.encryption_key: is not the one that key {} is sealed under", row.kid))?;
    let seed: &[u8; 32] = seed.as_slice().try_into().with_context(|| format!("key {} is damaged", row.kid))?;
    let key = SigningKey::from_seed(algorithm, seed).with_context(|| format!("key {} is damaged", row.kid))?;
    Ok(key.named(row.kid.as_str()))
}

/// The ladder as a server follows it.
#[derive(Debug)]
pub(crate) struct Follower {
    store: Store,
    settings: LadderSettings,
    signing: SigningKey,
    known: Vec<KeyRow>,
}

impl Follower {
    /// Reads the ladder for the first time. `None` where tokens are not given out, keys are fetched from elsewhere, or the database has
    /// no ladder.
    ///
    /// # Errors
    /// The database cannot be read, or a key cannot be opened: a server that would refuse good tokens does not start.
    pub(crate) async fn begin(
        authority: &Authority,
        store: &Store,
        settings: LadderSettings,
    ) -> anyhow::Result<Option<Self>> {
        let jwt = &authority.settings().simple_jwt;
        if !jwt.issues || jwt.fetches_keys || !store.has_table("countersign_key").await? {
            return Ok(None);
        }
        let mut follower = Self { store: store.clone(), settings, signing: jwt.signing_key.clone(), known: Vec::new() };
        follower.read(authority).await?;
        Ok(Some(follower))
    }

    /// Follows the ladder, for ever.
    pub(crate) async fn follow(mut self, authority: Authority) {
        loop {
            tokio::time::sleep(self.settings.reload).await;
            if let Err(error) = self.read(&authority).await {
                tracing::error!(error = %format!("{error:#}"), "the key ladder could not be read: the keys stay as they were");
            }
            if let Err(error) = note_seen(&self.store, &authority).await {
                tracing::warn!(%error, "who was seen with tokens of old keys could not be noted");
            }
        }
    }

    async fn read(&mut self, authority: &Authority) -> anyhow::Result<()> {
        let rows = self.store.signing_keys().await?;
        if rows == self.known {
            return Ok(());
        }
        let ladder = of_rows(rows.clone(), &self.signing, authority.now());
        authority.key_ring().put_ladder(open(&ladder, &self.settings)?);
        self.known = rows;
        Ok(())
    }
}

/// Writes who was seen with tokens of keys that sign no longer. What could not be written waits for the next time.
pub(crate) async fn note_seen(store: &Store, authority: &Authority) -> Result<(), countersign_store::StoreError> {
    let mut noted = Ok(());
    for seen in authority.key_ring().take_seen() {
        if let Err(error) = store.note_key_uses(seen.kid.clone(), seen.uses.clone()).await {
            authority.key_ring().put_back_seen(seen);
            noted = Err(error);
        }
    }
    noted
}
