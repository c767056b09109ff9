//! Its decisions, one rule a test.

use super::super::demand::{Chunk, Work};
use super::super::scheduler::{JobId, Refused};
use super::*;

const START: Duration = Duration::ZERO;

impl Scheduler<&'static str> {
    /// Admits and submits.
    fn bring(&mut self, who: u8, demand: Demand, name: &'static str) -> Result<JobId, Refused> {
        let id = self.admit(client(who), START)?;
        self.submit(id, demand, name).expect("it is not over");
        Ok(id)
    }

    fn lanes_taken(&mut self, worker: usize) -> Vec<&'static str> {
        std::iter::from_fn(|| self.take_lane(worker).map(|(_, name)| name)).collect()
    }

    fn whole_taken(&mut self, worker: usize) -> Option<&'static str> {
        self.take_whole(worker).map(|(_, name)| name)
    }
}

#[test]
fn a3_a_full_queue_refuses_at_once() {
    let mut scheduler = idle(limits(0), 1);
    let first = scheduler.bring(1, LANE, "first").expect("a worker is idle");
    assert!(scheduler.bring(2, LANE, "before it is taken").is_err());
    assert_eq!(scheduler.lanes_taken(0), ["first"]);
    assert!(scheduler.bring(2, LANE, "while it runs").is_err());
    assert!(scheduler.finish(first));
    scheduler.bring(2, LANE, "afterwards").expect("idle again");
    assert_eq!((scheduler.stats().served, scheduler.stats().shed), (1, 2));
}

#[test]
fn a2_one_client_cannot_fill_the_queue() {
    let mut scheduler = idle(limits(8), 1);
    scheduler.bring(1, LANE, "running").expect("idle");
    scheduler.lanes_taken(0);
    for name in ["a", "b"] {
        scheduler.bring(1, LANE, name).expect("a quarter of eight");
    }
    assert!(scheduler.bring(1, LANE, "c").is_err());
    for who in 2..8 {
        scheduler.bring(who, LANE, "x").expect("there is room for whoever has nothing there");
    }
    assert!(scheduler.bring(9, LANE, "z").is_err(), "the queue is full");
    assert_eq!(scheduler.stats().waiting, 8);
}

#[test]
fn a2_a_few_clients_cannot_fill_the_queue() {
    let mut scheduler = idle(Limits { deadline: Duration::from_mins(1), ..limits(256) }, 1);
    scheduler.bring(0, LANE, "running").expect("idle");
    scheduler.lanes_taken(0);
    // Twenty take what they can get, in turns.
    while (1..=20).filter(|&who| scheduler.bring(who, LANE, "greedy").is_ok()).count() > 0 {}
    assert!(scheduler.stats().waiting < 240, "{}", scheduler.stats().waiting);
    for who in 100..116 {
        scheduler.bring(who, LANE, "other").expect("room for one of each other client");
    }
}

#[test]
fn a2_the_clients_of_one_site_cannot_fill_the_queue() {
    let mut scheduler: Scheduler<()> = idle(limits(64), 1);
    let subnet = |site: u16, subnet: u16| ClientAddress::new([0x2001, 0xdb8, site, subnet, 0, 0, 0, 1].into());
    let admitted = (0..1_000).filter(|&number| scheduler.admit(subnet(1, number), START).is_ok()).count();
    assert_eq!(admitted, 33, "half of the queue, and one worker is idle");
    scheduler.admit(subnet(2, 0), START).expect("another site");
    scheduler.admit(client(1), START).expect("an IPv4 address");

    let mut scheduler: Scheduler<()> = idle(limits(64), 1);
    let neighbour = |site: u8, number: u8| ClientAddress::new([192, 0, site, number].into());
    let admitted = (0..=255).filter(|&number| scheduler.admit(neighbour(1, number), START).is_ok()).count();
    assert_eq!(admitted, 33, "an IPv4 /24 likewise");
    scheduler.admit(neighbour(2, 0), START).expect("another site");
}

#[test]
fn a2_sites_take_turns() {
    let mut scheduler = idle(limits(100), 1);
    for (site, number, name) in [(1, 1, "a1"), (1, 2, "a2"), (1, 3, "a3"), (2, 1, "b"), (3, 1, "c")] {
        let id = scheduler.admit(ClientAddress::new([192, 0, site, number].into()), START).expect("room");
        scheduler.submit(id, LANE, name).expect("in time");
    }
    let order: Vec<&str> = std::iter::from_fn(|| {
        let (id, name) = scheduler.take_lane(0)?;
        scheduler.finish(id);
        Some(name)
    })
    .collect();
    assert_eq!(order, ["a1", "b", "c", "a2", "a3"]);
}

