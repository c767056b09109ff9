//! Futures at the door, with workers that are stepped by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_formats::password::{Algorithm, Hashers, Job, Password, SaltEntropy, WorkFactors};
use tokio::task::JoinHandle;

use super::super::shift::Shift;
use super::super::task::Task;
use super::super::worker::{Turn, Worker};
use super::super::{Hashing, Place, Stopwatch};
use super::*;
use crate::failure::Failure;
use crate::settings::HashingSettings;

/// A stopwatch that shows what it was set to, in milliseconds; and that panics in a thread called [`DOOMED`] at the last of
/// so many looks.
#[derive(Clone, Default)]
struct ByHand(Arc<AtomicU64>, Arc<AtomicU64>);

const DOOMED: &str = "doomed";

impl Stopwatch for ByHand {
    fn elapsed(&self) -> Duration {
        if std::thread::current().name() == Some(DOOMED) {
            let looks = self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |looks| looks.checked_sub(1));
            assert_ne!(looks, Ok(1), "a fault in the hashing code");
        }
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

struct Fixture {
    door: Hashing,
    workers: Vec<Worker>,
    stopwatch: ByHand,
    hashers: Hashers,
}

/// Ten chunks of a worker's.
const ROUNDS: u32 = 100_000;

impl Fixture {
    fn new(queue: usize) -> Self {
        let mut factors = WorkFactors::default();
        factors.pbkdf2_sha256_iterations = ROUNDS;
        factors.bcrypt_rounds = 4;
        factors.argon2_memory_cost = 64;
        factors.argon2_parallelism = 1;
        factors.argon2_time_cost = 1;
        let hashers = Hashers::new(Algorithm::ALL.to_vec(), factors).expect("valid");
        let settings = HashingSettings { queue, threads: 1, ..HashingSettings::default() };
        let stopwatch = ByHand::default();
        let (door, workers) = Hashing::stopped(&settings, &hashers, single_lanes(), Box::new(stopwatch.clone()));
        Self { door, workers, stopwatch, hashers }
    }

    fn place(&self) -> Place {
        self.door.admit(client(1)).expect("a place")
    }

    fn job(&self, password: &str, stored: Option<&str>) -> Job {
        self.hashers.job(Password::new(password), stored, SaltEntropy::new([7; 32]))
    }

    fn stored(&self, algorithm: Algorithm) -> String {
        let password = Password::new("sesame");
        self.hashers.encode_with(algorithm, &password, SaltEntropy::new([9; 32])).expect("hashed")
    }

    /// A turn of the worker, after all futures have gone as far as they can.
    async fn turn(&mut self) -> Turn {
        tokio::task::yield_now().await;
        self.workers[0].turn()
    }

    /// Turns until there is nothing to do.
    async fn work(&mut self) -> usize {
        let mut turns = 0;
        while self.turn().await == Turn::Worked {
            turns += 1;
        }
        turns
    }

