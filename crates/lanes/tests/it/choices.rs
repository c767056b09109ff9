//! Which path is taken: by the given costs, and never slower than another split of the jobs.

use std::time::Duration;

use countersign_lanes::{Backend, Backends, Costs, Lanes, MAX_WIDTH};
use proptest::prelude::*;

use crate::LOOPS;

/// The least picoseconds for a round of `jobs` jobs, over all ways to split them into calls.
fn least(backends: Backends, costs: &Costs, jobs: usize) -> u64 {
    if jobs == 0 {
        return 0;
    }
    let calls = LOOPS.iter().filter(|(backend, _)| backends.contains(*backend));
    let totals = calls.map(|&(backend, width)| {
        let call = costs.round_picos(backend, width).expect("a loop of this width");
        call + least(backends, costs, jobs.saturating_sub(width))
    });
    totals.min().expect("never empty")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_split_is_quicker_than_the_chosen_one(
        picos in prop::array::uniform7(1..1_000_000_u64),
        removed in prop::sample::subsequence(&Backend::ALL[..], 0..=3),
        jobs in 1..=9_usize,
    ) {
        let costs = LOOPS.iter().zip(picos).fold(Costs::typical(), |costs, (&(backend, width), picos)| {
            costs.with(backend, width, picos)
        });
        let backends = removed.into_iter().fold(Backends::detect(), Backends::without);
        let lanes = Lanes::new(backends, &costs);
        prop_assert_eq!(lanes.round_picos(jobs), least(backends, &costs, jobs));
    }

    #[test]
    fn the_best_width_is_the_least_that_is_nearly_as_good_as_any(
        picos in prop::array::uniform7(1_000..1_000_000_u64),
        pending in 1..40_usize,
    ) {
        let costs = LOOPS.iter().zip(picos).fold(Costs::typical(), |costs, (&(backend, width), picos)| {
            costs.with(backend, width, picos)
        });
        let lanes = Lanes::new(Backends::detect(), &costs);
        // Picoseconds for each job, times a number that all of 1 to 16 divide.
        let rate = |jobs: usize| lanes.round_picos(jobs) * 720_720 / jobs as u64;
        let best = (1..=pending.min(MAX_WIDTH)).map(rate).min().expect("at least one");
        let width = lanes.best_width(pending);
        prop_assert!((1..=pending.min(MAX_WIDTH)).contains(&width));
        prop_assert!(rate(width) * 97 <= best * 100);
        prop_assert!((1..width).all(|fewer| rate(fewer) * 97 > best * 100));
    }
}

#[test]
fn time_grows_with_rounds_and_with_jobs_beyond_the_widest() {
    let portable = Backends::only(Backend::Portable).expect("runs anywhere");
    let lanes = Lanes::new(portable, &Costs::typical().with(Backend::Portable, 1, 100_000));
    assert_eq!(lanes.round_picos(0), 0);
    assert_eq!(lanes.time(1, 1_000_000), Duration::from_millis(100));
    assert_eq!(lanes.time(40, 1_000_000), Duration::from_secs(4));
    assert_eq!(lanes.best_width(40), 1, "one at a time: more would wait for each other");
    assert_eq!(lanes.best_width(0), 1);
}

/// The choices that the figures of a CPU with everything lead to.
#[test]
fn typical_costs_choose_sha_instructions_for_few_and_avx512_for_many() {
    let all = Backends::detect();
    if !Backend::ALL.into_iter().all(|backend| all.contains(backend)) {
        eprintln!("not tested: this CPU lacks a back end, it has {all:?}");
        return;
    }
    let costs = Costs::typical();
    let lanes = Lanes::new(all, &costs);
    for (jobs, backend) in
        [(1, Backend::ShaNi), (2, Backend::ShaNi), (3, Backend::ShaNi), (8, Backend::Avx512), (16, Backend::Avx512)]
    {
        assert_eq!(Some(lanes.round_picos(jobs)), costs.round_picos(backend, jobs), "{jobs}");
    }
    assert_eq!([1, 2, 3, 5, 8, 9, 16, 100].map(|pending| lanes.best_width(pending)), [1, 2, 2, 2, 8, 8, 16, 16]);
    let without = Lanes::new(all.without(Backend::Avx512), &costs);
    assert_eq!(without.best_width(100), 2);
}
