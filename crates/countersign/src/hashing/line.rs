//! A line of waiting jobs in which clients take turns.

use std::collections::{HashMap, VecDeque};

use super::scheduler::JobId;
use crate::client::ClientAddress;

/// Jobs in the order in which they are to be taken: each client in turn gives its oldest, so that a client with one job waits
/// for one job of each other, however many they have. Jobs that had begun and go on come before all.
#[derive(Debug, Default)]
pub(super) struct Line {
    begun: VecDeque<(ClientAddress, JobId)>,
    /// The clients with jobs here, the next one first.
    turns: VecDeque<ClientAddress>,
    jobs: HashMap<ClientAddress, VecDeque<JobId>>,
    count: usize,
}

impl Line {
    /// How many jobs wait.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Puts a job behind its client's others.
    pub(super) fn push(&mut self, client: ClientAddress, job: JobId) {
        let jobs = self.jobs.entry(client).or_default();
        if jobs.is_empty() {
            self.turns.push_back(client);
        }
        jobs.push_back(job);
        self.count += 1;
    }

    /// Puts a job that had begun before all that have not.
    pub(super) fn push_begun(&mut self, client: ClientAddress, job: JobId) {
        self.begun.push_back((client, job));
        self.count += 1;
    }

    /// The job to be taken next.
    pub(super) fn peek(&self) -> Option<JobId> {
        self.begun.front().map(|(_, job)| *job).or_else(|| self.jobs.get(self.turns.front()?)?.front().copied())
    }

    /// Takes the next job. Its client's next turn comes after everyone else's.
    pub(super) fn pop(&mut self) -> Option<JobId> {
        let job = if let Some((_, job)) = self.begun.pop_front() {
            job
        } else {
            let client = self.turns.pop_front()?;
            let jobs = self.jobs.get_mut(&client)?;
            let job = jobs.pop_front()?;
            if jobs.is_empty() {
                self.jobs.remove(&client);
            } else {
                self.turns.push_back(client);
            }
            job
        };
        self.count -= 1;
        Some(job)
    }

    /// Takes out a job wherever it stands.
    pub(super) fn remove(&mut self, client: ClientAddress, job: JobId) {
        let before = self.begun.len();
        self.begun.retain(|&(_, begun)| begun != job);
        let mut removed = before - self.begun.len();
        if let Some(jobs) = self.jobs.get_mut(&client)
            && let Some(place) = jobs.iter().position(|&waiting| waiting == job)
        {
            jobs.remove(place);
            removed += 1;
            if jobs.is_empty() {
                self.jobs.remove(&client);
                self.turns.retain(|&other| other != client);
            }
        }
        self.count -= removed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8) -> ClientAddress {
        ClientAddress::new([192, 0, 2, number].into())
    }

    fn drained(line: &mut Line) -> Vec<JobId> {
        std::iter::from_fn(|| {
            let next = line.peek();
            let job = line.pop();
            assert_eq!(job, next);
            job
        })
        .collect()
    }

    #[test]
    fn clients_take_turns() {
        let mut line = Line::default();
        for (who, job) in [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (2, 21)] {
            line.push(client(who), job);
        }
        assert_eq!(line.len(), 6);
        assert_eq!(drained(&mut line), [10, 20, 30, 11, 21, 12]);
        assert_eq!(line.len(), 0);
    }

    #[test]
    fn coming_back_is_no_way_to_the_front() {
        let mut line = Line::default();
        line.push(client(1), 10);
        line.push(client(2), 20);
        assert_eq!(line.pop(), Some(10));
        line.push(client(1), 11);
        assert_eq!(drained(&mut line), [20, 11]);
    }

    #[test]
    fn what_had_begun_goes_on_first() {
        let mut line = Line::default();
        line.push(client(1), 10);
        line.push_begun(client(2), 20);
        line.push_begun(client(1), 21);
        line.remove(client(1), 21);
        assert_eq!(drained(&mut line), [20, 10]);
    }

    #[test]
    fn a_job_leaves_from_anywhere() {
        let mut line = Line::default();
        for (who, job) in [(1, 10), (1, 11), (2, 20), (2, 21)] {
            line.push(client(who), job);
        }
        line.remove(client(1), 10);
        line.remove(client(1), 11);
        line.remove(client(1), 99);
        line.remove(client(2), 21);
        assert_eq!(line.len(), 1);
        assert_eq!(drained(&mut line), [20]);
        assert!(line.jobs.is_empty() && line.turns.is_empty());
    }
}
