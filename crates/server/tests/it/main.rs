//! Black-box tests: a real server on a real socket, with a clock that the test sets.

mod claims;
mod database;
mod exchanges;
mod harness;
mod knox;
mod logins;
mod policies;
mod race;
mod redis;
mod sessions;
mod throttles;
