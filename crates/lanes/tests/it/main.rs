//! Every loop of every back end that this CPU has, against published vectors and against RustCrypto's `pbkdf2`.

mod allocations;
mod batches;
mod choices;
mod vectors;

use countersign_lanes::{Backend, Backends, Costs, Lanes};

/// One choice for each loop, made to look so cheap that it takes any number of jobs; then the choices of real costs: with
/// all back ends, and without each. Names come with them.
fn every_path() -> Vec<(String, Lanes)> {
    let mut paths = Vec::new();
    for (backend, width) in LOOPS {
        if let Some(set) = Backends::only(backend) {
            let alone = LOOPS.iter().fold(Costs::typical(), |costs, &(other, jobs)| {
                costs.with(other, jobs, if (other, jobs) == (backend, width) { 1 } else { 1_000_000_000 })
            });
            paths.push((format!("{backend} ×{width}"), Lanes::new(set, &alone)));
        } else {
            eprintln!("not tested: {backend} ×{width}, which this CPU cannot run");
        }
    }
    let all = Backends::detect();
    paths.push(("all".to_owned(), Lanes::new(all, &Costs::typical())));
    for backend in Backend::ALL {
        paths.push((format!("all but {backend}"), Lanes::new(all.without(backend), &Costs::typical())));
    }
    paths
}

/// The loops there are: back end and how many jobs one call takes.
const LOOPS: [(Backend, usize); 7] = [
    (Backend::Portable, 1),
    (Backend::ShaNi, 1),
    (Backend::ShaNi, 2),
    (Backend::ShaNi, 3),
    (Backend::Avx2, 8),
    (Backend::Avx512, 8),
    (Backend::Avx512, 16),
];
