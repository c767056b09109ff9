//! One connection: how it is made, and statements over it.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_postgres::config::{Host, SslMode as DriverSslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{PooledWithoutSwitch, TooSlow, error, tls};
use crate::url::{PostgresUrl, SslMode};
use crate::value::Value;
use crate::{PostgresOptions, StoreError};

/// What carries a connection's bytes; it ends with the connection.
pub(super) type Carrier = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;

/// Makes connections to one database.
pub(super) struct Connector {
    config: Config,
    ssl_mode: SslMode,
    tls: MakeRustlsConnect,
    /// A connection that takes longer to make is given up.
    connect_timeout: Duration,
    /// An answer that takes longer is given up; the server itself cancels the statement before.
    answer_timeout: Duration,
    keeps_statements: bool,
}

impl Connector {
    pub(super) fn new(url: &PostgresUrl, options: &PostgresOptions) -> Result<Self, StoreError> {
        let mut config = url.config.clone();
        let connect_timeout = config.get_connect_timeout().copied().unwrap_or(options.connect_timeout);
        config.connect_timeout(connect_timeout);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(options.statement_timeout.saturating_mul(2));
        }
        if !options.pgbouncer {
            // PgBouncer refuses start-up parameters that it does not know.
            let given = config.get_options().unwrap_or_default();
            let timeout = options.statement_timeout.as_millis();
            // A statement alone has the level that transactions here ask for, and triggers tell our writes from Django's.
            let all = format!(
                "{given} -cstatement_timeout={timeout} -cidle_in_transaction_session_timeout={timeout} \
                 -cdefault_transaction_isolation=read\\ committed -ccountersign.node=on"
            );
            config.options(all.trim_start());
        }
        // A socket needs no TLS and, as with libpq, never has it.
        let only_sockets = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        Ok(Self {
            config,
            ssl_mode: if only_sockets { SslMode::Disable } else { url.ssl_mode },
            tls: tls::connector(url)?,
            connect_timeout,
            answer_timeout: options.statement_timeout + Duration::from_secs(1),
            keeps_statements: !options.pgbouncer,
        })
    }

    /// How long a caller waits for an answer, or for its turn.
    pub(super) const fn answer_timeout(&self) -> Duration {
        self.answer_timeout
    }

    /// Whether what one statement leaves in a connection is there for the next.
    pub(super) const fn keeps_state(&self) -> bool {
        self.keeps_statements
    }

    /// A new connection, under libpq's rules for `sslmode`.
    pub(super) async fn connect(&self) -> Result<(Connection, Carrier), StoreError> {
        self.connect_hearing(None).await
    }

    /// As [`connect`](Self::connect); `heard` is told of each notification that arrives.
    pub(super) async fn connect_hearing(
        &self,
        heard: Option<&Arc<Notify>>,
    ) -> Result<(Connection, Carrier), StoreError> {
        let attempt = async {
            match self.ssl_mode {
                SslMode::Disable => self.with(DriverSslMode::Disable, NoTls, heard).await,
                SslMode::Allow => match self.with(DriverSslMode::Disable, NoTls, heard).await {
                    Err(refusal) if was_refused(&refusal) => {
                        self.with(DriverSslMode::Require, self.tls.clone(), heard).await.map_err(|_| refusal)
                    }
                    answer => answer,
                },
                SslMode::Prefer => match self.with(DriverSslMode::Prefer, self.tls.clone(), heard).await {
                    Err(refusal) if was_refused(&refusal) => {
                        self.with(DriverSslMode::Disable, NoTls, heard).await.map_err(|_| refusal)
                    }
                    answer => answer,
                },
                SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
                    self.with(DriverSslMode::Require, self.tls.clone(), heard).await
                }
            }
        };
        // The driver's own timeout is for each address; this one is for the whole, the server's greeting included.
        let whole = self.connect_timeout.saturating_mul(2);
        let (client, carrier) = tokio::time::timeout(whole, attempt)
            .await
            .map_err(|_| StoreError::Unavailable { cause: Arc::new(TooSlow(whole)) })?
            .map_err(connect_error)
            .map_err(|refusal| if self.keeps_statements { refusal } else { behind_pooler(refusal) })?;
        let prepared = self.keeps_statements.then(RwLock::default);
        Ok((Connection { client, prepared, answer_timeout: self.answer_timeout }, carrier))
    }

    async fn with<T>(
        &self,
        mode: DriverSslMode,
        tls: T,
        heard: Option<&Arc<Notify>>,
    ) -> Result<(Client, Carrier), tokio_postgres::Error>
    where
        T: MakeTlsConnect<Socket> + Send,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as tokio_postgres::tls::TlsConnect<Socket>>::Future: Send,
    {
        let mut config = self.config.clone();
        config.ssl_mode(mode);
        let (client, mut connection) = config.connect(tls).await?;
        let Some(heard) = heard.cloned() else { return Ok((client, Box::pin(connection))) };
        let carrier = std::future::poll_fn(move |context| {
            loop {
                match std::task::ready!(connection.poll_message(context)) {
                    Some(Ok(AsyncMessage::Notification(_))) => heard.notify_one(),
                    Some(Ok(_)) => {}
                    Some(Err(lost)) => return Poll::Ready(Err(lost)),
                    None => return Poll::Ready(Ok(())),
                }
            }
        });
        Ok((client, Box::pin(carrier)))
    }
}

