//! Who waits, who runs where, and who is refused: the whole of the scheduler's decisions, without threads, clock or hashing.
//!
//! A job is admitted (a place is kept for it before anything is known about the user), submitted, taken by a worker into a
//! lane or as a whole, and finished; or it expires, or its client abandons it. What was begun and goes on (the extra work of
//! a wrong password) keeps its lane, or comes before all that wait.
//!
//! No admitted job is late as long as work goes at the forecast's rate: it is admitted when all that runs and waits, it last,
//! would be done in time. Clients take turns only while even the oldest could come last of all; else the oldest comes first,
//! and then nobody has to wait for more than was there when it was admitted.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_lanes::Lanes;

use super::crowd::Crowd;
use super::demand::{Chunk, Demand, Kind, Limits, Work};
use super::forecast::{Forecast, Load, WHOLE_ROUND_PICOS};
use super::line::Line;
use super::plan::Plan;
use crate::client::ClientAddress;

/// A job's number: later ones are higher.
pub(super) type JobId = u64;

/// No place for a job. It may come again after this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) retry_after: Duration,
}

/// What became of jobs, and what they are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HashingStats {
    /// Jobs that were answered.
    pub served: u64,
    /// Jobs that were refused at once: the queue, or their client's part of it, was full, or the wait too long.
    pub shed: u64,
    /// Jobs that passed their deadline before they were done.
    pub expired: u64,
    /// Jobs whose clients went away.
    pub abandoned: u64,
    /// Jobs being done now.
    pub running: usize,
    /// Jobs waiting now, or about to.
    pub waiting: usize,
}

/// The scheduler's state. `T` is the job itself, of which nothing need be known.
#[derive(Debug)]
pub(super) struct Scheduler<T> {
    limits: Limits,
    plan: Plan,
    forecast: Forecast,
    lanes: Lanes,
    /// What a job is taken to need before that is known: the same for every user (SECURITY A1).
    typical: Demand,
    /// By age; so by deadline too.
    jobs: BTreeMap<JobId, Entry<T>>,
    next_id: JobId,
    lines: [Line; Kind::COUNT],
    /// Those that wait or are about to.
    crowd: Crowd,
    workers: Vec<Worker>,
    memory: u64,
    /// The latest time that was told.
    now: Duration,
    stats: HashingStats,
    is_closed: bool,
}

#[derive(Debug)]
struct Entry<T> {
    client: ClientAddress,
    demand: Demand,
    deadline: Duration,
    state: State<T>,
}

#[derive(Debug)]
enum State<T> {
    /// Admitted, and not yet submitted.
    Reserved,
    Waiting(T),
    /// In a lane of this worker.
    InLane(usize),
    /// This worker does nothing else. Cannot be stopped, though nobody may want it any more.
    Whole {
        worker: usize,
        is_wanted: bool,
    },
}

/// What a worker does.
#[derive(Clone, Copy, Debug, Default)]
struct Worker {
    /// Jobs in its lanes.
    lanes: usize,
    /// Their iterations to go.
    remaining: u64,
    /// Iterations' worth of the job that it does as a whole.
    whole: Option<u64>,
    /// Picoseconds that lanes get before this worker takes another whole job: as much as the last one took, or the last of its
    /// derivations.
    owed: u64,
}

impl Worker {
    fn is_idle(&self) -> bool {
        self.lanes == 0 && self.whole.is_none()
    }
}

impl<T> Scheduler<T> {
    pub(super) fn new(limits: Limits, lanes: Lanes, workers: usize, typical: Demand) -> Self {
        Self {
            limits,
            plan: Plan::new(&lanes, workers),
            forecast: Forecast::new(lanes, workers),
            lanes,
            typical,
            jobs: BTreeMap::new(),
            next_id: 0,
            lines: Default::default(),
            crowd: Crowd::default(),
            workers: vec![Worker::default(); workers],
            memory: 0,
            now: Duration::ZERO,
            stats: HashingStats::default(),
            is_closed: false,
        }
    }

    /// Keeps a place for a job of `client`, or refuses it at once: when the queue or the client's part of it is full, or when
    /// it may not be done before its deadline (SECURITY A3). Only the client and what is ahead count, never the user.
    pub(super) fn admit(&mut self, client: ClientAddress, now: Duration) -> Result<JobId, Refused> {
        self.now = self.now.max(now);
        let idle = self.workers.iter().filter(|worker| worker.is_idle()).count();
        let predicted = self.predict();
        let room = (self.limits.queue + idle).saturating_sub(self.crowd.count()).min(self.fitting(predicted));
        if room == 0
            || self.crowd.of_client(client) >= self.limits.of_one_client(client, room) + idle
            || self.crowd.of_site(client) >= self.limits.of_one_site(client, room) + idle
            || self.is_closed
        {
            self.stats.shed += 1;
            return Err(Refused { retry_after: predicted });
        }
        let id = self.next_id;
        self.next_id += 1;
        let deadline = now.saturating_add(self.limits.deadline);
        self.jobs.insert(id, Entry { client, demand: self.typical, deadline, state: State::Reserved });
        self.crowd.add(client, self.load(self.typical));
        Ok(id)
    }

