//! How often passwords may be guessed (SECURITY A2, A5; NIST SP 800-63B §3.2.2).
//!
//! An attempt is counted before the password is hashed, so that no number of attempts at once is more than the limit, and what
//! comes of it is settled afterwards. Failures are counted for the account at the address, for the account wherever they come from,
//! and for the address whatever account they try; the first limit that is full refuses. Nothing depends on whether the account
//! exists.
//!
//! Who has logged in to an account from an address is known there for 30 days: failures of others, at the account or from the
//! address, do not keep them out. They are known no more once they fail as often as one may there. So a stranger can neither lock
//! an account for the people who use it, nor guess more than `account` says.

use std::pin::pin;
use std::time::Duration;

use countersign_formats::user_fields::normalize_username;
use tokio::sync::{Notify, Semaphore};

use super::rate::Rate;
use super::settings::LoginLimits;
use super::shared::{Down, Key};
use super::table::{Fingerprint, Outcome, Table, Written};
use super::window::Refusal;
use super::{SECOND, Throttling};
use crate::client::ClientAddress;
use crate::failure::Failure;

/// How long who has logged in is known: 30 days, in microseconds.
const KNOWN_FOR: i64 = 30 * 86_400 * SECOND;

/// How many attempts may wait for others to be settled. Each that is settled wakes them all.
const MOST_WAITING: usize = 1_000;

/// What is counted of logins.
pub(super) struct Logins {
    here: Table,
    account: Table,
    address: Table,
    known: Table,
    /// An attempt was settled.
    settled: Notify,
    /// Places for attempts that wait for others.
    waiting: Semaphore,
}

/// A login that has begun. Dropped, it has failed: a client that goes away in the middle has had its guess.
pub(crate) struct Attempt<'a> {
    throttling: &'a Throttling,
    logins: &'a Logins,
    names: Names,
    instant: i64,
    /// Where it was written down, by the tables of [`Logins::tables`].
    written: [Option<Written>; 3],
    outcome: Outcome,
}

/// The names of a login in the tables.
#[derive(Clone, Copy)]
struct Names {
    here: Fingerprint,
    account: Fingerprint,
    /// `None` where nobody knows the address.
    address: Option<Fingerprint>,
}

impl Names {
    /// All ways of writing an account's name that some database may take for one are one.
    fn of(throttling: &Throttling, username: &str, client: ClientAddress) -> Self {
        let folded = normalize_username(username.trim());
        let folded: String = folded.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
        let address = client.to_string();
        let here = format!("{address} {folded}");
        Self {
            here: throttling.fingerprint("login", b'h', here.as_bytes()),
            account: throttling.fingerprint("login", b'n', folded.as_bytes()),
            address: client.is_known().then(|| throttling.fingerprint("login", b'a', address.as_bytes())),
        }
    }

    fn listed(self) -> [Option<Fingerprint>; 3] {
        [Some(self.here), Some(self.account), self.address]
    }

    /// Its name among those that are known, on the server.
    fn known(self) -> Key {
        Key::known(self.here)
    }
}

impl Logins {
    pub(super) fn new(limits: &LoginLimits, memory: usize) -> Self {
        let table = |rate| Table::new(rate, memory / 4);
        Self {
            here: table(limits.account_and_address),
            account: table(limits.account),
            address: table(limits.address),
            known: table(Rate { requests: 1, period: KNOWN_FOR }),
            settled: Notify::new(),
            waiting: Semaphore::new(MOST_WAITING),
        }
    }

    fn tables(&self) -> [&Table; 3] {
        [&self.here, &self.account, &self.address]
    }

    /// The keys of a login on the server.
    fn keys(&self, names: Names) -> Vec<(Key, Rate)> {
        let named = names.listed().into_iter().zip(self.tables());
        named.filter_map(|(name, table)| Some((Key::of(name?), table.rate()))).collect()
    }

    fn is_known(&self, names: Names, now: i64) -> bool {
        self.known.refusal(names.here, now).is_some()
    }

    /// Begins a login on this node alone: written down in all tables that apply, or in none.
    fn begin(
        &self,
        names: Names,
        is_known: bool,
        nodes: u32,
        now: i64,
    ) -> Result<[Option<Written>; 3], (usize, Refusal)> {
        let mut written = [None; 3];
        let applying = if is_known { 1 } else { 3 };
        for (index, (name, table)) in names.listed().into_iter().zip(self.tables()).enumerate().take(applying) {
            let Some(name) = name else { continue };
            match table.begin(table.rate().share(nodes), name, now) {
                Ok(place) => written[index] = Some(place),
                Err(refusal) => {
                    self.end(names, now, written, Outcome::TakenBack);
                    return Err((index, refusal));
                }
            }
        }
        Ok(written)
    }

