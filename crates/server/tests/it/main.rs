//! Black-box tests: a real server on a real socket, with a clock that the test sets.

mod canary;
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
mod register;
mod revocation;
mod sessions;
mod throttles;