#[test]
fn clients_without_address_are_one_that_may_fill_the_queue() {
    let mut scheduler: Scheduler<()> = idle(limits(8), 1);
    let admitted = (0..20).filter(|_| scheduler.admit(ClientAddress::UNKNOWN, START).is_ok()).count();
    assert_eq!(admitted, 9, "eight wait, and one worker is idle");
}

#[test]
fn a3_clients_take_turns() {
    let mut scheduler = idle(limits(100), 1);
    for (who, name) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (3, "c1")] {
        scheduler.bring(who, LANE, name).expect("room");
    }
    let order: Vec<&str> = std::iter::from_fn(|| {
        let (id, name) = scheduler.take_lane(0)?;
        assert!(scheduler.take_lane(0).is_none(), "one lane is as good as two here");
        scheduler.finish(id);
        Some(name)
    })
    .collect();
    assert_eq!(order, ["a1", "b1", "c1", "a2", "a3"]);
}

#[test]
fn a3_a_wait_that_may_pass_the_deadline_is_refused_with_its_length() {
    let mut scheduler = idle(Limits { deadline: Duration::from_secs(1), ..limits(400) }, 1);
    for who in 0..7 {
        scheduler.bring(who, LANE, "job").expect("seven of 100 ms fit into three quarters of a second");
    }
    let refused = scheduler.bring(7, LANE, "late").expect_err("the eighth does not");
    assert_eq!(refused.retry_after, Duration::from_millis(800));
}

/// What fits before the deadline is shared like the places of the queue.
#[test]
fn a2_one_client_cannot_fill_the_time() {
    let mut scheduler = idle(Limits { deadline: Duration::from_secs(2), ..limits(400) }, 1);
    scheduler.bring(1, LANE, "running").expect("idle");
    scheduler.lanes_taken(0);
    scheduler.progress(0, 1_000_000, None);
    let admitted =
        |scheduler: &mut Scheduler<_>, who| (0..40).filter(|_| scheduler.bring(who, LANE, "x").is_ok()).count();
    assert_eq!(admitted(&mut scheduler, 1), 3, "fourteen fit, then eleven, of which three are too many for one");
    assert_eq!(admitted(&mut scheduler, 2), 3);
    scheduler.bring(3, LANE, "other").expect("room");
}

#[test]
fn a3_the_oldest_comes_first_when_turns_could_make_it_late() {
    let mut scheduler = idle(Limits { deadline: Duration::from_secs(1), ..limits(400) }, 1);
    for (who, name) in [(1, "a1"), (1, "a2"), (2, "b1"), (3, "c1")] {
        scheduler.bring(who, LANE, name).expect("room");
    }
    let take = |scheduler: &mut Scheduler<&'static str>, millis| {
        scheduler.expire(Duration::from_millis(millis));
        let (id, name) = scheduler.take_lane(0)?;
        scheduler.finish(id);
        scheduler.progress(0, 0, None);
        Some(name)
    };
    assert_eq!(take(&mut scheduler, 0), Some("a1"));
    // Three wait, and a fourth that came now would be done after 400 ms: 600 ms are left for that.
    assert_eq!(take(&mut scheduler, 600), Some("b1"));
    scheduler.bring(4, LANE, "d1").expect("room");
    assert_eq!(take(&mut scheduler, 601), Some("a2"));
    assert_eq!(take(&mut scheduler, 602), Some("c1"));
    assert_eq!(take(&mut scheduler, 603), Some("d1"));
}

#[test]
fn a3_the_oldest_comes_first_whatever_does_it() {
    let limits = Limits { deadline: Duration::from_secs(1), ..limits(400) };
    for (oldest, other) in [(WHOLE, LANE), (LANE, WHOLE)] {
        let mut scheduler = idle(limits, 1);
        let (first, _) = (scheduler.bring(1, WHOLE, "first").expect("room"), scheduler.take_whole(0));
        scheduler.finish(first);
        scheduler.progress(0, 0, Some(whole(1_000_000)));
        scheduler.bring(1, oldest, "oldest").expect("room");
        scheduler.bring(2, other, "other").expect("room");
        // Lanes are owed the time of a whole job, but not that of the oldest.
        assert_eq!(scheduler.take_whole(0), None);
        scheduler.expire(Duration::from_millis(900));
        let taken = scheduler.whole_taken(0).or_else(|| scheduler.lanes_taken(0).pop());
        assert_eq!(taken, Some("oldest"), "{oldest:?}");
    }
}

