//! Every order in which nodes, and a Django beside them, can take the steps of a refresh: [`Rule::judge`] and
//! [`step_in_family`] run by shuttle's schedulers over a table that behaves as PostgreSQL does. A transaction's writes show when it
//! commits; whoever inserts a key that another transaction has inserted waits for it to end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign_store::{
    Against, EventRow, Exchange, ExchangedFacts, FamilyOutcome, FamilyRows, FamilyStep, NewSession, OutstandingToken,
    Presented, Refreshing, StoreError, step_in_family,
};
use shuttle::sync::{Condvar, Mutex};

use super::*;

const SID: &str = "family";
const ROOT: &str = "root";

/// What is committed.
#[derive(Debug, Clone, Default)]
struct Rows {
    ended: bool,
    rotations: BTreeMap<String, Successor>,
    outstanding: BTreeSet<String>,
    void: BTreeMap<String, Timestamp>,
}

#[derive(Default)]
struct Table {
    rows: Mutex<Rows>,
    /// Keys and locks that open transactions hold.
    held: Mutex<BTreeSet<String>>,
    released: Condvar,
}

impl Table {
    fn with_root() -> Arc<Self> {
        let table = Self::default();
        table.rows.lock().expect("no panic").outstanding.insert(ROOT.to_owned());
        Arc::new(table)
    }

    /// Waits until no other transaction holds it, and holds it.
    fn hold(&self, key: String) {
        let mut held = self.held.lock().expect("no panic");
        while held.contains(&key) {
            held = self.released.wait(held).expect("no panic");
        }
        held.insert(key);
    }

    fn let_go(&self, keys: &[String]) {
        let mut held = self.held.lock().expect("no panic");
        for key in keys {
            held.remove(key);
        }
        self.released.notify_all();
    }

    fn committed(&self) -> Rows {
        self.rows.lock().expect("no panic").clone()
    }

    fn facts(&self, jti: &str) -> FamilyFacts {
        let rows = self.committed();
        let exchanged = rows.rotations.get(jti).map(|successor| ExchangedFacts {
            is_used: rows.rotations.contains_key(&successor.jti) || rows.void.contains_key(&successor.jti),
            successor: successor.clone(),
        });
        FamilyFacts {
            session: Some(SessionFacts {
                created_at: at(0),
                refreshed_at: at(0),
                expires_at: None,
                idle_expires_at: None,
                ended_at: rows.ended.then(|| at(0)),
            }),
            exchanged,
            is_recorded: rows.outstanding.contains(jti),
            is_outstanding: rows.outstanding.contains(jti),
            blacklisted_at: rows.void.get(jti).copied(),
            against: Against::default(),
        }
    }
}

/// An open transaction.
struct Open<'t> {
    table: &'t Table,
    holds: Vec<String>,
    writes: Vec<Write>,
}

enum Write {
    End,
    Rotation(String, Successor),
    Outstanding(String),
    Void(String, Timestamp),
}

impl<'t> Open<'t> {
    fn begin(table: &'t Table) -> Self {
        Self { table, holds: Vec::new(), writes: Vec::new() }
    }

    fn hold(&mut self, key: String) {
        if !self.holds.contains(&key) {
            self.table.hold(key.clone());
            self.holds.push(key);
        }
    }

    fn commit(self) {
        let mut rows = self.table.rows.lock().expect("no panic");
        for write in self.writes {
            match write {
                Write::End => rows.ended = true,
                Write::Rotation(parent, successor) => {
                    assert!(rows.rotations.insert(parent, successor).is_none(), "one successor");
                }
                Write::Outstanding(jti) => drop(rows.outstanding.insert(jti)),
                Write::Void(jti, when) => drop(rows.void.entry(jti).or_insert(when)),
            }
        }
        drop(rows);
        self.table.let_go(&self.holds);
    }
}

