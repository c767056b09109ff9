//! What jobs need, what they may take, and what workers did of it.

use std::time::Duration;

use countersign_formats::password;
use countersign_lanes::Lanes;

use super::forecast::{Load, WHOLE_ROUND_PICOS};
use crate::client::ClientAddress;

/// What is bounded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Jobs that wait, those aside for which a worker is idle.
    pub(super) queue: usize,
    /// Bytes of memory-hard jobs that run at once; a greater job runs when no other of them does.
    pub(super) memory: u64,
    /// How long a job may take from its admission.
    pub(super) deadline: Duration,
}

impl Limits {
    /// How long a job may be expected to take when it is admitted. The rest of its time makes up for what is not foreseen, and
    /// lets clients take turns.
    pub(super) fn promise(&self) -> Duration {
        self.deadline * 3 / 4
    }

    /// Jobs of one client that may wait when there is `room` for so many more: a third of those, so that one client alone comes
    /// to a quarter of the queue, and a few, however many jobs they have, leave room for others.
    pub(super) fn of_one_client(&self, client: ClientAddress, room: usize) -> usize {
        if client.is_known() { (room / 3).max(1) } else { self.queue }
    }

    /// Jobs of all clients of one site ([`ClientAddress::site`]) that may wait then: as many, so half of the queue.
    pub(super) fn of_one_site(&self, client: ClientAddress, room: usize) -> usize {
        if client.is_known() { room.max(1) } else { self.queue }
    }
}

/// What a job needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) kind: Kind,
    /// Its time, in iterations of PBKDF2-HMAC-SHA256.
    pub(super) rounds: u64,
    /// Its bytes, when it is memory-hard.
    pub(super) memory: u64,
}

impl Demand {
    /// What it comes to where nothing hinders it.
    pub(super) fn load(self) -> Load {
        match self.kind {
            Kind::Lane => Load { lane_jobs: 1, lane_rounds: self.rounds, whole_rounds: 0 },
            Kind::Whole | Kind::MemoryHard => Load { whole_rounds: self.rounds, ..Load::default() },
        }
    }

    /// What one hash of this work needs.
    pub(super) fn of(work: &password::Work) -> Self {
        let memory = work.memory();
        let kind = match work {
            password::Work::Pbkdf2Sha256 { .. } => Kind::Lane,
            _ if memory > 0 => Kind::MemoryHard,
            _ => Kind::Whole,
        };
        Self { kind, rounds: password::estimated_cost(work), memory }
    }
}

/// How a job is done; each kind has its own line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In a lane beside others.
    Lane,
    /// By a worker that does nothing else meanwhile.
    Whole,
    /// As that, within the memory budget.
    MemoryHard,
}

impl Kind {
    /// How many there are.
    pub(super) const COUNT: usize = 3;
}

/// What a worker did without looking up, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) work: Work,
    pub(super) taken: Duration,
}

impl Chunk {
    /// So many rounds of so many jobs side by side.
    pub(super) fn of_lanes(jobs: usize, rounds: u32, taken: Duration) -> Self {
        Self { work: Work::Lanes { jobs, rounds }, taken }
    }

    /// Both, if the lanes of as many jobs went on; else this one.
    pub(super) fn after(self, before: Option<Self>) -> Self {
        match (self.work, before) {
            (Work::Lanes { jobs, rounds }, Some(Self { work: Work::Lanes { jobs: same, rounds: more }, taken }))
                if jobs == same =>
            {
                Self::of_lanes(jobs, rounds.saturating_add(more), self.taken.saturating_add(taken))
            }
            _ => self,
        }
    }

    /// How long it takes where nothing hinders it.
    pub(super) fn planned(&self, lanes: &Lanes) -> Duration {
        match self.work {
            Work::Lanes { jobs, rounds } => lanes.time(jobs, rounds),
            Work::Whole { rounds } => Duration::from_nanos(rounds.saturating_mul(WHOLE_ROUND_PICOS) / 1_000),
        }
    }
}

/// What a worker did.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// So many rounds of so many jobs side by side.
    Lanes { jobs: usize, rounds: u32 },
    /// A derivation of so many iterations' worth.
    Whole { rounds: u64 },
}