/// Whether the server let us as far as saying no to the kind of connection (its `pg_hba.conf` knows `hostssl` and `hostnossl`), or
/// TLS itself failed.
fn was_refused(refusal: &tokio_postgres::Error) -> bool {
    refusal.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
        || refusal.to_string().starts_with("error performing TLS handshake")
}

/// Why there is no connection: the server's words (a wrong password, an unknown database), or none could be had.
fn connect_error(refusal: tokio_postgres::Error) -> StoreError {
    let is_ours = refusal.as_db_error().is_some();
    match error(refusal) {
        StoreError::Database { cause } if !is_ours => StoreError::Unavailable { cause },
        StoreError::Database { cause } => StoreError::Io { cause },
        other => other,
    }
}

/// The switch is set; what PgBouncer refuses stands in the address.
fn behind_pooler(refusal: StoreError) -> StoreError {
    match refusal {
        StoreError::Io { cause } if cause.is::<PooledWithoutSwitch>() => {
            StoreError::Io { cause: Arc::new(OptionsBehindPooler) }
        }
        other => other,
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "this PgBouncer takes no options; take them out of the address and set search_path with ALTER ROLE … SET search_path"
)]
struct OptionsBehindPooler;

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("ssl_mode", &self.ssl_mode).finish_non_exhaustive()
    }
}

/// An open connection. Many may use it at once: their statements are sent one behind the other without waiting.
pub(super) struct Connection {
    client: Client,
    /// What is prepared on this connection, by its text; nothing is behind PgBouncer.
    prepared: Option<RwLock<HashMap<Box<str>, Statement>>>,
    answer_timeout: Duration,
}

impl Connection {
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The rows of one statement.
    pub(super) async fn rows(
        &self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        self.bounded(async {
            let Some(prepared) = self.prepared(statement).await? else {
                return self.client.query_typed(statement, &untyped(values)).await;
            };
            match self.client.query(&prepared, &typed(values)).await {
                // Somebody altered the table: the plan is made anew, once.
                Err(refusal) if self.forget_stale(statement, &refusal) => match self.prepared(statement).await? {
                    Some(prepared) => self.client.query(&prepared, &typed(values)).await,
                    None => Err(refusal),
                },
                answer => answer,
            }
        })
        .await
    }

    /// Runs one statement without rows; gives the number of rows it changed.
    pub(super) async fn execute(&self, statement: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        self.bounded(async {
            let Some(prepared) = self.prepared(statement).await? else {
                return self.client.execute_typed(statement, &untyped(values)).await;
            };
            let answer = self.client.execute(&prepared, &typed(values)).await;
            if let Err(refusal) = &answer {
                self.forget_stale(statement, refusal);
            }
            answer
        })
        .await
    }

    /// Runs statements without values, as long as they take.
    pub(super) async fn script(&self, script: &str) -> Result<(), StoreError> {
        self.client.batch_execute(script).await.map_err(error)
    }

    /// `BEGIN`, `COMMIT` or `ROLLBACK`.
    pub(super) async fn command(&self, command: &'static str) -> Result<(), StoreError> {
        self.bounded(self.client.batch_execute(command)).await
    }

    /// Has the server parse and analyse a statement, without running it.
    pub(super) async fn check(&self, statement: &str) -> Result<(), StoreError> {
        if self.prepared.is_some() {
            return self.bounded(self.client.prepare(statement)).await.map(|_| ());
        }
        // What is prepared by name could meet its namesake behind a pooler.
        let highest = (1..=99).take_while(|number| statement.contains(&format!("${number}"))).count();
        self.rows(&format!("EXPLAIN {statement}"), &vec![Value::Null; highest]).await.map(|_| ())
    }

    /// Prepares a statement ahead of a `BEGIN`, so that both can be sent together.
    pub(super) async fn warm(&self, statement: &str) -> Result<(), StoreError> {
        self.bounded(self.prepared(statement)).await.map(|_| ())
    }

    /// The statement, prepared at its first use on this connection; `None` where nothing stays prepared.
    async fn prepared(&self, text: &str) -> Result<Option<Statement>, tokio_postgres::Error> {
        let Some(known) = &self.prepared else { return Ok(None) };
        let found = known.read().unwrap_or_else(PoisonError::into_inner).get(text).cloned();
        if found.is_some() {
            return Ok(found);
        }
        let statement = self.client.prepare(text).await?;
        known.write().unwrap_or_else(PoisonError::into_inner).insert(text.into(), statement.clone());
        Ok(Some(statement))
    }

    /// Drops a statement whose plan no longer fits its table; tells whether that was the trouble.
    fn forget_stale(&self, text: &str, refusal: &tokio_postgres::Error) -> bool {
        let is_stale = refusal.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED);
        if let (true, Some(known)) = (is_stale, &self.prepared) {
            known.write().unwrap_or_else(PoisonError::into_inner).remove(text);
        }
        is_stale
    }

    async fn bounded<T>(&self, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, StoreError> {
        match tokio::time::timeout(self.answer_timeout, work).await {
            Ok(answer) => answer.map_err(error),
            Err(_) => Err(StoreError::Unavailable { cause: Arc::new(TooSlow(self.answer_timeout)) }),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

fn typed<'v>(values: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// Values of a type that the server works out, sent as text.
fn untyped<'v>(values: &'v [Value<'_>]) -> Vec<(&'v (dyn ToSql + Sync), Type)> {
    values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::UNKNOWN)).collect()
}
