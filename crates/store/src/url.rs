//! `database_url`: which database, in the spellings Django projects use (dj-database-url).

mod address;
mod postgres;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub(crate) use postgres::{PostgresUrl, SslMode};

/// Where the database is.
///
/// | text | database |
/// |---|---|
/// | `sqlite:////var/lib/app/db.sqlite3`, `sqlite:/var/lib/app/db.sqlite3` | that file |
/// | `sqlite:///db.sqlite3` | `db.sqlite3` in the working directory, as dj-database-url means it |
/// | `sqlite:///data/db.sqlite3` | `/data/db.sqlite3` if the directory `/data` exists, else `data/db.sqlite3` if `data` exists, else the former |
/// | `sqlite://data/db.sqlite3`, `sqlite:data/db.sqlite3`, `data/db.sqlite3` | in the working directory |
/// | `sqlite::memory:`, `sqlite://:memory:`, `:memory:` | one that lives as long as its [`Store`](crate::Store) |
/// | `postgresql://user:password@host:5432/name?sslmode=verify-full` | that PostgreSQL database; `postgres:`, `psql:`, `postgis:` and the like too |
///
/// The path of a URL may be percent-encoded; a bare path is taken as it is. The parameters of a PostgreSQL address are libpq's
/// (PostgreSQL 15 documentation, §34.1.2): `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `options`, `application_name`,
/// `connect_timeout`, `target_session_attrs`, several hosts, …; `currentSchema` is dj-database-url's for the search path. Without a host it is the socket in `/var/run/postgresql`, as for
/// Django. Neither `Debug` nor `Display` shows the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseUrl(Location);

/// Why a text is no usable `database_url`. It never repeats the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseUrlError {
    /// Some other database. A scheme that is none of the usual is not shown.
    #[error(
        "databases of kind `{0}` are not supported; use postgresql://user@host/name or sqlite:///path/to/db.sqlite3"
    )]
    UnsupportedScheme(String),
    /// A parameter of a PostgreSQL address that is unknown here, or has a value it cannot have.
    #[error("the PostgreSQL parameter `{name}` {problem}")]
    Parameter {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A parameter that is none of libpq's.
    #[error(
        "the PostgreSQL address has an unknown parameter; a question mark or an ampersand in the password must be written %3F or %26"
    )]
    UnknownParameter,
    /// A slash or an `@` behind the first slash.
    #[error("a slash in the password or in the name of a PostgreSQL database must be written %2F, an @ %40")]
    BareSlash,
    /// An `@` that does not end the password.
    #[error(
        "an @ in the user, the password or a parameter of a PostgreSQL address must be written %40, a question mark in the password %3F"
    )]
    BareAt,
    /// A path that looks like an address.
    #[error(
        "an address of PostgreSQL begins with postgresql://, a path with : and @ or with = in it must follow sqlite:"
    )]
    NoScheme,
    /// Anything else that keeps a PostgreSQL address from being read.
    #[error("this is no PostgreSQL address; write postgresql://user:password@host:5432/name")]
    BadPostgres,
    /// No file is named.
    #[error("no database file is named; use sqlite:///path/to/db.sqlite3")]
    Empty,
    /// A query part, host options or the like.
    #[error("options after `?` in a sqlite URL are not supported")]
    OptionsUnsupported,
    /// A `%` that is not followed by two hex digits, or bytes that are not UTF-8.
    #[error("the percent-encoding of the path is broken")]
    BadEncoding,
    /// A NUL in the path.
    #[error("the path of the database holds a NUL character")]
    Nul,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    SqliteFile(PathBuf),
    SqliteMemory,
    Postgres(Box<PostgresUrl>),
}

impl DatabaseUrl {
    /// A SQLite file.
    pub fn sqlite_file(path: impl Into<PathBuf>) -> Self {
        Self(Location::SqliteFile(path.into()))
    }

    /// A SQLite database that lives as long as its [`Store`](crate::Store).
    pub const fn sqlite_memory() -> Self {
        Self(Location::SqliteMemory)
    }