    /// Lets an admitted job wait for a worker, and returns its deadline. Gives it back if its time is over.
    pub(super) fn submit(&mut self, id: JobId, demand: Demand, job: T) -> Result<Duration, T> {
        let Some(Entry { client, deadline, .. }) = self.jobs.get(&id) else { return Err(job) };
        let (client, deadline) = (*client, *deadline);
        self.crowd.remove(client, self.load(self.typical));
        self.wait(id, client, demand, job);
        self.lines[demand.kind as usize].push(client, id);
        Ok(deadline)
    }

    /// Takes a job for a lane of `worker`, if it should run one more: so many that all workers together do most.
    pub(super) fn take_lane(&mut self, worker: usize) -> Option<(JobId, T)> {
        if self.lanes_wanted(worker) == 0 {
            return None;
        }
        let (id, job, demand) = self.take(Kind::Lane, State::InLane(worker))?;
        self.workers[worker].lanes += 1;
        self.workers[worker].remaining += demand.rounds;
        Some((id, job))
    }

    /// Takes a job that `worker` is to do as a whole, its lanes standing still. Not while a worker without lanes is idle, and not
    /// before lanes had as much time as the last such job took.
    pub(super) fn take_whole(&mut self, worker: usize) -> Option<(JobId, T)> {
        let kind = self.whole_wanted(worker)?;
        let (id, job, demand) = self.take(kind, State::Whole { worker, is_wanted: true })?;
        self.memory += demand.memory;
        self.workers[worker].whole = Some(self.load(demand).whole_rounds);
        Some((id, job))
    }

    /// Whether there is something for `worker` to take.
    pub(super) fn has_work_for(&self, worker: usize) -> bool {
        self.lanes_wanted(worker) > 0 || self.whole_wanted(worker).is_some()
    }

    /// Notes how many iterations are left in the lanes of `worker`, and what it did before.
    pub(super) fn progress(&mut self, worker: usize, remaining: u64, done: Option<Chunk>) {
        let worker = &mut self.workers[worker];
        worker.remaining = remaining;
        let Some(done) = done else { return };
        worker.owed = match done.work {
            Work::Lanes { jobs, rounds } => {
                worker.owed.saturating_sub(self.lanes.round_picos(jobs).saturating_mul(rounds.into()))
            }
            Work::Whole { rounds } => rounds.saturating_mul(WHOLE_ROUND_PICOS),
        };
        self.forecast.learn(done.planned(&self.lanes), done.taken);
    }

    /// Whether the job is still wanted in its lane.
    pub(super) fn is_in_lane(&self, id: JobId) -> bool {
        matches!(self.jobs.get(&id), Some(Entry { state: State::InLane(_), .. }))
    }

    /// Notes that a job is done. `false` when nobody wants the answer any more.
    pub(super) fn finish(&mut self, id: JobId) -> bool {
        let is_wanted = self.release(id).is_some_and(|(_, is_wanted)| is_wanted);
        self.stats.served += u64::from(is_wanted);
        is_wanted
    }

    /// Lets a job that was taken wait for the next of its derivations, before all that have not begun. Gives it back if nobody
    /// wants it any more.
    pub(super) fn go_on(&mut self, id: JobId, demand: Demand, job: T) -> Option<T> {
        let Some((Entry { client, deadline, .. }, true)) = self.release(id) else { return Some(job) };
        self.jobs.insert(id, Entry { client, demand, deadline, state: State::Reserved });
        self.wait(id, client, demand, job);
        self.lines[demand.kind as usize].push_begun(id);
        None
    }

    /// Takes out a job whose client went away; one that a worker does as a whole still runs to its end. Gives back what waited.
    pub(super) fn abandon(&mut self, id: JobId) -> Option<T> {
        if let State::Whole { is_wanted, .. } = &mut self.jobs.get_mut(&id)?.state {
            self.stats.abandoned += u64::from(std::mem::replace(is_wanted, false));
            return None;
        }
        self.stats.abandoned += 1;
        self.leave(id)
    }

