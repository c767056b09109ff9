//! The constants of SHA-256 and of the one message shape that a round of PBKDF2 hashes.

/// The hash value before the first block. Source: FIPS 180-4 §5.3.3.
pub(crate) const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The round constants, in the four runs of sixteen in which the kernels use them. Source: FIPS 180-4 §4.2.2.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub(crate) const K: [[u32; 16]; 4] = [
    [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    ],
    [
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    ],
    [
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    ],
    [
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ],
];

/// Word 8 of each block that a round hashes: the bit that ends a message of eight words. Source: FIPS 180-4 §5.1.1.
pub(crate) const END: u32 = 0x8000_0000;

/// Word 15 of each block that a round hashes: its message's length in bits, the 64 bytes of HMAC's padded key and the 32 of
/// a digest. Words 9 to 14 are zero. Source: FIPS 180-4 §5.1.1, RFC 2104 §2.
pub(crate) const LENGTH: u32 = (64 + 32) * 8;

/// `σ0` of FIPS 180-4 §4.1.2, for the words of the schedule that are constant.
#[cfg(target_arch = "x86_64")]
pub(crate) const fn small_sigma0(word: u32) -> u32 {
    word.rotate_right(7) ^ word.rotate_right(18) ^ (word >> 3)
}

/// `σ1` of FIPS 180-4 §4.1.2, for the words of the schedule that are constant.
#[cfg(target_arch = "x86_64")]
pub(crate) const fn small_sigma1(word: u32) -> u32 {
    word.rotate_right(17) ^ word.rotate_right(19) ^ (word >> 10)
}
