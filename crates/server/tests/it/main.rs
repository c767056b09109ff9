//! Black-box tests: a real server on a real socket, with a clock that the test sets.

mod claims;
mod database;
mod devices;
mod exchanges;
mod harness;
mod knox;
mod logins;
mod native_tokens;
mod policies;
mod race;
mod redis;
mod revocation;
mod sessions;
mod throttles;
