//! Many jobs side by side in the 32-bit words of AVX-512, where a rotation and any function of three words are one
//! instruction each: [`full`] has sixteen lanes; [`half`] has eight, whose instructions find three execution ports instead
//! of two, so that a round takes three quarters of the time.

macro_rules! avx512_kernel {
    (
        $(#[$doc:meta])* $name:ident, $features:literal, $vector:ident, $width:literal, shifts by $count:ty,
        $splat:ident $add:ident $xor:ident $ternary:ident $rotate:ident $shift:ident
    ) => {
        $(#[$doc])*
        pub(super) mod $name {
            use std::arch::x86_64::{$vector, $add, $rotate, $shift, $splat, $ternary, $xor};

            wide_kernel!($features, $vector, $width);

            #[target_feature(enable = $features)]
            #[inline]
            fn splat(word: u32) -> $vector {
                $splat(word.cast_signed())
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn add(x: $vector, y: $vector) -> $vector {
                $add(x, y)
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn xor(x: $vector, y: $vector) -> $vector {
                $xor(x, y)
            }

            // The immediate of a function of three words is its table: bit 4x + 2y + z is the result for bits x, y, z.

            #[target_feature(enable = $features)]
            #[inline]
            fn xor3(x: $vector, y: $vector, z: $vector) -> $vector {
                $ternary::<0b1001_0110>(x, y, z)
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn choose(x: $vector, y: $vector, z: $vector) -> $vector {
                $ternary::<0b1100_1010>(x, y, z)
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn majority(x: $vector, y: $vector, z: $vector) -> $vector {
                $ternary::<0b1110_1000>(x, y, z)
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn rotate<const RIGHT: i32, const LEFT: i32>(x: $vector) -> $vector {
                $rotate::<RIGHT>(x)
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn shift<const RIGHT: $count>(x: $vector) -> $vector {
                $shift::<RIGHT>(x)
            }
        }
    };
}

avx512_kernel!(
    /// Sixteen lanes.
    full, "avx512f", __m512i, 16, shifts by u32,
    _mm512_set1_epi32 _mm512_add_epi32 _mm512_xor_si512 _mm512_ternarylogic_epi32 _mm512_ror_epi32 _mm512_srli_epi32
);

avx512_kernel!(
    /// Eight lanes.
    half, "avx512f,avx512vl", __m256i, 8, shifts by i32,
    _mm256_set1_epi32 _mm256_add_epi32 _mm256_xor_si256 _mm256_ternarylogic_epi32 _mm256_ror_epi32 _mm256_srli_epi32
);