    /// Takes out the jobs whose deadline is `now` or has passed, and gives back those that waited.
    pub(super) fn expire(&mut self, now: Duration) -> Vec<T> {
        self.now = self.now.max(now);
        let is_late = |entry: &Entry<T>| entry.deadline <= now;
        let late = self.jobs.iter().take_while(|(_, entry)| is_late(entry));
        // What runs as a whole cannot be stopped, and is answered when it is done.
        let late: Vec<JobId> =
            late.filter(|(_, entry)| !matches!(entry.state, State::Whole { .. })).map(|(id, _)| *id).collect();
        self.stats.expired += late.len() as u64;
        late.into_iter().filter_map(|id| self.leave(id)).collect()
    }

    /// Takes out the jobs of a worker that died. Whoever waits for them is told by the job's end.
    pub(super) fn lose(&mut self, worker: usize) {
        let is_its = |state: &State<T>| match state {
            State::InLane(other) | State::Whole { worker: other, .. } => *other == worker,
            State::Reserved | State::Waiting(_) => false,
        };
        let lost: Vec<JobId> = self.jobs.iter().filter(|(_, entry)| is_its(&entry.state)).map(|(id, _)| *id).collect();
        for id in lost {
            self.release(id);
        }
        self.workers[worker] = Worker::default();
    }

