//! `countersign_session` and `countersign_rotation`: families of refresh tokens, which Django never sees.
//!
//! What to do with a refresh token is for the caller to decide; that the decision stands on what is so at that moment, and that
//! all of it happens or nothing, is this module's part: [`Store::in_family`].

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::driver::{Sharing, Transaction};
use crate::outstanding::{BLACKLIST, RecordStatements};
use crate::value::{Row, Value};
use crate::{Against, EventRow, Mark, OutstandingToken, Place, Store, StoreError, UserId, events};

/// A new session; one with that id may be there already: primary key.
pub(crate) const BEGIN: &str = "
    INSERT INTO countersign_session
        (sid, user_id, kind, root_jti, created_at, refreshed_at, expires_at, idle_expires_at, device_name, user_agent, address,
         keep_until)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (sid) DO NOTHING";

/// Changes nothing, and makes everybody else who would change the row wait: primary key.
pub(crate) const LOCK: &str = "UPDATE countersign_session SET refreshed_at = refreshed_at WHERE sid = $1";

/// A refresh token, its family and all that stands against it. With SimpleJWT's tables they also say whether the successor is void,
/// whether the token is outstanding, and since when it is void.
macro_rules! facts {
    ($is_void:literal, $is_outstanding:literal, $blacklisted_at:literal) => {
        concat!(
            "
    WITH given AS (SELECT CAST($1 AS text) AS sid, CAST($2 AS text) AS jti, CAST($3 AS text) AS subject)
    SELECT f.root_jti, f.created_at, f.refreshed_at, f.expires_at, f.idle_expires_at, f.ended_at,
           r.child_jti, r.rotated_at, r.child_iat, r.child_exp, r.access_exp,
           EXISTS (SELECT 1 FROM countersign_rotation n WHERE n.parent_jti = r.child_jti)",
            $is_void,
            ",
           EXISTS (SELECT 1 FROM countersign_rotation m WHERE m.child_jti = given.jti),
           ",
            $is_outstanding,
            ",
           ",
            $blacklisted_at,
            ",
           f.sid,
           (SELECT max(a.not_before) FROM countersign_revocation a WHERE a.kind = 'all' AND a.subject = ''),
           (SELECT max(u.not_before) FROM countersign_revocation u WHERE u.kind = 'user' AND u.subject = given.subject),
           (SELECT max(b.not_before) FROM countersign_revocation b WHERE b.kind = 'bare' AND b.subject = given.subject),
           EXISTS (SELECT 1 FROM countersign_revocation t WHERE t.kind = 'token' AND t.subject = given.jti)
    FROM given
    LEFT JOIN countersign_session f ON f.sid = given.sid
    LEFT JOIN countersign_rotation r ON r.parent_jti = given.jti"
        )
    };
}

/// A refresh token and its family: primary keys, the unique indexes of `child_jti`, `jti` and `token_id`, and the index of (`kind`,
/// `subject`, `not_before`).
pub(crate) const FACTS: &str = facts!(
    "
               OR EXISTS (
                   SELECT 1 FROM token_blacklist_blacklistedtoken b
                   WHERE b.token_id = (SELECT o.id FROM token_blacklist_outstandingtoken o WHERE o.jti = r.child_jti)
               )",
    "EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken o WHERE o.jti = given.jti)",
    "(
               SELECT b.blacklisted_at FROM token_blacklist_blacklistedtoken b
               WHERE b.token_id = (SELECT o.id FROM token_blacklist_outstandingtoken o WHERE o.jti = given.jti)
           )"
);

/// The same without the blacklist app.
pub(crate) const FACTS_ALONE: &str = facts!("", "1 = 0", "f.ended_at");

