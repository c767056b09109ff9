//! Replays `testdata/compat/passwords.jsonl`, recorded from Django 5.2.19, and the rule of equal work.

use super::job::{Job, Progress};
use super::stored::Stored;
use super::*;

/// A line of the recording.
struct Line {
    name: String,
    hasher: Option<Algorithm>,
    password: String,
    encoded: String,
    ok: bool,
    /// With Django's default list. `None` where the original raised.
    must_update: Option<bool>,
    /// With this line's hasher first.
    must_update_if_preferred: Option<bool>,
    in_default_hashers: bool,
}

fn lines() -> Vec<Line> {
    let lines: Vec<_> = include_str!("../../../../testdata/compat/passwords.jsonl")
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            Line {
                name: text("name"),
                hasher: Algorithm::from_setting(&text("hasher")).ok(),
                password: text("password"),
                encoded: text("encoded"),
                ok: line["ok"].as_bool().expect("ok"),
                must_update: line["must_update"].as_bool(),
                must_update_if_preferred: line["must_update_if_preferred"].as_bool(),
                in_default_hashers: line["in_default_hashers"].as_bool().expect("in_default_hashers"),
            }
        })
        .collect();
    assert_eq!(lines.len(), 132);
    lines
}

/// All seven hashers, `pbkdf2_sha256` preferred with little work: the failing lines cost one such hash each.
fn all_hashers() -> Hashers {
    let factors = WorkFactors { pbkdf2_sha256_iterations: 1_000, ..WorkFactors::default() };
    Hashers::new(Algorithm::ALL.to_vec(), factors).expect("valid")
}

fn entropy() -> SaltEntropy {
    SaltEntropy::new([42; 32])
}

#[test]
fn w1_every_recorded_password_is_judged_as_recorded() {
    let hashers = all_hashers();
    for line in lines() {
        let verdict = hashers.job(Password::new(line.password), Some(&line.encoded), entropy()).run();
        assert_eq!(verdict.matches, line.ok, "{}", line.name);
        assert_eq!(verdict.must_update, verdict.matches && hashers.must_update(&line.encoded), "{}", line.name);
        let is_odd = line.name.starts_with("malformed/") || line.name.starts_with("unknown/");
        assert!(verdict.refused.is_none() || is_odd || line.name == "bcrypt/missing-first-dollar", "{}", line.name);
    }
}

#[test]
fn w1_hashers_outside_the_default_list_are_unknown_under_it() {
    let factors = WorkFactors { pbkdf2_sha256_iterations: 1_000, ..WorkFactors::default() };
    let hashers = Hashers::new(Hashers::default().order().to_vec(), factors).expect("valid");
    for line in lines().into_iter().filter(|line| line.hasher.is_some() && line.ok && !line.in_default_hashers) {
        let verdict = hashers.job(Password::new(line.password), Some(&line.encoded), entropy()).run();
        assert_eq!(verdict.refused, Some(Refusal::UnknownAlgorithm), "{}", line.name);
        assert!(!verdict.matches, "{}", line.name);
    }
}

