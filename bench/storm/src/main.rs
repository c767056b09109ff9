//! The loads of `bench/run` that wrk cannot make.
//!
//!     storm PORT CHECKS_PER_SECOND LOGINS_PER_SECOND BEFORE DURING AFTER HEADERS BODIES
//!     storm burst PORT CLIENTS LOGINS BODIES
//!
//! The first: token checks at a steady rate on kept connections, before, during and after a storm of logins, each from a client of
//! its own. Both are open loops: a request is due at its moment
//! whether or not earlier ones were answered, and its latency counts from that moment.
//!
//! The second: a fixed number of logins by some clients, each of which waits for its answer before it asks again.
//!
//! Clients that log in have 200 addresses of the loopback interface in turn.
//!
//! Each check prints `c DUE STATUS LATENCY RETRY LATE`, each login `l …`, in seconds since the start; status 0 is a request without
//! an answer, RETRY 1 an answer with Retry-After, LATE by how much the request was late, which its latency includes.
//!
//! Clients are on other machines; these share the server's cores. So that what is measured is the server and not how long a
//! client waits for a core, the threads of the storm have real-time priority where that is allowed. The first line says so: `g 1`.

mod burst;
mod checks;
mod logins;

use std::time::{Duration, Instant};

/// What became of one request.
struct Outcome {
    due: Duration,
    status: u16,
    latency: Duration,
    retry_after: bool,
    /// How long after `due` it was sent.
    late: Duration,
}

/// When the storm is, and how long all of it takes.
#[derive(Clone, Copy)]
struct Phases {
    begin: Instant,
    before: Duration,
    during: Duration,
    after: Duration,
}

impl Phases {
    fn whole(self) -> Duration {
        self.before + self.during + self.after
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [burst, port, clients, requests, bodies] if burst == "burst" => {
            print('l', &burst::run(parsed(port), parsed(clients), parsed(requests), &lines(bodies)));
        }
        [port, checks, logins, before, during, after, headers, bodies] => {
            let seconds = |text| Duration::from_secs_f64(parsed(text));
            let phases = Phases {
                begin: Instant::now() + Duration::from_millis(200),
                before: seconds(before),
                during: seconds(during),
                after: seconds(after),
            };
            storm(parsed(port), parsed(checks), parsed(logins), phases, &lines(headers), lines(bodies));
        }
        _ => panic!("see the first lines of src/main.rs"),
    }
}

/// Lets the calling thread come before all others that are not of this kind. `false` where that is not allowed.
fn come_first(priority: i32) -> bool {
    use preempt_rt::sched::{Pid, Scheduler, SchedulerParams, set_scheduler};

    set_scheduler(Pid::current_thread(), Scheduler::SCHED_FIFO, SchedulerParams { priority }).is_ok()
}

fn storm(port: u16, checks: f64, logins: f64, phases: Phases, headers: &[String], bodies: Vec<String>) {
    // The logins' thread, and those of the checks, which begin as this one is.
    let comes_first = come_first(1);
    println!("g {}", u8::from(comes_first));
    let storm = std::thread::spawn(move || logins::run(port, logins, phases, &bodies));
    print('c', &checks::run(port, checks, phases, headers));
    print('l', &storm.join().expect("the storm ends"));
}

fn parsed<T: std::str::FromStr>(text: &str) -> T {
    text.parse().ok().expect("a number")
}

fn print(kind: char, outcomes: &[Outcome]) {
    for outcome in outcomes {
        let (due, latency) = (outcome.due.as_secs_f64(), outcome.latency.as_secs_f64());
        let (retry, late) = (u8::from(outcome.retry_after), outcome.late.as_secs_f64());
        println!("{kind} {due:.6} {} {latency:.6} {retry} {late:.6}", outcome.status);
    }
}

fn lines(path: &str) -> Vec<String> {
    std::fs::read_to_string(path).expect(path).lines().map(str::to_owned).collect()
}

/// What is of interest in an answer; the default is none at all.
struct Answer {
    status: u16,
    retry_after: bool,
    closes: bool,
}

impl Default for Answer {
    fn default() -> Self {
        Self { status: 0, retry_after: false, closes: true }
    }
}

impl Answer {
    /// The answer, once it is there to its end.
    fn parse(received: &[u8]) -> Option<Self> {
        let end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(&received[..end]).ok()?.to_ascii_lowercase();
        let length = head.split("\r\ncontent-length: ").nth(1).and_then(|rest| rest.split('\r').next()?.parse().ok());
        (received.len() >= end + length.unwrap_or(0)).then_some(Self {
            status: head.get(9..12)?.parse().ok()?,
            retry_after: head.contains("\r\nretry-after: "),
            closes: head.contains("\r\nconnection: close"),
        })
    }
}