/// The one successor; whether this inserts decides who was first: primary key, unique index of `child_jti`.
pub(crate) const ROTATE: &str = "
    INSERT INTO countersign_rotation
        (parent_jti, sid, child_jti, rotated_at, child_iat, child_exp, access_exp, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT DO NOTHING";

/// No successor after all: primary key.
pub(crate) const TAKE_BACK: &str = "DELETE FROM countersign_rotation WHERE parent_jti = $1 AND child_jti = $2";

/// What a refresh leaves in its session: primary key.
pub(crate) const REFRESHED: &str = "
    UPDATE countersign_session
    SET refreshed_at = $1, idle_expires_at = $2, keep_until = CASE WHEN keep_until < $3 THEN $3 ELSE keep_until END
    WHERE sid = $4 AND ended_at IS NULL";

/// The end of a session, unless it has ended: primary key.
pub(crate) const END: &str = "
    UPDATE countersign_session SET ended_at = $1, end_reason = $2 WHERE sid = $3 AND ended_at IS NULL";

/// Blacklist rows for all refresh tokens of a session that still live, so that Django refuses them as well: the index of
/// `countersign_rotation.sid`, the unique indexes of `jti` and `token_id`.
pub(crate) const END_TOKENS: &str = "
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
    SELECT $1, o.id FROM token_blacklist_outstandingtoken o
    WHERE o.jti IN (
        SELECT r.child_jti FROM countersign_rotation r WHERE r.sid = $2
        UNION ALL SELECT f.root_jti FROM countersign_session f WHERE f.sid = $2
    ) AND o.expires_at > $1
    ON CONFLICT (token_id) DO NOTHING";

/// `kind` of a family of JSON web tokens.
const KIND: &str = "jwt";

/// A session that begins. `Debug` shows no id.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Its id.
    pub sid: String,
    /// Whose it is; `None` for a token without a user.
    pub user: Option<UserId>,
    /// The id of its first refresh token.
    pub root_jti: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was first used here.
    pub refreshed_at: Timestamp,
    /// When it ends, whatever is done with it.
    pub expires_at: Option<Timestamp>,
    /// When it ends unless it is refreshed.
    pub idle_expires_at: Option<Timestamp>,
    /// Where it began.
    pub place: Place,
    /// Until when a token of it may be shown.
    pub keep_until: Timestamp,
}

/// A refresh token as it is presented, and the family it says it is of. `Debug` shows no id.
#[derive(Clone, PartialEq, Eq)]
pub struct Presented {
    /// The token's id.
    pub jti: String,
    /// The family's id.
    pub sid: String,
    /// Whose it is: the user as tokens name it.
    pub subject: Option<String>,
    /// The family to begin with it, if it names none and is the first of it to be seen.
    pub begins: Option<NewSession>,
    /// Whether the blacklist app is there.
    pub has_blacklist: bool,
}

/// What is known of a presented refresh token. `Debug` shows no id.
#[derive(Clone, PartialEq, Eq)]
pub struct FamilyFacts {
    /// Its session, if there is a row of it.
    pub session: Option<SessionFacts>,
    /// Its successor, if it was exchanged here.
    pub exchanged: Option<ExchangedFacts>,
    /// Whether it is known to have been given out: by Django or here.
    pub is_recorded: bool,
    /// Whether SimpleJWT's table has it.
    pub is_outstanding: bool,
    /// Since when it is void in SimpleJWT's eyes.
    pub blacklisted_at: Option<Timestamp>,
    /// The marks that stand against it; whether its session has ended, `session` says.
    pub against: Against,
}

/// The row of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub refreshed_at: Timestamp,
    /// When it ends, whatever is done with it.
    pub expires_at: Option<Timestamp>,
    /// When it ends unless it is refreshed.
    pub idle_expires_at: Option<Timestamp>,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
}

/// A token that was exchanged, and what became of its successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangedFacts {
    /// The exchange.
    pub successor: Successor,
    /// Whether the successor was exchanged in its turn, or is void.
    pub is_used: bool,
}

/// The successor of a refresh token: all that is needed to make it again to the byte. `Debug` shows no id.
#[derive(Clone, PartialEq, Eq)]
pub struct Successor {
    /// Its id.
    pub jti: String,
    /// When the exchange was.
    pub rotated_at: Timestamp,
    /// Its `iat`, and that of the access token given with it.
    pub iat: i64,
    /// Its `exp`.
    pub exp: i64,
    /// `exp` of the access token given with it.
    pub access_exp: i64,
}