#[test]
fn w5_updates_are_wanted_as_recorded_with_pbkdf2_preferred() {
    let hashers = Hashers::new(Algorithm::ALL.to_vec(), WorkFactors::default()).expect("valid");
    let mut compared = 0;
    for line in lines() {
        if let Some(expected) = line.must_update {
            assert_eq!(hashers.must_update(&line.encoded), expected, "{}", line.name);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn w5_updates_are_wanted_as_recorded_with_the_lines_own_hasher_preferred() {
    let mut compared = 0;
    for line in lines() {
        let (Some(expected), Some(hasher)) = (line.must_update_if_preferred, line.hasher) else { continue };
        let wanted = if hasher == Algorithm::Md5 {
            // Never preferred here, but its rule is kept.
            Stored::parse(&line.encoded, &Algorithm::ALL).map_or(true, |stored| stored.is_outdated(&Work::Md5))
        } else {
            Hashers::new(vec![hasher], WorkFactors::default()).expect("valid").must_update(&line.encoded)
        };
        assert_eq!(wanted, expected, "{}", line.name);
        compared += 1;
    }
    assert!(compared > 90, "{compared}");
}

/// The derivations a job does when the password is wrong.
fn derivations(job: Job) -> Vec<Work> {
    let mut done = Vec::new();
    let mut job = job;
    loop {
        done.push(match job.pbkdf2() {
            Some(pbkdf2) => Work::Pbkdf2Sha256 { rounds: pbkdf2.rounds },
            None => job.work(),
        });
        match job.judge(b"a digest that is not there") {
            Progress::Done(verdict) => {
                assert!(!verdict.matches && !verdict.must_update);
                return done;
            }
            Progress::More(rest) => job = rest,
        }
    }
}

fn wrong(hashers: &Hashers, stored: Option<&str>) -> Vec<Work> {
    derivations(hashers.job(Password::new("wrong"), stored, entropy()))
}

#[test]
fn a1_every_failure_under_pbkdf2_does_the_preferred_iterations() {
    let hashers = Hashers::new(Algorithm::ALL.to_vec(), WorkFactors::default()).expect("valid");
    let wanted = 1_000_000;
    let total = |stored: Option<&str>| wrong(&hashers, stored).iter().map(estimated_cost).sum::<u64>();
    assert_eq!(total(None), wanted, "unknown user");
    let dearer = ["argon2/wrong-password", "bcrypt/default", "bcrypt_sha256/default"];
    for line in lines() {
        let done = total(Some(&line.encoded));
        if dearer.contains(&line.name.as_str())
            || line.name.ends_with("iterations-1000001")
            || line.name.ends_with("/default")
        {
            assert!(done >= wanted, "{}: {done}", line.name);
        } else {
            assert_eq!(done, wanted, "{}", line.name);
        }
    }
}

#[test]
fn a1_outdated_bcrypt_is_repeated_as_django_repeats_it() {
    let hashers = Hashers::new(vec![Algorithm::Bcrypt], WorkFactors::default()).expect("valid");
    let stored = "bcrypt$$2b$09$abcdefghijklmnopqrstuuyvPXIbu7xe6/CED2DzX8z6Si09MlzlW";
    assert_eq!(wrong(&hashers, Some(stored)), [Work::Bcrypt { cost: 9 }; 8]);
    let dearer = stored.replace("$09$", "$13$");
    assert_eq!(wrong(&hashers, Some(&dearer)), [Work::Bcrypt { cost: 13 }]);
    assert_eq!(wrong(&hashers, None), [Work::Bcrypt { cost: 12 }]);
    let long = hashers.job(Password::new("x".repeat(73)), Some(stored), entropy());
    assert_eq!(derivations(long), [Work::Bcrypt { cost: 12 }], "plain bcrypt takes 72 bytes");
}

#[test]
fn a1_a_cheap_hash_under_argon2_costs_one_whole_argon2() {
    let order = vec![Algorithm::Argon2, Algorithm::Md5, Algorithm::Pbkdf2Sha256];
    let hashers = Hashers::new(order, WorkFactors::default()).expect("valid");
    let argon2 = hashers.preferred_work();
    let md5 = "md5$vEcToRsAlt0123456789aB$9a0225623b4ded8aacd16382d1ce5823";
    assert_eq!(wrong(&hashers, Some(md5)), [Work::Md5, argon2]);
    assert_eq!(wrong(&hashers, Some("pbkdf2_sha1$1$salt$")), [argon2]);
    assert_eq!(wrong(&hashers, Some("!")), [argon2]);
    let pbkdf2 = "pbkdf2_sha256$600000$seasalt12345$qra6nvIUobw34kPpDa1zIqN6KA7BIvIt5Q9ZQbd8lts=";
    let [Work::Pbkdf2Sha256 { rounds: 600_000 }, Work::Pbkdf2Sha256 { rounds: missing }] =
        wrong(&hashers, Some(pbkdf2))[..]
    else {
        panic!("the stored work, then the missing work");
    };
    assert_eq!(u64::from(missing) + 600_000, estimated_cost(&argon2).max(600_000));
}

#[test]
fn w2_hostile_parameters_cost_one_preferred_hash_and_are_reported() {
    let hashers = all_hashers();
    for stored in [
        "pbkdf2_sha256$2147483647$salt$3YzznVDqeaUldmk+NQdiaQkvuBCvykeorcOlag/IeV4=",
        "argon2$argon2id$v=19$m=67108864,t=1,p=1$c2FsdHNhbHRzYWx0$ymyNx4+tUoQYpSkogXIv+w",
        "bcrypt$$2b$31$abcdefghijklmnopqrstuuyvPXIbu7xe6/CED2DzX8z6Si09MlzlW",
    ] {
        let job = hashers.job(Password::new("pw"), Some(stored), entropy());
        assert_eq!(job.cost(), 1_000, "{stored}");
        let verdict = job.run();
        assert!(matches!(verdict.refused, Some(Refusal::OutOfBounds(_))), "{stored}: {verdict:?}");
        assert!(!verdict.matches && !verdict.must_update);
    }
}

#[test]
fn w3_long_passwords_never_match_and_cost_the_same() {
    let hashers = all_hashers();
    let longest = Password::new("x".repeat(MAX_PASSWORD_BYTES));
    let stored = hashers.encode(&longest, entropy()).expect("within the limit");
    assert!(hashers.job(longest, Some(&stored), entropy()).run().matches);
    for bytes in [MAX_PASSWORD_BYTES + 1, 1 << 20] {
        for stored in [Some(stored.as_str()), Some("md5$a$b"), Some("!"), None] {
            let job = hashers.job(Password::new("x".repeat(bytes)), stored, entropy());
            assert_eq!(derivations(job), [Work::Pbkdf2Sha256 { rounds: 1_000 }]);
        }
        assert!(!hashers.job(Password::new("x".repeat(bytes)), Some(&stored), entropy()).run().matches);
    }
}

#[test]
fn a_pbkdf2_job_can_be_computed_elsewhere() {
    let hashers = all_hashers();
    let stored = hashers.encode(&Password::new("sesame"), entropy()).expect("hashed");
    let job = hashers.job(Password::new("sesame"), Some(&stored), entropy());
    assert_eq!((job.work().algorithm(), job.cost()), (Algorithm::Pbkdf2Sha256, 1_000));
    let digest = job.pbkdf2().expect("pbkdf2_sha256").derive();
    let Progress::Done(verdict) = job.judge(&*digest) else { panic!("nothing is left") };
    assert!(verdict.matches);

    let fresh = hashers.new_hash(&Password::new("sesame"), entropy()).expect("short enough");
    let digest = fresh.pbkdf2().expect("pbkdf2_sha256").derive();
    assert_eq!(fresh.finish(&*digest), stored);
}

#[test]
fn jobs_may_move_between_threads_and_print_no_secret() {
    fn is_sendable<T: Send + 'static>(_: &T) {}
    let hashers = all_hashers();
    let job = hashers.job(Password::new("sesame"), None, entropy());
    is_sendable(&job);
    assert_eq!(format!("{job:?}"), "Job { kind: Pbkdf2Sha256, cost: 1000, .. }");
    assert_eq!(format!("{:?}", job.pbkdf2()), "Some(Pbkdf2Job { rounds: 1000, .. })");
}