impl FamilyRows for Open<'_> {
    async fn begin(&mut self, _: &NewSession) -> Result<(), StoreError> {
        Ok(())
    }

    async fn lock(&mut self, sid: &str) -> Result<(), StoreError> {
        self.hold(format!("session {sid}"));
        Ok(())
    }

    async fn facts(&mut self, presented: &Presented) -> Result<FamilyFacts, StoreError> {
        Ok(self.table.facts(&presented.jti))
    }

    async fn record_if_unknown(&mut self, token: &OutstandingToken) -> Result<(), StoreError> {
        self.record(token).await
    }

    async fn record(&mut self, token: &OutstandingToken) -> Result<(), StoreError> {
        self.writes.push(Write::Outstanding(token.jti.clone()));
        Ok(())
    }

    async fn blacklist(&mut self, jti: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.hold(format!("void {jti}"));
        if self.table.committed().void.contains_key(jti) {
            return Ok(false);
        }
        self.writes.push(Write::Void(jti.to_owned(), now));
        Ok(true)
    }

    async fn rotate(&mut self, presented: &Presented, successor: &Successor, _: Timestamp) -> Result<bool, StoreError> {
        self.hold(format!("rotation {}", presented.jti));
        if self.table.committed().rotations.contains_key(&presented.jti) {
            return Ok(false);
        }
        self.writes.push(Write::Rotation(presented.jti.clone(), successor.clone()));
        Ok(true)
    }

    async fn take_back(&mut self, presented: &Presented, _: &Successor) -> Result<(), StoreError> {
        self.writes.retain(|write| !matches!(write, Write::Rotation(parent, _) if *parent == presented.jti));
        Ok(())
    }

    async fn refreshed(&mut self, _: &str, _: Refreshing) -> Result<bool, StoreError> {
        Ok(!self.table.committed().ended)
    }

    async fn end(&mut self, _: &Presented, _: &'static str, when: Timestamp) -> Result<bool, StoreError> {
        let rows = self.table.committed();
        if rows.ended {
            return Ok(false);
        }
        self.writes.push(Write::End);
        let tokens = rows.rotations.values().map(|successor| successor.jti.clone()).chain([ROOT.to_owned()]);
        self.writes.extend(tokens.map(|jti| Write::Void(jti, when)));
        Ok(true)
    }

    async fn tell(&mut self, _: &[EventRow]) -> Result<(), StoreError> {
        Ok(())
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + seconds).expect("in range")
}

fn rule() -> Rule {
    Rule { window: SignedDuration::from_secs(10), idle: None, absolute: None, has_blacklist: true }
}

fn presented(jti: &str) -> Presented {
    Presented { jti: jti.to_owned(), sid: SID.to_owned(), subject: None, begins: None, has_blacklist: true }
}

fn token(jti: &str) -> OutstandingToken {
    OutstandingToken { jti: jti.to_owned(), token: String::new(), created_at: None, expires_at: at(600), user: None }
}

fn successor(jti: &str, now: Timestamp) -> Successor {
    let iat = now.as_second();
    Successor { jti: format!("{jti}+"), rotated_at: now, iat, exp: iat + 600, access_exp: iat + 300 }
}

/// `Store::exchange_at_once`: the parts of the statement, in the order in which one gives rows to the next.
fn exchange_at_once(table: &Table, jti: &str, now: Timestamp) -> bool {
    let mut open = Open::begin(table);
    let offered = presented(jti);
    let done = shuttle::future::block_on(async {
        open.lock(SID).await?;
        if table.committed().ended || !open.blacklist(jti, now).await? {
            return Ok(false);
        }
        assert!(open.rotate(&offered, &successor(jti, now), at(900)).await?, "the statement would fail");
        open.record(&token(&successor(jti, now).jti)).await?;
        Ok::<_, StoreError>(true)
    });
    open.commit();
    done.expect("no errors here")
}

/// A refresh at a node, as `session.rs` puts it together: a look without locks, then the exchange at once or the step.
fn refresh(table: &Table, jti: &str, now: Timestamp, blacklists: bool) -> Option<Successor> {
    match rule().judge(&table.facts(jti), true, now) {
        Verdict::Again(successor) => return Some(successor),
        Verdict::Refuse(_) => return None,
        Verdict::Good if blacklists && exchange_at_once(table, jti, now) => return Some(successor(jti, now)),
        Verdict::Good | Verdict::End(_) => {}
    }
    let mut open = Open::begin(table);
    let offered = presented(jti);
    let stepped = shuttle::future::block_on(step_in_family(&mut open, &offered, |facts| {
        let verdict = rule().judge(facts, true, now);
        let refreshing = Refreshing { at: now, idle_expires_at: None, keep_until: at(900) };
        let step = match &verdict {
            Verdict::Good => FamilyStep::Exchange(Box::new(Exchange {
                successor: successor(jti, now),
                presented: token(jti),
                blacklists,
                recorded: token(&successor(jti, now).jti),
                refreshing,
                keep_until: at(900),
            })),
            Verdict::End(why) => FamilyStep::End { reason: why.name(), at: now, token: None, events: Vec::new() },
            _ => FamilyStep::Nothing,
        };
        (step, verdict)
    }));
    open.commit();
    match stepped.expect("no errors here") {
        (Verdict::Good, FamilyOutcome::Done) => Some(successor(jti, now)),
        (Verdict::Again(successor), _) => Some(successor),
        _ => None,
    }
}

