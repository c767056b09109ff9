//! Jobs that run side by side, each with its own number of rounds, coming and going.

use std::fmt;

use crate::MAX_WIDTH;
use crate::job::{Block, Job};
use crate::plan::Lanes;

/// Up to [`width`](Self::width) jobs side by side. Each carries a value of the caller's, its tag (who waits for it), and
/// comes out together with it, so that no answer can reach another's asker.
///
/// The caller's loop: [`insert`](Self::insert) while there is [`room`](Self::room), [`advance`](Self::advance) by a chunk
/// of rounds, [`take_finished`](Self::take_finished), [`retain`](Self::retain) those still wanted. Nothing is allocated
/// after [`new`](Self::new), and a job's state is wiped the moment it is finished or dropped. (Copies in registers, and what
/// the compiler spilled from those to the stack, are overwritten by later chunks, not wiped.)
pub struct Batch<T> {
    lanes: Lanes,
    width: usize,
    /// The running jobs and, at the same places, their tags.
    jobs: Vec<Job>,
    tags: Vec<T>,
    finished: Vec<(T, Block)>,
}

impl<T> Batch<T> {
    /// An empty batch for at least one job and at most [`MAX_WIDTH`]; a `width` outside is moved to the nearer bound.
    #[must_use]
    pub fn new(lanes: Lanes, width: usize) -> Self {
        let width = width.clamp(1, MAX_WIDTH);
        Self {
            lanes,
            width,
            jobs: Vec::with_capacity(width),
            tags: Vec::with_capacity(width),
            finished: Vec::with_capacity(width),
        }
    }

    /// How many jobs it holds at most.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many jobs can be inserted now. A finished one keeps its place until it is taken.
    pub fn room(&self) -> usize {
        self.width - self.jobs.len() - self.finished.len()
    }

    /// How many jobs have rounds to go.
    pub fn running(&self) -> usize {
        self.jobs.len()
    }

    /// Whether it holds no job, neither running nor finished.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.finished.is_empty()
    }

    /// The running jobs' tags and the rounds that each has to go, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&T, u32)> {
        self.tags.iter().zip(self.jobs.iter().map(Job::remaining))
    }

    /// Puts a job into a free place. One of a single round is finished at once.
    ///
    /// # Errors
    /// Gives job and tag back when there is no [`room`](Self::room).
    pub fn insert(&mut self, job: Job, tag: T) -> Result<(), (Job, T)> {
        if self.room() == 0 {
            return Err((job, tag));
        }
        if job.remaining() == 0 {
            self.finished.push((tag, job.into_block()));
        } else {
            self.jobs.push(job);
            self.tags.push(tag);
        }
        Ok(())
    }

    /// Advances every running job by the same number of rounds, which it returns: `most`, or fewer where the first of them
    /// are then finished, so that their places can be filled again. Zero when no job is running.
    ///
    /// Takes about [`Lanes::time`] of [`running`](Self::running) jobs and that number. Setting up costs some 2 µs, so chunks
    /// of a thousand rounds or more lose nothing.
    pub fn advance(&mut self, most: u32) -> u32 {
        let rounds = self.jobs.iter().map(Job::remaining).min().map_or(0, |least| least.min(most));
        if rounds == 0 {
            return 0;
        }
        self.lanes.advance(&mut self.jobs, rounds);
        for index in (0..self.jobs.len()).rev() {
            if self.jobs[index].remaining() == 0 {
                let (tag, job) = self.remove(index);
                self.finished.push((tag, job.into_block()));
            }
        }
        rounds
    }

    /// The finished jobs' tags and blocks, whose places are free from then on.
    pub fn take_finished(&mut self) -> impl Iterator<Item = (T, Block)> {
        self.finished.drain(..)
    }

    /// Drops the jobs, running and finished, whose tags are not `wanted`: those that nobody waits for any more.
    pub fn retain(&mut self, mut wanted: impl FnMut(&T) -> bool) {
        for index in (0..self.jobs.len()).rev() {
            if !wanted(&self.tags[index]) {
                self.remove(index);
            }
        }
        self.finished.retain(|(tag, _)| wanted(tag));
    }

    /// Takes a running job out; the last one takes its place.
    fn remove(&mut self, index: usize) -> (T, Job) {
        (self.tags.swap_remove(index), self.jobs.swap_remove(index))
    }
}

impl<T> fmt::Debug for Batch<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Batch")
            .field("width", &self.width)
            .field("running", &self.jobs)
            .field("finished", &self.finished.len())
            .finish_non_exhaustive()
    }
}
