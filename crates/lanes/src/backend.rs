//! The families of CPU instructions that can do the work, and which of them this CPU has.

use std::fmt;

/// A way of hashing. All give the same bytes; they differ in what they need and in how many jobs they take at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Backend {
    /// RustCrypto's compression function, one job at a time. Runs anywhere, and uses the SHA instructions of ARMv8.
    Portable,
    /// The SHA instructions of x86, for one, two or three jobs at once.
    ShaNi,
    /// Eight jobs in the words of AVX2.
    Avx2,
    /// Eight or sixteen jobs in the words of AVX-512 (F and VL).
    Avx512,
}

impl Backend {
    /// All of them, whatever this CPU has.
    pub const ALL: [Self; 4] = [Self::Portable, Self::ShaNi, Self::Avx2, Self::Avx512];

    /// Its name in logs, tables and settings: `portable`, `sha-ni`, `avx2`, `avx512`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::ShaNi => "sha-ni",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// How many jobs it takes at once at most.
    pub fn width(self) -> usize {
        match self {
            Self::Portable => 1,
            Self::ShaNi => 3,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// Whether this CPU, and the operating system's saving of its registers, can run it.
    pub fn is_available(self) -> bool {
        Backends::detect().contains(self)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A set of back ends that this CPU can run, never empty. It starts from [`detect`](Self::detect) and can only be narrowed,
/// which is what makes calling their code sound.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Backends(u8);

impl Backends {
    /// All that this CPU can run; [`Backend::Portable`] always.
    #[must_use]
    pub fn detect() -> Self {
        let portable = Self(Backend::Portable.bit());
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            [
                (Backend::ShaNi, has!("sha") && has!("sse4.1") && has!("ssse3")),
                (Backend::Avx2, has!("avx2")),
                (Backend::Avx512, has!("avx512f") && has!("avx512vl")),
            ]
            .into_iter()
            .filter(|(_, found)| *found)
            .fold(portable, |set, (backend, _)| Self(set.0 | backend.bit()))
        }
        #[cfg(not(target_arch = "x86_64"))]
        portable
    }

    /// `backend` alone, or `None` when this CPU cannot run it.
    #[must_use]
    pub fn only(backend: Backend) -> Option<Self> {
        Self::detect().contains(backend).then_some(Self(backend.bit()))
    }

    /// The set without `backend`; what is left of nothing is [`Backend::Portable`].
    #[must_use]
    pub fn without(self, backend: Backend) -> Self {
        match self.0 & !backend.bit() {
            0 => Self(Backend::Portable.bit()),
            rest => Self(rest),
        }
    }

    /// Whether `backend` is in the set.
    pub fn contains(self, backend: Backend) -> bool {
        self.0 & backend.bit() != 0
    }

    /// The members, in the order of [`Backend::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Backend> {
        Backend::ALL.into_iter().filter(move |&backend| self.contains(backend))
    }
}

impl fmt::Debug for Backends {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowing_never_leaves_nothing() {
        let nothing = Backend::ALL.into_iter().fold(Backends::detect(), Backends::without);
        assert_eq!(nothing, Backends(Backend::Portable.bit()));
    }

    #[test]
    fn only_what_the_cpu_has_can_be_forced() {
        for backend in Backend::ALL {
            let forced = Backends::only(backend).map(|set| set.iter().collect::<Vec<_>>());
            assert_eq!(forced, backend.is_available().then(|| vec![backend]));
            assert!(!Backends::detect().without(backend).contains(backend) || backend == Backend::Portable);
        }
    }
}
