//! Django's `auth`, `authtoken` and `token_blacklist` tables, read and written as Django, DRF and SimpleJWT do.
//!
//! A [`Store`] is one database. It knows tables and nothing of HTTP, hashing or signatures: whoever calls decides why a row is
//! wanted and what its absence means. Lookups answer `None` when there is no row; each write is one transaction, on disk when
//! the call returns.
//!
//! ```
//! use countersign_store::{DatabaseUrl, InstalledApps, NewUser, Store, StoreOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let url: DatabaseUrl = "sqlite::memory:".parse()?;
//! let store = Store::open(&url, StoreOptions::default()).await?;
//! let now = "2025-06-15T15:06:40Z".parse()?;
//! store.migrate(&InstalledApps::default(), now).await?;
//!
//! let alice = NewUser { username: "alice".into(), date_joined: now, ..NewUser::default() };
//! let id = store.create_user(alice).await?;
//! assert_eq!(store.user_by_username("alice").await?.map(|user| user.id), Some(id));
//! assert!(store.user_by_username("ALICE").await?.is_none(), "names are compared byte by byte");
//! # Ok(())
//! # }
//! ```
//!
//! Inside, table modules see only the driver's waist: one statement text with typed values. SQLite's reads are answered inline on
//! the calling thread, its writes by one thread that commits in groups; PostgreSQL's reads share a few pipelined connections, and
//! its transactions borrow from a small pool.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

mod devices;
mod django_sessions;
mod driver;
mod error;
mod events;
mod families;
mod given_tokens;
mod groups;
mod knox;
mod migrate;
mod native_tokens;
mod outstanding;
mod pruning;
mod remembered;
mod revocation_feed;
mod revocations;
mod signing_keys;
mod statements;
mod survey;
mod tokens;
mod triggers;
mod url;
mod user_columns;
mod user_field;
mod user_id;
mod user_table;
mod users;
mod value;
mod voided;

pub use devices::{Device, Ended, Ending, FamilyRow, Place, Seen, SessionFate, TokenRow};
pub use driver::TableName;
pub use error::{Cause, StoreError};
pub use events::{EventFilter, EventRow, EventsOf};
pub use families::{
    Exchange, ExchangedFacts, FamilyFacts, FamilyOutcome, FamilyRows, FamilyStep, NewSession, Presented, Refreshing,
    SessionFacts, Successor, step_in_family,
};
pub use knox::{KnoxOwner, NewKnoxToken};
pub use migrate::{AppState, InstalledApps, MigrateReport, MigrationState};
pub use native_tokens::{NativeOwner, NativeRow, NewNativeToken};
pub use outstanding::{Blacklisting, OutstandingToken, Rotation};
pub use pruning::{IndexedTable, Pruned, Slice, Stretch};
pub use revocation_feed::RevocationFeed;
pub use revocations::{Against, Mark, MarkKind};
pub use signing_keys::{KeyRow, KeyStep, KeyUse};
pub use survey::{HashCount, HashKind, NotUnique, SURVEY_ROWS, Sample, ServerState};
pub use tokens::TokenTable;
pub use url::{DatabaseUrl, DatabaseUrlError};
pub use user_columns::{ColumnValue, UserColumns};
pub use user_field::{FieldValue, UserField};
pub use user_id::{IdType, UserId};
pub use user_table::{ColumnChoice, UserMapping, UsernameLookup};
pub use users::{EncodedPassword, NewUser, User, UserProfile};
pub use voided::{LoggedOut, Voided};

use driver::Driver;
use given_tokens::GivenTokens;
use outstanding::RecordStatements;
use user_table::UserTable;

/// One open database. Cloning is cheap and shares it; several stores can live in one process.
///
/// When the last clone is dropped, writes that are still queued are committed and the database is closed.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    driver: Arc<Driver>,
    url: DatabaseUrl,
    users: Arc<UserTable>,
    record_statements: Arc<RecordStatements>,
    knox_statements: Arc<GivenTokens>,
    native_statements: Arc<GivenTokens>,
}

/// How a database is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Make the file if it is not there (readable by its owner only). Off by default: a mistyped path is an error.
    pub create: bool,
    /// How long to wait for another process that holds the database. Django's own default is 5 s too.
    pub busy_timeout: Duration,
    /// Read connections to SQLite; as many as there are threads that read at the same time is best.
    pub readers: usize,
    /// What concerns PostgreSQL alone.
    pub postgres: PostgresOptions,
}