/// However pressing whole jobs are, the lanes that stand still meanwhile were there before.
#[test]
fn a3_pressing_whole_jobs_do_not_stop_older_lanes() {
    let mut scheduler = idle(Limits { deadline: Duration::from_secs(1), ..limits(400) }, 1);
    let lane = scheduler.bring(1, LANE, "lane").expect("room");
    scheduler.lanes_taken(0);
    scheduler.bring(2, WHOLE, "whole").expect("room");
    scheduler.expire(Duration::from_millis(900));
    assert_eq!(scheduler.whole_taken(0), None);
    scheduler.finish(lane);
    assert_eq!(scheduler.whole_taken(0), Some("whole"));
}

#[test]
fn a_job_alone_is_let_try_whatever_the_pace_was() {
    let mut scheduler = idle(Limits { deadline: Duration::from_millis(200), ..limits(8) }, 1);
    let slow = Chunk { work: Work::Whole { rounds: 1_000_000 }, taken: Duration::from_secs(1) };
    scheduler.progress(0, 0, Some(slow));
    assert!(scheduler.predict() > Duration::from_millis(200));
    scheduler.bring(1, LANE, "alone").expect("nothing is ahead");
    assert!(scheduler.bring(1, LANE, "second").is_err());
}

#[test]
fn a3_a_client_that_goes_away_leaves_queue_and_lane() {
    let mut scheduler = idle(limits(4), 1);
    let running = scheduler.bring(1, LANE, "running").expect("idle");
    assert_eq!(scheduler.lanes_taken(0), ["running"]);
    let waiting = scheduler.bring(1, LANE, "waiting").expect("room");
    let reserved = scheduler.admit(client(2), START).expect("room");
    assert_eq!((scheduler.stats().running, scheduler.stats().waiting), (1, 2));

    assert_eq!(scheduler.abandon(waiting), Some("waiting"));
    assert_eq!(scheduler.abandon(reserved), None);
    assert!(scheduler.is_in_lane(running));
    assert_eq!(scheduler.abandon(running), None);
    assert!(!scheduler.is_in_lane(running), "its worker sees that");
    assert!(!scheduler.finish(running), "and has nobody to answer");
    assert_eq!(scheduler.abandon(running), None, "once is enough");
    let stats = scheduler.stats();
    assert_eq!((stats.abandoned, stats.served, stats.running, stats.waiting), (3, 0, 0, 0));
    assert_eq!(scheduler.submit(reserved, LANE, "too late"), Err("too late"));
}

#[test]
fn a_whole_job_that_nobody_wants_keeps_its_worker_and_memory_to_its_end() {
    let mut scheduler = idle(limits(8), 1);
    let first = scheduler.bring(1, memory_hard(200), "first").expect("idle");
    assert_eq!(scheduler.whole_taken(0), Some("first"));
    scheduler.abandon(first);
    assert_eq!((scheduler.stats().abandoned, scheduler.stats().running), (1, 1));
    assert_eq!(scheduler.go_on(first, LANE, "more of it"), Some("more of it"), "it does not go on");
    assert_eq!((scheduler.stats().abandoned, scheduler.stats().running), (1, 0));
}

#[test]
fn jobs_past_their_deadline_are_dropped() {
    let mut scheduler = idle(limits(8), 2);
    let lane = scheduler.bring(1, LANE, "in a lane").expect("idle");
    scheduler.lanes_taken(0);
    scheduler.bring(1, WHOLE, "whole").expect("idle");
    assert_eq!(scheduler.whole_taken(1), Some("whole"));
    scheduler.bring(1, LANE, "waiting").expect("room");
    let reserved = scheduler.admit(client(2), START).expect("room");
    let later = scheduler.admit(client(2), Duration::from_secs(5)).expect("room");

    assert!(scheduler.expire(Duration::from_millis(9_999)).is_empty());
    assert_eq!(scheduler.expire(Duration::from_secs(10)), ["waiting"]);
    assert!(!scheduler.is_in_lane(lane));
    assert!(scheduler.submit(reserved, LANE, "late").is_err());
    scheduler.submit(later, LANE, "in time").expect("five seconds are left");
    let stats = scheduler.stats();
    assert_eq!((stats.expired, stats.running, stats.waiting), (3, 1, 1), "what runs as a whole cannot be stopped");
}

