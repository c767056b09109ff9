//! Logins from many clients, each on a connection of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::{Answer, Outcome, Phases};

const ADDRESSES: usize = 200;
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) fn run(port: u16, rate: f64, phases: Phases, bodies: &[String]) -> Vec<Outcome> {
    if rate <= 0.0 {
        return Vec::new();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        let gap = Duration::from_secs_f64(1.0 / rate);
        let mut offset = Duration::ZERO;
        let mut number = 0;
        while offset < phases.during {
            let due = phases.before + offset;
            tokio::time::sleep_until((phases.begin + due).into()).await;
            let body = bodies[number % bodies.len()].clone();
            tasks.spawn(async move {
                let late = (phases.begin + due).elapsed();
                let answer = tokio::time::timeout(PATIENCE, log_in(port, number, &body)).await;
                let answer = answer.ok().and_then(Result::ok).unwrap_or_default();
                let latency = (phases.begin + due).elapsed();
                Outcome { due, status: answer.status, latency, retry_after: answer.retry_after, late }
            });
            offset += gap;
            number += 1;
        }
        tasks.join_all().await
    })
}

async fn log_in(port: u16, client: usize, body: &str) -> std::io::Result<Answer> {
    exchange(&mut connect(port, client).await?, body, "close").await
}

/// A connection of a client; clients have 200 addresses of the loopback interface in turn.
pub(crate) async fn connect(port: u16, client: usize) -> std::io::Result<TcpStream> {
    let from = Ipv4Addr::new(127, 0, 1, u8::try_from(1 + client % ADDRESSES).unwrap_or(1));
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
    socket.connect(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)).await
}

/// One login over a connection.
pub(crate) async fn exchange(stream: &mut TcpStream, body: &str, connection: &str) -> std::io::Result<Answer> {
    stream.set_nodelay(true)?;
    let request = format!(
        "POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: {connection}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut received = Vec::with_capacity(2048);
    loop {
        if stream.read_buf(&mut received).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(answer) = Answer::parse(&received) {
            return Ok(answer);
        }
    }
}
