//! Token checks at a steady rate on kept connections, before, during and after a storm of logins, each from a client of its own.
//!
//!     storm PORT CHECKS_PER_SECOND LOGINS_PER_SECOND BEFORE DURING AFTER HEADERS BODIES
//!
//! Both are open loops: a request is due at its moment whether or not earlier ones were answered, and its latency counts from
//! that moment. Each check prints `c DUE STATUS LATENCY`, each login `l DUE STATUS LATENCY RETRY`, in seconds since the start;
//! status 0 is a request without an answer, RETRY 1 an answer with Retry-After. Logins come from 200 addresses of the loopback
//! interface in turn.

mod checks;
mod logins;

use std::time::{Duration, Instant};

/// What became of one request.
struct Outcome {
    due: Duration,
    status: u16,
    latency: Duration,
    retry_after: bool,
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
    let [port, check_rate, login_rate, before, during, after, headers, bodies] = &arguments[..] else {
        panic!("storm PORT CHECKS_PER_SECOND LOGINS_PER_SECOND BEFORE DURING AFTER HEADERS BODIES");
    };
    let number = |text: &String| text.parse::<f64>().expect("a number");
    let seconds = |text| Duration::from_secs_f64(number(text));
    let port: u16 = port.parse().expect("a port");
    let phases = Phases {
        begin: Instant::now() + Duration::from_millis(200),
        before: seconds(before),
        during: seconds(during),
        after: seconds(after),
    };
    let headers = lines(headers);
    let bodies = lines(bodies);

    let login_rate = number(login_rate);
    let storm = std::thread::spawn(move || logins::run(port, login_rate, phases, &bodies));
    let checked = checks::run(port, number(check_rate), phases, &headers);
    let logged_in = storm.join().expect("the storm ends");

    let mut out = String::new();
    for (kind, outcomes) in [('c', &checked), ('l', &logged_in)] {
        for outcome in outcomes {
            use std::fmt::Write as _;
            let (due, latency) = (outcome.due.as_secs_f64(), outcome.latency.as_secs_f64());
            writeln!(out, "{kind} {due:.6} {} {latency:.6} {}", outcome.status, u8::from(outcome.retry_after))
                .expect("memory takes it");
        }
    }
    print!("{out}");
}

fn lines(path: &str) -> Vec<String> {
    std::fs::read_to_string(path).expect(path).lines().map(str::to_owned).collect()
}

/// (status, whether Retry-After is there, bytes of the whole answer) once the answer is complete.
fn parse(received: &[u8]) -> Option<(u16, bool, usize)> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&received[..end]).ok()?.to_ascii_lowercase();
    let status = head.get(9..12)?.parse().ok()?;
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next()?.parse::<usize>().ok());
    let whole = end + length.unwrap_or(0);
    (received.len() >= whole).then(|| (status, head.contains("\r\nretry-after: "), whole))
}
