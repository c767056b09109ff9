//! The scheduler stepped by hand, at random, through futures, and over recorded passwords. No test waits for a clock.

mod door;
mod properties;
mod recorded;
mod scheduler;
mod storm;

use std::time::Duration;

use countersign_lanes::{Backend, Backends, Costs, Lanes};

use super::demand::{Demand, Kind, Limits};
use super::scheduler::Scheduler;
use crate::client::ClientAddress;

/// One job at a time, 100 ns a round, so 100 ms for [`LANE`].
fn single_lanes() -> Lanes {
    let portable = Backends::only(Backend::Portable).expect("runs anywhere");
    Lanes::new(portable, &Costs::typical().with(Backend::Portable, 1, 100_000))
}

/// A million rounds, as Django 5.2 wants them.
const LANE: Demand = Demand { kind: Kind::Lane, rounds: 1_000_000, memory: 0 };
const WHOLE: Demand = Demand { kind: Kind::Whole, rounds: 1_000_000, memory: 0 };

fn memory_hard(memory: u64) -> Demand {
    Demand { kind: Kind::MemoryHard, rounds: 1_000_000, memory }
}

/// A client of a site of its own.
fn client(number: u8) -> ClientAddress {
    ClientAddress::new([192, 0, number, 1].into())
}

/// Ten seconds for each job, and 256 of memory.
fn limits(queue: usize) -> Limits {
    Limits { queue, memory: 256, deadline: Duration::from_secs(10) }
}

fn idle<T>(limits: Limits, workers: usize) -> Scheduler<T> {
    Scheduler::new(limits, single_lanes(), workers, LANE)
}