#[test]
fn a3_memory_hard_jobs_share_a_budget() {
    let mut scheduler = idle(limits(100), 4);
    let first = scheduler.bring(1, memory_hard(100), "100").expect("room");
    for (demand, name) in [(memory_hard(100), "second"), (memory_hard(150), "third"), (memory_hard(1), "little")] {
        scheduler.bring(1, demand, name).expect("room");
    }
    scheduler.bring(1, WHOLE, "bcrypt").expect("room");
    assert_eq!(scheduler.whole_taken(0), Some("100"));
    assert_eq!(scheduler.whole_taken(1), Some("second"));
    // 150 more is too much for now, and what is behind it waits, so that it is not overtaken for ever; bcrypt needs no memory.
    assert_eq!(scheduler.whole_taken(2), Some("bcrypt"));
    assert_eq!(scheduler.whole_taken(3), None);
    assert!(!scheduler.has_work_for(3));
    scheduler.finish(first);
    assert_eq!(scheduler.whole_taken(0), Some("third"));
    assert_eq!(scheduler.whole_taken(3), Some("little"));
}

#[test]
fn a3_a_job_over_the_whole_budget_runs_alone() {
    let mut scheduler = idle(limits(100), 2);
    let giant = scheduler.bring(1, memory_hard(1_000), "giant").expect("room");
    scheduler.bring(1, memory_hard(1), "little").expect("room");
    assert_eq!(scheduler.whole_taken(0), Some("giant"));
    assert_eq!(scheduler.whole_taken(1), None);
    scheduler.finish(giant);
    assert_eq!(scheduler.whole_taken(1), Some("little"));
}

#[test]
fn the_wait_for_memory_is_foreseen() {
    let mut scheduler = idle(limits(100), 4);
    for _ in 0..4 {
        scheduler.bring(1, memory_hard(256), "all of it").expect("room");
    }
    // One at a time though there are four workers: 4 × 95 ms, and the job itself.
    assert_eq!(scheduler.predict(), Duration::from_millis(480));
}

/// Two fit into memory, so half of the workers stand still.
#[test]
fn the_wait_for_memory_is_foreseen_where_it_does_not_divide() {
    let mut scheduler = idle(limits(100), 4);
    for _ in 0..8 {
        scheduler.bring(1, memory_hard(100), "two fifths").expect("room");
    }
    assert_eq!(scheduler.predict(), Duration::from_millis(8 * 95 / 2 + 100));
    scheduler.take_whole(0).expect("memory is free");
    assert_eq!(scheduler.predict(), Duration::from_millis(8 * 95 / 2 + 100), "running, it counts as before");
}

/// With many cores and little memory, what a job keeps from others is not its own time.
#[test]
fn a_memory_hard_job_alone_takes_its_own_time() {
    let mut scheduler: Scheduler<()> = Scheduler::new(limits(256), single_lanes(), 64, memory_hard(100));
    assert_eq!(scheduler.predict(), Duration::from_millis(95));
    for number in 0..32 {
        scheduler.admit(client(number), START).expect("64 × 95 ms are less than ten seconds");
    }
}

#[test]
fn two_jobs_run_on_two_workers() {
    let mut scheduler = idle(limits(100), 2);
    for name in ["a", "b", "c"] {
        scheduler.bring(1, LANE, name).expect("room");
    }
    assert_eq!(scheduler.lanes_taken(1), ["a"]);
    assert_eq!(scheduler.lanes_taken(1), Vec::<&str>::new());
    assert_eq!(scheduler.lanes_taken(0), ["b"]);
}

#[test]
fn many_jobs_run_in_full_batches() {
    let all = Backends::detect();
    if !Backend::ALL.into_iter().all(|backend| all.contains(backend)) {
        eprintln!("not tested: this CPU lacks a back end, it has {all:?}");
        return;
    }
    let lanes = Lanes::new(all, &Costs::typical());
    let mut scheduler = Scheduler::new(limits(200), lanes, 2, LANE);
    for number in 0..40 {
        scheduler.bring(number, LANE, "job").expect("room");
    }
    assert_eq!(scheduler.lanes_taken(0).len(), 16);
    assert_eq!(scheduler.lanes_taken(1).len(), 16);
    assert_eq!((scheduler.stats().running, scheduler.stats().waiting), (32, 8));
}

