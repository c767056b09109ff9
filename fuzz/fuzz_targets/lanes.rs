//! Batches of any jobs, advanced and dropped in any order, on a path forced at random: whatever comes out must be what
//! RustCrypto's `pbkdf2` makes.
#![no_main]

use std::num::NonZeroU32;

use countersign_lanes::{Backend, Backends, Batch, Costs, Job, Lanes};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    backend: u8,
    /// What each back end's loop of each width costs: decides how jobs are split into calls.
    costs: [[u16; 3]; 4],
    width: u8,
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Insert { password: &'a [u8], salt: &'a [u8], rounds: u8, block: bool },
    Advance(u8),
    Take,
    Drop(u8),
}

/// What a job was made from, carried as its tag.
struct Asked<'a> {
    password: &'a [u8],
    salt: &'a [u8],
    rounds: NonZeroU32,
    block: usize,
}

impl Asked<'_> {
    fn is(&self, block: &[u8; 32]) -> bool {
        let mut key = [0; 64];
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(self.password, self.salt, self.rounds.get(), &mut key);
        key.chunks(32).nth(self.block).is_some_and(|expected| expected == block)
    }
}

fuzz_target!(|input: Input| {
    let backend = Backend::ALL[usize::from(input.backend) % Backend::ALL.len()];
    let backends = Backends::only(backend).unwrap_or_else(Backends::detect);
    let costs = Backend::ALL.into_iter().zip(input.costs).fold(Costs::typical(), |costs, (backend, picos)| {
        let widths = [1, backend.width().div_ceil(2), backend.width()];
        widths.into_iter().zip(picos).fold(costs, |costs, (jobs, picos)| costs.with(backend, jobs, u64::from(picos)))
    });
    let mut batch = Batch::new(Lanes::new(backends, &costs), usize::from(input.width % 20));
    for step in input.steps {
        match step {
            Step::Insert { password, salt, rounds, block } => {
                let rounds = NonZeroU32::MIN.saturating_add(rounds.into());
                let index = NonZeroU32::MIN.saturating_add(block.into());
                let asked = Asked { password, salt, rounds, block: block.into() };
                let room = batch.room();
                let inserted = batch.insert(Job::for_block(password, salt, rounds, index), asked);
                assert_eq!(inserted.is_ok(), room > 0);
            }
            Step::Advance(most) => {
                let least = batch.iter().map(|(_, remaining)| remaining).min().unwrap_or(0);
                assert_eq!(batch.advance(most.into()), least.min(most.into()));
            }
            Step::Take => assert!(batch.take_finished().all(|(asked, block)| asked.is(block.expose()))),
            Step::Drop(byte) => batch.retain(|asked| asked.salt.first() != Some(&byte)),
        }
    }
    while batch.advance(u32::MAX) > 0 {}
    assert!(batch.take_finished().all(|(asked, block)| asked.is(block.expose())));
});
