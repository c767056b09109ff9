//! Batches whose jobs come, go and are dropped in any order, against RustCrypto's `pbkdf2`.

use std::collections::HashMap;
use std::num::NonZeroU32;

use countersign_lanes::{Batch, Costs, Job, Lanes, MAX_WIDTH};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::every_path;

#[derive(Clone, Debug)]
struct Request {
    password: Vec<u8>,
    salt: Vec<u8>,
    rounds: NonZeroU32,
    block: NonZeroU32,
    /// Whether its client goes away at the first look after it was put in.
    dropped: bool,
}

impl Request {
    fn job(&self) -> Job {
        Job::for_block(&self.password, &self.salt, self.rounds, self.block)
    }

    fn expected(&self) -> [u8; 32] {
        let block = self.block.get() as usize;
        let mut key = vec![0; 32 * block];
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(&self.password, &self.salt, self.rounds.get(), &mut key);
        key[32 * (block - 1)..].try_into().expect("the last block")
    }
}

/// Lengths from none to several blocks of SHA-256, the borders of its padding among them.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let border =
        prop::sample::select(vec![0_usize, 1, 51, 52, 55, 56, 59, 60, 63, 64, 65, 115, 116, 119, 120, 127, 128, 129]);
    prop_oneof![0..260_usize, border].prop_flat_map(|length| vec(any::<u8>(), length))
}

fn request() -> impl Strategy<Value = Request> {
    let rounds = prop_oneof![1..4_u32, 1..200_u32].prop_map(|rounds| NonZeroU32::new(rounds).expect("from one"));
    let block = (1..4_u32).prop_map(|block| NonZeroU32::new(block).expect("from one"));
    (bytes(), bytes(), rounds, block, prop::bool::weighted(0.1))
        .prop_map(|(password, salt, rounds, block, dropped)| Request { password, salt, rounds, block, dropped })
}

/// Runs all requests through one batch, refilled whenever a place is free and advanced by `chunks` in turn, and returns
/// what came out. On the way, what the batch says about itself must hold.
fn run(lanes: Lanes, width: usize, requests: &[Request], chunks: &[u32]) -> HashMap<usize, [u8; 32]> {
    let mut batch = Batch::new(lanes, width);
    let mut waiting = requests.iter().enumerate();
    let mut chunks = chunks.iter().cycle();
    let mut blocks = HashMap::new();
    loop {
        let room = batch.room();
        for (index, request) in waiting.by_ref().take(room) {
            batch.insert(request.job(), index).expect("there is room");
        }
        if batch.is_empty() {
            return blocks;
        }
        batch.retain(|&index| !requests[index].dropped);
        assert!(batch.running() <= width && batch.iter().count() == batch.running());

        let before: HashMap<usize, u32> = batch.iter().map(|(&index, remaining)| (index, remaining)).collect();
        let most = *chunks.next().expect("endless");
        let rounds = batch.advance(most);
        assert_eq!(rounds, before.values().copied().min().map_or(0, |least| least.min(most)));
        for (index, remaining) in batch.iter() {
            assert_eq!(before[index] - remaining, rounds);
        }
        for (index, block) in batch.take_finished() {
            assert!(blocks.insert(index, *block.expose()).is_none(), "came out twice");
        }
        assert_eq!(batch.room(), width - batch.running());
    }
}

proptest! {
    #[test]
    fn any_mix_agrees_with_rustcrypto_on_every_path(
        requests in vec(request(), 1..40),
        chunks in vec(1..120_u32, 1..8),
        width in 1..=MAX_WIDTH,
    ) {
        let wanted = requests.iter().enumerate().filter(|(_, request)| !request.dropped);
        let expected: HashMap<usize, [u8; 32]> = wanted.map(|(index, request)| (index, request.expected())).collect();
        for (path, lanes) in every_path() {
            let blocks = run(lanes, width, &requests, &chunks);
            prop_assert!(blocks == expected, "{path}");
        }
    }

    #[test]
    fn any_length_of_key_agrees_with_rustcrypto_on_every_path(
        password in bytes(),
        salt in bytes(),
        rounds in 1..50_u32,
        length in 0..700_usize,
    ) {
        let mut expected = vec![0; length];
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(&password, &salt, rounds, &mut expected);
        for (path, lanes) in every_path() {
            let mut key = vec![0; length];
            lanes.derive(&password, &salt, NonZeroU32::new(rounds).expect("from one"), &mut key);
            prop_assert!(key == expected, "{path}");
        }
    }
}

/// Each number of jobs on each path, so that no occupancy is left to chance.
#[test]
fn every_occupancy_agrees_with_rustcrypto_on_every_path() {
    let rounds = NonZeroU32::new(25).expect("not zero");
    let one = |number: usize| Request {
        password: vec![b'p'; number * 9],
        salt: vec![b's'; number * 7],
        rounds,
        block: NonZeroU32::MIN,
        dropped: false,
    };
    let requests: Vec<Request> = (0..MAX_WIDTH).map(one).collect();
    let expected: Vec<[u8; 32]> = requests.iter().map(Request::expected).collect();
    for (path, lanes) in every_path() {
        for jobs in 1..=MAX_WIDTH {
            let blocks = run(lanes, MAX_WIDTH, &requests[..jobs], &[7]);
            assert!((0..jobs).all(|index| blocks[&index] == expected[index]), "{jobs} jobs on {path}");
        }
    }
}

#[test]
fn a_full_batch_gives_the_job_back() {
    let lanes = Lanes::new(countersign_lanes::Backends::detect(), &Costs::typical());
    let job = |rounds| Job::new(b"password", b"salt", NonZeroU32::new(rounds).expect("not zero"));
    let mut batch = Batch::new(lanes, 2);
    batch.insert(job(1), "done at once").expect("room");
    assert_eq!((batch.room(), batch.running(), batch.is_empty()), (1, 0, false));
    assert_eq!(batch.advance(10), 0, "nothing runs");
    batch.insert(job(5), "running").expect("room");
    let (job, tag) = batch.insert(job(7), "too many").expect_err("full");
    assert_eq!((job.remaining(), tag), (6, "too many"));
    assert_eq!(batch.advance(0), 0);
    assert_eq!(batch.advance(u32::MAX), 4);
    let tags: Vec<&str> = batch.take_finished().map(|(tag, _)| tag).collect();
    assert_eq!(tags, ["done at once", "running"]);
    assert!(batch.is_empty());
}

#[test]
fn a_finished_job_that_nobody_wants_is_dropped_too() {
    let mut batch = Batch::new(Lanes::new(countersign_lanes::Backends::detect(), &Costs::typical()), 3);
    for tag in [1, 2, 3] {
        batch.insert(Job::new(b"password", b"salt", NonZeroU32::MIN), tag).expect("room");
    }
    batch.retain(|&tag| tag == 2);
    assert_eq!(batch.room(), 2);
    assert_eq!(batch.take_finished().map(|(tag, _)| tag).collect::<Vec<_>>(), [2]);
}

/// What is logged says nothing about passwords.
#[test]
fn debug_shows_no_state() {
    let mut batch = Batch::new(Lanes::new(countersign_lanes::Backends::detect(), &Costs::typical()), 2);
    batch.insert(Job::new(b"password", b"salt", NonZeroU32::new(9).expect("not zero")), ()).expect("room");
    assert_eq!(format!("{batch:?}"), "Batch { width: 2, running: [Job { remaining: 8, .. }], finished: 0, .. }");
    batch.advance(8);
    assert!(batch.take_finished().all(|((), block)| format!("{block:?}") == "Block(..)"));
}
