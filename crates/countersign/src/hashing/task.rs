//! A password job of `formats` as workers see it: what it needs, its derivation, and its answer.

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};

use countersign_formats::password::{EncodeError, Job, NewHash, Pbkdf2Job, Progress, Verdict, estimated_cost};
use countersign_lanes as lanes;
use tokio::sync::oneshot;

use super::demand::Demand;

/// The hashing code panicked.
#[derive(Debug)]
pub(super) struct Died;

/// A job with the place where its answer is awaited. Dropping it tells that there will be none.
#[derive(Debug)]
pub(super) enum Task {
    /// Judge a password.
    Check(Job, oneshot::Sender<Result<Verdict, Died>>),
    /// Make a hash.
    Make(NewHash, oneshot::Sender<Result<Result<String, EncodeError>, Died>>),
}

/// What a task comes to after one derivation.
pub(super) enum Next {
    /// An answer, to be given once it is noted.
    Answer(Box<dyn FnOnce() + Send>),
    /// One more derivation.
    More(Task),
}

impl Task {
    /// What it needs: the kind and the memory of the derivation to do now, and the time of all.
    pub(super) fn demand(&self) -> Demand {
        match self {
            Self::Check(job, _) => Demand { rounds: job.cost(), ..Demand::of(&job.work()) },
            Self::Make(hash, _) => Demand::of(&hash.work()),
        }
    }

    /// The time of the derivation to do now, in iterations of PBKDF2-HMAC-SHA256.
    pub(super) fn step_rounds(&self) -> u64 {
        estimated_cost(&match self {
            Self::Check(job, _) => job.work(),
            Self::Make(hash, _) => hash.work(),
        })
    }

    /// The derivation as a lane runs it, if a lane can: when the demand is of [`Kind::Lane`](super::demand::Kind::Lane).
    pub(super) fn lane(&self) -> Option<lanes::Job> {
        let Pbkdf2Job { password, salt, rounds, .. } = match self {
            Self::Check(job, _) => job.pbkdf2(),
            Self::Make(hash, _) => hash.pbkdf2(),
        }?;
        let rounds = NonZeroU32::new(*rounds).unwrap_or(NonZeroU32::MIN);
        Some(lanes::Job::new(password.expose().as_bytes(), salt, rounds))
    }

    /// Goes on from the digest that a lane computed.
    pub(super) fn judge(self, digest: &[u8]) -> Next {
        match self {
            Self::Check(job, answer) => next(job.judge(digest), answer),
            Self::Make(hash, answer) => {
                let text = hash.finish(digest);
                answer_with(answer, Ok(Ok(text)))
            }
        }
    }

    /// Does the derivation here and now.
    pub(super) fn run(self) -> Next {
        match self {
            Self::Check(job, answer) => match catch_unwind(AssertUnwindSafe(|| job.advance())) {
                Ok(progress) => next(progress, answer),
                Err(_) => answer_with(answer, Err(Died)),
            },
            Self::Make(hash, answer) => {
                let made = catch_unwind(AssertUnwindSafe(|| hash.run()));
                answer_with(answer, made.map_err(|_| Died))
            }
        }
    }
}

fn next(progress: Progress, answer: oneshot::Sender<Result<Verdict, Died>>) -> Next {
    match progress {
        Progress::More(job) => Next::More(Task::Check(job, answer)),
        Progress::Done(verdict) => answer_with(answer, Ok(verdict)),
        _ => answer_with(answer, Err(Died)),
    }
}

/// The answer goes nowhere when its client has gone.
fn answer_with<T: Send + 'static>(answer: oneshot::Sender<T>, value: T) -> Next {
    Next::Answer(Box::new(move || drop(answer.send(value))))
}
