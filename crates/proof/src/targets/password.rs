//! Stored passwords: any text is judged in bounded work, and only the right password ever matches.
//!
//! The input is the stored text; of what is cheap, the password `sesame` and another one are tried.

use countersign_formats::password::{
    Algorithm, Hashers, Job, MAX_ARGON2_KIB_PASSES, MAX_ARGON2_MEMORY_KIB, MAX_BCRYPT_COST, MAX_PBKDF2_ROUNDS,
    MAX_SCRYPT_BLOCKS, MAX_SCRYPT_MEMORY, Password, Pbkdf2Job, Progress, SaltEntropy, Verdict, Work, WorkFactors,
    estimated_cost,
};

use super::Target;

pub(super) const TARGET: Target = Target {
    name: "password",
    check,
    words: &[
        "pbkdf2_sha256$",
        "pbkdf2_sha1$",
        "argon2$argon2id$v=19$m=8,t=1,p=1$",
        "bcrypt$$2b$04$",
        "bcrypt_sha256$$2b$04$",
        "scrypt$",
        "md5$",
        "$",
        "$$",
        "!",
        "=",
        "==",
        "m=",
        ",t=",
        ",p=",
        "\0",
        "\n",
        "é",
        "+1",
        "01",
        " 1",
    ],
};

/// The dearest work that is still done here, in iterations of PBKDF2.
const CHEAP: u64 = 8_000;
/// The most memory that is filled here.
const SMALL: u64 = 1 << 22;

fn check(data: &[u8]) {
    let Ok(stored) = std::str::from_utf8(data) else { return };
    let mut factors = WorkFactors::default();
    factors.pbkdf2_sha256_iterations = 2;
    let order = [Algorithm::Pbkdf2Sha256].into_iter().chain(Algorithm::ALL.into_iter().skip(1)).collect();
    let hashers = Hashers::new(order, factors).expect("hashers");
    let job = |password: &str| hashers.job(Password::new(password), Some(stored), SaltEntropy::new([7; 32]));

    let planned = job("sesame");
    assert_bounded(planned.work());
    assert!(planned.cost() <= dearest() + 2, "{stored:?} costs {}", planned.cost());
    if planned.cost() > CHEAP || planned.work().memory() > SMALL {
        return;
    }
    let verdict = planned.run();
    assert_eq!(verdict, step_by_step(job("sesame")), "two ways to compute disagree");
    if stored.starts_with('!') {
        assert!(!verdict.matches, "an unusable password matches");
    }
    if verdict.matches {
        assert!(verdict.refused.is_none());
        assert_eq!(verdict.must_update, hashers.must_update(stored));
        let other = job("Sesame").run();
        assert!(!other.matches, "two passwords match {stored:?}");
        // What matched is what Django would write back: no other spelling of it matches.
        for spelling in [format!("{stored}\n"), format!("{stored}="), format!(" {stored}"), stored.to_uppercase()] {
            let again = hashers.job(Password::new("sesame"), Some(&spelling), SaltEntropy::new([7; 32]));
            assert!(!again.run().matches, "{spelling:?} matches as well as {stored:?}");
        }
    } else {
        assert!(!verdict.must_update, "a password that does not match would be replaced");
    }
}

/// As [`Job::run`], with PBKDF2 computed outside.
fn step_by_step(mut job: Job) -> Verdict {
    loop {
        let digest = job.pbkdf2().map(Pbkdf2Job::derive);
        let progress = match digest {
            Some(digest) => job.judge(&*digest),
            None => job.advance(),
        };
        match progress {
            Progress::Done(verdict) => return verdict,
            Progress::More(rest) => job = rest,
            _ => unreachable!("there are two kinds of progress"),
        }
    }
}

fn assert_bounded(work: Work) {
    let within = match work {
        Work::Pbkdf2Sha256 { rounds } | Work::Pbkdf2Sha1 { rounds } => rounds <= MAX_PBKDF2_ROUNDS,
        Work::Argon2(params) => {
            params.memory_kib <= MAX_ARGON2_MEMORY_KIB
                && u64::from(params.memory_kib) * u64::from(params.passes) <= MAX_ARGON2_KIB_PASSES
        }
        Work::BcryptSha256 { cost } | Work::Bcrypt { cost } => cost <= MAX_BCRYPT_COST,
        Work::Scrypt { log_n, r, p } => {
            work.memory() <= MAX_SCRYPT_MEMORY && (1_u64 << log_n) * u64::from(r) * u64::from(p) <= MAX_SCRYPT_BLOCKS
        }
        _ => true,
    };
    assert!(within, "{work:?}");
}

/// What the dearest hash within bounds costs.
fn dearest() -> u64 {
    estimated_cost(&Work::Bcrypt { cost: MAX_BCRYPT_COST }).max(MAX_PBKDF2_ROUNDS.into())
}
