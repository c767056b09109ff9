//! The windows of many clients in bounded memory.
//!
//! Each client has a window of its own while there is room. Without room, requests are counted in a few windows that many
//! clients share, so that whoever fills the table makes it stricter, and never lets anybody through (SECURITY A4). A window that
//! counts something is not given up.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::rate::Rate;
use super::window::{History, Refusal};

/// A client as tables know it: what a keyed digest makes of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// The half that tells clients apart within one process.
    fn half(self) -> u64 {
        let mut half = [0; 8];
        half.copy_from_slice(&self.0[..8]);
        u64::from_le_bytes(half)
    }
}

/// Where a request was written down, for whoever takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// In the client's own window.
    Own,
    /// In a shared one; it stays.
    Shared,
}

/// What became of a request that was [begun](Table::begin).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It counts.
    Counts,
    /// It is as if it had not been.
    TakenBack,
    /// Nothing counts any more that the client did before.
    Cleared,
}

/// Parts that can be worked on at once.
const SHARDS: usize = 16;
/// Shared windows of each.
const SHARED: usize = 64;
/// What a client costs beside its instants: its slot and its place in the index, each with the room that growing leaves.
const CLIENT_BYTES: usize = 2 * (size_of::<Slot>() + size_of::<(u64, u32)>() + 1);
/// How many slots are looked at for each new client, and how many where there is no room.
const SWEEP: usize = 2;
const SWEEP_IN_NEED: usize = 32;

/// The windows of one rate.
pub(super) struct Table {
    rate: Rate,
    shards: Box<[Mutex<Shard>]>,
}

struct Shard {
    places: HashMap<u64, u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The slot to be looked at next.
    hand: usize,
    bytes: usize,
    budget: usize,
    shared: [Shared; SHARED],
}

#[derive(Default)]
struct Slot {
    client: u64,
    history: History,
    /// Requests of which it is not known yet what becomes of them.
    pending: u32,
    /// Whether requests of this client may be in the window that it would share.
    shares: bool,
    in_use: bool,
}

/// A window of many clients, with two numbers instead of a list: what it holds is at least what came within the last period.
#[derive(Clone, Copy, Default)]
struct Shared {
    began: i64,
    current: u32,
    previous: u32,
}

impl Table {
    /// An empty table that will fill about `budget` bytes at most.
    pub(super) fn new(rate: Rate, budget: usize) -> Self {
        let shard = || Shard {
            places: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            hand: 0,
            bytes: 0,
            budget: budget / SHARDS,
            shared: [Shared::default(); SHARED],
        };
        Self { rate, shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect() }
    }

    /// What it counts against.
    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// As [`take`](Self::take), for a request of which it is not known yet what becomes of it. It counts until it is
    /// [ended](Self::end); one that is refused because of such requests alone may come again in a second.
    pub(super) fn begin(&self, rate: Rate, client: Fingerprint, now: i64) -> Result<Written, Refusal> {
        let written = self.take(rate, client, now)?;
        self.pend(client, written);
        Ok(written)
    }

    /// As [`begin`](Self::begin), where somebody else has let it through.
    pub(super) fn begun(&self, client: Fingerprint, now: i64) -> Written {
        let written = self.write(client, now);
        self.pend(client, written);
        written
    }

    fn pend(&self, client: Fingerprint, written: Written) {
        let (mut shard, client) = self.shard(client);
        if written == Written::Own
            && let Some(slot) = shard.slot(client)
        {
            slot.pending += 1;
        }
    }

    /// Says what became of a request of that instant.
    pub(super) fn end(&self, client: Fingerprint, instant: i64, written: Written, outcome: Outcome) {
        let (mut shard, client) = self.shard(client);
        if outcome == Outcome::Cleared {
            shard.give_up(client);
        }
        if written == Written::Own
            && let Some(slot) = shard.slot(client)
        {
            slot.pending = slot.pending.saturating_sub(1);
            if outcome == Outcome::TakenBack {
                slot.history.remove(instant);
            }
        }
    }

    /// Whether there are requests of which it is not known yet what becomes of them.
    pub(super) fn is_pending(&self, client: Fingerprint) -> bool {
        let (mut shard, client) = self.shard(client);
        shard.slot(client).is_some_and(|slot| slot.pending > 0)
    }

    /// Forgets the client's own window.
    pub(super) fn clear(&self, client: Fingerprint) {
        let (mut shard, client) = self.shard(client);
        shard.give_up(client);
    }

    /// Lets a request of `now` (microseconds) through and writes it down, or refuses it. `rate` is the table's, or a part of it.
    pub(super) fn take(&self, rate: Rate, client: Fingerprint, now: i64) -> Result<Written, Refusal> {
        let (mut shard, client) = self.shard(client);
        let (own, oldest) = shard.slot(client).map_or((0, None), |slot| slot.history.counted(rate.period, now));
        let (pending, shares) = shard.slot(client).map_or((0, true), |slot| (slot.pending as usize, slot.shares));
        let shared = shard.shared_by(client);
        shared.roll(rate.period, now);
        let (others, ends) = (if shares { shared.count() } else { 0 }, shared.began + rate.period);
        let admits = |count: usize| i64::try_from(count).is_ok_and(|count| count < rate.requests);
        if !admits(own) && pending > 0 && admits(own.saturating_sub(pending)) {
            return Err(Refusal::pending());
        }
        if !admits(own) {
            return Err(Refusal::of(rate, now, own, oldest));
        }
        if !admits(own + others) {
            return Err(Refusal::until(Some(ends - now)));
        }
        Ok(shard.write(client, rate.period, now))
    }

