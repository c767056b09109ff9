//! What is thrown at every parser that bytes from outside can reach. Never part of the program.
//!
//! A [`Target`] takes any bytes, gives them to one parser and panics when an invariant does not hold: besides "does not panic",
//! that what is read and written comes back, that two ways to the same answer agree, or that nobody is let in who did not show
//! the secret. Three runners share the targets: a plain test over the seeds of `fuzz/seeds` and some mutations of them, the
//! `fuzz` program over as many as it is told (both the same ones each time, on a stable compiler), and libFuzzer (`fuzz/`,
//! `scripts/fuzz`).
//!
//! The `verdicts` program is the other half of `scripts/differential`: it says what Countersign makes of tokens, headers and
//! stored passwords, to be compared with what SimpleJWT, DRF and Django make of them.

pub mod mutate;
pub mod run;
pub mod targets;

pub use run::{Finding, fuzz, seeds};
pub use targets::{TARGETS, Target};
