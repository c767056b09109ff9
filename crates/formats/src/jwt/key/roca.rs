//! The fingerprint of CVE-2017-15361 (Nemec and others, "The Return of Coppersmith's Attack", 2017, §2): moduli of Infineon's
//! generator are powers of 65537 modulo every small prime.

const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether a modulus has the fingerprint. Of other moduli fewer than one in 2^27 has it.
pub(super) fn is_vulnerable(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|&prime| {
        let remainder = modulus.iter().fold(0, |rest, &digit| (rest << 8 | u32::from(digit)) % prime);
        let mut power = 1;
        (0..prime).any(|_| {
            power = power * (65537 % prime) % prime;
            power == remainder
        })
    })
}
