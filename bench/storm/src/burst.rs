//! A fixed number of logins by clients that keep their connections and wait for their answers.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

use crate::Outcome;
use crate::logins::{connect, exchange};

pub(crate) fn run(port: u16, clients: usize, requests: usize, bodies: &[String]) -> Vec<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (bodies, next, begin) = (Rc::new(bodies.to_vec()), Rc::new(Cell::new(0)), Instant::now());
    LocalSet::new().block_on(&runtime, async {
        let mut tasks = JoinSet::new();
        for number in 0..clients {
            tasks.spawn_local(client(number, port, requests, Rc::clone(&bodies), Rc::clone(&next), begin));
        }
        tasks.join_all().await.into_iter().flatten().collect()
    })
}

async fn client(
    client: usize,
    port: u16,
    requests: usize,
    bodies: Rc<Vec<String>>,
    next: Rc<Cell<usize>>,
    begin: Instant,
) -> Vec<Outcome> {
    let mut connection = None;
    let mut outcomes = Vec::new();
    while next.get() < requests {
        let number = next.replace(next.get() + 1);
        let due = begin.elapsed();
        let answer = ask(&mut connection, client, port, &bodies[number % bodies.len()]).await.unwrap_or_default();
        if answer.closes {
            connection = None;
        }
        let latency = begin.elapsed() - due;
        outcomes.push(Outcome {
            due,
            status: answer.status,
            latency,
            retry_after: answer.retry_after,
            late: Duration::ZERO,
        });
    }
    outcomes
}

async fn ask(
    connection: &mut Option<TcpStream>,
    client: usize,
    port: u16,
    body: &str,
) -> std::io::Result<crate::Answer> {
    let stream = match connection {
        Some(stream) => stream,
        None => connection.insert(connect(port, client).await?),
    };
    exchange(stream, body, "keep-alive").await
}