/// What is to be done with a family.
#[derive(Clone, Debug)]
pub enum FamilyStep {
    /// Nothing.
    Nothing,
    /// A refresh without rotation is recorded.
    Refreshed(Refreshing),
    /// The token is exchanged.
    Exchange(Box<Exchange>),
    /// The family ends.
    End {
        /// `end_reason`.
        reason: &'static str,
        /// `ended_at`.
        at: Timestamp,
        /// A token to be blacklisted along with those of the family, and recorded first if it is unknown: the one presented.
        token: Option<Box<OutstandingToken>>,
        /// What is written of it, if it ends now.
        events: Vec<EventRow>,
    },
}

/// What a refresh leaves in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refreshing {
    /// `refreshed_at`.
    pub at: Timestamp,
    /// `idle_expires_at`.
    pub idle_expires_at: Option<Timestamp>,
    /// `keep_until`, if it is later than before.
    pub keep_until: Timestamp,
}

/// An exchange of one token for its successor.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What follows.
    pub successor: Successor,
    /// The presented token as SimpleJWT records it.
    pub presented: OutstandingToken,
    /// Whether it is blacklisted (`BLACKLIST_AFTER_ROTATION`).
    pub blacklists: bool,
    /// The successor as SimpleJWT records it.
    pub recorded: OutstandingToken,
    /// What the session is left with.
    pub refreshing: Refreshing,
    /// Until when the row is of use.
    pub keep_until: Timestamp,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyOutcome {
    /// It was done.
    Done,
    /// Nothing was: somebody else voided the token, or ended the family, at this moment.
    Forestalled,
}