    /// The file, if the database is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Location::SqliteFile(path) => Some(path),
            Location::SqliteMemory | Location::Postgres(_) => None,
        }
    }

    /// Whether this is a PostgreSQL database.
    pub const fn is_postgres(&self) -> bool {
        matches!(self.0, Location::Postgres(_))
    }

    /// Whether nothing of what is said to the database leaves this machine: a file, a socket, or a loopback address.
    pub fn is_loopback(&self) -> bool {
        match &self.0 {
            Location::Postgres(url) => url.is_loopback(),
            _ => true,
        }
    }

    pub(crate) const fn location(&self) -> &Location {
        &self.0
    }

    fn parse_with(text: &str, is_directory: &dyn Fn(&Path) -> bool) -> Result<Self, DatabaseUrlError> {
        if text.contains('\0') {
            return Err(DatabaseUrlError::Nul);
        }
        let Some((scheme, rest)) = split_scheme(text) else {
            // `user:password@host/name`, or libpq's `host=h password=p`: a path would be shown.
            let is_address = text.contains('=') || text.split_once(':').is_some_and(|(_, rest)| rest.contains('@'));
            return if is_address { Err(DatabaseUrlError::NoScheme) } else { Self::from_path(text) };
        };
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" | "sqlite3" => {}
            "postgres" | "postgresql" | "pgsql" | "psql" | "postgis" | "timescale" => {
                return PostgresUrl::parse(rest).map(|url| Self(Location::Postgres(Box::new(url))));
            }
            other => {
                let known = OTHER_SCHEMES.iter().find(|known| other.starts_with(**known));
                return Err(DatabaseUrlError::UnsupportedScheme(known.map_or("unknown", |_| other).to_owned()));
            }
        }
        if rest.contains(['?', '#']) {
            return Err(DatabaseUrlError::OptionsUnsupported);
        }
        let Some(after_slashes) = rest.strip_prefix("//") else {
            return Self::from_path(&percent_decode(rest)?);
        };
        let path = percent_decode(after_slashes)?;
        let Some(name) = path.strip_prefix('/') else {
            return Self::from_path(&path);
        };
        // `sqlite:////a` is absolute beyond doubt; `sqlite:///a` is relative to dj-database-url, absolute to most others.
        if name.starts_with('/') {
            return Self::from_path(name);
        }
        let relative = match Path::new(name).parent() {
            None => true,
            Some(parent) if parent.as_os_str().is_empty() => true,
            Some(parent) => !is_directory(&Path::new("/").join(parent)) && is_directory(parent),
        };
        Self::from_path(if relative { name } else { &path })
    }

    fn from_path(path: &str) -> Result<Self, DatabaseUrlError> {
        match path {
            "" | "/" => Err(DatabaseUrlError::Empty),
            ":memory:" => Ok(Self(Location::SqliteMemory)),
            path => Ok(Self(Location::SqliteFile(PathBuf::from(path)))),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    /// Reads a `database_url`; looks at the file system only for the ambiguous `sqlite:///a/b`.
    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        Self::parse_with(text, &Path::is_dir)
    }
}

/// For messages and logs; no password is ever in it.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Location::SqliteFile(path) if path.is_absolute() => write!(f, "sqlite:///{}", path.display()),
            Location::SqliteFile(path) => write!(f, "sqlite:{}", path.display()),
            Location::SqliteMemory => f.write_str("sqlite::memory:"),
            Location::Postgres(url) => url.fmt(f),
        }
    }
}

/// Schemes of databases that Django projects use and this store does not.
const OTHER_SCHEMES: &[&str] =
    &["mysql", "mariadb", "oracle", "mssql", "redshift", "cockroach", "spatialite", "mongodb"];

/// `scheme:rest`, unless the text is a path (`:memory:`, `dir/a:b`, `./x`).
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut letters = scheme.chars();
    let plausible = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let known = matches!(scheme.to_ascii_lowercase().as_str(), "sqlite" | "sqlite3" | "postgres" | "postgresql");
    (plausible && (known || rest.starts_with("//"))).then_some((scheme, rest))
}

