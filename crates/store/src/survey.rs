//! What `countersign doctor` asks: the state of tables in numbers. Counts alone leave the database, never a key, a name or a hash,
//! and each question looks at a bounded number of rows, so that a table of many millions answers as well.

use countersign_formats::password::Algorithm;
use jiff::Timestamp;

use crate::driver::{Driver, TableName, quoted};
use crate::value::Row;
use crate::{InstalledApps, Store, StoreError, UsernameLookup};

/// Rows that one question looks at.
pub const SURVEY_ROWS: u32 = 100_000;

/// The database's clock (UTC). SQLite's has whole seconds, and is this machine's.
const NOW: &str = "SELECT CURRENT_TIMESTAMP";

/// Keys in the clear, counted along the primary key of `authtoken_token`.
const DRF_KEYS: &str = "
    SELECT count(*) FROM (SELECT 1 FROM authtoken_token LIMIT $1) s";

/// The oldest rows by the primary key of `outstandingtoken`: the first to expire.
const EXPIRED_OUTSTANDING: &str = "
    SELECT count(*), count(CASE WHEN s.expires_at <= $1 THEN 1 END)
    FROM (SELECT o.expires_at FROM token_blacklist_outstandingtoken o ORDER BY o.id LIMIT $2) s";

/// The oldest rows by the index of `django_session.expire_date`.
const EXPIRED_SESSIONS: &str = "
    SELECT count(*), count(CASE WHEN s.expire_date <= $1 THEN 1 END)
    FROM (SELECT d.expire_date FROM django_session d ORDER BY d.expire_date LIMIT $2) s";

/// PostgreSQL's view of itself and of this connection.
const SERVER: &str = "
    SELECT CAST(current_setting('server_version_num') AS bigint), CAST(current_setting('max_connections') AS bigint),
           (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.backend_type = 'client backend'),
           coalesce((SELECT s.ssl FROM pg_catalog.pg_stat_ssl s WHERE s.pid = pg_catalog.pg_backend_pid()), FALSE)";

/// Whether an index is there for Django's `iexact`: one on `UPPER(name)`.
const UPPER_INDEX: &str = "
    SELECT 1 FROM pg_catalog.pg_index i
    WHERE i.indrelid = pg_catalog.to_regclass(CAST($1 AS text)) AND i.indisvalid
      AND lower(pg_catalog.pg_get_indexdef(i.indexrelid)) LIKE CAST($2 AS text)
    LIMIT 1";

/// A whole index that begins with this column, whatever follows.
const LEADING_SQLITE: &str = "
    SELECT 1 FROM pragma_index_list($1) AS i
    WHERE NOT i.partial AND (SELECT f.name FROM pragma_index_info(i.name) AS f WHERE f.seqno = 0) = $2
    LIMIT 1";

/// The same in PostgreSQL's catalogue.
const LEADING_POSTGRES: &str = "
    SELECT 1
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = pg_catalog.to_regclass(CAST($1 AS text)) AND i.indisvalid AND i.indpred IS NULL
      AND a.attname = CAST($2 AS text)
    LIMIT 1";

/// Whether we may do this to a table, or to any of its columns.
const PRIVILEGE: &str = "
    SELECT coalesce(
        pg_catalog.has_table_privilege(pg_catalog.to_regclass(CAST($1 AS text)), CAST($2 AS text))
        OR (CAST($2 AS text) <> 'DELETE'
            AND pg_catalog.has_any_column_privilege(pg_catalog.to_regclass(CAST($1 AS text)), CAST($3 AS text))),
        TRUE)";

/// A column that lookups or inserts rely on, and that is not unique by an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUnique {
    /// Its table.
    pub table: String,
    /// Its name.
    pub column: String,
    /// Whether an index begins with it, so that lookups are quick all the same.
    pub is_indexed: bool,
}

/// How many of the rows looked at are of some kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Rows looked at: the oldest, or the newest, as the question says.
    pub looked_at: u64,
    /// Those of the kind.
    pub found: u64,
}

impl Sample {
    /// Whether these were all rows there are.
    pub const fn is_whole(self) -> bool {
        self.looked_at < SURVEY_ROWS as u64
    }
}

/// How many users have hashes of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashCount {
    /// How their hashes begin.
    pub kind: HashKind,
    /// Users among those looked at.
    pub users: u64,
}