    /// As [`begin`](Self::begin), once it is known what became of attempts that are under way.
    async fn turn(
        &self,
        names: Names,
        is_known: bool,
        nodes: u32,
        now: i64,
    ) -> Result<[Option<Written>; 3], (usize, Refusal)> {
        let mut place = None;
        loop {
            let mut settled = pin!(self.settled.notified());
            settled.as_mut().enable();
            match self.begin(names, is_known, nodes, now) {
                Err((_, refusal)) if refusal.is_pending && place.is_some() => {}
                Err((index, refusal)) if refusal.is_pending => match self.waiting.try_acquire() {
                    Ok(taken) => place = Some(taken),
                    Err(_) => return Err((index, refusal)),
                },
                begun => {
                    if begun.is_err() {
                        // What it was written down in until it was refused may have kept another one waiting.
                        self.settled.notify_waiters();
                    }
                    return begun;
                }
            }
            settled.await;
        }
    }

    /// Writes a login down that the server has let through.
    fn begun(&self, names: Names, is_known: bool, now: i64) -> [Option<Written>; 3] {
        let mut written = [None; 3];
        let applying = if is_known { 1 } else { 3 };
        for (index, (name, table)) in names.listed().into_iter().zip(self.tables()).enumerate().take(applying) {
            written[index] = name.map(|name| table.begun(name, now));
        }
        written
    }

    /// Where logins of this node are under way that may yet be taken back, it is worth coming again soon.
    fn softened(&self, names: Names, index: usize, refusal: Refusal) -> Refusal {
        let is_pending = names.listed()[index].is_some_and(|name| self.tables()[index].is_pending(name));
        if is_pending { Refusal::pending() } else { refusal }
    }

    /// A good login clears what is counted for the account at the address, and is itself not counted elsewhere.
    fn end(&self, names: Names, instant: i64, written: [Option<Written>; 3], outcome: Outcome) {
        for (index, (name, table)) in names.listed().into_iter().zip(self.tables()).enumerate() {
            let elsewhere = if outcome == Outcome::Cleared { Outcome::TakenBack } else { outcome };
            if let (Some(name), Some(written)) = (name, written[index]) {
                table.end(name, instant, written, if index == 0 { outcome } else { elsewhere });
            }
        }
    }
}

impl Throttling {
    /// Counts a login before its password is looked at; `None` where logins are not limited. One that finds the limit full of logins
    /// of this node that may yet turn out to be good waits for them, for as long as it has `patience`.
    ///
    /// # Errors
    /// [`Failure::Throttled`].
    pub(crate) async fn begin_login(
        &self,
        username: &str,
        client: ClientAddress,
        now: i64,
        patience: Duration,
    ) -> Result<Option<Attempt<'_>>, Failure> {
        let Some(logins) = &self.logins else { return Ok(None) };
        let names = Names::of(self, username, client);
        let is_known = logins.is_known(names, now);
        let begun = match &self.shared {
            Some(shared) => shared.begin(&logins.keys(names), &names.known(), is_known, now).await,
            None => Err(Down),
        };
        let written = if let Ok(begun) = begun {
            match begun.refused {
                None => Ok(logins.begun(names, begun.is_known, now)),
                Some((index, refusal)) => Err((index, logins.softened(names, index, refusal))),
            }
        } else {
            let turn = logins.turn(names, is_known, self.settings.nodes, now);
            tokio::time::timeout(patience, turn).await.unwrap_or(Err((0, Refusal::pending())))
        };
        match written {
            Ok(written) => {
                let outcome = Outcome::Counts;
                Ok(Some(Attempt { throttling: self, logins, names, instant: now, written, outcome }))
            }
            Err((index, refusal)) => {
                if index == 0 && !refusal.is_pending {
                    logins.known.clear(names.here);
                    if let Some(shared) = &self.shared {
                        let _ = shared.forget(&names.known()).await;
                    }
                }
                tracing::debug!(limit = ["account and address", "account", "address"][index], "login throttled");
                Err(refusal.into())
            }
        }
    }
}

impl Attempt<'_> {
    /// The password was right.
    pub(crate) async fn succeed(mut self) {
        self.outcome = Outcome::Cleared;
        let Self { logins, names, instant, .. } = self;
        logins.known.clear(names.here);
        logins.known.write(names.here, instant);
        self.tell(Some(KNOWN_FOR)).await;
    }

    /// Nothing was found out about the password.
    pub(crate) async fn take_back(mut self) {
        self.outcome = Outcome::TakenBack;
        self.tell(None).await;
    }

    async fn tell(&self, good_for: Option<i64>) {
        if let Some(shared) = &self.throttling.shared {
            let named = self.names.listed().into_iter().zip(self.logins.tables()).zip(self.written);
            let keys: Vec<_> = named
                .filter_map(|((name, table), written)| written.and(name).map(|name| (Key::of(name), table.rate())))
                .collect();
            let _ = shared.end(&keys, &self.names.known(), self.instant, good_for).await;
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.logins.end(self.names, self.instant, self.written, self.outcome);
        self.logins.settled.notify_waiters();
    }
}
