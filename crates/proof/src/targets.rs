//! One target a parser.

mod authorization;
mod body;
mod config;
mod cookie;
mod csrf;
mod database_url;
mod forwarded;
mod json;
mod jwt;
mod key;
mod knox;
mod negotiation;
mod password;
mod session;

/// A parser and what must hold for whatever bytes it is given.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: the folder of its seeds, and its libFuzzer target.
    pub name: &'static str,
    /// Gives the parser these bytes.
    ///
    /// # Panics
    /// When an invariant does not hold, which is what fuzzing is for.
    pub check: fn(&[u8]),
    /// Texts that mean something to the parser.
    pub words: &'static [&'static str],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    authorization::TARGET,
    jwt::TARGET,
    key::TARGET,
    password::TARGET,
    json::TARGET,
    body::TARGET,
    negotiation::TARGET,
    config::TARGET,
    cookie::TARGET,
    forwarded::TARGET,
    session::TARGET,
    csrf::TARGET,
    knox::TARGET,
    database_url::TARGET,
];

/// The first line and the rest.
fn split_line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    (&data[..end], data.get(end + 1..).unwrap_or_default())
}

/// `data` with each of these marks replaced by what it stands for, so that seeds need not hold the secrets of a run.
fn fill_in(data: &[u8], marks: &[(&str, &str)]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some(first) = rest.first() {
        if let Some((mark, meaning)) = marks.iter().find(|(mark, _)| rest.starts_with(mark.as_bytes())) {
            filled.extend_from_slice(meaning.as_bytes());
            rest = &rest[mark.len()..];
        } else {
            filled.push(*first);
            rest = &rest[1..];
        }
    }
    filled
}
