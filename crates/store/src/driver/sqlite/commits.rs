//! Whether anything was committed to the file, by whichever process: the header of SQLite's WAL index, which every commit changes and
//! by which SQLite itself tells whether its page cache still holds. Reading it is one system call; a lookup takes three and a
//! walk through two trees.
//!
//! Source: SQLite's "WAL-mode File Format" §2.1, the WAL-index header.

use std::fs::File;
use std::path::{Path, PathBuf};

/// One copy of the header; the index begins with two, which differ while a commit is being announced.
const HEADER: usize = 48;
/// Offset of `isInit`.
const IS_INIT: usize = 12;

/// The state of the database at some moment. Nothing was committed between two moments whose states are equal: the header has
/// a counter of commits, the number of frames, their checksum and the salts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commits([u8; HEADER]);

#[cfg(test)]
impl Commits {
    /// A state of no database.
    pub(crate) fn of(number: u8) -> Self {
        Self([number; HEADER])
    }
}

/// The WAL index of an open database.
#[derive(Debug)]
pub(super) struct WalIndex {
    file: Option<File>,
    path: PathBuf,
}

impl WalIndex {
    /// Opens the index beside the database's file, once connections have made it. Without one (the file could not be switched to
    /// WAL) nothing is known about commits.
    pub(super) fn open(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-shm");
        let path = PathBuf::from(path);
        Self { file: File::open(&path).ok(), path }
    }

    /// The state now; `None` where it cannot be told, also for the moment in which a commit is announced.
    pub(super) fn commits(&self) -> Option<Commits> {
        let mut copies = [0; 2 * HEADER];
        read_start(self.file.as_ref()?, &mut copies)?;
        let (first, second) = copies.split_at(HEADER);
        if first != second || first[IS_INIT] != 1 {
            return None;
        }
        first.try_into().ok().map(Commits)
    }

    /// Whether the file is still in its place: somebody else has the database open.
    fn is_in_use(&self, file: &File) -> bool {
        use std::os::unix::fs::MetadataExt as _;

        match (file.metadata(), self.path.metadata()) {
            (Ok(opened), Ok(found)) => (opened.dev(), opened.ino()) == (found.dev(), found.ino()),
            _ => false,
        }
    }
}

/// POSIX locks of a process on a file end when it closes *any* descriptor of that file, and SQLite's readers lock the index. The
/// last of our connections took the file away, unless others have it open: then they may be of this process, and the
/// descriptor stays open with them.
impl Drop for WalIndex {
    fn drop(&mut self) {
        if let Some(file) = self.file.take()
            && self.is_in_use(&file)
        {
            std::mem::forget(file);
        }
    }
}

fn read_start(file: &File, bytes: &mut [u8]) -> Option<()> {
    use std::os::unix::fs::FileExt as _;

    file.read_exact_at(bytes, 0).ok()
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_commit_of_anybody_changes_the_state_and_nothing_else_does() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("db.sqlite3");
        assert!(WalIndex::open(&path).commits().is_none(), "no database");
        let connection = Connection::open(&path).expect("opens");
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x)").expect("creates");
        let index = WalIndex::open(&path);

        let before = index.commits().expect("a state");
        connection.execute_batch("BEGIN; INSERT INTO t VALUES (1); ROLLBACK").expect("rolls back");
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).expect("reads");
        assert_eq!(index.commits(), Some(before));

        let other = Connection::open(&path).expect("opens");
        let mut states = vec![before];
        for _ in 0..3 {
            other.execute_batch("INSERT INTO t VALUES (2)").expect("writes");
            states.push(index.commits().expect("a state"));
            connection.execute_batch("DELETE FROM t; PRAGMA wal_checkpoint(TRUNCATE)").expect("writes");
            states.push(index.commits().expect("a state"));
        }
        for (place, state) in states.iter().enumerate() {
            assert!(!states[..place].contains(state), "state {place} was there before");
        }
    }

    #[test]
    fn a_file_that_is_not_in_wal_mode_tells_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("db.sqlite3");
        Connection::open(&path).expect("opens").execute_batch("CREATE TABLE t (x)").expect("creates");
        assert!(WalIndex::open(&path).commits().is_none());
    }
}
