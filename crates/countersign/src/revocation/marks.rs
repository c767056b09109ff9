//! Marks in memory: a large table that is read by everybody and changed by nobody, and a small one of what came since. Both are replaced
//! as a whole, so that a reader never waits.
//!
//! A mark is sixteen bytes, a hash and an instant; tables are five eighths full. Nearly every token that is asked about has no mark, and a
//! place in a table of a million lies in no cache of the processor: so each table has a filter of two bytes a mark, which says of 99 in
//! 100 keys that they are not there.
//!
//! Two subjects of one hash would be taken for each other: with a million marks that refuses one good token in some 10¹² checks. It never
//! lets one in. The hash has a seed of each process, and whoever guessed that could have no more than good tokens refused.

use std::sync::Arc;

use countersign_store::MarkKind;

/// The hash of a subject with its kind. The kinds of one subject are neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u64);

impl Key {
    /// Zero stands for a free place.
    pub(super) const fn of(kind: MarkKind, subject: u64) -> Self {
        let key = subject ^ kind as u64;
        Self(if key == 0 { 1 << 63 } else { key })
    }

    /// A place among so many, by the upper bits.
    fn share_of(self, places: usize) -> usize {
        let scaled = (u128::from(self.0) * places as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }

    /// Three bits of a word, the same for all kinds.
    const fn bits(self) -> u64 {
        1 << (self.0 >> 8 & 63) | 1 << (self.0 >> 14 & 63) | 1 << (self.0 >> 20 & 63)
    }
}

/// Marks by key, each with its instant in milliseconds. Open addressing, linear probing.
#[derive(Clone, Default)]
struct Table {
    filter: Filter,
    places: Box<[Place]>,
    len: usize,
}

#[derive(Clone, Copy, Default)]
struct Place {
    key: u64,
    not_before: i64,
}

impl Table {
    fn of(marks: impl Iterator<Item = (Key, i64)>, count: usize) -> Self {
        let places = vec![Place::default(); count + count * 3 / 5 + 1].into_boxed_slice();
        let mut table = Self { filter: Filter::of(count), places, len: 0 };
        for (key, not_before) in marks {
            table.put(key, not_before);
        }
        table
    }

    /// The later instant of one key stays.
    fn put(&mut self, key: Key, not_before: i64) {
        self.filter.put(key);
        let mut at = key.share_of(self.places.len());
        loop {
            let place = &mut self.places[at];
            if place.key == key.0 {
                place.not_before = place.not_before.max(not_before);
                return;
            }
            if place.key == 0 {
                *place = Place { key: key.0, not_before };
                self.len += 1;
                return;
            }
            at = if at + 1 == self.places.len() { 0 } else { at + 1 };
        }
    }

    fn get(&self, key: Key) -> Option<i64> {
        if !self.filter.may_have(key) {
            return None;
        }
        let mut at = key.share_of(self.places.len());
        loop {
            let place = self.places[at];
            if place.key == key.0 {
                return Some(place.not_before);
            }
            if place.key == 0 {
                return None;
            }
            at = if at + 1 == self.places.len() { 0 } else { at + 1 };
        }
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.places) + size_of_val(&*self.filter.words)
    }

    fn iter(&self) -> impl Iterator<Item = (Key, i64)> {
        self.places.iter().filter(|place| place.key != 0).map(|place| (Key(place.key), place.not_before))
    }
}

/// Which keys a table may have: a Bloom filter of sixteen bits a key, of which three in one word say that it is there.
#[derive(Clone, Default)]
struct Filter {
    words: Box<[u64]>,
}

impl Filter {
    fn of(count: usize) -> Self {
        Self { words: vec![0; count.div_ceil(4)].into_boxed_slice() }
    }

    fn put(&mut self, key: Key) {
        self.words[key.share_of(self.words.len())] |= key.bits();
    }

    /// `false` is certain.
    fn may_have(&self, key: Key) -> bool {
        self.words.get(key.share_of(self.words.len())).is_some_and(|word| word & key.bits() == key.bits())
    }
}

/// All marks of one moment.
#[derive(Clone, Default)]
pub(super) struct Marks {
    /// That on all tokens.
    all: Option<i64>,
    frozen: Arc<Table>,
    recent: Table,
}

impl Marks {
    /// The latest instant of a key.
    pub(super) fn get(&self, key: Key) -> Option<i64> {
        self.recent.get(key).max(self.frozen.get(key))
    }

    /// `false` is certain, and the same for all kinds of a subject. The keys are looked for at once and not in turn, so that their ways to memory are one.
    pub(super) fn may_have_any(&self, keys: &[Option<Key>; 3]) -> bool {
        let may_have = |key| self.frozen.filter.may_have(key) | self.recent.filter.may_have(key);
        keys.iter().flatten().fold(false, |any, key| any | may_have(*key))
    }

    /// The latest instant of the mark on all tokens.
    pub(super) const fn all(&self) -> Option<i64> {
        self.all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_none() && self.len() == 0
    }

    /// Their number, one that is in both tables counted twice.
    pub(super) fn len(&self) -> usize {
        self.frozen.len + self.recent.len
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.frozen.bytes() + self.recent.bytes()
    }

