//! One, two or three jobs in the SHA instructions of x86. One job alone leaves them waiting for each other's results; a
//! second or third, some steps ahead so that no two change from hash to hash at the same time, keeps them busy.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_castps_si128, _mm_castsi128_ps, _mm_extract_epi32, _mm_set_epi32,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi32, _mm_shuffle_ps,
    _mm_xor_si128,
};

use crate::job::{Job, State};
use crate::sha256::{END, K, LENGTH};

/// Advances each of up to `N` jobs, at most three, by `rounds`. A call takes as long for fewer jobs as for `N`.
#[target_feature(enable = "sha,sse4.1,ssse3")]
pub(super) fn advance<const N: usize>(jobs: &mut [Job], rounds: u32) {
    /// How many steps the second and the third job are ahead of the first.
    const AHEAD: [usize; 2] = [6, 11];
    let mut streams: [Stream; N] = std::array::from_fn(|lane| Stream::new(jobs.get(lane).map(Job::state)));
    macro_rules! steps_ahead {
        ($($step:literal)*) => { $(
            if N > 1 && $step < AHEAD[0] { streams[1].step::<$step>(); }
            if N > 2 && $step < AHEAD[1] { streams[2].step::<$step>(); }
        )* };
    }
    macro_rules! steps {
        ($($step:literal)*) => { $(
            streams[0].step::<$step>();
            if N > 1 { streams[1].step::<{ ($step + AHEAD[0]) % 32 }>(); }
            if N > 2 { streams[2].step::<{ ($step + AHEAD[1]) % 32 }>(); }
        )* };
    }
    steps_ahead!(0 1 2 3 4 5 6 7 8 9 10);
    for _ in 0..rounds {
        steps!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    }
    // What a stream did ahead of the last whole round is dropped with it.
    for (stream, job) in streams.iter().zip(jobs) {
        stream.save(job.state_mut());
    }
}

/// Eight words in the order of the SHA instructions: A, B, E, F and C, D, G, H, the first of each in the highest lane.
type Pair = [__m128i; 2];

/// A job in registers, within a round. A round is 32 steps, each of four rounds of SHA-256: 16 for the inner hash and 16
/// for the outer.
struct Stream {
    inner: Pair,
    outer: Pair,
    /// The job's link and sum after its last whole round.
    link: Pair,
    sum: Pair,
    /// The hash under way; between two hashes, the result of the one and message of the other.
    hash: Pair,
    /// The last sixteen words of the hash's schedule, where they are not constant.
    words: [__m128i; 4],
}

impl Stream {
    /// Loads a job, or zeros to fill a place without one.
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn new(state: Option<&State>) -> Self {
        let load = |part: fn(&State) -> &[u32; 8]| pair(state.map_or(&[0; 8], part));
        let link = load(|state| &state.link);
        Self {
            inner: load(|state| &state.inner),
            outer: load(|state| &state.outer),
            link,
            sum: load(|state| &state.sum),
            hash: link,
            words: [_mm_set_epi32(0, 0, 0, 0); 4],
        }
    }

    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn save(&self, state: &mut State) {
        unpair(self.link, &mut state.link);
        unpair(self.sum, &mut state.sum);
    }

    #[target_feature(enable = "sha,sse4.1,ssse3")]
    #[inline]
    fn step<const STEP: usize>(&mut self) {
        let start = if STEP < 16 { self.inner } else { self.outer };
        if STEP.is_multiple_of(16) {
            [self.words[0], self.words[1]] = message(self.hash);
            self.hash = start;
        }
        let sums = self.next_words::<STEP>();
        self.four_rounds(sums);
        if STEP % 16 == 15 {
            self.hash = [_mm_add_epi32(self.hash[0], start[0]), _mm_add_epi32(self.hash[1], start[1])];
        }
        if STEP == 31 {
            self.link = self.hash;
            self.sum = [_mm_xor_si128(self.sum[0], self.link[0]), _mm_xor_si128(self.sum[1], self.link[1])];
        }
    }

