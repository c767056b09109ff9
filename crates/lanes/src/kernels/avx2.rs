//! Eight jobs side by side in the 32-bit words of AVX2, for CPUs that have neither SHA instructions nor AVX-512.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_or_si256, _mm256_set1_epi32, _mm256_slli_epi32,
    _mm256_srli_epi32, _mm256_xor_si256,
};

wide_kernel!("avx2", __m256i, 8);

#[target_feature(enable = "avx2")]
#[inline]
fn splat(word: u32) -> __m256i {
    _mm256_set1_epi32(word.cast_signed())
}

#[target_feature(enable = "avx2")]
#[inline]
fn add(x: __m256i, y: __m256i) -> __m256i {
    _mm256_add_epi32(x, y)
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor(x: __m256i, y: __m256i) -> __m256i {
    _mm256_xor_si256(x, y)
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor3(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    xor(xor(x, y), z)
}

/// `Ch` of FIPS 180-4 §4.1.2: bit by bit, `x` decides between `y` and `z`.
#[target_feature(enable = "avx2")]
#[inline]
fn choose(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    xor(z, _mm256_and_si256(x, xor(y, z)))
}

/// `Maj` of FIPS 180-4 §4.1.2.
#[target_feature(enable = "avx2")]
#[inline]
fn majority(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_and_si256(x, y), _mm256_and_si256(z, _mm256_or_si256(x, y)))
}

/// Rotates right by `RIGHT`, which is left by `LEFT`.
#[target_feature(enable = "avx2")]
#[inline]
fn rotate<const RIGHT: i32, const LEFT: i32>(x: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_srli_epi32::<RIGHT>(x), _mm256_slli_epi32::<LEFT>(x))
}

#[target_feature(enable = "avx2")]
#[inline]
fn shift<const RIGHT: i32>(x: __m256i) -> __m256i {
    _mm256_srli_epi32::<RIGHT>(x)
}

#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "no safe function makes a vector of an array")]
fn from_words(words: [u32; WIDTH]) -> __m256i {
    // SAFETY: both types are 32 bytes, and every value of those is valid in either.
    unsafe { std::mem::transmute(words) }
}

#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "no safe function makes an array of a vector")]
fn to_words(vector: __m256i) -> [u32; WIDTH] {
    // SAFETY: both types are 32 bytes, and every value of those is valid in either.
    unsafe { std::mem::transmute(vector) }
}
