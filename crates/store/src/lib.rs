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
//! Inside, table modules see only the driver's waist: one statement text with typed values. SQLite is the one
//! database of this version; reads are answered inline on the calling thread, writes by one thread that commits in groups.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

mod driver;
mod error;
mod groups;
mod migrate;
mod outstanding;
mod statements;
mod tokens;
mod url;
mod user_field;
mod user_id;
mod users;
mod value;

pub use error::{Cause, StoreError};
pub use migrate::{AppState, InstalledApps, MigrateReport, MigrationState};
pub use outstanding::{Blacklisting, OutstandingToken, Rotation};
pub use tokens::TokenTable;
pub use url::{DatabaseUrl, DatabaseUrlError};
pub use user_field::{FieldValue, UserField};
pub use user_id::UserId;
pub use users::{EncodedPassword, NewUser, User, UserProfile};

use driver::Driver;

/// One open database. Cloning is cheap and shares it; several stores can live in one process.
///
/// When the last clone is dropped, writes that are still queued are committed and the database is closed.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    driver: Driver,
    url: DatabaseUrl,
}

/// How a database is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Make the file if it is not there (readable by its owner only). Off by default: a mistyped path is an error.
    pub create: bool,
    /// How long to wait for another process that holds the database. Django's own default is 5 s too.
    pub busy_timeout: Duration,
    /// Read connections; as many as there are threads that read at the same time is best.
    pub readers: usize,
}

impl Default for StoreOptions {
    /// An existing database, 5 s, and two readers for every core (4 to 32).
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self { create: false, busy_timeout: Duration::from_secs(5), readers: (2 * cores).clamp(4, 32) }
    }
}

impl Store {
    /// Opens a database. Its tables are not looked at; see [`migrate`](Self::migrate) and
    /// [`migration_state`](Self::migration_state).
    ///
    /// # Errors
    /// [`StoreError::NoDatabase`] without a file (unless `options.create`), [`StoreError::Io`] if it cannot be used.
    pub async fn open(url: &DatabaseUrl, options: StoreOptions) -> Result<Self, StoreError> {
        let driver = Driver::open(url, &options).await?;
        Ok(Self(Arc::new(Inner { driver, url: url.clone() })))
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
        Ok(self.driver().columns(table).await?.iter().any(|found| found.name == column))
    }

    /// Has the database check every statement the store may run on the tables of `apps`, so that a missing column is an error
    /// at start and not at the first request.
    ///
    /// # Errors
    /// [`StoreError::Schema`] naming the table or column.
    pub async fn check_statements(&self, apps: &InstalledApps) -> Result<(), StoreError> {
        for statement in statements::of(*apps) {
            self.driver().prepare(statement.text.as_ref()).await?;
        }
        Ok(())
    }

    fn driver(&self) -> &Driver {
        &self.0.driver
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.0.url).finish()
    }
}
