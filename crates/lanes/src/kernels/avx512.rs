//! Sixteen jobs side by side in the 32-bit words of AVX-512: a rotation and any function of three words are one instruction
//! each.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_srli_epi32, _mm512_ternarylogic_epi32,
    _mm512_xor_si512,
};

wide_kernel!("avx512f", __m512i, 16);

#[target_feature(enable = "avx512f")]
#[inline]
fn splat(word: u32) -> __m512i {
    _mm512_set1_epi32(word.cast_signed())
}

#[target_feature(enable = "avx512f")]
#[inline]
fn add(x: __m512i, y: __m512i) -> __m512i {
    _mm512_add_epi32(x, y)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor(x: __m512i, y: __m512i) -> __m512i {
    _mm512_xor_si512(x, y)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor3(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0b1001_0110>(x, y, z)
}

/// `Ch` of FIPS 180-4 §4.1.2: bit by bit, `x` decides between `y` and `z`.
#[target_feature(enable = "avx512f")]
#[inline]
fn choose(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0b1100_1010>(x, y, z)
}

/// `Maj` of FIPS 180-4 §4.1.2.
#[target_feature(enable = "avx512f")]
#[inline]
fn majority(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0b1110_1000>(x, y, z)
}

/// Rotates right by `RIGHT`, which is left by `LEFT`.
#[target_feature(enable = "avx512f")]
#[inline]
fn rotate<const RIGHT: i32, const LEFT: i32>(x: __m512i) -> __m512i {
    _mm512_ror_epi32::<RIGHT>(x)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn shift<const RIGHT: u32>(x: __m512i) -> __m512i {
    _mm512_srli_epi32::<RIGHT>(x)
}

#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "no safe function makes a vector of an array")]
fn from_words(words: [u32; WIDTH]) -> __m512i {
    // SAFETY: both types are 64 bytes, and every value of those is valid in either.
    unsafe { std::mem::transmute(words) }
}

#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "no safe function makes an array of a vector")]
fn to_words(vector: __m512i) -> [u32; WIDTH] {
    // SAFETY: both types are 64 bytes, and every value of those is valid in either.
    unsafe { std::mem::transmute(vector) }
}
