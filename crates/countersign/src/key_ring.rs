//! The keys in force, which change while the server runs: those of the configuration, those fetched from `JWK_URL`, and those of
//! the key ladder. A decision loads them once, without a lock; whoever changes them puts a whole new set in their place.

mod fetching;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use countersign_formats::json::{self, Object, Value};
use countersign_formats::jwt::{Cause, Claims, Refusal, Rules, SigningKey, VerifyingKey, decode_with};
use jiff::Timestamp;

use self::fetching::Fetching;
use self::watch::Watch;
use crate::authority::Authority;
use crate::claim_value::to_text;
use crate::ladder::KeyState;
use crate::settings::SimpleJwt;

pub use self::fetching::FETCH_INTERVAL;
pub use self::watch::SeenKey;

/// What tokens are signed and checked with at one moment.
#[derive(Debug)]
pub struct Keys {
    /// Each with its share of a hundred new tokens.
    signing: Vec<(SigningKey, u32)>,
    verifying: Vec<VerifyingKey>,
    /// For each of `verifying`, who is seen with its tokens, where that is asked.
    watches: Vec<Option<Arc<Watch>>>,
    /// The public ones as a JSON web key set.
    key_set: String,
}

/// A key of the ladder, opened.
#[derive(Clone, Debug)]
pub struct LadderKey {
    /// The key under its name.
    pub key: SigningKey,
    /// Where it stands.
    pub state: KeyState,
    /// How many of a hundred new tokens it signs.
    pub share: u32,
}

/// The ladder as this node knows it.
#[derive(Clone, Debug)]
pub struct LadderKeys {
    /// Where the configuration's key stands, and its share.
    pub configured: (KeyState, u32),
    /// The others.
    pub others: Vec<LadderKey>,
}

/// The keys in force.
#[derive(Debug)]
pub struct KeyRing {
    signing: SigningKey,
    configured: Vec<VerifyingKey>,
    /// Whether the first of `configured` is the public half of `signing`, or the same secret.
    issues: bool,
    parts: Mutex<Parts>,
    current: ArcSwap<Keys>,
    fetching: Option<Fetching>,
}

/// What is not of the configuration.
#[derive(Debug, Default)]
struct Parts {
    fetched: Vec<VerifyingKey>,
    ladder: Option<LadderKeys>,
    watches: Vec<Arc<Watch>>,
}

impl KeyRing {
    /// The keys of these settings. With `JWK_URL`, `verifying_keys` stand beside those that are fetched.
    pub(crate) fn new(settings: &SimpleJwt) -> Self {
        let (signing, configured) = (settings.signing_key.clone(), settings.verifying_keys.clone());
        let fetching = settings.fetches_keys.then(Fetching::default);
        let issues = settings.issues && !settings.fetches_keys;
        let keys = Keys::new(vec![(signing.clone(), 100)], configured.iter().map(|key| (key.clone(), None)).collect());
        let current = ArcSwap::from_pointee(keys);
        Self { signing, configured, issues, parts: Mutex::default(), current, fetching }
    }

    /// The keys now.
    pub fn current(&self) -> Guard<Arc<Keys>> {
        self.current.load()
    }

    /// The name of the configuration's key on the ladder: its `kid`, its thumbprint (RFC 7638), or for a shared secret a digest
    /// that tells nothing of it.
    #[must_use]
    pub fn configured_kid(signing: &SigningKey) -> String {
        let thumbprint = || signing.verifying_key().thumbprint();
        signing.kid().map(str::to_owned).or_else(thumbprint).unwrap_or_else(|| {
            let digest = signing.derived("name of a signing key, version 1").id(b"");
            format!("settings-{}", hex::encode(&digest[..6]))
        })
    }

    /// Puts fetched keys in the place of those fetched before.
    pub fn put_fetched(&self, keys: Vec<VerifyingKey>) {
        self.change(|parts| parts.fetched = keys);
    }

    /// Puts the ladder in the place of what was known of it.
    pub fn put_ladder(&self, ladder: LadderKeys) {
        self.change(|parts| parts.ladder = Some(ladder));
    }

