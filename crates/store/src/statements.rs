//! The list of all statements: what a start checks against the database, and what the tests prepare and explain.

use std::borrow::Cow;

use crate::given_tokens::GivenTokens;
use crate::outstanding::RecordStatements;
use crate::tokens::{DEFAULT_TABLE, TokenStatements};
use crate::user_table::UserTable;
use crate::{
    InstalledApps, devices, django_sessions, events, families, knox, native_tokens, outstanding, pruning,
    revocation_feed, revocations, signing_keys, voided,
};

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
#[expect(clippy::too_many_lines, reason = "one list")]
pub(crate) fn of(apps: InstalledApps, users: &UserTable, record: &RecordStatements) -> Vec<Listed> {
    let mut rendered = vec![
        ("by_username", users.by_username.clone()),
        ("by_id", users.by_id.clone()),
        ("profile", users.profile.clone()),
        ("replace_password", users.replace_password.clone()),
        ("set_password", users.set_password.clone()),
        ("lock", users.lock.clone()),
        ("create", users.create.clone()),
    ];
    rendered.extend(users.set_last_login.clone().map(|text| ("set_last_login", text)));
    rendered.extend(users.permissions.clone().map(|text| ("permissions", text)));
    rendered.extend(users.groups.clone().map(|text| ("groups", text)));
    if apps.authtoken {
        let TokenStatements { owner, key_of_user, insert, delete, delete_key, of_user, .. } =
            TokenStatements::of(DEFAULT_TABLE, users, true);
        rendered.extend([
            ("owner", owner),
            ("key_of_user", key_of_user),
            ("insert", insert),
            ("delete", delete),
            ("delete_some", devices::delete_some(DEFAULT_TABLE, "key")),
            ("delete_key", delete_key),
            ("of_user", of_user),
        ]);
    }
    if apps.knox {
        let GivenTokens { owner, insert, insert_below } = knox::statements(users);
        rendered.extend([
            ("knox_owner", owner),
            ("knox_insert", insert),
            ("knox_insert_below", insert_below),
            ("knox_delete_some", devices::delete_some("knox_authtoken", "digest")),
        ]);
    }
    if apps.countersign {
        let GivenTokens { owner, insert, insert_below } = native_tokens::statements(users);
        rendered.extend([
            ("native_owner", owner),
            ("native_insert", insert),
            ("native_insert_below", insert_below),
            ("native_delete_some", devices::delete_some("countersign_token", "digest")),
            ("forget_some", devices::delete_some("countersign_device", "id")),
        ]);
    }
    if apps.token_blacklist {
        rendered.push(("record", record.record.clone()));
        rendered.push(("record_if_unknown", record.record_if_unknown.clone()));
    }
    let mut statements: Vec<Listed> =
        rendered.into_iter().map(|(name, text)| Listed { name, text: Cow::Owned(text) }).collect();
    if apps.token_blacklist {
        statements.extend(listed![
            outstanding::IS_BLACKLISTED,
            outstanding::BLACKLIST,
            outstanding::EXPIRY,
            outstanding::MOVE_EXPIRY,
            outstanding::FLUSH_STRETCH,
            outstanding::FLUSH_BLACKLISTED,
            outstanding::FLUSH_OUTSTANDING,
            pruning::PRUNE_OUTSTANDING_LOOK,
            pruning::PRUNE_OUTSTANDING_LEFT,
        ]);
    }
    if apps.knox {
        statements.extend(listed![
            knox::RENEW,
            knox::DELETE,
            knox::DELETE_ALL,
            knox::DELETE_OTHERS,
            knox::DELETE_EXPIRED,
            knox::OF_USER,
            pruning::PRUNE_KNOX_LOOK,
            pruning::PRUNE_KNOX,
        ]);
    }
    if apps.sessions {
        statements.extend(listed![
            django_sessions::SESSION,
            django_sessions::DELETE_SESSION,
            pruning::PRUNE_DJANGO_SESSIONS,
        ]);
    }
    if apps.countersign {
        statements.extend(listed![
            families::BEGIN,
            families::LOCK,
            families::FACTS_ALONE,
            families::ROTATE,
            families::TAKE_BACK,
            families::REFRESHED,
            families::END,
            pruning::PRUNE_ROTATIONS,
            pruning::PRUNE_SESSIONS,
            pruning::PRUNE_EVENTS,
            events::RECORD_EVENT,
            events::RECORD_EVENTS,
            events::EVENTS,
            events::EVENTS_OF,
            native_tokens::DELETE,
            native_tokens::DELETE_OTHERS,
            native_tokens::DELETE_DEAD,
            native_tokens::DELETE_OLDER,
            native_tokens::OF_USER,
            devices::UPSERT,
            devices::OF_USER,
            devices::FAMILIES_OF_USER,
            devices::SEEN_FAMILY,
            devices::SEEN_TOKEN,
            devices::FORGET,
            devices::FORGET_OTHERS,
            devices::END_SOME,
            pruning::PRUNE_NATIVE_TOKENS,
            pruning::PRUNE_DEVICES,
            revocations::MARK,
            revocations::UNMARK_REHASH,
            voided::SETTLE,
            voided::SETTLE_ALL,
            revocations::OWNER_MARK,
            revocations::OWNER_MARKS,
            revocations::UNMARK_OWNER,
            revocations::END_OLDER,
            revocations::MARK_OTHERS,
            revocations::NEWEST_SESSION,
            revocations::NEWEST_OF_ALL,
            revocations::END_OTHERS,
            revocations::AGAINST,
            revocations::FLUSH_SHORT,
            revocations::FLUSH_LONG,
            revocation_feed::PAGE,
            revocation_feed::LAST,
            revocation_feed::AFTER,
            signing_keys::KEYS,
            signing_keys::INSERT,
            signing_keys::CHANGE,
            signing_keys::SEEN,
            signing_keys::USES,
        ]);
        if apps.token_blacklist {
            statements.extend(listed![
                families::FACTS,
                families::END_TOKENS,
                revocations::VOID_OTHERS,
                revocations::VOID_STRETCH,
                voided::VOIDED,
                voided::LATER,
            ]);
        }
    }
    statements
}

