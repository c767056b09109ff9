//! One job in RustCrypto's compression function, which runs anywhere and takes the SHA instructions of x86 and ARMv8 by
//! itself.

use sha2::block_api::compress256;
use zeroize::Zeroizing;

use crate::job::Job;
use crate::sha256::{END, LENGTH};

/// Advances each of `jobs` by `rounds`.
pub(super) fn advance(jobs: &mut [Job], rounds: u32) {
    let mut block = Zeroizing::new([0; 64]);
    block[32..36].copy_from_slice(&END.to_be_bytes());
    block[60..].copy_from_slice(&LENGTH.to_be_bytes());
    for job in jobs {
        let state = job.state_mut();
        for _ in 0..rounds {
            for start in [&state.inner, &state.outer] {
                for (bytes, word) in block.chunks_exact_mut(4).zip(&state.link) {
                    bytes.copy_from_slice(&word.to_be_bytes());
                }
                state.link = *start;
                compress256(&mut state.link, std::slice::from_ref(&block));
            }
            for (sum, link) in state.sum.iter_mut().zip(&state.link) {
                *sum ^= link;
            }
        }
    }
}
