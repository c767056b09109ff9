//! Black-box tests: a real server on a real socket, with a clock that the test sets.

mod audit;
mod canary;
mod claims;
mod clients;
mod database;
mod devices;
mod exchanges;
mod harness;
mod introspection;
mod keys;
mod knox;
mod limits;
mod logins;
mod native_tokens;
mod policies;
mod program;
mod race;
mod redis;
mod register;
mod revocation;
mod sessions;
mod throttles;
mod token_revocation;
