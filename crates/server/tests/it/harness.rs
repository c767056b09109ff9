//! A server on a free port over a database of its own, and a client that sends bytes as they are.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use countersign::Authority;
use countersign::clock::SystemEntropy;
use countersign::testing::FixedClock;
use countersign_server::{App, Config};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;

/// The `SECRET_KEY` of the recorded exchanges.
pub(crate) const SECRET_KEY: &str = "compat-reference-secret-key-0123456789-abcdefghijklmnopqrstuv";

/// The instant of a recorded Unix time.
pub(crate) fn instant(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "recorded times are small")]
    Timestamp::from_microsecond((seconds * 1e6).round() as i64).expect("an instant")
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// What the server decides with.
    pub(crate) authority: Authority,
    clock: Arc<FixedClock>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts a server of this configuration, with its clock at `now`.
    pub(crate) fn start(config: Config, now: Timestamp) -> Self {
        let clock = Arc::new(FixedClock::new(now));
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn({
            let clock = Arc::clone(&clock);
            move || {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async {
                    let app = App::build_with(config, clock, Arc::new(SystemEntropy)).await.expect("built");
                    let listener = app.bind().await.expect("bound");
                    let address = listener.local_addr().expect("an address");
                    ready.send((address, app.authority().clone())).expect("the test waits");
                    app.serve(listener, async {
                        let _ = stopped.await;
                    })
                    .await;
                });
            }
        });
        let (address, authority) = is_ready.recv_timeout(Duration::from_secs(30)).expect("the server starts");
        Self { address, authority, clock, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn set_clock(&self, now: Timestamp) {
        self.clock.set(now);
    }

    /// A connection of its own.
    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// Sends a request; header values are Latin-1. `Host`, `Content-Length` and `Connection: close` are added.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
        let mut request = Vec::new();
        request.extend_from_slice(
            format!("{method} {path} HTTP/1.1\r\nHost: testserver\r\nConnection: close\r\n").as_bytes(),
        );
        let chunked = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
        for (name, value) in headers {
            request.extend_from_slice(name.as_bytes());
            request.extend_from_slice(b": ");
            request.extend(value.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")));
            request.extend_from_slice(b"\r\n");
        }
        match body {
            Some(body) if chunked => {
                request.extend_from_slice(format!("\r\n{:x}\r\n", body.len()).as_bytes());
                request.extend_from_slice(body);
                request.extend_from_slice(b"\r\n0\r\n\r\n");
            }
            Some(body) => {
                request.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
                request.extend_from_slice(body);
            }
            None => request.extend_from_slice(b"\r\n"),
        }
        self.send_raw(&request)
    }

    /// Sends bytes and reads the answer until the server closes the connection.
    pub(crate) fn send_raw(&self, request: &[u8]) -> Answer {
        self.try_send_raw(request).expect("an answer")
    }

    /// As [`send_raw`](Self::send_raw); `None` when the connection ended without an answer.
    pub(crate) fn try_send_raw(&self, request: &[u8]) -> Option<Answer> {
        exchange(self.address, request)
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("set");
    stream
}

/// Sends bytes over a connection of their own; `None` when it ended without an answer.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> Option<Answer> {
    let mut stream = connect(address);
    // The server may answer and close before it has read all of a body that it does not want.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    (!answer.is_empty()).then(|| Answer::parse(&answer))
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            if !std::thread::panicking() {
                joined.expect("the server ends well");
            }
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// Reads an answer from its bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head: String = bytes[..end].iter().map(|byte| char::from(*byte)).collect();
        let mut lines = head.split("\r\n");
        let status =
            lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).expect("a status");
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: String::from_utf8(bytes[end + 4..].to_vec()).expect("UTF-8") }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Headers and body, to look for what must not be there.
    pub(crate) fn text(&self) -> String {
        format!("{:?}\n{}", self.headers, self.body)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}