/// The statements that write to several tables, which PostgreSQL alone can.
pub(crate) fn of_postgres(apps: InstalledApps, record: &RecordStatements) -> Vec<Listed> {
    let mut statements = Vec::new();
    if apps.token_blacklist {
        statements.push(Listed { name: "rotate", text: Cow::Owned(record.rotate.clone()) });
        if apps.countersign {
            statements.push(Listed { name: "exchange", text: Cow::Owned(record.exchange.clone()) });
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UserMapping;
    use crate::migrate::{OWN, statements as of_migrate};
    use crate::user_columns::columns_of_user;
    use crate::user_field::{user_by_value, value_of_user};
    use rusqlite::Connection;

    const DJANGO_SCHEMA: &str = include_str!("../../../testdata/compat/schema.sqlite.sql");

    fn django() -> Connection {
        let connection = Connection::open_in_memory().expect("opens");
        connection.execute_batch(DJANGO_SCHEMA).expect("the recorded schema");
        for migration in OWN {
            connection.execute_batch(migration.schema.sqlite).expect(migration.name);
        }
        connection
    }

    const APPS: InstalledApps =
        InstalledApps { authtoken: true, token_blacklist: true, sessions: true, knox: true, countersign: true };

    fn all() -> Vec<Listed> {
        let users = UserTable::for_tests(&UserMapping::default());
        let mut all = of(APPS, &users, &RecordStatements::of(&users));
        all.extend(of_migrate().map(|(name, text)| Listed { name, text: Cow::Borrowed(text) }));
        all.push(Listed { name: "user_by_value", text: user_by_value(&users, "username").into() });
        all.push(Listed { name: "value_of_user", text: value_of_user(&users, "username").into() });
        let columns = ["email".to_owned(), "is_staff".to_owned()];
        all.push(Listed { name: "columns_of_user", text: columns_of_user(&users, &columns).into() });
        all
    }

    fn all_on_postgres() -> Vec<Listed> {
        let record = RecordStatements::of(&UserTable::for_tests(&UserMapping::default()));
        all().into_iter().chain(of_postgres(APPS, &record)).collect()
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
        // `given` is one row of parameters.
        // `s` is the stretch of at most a thousand ids found by that search; constant rows are no table.
        for statement in all().into_iter().filter(|statement| !statement.name.starts_with("MIGRATIONS")) {
            let mut explain =
                connection.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.text)).expect(statement.name);
            let nulls = vec![rusqlite::types::Null; explain.parameter_count()];
            let plan: Vec<String> = explain
                .query_map(rusqlite::params_from_iter(nulls), |row| row.get("detail"))
                .and_then(Iterator::collect)
                .expect(statement.name);
            for step in &plan {
                let reads_a_table =
                    !["SCAN s", "SCAN CONSTANT ROW", "SCAN 8-ROW VALUES CLAUSE", "SCAN given"].contains(&step.as_str());
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
        let hot = [
            "by_username",
            "by_id",
            "owner",
            "key_of_user",
            "IS_BLACKLISTED",
            "EXPIRY",
            "SESSION",
            "knox_owner",
            "native_owner",
            "user_by_value",
        ];
        let mut seen = 0;
        for statement in all().into_iter().filter(|statement| hot.contains(&statement.name)) {
            seen += 1;
            for value in ["a", "b", "c"] {
                let mut prepared = connection.prepare_cached(&statement.text).expect(statement.name);
                let values = rusqlite::params_from_iter(vec![value; prepared.parameter_count()]);
                let found = prepared.query(values).and_then(|mut rows| rows.next().map(|row| row.is_some()));
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

    /// On PostgreSQL: each statement is prepared, and its generic plan, the one that a prepared statement settles on, reads no table
    /// from end to end.
    #[tokio::test]
    async fn statements_find_their_rows_by_an_index_on_postgres() {
        let Some(client) = django_on_postgres().await else { return };
        for statement in all_on_postgres().into_iter().filter(|statement| !statement.name.starts_with("MIGRATIONS")) {
            let plan = plan(&client, &statement.text).await;
            assert!(!plan.contains("Seq Scan"), "{}:\n{plan}", statement.name);
        }
    }

    /// What every request runs: one statement, each of its tables looked up once, by what its index is for.
    #[tokio::test]
    async fn lookups_of_every_request_on_postgres() {
        let Some(client) = django_on_postgres().await else { return };
        for (name, lookups) in [
            ("by_username", &[("auth_user u", "((username)::text = $1)")][..]),
            ("by_id", &[("auth_user u", "(id = $1)")]),
            ("owner", &[("auth_user u", "(id = $0)"), ("authtoken_token t", "((key)::text = $1)")]),
            ("key_of_user", &[("authtoken_token t", "(user_id = $1)")]),
            (
                "knox_owner",
                &[
                    ("auth_user u", "(id = $3)"),
                    ("knox_authtoken t", "((digest)::text = $1)"),
                    ("knox_authtoken t_1", "((digest)::text = $1)"),
                    ("knox_authtoken t_2", "((digest)::text = $1)"),
                    ("knox_authtoken t_3", "((digest)::text = $1)"),
                ],
            ),
            (
                "native_owner",
                &[
                    ("auth_user u", "(id = ($6)::integer)"),
                    ("countersign_token t", "(digest = $1)"),
                    ("countersign_token t_1", "(digest = $1)"),
                    ("countersign_token t_2", "(digest = $1)"),
                    ("countersign_token t_3", "(digest = $1)"),
                    ("countersign_token t_4", "(digest = $1)"),
                    (
                        "countersign_revocation r",
                        "((kind = 'owner'::text) AND (subject = $3) AND (not_before IS NOT NULL))",
                    ),
                ],
            ),
            ("SESSION", &[("django_session s", "((session_key)::text = $1)")]),
            (
                "IS_BLACKLISTED",
                &[
                    ("token_blacklist_blacklistedtoken b", "(token_id = $0)"),
                    ("token_blacklist_outstandingtoken o", "((jti)::text = $1)"),
                ],
            ),
            ("rotate", &[("token_blacklist_outstandingtoken o", "((jti)::text = $2)"), ("auth_user u", "(id = $7)")]),
        ] {
            let statement = all_on_postgres().into_iter().find(|statement| statement.name == name).expect(name);
            let plan = plan(&client, &statement.text).await;
            let scans: Vec<&str> =
                plan.lines().filter(|line| line.contains("Scan") && !line.contains("CTE Scan")).collect();
            assert_eq!(scans.len(), lookups.len(), "{name}:\n{plan}");
            for (table, condition) in lookups {
                let is_lookup = |line: &&str| line.contains("Index") && line.contains(&format!(" on {table} "));
                assert!(scans.iter().any(is_lookup), "{name}: {table}:\n{plan}");
                assert!(plan.contains(&format!("Index Cond: {condition}")), "{name}: {condition}:\n{plan}");
            }
        }
    }

    /// A schema with Django's tables; `None`, said in one line, where no server is there for the tests.
    async fn django_on_postgres() -> Option<tokio_postgres::Client> {
        let Ok(server) = std::env::var("COUNTERSIGN_TEST_POSTGRES") else {
            eprintln!("not run on PostgreSQL: COUNTERSIGN_TEST_POSTGRES names no server");
            return None;
        };
        let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.expect("connects");
        tokio::spawn(connection);
        // What is in `pg_temp` is found first and gone with the connection.
        let schema =
            include_str!("../../../testdata/compat/schema.postgres.sql").replace("CREATE TABLE", "CREATE TEMP TABLE");
        client.batch_execute(&schema).await.expect("the recorded schema");
        for migration in OWN {
            let schema = migration.schema.postgres.replace("CREATE TABLE", "CREATE TEMP TABLE");
            client.batch_execute(&schema).await.expect(migration.name);
        }
        client
            .batch_execute(
                "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off",
            )
            .await
            .expect("set");
        Some(client)
    }

    async fn plan(client: &tokio_postgres::Client, text: &str) -> String {
        let parameters = client.prepare(text).await.expect(text).params().len();
        let nulls = if parameters == 0 { String::new() } else { format!("({})", vec!["NULL"; parameters].join(", ")) };
        client.batch_execute(&format!("PREPARE explained AS {text}")).await.expect(text);
        let rows = client.query(&format!("EXPLAIN EXECUTE explained{nulls}"), &[]).await.expect(text);
        client.batch_execute("DEALLOCATE explained").await.expect("forgets");
        rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
    }
}
