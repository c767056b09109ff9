//! What can go wrong between a statement and its answer.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

/// The error a driver gave, kept for logs.
///
/// Shared, because one failed commit is the failure of every write that was in it.
pub type Cause = Arc<dyn Error + Send + Sync + 'static>;

/// Why the store could not answer.
///
/// "Not found" is never an error: lookups answer `None`. No variant carries a value read from a row.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no database file, and [`StoreOptions::create`](crate::StoreOptions::create) is off.
    #[error("there is no database at {}", path.display())]
    NoDatabase {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// The file, its directory or the disk refused: permissions, a full disk, a file that is no database. Or a server did: a wrong
    /// password, a database it does not have.
    #[error("the database cannot be used: {cause}")]
    Io {
        /// What the driver said.
        #[source]
        cause: Cause,
    },
    /// Another process held the database for longer than the busy timeout, or a statement took longer than its own.
    #[error("the database was busy for longer than its timeout")]
    Busy,
    /// The server cannot be reached, or the connection broke. It is being made again; whether a write under way was committed is
    /// not known.
    #[error("the database cannot be reached: {cause}")]
    Unavailable {
        /// What the driver or the server said.
        #[source]
        cause: Cause,
    },
    /// A row with this unique value exists already.
    #[error("a row with the same {columns} exists already")]
    UniqueViolation {
        /// The columns as the database names them, such as `auth_user.username`.
        columns: String,
    },
    /// A row refers to one that is gone, or one that is still referred to was to be removed.
    #[error("a row refers to one that does not exist")]
    ForeignKeyViolation,
    /// A column that must have a value got none: the table demands more of a row than this store knows of.
    #[error("column {column} must have a value, which only the project itself can give")]
    MissingValue {
        /// The column.
        column: String,
    },
    /// The user the write was for does not exist (any more).
    #[error("the user does not exist")]
    NoSuchUser,
    /// A table or column is not there, or is not of the kind it has to be.
    #[error("the database does not fit: {problem}")]
    Schema {
        /// Which table or column, and what is wrong with it.
        problem: String,
    },
    /// `migrate` refuses to touch what it found.
    #[error("cannot migrate {app}: {problem}")]
    MigrationConflict {
        /// The Django application, by its label.
        app: &'static str,
        /// What was found, and what to do about it.
        problem: String,
    },
    /// A text with U+0000 was to be written, which no text column can hold on every database.
    #[error("text with a NUL character cannot be stored")]
    NulInText,
    /// A row holds something its column should not hold. The value is not repeated here.
    #[error("column {column} holds a value that is not {expected}")]
    Unreadable {
        /// The column's name in the statement.
        column: String,
        /// What it should have held.
        expected: &'static str,
    },
    /// The rows that a change stands on are no longer as they were read.
    #[error("somebody else made a change meanwhile; look again, and repeat what is still to be done")]
    Outdated,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Anything else the database said.
    #[error("the database failed: {cause}")]
    Database {
        /// What the driver said.
        #[source]
        cause: Cause,
    },
}

impl StoreError {
    /// Whether a unique value was taken already.
    pub const fn is_unique_violation(&self) -> bool {
        matches!(self, Self::UniqueViolation { .. })
    }
}
