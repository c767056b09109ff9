//! Black-box tests: a real server on a real socket, with a clock that the test sets.

mod canary;
mod claims;
mod database;
mod exchanges;
mod harness;
mod keys;
mod knox;
mod logins;
mod policies;
mod race;
mod redis;
mod register;
mod sessions;
mod throttles;