fn percent_decode(text: &str) -> Result<String, DatabaseUrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit =
                || rest.next().and_then(|d| char::from(d).to_digit(16)).ok_or(DatabaseUrlError::BadEncoding);
            let value = digit()? * 16 + digit()?;
            bytes.push(u8::try_from(value).map_err(|_| DatabaseUrlError::BadEncoding)?);
        } else {
            bytes.push(byte);
        }
    }
    let decoded = String::from_utf8(bytes).map_err(|_| DatabaseUrlError::BadEncoding)?;
    if decoded.contains('\0') { Err(DatabaseUrlError::Nul) } else { Ok(decoded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str, directories: &[&str]) -> String {
        let url = DatabaseUrl::parse_with(text, &|path| directories.iter().any(|d| Path::new(d) == path)).expect(text);
        url.file().expect("a file").display().to_string()
    }

    #[test]
    fn the_spellings_of_a_file() {
        for (text, path) in [
            ("sqlite:////abs/path.db", "/abs/path.db"),
            ("sqlite:///abs/path.db", "/abs/path.db"),
            ("sqlite:///name.db", "name.db"),
            ("sqlite://relative.db", "relative.db"),
            ("sqlite://dir/relative.db", "dir/relative.db"),
            ("sqlite:relative.db", "relative.db"),
            ("sqlite:/abs/path.db", "/abs/path.db"),
            ("sqlite:./x.db", "./x.db"),
            ("SQLite3:////abs/with%20space.db", "/abs/with space.db"),
            ("plain.db", "plain.db"),
            ("/abs/100%.db", "/abs/100%.db"),
            ("dir/a:b.db", "dir/a:b.db"),
            ("a:b.db", "a:b.db"),
        ] {
            assert_eq!(file(text, &[]), path, "{text}");
        }
    }

    #[test]
    fn three_slashes_and_a_directory_follow_what_exists() {
        assert_eq!(file("sqlite:///a/b.db", &["/a", "a"]), "/a/b.db");
        assert_eq!(file("sqlite:///a/b.db", &["a"]), "a/b.db");
        assert_eq!(file("sqlite:///a/b.db", &[]), "/a/b.db");
        assert_eq!(file("sqlite:////a/b.db", &["a"]), "/a/b.db");
    }

    #[test]
    fn memory_in_its_spellings() {
        for text in ["sqlite::memory:", "sqlite://:memory:", "sqlite:///:memory:", ":memory:"] {
            assert_eq!(text.parse(), Ok(DatabaseUrl::sqlite_memory()), "{text}");
        }
    }

    #[test]
    fn refusals_name_the_reason_and_no_password() {
        for text in ["postgres://u:hunter2@h:port/db", "postgresql://u:hunter2@h/db?sslmode=maybe", "postgres:hunter2"]
        {
            let refusal = text.parse::<DatabaseUrl>().expect_err(text).to_string();
            assert!(refusal.contains("PostgreSQL"), "{refusal}");
            assert!(!refusal.contains("hunter2"));
        }
        for (text, error) in [
            ("mysql://u:p@h/db", DatabaseUrlError::UnsupportedScheme("mysql".into())),
            ("u:p@h/db", DatabaseUrlError::NoScheme),
            ("postgress:u:p@h/db", DatabaseUrlError::NoScheme),
            ("host=h user=u password=p", DatabaseUrlError::NoScheme),
            ("", DatabaseUrlError::Empty),
            ("sqlite://", DatabaseUrlError::Empty),
            ("sqlite:///", DatabaseUrlError::Empty),
            ("sqlite:///a.db?mode=ro", DatabaseUrlError::OptionsUnsupported),
            ("sqlite:///a%2.db", DatabaseUrlError::BadEncoding),
            ("sqlite:///a%00.db", DatabaseUrlError::Nul),
        ] {
            assert_eq!(text.parse::<DatabaseUrl>(), Err(error), "{text}");
        }
    }

    #[test]
    fn display_parses_back() {
        let postgres = "postgresql://ann@db.example:5433/site".parse().expect("an address");
        for url in [
            DatabaseUrl::sqlite_file("/a/b.db"),
            DatabaseUrl::sqlite_file("b.db"),
            DatabaseUrl::sqlite_memory(),
            postgres,
        ] {
            assert_eq!(url.to_string().parse(), Ok(url));
        }
    }
}