/// What a stored password is, without its salt and hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HashKind {
    /// A hash that names its algorithm; the cost is the iterations of PBKDF2, the rounds of bcrypt, the `N` of scrypt, and memory
    /// (KiB) of argon2. `None` where it names none.
    Named {
        /// The algorithm word.
        algorithm: String,
        /// Its cost.
        cost: Option<u64>,
    },
    /// Begins with `!`: no password fits (Django 5.2 `is_password_usable`).
    Unusable,
    /// Empty.
    Empty,
    /// A form that no Django of today verifies: bare digests, crypt.
    Dead,
}

/// A PostgreSQL server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerState {
    /// `server_version_num`: 150004 is 15.4.
    pub version: u64,
    /// `max_connections`.
    pub max_connections: u64,
    /// Connections of all clients now, ours included.
    pub connections: u64,
    /// Whether this connection is under TLS; behind a pooler, the pooler's.
    pub is_encrypted: bool,
}

impl Store {
    /// The database's own clock, to be held against ours.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn database_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.driver().query_opt(NOW, &[], |row| row.instant(0)).await
    }

    /// DRF's keys, up to [`SURVEY_ROWS`].
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn drf_key_count(&self) -> Result<Sample, StoreError> {
        let count = self.driver().query_opt(DRF_KEYS, &[i64::from(SURVEY_ROWS).into()], |row| number(row, 0)).await?;
        let count = count.unwrap_or_default();
        Ok(Sample { looked_at: count, found: count })
    }

    /// Refresh tokens that expired by `then`, among the oldest.
    ///
    /// # Errors
    /// If the database cannot be read, or not in time.
    pub async fn expired_outstanding(&self, then: Timestamp) -> Result<Sample, StoreError> {
        self.expired(EXPIRED_OUTSTANDING, then).await
    }

    /// Sessions of Django that expired by `then`, among the oldest.
    ///
    /// # Errors
    /// If the database cannot be read, or not in time.
    pub async fn expired_sessions(&self, then: Timestamp) -> Result<Sample, StoreError> {
        self.expired(EXPIRED_SESSIONS, then).await
    }

    async fn expired(&self, statement: &str, then: Timestamp) -> Result<Sample, StoreError> {
        let values = [then.into(), i64::from(SURVEY_ROWS).into()];
        Ok(self.driver().query_opt(statement, &values, sample).await?.unwrap_or_default())
    }

    /// Names that more than one user has but for case, among the newest users (by key).
    ///
    /// # Errors
    /// If the database cannot be read, or not in time.
    pub async fn usernames_differing_by_case(&self, username: &str) -> Result<Sample, StoreError> {
        let users = self.users();
        let statement = format!(
            "SELECT coalesce(CAST(sum(d.users) AS bigint), 0), count(CASE WHEN d.users > 1 THEN 1 END)
             FROM (SELECT count(*) AS users
                   FROM (SELECT lower(CAST(u.{} AS text)) AS name FROM {} u ORDER BY u.{} DESC LIMIT $1) s
                   GROUP BY s.name) d",
            quoted(username),
            users.quoted(),
            quoted(&users.id),
        );
        let values = [i64::from(SURVEY_ROWS).into()];
        Ok(self.driver().query_opt(&statement, &values, sample).await?.unwrap_or_default())
    }

    /// What the hashes of the oldest users (by key) are, most frequent first. The database takes algorithm and cost from the
    /// texts; salts and hashes stay in it.
    ///
    /// # Errors
    /// If the database cannot be read, or not in time.
    pub async fn password_hashes(&self) -> Result<Vec<HashCount>, StoreError> {
        let users = self.users();
        let statement = password_kinds(&quoted(&users.password), &users.quoted(), &quoted(&users.id));
        let values = [i64::from(SURVEY_ROWS).into()];
        let read = |row: &Row<'_>| Ok(HashCount { kind: kind(&row.text(0)?, &row.text(1)?), users: number(row, 2)? });
        self.driver().query(&statement, &values, read).await
    }

    /// Columns that lookups and inserts rely on and that no unique index covers.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn columns_without_unique_index(
        &self,
        apps: &InstalledApps,
        username: &str,
    ) -> Result<Vec<NotUnique>, StoreError> {
        let authtoken = TableName::new("authtoken_token");
        let outstanding = TableName::new("token_blacklist_outstandingtoken");
        let blacklisted = TableName::new("token_blacklist_blacklistedtoken");
        let needed = [
            (true, &self.users().table, username),
            (apps.authtoken, &authtoken, "key"),
            (apps.authtoken, &authtoken, "user_id"),
            (apps.token_blacklist, &outstanding, "jti"),
            (apps.token_blacklist, &blacklisted, "token_id"),
        ];
        let mut missing = Vec::new();
        for (_, table, column) in needed.into_iter().filter(|(is_needed, ..)| *is_needed) {
            if !self.driver().is_unique(table, column).await? {
                let statement = match self.driver() {
                    Driver::Sqlite(_) => LEADING_SQLITE,
                    Driver::Postgres(_) => LEADING_POSTGRES,
                };
                let name = self.as_argument(table);
                let values = [name.as_str().into(), column.into()];
                let is_indexed = self.driver().query_opt(statement, &values, |_| Ok(())).await?.is_some();
                missing.push(NotUnique { table: table.to_string(), column: column.to_owned(), is_indexed });
            }
        }
        Ok(missing)
    }

    /// What the store does with tables and may not: `INSERT` on `authtoken_token`, say. SQLite has no privileges.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn missing_privileges(&self, apps: &InstalledApps) -> Result<Vec<(String, &'static str)>, StoreError> {
        if matches!(self.driver(), Driver::Sqlite(_)) {
            return Ok(Vec::new());
        }
        let authtoken = TableName::new("authtoken_token");
        let outstanding = TableName::new("token_blacklist_outstandingtoken");
        let blacklisted = TableName::new("token_blacklist_blacklistedtoken");
        let sessions = TableName::new("django_session");
        let (session, rotation) = (TableName::new("countersign_session"), TableName::new("countersign_rotation"));
        let event = TableName::new("countersign_event");
        let revocation = TableName::new("countersign_revocation");
        let uses: [(bool, &TableName, &[&'static str]); 9] = [
            (true, &self.users().table, &["SELECT", "UPDATE"]),
            (apps.authtoken, &authtoken, &["SELECT", "INSERT"]),
            (apps.token_blacklist, &outstanding, &["SELECT", "INSERT", "DELETE"]),
            (apps.token_blacklist, &blacklisted, &["SELECT", "INSERT", "DELETE"]),
            (apps.sessions, &sessions, &["SELECT"]),
            (apps.countersign, &session, &["SELECT", "INSERT", "UPDATE", "DELETE"]),
            (apps.countersign, &rotation, &["SELECT", "INSERT", "DELETE"]),
            (apps.countersign, &event, &["SELECT", "INSERT", "DELETE"]),
            (apps.countersign, &revocation, &["SELECT", "INSERT", "DELETE"]),
        ];
        let mut missing = Vec::new();
        for (_, table, privileges) in uses.into_iter().filter(|(is_used, ..)| *is_used) {
            for privilege in privileges {
                // `has_any_column_privilege` knows no DELETE, and is asked even where its answer is not looked at.
                let of_columns = if *privilege == "DELETE" { "SELECT" } else { privilege };
                let name = self.as_argument(table);
                let values = [name.as_str().into(), (*privilege).into(), of_columns.into()];
                // A table that is not there is told elsewhere.
                if self.driver().query_opt(PRIVILEGE, &values, |row| row.boolean(0)).await? == Some(false) {
                    missing.push((table.to_string(), *privilege));
                }
            }
        }
        Ok(missing)
    }

    /// Whether lookups of this kind walk through all users for want of an index. Without case, one on the upper-cased name is
    /// needed.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn username_lookup_walks(&self, username: &str, lookup: UsernameLookup) -> Result<bool, StoreError> {
        match (lookup, self.driver()) {
            (UsernameLookup::Exact, _) => Ok(false),
            // An index on an expression is used if it is the statement's to the letter: SQLite's planner says whether it is.
            (UsernameLookup::IgnoreCase, Driver::Sqlite(_)) => {
                let statement = format!("EXPLAIN QUERY PLAN {}", self.users().by_username);
                let steps = self.driver().query(&statement, &["".into()], |row| row.text(3)).await?;
                Ok(steps.iter().any(|step| step.starts_with("SCAN")))
            }
            (UsernameLookup::IgnoreCase, Driver::Postgres(_)) => {
                let pattern = format!("%upper(%{}%", username.to_lowercase().replace(['%', '_', '\\'], "_"));
                let table = self.users().quoted();
                let values = [table.as_str().into(), pattern.as_str().into()];
                Ok(self.driver().query_opt(UPPER_INDEX, &values, |_| Ok(())).await?.is_none())
            }
        }
    }

    /// A table's name as the catalogue's functions take it.
    fn as_argument(&self, table: &TableName) -> String {
        match self.driver() {
            Driver::Sqlite(_) => table.name.clone(),
            Driver::Postgres(_) => table.quoted(),
        }
    }

    /// The PostgreSQL server; `None` for SQLite.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn server_state(&self) -> Result<Option<ServerState>, StoreError> {
        match self.driver() {
            Driver::Sqlite(_) => Ok(None),
            Driver::Postgres(_) => {
                let read = self.driver().query_opt(SERVER, &[], |row| {
                    Ok(ServerState {
                        version: number(row, 0)?,
                        max_connections: number(row, 1)?,
                        connections: number(row, 2)?,
                        is_encrypted: row.boolean(3)?,
                    })
                });
                read.await
            }
        }
    }
}

