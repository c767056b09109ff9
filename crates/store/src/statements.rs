//! The list of all statements: what a start checks against the database, and what the tests prepare and explain.

use std::borrow::Cow;

use crate::tokens::{DEFAULT_TABLE, TokenStatements};
use crate::{InstalledApps, groups, outstanding, users};

/// A statement as the lists know it.
pub(crate) struct Listed {
    /// Its constant's name, for test failures.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the tests' messages"))]
    pub(crate) name: &'static str,
    pub(crate) text: Cow<'static, str>,
}

macro_rules! listed {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$(Listed { name: stringify!($name), text: Cow::Borrowed($module::$name) }),*]
    };
}

/// The statements on the tables of `auth` and of these applications (token tables under Django's name).
pub(crate) fn of(apps: InstalledApps) -> Vec<Listed> {
    let mut statements = Vec::from(listed![
        users::USER_BY_USERNAME,
        users::USER_BY_ID,
        users::PROFILE_BY_ID,
        users::REPLACE_PASSWORD,
        users::SET_PASSWORD,
        users::SET_LAST_LOGIN,
        users::CREATE_USER,
        groups::USER_PERMISSIONS,
    ]);
    if apps.authtoken {
        let TokenStatements { owner, key_of_user, insert, delete, .. } = TokenStatements::of(DEFAULT_TABLE);
        let rendered = [("owner", owner), ("key_of_user", key_of_user), ("insert", insert), ("delete", delete)];
        statements.extend(rendered.map(|(name, text)| Listed { name, text: Cow::Owned(text) }));
    }
    if apps.token_blacklist {
        statements.extend(listed![
            outstanding::IS_BLACKLISTED,
            outstanding::RECORD,
            outstanding::RECORD_IF_UNKNOWN,
            outstanding::BLACKLIST,
            outstanding::EXPIRY,
            outstanding::MOVE_EXPIRY,
            outstanding::FLUSH_STRETCH,
            outstanding::FLUSH_BLACKLISTED,
            outstanding::FLUSH_OUTSTANDING,
        ]);
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::statements as of_migrate;
    use crate::user_field::{user_by_value, value_of_user};
    use rusqlite::Connection;

    const DJANGO_SCHEMA: &str = include_str!("../../../testdata/compat/schema.sqlite.sql");

    fn django() -> Connection {
        let connection = Connection::open_in_memory().expect("opens");
        connection.execute_batch(DJANGO_SCHEMA).expect("the recorded schema");
        connection
    }

    fn all() -> Vec<Listed> {
        let mut all = of(InstalledApps { authtoken: true, token_blacklist: true, sessions: true, knox: true });
        all.extend(of_migrate().map(|(name, text)| Listed { name, text: Cow::Borrowed(text) }));
        all.push(Listed { name: "user_by_value", text: user_by_value("username").into() });
        all.push(Listed { name: "value_of_user", text: value_of_user("username").into() });
        all
    }

    #[test]
    fn every_statement_is_understood_on_djangos_schema() {
        let connection = django();
        for statement in all() {
            if let Err(refusal) = connection.prepare(&statement.text) {
                panic!("{}: {refusal}", statement.name);
            }
        }
    }

    /// SQLite numbers `$name` parameters by first appearance; a statement that uses `$2` before `$1` would swap its values.
    #[test]
    fn parameters_appear_in_order() {
        for statement in all() {
            let mut highest = 0;
            for part in statement.text.split('$').skip(1) {
                let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
                let number: usize = digits.parse().expect("a number after $");
                assert!(number <= highest + 1, "{} uses ${number} too early", statement.name);
                highest = highest.max(number);
            }
        }
    }

    #[test]
    fn statements_find_their_rows_by_an_index() {
        let connection = django();
        // Flushing is the one that walks: stretch by stretch along the primary key, which shows as a search.
        // `s` is the stretch of at most a thousand ids found by that search; a constant row is no table.
        for statement in all().into_iter().filter(|statement| !statement.name.starts_with("MIGRATIONS")) {
            let mut explain =
                connection.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.text)).expect(statement.name);
            let nulls = vec![rusqlite::types::Null; explain.parameter_count()];
            let plan: Vec<String> = explain
                .query_map(rusqlite::params_from_iter(nulls), |row| row.get("detail"))
                .and_then(Iterator::collect)
                .expect(statement.name);
            for step in &plan {
                let reads_a_table = !["SCAN s", "SCAN CONSTANT ROW"].contains(&step.as_str());
                assert!(!step.starts_with("SCAN") || !reads_a_table, "{}: {plan:#?}", statement.name);
            }
        }
    }

    /// A join makes SQLite plan a cached statement anew at each run (clearing its parameters expires the plan), which costs
    /// more than the lookup: what every request runs is written with a sub-select.
    #[test]
    fn lookups_of_every_request_keep_their_plan() {
        use rusqlite::StatementStatus;

        let connection = django();
        let hot =
            ["USER_BY_USERNAME", "USER_BY_ID", "owner", "key_of_user", "IS_BLACKLISTED", "EXPIRY", "user_by_value"];
        let mut seen = 0;
        for statement in all().into_iter().filter(|statement| hot.contains(&statement.name)) {
            seen += 1;
            for value in ["a", "b", "c"] {
                let mut prepared = connection.prepare_cached(&statement.text).expect(statement.name);
                let found = prepared.query([value]).and_then(|mut rows| rows.next().map(|row| row.is_some()));
                assert_eq!(found, Ok(false), "{}", statement.name);
                assert_eq!(
                    prepared.get_status(StatementStatus::RePrepare),
                    0,
                    "{}: {}",
                    statement.name,
                    statement.text
                );
            }
        }
        assert_eq!(seen, hot.len());
    }
}