/// What a step needs of the rows of one family, in one transaction. A database is one implementation; tests have another, whose
/// every interleaving can be run.
pub trait FamilyRows: Send {
    /// Adds a session unless it is there.
    fn begin(&mut self, session: &NewSession) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Keeps other transactions from taking steps in this family until this one ends.
    fn lock(&mut self, sid: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// What is so now.
    fn facts(&mut self, presented: &Presented) -> impl Future<Output = Result<FamilyFacts, StoreError>> + Send;
    /// Adds the token's row to SimpleJWT's table unless it is there.
    fn record_if_unknown(&mut self, token: &OutstandingToken) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Adds the token's row to SimpleJWT's table.
    fn record(&mut self, token: &OutstandingToken) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Voids a recorded token; tells whether it was not void before.
    fn blacklist(&mut self, jti: &str, now: Timestamp) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Adds the successor of a token; tells whether it is the first.
    fn rotate(
        &mut self,
        presented: &Presented,
        successor: &Successor,
        keep_until: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Takes the successor away again.
    fn take_back(
        &mut self,
        presented: &Presented,
        successor: &Successor,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Records a refresh; tells whether the session lives.
    fn refreshed(&mut self, sid: &str, refreshing: Refreshing)
    -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Ends a session, with its tokens in SimpleJWT's table if that is there; tells whether it lived.
    fn end(
        &mut self,
        presented: &Presented,
        reason: &'static str,
        at: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Adds events.
    fn tell(&mut self, events: &[EventRow]) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Decides on a presented token and does what was decided, alone in its family. What the decision rests on cannot change before
/// it is carried out, but for what Django does, which knows of no families: it may void the token in between, and then nothing is
/// done.
///
/// # Errors
/// Those of the rows.
pub async fn step_in_family<T: Send>(
    rows: &mut impl FamilyRows,
    presented: &Presented,
    decide: impl FnOnce(&FamilyFacts) -> (FamilyStep, T) + Send,
) -> Result<(T, FamilyOutcome), StoreError> {
    if let Some(session) = &presented.begins {
        rows.begin(session).await?;
    }
    rows.lock(&presented.sid).await?;
    let facts = rows.facts(presented).await?;
    let (step, told) = decide(&facts);
    let is_done = match step {
        FamilyStep::Nothing => true,
        FamilyStep::Refreshed(refreshing) => rows.refreshed(&presented.sid, refreshing).await?,
        FamilyStep::End { reason, at, token, events } => {
            if let Some(token) = &token {
                rows.record_if_unknown(token).await?;
                rows.blacklist(&token.jti, at).await?;
            }
            let is_ended = rows.end(presented, reason, at).await?;
            if is_ended {
                rows.tell(&events).await?;
            }
            is_ended
        }
        FamilyStep::Exchange(exchange) => return Ok((told, carry_out(rows, presented, &facts, &exchange).await?)),
    };
    Ok((told, if is_done { FamilyOutcome::Done } else { FamilyOutcome::Forestalled }))
}

async fn carry_out(
    rows: &mut impl FamilyRows,
    presented: &Presented,
    facts: &FamilyFacts,
    exchange: &Exchange,
) -> Result<FamilyOutcome, StoreError> {
    if presented.has_blacklist && !facts.is_outstanding {
        rows.record_if_unknown(&exchange.presented).await?;
    }
    if !rows.rotate(presented, &exchange.successor, exchange.keep_until).await? {
        return Ok(FamilyOutcome::Forestalled);
    }
    // After the rotation, by which triggers tell it from what Django voids. Nobody sees the one without the other.
    if presented.has_blacklist && exchange.blacklists && !rows.blacklist(&presented.jti, exchange.refreshing.at).await?
    {
        rows.take_back(presented, &exchange.successor).await?;
        return Ok(FamilyOutcome::Forestalled);
    }
    if presented.has_blacklist {
        rows.record(&exchange.recorded).await?;
    }
    rows.refreshed(&presented.sid, exchange.refreshing).await?;
    Ok(FamilyOutcome::Done)
}

impl Store {
    /// What is known of a refresh token and its family.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn family_facts(&self, presented: &Presented) -> Result<FamilyFacts, StoreError> {
        let values = presented.values();
        let facts = self.driver().query_opt(facts_statement(presented), &values, |row| facts(row, presented)).await?;
        facts.ok_or(StoreError::Closed)
    }

    /// Decides on a presented token by what is so at that moment, and does what was decided, in one transaction. `told` comes back
    /// with what became of the step.
    ///
    /// # Errors
    /// If the database cannot be written; nothing was done then.
    pub async fn in_family<T: Send + 'static>(
        &self,
        presented: Presented,
        decide: impl FnOnce(&FamilyFacts) -> (FamilyStep, T) + Send + 'static,
    ) -> Result<(T, FamilyOutcome), StoreError> {
        let statements = Arc::clone(self.record_statements());
        self.driver()
            .transaction(Sharing::Grouped, move |transaction| {
                Box::pin(async move {
                    let mut rows = InTransaction { transaction, statements: &statements };
                    step_in_family(&mut rows, &presented, decide).await
                })
            })
            .await
    }

    /// Whether [`exchange_at_once`](Self::exchange_at_once) is worth a try.
    pub fn may_exchange_at_once(&self, presented: &Presented, facts: &FamilyFacts) -> bool {
        self.driver().writes_in_with() && presented.has_blacklist && facts.session.is_some() && facts.is_outstanding
    }

    /// Carries out an exchange, decided on `facts` that were read without a lock, if it can be done in one statement and nothing that
    /// it rests on has changed; tells whether it was done. If not, nothing was, and [`in_family`](Self::in_family) decides anew.
    ///
    /// Of what an exchange rests on, three things can change: the session may end, and the token may be exchanged or voided. The
    /// session's row is locked and looked at, as every step here does first, and the insert of the blacklist row tells the rest: an
    /// exchange that blacklists goes through it, at Django too.
    ///
    /// # Errors
    /// If the database cannot be written; nothing was done then.
    pub async fn exchange_at_once(
        &self,
        presented: &Presented,
        facts: &FamilyFacts,
        exchange: &Exchange,
    ) -> Result<bool, StoreError> {
        if !self.may_exchange_at_once(presented, facts) || !exchange.blacklists {
            return Ok(false);
        }
        let (presented, exchange) = (presented.clone(), exchange.clone());
        let statements = Arc::clone(self.record_statements());
        let done = self
            .driver()
            .transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move {
                    let Exchange { successor, recorded, refreshing, keep_until, .. } = &exchange;
                    let [_, token, created_at, expires_at, user] = recorded.values();
                    let values = [
                        presented.sid.as_str().into(),
                        refreshing.at.into(),
                        presented.jti.as_str().into(),
                        successor.jti.as_str().into(),
                        successor.rotated_at.into(),
                        successor.iat.into(),
                        successor.exp.into(),
                        successor.access_exp.into(),
                        (*keep_until).into(),
                        token,
                        created_at,
                        expires_at,
                        user,
                        refreshing.at.into(),
                        refreshing.idle_expires_at.into(),
                        refreshing.keep_until.into(),
                    ];
                    Ok(transaction.execute(&statements.exchange, &values).await? > 0)
                })
            })
            .await;
        match done {
            Err(StoreError::UniqueViolation { .. }) => Ok(false), // rows that only the steps know what to do with
            done => done,
        }
    }
}

