//! Properties: every password comes back, nothing else matches, and no stored text makes the reader fail.

use proptest::prelude::*;

use super::*;

/// All hashers with the least work each allows.
fn cheap_hashers() -> Hashers {
    let factors = WorkFactors {
        pbkdf2_sha256_iterations: 2,
        pbkdf2_sha1_iterations: 2,
        argon2_time_cost: 1,
        argon2_memory_cost: 8,
        argon2_parallelism: 1,
        bcrypt_sha256_rounds: 4,
        bcrypt_rounds: 4,
        scrypt_work_factor: 2,
        scrypt_block_size: 1,
        scrypt_parallelism: 1,
        ..WorkFactors::default()
    };
    Hashers::new(Algorithm::ALL.to_vec(), factors).expect("valid")
}

fn judge(password: &str, stored: &str) -> Verdict {
    cheap_hashers().job(Password::new(password), Some(stored), SaltEntropy::new([0; 32])).run()
}

fn makers() -> impl Strategy<Value = Algorithm> {
    proptest::sample::select(&Algorithm::ALL[..6])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_password_matches_its_own_hash_and_no_other(
        algorithm in makers(), password in "\\PC{0,24}", other in "\\PC{0,24}", entropy: [u8; 32],
    ) {
        prop_assume!(password.len() <= 72 && other.len() <= 72);
        let stored = cheap_hashers().encode_with(algorithm, &Password::new(&*password), SaltEntropy::new(entropy));
        let stored = stored.expect("hashed");
        prop_assert!(stored.len() <= 128, "{}", stored);
        let verdict = judge(&password, &stored);
        prop_assert!(verdict.matches);
        prop_assert_eq!(verdict.must_update, algorithm != Algorithm::Pbkdf2Sha256);
        // bcrypt cannot tell a closing NUL; the strategy makes no control characters.
        prop_assert_eq!(judge(&other, &stored).matches, other == password);
    }

    #[test]
    fn a_text_with_one_character_changed_does_not_match(
        algorithm in makers(), entropy: [u8; 32], at: prop::sample::Index, character in "[ -~é\\n]", remove: bool,
    ) {
        let stored = cheap_hashers().encode_with(algorithm, &Password::new("sesame"), SaltEntropy::new(entropy));
        let stored = stored.expect("hashed");
        let at = at.index(stored.len());
        let mutated = if remove {
            format!("{}{}", &stored[..at], &stored[at + 1..])
        } else {
            format!("{}{character}{}", &stored[..at], &stored[at + 1..])
        };
        // The prefix of bcrypt does not take part in the digest: 2a, 2b, 2x and 2y match alike, as in the original.
        let is_prefix = stored[..at].ends_with("$$2");
        prop_assert!(mutated == stored || is_prefix || !judge("sesame", &mutated).matches, "{}", mutated);
    }

    #[test]
    fn any_text_is_judged_without_panic(
        word in "(pbkdf2_sha256|pbkdf2_sha1|argon2|bcrypt|bcrypt_sha256|scrypt|md5|!|x)?",
        fields in prop::collection::vec("[0-9]{1,3}|argon2i?d?|v=1[0-9]|m=[0-9]{1,3},t=[0-9],p=[0-9]|2[abxy]|[./A-Za-z0-9+=]{0,60}|.{0,4}", 0..7),
    ) {
        let stored = std::iter::once(word).chain(fields).collect::<Vec<_>>().join("$");
        prop_assert!(!judge("sesame", &stored).matches);
        let _ = cheap_hashers().must_update(&stored);
    }
}