    /// Ends it: nothing is admitted or taken any more, and nobody waits.
    pub(super) fn close(&mut self) -> Vec<T> {
        self.is_closed = true;
        let ids: Vec<JobId> = self.jobs.keys().copied().collect();
        ids.into_iter().filter_map(|id| self.leave(id)).collect()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// How long a job that came now would take if all that is ahead came first.
    pub(super) fn predict(&self) -> Duration {
        self.forecast.time(self.ahead(), self.typical.load())
    }

    pub(super) fn stats(&self) -> HashingStats {
        let running = self.workers.iter().map(|worker| worker.lanes + usize::from(worker.whole.is_some())).sum();
        HashingStats { running, waiting: self.crowd.count(), ..self.stats }
    }

    /// How many more lanes `worker` should fill now.
    fn lanes_wanted(&self, worker: usize) -> usize {
        let waiting = self.lines[Kind::Lane as usize].len();
        if waiting == 0 || self.is_closed {
            return 0;
        }
        let own = self.workers[worker].lanes;
        // Workers that do something else for long have no lanes to offer.
        let others = self.workers.iter().enumerate().filter(|(other, state)| *other != worker && state.whole.is_none());
        let (mut workers, mut jobs, mut rank) = (1, waiting + own, 0);
        for (_, other) in others {
            workers += 1;
            jobs += other.lanes;
            rank += usize::from(other.lanes > own);
        }
        self.plan.width(workers, jobs, rank).saturating_sub(own).min(waiting)
    }

    /// The line from which `worker` should take a whole job now.
    fn whole_wanted(&self, worker: usize) -> Option<Kind> {
        let state = self.workers[worker];
        let has_idle_neighbour = || {
            let mut others = self.workers.iter().enumerate().filter(|(other, _)| *other != worker);
            others.any(|(_, other)| other.is_idle())
        };
        let lanes_have_work = || state.lanes > 0 || self.lanes_wanted(worker) > 0;
        let lanes_come_first = || match self.pressing(worker) {
            Some(kind) => kind == Kind::Lane,
            None => state.owed > 0,
        };
        if self.is_closed
            || self.lines[Kind::Whole as usize].len() + self.lines[Kind::MemoryHard as usize].len() == 0
            || (state.lanes > 0 && has_idle_neighbour())
            || (lanes_have_work() && lanes_come_first())
        {
            return None;
        }
        let first = |kind| self.first(kind);
        // The first of the memory-hard waits until it fits, and holds back those behind it, so that it does not wait for ever.
        let memory_hard = first(Kind::MemoryHard).filter(|id| {
            let memory = self.jobs.get(id).map_or(0, |entry| entry.demand.memory);
            self.memory == 0 || self.memory.saturating_add(memory) <= self.limits.memory
        });
        match (first(Kind::Whole), memory_hard) {
            (Some(whole), Some(memory_hard)) => Some(if whole < memory_hard { Kind::Whole } else { Kind::MemoryHard }),
            (Some(_), None) => Some(Kind::Whole),
            (None, Some(_)) => Some(Kind::MemoryHard),
            (None, None) => None,
        }
    }

    /// Whether the oldest job that waits may be late unless it comes first.
    pub(super) fn is_pressed(&self) -> bool {
        let mut waiting = self.jobs.values().filter(|entry| matches!(entry.state, State::Waiting(_)));
        waiting.next().is_some_and(|oldest| self.now.saturating_add(self.predict()) > oldest.deadline)
    }

    /// The kind of the oldest job that waits or runs in a lane of `worker`, when one that waits may be late.
    fn pressing(&self, worker: usize) -> Option<Kind> {
        let mut waiting = self.jobs.values().filter(|entry| match entry.state {
            State::Waiting(_) => true,
            State::InLane(other) => other == worker,
            State::Reserved | State::Whole { .. } => false,
        });
        let oldest = waiting.next()?;
        self.is_pressed().then_some(oldest.demand.kind)
    }

    /// The job of a line that is to be taken next: in turn, or the oldest.
    fn first(&self, kind: Kind) -> Option<JobId> {
        let in_turn = self.lines[kind as usize].peek()?;
        if !self.is_pressed() {
            return Some(in_turn);
        }
        let is_of_kind = |entry: &Entry<T>| entry.demand.kind == kind && matches!(entry.state, State::Waiting(_));
        self.jobs.iter().find(|(_, entry)| is_of_kind(entry)).map(|(id, _)| *id)
    }

    /// Takes the first job of a line to where `state` says.
    fn take(&mut self, kind: Kind, state: State<T>) -> Option<(JobId, T, Demand)> {
        let id = self.first(kind)?;
        let entry = self.jobs.get_mut(&id)?;
        let (client, demand) = (entry.client, entry.demand);
        let State::Waiting(job) = std::mem::replace(&mut entry.state, state) else { return None };
        self.lines[kind as usize].remove(client, id);
        self.crowd.remove(client, self.load(demand));
        Some((id, job, demand))
    }

    /// Notes that a job waits; the caller puts it into its line.
    fn wait(&mut self, id: JobId, client: ClientAddress, demand: Demand, job: T) {
        self.crowd.add(client, self.load(demand));
        if let Some(entry) = self.jobs.get_mut(&id) {
            entry.demand = demand;
            entry.state = State::Waiting(job);
        }
    }

    /// Takes a running job from its worker, with whether it is wanted.
    fn release(&mut self, id: JobId) -> Option<(Entry<T>, bool)> {
        let entry = self.jobs.remove(&id)?;
        let is_wanted = match entry.state {
            State::InLane(worker) => {
                self.workers[worker].lanes -= 1;
                true
            }
            State::Whole { worker, is_wanted } => {
                self.workers[worker].whole = None;
                self.memory -= entry.demand.memory;
                is_wanted
            }
            State::Reserved | State::Waiting(_) => true,
        };
        Some((entry, is_wanted))
    }

    /// Takes a job out wherever it is, and gives it back if it waited.
    fn leave(&mut self, id: JobId) -> Option<T> {
        let (entry, _) = self.release(id)?;
        match entry.state {
            State::Reserved => {
                self.crowd.remove(entry.client, self.load(entry.demand));
                None
            }
            State::Waiting(job) => {
                self.crowd.remove(entry.client, self.load(entry.demand));
                self.lines[entry.demand.kind as usize].remove(entry.client, id);
                Some(job)
            }
            State::InLane(_) | State::Whole { .. } => None,
        }
    }

    /// All that runs and waits.
    fn ahead(&self) -> Load {
        let mut ahead = self.crowd.load();
        for worker in &self.workers {
            ahead += Load {
                lane_jobs: worker.lanes,
                lane_rounds: worker.remaining,
                whole_rounds: worker.whole.unwrap_or_default(),
            };
        }
        ahead
    }

    /// How many jobs could be admitted, one after the other, until the last is expected to take too long; the first of them to
    /// take the time `predicted`. What runs alone is let try whatever was learnt about the pace: it is the only way to learn
    /// better.
    fn fitting(&self, predicted: Duration) -> usize {
        let more = self.limits.promise().checked_sub(predicted).map(|left| {
            let each = self.forecast.delay(self.load(self.typical)).as_nanos().max(1);
            1 + usize::try_from(left.as_nanos() / each).unwrap_or(usize::MAX - 1)
        });
        more.unwrap_or_else(|| usize::from(self.ahead().is_nothing()))
    }

    /// What a job comes to for those behind it. A memory-hard one counts for as many workers as stand still when memory is full of
    /// its like.
    fn load(&self, demand: Demand) -> Load {
        let mut load = demand.load();
        if demand.kind == Kind::MemoryHard {
            let workers = self.workers.len() as u64;
            let fitting = (self.limits.memory / demand.memory.max(1)).clamp(1, workers);
            load.whole_rounds = load.whole_rounds.saturating_mul(workers) / fitting;
        }
        load
    }
}
