//! Time and randomness as arguments: the only two places where the program meets the wall clock and the operating system's
//! random generator. Tests put a [`FixedClock`](crate::testing::FixedClock) and a [`SeededEntropy`](crate::testing::SeededEntropy) in their place.

use jiff::Timestamp;

/// Tells the time. Read once per decision, so that every part of a decision sees the same instant.
pub trait Clock: Send + Sync + 'static {
    /// The current instant (UTC).
    fn now(&self) -> Timestamp;
}

/// Gives random bytes fit for secrets.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `buffer` with random bytes.
    ///
    /// # Errors
    /// [`EntropyFailed`] when the source cannot deliver; nothing secret may then be issued (SECURITY O1).
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFailed>;
}

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct EntropyFailed;

/// The system's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The operating system's random generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFailed> {
        getrandom::fill(buffer).map_err(|_| EntropyFailed)
    }
}

/// `N` random bytes.
///
/// # Errors
/// [`EntropyFailed`], as [`Entropy::fill`].
pub(crate) fn random<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], EntropyFailed> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}

/// A token id: 32 lower-case hex digits of a version 4 UUID (RFC 9562 §5.4), as Python's `uuid4().hex` in SimpleJWT.
///
/// # Errors
/// [`EntropyFailed`], as [`Entropy::fill`].
pub(crate) fn fresh_jti(entropy: &dyn Entropy) -> Result<String, EntropyFailed> {
    Ok(jti_of(random(entropy)?))
}

/// The token id made of these bytes.
pub(crate) fn jti_of(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    hex::encode(bytes)
}
