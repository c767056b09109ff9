//! Many processes race one refresh token: each is a node of its own, with its own connections, and all use the token at once.
//!
//! `scripts/race` runs the full count.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use countersign::{Client, Credentials, Failure};
use countersign_formats::password::Password;
use countersign_server::{App, Config};

use crate::database::{Cell, Database, Kind, on_every_backend};
use crate::sessions::{SECRET, text, with_ann};

const PROCESSES: usize = 64;
/// Rounds of a usual test run.
const ROUNDS: usize = 5;
/// Of each token, how often a node that was told to try again does so.
const TRIES: usize = 50;

const PORT: &str = "COUNTERSIGN_RACER_PORT";
const CONFIG: &str = "COUNTERSIGN_RACER_CONFIG";

on_every_backend![r1_sixty_four_processes_race_one_token];

fn configuration(database: &Database) -> String {
    text(
        database,
        "[auth]\nhashing_threads = 1\n[simple_jwt]\nrotate_refresh_tokens = true\nblacklist_after_rotation = true\n\
         [postgresql]\nread_connections = 1\nwrite_connections = 1\n",
    )
}

/// One rival: not a test of its own, but what [`r1_sixty_four_processes_race_one_token`] starts this program again for.
#[test]
fn racer() {
    let (Ok(port), Ok(config)) = (std::env::var(PORT), std::env::var(CONFIG)) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let app = runtime.block_on(App::build(Config::from_text(&config).expect("holds together"))).expect("built");
    let mut answers = TcpStream::connect(("127.0.0.1", port.parse().expect("a port"))).expect("connected");
    answers.set_nodelay(true).expect("set");
    let tokens = BufReader::new(answers.try_clone().expect("a second handle"));
    writeln!(answers, "ready").expect("told");
    for token in tokens.lines() {
        let Ok(token) = token else { return };
        let answer = runtime.block_on(async {
            for _ in 0..TRIES {
                match app.authority().refresh(&token, Client::default()).await {
                    Ok(refreshed) => return format!("{} {}", refreshed.refresh.expect("rotated"), refreshed.access),
                    // What a client is told by a 503.
                    Err(Failure::Store(error)) if error.to_string().contains("locked") => {}
                    Err(refusal) => return format!("refused: {refusal:?}"),
                }
            }
            "refused: busy".to_owned()
        });
        if writeln!(answers, "{answer}").is_err() {
            return;
        }
    }
}

fn r1_sixty_four_processes_race_one_token(kind: Kind) {
    let rounds = std::env::var("COUNTERSIGN_RACE_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let database = with_ann(kind);
    let config = configuration(&database);
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let mut rivals: Vec<Rival> = Vec::new();
    let children: Vec<Child> = (0..PROCESSES).map(|_| spawn(port, &config)).collect();
    for _ in 0..PROCESSES {
        let (stream, _) = listener.accept().expect("a rival");
        let mut rival = Rival { answers: BufReader::new(stream.try_clone().expect("a handle")), stream };
        assert_eq!(rival.answer(), "ready");
        rivals.push(rival);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let app = runtime.block_on(App::build(Config::from_text(&config).expect("holds together"))).expect("built");
    let (mut refused, mut doubled) = (Vec::new(), 0);
    for round in 0..rounds {
        let credentials = Credentials::new("ann", Password::new(SECRET));
        let pair = runtime.block_on(app.authority().obtain_pair(credentials)).expect("logged in");
        for rival in &mut rivals {
            writeln!(rival.stream, "{}", pair.refresh).expect("told");
        }
        let answers: Vec<String> = rivals.iter_mut().map(Rival::answer).collect();
        refused.extend(
            answers.iter().filter(|answer| answer.starts_with("refused")).map(|answer| (round, answer.clone())),
        );
        let mut distinct: Vec<&String> = answers.iter().filter(|answer| !answer.starts_with("refused")).collect();
        distinct.sort();
        distinct.dedup();
        doubled += distinct.len().saturating_sub(1);
    }
    drop(rivals);
    for mut child in children {
        assert!(child.wait().expect("ended").success());
    }
    let rotations = database.column("SELECT count(*) FROM countersign_rotation");
    eprintln!(
        "{kind:?}: {rounds} rounds of {PROCESSES} processes: {rotations:?} rotations, {} answers, {doubled} second successors, {} refused",
        rounds * PROCESSES,
        refused.len()
    );
    assert_eq!(refused, [], "each gets the successor");
    assert_eq!(doubled, 0, "all the same one, access token included");
    assert_eq!(rotations, [Cell::Integer(i64::try_from(rounds).expect("few"))]);
    let live = "SELECT count(*) FROM token_blacklist_outstandingtoken o WHERE NOT EXISTS (
                    SELECT 1 FROM token_blacklist_blacklistedtoken b WHERE b.token_id = o.id)";
    assert_eq!(database.column(live), rotations, "one live token each");
    assert_eq!(
        database.column("SELECT count(*) FROM countersign_session WHERE ended_at IS NOT NULL"),
        [Cell::Integer(0)]
    );
}

struct Rival {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Rival {
    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        line.trim_end().to_owned()
    }
}

fn spawn(port: u16, config: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "race::racer", "--test-threads=1"])
        .env(PORT, port.to_string())
        .env(CONFIG, config)
        .stdout(Stdio::null())
        .spawn()
        .expect("started")
}