    /// Who was seen since the last call with tokens of keys that sign no longer.
    pub fn take_seen(&self) -> Vec<SeenKey> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.watches.iter().filter_map(|watch| watch.take()).collect()
    }

    /// Takes back what [`take_seen`](Self::take_seen) gave and could not be written.
    pub fn put_back_seen(&self, seen: SeenKey) {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = parts.watches.iter().find(|watch| watch.kid() == seen.kid) {
            watch.put_back(seen.uses);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        let keys = self.keys_of(&mut parts);
        self.current.store(Arc::new(keys));
    }

    /// The configuration's keys, less its own where the ladder says so, those of the ladder, those fetched.
    fn keys_of(&self, parts: &mut Parts) -> Keys {
        let (own, beside) = self.configured.split_at(usize::from(self.issues).min(self.configured.len()));
        let mut signing = Vec::new();
        let mut verifying: Vec<(VerifyingKey, Option<Arc<Watch>>)> = Vec::new();
        match parts.ladder.clone() {
            None => {
                signing.push((self.signing.clone(), 100));
                verifying.extend(own.iter().map(|key| (key.clone(), None)));
            }
            Some(LadderKeys { configured: (state, share), others }) => {
                if share > 0 {
                    signing.push((self.signing.clone(), share));
                }
                if state.is_accepted() {
                    let kid = Self::configured_kid(&self.signing);
                    let watch = (share == 0).then(|| parts.watch(&kid));
                    verifying.extend(own.iter().map(|key| (key.clone(), watch.clone())));
                }
                for other in others {
                    if other.share > 0 {
                        signing.push((other.key.clone(), other.share));
                    }
                    if other.state.is_accepted() {
                        let watch = (other.share == 0).then(|| parts.watch(other.key.kid().unwrap_or_default()));
                        verifying.push((other.key.verifying_key(), watch));
                    }
                }
            }
        }
        verifying.extend(beside.iter().chain(&parts.fetched).map(|key| (key.clone(), None)));
        Keys::new(signing, verifying)
    }
}

impl Parts {
    /// What is seen of a key is kept while the ladder changes.
    fn watch(&mut self, kid: &str) -> Arc<Watch> {
        if let Some(known) = self.watches.iter().find(|watch| watch.kid() == kid) {
            return Arc::clone(known);
        }
        let watch = Arc::new(Watch::new(kid));
        self.watches.push(Arc::clone(&watch));
        watch
    }
}

impl Keys {
    fn new(signing: Vec<(SigningKey, u32)>, verifying: Vec<(VerifyingKey, Option<Arc<Watch>>)>) -> Self {
        let (verifying, watches): (Vec<_>, Vec<_>) = verifying.into_iter().unzip();
        let public = verifying.iter().filter_map(VerifyingKey::to_public_jwk).map(Value::from).collect::<Vec<_>>();
        let set: Object = [("keys", Value::from(public))].into_iter().collect();
        Self { signing, verifying, watches, key_set: json::object_to_compact_ascii(&set) }
    }

    /// What the token of this id is signed with: every time the same while the shares stand.
    pub(crate) fn signing_for(&self, jti: &str) -> Option<&SigningKey> {
        let [.., (last, _)] = &self.signing[..] else { return None };
        if self.signing.len() == 1 {
            return Some(last);
        }
        let digits = jti.get(jti.len().saturating_sub(6)..).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let mut place = digits.unwrap_or(0) % 100;
        for (key, share) in &self.signing {
            match place.checked_sub(*share) {
                None => return Some(key),
                Some(rest) => place = rest,
            }
        }
        Some(last)
    }

    /// The public keys as a JSON web key set (RFC 7517 §5): public parts alone, no shared secrets (SECURITY S5).
    #[must_use]
    pub fn key_set(&self) -> &str {
        &self.key_set
    }

    /// The claims of a token that nobody presents, if it is good.
    pub(crate) fn read(&self, token: &[u8], rules: &Rules, now: Timestamp) -> Option<Claims> {
        decode_with(token, &self.verifying, rules, now).ok().map(|(claims, _)| claims)
    }

    fn decode(&self, token: &[u8], settings: &SimpleJwt, now: Timestamp) -> Result<Claims, Refusal> {
        let (claims, key) = decode_with(token, &self.verifying, &settings.rules, now)?;
        if let Some(Some(watch)) = self.watches.get(key) {
            watch.see(&client_of(&claims, settings), now);
        }
        Ok(claims)
    }
}

/// How lists name who presents a token: `user 17 (refresh)`.
fn client_of(claims: &Claims, settings: &SimpleJwt) -> String {
    let text = |name: &str| claims.get(name).and_then(to_text).unwrap_or_else(|| "none".to_owned());
    let rules: &Rules = &settings.rules;
    let kind = rules.token_type_claim.as_deref().map_or_else(String::new, |name| format!(" ({})", text(name)));
    let mut client = format!("user {}{kind}", text(&settings.user_id_claim));
    client.retain(|letter| !letter.is_control());
    client.chars().take(120).collect()
}

impl Authority {
    /// Takes a token apart under the keys in force: steps 1 to 10 of SPEC §6.3. One whose key is not known may have keys fetched,
    /// and is looked at again then.
    pub(crate) async fn decode(&self, token: &[u8], now: Timestamp) -> Result<Claims, Refusal> {
        let (ring, settings) = (self.key_ring(), &self.settings().simple_jwt);
        let decoded = ring.current().decode(token, settings, now);
        match &ring.fetching {
            Some(fetching)
                if matches!(decoded, Err(Refusal::Invalid(Cause::Algorithm))) && fetching.fetched_anew().await =>
            {
                ring.current().decode(token, settings, now)
            }
            _ => decoded,
        }
    }
}

#[cfg(test)]
mod tests;
