//! A worker: one batch of lanes, filled from the scheduler, advanced by a chunk of rounds at a time, and filled again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign_lanes::{Batch, Block, Lanes, MAX_WIDTH};

use super::Shared;
use super::demand::{Chunk, Kind, Work};
use super::scheduler::JobId;
use super::shift::Shift;
use super::task::{Next, Task};

/// How long a chunk of rounds is meant to take: how late a lane is refilled, or let go when its client went away.
const CHUNK: Duration = Duration::from_millis(1);

/// How long a worker goes without a look at the scheduler when there is no news of it: while it holds the lock, everybody waits
/// for its thread, which the operating system may let wait for all others.
const LOOK: Duration = Duration::from_millis(20);

/// Fewer rounds than this lose time to starting and stopping.
const LEAST_ROUNDS: u64 = 1_000;

/// One worker. It has no thread of its own: [`run`](Self::run) is for one, and tests call [`turn`](Self::turn).
pub(super) struct Worker {
    shared: Arc<Shared>,
    index: usize,
    lanes: Lanes,
    batch: Batch<Running>,
    /// What was done last, for the scheduler to know.
    done: Option<Chunk>,
    /// What news there was at the last look at the scheduler, and when that was.
    looked: Option<(u64, Duration)>,
    /// How the thread fares that runs it.
    shift: Shift,
}

/// Who waits for a lane.
struct Running {
    id: JobId,
    task: Task,
    /// Rounds that may follow the present ones.
    more: u64,
}

/// What the scheduler gave.
enum Look {
    /// Nothing, ever again.
    Closed,
    /// A job to be done as a whole.
    Whole(JobId, Task),
    /// Jobs for lanes; maybe none.
    Lanes(Vec<(JobId, Task)>),
}