    /// Whether the client's own window is full of requests that count. What is shared is passed over.
    pub(super) fn refusal(&self, client: Fingerprint, now: i64) -> Option<Refusal> {
        let (mut shard, client) = self.shard(client);
        let slot = shard.slot(client)?;
        let (count, oldest) = slot.history.counted(self.rate.period, now);
        let is_full = i64::try_from(count).is_ok_and(|count| count >= self.rate.requests);
        let is_done = slot.pending == 0;
        (is_full && is_done).then(|| Refusal::of(self.rate, now, count, oldest))
    }

    /// Writes a request down that somebody else has let through.
    pub(super) fn write(&self, client: Fingerprint, now: i64) -> Written {
        let (mut shard, client) = self.shard(client);
        shard.shared_by(client).roll(self.rate.period, now);
        shard.write(client, self.rate.period, now)
    }

    /// Clients that have a window of their own, and the bytes that these fill.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        let shards = self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner));
        shards.fold((0, 0), |(clients, bytes), shard| (clients + shard.places.len(), bytes + shard.bytes))
    }

    fn shard(&self, client: Fingerprint) -> (MutexGuard<'_, Shard>, u64) {
        let client = client.half();
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is small")]
        let shard = &self.shards[(client % SHARDS as u64) as usize];
        // Nothing in there panics half way.
        (shard.lock().unwrap_or_else(PoisonError::into_inner), client)
    }
}

impl Shard {
    fn slot(&mut self, client: u64) -> Option<&mut Slot> {
        self.places.get(&client).map(|place| &mut self.slots[*place as usize])
    }

    fn shared_by(&mut self, client: u64) -> &mut Shared {
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is small")]
        &mut self.shared[(client / SHARDS as u64 % SHARED as u64) as usize]
    }

    fn write(&mut self, client: u64, period: i64, now: i64) -> Written {
        self.sweep(SWEEP, period, now);
        if !self.has_room(client, period, now) {
            self.sweep(SWEEP_IN_NEED, period, now);
            if !self.has_room(client, period, now) {
                self.shared_by(client).add(now);
                if let Some(slot) = self.slot(client) {
                    slot.shares = true;
                }
                return Written::Shared;
            }
        }
        self.bytes += self.growth(client, period, now);
        let place = self.places.get(&client).copied().unwrap_or_else(|| self.settle(client));
        self.slots[place as usize].history.push(period, now);
        Written::Own
    }

    fn has_room(&mut self, client: u64, period: i64, now: i64) -> bool {
        self.bytes + self.growth(client, period, now) <= self.budget
    }

    /// Bytes that another request of this client takes.
    fn growth(&mut self, client: u64, period: i64, now: i64) -> usize {
        let (now_filled, then_filled) = match self.slot(client) {
            Some(slot) => slot.history.bytes(period, now),
            None => (0, CLIENT_BYTES + History::default().bytes(period, now).1),
        };
        then_filled - now_filled
    }

    /// A slot for a new client.
    fn settle(&mut self, client: u64) -> u32 {
        let shares = self.shared_by(client).count() > 0;
        let slot = Slot { client, shares, in_use: true, ..Slot::default() };
        let place = if let Some(place) = self.free.pop() {
            self.slots[place as usize] = slot;
            place
        } else {
            self.slots.push(slot);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        };
        self.places.insert(client, place);
        place
    }

    /// Gives up to `count` slots back whose windows have passed.
    fn sweep(&mut self, count: usize, period: i64, now: i64) {
        for _ in 0..count.min(self.slots.len()) {
            self.hand = (self.hand + 1) % self.slots.len();
            let slot = &self.slots[self.hand];
            if slot.in_use && slot.history.has_passed(period, now) {
                self.give_up(slot.client);
            }
        }
    }

    fn give_up(&mut self, client: u64) {
        if let Some(place) = self.places.remove(&client) {
            let slot = std::mem::take(&mut self.slots[place as usize]);
            self.bytes -= CLIENT_BYTES + slot.history.bytes(1, 0).0;
            self.free.push(place);
        }
    }
}

impl Shared {
    fn roll(&mut self, period: i64, now: i64) {
        match (now - self.began) / period {
            ..1 => {} // also where the clock was set back
            1 => *self = Self { began: self.began + period, current: 0, previous: self.current },
            2.. => *self = Self { began: now, ..Self::default() },
        }
    }

    fn count(self) -> usize {
        self.current as usize + self.previous as usize
    }

    fn add(&mut self, now: i64) {
        if self.count() == 0 {
            self.began = now;
        }
        self.current = self.current.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Barrier;

    use proptest::prelude::*;

    use super::super::SECOND;
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().expect("a rate")
    }