fn log_out(table: &Table, jti: &str, now: Timestamp) -> bool {
    let mut open = Open::begin(table);
    let offered = presented(jti);
    let stepped = shuttle::future::block_on(step_in_family(&mut open, &offered, |facts| {
        let verdict = rule().judge(facts, true, now);
        let step = match &verdict {
            Verdict::Good | Verdict::Again(_) => {
                FamilyStep::End { reason: "logout", at: now, token: Some(Box::new(token(jti))), events: Vec::new() }
            }
            Verdict::End(why) => FamilyStep::End { reason: why.name(), at: now, token: None, events: Vec::new() },
            Verdict::Refuse(_) => FamilyStep::Nothing,
        };
        (step, verdict)
    }));
    open.commit();
    matches!(stepped.expect("no errors here").0, Verdict::Good | Verdict::Again(_))
}

/// SimpleJWT's blacklist view: it looks, and then voids.
fn log_out_at_django(table: &Table, jti: &str, now: Timestamp) -> bool {
    if table.committed().void.contains_key(jti) {
        return false;
    }
    let mut open = Open::begin(table);
    let is_first = shuttle::future::block_on(open.blacklist(jti, now)).expect("no errors here");
    open.commit();
    is_first
}

/// What must be so whatever happened: of what was given out here, one token at most is good for something new, and nothing of a
/// family that has ended.
fn check(table: &Table) {
    let rows = table.committed();
    let given = rows.rotations.values().map(|successor| successor.jti.as_str()).chain([ROOT]);
    let live: Vec<&str> =
        given.filter(|jti| !rows.void.contains_key(*jti) && !rows.rotations.contains_key(*jti)).collect();
    assert!(live.len() <= 1, "{live:?}");
    assert!(!rows.ended || live.is_empty(), "an ended family has a live token: {live:?}");
}

type Act = fn(&Table);

/// Runs acts side by side, in all orders that fit into the bound and in many random ones.
fn in_any_order(acts: &'static [Act], finally: fn(&Table)) {
    let run = move || {
        let table = Table::with_root();
        let threads: Vec<_> = acts
            .iter()
            .map(|act| {
                let table = Arc::clone(&table);
                shuttle::thread::spawn(move || act(&table))
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        check(&table);
        finally(&table);
    };
    shuttle::check_dfs(run, Some(20_000));
    shuttle::check_random(run, 20_000);
    shuttle::check_pct(run, 5000, 3);
}

#[test]
fn r1_parallel_uses_converge_in_every_order() {
    const USE: Act = |table| {
        let given = refresh(table, ROOT, at(1), true).expect("nobody is logged out");
        assert_eq!(given, successor(ROOT, at(1)));
    };
    in_any_order(&[USE, USE, USE], |table| {
        let rows = table.committed();
        assert_eq!((rows.rotations.len(), rows.ended), (1, false));
    });
}

#[test]
fn r1_without_blacklisting_as_well() {
    const USE: Act = |table| drop(refresh(table, ROOT, at(1), false).expect("nobody is logged out"));
    in_any_order(&[USE, USE, USE], |table| assert_eq!(table.committed().rotations.len(), 1));
}

#[test]
fn r2_client_and_thief_in_every_order() {
    const CLIENT: Act = |table| {
        if let Some(first) = refresh(table, ROOT, at(1), true) {
            let _ = refresh(table, &first.jti, at(2), true);
        }
    };
    const LATE: Act = |table| drop(refresh(table, ROOT, at(30), true));
    in_any_order(&[CLIENT, CLIENT, LATE], |table| {
        let rows = table.committed();
        assert!(rows.rotations.values().all(|successor| rows.outstanding.contains(&successor.jti)));
    });
}

#[test]
fn r5_a_logout_beats_every_refresh_beside_it() {
    const CLIENT: Act = |table| {
        if let Some(first) = refresh(table, ROOT, at(1), true) {
            let _ = refresh(table, &first.jti, at(2), true);
        }
    };
    const OUT: Act = |table| {
        if log_out(table, ROOT, at(1)) {
            let rows = table.committed();
            assert!(rows.ended);
        }
    };
    in_any_order(&[CLIENT, OUT, CLIENT], |_| {});
}

#[test]
fn a_logout_at_django_beside_a_refresh() {
    const CLIENT: Act = |table| drop(refresh(table, ROOT, at(1), true));
    const OUT: Act = |table| {
        let _ = log_out_at_django(table, ROOT, at(1));
    };
    in_any_order(&[CLIENT, OUT, CLIENT], |table| {
        let rows = table.committed();
        // Whoever voided the token first has it: a rotation whose parent Django voided is none.
        assert!(rows.void.contains_key(ROOT));
        assert!(rows.rotations.len() <= 1);
    });
}