/// How a PostgreSQL database is used.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// How long making a connection may take; `connect_timeout` in the address stands over it.
    pub connect_timeout: Duration,
    /// How long a statement may take, a wait for a lock included.
    pub statement_timeout: Duration,
    /// Connections that all reads share.
    pub read_connections: usize,
    /// Transactions at once, each on a connection of its own; further ones wait.
    pub write_connections: usize,
    /// Whether PgBouncer in transaction mode stands between: nothing is then kept prepared, and no start-up parameter is sent.
    pub pgbouncer: bool,
}

impl Default for PostgresOptions {
    /// 5 s for either, 2 connections for reads and 8 for writes, no PgBouncer.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
            read_connections: 2,
            write_connections: 8,
            pgbouncer: false,
        }
    }
}

impl Default for StoreOptions {
    /// An existing database, 5 s, and two readers for every core (4 to 32).
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            create: false,
            busy_timeout: Duration::from_secs(5),
            readers: (2 * cores).clamp(4, 32),
            postgres: PostgresOptions::default(),
        }
    }
}

impl Store {
    /// Opens a database. Its tables are not looked at; see [`migrate`](Self::migrate) and
    /// [`migration_state`](Self::migration_state).
    ///
    /// # Errors
    /// [`StoreError::NoDatabase`] without a file (unless `options.create`), [`StoreError::Io`] if it cannot be used.
    pub async fn open(url: &DatabaseUrl, options: StoreOptions) -> Result<Self, StoreError> {
        let driver = Arc::new(Driver::open(url, &options).await?);
        let users = UserTable::stock(&driver);
        Ok(Self::of(driver, url.clone(), users))
    }

    /// The same database with the users that a mapping describes. Without this call they are Django's `auth_user`.
    ///
    /// # Errors
    /// [`StoreError::Schema`] naming the table or column that does not fit, or if the database cannot be read.
    pub async fn with_users(&self, mapping: &UserMapping) -> Result<Self, StoreError> {
        let users = UserTable::resolve(self.driver(), mapping).await?;
        Ok(Self::of(Arc::clone(&self.0.driver), self.0.url.clone(), users))
    }

    fn of(driver: Arc<Driver>, url: DatabaseUrl, users: UserTable) -> Self {
        let record_statements = Arc::new(RecordStatements::of(&users));
        let knox_statements = Arc::new(knox::statements(&users));
        let native_statements = Arc::new(native_tokens::statements(&users));
        let users = Arc::new(users);
        Self(Arc::new(Inner { driver, url, users, record_statements, knox_statements, native_statements }))
    }

    /// Whether the database answers reads and the store takes writes.
    ///
    /// # Errors
    /// Whatever keeps it from doing so.
    pub async fn health(&self) -> Result<(), StoreError> {
        self.driver().health().await
    }

    /// Commits what is queued and takes no more writes, in any clone; reads go on until the last clone is dropped.
    pub async fn close(&self) {
        self.driver().close().await;
    }

    /// Where the database is.
    pub fn url(&self) -> &DatabaseUrl {
        &self.0.url
    }

    /// Whether there is a table of exactly this name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn has_table(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.driver().tables().await?.iter().any(|table| table == name))
    }

    /// Whether there is a table of this name with a column of exactly this name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn has_column(&self, table: &str, column: &str) -> Result<bool, StoreError> {
        Ok(self.driver().columns(&TableName::new(table)).await?.iter().any(|found| found.name == column))
    }

    /// Has the database check every statement the store may run on the tables of `apps`, so that a missing column is an error
    /// at start and not at the first request.
    ///
    /// # Errors
    /// [`StoreError::Schema`] naming the table or column.
    pub async fn check_statements(&self, apps: &InstalledApps) -> Result<(), StoreError> {
        for statement in statements::of(*apps, self.users(), self.record_statements()) {
            self.driver().prepare(statement.text.as_ref()).await?;
        }
        if self.driver().writes_in_with() {
            for statement in statements::of_postgres(*apps, self.record_statements()) {
                self.driver().prepare(statement.text.as_ref()).await?;
            }
        }
        Ok(())
    }

    /// The type of the users' keys.
    pub fn user_id_type(&self) -> IdType {
        self.users().id_type
    }

    fn driver(&self) -> &Driver {
        &self.0.driver
    }

    fn users(&self) -> &Arc<UserTable> {
        &self.0.users
    }

    fn knox_statements(&self) -> &Arc<GivenTokens> {
        &self.0.knox_statements
    }

    fn native_statements(&self) -> &Arc<GivenTokens> {
        &self.0.native_statements
    }

    fn record_statements(&self) -> &Arc<RecordStatements> {
        &self.0.record_statements
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.0.url).finish()
    }
}
