//! JSON objects as Python's `dict` keeps them.

use super::{Text, Value};

/// Members in insertion order. A repeated name keeps its first place and takes the last value, as in a Python `dict`.
#[derive(Clone, Debug, Default)]
pub struct Object {
    members: Vec<(Text, Value)>,
    had_duplicates: bool,
}

impl Object {
    /// An object without members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Whether `name` is present, be its value null.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets `name` where it stands, or appends it.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.members.iter_mut().find(|(key, _)| *key == name) {
            Some((_, slot)) => *slot = value,
            None => self.members.push((Text::from(name), value)),
        }
    }

    /// Like [`set`](Self::set), for a name that may hold lone surrogates.
    pub fn set_text(&mut self, name: Text, value: Value) {
        match self.members.iter_mut().find(|(key, _)| *key == name) {
            Some((_, slot)) => *slot = value,
            None => self.members.push((name, value)),
        }
    }

    /// Takes `name` out; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let place = self.members.iter().position(|(key, _)| *key == name)?;
        Some(self.members.remove(place).1)
    }

    /// The members in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &Value)> {
        self.members.iter().map(|(name, value)| (name, value))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether the text this was read from repeated a name in this object (not in those inside it).
    pub fn had_duplicates(&self) -> bool {
        self.had_duplicates
    }

    /// Takes members whose names are known to differ.
    pub(super) fn from_distinct(members: Vec<(Text, Value)>, had_duplicates: bool) -> Self {
        Self { members, had_duplicates }
    }
}

/// Same members in the same order; how they were read does not count.
impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
    }
}

impl<'a> FromIterator<(&'a str, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (&'a str, Value)>>(members: I) -> Self {
        let mut object = Self::new();
        for (name, value) in members {
            object.set(name, value);
        }
        object
    }
}
