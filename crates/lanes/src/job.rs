//! One PBKDF2 run: the state between two rounds, set up from a password and a salt, read out as a block of the derived key.

use std::fmt;
use std::num::NonZeroU32;

use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::sha256::INITIAL;

/// The run that computes one block, 32 bytes, of a derived key (RFC 8018 §5.2, function F, with HMAC-SHA-256). It waits to
/// be put into a [`Batch`](crate::Batch).
///
/// Its state lies on the heap, so that moving a job leaves no copy behind, and is wiped on drop. `Debug` shows only how many
/// rounds are to go.
pub struct Job(Box<State>);

/// What a run carries from round to round, as words of SHA-256.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct State {
    /// The hash of HMAC's inner padded key: where each inner hash starts (RFC 2104 §4).
    pub(crate) inner: [u32; 8],
    /// The hash of HMAC's outer padded key.
    pub(crate) outer: [u32; 8],
    /// The last output, `U_i` of RFC 8018.
    pub(crate) link: [u32; 8],
    /// The exclusive or of all outputs so far: the derived key's block once no round is to go.
    pub(crate) sum: [u32; 8],
    /// Rounds to go.
    pub(crate) remaining: u32,
}

impl Job {
    /// Sets up the run for the first block of a derived key: all of it, when 32 bytes are enough. `rounds` is the iteration
    /// count of RFC 8018; the first of them is done here. Password and salt may have any length, also none.
    #[must_use]
    pub fn new(password: &[u8], salt: &[u8], rounds: NonZeroU32) -> Self {
        Self::for_block(password, salt, rounds, NonZeroU32::MIN)
    }

    /// Sets up the run for block `index`, counted from one, of a derived key that is longer than 32 bytes.
    #[must_use]
    pub fn for_block(password: &[u8], salt: &[u8], rounds: NonZeroU32, index: NonZeroU32) -> Self {
        let mut state =
            Box::new(State { inner: INITIAL, outer: INITIAL, link: [0; 8], sum: [0; 8], remaining: rounds.get() - 1 });
        let key = padded_key(password);
        absorb_key(&mut state.inner, &key, 0x36);
        absorb_key(&mut state.outer, &key, 0x5c);
        let mut inner = Zeroizing::new(state.inner);
        absorb_message(&mut inner, &[salt, &index.get().to_be_bytes()]);
        state.link = state.outer;
        absorb_message(&mut state.link, &[&*to_bytes(&inner)]);
        state.sum = state.link;
        Self(state)
    }

    /// Rounds to go before the block is there.
    pub fn remaining(&self) -> u32 {
        self.0.remaining
    }

    /// The block, once no round is to go.
    pub(crate) fn into_block(self) -> Block {
        debug_assert_eq!(self.0.remaining, 0);
        Block(to_bytes(&self.0.sum))
    }

    #[cfg(target_arch = "x86_64")]
    pub(crate) fn state(&self) -> &State {
        &self.0
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        &mut self.0
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Job").field("remaining", &self.0.remaining).finish_non_exhaustive()
    }
}

/// 32 bytes of a derived key. Wiped on drop; `Debug` prints `Block(..)`.
pub struct Block(Zeroizing<[u8; 32]>);

impl Block {
    /// The secret bytes themselves. Compare them in constant time.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Block(..)")
    }
}

/// The password as one block, zeros behind it; one longer than a block is hashed first (RFC 2104 §2).
fn padded_key(password: &[u8]) -> Zeroizing<[u8; 64]> {
    let mut key = Zeroizing::new([0; 64]);
    if password.len() <= key.len() {
        key[..password.len()].copy_from_slice(password);
    } else {
        let mut digest = Sha256::digest(password);
        key[..32].copy_from_slice(&digest);
        digest.as_mut_slice().zeroize();
    }
    key
}

/// Hashes the padded key, each byte changed by `pad` (RFC 2104 §2).
fn absorb_key(state: &mut [u32; 8], key: &[u8; 64], pad: u8) {
    let block = Zeroizing::new(key.map(|byte| byte ^ pad));
    compress256(state, std::slice::from_ref(&block));
}

/// Hashes the rest of a message whose first block was a padded key, and its end (FIPS 180-4 §5.1.1, §6.2.2).
fn absorb_message(state: &mut [u32; 8], parts: &[&[u8]]) {
    let mut block = Zeroizing::new([0_u8; 64]);
    let mut filled = 0;
    let mut length: u64 = 64;
    for mut part in parts.iter().copied() {
        length += part.len() as u64;
        while !part.is_empty() {
            let (taken, rest) = part.split_at(part.len().min(64 - filled));
            block[filled..filled + taken.len()].copy_from_slice(taken);
            filled += taken.len();
            part = rest;
            if filled == 64 {
                compress256(state, std::slice::from_ref(&block));
                filled = 0;
            }
        }
    }
    block[filled] = 0x80;
    block[filled + 1..].fill(0);
    if filled >= 56 {
        compress256(state, std::slice::from_ref(&block));
        block.fill(0);
    }
    block[56..].copy_from_slice(&(length * 8).to_be_bytes());
    compress256(state, std::slice::from_ref(&block));
}

/// Words as the bytes of a digest (FIPS 180-4 §3.1).
fn to_bytes(words: &[u32; 8]) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_wiped_on_drop<T: ZeroizeOnDrop>(_: &T) {}

    #[test]
    fn state_and_block_are_wiped() {
        let mut job = Job::new(b"password", b"salt", NonZeroU32::MIN);
        let state = job.state_mut();
        is_wiped_on_drop(state);
        state.zeroize();
        assert_eq!([state.inner, state.outer, state.link, state.sum], [[0; 8]; 4]);
        is_wiped_on_drop(&job.into_block().0);
    }

    /// A job is a pointer to its state, so that it can be moved without leaving copies of it.
    #[test]
    fn moving_a_job_moves_no_state() {
        assert_eq!(size_of::<Job>(), size_of::<usize>());
    }
}
