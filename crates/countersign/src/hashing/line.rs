//! A line of waiting jobs in which sites take turns, and within a site its clients.

use std::collections::{HashMap, VecDeque};

use super::scheduler::JobId;
use crate::client::ClientAddress;

/// Jobs in the order in which they are to be taken: each site in turn lets one of its clients give its oldest, and those in
/// turn too, so that whoever has one job waits for one job of each other site, however many clients and jobs they have. Jobs
/// that had begun and go on come before all.
#[derive(Debug, Default)]
pub(super) struct Line {
    begun: VecDeque<JobId>,
    sites: Turns<Turns<VecDeque<JobId>>>,
    count: usize,
}

impl Line {
    /// How many jobs wait.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Puts a job behind its client's others.
    pub(super) fn push(&mut self, client: ClientAddress, job: JobId) {
        self.sites.queue(client.site()).queue(client).push_back(job);
        self.count += 1;
    }

    /// Puts a job that had begun before all that have not.
    pub(super) fn push_begun(&mut self, job: JobId) {
        self.begun.push_back(job);
        self.count += 1;
    }

    /// The job to be taken next.
    pub(super) fn peek(&self) -> Option<JobId> {
        self.begun.front().copied().or_else(|| self.sites.first())
    }

    /// Takes out a job wherever it stands. If it was the next one, its client and its site have had their turns.
    pub(super) fn remove(&mut self, client: ClientAddress, job: JobId) {
        let removed = self.begun.remove_job(&[], job) || self.sites.remove_job(&[client.site(), client], job);
        self.count -= usize::from(removed);
    }
}

/// Jobs that wait in some order.
trait Queue: Default {
    /// The next one; `None` when there is none.
    fn first(&self) -> Option<JobId>;

    /// Takes a job out, to which these keys lead. `false` when it is not there.
    fn remove_job(&mut self, path: &[ClientAddress], job: JobId) -> bool;
}

impl Queue for VecDeque<JobId> {
    fn first(&self) -> Option<JobId> {
        self.front().copied()
    }

    fn remove_job(&mut self, _: &[ClientAddress], job: JobId) -> bool {
        self.iter().position(|&waiting| waiting == job).and_then(|place| self.remove(place)).is_some()
    }
}

/// Queues that take turns.
#[derive(Debug, Default)]
struct Turns<Q> {
    /// The keys of queues in which there is something, the next one first.
    order: VecDeque<ClientAddress>,
    queues: HashMap<ClientAddress, Q>,
}

impl<Q: Queue> Turns<Q> {
    /// The queue of this key, into which the caller puts something. A new one has its turn after all others.
    fn queue(&mut self, key: ClientAddress) -> &mut Q {
        self.queues.entry(key).or_insert_with(|| {
            self.order.push_back(key);
            Q::default()
        })
    }
}

impl<Q: Queue> Queue for Turns<Q> {
    fn first(&self) -> Option<JobId> {
        self.queues.get(self.order.front()?)?.first()
    }

    fn remove_job(&mut self, path: &[ClientAddress], job: JobId) -> bool {
        let Some((key, rest)) = path.split_first() else { return false };
        let has_its_turn = self.first() == Some(job);
        let Some(queue) = self.queues.get_mut(key) else { return false };
        if !queue.remove_job(rest, job) {
            return false;
        }
        if queue.first().is_none() {
            self.queues.remove(key);
            self.order.retain(|other| other != key);
        } else if has_its_turn {
            self.order.rotate_left(1);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client of a site of its own.
    fn client(number: u8) -> ClientAddress {
        neighbour(number, 1)
    }

    fn neighbour(site: u8, number: u8) -> ClientAddress {
        ClientAddress::new([192, 0, site, number].into())
    }

    fn line(jobs: &[(ClientAddress, JobId)]) -> Line {
        let mut line = Line::default();
        for &(client, job) in jobs {
            line.push(client, job);
        }
        line
    }

    /// The jobs in the order in which they are taken; they are those of these clients.
    fn drained(mut line: Line, jobs: &[(ClientAddress, JobId)]) -> Vec<JobId> {
        let owners: HashMap<JobId, ClientAddress> = jobs.iter().map(|&(client, job)| (job, client)).collect();
        let mut taken = Vec::new();
        while let Some(job) = line.peek() {
            line.remove(owners[&job], job);
            taken.push(job);
        }
        assert_eq!(line.len(), 0);
        assert!(line.begun.is_empty() && line.sites.order.is_empty() && line.sites.queues.is_empty());
        taken
    }

    #[test]
    fn clients_take_turns() {
        let jobs = [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (2, 21)].map(|(who, job)| (client(who), job));
        let line = line(&jobs);
        assert_eq!(line.len(), 6);
        assert_eq!(drained(line, &jobs), [10, 20, 30, 11, 21, 12]);
    }

    #[test]
    fn a2_many_clients_of_one_site_have_its_turn_in_turns() {
        let jobs = [(1, 1, 10), (1, 2, 11), (1, 3, 12), (1, 1, 13), (2, 1, 20), (2, 1, 21), (3, 1, 30)];
        let jobs = jobs.map(|(site, number, job)| (neighbour(site, number), job));
        assert_eq!(drained(line(&jobs), &jobs), [10, 20, 30, 11, 21, 12, 13]);
    }

    #[test]
    fn coming_back_is_no_way_to_the_front() {
        let jobs = [(client(1), 10), (client(2), 20), (client(1), 11)];
        let mut line = line(&jobs[..2]);
        line.remove(client(1), 10);
        line.push(client(1), 11);
        assert_eq!(drained(line, &jobs), [20, 11]);
    }

    #[test]
    fn what_had_begun_goes_on_first() {
        let jobs = [(client(1), 10), (client(2), 20), (client(1), 21)];
        let mut line = line(&jobs[..1]);
        line.push_begun(20);
        line.push_begun(21);
        line.remove(client(1), 21);
        assert_eq!(line.len(), 2);
        assert_eq!(drained(line, &jobs), [20, 10]);
    }

    #[test]
    fn a_job_leaves_from_anywhere() {
        let jobs = [(1, 10), (1, 11), (2, 20), (2, 21), (3, 30)].map(|(who, job)| (client(who), job));
        let mut line = line(&jobs);
        line.remove(client(1), 10);
        line.remove(client(1), 11);
        line.remove(client(1), 99);
        line.remove(client(9), 20);
        assert_eq!(line.len(), 3);
        line.remove(client(2), 21);
        assert_eq!(drained(line, &jobs), [20, 30]);
    }

    /// Whoever is let before its turn, or goes away, keeps the turn for its next.
    #[test]
    fn leaving_before_ones_turn_is_no_turn() {
        let jobs = [(1, 10), (2, 20), (2, 21), (3, 30)].map(|(who, job)| (client(who), job));
        let mut line = line(&jobs);
        line.remove(client(2), 20);
        assert_eq!(drained(line, &jobs), [10, 21, 30]);
    }
}