/// The rows in a database's transaction.
struct InTransaction<'t, 's> {
    transaction: Transaction<'t>,
    statements: &'s RecordStatements,
}

impl FamilyRows for InTransaction<'_, '_> {
    async fn begin(&mut self, session: &NewSession) -> Result<(), StoreError> {
        session.insert(&mut self.transaction).await
    }

    async fn lock(&mut self, sid: &str) -> Result<(), StoreError> {
        self.transaction.execute(LOCK, &[sid.into()]).await.map(|_| ())
    }

    async fn facts(&mut self, presented: &Presented) -> Result<FamilyFacts, StoreError> {
        let (statement, values) = (facts_statement(presented), presented.values());
        let facts = self.transaction.query_opt(statement, &values, |row| facts(row, presented)).await?;
        facts.ok_or(StoreError::Closed)
    }

    async fn record_if_unknown(&mut self, token: &OutstandingToken) -> Result<(), StoreError> {
        token.insert(&mut self.transaction, &self.statements.record_if_unknown).await.map(|_| ())
    }

    async fn record(&mut self, token: &OutstandingToken) -> Result<(), StoreError> {
        token.insert(&mut self.transaction, &self.statements.record).await.map(|_| ())
    }

    async fn blacklist(&mut self, jti: &str, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.transaction.execute(BLACKLIST, &[now.into(), jti.into()]).await? > 0)
    }

    async fn rotate(
        &mut self,
        presented: &Presented,
        successor: &Successor,
        keep_until: Timestamp,
    ) -> Result<bool, StoreError> {
        let values = [
            presented.jti.as_str().into(),
            presented.sid.as_str().into(),
            successor.jti.as_str().into(),
            successor.rotated_at.into(),
            successor.iat.into(),
            successor.exp.into(),
            successor.access_exp.into(),
            keep_until.into(),
        ];
        Ok(self.transaction.execute(ROTATE, &values).await? > 0)
    }

    async fn take_back(&mut self, presented: &Presented, successor: &Successor) -> Result<(), StoreError> {
        let values = [presented.jti.as_str().into(), successor.jti.as_str().into()];
        self.transaction.execute(TAKE_BACK, &values).await.map(|_| ())
    }

    async fn refreshed(&mut self, sid: &str, refreshing: Refreshing) -> Result<bool, StoreError> {
        let Refreshing { at, idle_expires_at, keep_until } = refreshing;
        let values = [at.into(), idle_expires_at.into(), keep_until.into(), sid.into()];
        Ok(self.transaction.execute(REFRESHED, &values).await? > 0)
    }

    async fn end(&mut self, presented: &Presented, reason: &'static str, at: Timestamp) -> Result<bool, StoreError> {
        end(&mut self.transaction, &presented.sid, presented.has_blacklist, reason, at).await
    }

    async fn tell(&mut self, rows: &[EventRow]) -> Result<(), StoreError> {
        events::record(&mut self.transaction, rows).await
    }
}

