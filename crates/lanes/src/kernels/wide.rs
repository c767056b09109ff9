//! One SHA-256 in many lanes: the text that the AVX2 and AVX-512 kernels share. Each vector holds the same word of all its
//! jobs, so that one pass through the compression function hashes for every lane.
//!
//! A kernel module says `wide_kernel!` with its CPU features, its vector's type and its number of lanes, and defines these
//! functions on the vector's words: `splat`, `add`, `xor`, `xor3`; `choose` and `majority`, the `Ch` and `Maj` of FIPS 180-4
//! §4.1.2; `rotate` to the right by its first parameter, which is to the left by its second; `shift` to the right.

/// One round of the compression function, `$kw` being the sum of its constant and its word (FIPS 180-4 §6.2.2 step 3).
macro_rules! round {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $kw:expr) => {
        let first = add(add($h, $kw), add(big_sigma1($e), choose($e, $f, $g)));
        $d = add($d, first);
        $h = add(first, add(big_sigma0($a), majority($a, $b, $c)));
    };
}

/// Eight rounds, after which the eight words are back under their own names.
macro_rules! eight_rounds {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $at:literal, |$index:ident| $kw:expr) => {
        round!($a $b $c $d $e $f $g $h, { const $index: usize = $at; $kw });
        round!($h $a $b $c $d $e $f $g, { const $index: usize = $at + 1; $kw });
        round!($g $h $a $b $c $d $e $f, { const $index: usize = $at + 2; $kw });
        round!($f $g $h $a $b $c $d $e, { const $index: usize = $at + 3; $kw });
        round!($e $f $g $h $a $b $c $d, { const $index: usize = $at + 4; $kw });
        round!($d $e $f $g $h $a $b $c, { const $index: usize = $at + 5; $kw });
        round!($c $d $e $f $g $h $a $b, { const $index: usize = $at + 6; $kw });
        round!($b $c $d $e $f $g $h $a, { const $index: usize = $at + 7; $kw });
    };
}