    /// These and others.
    pub(super) fn with(&self, all: Option<i64>, others: &[(Key, i64)]) -> Self {
        let recent = Table::of(self.recent.iter().chain(others.iter().copied()), self.recent.len + others.len());
        Self { all: self.all.max(all), frozen: Arc::clone(&self.frozen), recent }
    }

    /// Whether it is time to [settle](Self::settled): so many have come that copying them costs more than all of them would.
    pub(super) fn is_unsettled(&self) -> bool {
        self.recent.len > 256.max(self.frozen.len / 64)
    }

    /// The same in one table, without those before `since`.
    pub(super) fn settled(&self, since: i64) -> Self {
        let live = || self.frozen.iter().chain(self.recent.iter()).filter(|(_, not_before)| *not_before >= since);
        let frozen = Table::of(live(), live().count());
        Self { all: self.all.filter(|all| *all >= since), frozen: Arc::new(frozen), recent: Table::default() }
    }

    /// What `settled` lacks of these: the marks that came while it was made.
    pub(super) fn onto(&self, settled: &Self, since: i64) -> Self {
        let missing: Vec<_> = self
            .recent
            .iter()
            .filter(|(key, not_before)| *not_before >= since && settled.get(*key) < Some(*not_before))
            .collect();
        settled.with(self.all.filter(|all| *all >= since), &missing)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Act {
        Mark(Vec<(u64, i64)>),
        All(i64),
        Settle(i64),
        /// Marks that come while the others are settled.
        SettleMeanwhile(i64, Vec<(u64, i64)>),
    }

    fn marks() -> impl Strategy<Value = Vec<(u64, i64)>> {
        // Few keys, of which many share a home.
        let key = prop_oneof![0..8_u64, (0..8_u64).prop_map(|low| u64::MAX - low), any::<u64>()];
        proptest::collection::vec((key, 0..100_i64), 0..40)
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            6 => marks().prop_map(Act::Mark),
            1 => (0..100_i64).prop_map(Act::All),
            1 => (0..60_i64).prop_map(Act::Settle),
            1 => (0..60_i64, marks()).prop_map(|(since, marks)| Act::SettleMeanwhile(since, marks)),
        ]
    }

    fn keyed(marks: &[(u64, i64)]) -> Vec<(Key, i64)> {
        marks.iter().map(|(hash, instant)| (Key::of(MarkKind::User, *hash), *instant)).collect()
    }

    proptest! {
        /// Against a map: whatever is marked since the last limit is found with its latest instant, and nothing else is.
        #[test]
        fn r5_marks_are_found_until_they_expire(acts in proptest::collection::vec(act(), 0..30)) {
            let (mut marks, mut model, mut limit) = (Marks::default(), HashMap::<Key, i64>::new(), i64::MIN);
            let mut all = None;
            let put = |model: &mut HashMap<Key, i64>, more: &[(u64, i64)]| {
                for (key, instant) in keyed(more) {
                    model.entry(key).and_modify(|known| *known = instant.max(*known)).or_insert(instant);
                }
            };
            for act in acts {
                match act {
                    Act::Mark(more) => {
                        marks = marks.with(None, &keyed(&more));
                        put(&mut model, &more);
                    }
                    Act::All(instant) => {
                        marks = marks.with(Some(instant), &[]);
                        all = all.max(Some(instant));
                    }
                    Act::Settle(since) => {
                        marks = marks.settled(since);
                        limit = limit.max(since);
                    }
                    Act::SettleMeanwhile(since, more) => {
                        let settled = marks.settled(since);
                        marks = marks.with(None, &keyed(&more)).onto(&settled, since);
                        put(&mut model, &more);
                        limit = limit.max(since);
                    }
                }
                for (key, instant) in &model {
                    if *instant >= limit {
                        prop_assert_eq!(marks.get(*key), Some(*instant));
                    }
                }
                for hash in 0..20 {
                    if !model.contains_key(&Key::of(MarkKind::User, hash)) {
                        prop_assert_eq!(marks.get(Key::of(MarkKind::User, hash)), None);
                    }
                }
                if all >= Some(limit) {
                    prop_assert_eq!(marks.all(), all);
                }
            }
        }
    }

    /// A million keys, as even as those of a hash are.
    fn million(from: u64) -> impl Iterator<Item = Key> {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        (from..from + 1_000_000).map(move |number| Key::of(MarkKind::User, hasher.hash_one(number)))
    }

    #[test]
    fn r5_a_mark_costs_no_more_than_forty_bytes() {
        let many: Vec<_> = million(0).map(|key| (key, 1)).collect();
        let marks = Marks::default().with(None, &many).settled(0);
        assert_eq!(marks.len(), many.len());
        assert!(marks.bytes() <= 40 * many.len(), "{}", marks.bytes());
        assert!(marks.settled(2).is_empty(), "R5: those that no live token can meet are let go");
        let passed = million(1_000_000).filter(|key| marks.frozen.filter.may_have(*key)).count();
        assert!(passed < 10_000, "the filter lets {passed} of a million others through");
    }
}
