//! Who is seen with tokens of a key that signs no longer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use countersign_store::KeyUse;
use jiff::Timestamp;

/// Clients that are told apart between two looks; the others are counted together.
const MAX_CLIENTS: usize = 1000;
/// How those are called.
const OTHERS: &str = "others";

/// What is seen of one key.
#[derive(Debug)]
pub(super) struct Watch {
    kid: String,
    seen: Mutex<HashMap<String, (i64, Timestamp)>>,
}

/// Who was seen with tokens of a key.
#[derive(Clone, Debug)]
pub struct SeenKey {
    /// The key.
    pub kid: String,
    /// Who, each once.
    pub uses: Vec<KeyUse>,
}

impl Watch {
    pub(super) fn new(kid: &str) -> Self {
        Self { kid: kid.to_owned(), seen: Mutex::default() }
    }

    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// A token of the key was accepted.
    pub(super) fn see(&self, client: &str, now: Timestamp) {
        count(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner), client, 1, now);
    }

    /// Counts again what was taken.
    pub(super) fn put_back(&self, uses: Vec<KeyUse>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for one in uses {
            count(&mut seen, &one.client, one.tokens, one.seen_at);
        }
    }

    /// What was seen since the last call, if anything was.
    pub(super) fn take(&self) -> Option<SeenKey> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let uses = |(client, (tokens, seen_at))| KeyUse { client, tokens, seen_at };
        (!seen.is_empty()).then(|| SeenKey { kid: self.kid.clone(), uses: seen.into_iter().map(uses).collect() })
    }
}

fn count(seen: &mut HashMap<String, (i64, Timestamp)>, client: &str, tokens: i64, at: Timestamp) {
    let client = if seen.len() < MAX_CLIENTS || seen.contains_key(client) { client } else { OTHERS };
    match seen.get_mut(client) {
        Some((counted, last)) => {
            *counted += tokens;
            *last = at.max(*last);
        }
        None => {
            seen.insert(client.to_owned(), (tokens, at));
        }
    }
}