/// What a turn was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Something was computed.
    Worked,
    /// There was nothing to do.
    Idle,
    /// There will be nothing to do.
    Closed,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, index: usize, lanes: Lanes) -> Self {
        Self {
            shared,
            index,
            lanes,
            batch: Batch::new(lanes, MAX_WIDTH),
            done: None,
            looked: None,
            shift: Shift::ENDLESS,
        }
    }

    /// Works until the scheduler is closed, or until the shift is over: `true`. Should the code panic, its jobs are lost and it
    /// begins anew.
    pub(super) fn run(&mut self, shift: Shift) -> bool {
        self.shift = shift;
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turns())) {
                Ok(is_over) => return is_over,
                Err(_) => self.recover(),
            }
        }
    }

    fn turns(&mut self) -> bool {
        while !self.shift.is_over() {
            match self.turn() {
                Turn::Worked => {}
                Turn::Idle => self.shared.wait_for_work(self.index),
                Turn::Closed => return false,
            }
        }
        true
    }

    fn recover(&mut self) {
        tracing::error!(worker = self.index, "password hashing panicked");
        self.batch = Batch::new(self.lanes, MAX_WIDTH);
        self.done = None;
        self.shared.scheduler().lose(self.index);
        self.shared.wake_all();
    }

    /// Takes what is to be taken, then does one whole job or one chunk of rounds.
    pub(super) fn turn(&mut self) -> Turn {
        if self.should_look() {
            match self.look() {
                Look::Closed => return Turn::Closed,
                Look::Whole(id, task) => {
                    self.run_whole(id, task);
                    return Turn::Worked;
                }
                Look::Lanes(taken) => {
                    for (id, task) in taken {
                        self.start(id, task);
                    }
                }
            }
        }
        if self.batch.is_empty() {
            return Turn::Idle;
        }
        self.advance();
        Turn::Worked
    }

    /// Whether there may be something else to do than to go on.
    fn should_look(&self) -> bool {
        self.batch.is_empty()
            || self.looked.is_none_or(|(news, at)| {
                news != self.shared.news.load(Ordering::Relaxed) || self.shared.elapsed().saturating_sub(at) >= LOOK
            })
    }

    /// Tells the scheduler what was done, and asks what to do.
    fn look(&mut self) -> Look {
        let shared = Arc::clone(&self.shared);
        let now = shared.elapsed();
        let done = self.done.take();
        if let Some(done) = &done {
            self.shift.note(done.planned(&self.lanes), done.taken);
        }
        // Before the scheduler is asked: what happens after that is news.
        self.looked = Some((shared.news.load(Ordering::Relaxed), now));
        let (look, late) = {
            let mut scheduler = shared.scheduler();
            if scheduler.is_closed() {
                return Look::Closed;
            }
            let late = scheduler.expire(now);
            self.batch.retain(|running| scheduler.is_in_lane(running.id));
            let remaining = self.batch.iter().map(|(running, remaining)| u64::from(remaining) + running.more).sum();
            scheduler.progress(self.index, remaining, done);
            let look = match scheduler.take_whole(self.index) {
                Some((id, task)) => Look::Whole(id, task),
                None => Look::Lanes(std::iter::from_fn(|| scheduler.take_lane(self.index)).collect()),
            };
            (look, late)
        };
        shared.give_up(late);
        look
    }

    /// Does one derivation of a job that lanes cannot do.
    fn run_whole(&mut self, id: JobId, task: Task) {
        let work = Work::Whole { rounds: task.step_rounds() };
        let start = self.shared.elapsed();
        let next = task.run();
        self.done = Some(Chunk { work, taken: self.shared.elapsed().saturating_sub(start) });
        self.answer(vec![(id, next)]);
    }

    /// Puts a job into a lane.
    fn start(&mut self, id: JobId, task: Task) {
        let Some(job) = task.lane() else {
            debug_assert!(false, "the scheduler takes for lanes what lanes can do");
            return self.run_whole(id, task);
        };
        let more = task.demand().rounds.saturating_sub(u64::from(job.remaining()));
        let refused = self.batch.insert(job, Running { id, task, more });
        debug_assert!(refused.is_ok(), "the scheduler knows how many lanes there are");
    }

    /// Advances the lanes by a chunk, and answers those that are done.
    fn advance(&mut self) {
        let jobs = self.batch.running();
        let round = self.lanes.round_picos(jobs).max(1);
        let rounds = u64::try_from(CHUNK.as_nanos()).unwrap_or(u64::MAX).saturating_mul(1_000) / round;
        let start = self.shared.elapsed();
        let rounds = self.batch.advance(u32::try_from(rounds.max(LEAST_ROUNDS)).unwrap_or(u32::MAX));
        let taken = self.shared.elapsed().saturating_sub(start);
        self.done = Some(Chunk::of_lanes(jobs, rounds, taken).after(self.done.take()));
        let finished: Vec<(Running, Block)> = self.batch.take_finished().collect();
        let judged = finished.into_iter().map(|(running, block)| (running.id, running.task.judge(block.expose())));
        let judged: Vec<(JobId, Next)> = judged.collect();
        if !judged.is_empty() {
            self.answer(judged);
        }
    }

    /// Notes what became of jobs, gives the answers, and keeps in their lanes those that go on there.
    fn answer(&mut self, judged: Vec<(JobId, Next)>) {
        let mut answers = Vec::with_capacity(judged.len());
        let mut unwanted = Vec::new();
        let mut going_on = Vec::new();
        {
            let mut scheduler = self.shared.scheduler();
            for (id, next) in judged {
                match next {
                    Next::Answer(answer) => {
                        scheduler.finish(id);
                        answers.push(answer);
                    }
                    Next::More(task) => {
                        let demand = task.demand();
                        if demand.kind == Kind::Lane && scheduler.is_in_lane(id) {
                            going_on.push((id, task));
                        } else {
                            unwanted.extend(scheduler.go_on(id, demand, task));
                        }
                    }
                }
            }
        }
        // A worker has become free, or memory has, or a job has come to the front.
        self.shared.wake_all();
        for answer in answers {
            answer();
        }
        for (id, task) in going_on {
            self.start(id, task);
        }
    }
}
