//! The loops that do the work, one module for each way of doing it, and the door to them: the one place that calls code
//! compiled for CPU features.

use crate::backend::{Backend, Backends};
use crate::job::Job;

mod portable;

#[cfg(target_arch = "x86_64")]
#[macro_use]
mod wide;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod sha_ni;

/// A loop that advances a set number of jobs in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Portable,
    ShaNi1,
    ShaNi2,
    ShaNi3,
    Avx2,
    Avx512Half,
    Avx512,
}

impl Kind {
    /// All of them, a back end's narrower ones first.
    pub(crate) const ALL: [Self; 7] =
        [Self::Portable, Self::ShaNi1, Self::ShaNi2, Self::ShaNi3, Self::Avx2, Self::Avx512Half, Self::Avx512];

    /// The back end it is of.
    pub(crate) const fn backend(self) -> Backend {
        match self {
            Self::Portable => Backend::Portable,
            Self::ShaNi1 | Self::ShaNi2 | Self::ShaNi3 => Backend::ShaNi,
            Self::Avx2 => Backend::Avx2,
            Self::Avx512Half | Self::Avx512 => Backend::Avx512,
        }
    }

    /// How many jobs one call advances at most. It takes the same time for fewer.
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Portable | Self::ShaNi1 => 1,
            Self::ShaNi2 => 2,
            Self::ShaNi3 => 3,
            Self::Avx2 | Self::Avx512Half => 8,
            Self::Avx512 => 16,
        }
    }
}

/// A loop that this CPU can run: a value comes only from a [`Backends`], which only detection makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kernel(Kind);

impl Kernel {
    /// The loops of `backends`, at least one.
    pub(crate) fn all(backends: Backends) -> impl Iterator<Item = Self> {
        Kind::ALL.into_iter().filter(move |kind| backends.contains(kind.backend())).map(Self)
    }

    /// Which loop it is.
    pub(crate) const fn kind(self) -> Kind {
        self.0
    }

    /// Advances each of `jobs`, at most its [width](Kind::width) of them, by `rounds`, at most what the least of them has to go.
    #[cfg_attr(
        target_arch = "x86_64",
        expect(unsafe_code, reason = "the caller of CPU features must know that they are there")
    )]
    pub(crate) fn advance(self, jobs: &mut [Job], rounds: u32) {
        debug_assert!(jobs.len() <= self.0.width());
        match self.0 {
            Kind::Portable => portable::advance(jobs, rounds),
            // SAFETY: this value came from a `Backends` with `ShaNi`, so detection found sha, sse4.1 and ssse3.
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi1 => unsafe { sha_ni::advance::<1>(jobs, rounds) },
            // SAFETY: as for one stream.
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi2 => unsafe { sha_ni::advance::<2>(jobs, rounds) },
            // SAFETY: as for one stream.
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi3 => unsafe { sha_ni::advance::<3>(jobs, rounds) },
            // SAFETY: this value came from a `Backends` with `Avx2`, so detection found avx2.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { avx2::advance(jobs, rounds) },
            // SAFETY: this value came from a `Backends` with `Avx512`, so detection found avx512f and avx512vl.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Half => unsafe { avx512::half::advance(jobs, rounds) },
            // SAFETY: as for the half width.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { avx512::full::advance(jobs, rounds) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("detection finds x86's features on x86 only"),
        }
        for job in jobs {
            job.state_mut().remaining -= rounds;
        }
    }
}
