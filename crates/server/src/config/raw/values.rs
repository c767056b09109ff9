//! Kinds of values.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::config::duration::Length;

/// A text that must not be shown, not even when it is refused; erased from memory when dropped.
pub(in crate::config) struct SecretText(pub Zeroizing<String>);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(Zeroizing::new(text))),
            _ => Err(D::Error::custom("must be a text in quotes")),
        }
    }
}

/// A name, or `false` where Django says `None`.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a name, or false to switch it off")]
pub(in crate::config) enum Nullable {
    Off(bool),
    Name(String),
}

/// A text or a list of texts.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts")]
pub(in crate::config) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(in crate::config) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

/// A length of time, or `false` where Django says `None`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "a duration such as \"10h\" or a number of seconds, or false for none")]
pub(in crate::config) enum NullableLength {
    Off(bool),
    Length(Length),
}

/// A number, or `false` where Django says `None`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "a number, or false for none")]
pub(in crate::config) enum NullableCount {
    Off(bool),
    Count(u32),
}
