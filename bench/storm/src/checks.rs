//! Threads that each ask at moments of their own, on a connection that is kept: precise to the microsecond, where timers of an
//! event loop would be to the millisecond.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use crate::{Answer, Outcome, Phases};

const THREADS: u32 = 16;
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) fn run(port: u16, rate: f64, phases: Phases, headers: &[String]) -> Vec<Outcome> {
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|thread| scope.spawn(move || one(port, rate, phases, headers, thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread ends")).collect()
    })
}

fn one(port: u16, rate: f64, phases: Phases, headers: &[String], thread: u32) -> Vec<Outcome> {
    let gap = Duration::from_secs_f64(f64::from(THREADS) / rate);
    // Before the logins' thread.
    crate::come_first(2);
    let mut due = gap * thread / THREADS;
    let mut turn = thread as usize;
    let mut connection = None;
    let mut outcomes = Vec::new();
    while due < phases.whole() {
        std::thread::sleep((phases.begin + due).saturating_duration_since(Instant::now()));
        let late = (phases.begin + due).elapsed();
        // Whoever had to wait that long for those before to be answered has gone.
        let answer = if late > PATIENCE {
            Answer::default()
        } else {
            ask(&mut connection, port, &headers[turn % headers.len()]).unwrap_or_default()
        };
        if answer.closes {
            connection = None;
        }
        let latency = (phases.begin + due).elapsed();
        outcomes.push(Outcome { due, status: answer.status, latency, retry_after: answer.retry_after, late });
        due += gap;
        turn += THREADS as usize;
    }
    outcomes
}

fn ask(connection: &mut Option<TcpStream>, port: u16, header: &str) -> std::io::Result<Answer> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            connection.insert(stream)
        }
    };
    write!(stream, "GET /api/whoami/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: {header}\r\n\r\n")?;
    let mut received = Vec::with_capacity(1024);
    let mut chunk = [0; 2048];
    loop {
        match stream.read(&mut chunk)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => received.extend_from_slice(&chunk[..count]),
        }
        if let Some(answer) = Answer::parse(&received) {
            return Ok(answer);
        }
    }
}