/// Rows looked at, and those of the kind.
fn sample(row: &Row<'_>) -> Result<Sample, StoreError> {
    Ok(Sample { looked_at: number(row, 0)?, found: number(row, 1)? })
}

fn number(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    Ok(row.integer_opt(column)?.and_then(|number| u64::try_from(number).ok()).unwrap_or_default())
}

/// Algorithm word and cost of each password, counted.
///
/// `substr(x, 1, length(x) - length(ltrim(x, set)))` is what a text begins with of a set of characters, in SQLite as in PostgreSQL;
/// it is slow, so the usual words are told by comparison. `p` is the beginning of the password, `w` its leading word, `r` what
/// follows that and its `$`: bcrypt's is `$2b$12$…`, argon2's `argon2id$v=19$m=102400,t=2,p=8$…`. The limits keep PostgreSQL from
/// computing a column again wherever it is used.
fn password_kinds(password: &str, table: &str, id: &str) -> String {
    const WORD: &str = "abcdefghijklmnopqrstuvwxyz0123456789_";
    const DIGITS: &str = "0123456789";
    let leading = |text: &str, set: &str| format!("substr({text}, 1, length({text}) - length(ltrim({text}, '{set}')))");
    let usual = Algorithm::ALL.map(|algorithm| {
        let word = algorithm.django_name();
        format!(" WHEN substr(a.p, 1, {}) = '{word}$' THEN '{word}'", word.len() + 1)
    });
    let usual = usual.concat();
    // From `argon2id$v=19$m=…` on: the word, `$v=`, the version, `$m=`.
    let memory = format!("ltrim(ltrim(ltrim(ltrim(substr(c.r, 1, 30), 'argon2id'), '$v='), '{DIGITS}'), '$m=')");
    format!(
        "SELECT k.word, k.cost, count(*) AS users
         FROM (SELECT c.word AS word,
                      CASE WHEN c.word IN ('pbkdf2_sha256', 'pbkdf2_sha1', 'scrypt') THEN {}
                           WHEN c.word IN ('bcrypt', 'bcrypt_sha256') THEN {}
                           WHEN c.word = 'argon2' THEN {}
                           ELSE '' END AS cost
               FROM (SELECT CASE WHEN b.p = '' OR b.w = '!' THEN b.w
                                 WHEN length(b.w) BETWEEN 1 AND 40 AND substr(b.p, length(b.w) + 1, 1) = '$' THEN b.w
                                 ELSE '?' END AS word,
                            substr(b.p, length(b.w) + 2) AS r
                     FROM (SELECT a.p AS p,
                                  CASE WHEN a.p = '' THEN '' WHEN substr(a.p, 1, 1) = '!' THEN '!'{usual}
                                       ELSE {} END AS w
                           FROM (SELECT substr(CAST(u.{password} AS text), 1, 60) AS p
                                 FROM {table} u ORDER BY u.{id} LIMIT $1) a LIMIT $1) b LIMIT $1) c LIMIT $1) k
         GROUP BY k.word, k.cost ORDER BY count(*) DESC, k.word, k.cost LIMIT 100",
        leading("substr(c.r, 1, 9)", DIGITS),
        leading("substr(c.r, 5, 2)", DIGITS),
        leading(&memory, DIGITS),
        leading("a.p", WORD),
    )
}

fn kind(word: &str, cost: &str) -> HashKind {
    match word {
        "" => HashKind::Empty,
        "!" => HashKind::Unusable,
        // Django 5.1 removed the last hashers of these words.
        "?" | "sha1" | "crypt" | "unsalted_md5" | "unsalted_sha1" => HashKind::Dead,
        word => HashKind::Named { algorithm: word.to_owned(), cost: cost.parse().ok() },
    }
}