macro_rules! wide_kernel {
    ($features:literal, $vector:ty, $width:literal) => {
        use crate::job::{Job, State};
        use crate::sha256::{END, K, LENGTH, small_sigma0 as sigma0_of, small_sigma1 as sigma1_of};

        /// How many jobs one call advances.
        const WIDTH: usize = $width;

        /// Advances each of up to [`WIDTH`] jobs by `rounds`. A call takes as long for one job as for all.
        #[target_feature(enable = $features)]
        pub(in crate::kernels) fn advance(jobs: &mut [Job], rounds: u32) {
            let inner = gather(jobs, |state| &state.inner);
            let outer = gather(jobs, |state| &state.outer);
            let mut link = gather(jobs, |state| &state.link);
            let mut sum = gather(jobs, |state| &state.sum);
            for _ in 0..rounds {
                for start in [&inner, &outer] {
                    link = compress(start, &link);
                }
                for (sum, &link) in sum.iter_mut().zip(&link) {
                    *sum = xor(*sum, link);
                }
            }
            scatter(jobs, &link, |state| &mut state.link);
            scatter(jobs, &sum, |state| &mut state.sum);
        }

        /// The digest of a padded key's block, hashed to `start`, and a message of eight words (FIPS 180-4 §6.2.2).
        #[target_feature(enable = $features)]
        #[inline]
        fn compress(start: &[$vector; 8], message: &[$vector; 8]) -> [$vector; 8] {
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *start;
            eight_rounds!(a b c d e f g h, 0, |I| add(message[I], splat(K[0][I])));
            eight_rounds!(a b c d e f g h, 8, |I| splat(K[0][I].wrapping_add(match I {
                8 => END,
                15 => LENGTH,
                _ => 0,
            })));
            let mut words = second_sixteen(message);
            // Written out, not a loop over the last three runs of constants: that is 3 % slower.
            eight_rounds!(a b c d e f g h, 0, |I| add(words[I], splat(K[1][I])));
            eight_rounds!(a b c d e f g h, 8, |I| add(words[I], splat(K[1][I])));
            eight_rounds!(a b c d e f g h, 0, |I| add(next_word::<I>(&mut words), splat(K[2][I])));
            eight_rounds!(a b c d e f g h, 8, |I| add(next_word::<I>(&mut words), splat(K[2][I])));
            eight_rounds!(a b c d e f g h, 0, |I| add(next_word::<I>(&mut words), splat(K[3][I])));
            eight_rounds!(a b c d e f g h, 8, |I| add(next_word::<I>(&mut words), splat(K[3][I])));
            let mut digest = [a, b, c, d, e, f, g, h];
            for (word, &first) in digest.iter_mut().zip(start) {
                *word = add(*word, first);
            }
            digest
        }

        /// Words 16 to 31 of the schedule (FIPS 180-4 §6.2.2 step 1), without the work on the words that never change.
        #[target_feature(enable = $features)]
        #[inline]
        fn second_sixteen(message: &[$vector; 8]) -> [$vector; 16] {
            let w = message;
            let w16 = add(w[0], small_sigma0(w[1]));
            let w17 = add(add(w[1], small_sigma0(w[2])), splat(const { sigma1_of(LENGTH) }));
            let w18 = add(add(w[2], small_sigma0(w[3])), small_sigma1(w16));
            let w19 = add(add(w[3], small_sigma0(w[4])), small_sigma1(w17));
            let w20 = add(add(w[4], small_sigma0(w[5])), small_sigma1(w18));
            let w21 = add(add(w[5], small_sigma0(w[6])), small_sigma1(w19));
            let w22 = add(add(add(w[6], small_sigma0(w[7])), splat(LENGTH)), small_sigma1(w20));
            let w23 = add(add(add(w[7], splat(const { sigma0_of(END) })), w16), small_sigma1(w21));
            let w24 = add(add(splat(END), w17), small_sigma1(w22));
            let w25 = add(w18, small_sigma1(w23));
            let w26 = add(w19, small_sigma1(w24));
            let w27 = add(w20, small_sigma1(w25));
            let w28 = add(w21, small_sigma1(w26));
            let w29 = add(w22, small_sigma1(w27));
            let w30 = add(add(splat(const { sigma0_of(LENGTH) }), w23), small_sigma1(w28));
            let w31 = add(add(add(splat(LENGTH), small_sigma0(w16)), w24), small_sigma1(w29));
            [w16, w17, w18, w19, w20, w21, w22, w23, w24, w25, w26, w27, w28, w29, w30, w31]
        }

        /// Replaces word `I` of the last sixteen by the one sixteen later, and returns that.
        #[target_feature(enable = $features)]
        #[inline]
        fn next_word<const I: usize>(words: &mut [$vector; 16]) -> $vector {
            let near = add(words[I], small_sigma0(words[(I + 1) % 16]));
            let far = add(words[(I + 9) % 16], small_sigma1(words[(I + 14) % 16]));
            words[I] = add(near, far);
            words[I]
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn big_sigma0(x: $vector) -> $vector {
            xor3(rotate::<2, 30>(x), rotate::<13, 19>(x), rotate::<22, 10>(x))
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn big_sigma1(x: $vector) -> $vector {
            xor3(rotate::<6, 26>(x), rotate::<11, 21>(x), rotate::<25, 7>(x))
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn small_sigma0(x: $vector) -> $vector {
            xor3(rotate::<7, 25>(x), rotate::<18, 14>(x), shift::<3>(x))
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn small_sigma1(x: $vector) -> $vector {
            xor3(rotate::<17, 15>(x), rotate::<19, 13>(x), shift::<10>(x))
        }

        /// Lays `part` of each job's state across the lanes; lanes without a job hold zeros.
        #[target_feature(enable = $features)]
        fn gather(jobs: &[Job], part: impl Fn(&State) -> &[u32; 8]) -> [$vector; 8] {
            let mut vectors = [splat(0); 8];
            for (word, vector) in vectors.iter_mut().enumerate() {
                let mut row = zeroize::Zeroizing::new([0; WIDTH]);
                for (lane, job) in row.iter_mut().zip(jobs) {
                    *lane = part(job.state())[word];
                }
                *vector = from_words(*row);
            }
            vectors
        }

        /// Puts each lane's words back into `part` of its job's state.
        #[target_feature(enable = $features)]
        fn scatter(jobs: &mut [Job], vectors: &[$vector; 8], part: impl Fn(&mut State) -> &mut [u32; 8]) {
            for (word, &vector) in vectors.iter().enumerate() {
                let row = zeroize::Zeroizing::new(to_words(vector));
                for (&lane, job) in row.iter().zip(jobs.iter_mut()) {
                    part(job.state_mut())[word] = lane;
                }
            }
        }

        #[target_feature(enable = $features)]
        #[expect(unsafe_code, reason = "no safe function makes a vector of an array")]
        fn from_words(words: [u32; WIDTH]) -> $vector {
            // SAFETY: the compiler checks that the sizes are equal, and any bits are valid in either type.
            unsafe { std::mem::transmute(words) }
        }

        #[target_feature(enable = $features)]
        #[expect(unsafe_code, reason = "no safe function makes an array of a vector")]
        fn to_words(vector: $vector) -> [u32; WIDTH] {
            // SAFETY: the compiler checks that the sizes are equal, and any bits are valid in either type.
            unsafe { std::mem::transmute(vector) }
        }
    };
}
