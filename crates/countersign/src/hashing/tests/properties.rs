//! Random arrivals, cancellations and turns: every admitted job is answered once or given up once, nobody is passed over.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::demand::{Chunk, Work};
use super::super::scheduler::JobId;
use super::*;

#[derive(Clone, Debug)]
enum Event {
    /// A client's job comes, needing so many turns; it goes on once more when `again`.
    Arrives { who: u8, demand: Demand, turns: u32, again: bool },
    /// One of the clients goes away.
    GoesAway(prop::sample::Index),
    /// A worker has a turn.
    Turn(usize),
    /// Time passes.
    Passes(u64),
}

const WORKERS: usize = 3;

fn event() -> impl Strategy<Value = Event> {
    let demand = prop_oneof![4 => Just(LANE), 1 => Just(WHOLE), 1 => (1..400_u64).prop_map(memory_hard)];
    prop_oneof![
        4 => (0..5_u8, demand, 1..4_u32, prop::bool::weighted(0.2))
            .prop_map(|(who, demand, turns, again)| Event::Arrives { who, demand, turns, again }),
        1 => any::<prop::sample::Index>().prop_map(Event::GoesAway),
        6 => (0..WORKERS).prop_map(Event::Turn),
        1 => (0..400_u64).prop_map(Event::Passes),
    ]
}

/// The job as its worker sees it.
#[derive(Clone, Copy, Debug)]
struct Stint {
    turns: u32,
    again: bool,
}

/// A job that waits for its first turn, and how often others of its kind were taken meanwhile.
struct Wait {
    who: u8,
    kind: Kind,
    own_ahead: usize,
    overtaken: HashMap<u8, usize>,
}

#[derive(Default)]
struct World {
    now: Duration,
    open: Vec<JobId>,
    waits: HashMap<JobId, Wait>,
    lanes: [Vec<(JobId, Stint)>; WORKERS],
    whole: [Option<(JobId, Stint)>; WORKERS],
    memory: HashMap<JobId, u64>,
    admitted: u64,
    answered: u64,
}

impl World {
    fn arrives(&mut self, scheduler: &mut Scheduler<Stint>, who: u8, demand: Demand, work: Stint) {
        let Ok(id) = scheduler.admit(client(who), self.now) else { return };
        self.admitted += 1;
        scheduler.submit(id, demand, work).expect("just admitted");
        let own_ahead = self.waits.values().filter(|wait| (wait.who, wait.kind) == (who, demand.kind)).count();
        self.waits.insert(id, Wait { who, kind: demand.kind, own_ahead, overtaken: HashMap::new() });
        self.memory.insert(id, demand.memory);
        self.open.push(id);
    }

    /// Nobody waits for more jobs of any one other client than of its own, but for those that could not wait for turns.
    fn taken(&mut self, id: JobId, in_turn: bool) {
        let Some(taken) = self.waits.remove(&id) else { return };
        if !in_turn {
            return;
        }
        for (who, times) in &taken.overtaken {
            assert!(*times <= taken.own_ahead + 1, "client {who} was served {times} times meanwhile");
        }
        for wait in self.waits.values_mut().filter(|wait| wait.kind == taken.kind && wait.who != taken.who) {
            *wait.overtaken.entry(taken.who).or_default() += 1;
        }
    }

    fn turn(&mut self, scheduler: &mut Scheduler<Stint>, worker: usize) {
        let _late = scheduler.expire(self.now);
        if let Some((id, work)) = self.whole[worker].take() {
            return self.end_or_go_on(scheduler, worker, id, work, false);
        }
        self.lanes[worker].retain(|(id, _)| scheduler.is_in_lane(*id));
        let remaining = self.lanes[worker].len() as u64 * 1_000_000;
        let jobs = self.lanes[worker].len();
        let done = Chunk { work: Work::Lanes { jobs, rounds: 300_000 }, taken: Duration::from_millis(30) };
        scheduler.progress(worker, remaining, (jobs > 0).then_some(done));
        let in_turn = !scheduler.is_pressed();
        if let Some((id, work)) = scheduler.take_whole(worker) {
            self.taken(id, in_turn);
            self.whole[worker] = Some((id, work));
            let in_use: u64 = self.whole.iter().flatten().map(|(id, _)| self.memory[id]).sum();
            let users = self.whole.iter().flatten().filter(|(id, _)| self.memory[id] > 0).count();
            assert!(in_use <= 256 || users == 1, "{in_use} of memory");
            return;
        }
        loop {
            let in_turn = !scheduler.is_pressed();
            let Some((id, work)) = scheduler.take_lane(worker) else { break };
            self.taken(id, in_turn);
            self.lanes[worker].push((id, work));
        }
        for (id, mut work) in std::mem::take(&mut self.lanes[worker]) {
            work.turns -= 1;
            if work.turns == 0 {
                self.end_or_go_on(scheduler, worker, id, work, true);
            } else {
                self.lanes[worker].push((id, work));
            }
        }
    }

    fn end_or_go_on(&mut self, scheduler: &mut Scheduler<Stint>, worker: usize, id: JobId, work: Stint, lane: bool) {
        if !work.again {
            self.answered += u64::from(scheduler.finish(id));
        } else if lane && scheduler.is_in_lane(id) {
            self.lanes[worker].push((id, Stint { turns: 1, again: false }));
        } else {
            self.memory.insert(id, 0);
            let _unwanted = scheduler.go_on(id, LANE, Stint { turns: 1, again: false });
        }
    }
}

proptest! {
    #[test]
    fn every_admitted_job_is_answered_once_or_given_up_once(
        events in vec(event(), 1..400),
        queue in 0..40_usize,
    ) {
        let mut scheduler = idle(Limits { deadline: Duration::from_secs(3), ..limits(queue) }, WORKERS);
        let mut world = World::default();
        for event in events {
            match event {
                Event::Arrives { who, demand, turns, again } => {
                    world.arrives(&mut scheduler, who, demand, Stint { turns, again });
                }
                Event::GoesAway(index) if !world.open.is_empty() => {
                    let id = world.open.swap_remove(index.index(world.open.len()));
                    scheduler.abandon(id);
                    world.waits.remove(&id);
                }
                Event::GoesAway(_) => {}
                Event::Turn(worker) => world.turn(&mut scheduler, worker),
                Event::Passes(millis) => world.now += Duration::from_millis(millis),
            }
            let stats = scheduler.stats();
            prop_assert!(stats.waiting <= queue + WORKERS + stats.running + WORKERS);
            prop_assert_eq!(stats.served, world.answered);
        }
        // From here on nobody comes and the clock stands: all that wait are served.
        for _ in 0..2_000 {
            for worker in 0..WORKERS {
                world.turn(&mut scheduler, worker);
            }
        }
        let stats = scheduler.stats();
        prop_assert_eq!((stats.waiting, stats.running), (0, 0));
        prop_assert_eq!(stats.served + stats.expired + stats.abandoned, world.admitted);
        prop_assert!((0..WORKERS).all(|worker| !scheduler.has_work_for(worker)));
        // Nothing is left that a newcomer would have to wait for.
        let own = scheduler.predict();
        prop_assert_eq!(own, idle::<()>(limits(queue), WORKERS).predict());
    }
}