    /// Running and waiting.
    fn now(&self) -> (usize, usize) {
        (self.door.stats().running, self.door.stats().waiting)
    }
}

async fn retry_after<T: std::fmt::Debug>(answer: JoinHandle<Result<T, Failure>>) -> Duration {
    match answer.await.expect("joined") {
        Err(Failure::Overloaded { retry_after }) => retry_after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a3_a_full_queue_refuses_at_once() {
    let mut fixture = Fixture::new(0);
    let first = tokio::spawn(fixture.place().check(fixture.job("sesame", None)));
    assert!(matches!(fixture.door.admit(client(2)), Err(Failure::Overloaded { .. })), "before it runs");
    assert_eq!(fixture.turn().await, Turn::Worked);
    assert_eq!(fixture.now(), (1, 0));
    assert!(matches!(fixture.door.admit(client(2)), Err(Failure::Overloaded { .. })), "while it runs");
    fixture.work().await;
    assert!(!first.await.expect("joined").expect("hashed").matches);
    fixture.door.admit(client(2)).expect("free again");
    assert_eq!((fixture.door.stats().served, fixture.door.stats().shed), (1, 2));
}

#[tokio::test]
async fn a3_a_client_that_goes_away_leaves_queue_and_lane() {
    let mut fixture = Fixture::new(8);
    let running = tokio::spawn(fixture.place().check(fixture.job("sesame", None)));
    fixture.turn().await;
    let waiting = tokio::spawn(fixture.place().check(fixture.job("sesame", None)));
    let place = fixture.place();
    tokio::task::yield_now().await;
    assert_eq!(fixture.now(), (1, 2));

    waiting.abort();
    drop(place);
    tokio::task::yield_now().await;
    assert_eq!(fixture.now(), (1, 0));
    running.abort();
    assert_eq!(fixture.turn().await, Turn::Idle, "nobody wants what was in the lane");
    assert_eq!(fixture.now(), (0, 0));
    assert_eq!((fixture.door.stats().abandoned, fixture.door.stats().served), (3, 0));
}

#[tokio::test]
async fn a3_a_job_past_its_deadline_is_answered_503() {
    let mut fixture = Fixture::new(8);
    let running = tokio::spawn(fixture.place().check(fixture.job("sesame", None)));
    fixture.turn().await;
    let waiting = tokio::spawn(fixture.place().check(fixture.job("sesame", None)));
    tokio::task::yield_now().await;
    fixture.stopwatch.0.store(10_000, Ordering::SeqCst);
    let young = tokio::spawn(fixture.place().check(fixture.job("sesame", None)));
    assert!(fixture.work().await >= 10);
    assert!(retry_after(running).await > Duration::ZERO);
    assert!(retry_after(waiting).await > Duration::ZERO);
    assert!(!young.await.expect("joined").expect("hashed").matches);
    assert_eq!((fixture.door.stats().expired, fixture.door.stats().served), (2, 1));
}

/// The worker does nothing here, as one that is busy with a whole job for long, or died.
#[tokio::test(start_paused = true)]
async fn a3_a_deadline_is_kept_while_no_worker_looks() {
    let mut fixture = Fixture::new(8);
    let waiting = tokio::spawn(fixture.place().check(fixture.job("sesame", None)));
    tokio::task::yield_now().await;
    fixture.stopwatch.0.store(10_000, Ordering::SeqCst);
    retry_after(waiting).await;
    assert_eq!((fixture.door.stats().expired, fixture.now()), (1, (0, 0)));
    assert_eq!(fixture.turn().await, Turn::Idle);
}

/// What stood behind a job that waited for memory may run when that one is given up.
#[tokio::test]
async fn whoever_goes_away_lets_those_behind_be_taken() {
    let fixture = Fixture::new(8);
    let memory = HashingSettings::default().memory;
    let submit = |memory| {
        let (answer, _) = tokio::sync::oneshot::channel();
        let place = fixture.place();
        let task = Task::Check(fixture.job("sesame", None), answer);
        fixture.door.shared.scheduler().submit(place.id, memory_hard(memory), task).expect("in time");
        place
    };
    let _running = submit(1);
    fixture.door.shared.scheduler().take_whole(0).expect("taken");
    let too_much = submit(memory);
    let _behind = submit(1);
    assert!(!fixture.door.shared.scheduler().has_work_for(0), "it does not fit");
    let shared = Arc::clone(&fixture.door.shared);
    let woken = std::thread::spawn(move || shared.wait_for_work(0));
    while fixture.door.shared.asleep.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    // It holds the lock from when it counts itself until it sleeps: whoever gets the lock now finds it asleep.
    drop(too_much);
    woken.join().expect("a worker that slept is woken");
}

/// Django 5.2 `harden_runtime`: a wrong password under fewer rounds costs the missing ones, in the lane where it is.
#[tokio::test]
async fn a1_the_extra_work_of_a_wrong_password_keeps_its_lane() {
    let mut fixture = Fixture::new(8);
    let outdated = "pbkdf2_sha256$30000$seasalt12345$qra6nvIUobw34kPpDa1zIqN6KA7BIvIt5Q9ZQbd8lts=";
    let check = tokio::spawn(fixture.place().check(fixture.job("wrong", Some(outdated))));
    let behind = tokio::spawn(fixture.place().check(fixture.job("sesame", None)));
    let mut turns = 0;
    while !check.is_finished() {
        assert_eq!(fixture.turn().await, Turn::Worked);
        tokio::task::yield_now().await;
        turns += 1;
        assert!(check.is_finished() || fixture.now() == (1, 1), "in its lane, and nothing else");
    }
    assert!((10..=12).contains(&turns), "{turns}");
    let verdict = check.await.expect("joined").expect("hashed");
    assert!(!verdict.matches && !verdict.must_update);
    fixture.work().await;
    assert!(behind.await.expect("joined").is_ok());
}

#[tokio::test]
async fn every_kind_of_hasher_passes_the_door() {
    let mut fixture = Fixture::new(8);
    for algorithm in [Algorithm::Pbkdf2Sha256, Algorithm::Bcrypt, Algorithm::Argon2] {
        let stored = fixture.stored(algorithm);
        let right = tokio::spawn(fixture.place().check(fixture.job("sesame", Some(&stored))));
        let wrong = tokio::spawn(fixture.place().check(fixture.job("wrong", Some(&stored))));
        fixture.work().await;
        let right = right.await.expect("joined").expect("hashed");
        assert!(right.matches, "{algorithm}");
        assert_eq!(right.must_update, algorithm != Algorithm::Pbkdf2Sha256);
        // Another hasher's wrong password goes on in a lane, up to the preferred hasher's time.
        assert!(!wrong.await.expect("joined").expect("hashed").matches, "{algorithm}");
    }
    let hash = fixture.hashers.new_hash(&Password::new("sesame"), SaltEntropy::new([9; 32])).expect("short enough");
    let made = tokio::spawn(fixture.place().make(hash));
    fixture.work().await;
    assert_eq!(made.await.expect("joined").expect("done"), Ok(fixture.stored(Algorithm::Pbkdf2Sha256)));
    assert_eq!(fixture.door.stats().served, 7);
    assert_eq!(fixture.now(), (0, 0));
}

#[tokio::test]
async fn jobs_of_a_worker_that_panics_fail_and_it_goes_on() {
    let fixture = Fixture::new(8);
    let checks: Vec<_> = (0..3).map(|_| tokio::spawn(fixture.place().check(fixture.job("sesame", None)))).collect();
    tokio::task::yield_now().await;
    let Fixture { door, mut workers, stopwatch, hashers } = fixture;
    // Between its first chunk and its second: the first job is in its lane.
    stopwatch.1.store(5, Ordering::SeqCst);
    let mut worker = workers.pop().expect("one");
    let thread = std::thread::Builder::new().name(DOOMED.to_owned()).spawn(move || worker.run(Shift::ENDLESS));
    let mut answers = Vec::new();
    for check in checks {
        answers.push(check.await.expect("joined"));
    }
    assert!(matches!(answers[..], [Err(Failure::Hashing), Ok(_), Ok(_)]), "{answers:?}");
    // Neither a lane nor a place is lost.
    let job = hashers.job(Password::new("sesame"), None, SaltEntropy::new([7; 32]));
    door.admit(client(1)).expect("a place").check(job).await.expect("hashed");
    let stats = door.stats();
    assert_eq!((stats.served, stats.running, stats.waiting), (3, 0, 0));
    assert_eq!(stopwatch.1.load(Ordering::SeqCst), 0, "it did panic");
    drop(door);
    assert!(!thread.expect("a thread").join().expect("it ends as it should"));
}

#[tokio::test]
async fn whoever_waits_when_the_door_is_dropped_is_answered_503() {
    let mut fixture = Fixture::new(8);
    let running = tokio::spawn(fixture.place().check(fixture.job("sesame", None)));
    fixture.turn().await;
    let waiting = tokio::spawn(fixture.place().check(fixture.job("sesame", None)));
    tokio::task::yield_now().await;
    let Fixture { door, mut workers, .. } = fixture;
    drop(door);
    assert_eq!(workers[0].turn(), Turn::Closed);
    retry_after(waiting).await;
    drop(workers);
    retry_after(running).await;
}

#[tokio::test]
async fn threads_end_when_the_door_is_dropped() {
    let fixture = Fixture::new(8);
    let door = Hashing::start(&HashingSettings { threads: 3, ..HashingSettings::default() }, &fixture.hashers);
    let check = door.admit(ClientAddress::UNKNOWN).expect("a place").check(fixture.job("sesame", None));
    check.await.expect("hashed");
    let shared = Arc::downgrade(&door.shared);
    drop(door);
    while shared.strong_count() > 0 {
        std::thread::yield_now();
    }
}