/// Ends a session within a transaction, with a mark for its access tokens, and its refresh tokens in SimpleJWT's table if that is
/// there; tells whether it lived.
pub(crate) async fn end(
    transaction: &mut Transaction<'_>,
    sid: &str,
    has_blacklist: bool,
    reason: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let is_ended = transaction.execute(END, &[at.into(), reason.into(), sid.into()]).await? > 0;
    if is_ended {
        Mark::of_session(sid, at).insert(transaction).await?;
        if has_blacklist {
            transaction.execute(END_TOKENS, &[at.into(), sid.into()]).await?;
        }
    }
    Ok(is_ended)
}

const fn facts_statement(presented: &Presented) -> &'static str {
    if presented.has_blacklist { FACTS } else { FACTS_ALONE }
}

fn facts(row: &Row<'_>, presented: &Presented) -> Result<FamilyFacts, StoreError> {
    let integer = |column| row.integer_opt(column).map(Option::unwrap_or_default);
    let session = match row.text_opt(15)? {
        Some(_) => Some(SessionFacts {
            created_at: row.instant(1)?,
            refreshed_at: row.instant(2)?,
            expires_at: row.instant_opt(3)?,
            idle_expires_at: row.instant_opt(4)?,
            ended_at: row.instant_opt(5)?,
        }),
        None => None,
    };
    let exchanged = match row.text_opt(6)? {
        Some(jti) => {
            let successor = Successor {
                jti,
                rotated_at: row.instant(7)?,
                iat: integer(8)?,
                exp: integer(9)?,
                access_exp: integer(10)?,
            };
            Some(ExchangedFacts { successor, is_used: row.boolean(11)? })
        }
        None => None,
    };
    let is_root = row.text_opt(0)?.is_some_and(|root| root == presented.jti);
    let is_outstanding = row.boolean(13)?;
    Ok(FamilyFacts {
        session,
        exchanged,
        is_recorded: is_root || is_outstanding || row.boolean(12)?,
        is_outstanding,
        blacklisted_at: if presented.has_blacklist { row.instant_opt(14)? } else { None },
        against: Against {
            all: row.integer_opt(16)?,
            user: row.integer_opt(17)?,
            bare: row.integer_opt(18)?,
            token: row.boolean(19)?,
            session: false,
        },
    })
}

impl Presented {
    /// What [`FACTS`] asks about. No user has a NUL in what names it.
    fn values(&self) -> [Value<'_>; 3] {
        let subject = self.subject.as_deref().filter(|subject| !subject.contains('\0'));
        [self.sid.as_str().into(), self.jti.as_str().into(), subject.into()]
    }
}

impl NewSession {
    /// The row, unless one with this id is there.
    pub(crate) async fn insert(&self, transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
        // As text, whatever the type of the key: Django may change its user model under us.
        let user = self.user.as_ref().map(UserId::to_string);
        let values = [
            self.sid.as_str().into(),
            user.as_deref().into(),
            KIND.into(),
            self.root_jti.as_str().into(),
            self.created_at.into(),
            self.refreshed_at.into(),
            self.expires_at.into(),
            self.idle_expires_at.into(),
            self.place.name.as_deref().into(),
            self.place.user_agent.as_deref().into(),
            self.place.address.as_deref().into(),
            self.keep_until.into(),
        ];
        transaction.execute(BEGIN, &values).await.map(|_| ())
    }
}

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSession")
            .field("user", &self.user)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("begins", &self.begins).finish_non_exhaustive()
    }
}

impl fmt::Debug for FamilyFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FamilyFacts")
            .field("session", &self.session)
            .field("exchanged", &self.exchanged)
            .field("is_recorded", &self.is_recorded)
            .field("blacklisted_at", &self.blacklisted_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Successor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Successor")
            .field("rotated_at", &self.rotated_at)
            .field("iat", &self.iat)
            .field("exp", &self.exp)
            .finish_non_exhaustive()
    }
}