    fn client(number: u64) -> Fingerprint {
        // SplitMix64's last steps: as even as a digest.
        let mut word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(word ^ (word >> 31)).to_le_bytes());
        Fingerprint(bytes)
    }

    fn take(table: &Table, client: Fingerprint, now: i64) -> Result<Written, Refusal> {
        table.take(table.rate(), client, now)
    }

    /// Whether each of these requests (client, instant) is let through by DRF's list.
    struct Lists(Rate, HashMap<u64, Vec<i64>>);

    impl Lists {
        fn admits(&mut self, client: u64, now: i64) -> bool {
            let list = self.1.entry(client).or_default();
            list.retain(|instant| *instant > now - self.0.period);
            i64::try_from(list.len()).expect("short") < self.0.requests
        }

        fn write(&mut self, client: u64, now: i64) {
            self.1.entry(client).or_default().push(now);
        }
    }

    proptest! {
        #[test]
        fn a4_a_full_table_lets_nobody_through_whom_drf_refuses(
            requests in 1_i64..4,
            steps in prop::collection::vec((0_u64..3_000, 0_i64..200), 1..3_000),
        ) {
            let rate = Rate { requests, period: 100_000 };
            let table = Table::new(rate, SHARDS * 10 * CLIENT_BYTES);
            let mut lists = Lists(rate, HashMap::new());
            let mut now = 1_750_000_000_000_000;
            for (number, step) in steps {
                now += step;
                if take(&table, client(number), now).is_ok() {
                    prop_assert!(lists.admits(number, now));
                    lists.write(number, now);
                }
            }
        }

        #[test]
        fn with_room_every_client_has_drfs_list(
            requests in 0_i64..5,
            steps in prop::collection::vec((0_u64..50, 0_i64..20_000), 1..1_000),
        ) {
            let rate = Rate { requests, period: 100_000 };
            let table = Table::new(rate, 1 << 20);
            let mut lists = Lists(rate, HashMap::new());
            let mut now = 1_750_000_000_000_000;
            for (number, step) in steps {
                now += step;
                let admitted = lists.admits(number, now);
                prop_assert_eq!(take(&table, client(number), now).is_ok(), admitted);
                if admitted {
                    lists.write(number, now);
                }
            }
        }
    }

    #[test]
    fn a4_random_keys_fill_no_more_than_they_may() {
        const BUDGET: usize = 1 << 20;
        let table = Table::new(rate("2/min"), BUDGET);
        let mut now = 1_750_000_000_000_000;
        let mut refused = 0;
        for number in 0..200_000 {
            refused += usize::from(take(&table, client(number), now).is_err());
        }
        let (clients, bytes) = table.size();
        assert!(bytes <= BUDGET && clients > 4_000, "{clients} clients in {bytes} bytes");
        assert!(refused > 150_000, "what has no window of its own shares few: {refused}");
        assert!(take(&table, client(0), now).is_ok(), "who came early has a window of its own");
        assert!(take(&table, client(0), now).is_err());
        now += 120_000_000;
        for number in 300_000..304_000 {
            assert!(take(&table, client(number), now).is_ok(), "room is taken back once windows have passed");
        }
        assert!(table.size().1 <= BUDGET);
    }

    #[test]
    fn a2_a_thousand_at_once_are_counted_exactly() {
        let table = Table::new(rate("100/day"), 1 << 20);
        let barrier = Barrier::new(50);
        let admitted: usize = std::thread::scope(|scope| {
            let tries = || {
                barrier.wait();
                (0..20).filter(|_| take(&table, client(7), 1_750_000_000_000_000).is_ok()).count()
            };
            let threads: Vec<_> = (0..50).map(|_| scope.spawn(tries)).collect();
            threads.into_iter().map(|thread| thread.join().expect("ends")).sum()
        });
        assert_eq!(admitted, 100);
    }

    #[test]
    fn what_is_pending_counts_and_may_be_taken_back() {
        let table = Table::new(rate("2/hour"), 1 << 20);
        let (now, limit) = (1_750_000_000_000_000, rate("2/hour"));
        let begin = |at| table.begin(limit, client(1), at);
        let first = begin(now).expect("let through");
        let second = begin(now + 5).expect("let through");
        assert_eq!(begin(now + 5), Err(Refusal::pending()), "one of them may be good");
        table.end(client(1), now, first, Outcome::Counts);
        assert_eq!(begin(now + 5), Err(Refusal::pending()));
        table.end(client(1), now + 5, second, Outcome::TakenBack);
        let third = begin(now + 10).expect("a place is free again");
        table.end(client(1), now + 10, third, Outcome::Counts);
        assert_eq!(begin(now + 10), Err(Refusal::until(Some(3_600 * SECOND - 10))));
        assert!(table.refusal(client(1), now + 10).is_some());
        table.end(client(1), now + 10, third, Outcome::Cleared);
        assert!(table.refusal(client(1), now + 10).is_none());
        assert_eq!(table.size(), (0, 0));
    }
}
