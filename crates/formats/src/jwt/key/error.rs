//! Why a key is refused. Nothing of the key is in the text.

use super::{Algorithm, SecretError};

/// A key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a key at all.
    #[error("is neither a PEM block, a JSON web key nor an OpenSSH public key")]
    NotAKey,
    /// `PyJWT` takes no certificates either.
    #[error("is a certificate; take the key out of it with `openssl x509 -pubkey -noout`")]
    Certificate,
    /// A private key under a passphrase.
    #[error("is encrypted; take the passphrase off with `openssl pkey`, and keep the file from others' eyes")]
    Encrypted,
    /// A private key in OpenSSH's own format.
    #[error("is a private key in OpenSSH's format; convert it with `ssh-keygen -p -m PKCS8`")]
    OpenSshPrivate,
    /// A public key where tokens are to be signed.
    #[error("is a public key, and signing takes the private one")]
    Public,
    /// A private RSA key where tokens are to be verified; `PyJWT` fails on it.
    #[error("is a private key, and verifying takes the public one; `openssl pkey -pubout` makes it")]
    Private,
    /// A key of another kind than the algorithm's.
    #[error("is {found}, and {algorithm} takes {wanted}")]
    WrongKind {
        /// What was asked for.
        algorithm: Algorithm,
        /// Its kind of key.
        wanted: &'static str,
        /// The kind of key given.
        found: &'static str,
    },
    /// A kind of key that no algorithm here has.
    #[error("is {0}, which is not supported")]
    UnsupportedKind(&'static str),
    /// RFC 7518 §3.3: 2048 bits or more.
    #[error("is an RSA key of {0} bits; 2048 to 8192 are taken")]
    RsaSize(usize),
    /// An exponent below 3, an even one, or one of more than 33 bits.
    #[error("is an RSA key whose public exponent is not an odd number of 3 or more and at most 33 bits")]
    RsaExponent,
    /// CVE-2017-15361.
    #[error("is an RSA key of a generator that makes keys which can be factored (ROCA); make a new one")]
    Roca,
    /// Not a point of the curve, or a private part that does not belong to it.
    #[error("is no valid {0} key: its parts do not fit together")]
    Invalid(&'static str),
    /// The text is damaged.
    #[error("cannot be read: {0}")]
    Malformed(&'static str),
    /// RFC 7517 §4: a member that is needed, or is not of the right form.
    #[error("is a JSON web key whose \"{0}\" is missing or malformed")]
    Member(&'static str),
    /// RFC 7517 §4.2, §4.3: a key for something else.
    #[error("is a JSON web key that is not for signatures (\"use\", \"key_ops\")")]
    Use,
    /// RFC 7517 §4.4: the key says it is for another algorithm.
    #[error("is a JSON web key for {0}")]
    OtherAlgorithm(String),
    /// A key set where one key is meant, or the reverse.
    #[error("is a JSON web key set; where one key is meant give one key")]
    Set,
    /// Not a key set.
    #[error("is no JSON web key set: an object whose \"keys\" is a list of keys, at most {0}")]
    NotASet(usize),
    /// Two keys of one algorithm have one `kid`.
    #[error("is a JSON web key set with two keys of one \"kid\"")]
    RepeatedKid,
    /// Secrets beside public keys.
    #[error("is a JSON web key set with shared secrets beside public keys")]
    MixedSet,
    /// A shared secret that is refused.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A shared secret shorter than the hash (RFC 7518 §3.2).
    #[error("is a shared secret of {found} bytes; {algorithm} takes {wanted} or more (RFC 7518 §3.2)")]
    ShortSecret {
        /// The algorithm.
        algorithm: Algorithm,
        /// Bytes wanted.
        wanted: usize,
        /// Bytes given.
        found: usize,
    },
}
