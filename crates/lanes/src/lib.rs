//! Many PBKDF2-HMAC-SHA256 runs side by side: a batch of independent states, advanced by some rounds at a time.
//!
//! A password hash is a chain: each round needs the one before, so one hash cannot use the width of a CPU. Several can, one
//! in each SIMD lane or interleaved in the SHA instructions. This crate is that and nothing else: words, rounds and CPU
//! features. Who waits, for how long and in what order is its caller's.
//!
//! ```
//! use std::num::NonZeroU32;
//! use countersign_lanes::{Batch, Job, Lanes};
//!
//! let lanes = Lanes::detect();
//! let mut batch = Batch::new(lanes, lanes.best_width(100));
//! let mut waiting: Vec<_> = (0..100_u32).map(|user| (user, NonZeroU32::new(500 + user).expect("not zero"))).collect();
//! let mut answered = 0;
//! while answered < 100 {
//!     while batch.room() > 0 && let Some((user, rounds)) = waiting.pop() {
//!         batch.insert(Job::new(b"password", &user.to_be_bytes(), rounds), user).expect("there is room");
//!     }
//!     batch.advance(1_000);
//!     for (user, block) in batch.take_finished() {
//!         answered += 1;
//!         let mut expected = [0; 32];
//!         pbkdf2::pbkdf2_hmac::<sha2::Sha256>(b"password", &user.to_be_bytes(), 500 + user, &mut expected);
//!         assert_eq!(block.expose(), &expected);
//!     }
//! }
//! ```
//!
//! Sources: PBKDF2 is RFC 8018 §5.2, HMAC is RFC 2104, SHA-256 is FIPS 180-4. Time depends on the number of jobs and rounds
//! only, never on what is hashed.

mod backend;
mod batch;
mod costs;
mod job;
mod kernels;
mod plan;
mod sha256;

pub use backend::{Backend, Backends};
pub use batch::Batch;
pub use costs::Costs;
pub use job::{Block, Job};
pub use plan::Lanes;

/// How many jobs a [`Batch`] holds at most: the lanes of the widest back end.
pub const MAX_WIDTH: usize = 16;
