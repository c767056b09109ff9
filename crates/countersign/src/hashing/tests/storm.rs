//! Whole machines in simulated time, whose workers take exactly as long as the forecast has it: whatever comes, and in
//! whatever order, nobody who was admitted is late.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::demand::Work;
use super::super::scheduler::JobId;
use super::super::{demand::Chunk, forecast::WHOLE_ROUND_PICOS};
use super::*;

/// What a worker does at a time.
const STEP: Duration = Duration::from_millis(1);

struct Machine {
    scheduler: Scheduler<Demand>,
    lanes: Lanes,
    workers: Vec<Worker>,
    now: Duration,
}

#[derive(Clone, Default)]
struct Worker {
    /// Jobs and the rounds that each has to go.
    lanes: Vec<(JobId, u64)>,
    /// A job and the picoseconds that it has to go.
    whole: Option<(JobId, u64)>,
    done: Option<Chunk>,
}

impl Machine {
    fn new(limits: Limits, lanes: Lanes, workers: usize, typical: Demand) -> Self {
        Self {
            scheduler: Scheduler::new(limits, lanes, workers, typical),
            lanes,
            workers: vec![Worker::default(); workers],
            now: Duration::ZERO,
        }
    }

    fn brings(&mut self, client: ClientAddress, demand: Demand) {
        if let Ok(id) = self.scheduler.admit(client, self.now) {
            self.scheduler.submit(id, demand, demand).expect("just admitted");
        }
    }

    /// Lets all workers work for a step.
    fn works(&mut self) {
        for index in 0..self.workers.len() {
            self.turn(index);
        }
        self.now += STEP;
        let picos = u64::try_from(STEP.as_nanos()).expect("short") * 1_000;
        for worker in &mut self.workers {
            let mut finished = Vec::new();
            if let Some((id, left)) = &mut worker.whole {
                *left = left.saturating_sub(picos);
                if *left == 0 {
                    finished.push(*id);
                    worker.whole = None;
                }
            } else if !worker.lanes.is_empty() {
                let rounds = picos / self.lanes.round_picos(worker.lanes.len());
                let jobs = worker.lanes.len();
                worker.lanes.retain_mut(|(id, left)| {
                    *left = left.saturating_sub(rounds);
                    finished.extend((*left == 0).then_some(*id));
                    *left > 0
                });
                let rounds = u32::try_from(rounds).expect("few");
                worker.done = Some(Chunk { work: Work::Lanes { jobs, rounds }, taken: STEP });
            }
            for id in finished {
                assert!(self.scheduler.finish(id), "it was late");
            }
        }
    }

    fn turn(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        if worker.whole.is_some() {
            return;
        }
        assert!(self.scheduler.expire(self.now).is_empty(), "somebody waits who is late");
        let remaining = worker.lanes.iter().map(|(_, left)| left).sum();
        self.scheduler.progress(index, remaining, worker.done.take());
        if let Some((id, demand)) = self.scheduler.take_whole(index) {
            worker.whole = Some((id, demand.rounds * WHOLE_ROUND_PICOS));
            worker.done = Some(Chunk {
                work: Work::Whole { rounds: demand.rounds },
                taken: Duration::from_nanos(demand.rounds * WHOLE_ROUND_PICOS / 1_000),
            });
            return;
        }
        while let Some((id, demand)) = self.scheduler.take_lane(index) {
            worker.lanes.push((id, demand.rounds));
        }
    }

    /// Until nobody waits and nothing runs.
    fn works_it_off(&mut self) {
        while self.scheduler.stats().waiting + self.scheduler.stats().running > 0 {
            self.works();
        }
    }

    fn nobody_was_late(&self) {
        let stats = self.scheduler.stats();
        assert_eq!(stats.expired + stats.abandoned, 0, "{stats:?}");
    }
}

/// Client `number` of site `site`.
fn neighbour(site: u16, number: u16) -> ClientAddress {
    ClientAddress::new([0x2001, 0xdb8, site, number, 0, 0, 0, 1].into())
}

/// A minute of logins at fifty times what the machine can do, on two cores with all that this CPU has.
fn storm(queue: usize, client: impl Fn(u64) -> ClientAddress) {
    let lanes = Lanes::new(Backends::detect(), &Costs::typical());
    let width = lanes.best_width(countersign_lanes::MAX_WIDTH) as u64;
    let mut machine = Machine::new(limits(queue), lanes, 2, LANE);
    let capacity = 2 * width * 1_000_000 / lanes.round_picos(lanes.best_width(16)); // a second
    let mut comers = 0;
    for millis in 1..=60_000 {
        while comers < millis * capacity * 50 / 1_000 {
            machine.brings(client(comers), LANE);
            comers += 1;
        }
        machine.works();
    }
    let served = machine.scheduler.stats().served;
    machine.works_it_off();
    machine.nobody_was_late();
    assert!(served > 60 * capacity * 9 / 10, "{served} of {capacity} a second");
}

#[test]
fn a3_nobody_admitted_is_late_in_a_storm_of_some_clients() {
    storm(256, |number| neighbour(u16::try_from(number % 200).expect("small"), 1));
}

/// Each is the first of its client: those who have more than one job there are passed over until they cannot wait any more.
#[test]
fn a3_nobody_admitted_is_late_in_a_storm_of_newcomers() {
    storm(256, |number| {
        if number % 10 == 0 { neighbour(0, 1) } else { neighbour(u16::try_from(number % 65_000).expect("small"), 1) }
    });
}

/// The queue is not what bounds it here.
#[test]
fn a3_nobody_admitted_is_late_in_a_storm_on_a_long_queue() {
    storm(100_000, |number| neighbour(u16::try_from(number % 1_000).expect("small"), 1));
}

proptest! {
    /// Two workers; bursts of any clients, of jobs for lanes and of whole ones.
    #[test]
    fn a3_nobody_admitted_is_late(
        bursts in vec((0..400_u32, 0..4_u16, 0..3_u16, 1..60_usize, prop::bool::weighted(0.3)), 1..120),
        queue in 0..300_usize,
        seconds in 1..12_u64,
    ) {
        let limits = Limits { deadline: Duration::from_secs(seconds), ..limits(queue) };
        let mut machine = Machine::new(limits, single_lanes(), 2, LANE);
        for (millis, site, number, jobs, is_whole) in bursts {
            for _ in 0..millis {
                machine.works();
            }
            for _ in 0..jobs {
                machine.brings(neighbour(site, number), if is_whole { WHOLE } else { LANE });
            }
        }
        machine.works_it_off();
        machine.nobody_was_late();
    }

    /// Memory for one and a half of them at a time.
    #[test]
    fn a3_nobody_admitted_is_late_for_want_of_memory(
        bursts in vec((0..400_u32, 0..4_u16, 1..60_usize), 1..60),
        workers in 1..5_usize,
    ) {
        let typical = memory_hard(170);
        let mut machine = Machine::new(limits(300), single_lanes(), workers, typical);
        for (millis, site, jobs) in bursts {
            for _ in 0..millis {
                machine.works();
            }
            for _ in 0..jobs {
                machine.brings(neighbour(site, 1), typical);
            }
        }
        machine.works_it_off();
        machine.nobody_was_late();
    }
}
