//! Stored passwords: a case is the length of the password, the password and the stored text. The answer is `1` or `0` for whether
//! it matches, the same for whether the text is to be replaced, and why the text can match nothing.

use countersign_formats::password::{Algorithm, Hashers, Password, SaltEntropy, WorkFactors};
use serde::Deserialize;

use crate::Judge;

/// `PASSWORD_HASHERS` by algorithm word, and the iterations of the preferred one.
#[derive(Deserialize)]
struct Batch {
    hashers: Vec<String>,
    iterations: u32,
}

#[derive(Default)]
pub(crate) struct Passwords(Option<Hashers>);

impl Judge for Passwords {
    fn settings(&mut self, text: &str) -> anyhow::Result<()> {
        let batch: Batch = serde_json::from_str(text)?;
        let order = batch.hashers.iter().map(|name| Algorithm::from_setting(name)).collect::<Result<_, _>>()?;
        let mut factors = WorkFactors::default();
        factors.pbkdf2_sha256_iterations = batch.iterations;
        self.0 = Some(Hashers::new(order, factors)?);
        Ok(())
    }

    fn verdict(&mut self, case: &[u8]) -> String {
        let (Some(hashers), Some((length, rest))) = (&self.0, case.split_first_chunk::<4>()) else {
            return String::new();
        };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((password, stored)) = rest.split_at_checked(length) else { return String::new() };
        let (Ok(password), Ok(stored)) = (std::str::from_utf8(password), std::str::from_utf8(stored)) else {
            return String::new();
        };
        let verdict = hashers.job(Password::new(password), Some(stored), SaltEntropy::new([7; 32])).run();
        let refused = verdict.refused.map(|refusal| refusal.to_string()).unwrap_or_default();
        format!("{}{}{refused}", u8::from(verdict.matches), u8::from(verdict.must_update))
    }
}
