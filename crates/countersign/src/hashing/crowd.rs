//! Who waits: how many jobs, whose they are, and what they need together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::forecast::Load;
use crate::client::ClientAddress;

/// Counts of jobs that wait.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    clients: HashMap<ClientAddress, usize>,
    sites: HashMap<ClientAddress, usize>,
    count: usize,
    load: Load,
}

impl Crowd {
    /// Counts a job of `client`.
    pub(super) fn add(&mut self, client: ClientAddress, load: Load) {
        *self.clients.entry(client).or_default() += 1;
        *self.sites.entry(client.site()).or_default() += 1;
        self.load += load;
        self.count += 1;
    }

    /// Counts one no more that was added.
    pub(super) fn remove(&mut self, client: ClientAddress, load: Load) {
        remove_one(&mut self.clients, client);
        remove_one(&mut self.sites, client.site());
        self.load -= load;
        self.count -= 1;
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// What they need together.
    pub(super) fn load(&self) -> Load {
        self.load
    }

    /// How many are of this client.
    pub(super) fn of_client(&self, client: ClientAddress) -> usize {
        self.clients.get(&client).copied().unwrap_or_default()
    }

    /// How many are of all clients of its site ([`ClientAddress::site`]).
    pub(super) fn of_site(&self, client: ClientAddress) -> usize {
        self.sites.get(&client.site()).copied().unwrap_or_default()
    }
}

/// Whose count comes to nothing is forgotten, so that no more are known than wait.
fn remove_one(counts: &mut HashMap<ClientAddress, usize>, whose: ClientAddress) {
    if let Entry::Occupied(mut count) = counts.entry(whose) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_who_wait_are_known() {
        let client = |site: u8, number: u8| ClientAddress::new([192, 0, site, number].into());
        let load = Load { lane_jobs: 1, lane_rounds: 1_000, whole_rounds: 0 };
        let mut crowd = Crowd::default();
        for (site, number) in [(1, 1), (1, 1), (1, 2), (2, 1)] {
            crowd.add(client(site, number), load);
        }
        assert_eq!((crowd.of_client(client(1, 1)), crowd.of_site(client(1, 1))), (2, 3));
        assert_eq!(
            (crowd.of_client(client(1, 3)), crowd.of_site(client(1, 3)), crowd.of_site(client(3, 1))),
            (0, 3, 0)
        );
        assert_eq!((crowd.count(), crowd.load().lane_rounds), (4, 4_000));
        for (site, number) in [(1, 1), (1, 2), (2, 1)] {
            crowd.remove(client(site, number), load);
        }
        assert_eq!((crowd.of_client(client(1, 1)), crowd.of_site(client(1, 2)), crowd.count()), (1, 1, 1));
        crowd.remove(client(1, 1), load);
        assert!(crowd.clients.is_empty() && crowd.sites.is_empty() && crowd.load().is_nothing());
    }
}