#[test]
fn lanes_get_as_much_time_as_the_last_whole_job_took() {
    let mut scheduler = idle(limits(100), 1);
    for name in ["whole 1", "whole 2"] {
        scheduler.bring(1, WHOLE, name).expect("room");
    }
    scheduler.bring(2, LANE, "lane").expect("room");
    let (id, _) = scheduler.take_whole(0).expect("nothing is owed");
    scheduler.finish(id);
    scheduler.progress(0, 0, Some(whole(1_000_000)));
    assert!(scheduler.take_whole(0).is_none(), "the lane has not had its time");
    assert_eq!(scheduler.lanes_taken(0), ["lane"]);
    scheduler.progress(0, 100_000, Some(lanes(900_000)));
    assert!(scheduler.take_whole(0).is_none());
    scheduler.progress(0, 50_000, Some(lanes(50_000)));
    assert_eq!(scheduler.whole_taken(0), Some("whole 2"));
}

/// bcrypt's `2^difference - 1` further hashes: were lanes owed the time of all after each, the last would never be reached.
#[test]
fn a1_lanes_get_as_much_time_as_one_derivation_of_many_took() {
    let mut scheduler = idle(limits(100), 1);
    let many = Demand { rounds: 10_000_000, ..WHOLE };
    scheduler.bring(1, many, "ten of them").expect("room");
    scheduler.bring(2, LANE, "lane").expect("room");
    let (id, _) = scheduler.take_whole(0).expect("nothing is owed");
    assert_eq!(scheduler.go_on(id, many, "nine of them"), None);
    scheduler.progress(0, 0, Some(whole(1_000_000)));
    assert!(scheduler.take_whole(0).is_none());
    assert_eq!(scheduler.lanes_taken(0), ["lane"]);
    scheduler.progress(0, 50_000, Some(lanes(950_000)));
    assert_eq!(scheduler.whole_taken(0), Some("nine of them"));
}

fn whole(rounds: u64) -> Chunk {
    Chunk { work: Work::Whole { rounds }, taken: Duration::ZERO }
}

fn lanes(rounds: u32) -> Chunk {
    Chunk { work: Work::Lanes { jobs: 1, rounds }, taken: Duration::ZERO }
}

#[test]
fn a_whole_job_goes_to_a_worker_without_lanes() {
    let mut scheduler = idle(limits(100), 2);
    scheduler.bring(1, LANE, "lane").expect("room");
    scheduler.lanes_taken(0);
    scheduler.bring(1, WHOLE, "whole").expect("room");
    assert_eq!(scheduler.whole_taken(0), None);
    assert_eq!(scheduler.whole_taken(1), Some("whole"));
    scheduler.bring(1, WHOLE, "another").expect("room");
    assert_eq!(scheduler.whole_taken(0), Some("another"), "nobody else is there");
}

#[test]
fn what_had_begun_goes_on_before_what_waits() {
    let mut scheduler = idle(limits(100), 1);
    let first = scheduler.bring(1, WHOLE, "first").expect("room");
    scheduler.bring(2, LANE, "second").expect("room");
    scheduler.take_whole(0).expect("taken");
    assert_eq!(scheduler.go_on(first, LANE, "more of the first"), None);
    assert_eq!(scheduler.take_lane(0), Some((first, "more of the first")));
    assert!(scheduler.finish(first));
    assert_eq!(scheduler.lanes_taken(0), ["second"]);
    assert_eq!(scheduler.stats().served, 1, "one job, one answer");
}

#[test]
fn a_closed_scheduler_lets_all_go() {
    let mut scheduler = idle(limits(100), 1);
    let running = scheduler.bring(1, LANE, "running").expect("room");
    scheduler.lanes_taken(0);
    scheduler.bring(1, LANE, "waiting").expect("room");
    assert_eq!(scheduler.close(), ["waiting"]);
    assert!(scheduler.is_closed() && !scheduler.is_in_lane(running) && !scheduler.has_work_for(0));
    assert!(scheduler.bring(1, LANE, "new").is_err());
}

#[test]
fn a_worker_that_died_leaves_nothing_behind() {
    let mut scheduler = idle(limits(0), 1);
    scheduler.bring(1, memory_hard(256), "lost").expect("idle");
    scheduler.take_whole(0).expect("taken");
    scheduler.lose(0);
    assert_eq!((scheduler.stats().running, scheduler.stats().waiting), (0, 0));
    scheduler.bring(1, memory_hard(256), "next").expect("idle again");
    assert_eq!(scheduler.whole_taken(0), Some("next"));
}