    /// The next four words of the schedule (FIPS 180-4 §6.2.2 step 1), with the constants added. The instruction `msg1` adds
    /// σ0 of the word after, `msg2` adds σ1 of the word two before. Words 8 to 15 are [`END`], zeros and [`LENGTH`], so that
    /// the steps that meet them have less to do.
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    #[inline]
    fn next_words<const STEP: usize>(&mut self) -> __m128i {
        let third = _mm_set_epi32(0, 0, 0, END.cast_signed());
        let fourth = _mm_set_epi32(LENGTH.cast_signed(), 0, 0, 0);
        let [a, b, c, d] = self.words;
        match STEP % 16 {
            2 => return constants::<STEP>([END, 0, 0, 0]),
            3 => return constants::<STEP>([0, 0, 0, LENGTH]),
            4 => self.words[0] = _mm_sha256msg2_epu32(_mm_sha256msg1_epu32(a, b), fourth),
            5 => self.words[1] = four_words(_mm_sha256msg1_epu32(b, third), fourth, a),
            6 => self.words[2] = four_words(third, a, b),
            7 => self.words[3] = four_words(_mm_sha256msg1_epu32(fourth, a), b, c),
            8 | 12 => self.words[0] = four_words(_mm_sha256msg1_epu32(a, b), c, d),
            9 | 13 => self.words[1] = four_words(_mm_sha256msg1_epu32(b, c), d, a),
            10 | 14 => self.words[2] = four_words(_mm_sha256msg1_epu32(c, d), a, b),
            11 | 15 => self.words[3] = four_words(_mm_sha256msg1_epu32(d, a), b, c),
            _ => {}
        }
        _mm_add_epi32(self.words[STEP % 4], constants::<STEP>([0; 4]))
    }

    /// Four rounds (FIPS 180-4 §6.2.2 step 3) with `sums` of their constants and words. The instruction does two, and turns
    /// A, B, E, F into the next C, D, G, H.
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    #[inline]
    fn four_rounds(&mut self, sums: __m128i) {
        let [abef, cdgh] = self.hash;
        let cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sums);
        let abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32::<0b00_00_11_10>(sums));
        self.hash = [abef, cdgh];
    }
}

/// Four words from what the words of sixteen before give, and the last eight words.
#[target_feature(enable = "sha,sse4.1,ssse3")]
#[inline]
fn four_words(sixteen_before: __m128i, third: __m128i, fourth: __m128i) -> __m128i {
    let seven_before = _mm_alignr_epi8::<4>(fourth, third);
    _mm_sha256msg2_epu32(_mm_add_epi32(sixteen_before, seven_before), fourth)
}

/// Four round constants, the first in the lowest lane, with what `words` of the message add to them.
#[target_feature(enable = "sha,sse4.1,ssse3")]
#[inline]
fn constants<const STEP: usize>(words: [u32; 4]) -> __m128i {
    let sum = |lane: usize| K[STEP % 16 / 4][STEP % 4 * 4 + lane].wrapping_add(words[lane]).cast_signed();
    _mm_set_epi32(sum(3), sum(2), sum(1), sum(0))
}

/// A hash as the first eight words of a message, the first in the lowest lane.
#[target_feature(enable = "sha,sse4.1,ssse3")]
#[inline]
fn message([abef, cdgh]: Pair) -> [__m128i; 2] {
    let [abef, cdgh] = [_mm_castsi128_ps(abef), _mm_castsi128_ps(cdgh)];
    let abcd = _mm_shuffle_ps::<0b10_11_10_11>(abef, cdgh);
    let efgh = _mm_shuffle_ps::<0b00_01_00_01>(abef, cdgh);
    [_mm_castps_si128(abcd), _mm_castps_si128(efgh)]
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
#[expect(clippy::many_single_char_names, reason = "the names of FIPS 180-4")]
fn pair(words: &[u32; 8]) -> Pair {
    let &[a, b, c, d, e, f, g, h] = words;
    let vector =
        |[a, b, c, d]: [u32; 4]| _mm_set_epi32(a.cast_signed(), b.cast_signed(), c.cast_signed(), d.cast_signed());
    [vector([a, b, e, f]), vector([c, d, g, h])]
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn unpair([abef, cdgh]: Pair, words: &mut [u32; 8]) {
    let lanes = [
        _mm_extract_epi32::<3>(abef),
        _mm_extract_epi32::<2>(abef),
        _mm_extract_epi32::<3>(cdgh),
        _mm_extract_epi32::<2>(cdgh),
        _mm_extract_epi32::<1>(abef),
        _mm_extract_epi32::<0>(abef),
        _mm_extract_epi32::<1>(cdgh),
        _mm_extract_epi32::<0>(cdgh),
    ];
    for (word, lane) in words.iter_mut().zip(lanes) {
        *word = lane.cast_unsigned();
    }
}
