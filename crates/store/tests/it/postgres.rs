//! What concerns PostgreSQL alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use countersign_store::{AppState, InstalledApps, PostgresOptions, Store, StoreError, StoreOptions};

use crate::{ALL, Fixture, at, connect, postgres_schema, token};

const RECORDED: &str = include_str!("../../../../testdata/compat/schema.postgres.sql");

/// Columns, constraints and indexes of a schema, as the catalogue describes them.
const CATALOGUE: &str = "
    SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
           || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || ' ' || CAST(a.attidentity AS text) || ' ' || a.attnum
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0
    UNION ALL
    SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
    UNION ALL
    SELECT 'index ' || replace(indexdef, current_schema() || '.', '') FROM pg_indexes WHERE schemaname = current_schema()
    ORDER BY 1";

async fn catalogue(client: &tokio_postgres::Client) -> Vec<String> {
    client.query(CATALOGUE, &[]).await.expect("reads").iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn an_empty_database_gets_the_schema_django_leaves() {
    let Some(fixture) = Fixture::empty_postgres().await else { return };
    let report = fixture.store.migrate(&ALL, at(0)).await.expect("migrates");
    assert_eq!(report.created.len(), 8);
    let Some(by_django) = postgres_schema().await else { return };
    let by_django = connect(&by_django).await;
    by_django.batch_execute(RECORDED).await.expect("the recorded schema");
    let ours = connect_same(&fixture).await;
    let mut made = catalogue(&ours).await;
    made.retain(|line| !line.contains("countersign_"));
    assert_eq!(made, catalogue(&by_django).await);
    assert_eq!(fixture.seen("SELECT count(*) FROM auth_permission").await, "44");
    assert_eq!(fixture.seen("SELECT count(*) FROM django_migrations WHERE app <> 'countersign'").await, "43");
    assert_eq!(fixture.seen("SELECT DISTINCT applied FROM django_migrations").await, "2025-06-15 15:06:40");

    let again = fixture.store.migrate(&ALL, at(9)).await.expect("migrates");
    assert!(again.created.is_empty());
    assert_eq!(
        fixture.store.migration_state().await.expect("reads").of("knox"),
        Some(&AppState::Applied { pending: vec![] })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_at_once_migrate_once() {
    let Some(fixture) = Fixture::empty_postgres().await else { return };
    let second = fixture.another_store().await;
    let apps = InstalledApps::default();
    let (one, two) = tokio::join!(fixture.store.migrate(&apps, at(0)), second.migrate(&apps, at(0)));
    assert_eq!(one.expect("migrates").created.len() + two.expect("migrates").created.len(), 7);
}

#[tokio::test]
async fn a_wrong_address_name_or_password_is_an_error_at_once() {
    let Some(url) = postgres_schema().await else { return };
    let open =
        |url: String| async move { Store::open(&url.parse().expect("an address"), StoreOptions::default()).await };
    let nowhere = open("postgresql://x@127.0.0.1:1/x".to_owned()).await.expect_err("nobody listens");
    assert!(matches!(nowhere, StoreError::Unavailable { .. }), "{nowhere}");
    let unknown = open(url.replace("/postgres?", "/no_such_database?")).await.expect_err("no such database");
    assert!(unknown.to_string().contains("\"no_such_database\" does not exist"), "{unknown}");
}

/// Behind PgBouncer in transaction mode nothing may stay prepared; every statement then works with types that the server infers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_prepared_statements_everything_works_too() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let ann = fixture.user("ann").await;
    let postgres = PostgresOptions { pgbouncer: true, ..PostgresOptions::default() };
    let options = StoreOptions { postgres, ..StoreOptions::default() };
    let store = Store::open(&fixture.url(), options).await.expect("opens");
    store.check_statements(&ALL).await.expect("every statement fits");
    assert_eq!(store.user_by_username("ann").await.expect("reads").map(|user| user.id), Some(ann.clone()));
    assert!(store.user_by_id(&ann).await.expect("reads").is_some());
    store.set_last_login(&ann, at(5)).await.expect("writes");
    assert_eq!(fixture.seen("SELECT last_login FROM auth_user").await, "2025-06-15 15:06:45");
    store.rotate(&token("a", Some(&ann)), true, &token("b", None), at(0)).await.expect("writes");
    assert!(store.is_blacklisted("a").await.expect("reads") && !store.is_blacklisted("b").await.expect("reads"));
    assert_eq!(store.flush_expired(at(0)).await.expect("writes"), 0);
    let prepared = connect_same(&fixture).await;
    let count: i64 =
        prepared.query_one("SELECT count(*) FROM pg_prepared_statements", &[]).await.expect("reads").get(0);
    assert_eq!(count, 1, "the one that counts");
}

/// Django's `migrate` beside us may change a table under a prepared statement.
#[tokio::test]
async fn an_altered_table_is_planned_anew() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let ann = fixture.user("ann").await;
    let options = StoreOptions {
        postgres: PostgresOptions { read_connections: 1, ..PostgresOptions::default() },
        ..StoreOptions::default()
    };
    let store = Store::open(&fixture.url(), options).await.expect("opens");
    assert!(store.user_by_id(&ann).await.expect("reads").is_some());
    fixture.execute("ALTER TABLE auth_user ALTER COLUMN username TYPE text").await;
    assert!(store.user_by_id(&ann).await.expect("reads again").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lost_connections_are_made_again() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let ann = fixture.user("ann").await;
    // The address names the schema as the application, so that only this test's connections are meant.
    let ours = fixture.seen("SELECT current_schema()").await;
    for _ in 0..3 {
        fixture
            .execute(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = '{ours}' AND pid <> pg_backend_pid()"
            ))
            .await;
        let mut tries = 0;
        // A read or write that meets the broken connection may fail, and only as unavailable; soon none does.
        while let Err(refusal) = fixture.store.set_last_login(&ann, at(tries)).await {
            assert!(matches!(refusal, StoreError::Unavailable { .. }), "{refusal}");
            tries += 1;
            tokio::time::timeout(Duration::from_secs(20), fixture.store.health()).await.expect("answers").ok();
            tokio::task::yield_now().await;
        }
        let found = fixture.store.user_by_id(&ann).await;
        assert!(found.is_ok_and(|user| user.is_some()) || fixture.store.health().await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_held_too_long_is_busy() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let ann = fixture.user("ann").await;
    let postgres = PostgresOptions { statement_timeout: Duration::from_millis(100), ..PostgresOptions::default() };
    let store = Store::open(&fixture.url(), StoreOptions { postgres, ..StoreOptions::default() }).await.expect("opens");
    fixture.execute("BEGIN; UPDATE auth_user SET is_staff = is_staff").await;
    assert!(matches!(store.set_password(&ann, "x").await, Err(StoreError::Busy)));
    fixture.execute("ROLLBACK").await;
    store.set_password(&ann, "x").await.expect("free again");
}

/// Readiness is about writes as well: a database that has become read-only, and a role without a connection left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_about_writes_as_well() {
    let Some(fixture) = Fixture::postgres().await else { return };
    fixture.store.health().await.expect("healthy");
    let address = fixture.url_text().await;
    let read_only = address.replace("-csearch_path", "-cdefault_transaction_read_only=on%20-csearch_path");
    let store = Store::open(&read_only.parse().expect("an address"), StoreOptions::default()).await.expect("opens");
    assert!(matches!(store.health().await, Err(StoreError::Unavailable { .. })));
}

/// The level is asked for, whatever the database's default is: of parallel rotations one wins and none fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_default_isolation_changes_nothing() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let address = fixture
        .url_text()
        .await
        .replace("-csearch_path", "-cdefault_transaction_isolation=serializable%20-csearch_path");
    let store = Store::open(&address.parse().expect("an address"), StoreOptions::default()).await.expect("opens");
    for round in 0..5 {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..8 {
            let (store, presented) = (store.clone(), token(&format!("p{round}"), None));
            let successor = token(&format!("s{round}-{number}"), None);
            tasks.spawn(async move { store.rotate(&presented, true, &successor, at(0)).await.expect("an answer") });
        }
        let rotations = tasks.join_all().await;
        assert_eq!(rotations.iter().filter(|rotation| **rotation == countersign_store::Rotation::Done).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_ends_writes_and_leaves_reads() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let ann = fixture.user("ann").await;
    fixture.store.close().await;
    assert!(matches!(fixture.store.set_password(&ann, "x").await, Err(StoreError::Closed)));
    assert!(matches!(fixture.store.health().await, Err(StoreError::Closed)));
    assert!(fixture.store.user_by_id(&ann).await.expect("reads").is_some());
}

/// Each of these is one question and one answer: what the client sends ends with one Sync, or is one simple query.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_every_request_runs_is_one_round_trip() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let ann = fixture.user("ann").await;
    for pgbouncer in [false, true] {
        let proxy = Proxy::start(&fixture).await;
        let postgres = PostgresOptions { read_connections: 1, pgbouncer, ..PostgresOptions::default() };
        let options = StoreOptions { postgres, ..StoreOptions::default() };
        let store = Store::open(&proxy.url.parse().expect("an address"), options).await.expect("opens");
        let tokens = store.token_table("authtoken_token").await.expect("the table");
        for round in 0..2 {
            let new = format!("{pgbouncer}{round}");
            let mut counts = Vec::new();
            let mut asked = |what: &'static str| counts.push((what, proxy.take()));
            asked("before");
            store.user_by_username("ann").await.expect("reads");
            asked("user by name");
            store.user_by_id(&ann).await.expect("reads");
            asked("user by key");
            store.token_owner(&tokens, "x").await.expect("reads");
            asked("owner of a token");
            store.is_blacklisted("x").await.expect("reads");
            asked("blacklist");
            store.record_outstanding(&token(&new, Some(&ann))).await.expect("writes");
            asked("outstanding token");
            store.set_last_login(&ann, at(5)).await.expect("writes");
            asked("last login");
            if !pgbouncer {
                let next = token(&format!("{new} next"), Some(&ann));
                store.rotate(&token(&new, Some(&ann)), true, &next, at(0)).await.expect("writes");
                asked("rotation");
            }
            // The first time around, what is kept prepared is prepared.
            if pgbouncer || round == 1 {
                for (what, count) in &counts[1..] {
                    assert_eq!(*count, 1, "{what}, pgbouncer = {pgbouncer}");
                }
            }
        }
    }
}

/// Stands between a store and the server and counts what is sent off to be answered.
struct Proxy {
    url: String,
    questions: Arc<AtomicUsize>,
}

impl Proxy {
    async fn start(fixture: &Fixture) -> Self {
        let server = std::env::var("COUNTERSIGN_TEST_POSTGRES").expect("a server");
        let behind = server.split(['@', '/']).nth(3).expect("host and port").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let front = listener.local_addr().expect("an address").to_string();
        let schema = fixture.seen("SELECT current_schema()").await;
        let url = format!("{}?sslmode=disable&options=-csearch_path%3D{schema}", server.replace(&behind, &front));
        let questions = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&questions);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&behind).await.expect("connects");
                let counter = Arc::clone(&counter);
                tokio::spawn(forward(client, server, counter));
            }
        });
        Self { url, questions }
    }

    fn take(&self) -> usize {
        self.questions.swap(0, Ordering::SeqCst)
    }
}

async fn forward(client: TcpStream, server: TcpStream, questions: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    // The start-up message has no type; all others have one, then their length.
    let mut typed = false;
    loop {
        let mut head = vec![0; if typed { 5 } else { 4 }];
        if from_client.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = u32::from_be_bytes(head[head.len() - 4..].try_into().expect("four bytes"));
        let mut body = vec![0; length as usize - 4];
        from_client.read_exact(&mut body).await.expect("a whole message");
        if typed && matches!(head[0], b'S' | b'Q') {
            questions.fetch_add(1, Ordering::SeqCst);
        }
        typed = true;
        let _ = to_server.write_all(&[head, body].concat()).await;
    }
}

/// libpq's `sslmode`, against a server whose certificate is for `localhost` alone.
#[tokio::test]
async fn t1_sslmode_means_what_libpq_means() {
    let Some(url) = postgres_schema().await else { return };
    let authority = std::env::var("COUNTERSIGN_TEST_POSTGRES_CA").expect("scripts/with-postgres sets it");
    let folder = tempfile::tempdir().expect("a folder");
    let stranger = folder.path().join("stranger.crt");
    std::fs::write(&stranger, STRANGER).expect("written");
    let admin = connect(&url).await;
    for role in ["tls_only", "tls_never"] {
        let make = format!(
            "DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        admin.batch_execute(&make).await.expect("a role");
    }
    let here = url.replace("127.0.0.1", "localhost");
    let stranger = stranger.display().to_string();
    // An address without a host: `hostaddr` alone.
    let port = url.split(['@', '/', ':']).nth(5).expect("a port");
    let alone =
        url.replace(&format!("127.0.0.1:{port}/postgres?"), &format!("/postgres?hostaddr=127.0.0.1&port={port}&"));
    for (base, role, parameters, expected) in [
        (&url, "postgres", "sslmode=disable".to_owned(), Some(false)),
        (&url, "postgres", "sslmode=allow".to_owned(), Some(false)),
        (&url, "postgres", "sslmode=prefer".to_owned(), Some(true)),
        (&url, "postgres", "sslmode=require".to_owned(), Some(true)),
        (&url, "postgres", format!("sslmode=require&sslrootcert={authority}"), Some(true)),
        (&url, "postgres", format!("sslmode=require&sslrootcert={stranger}"), None),
        (&url, "postgres", format!("sslmode=verify-ca&sslrootcert={authority}"), Some(true)),
        (&url, "postgres", format!("sslmode=verify-ca&sslrootcert={stranger}"), None),
        (&url, "postgres", format!("sslmode=verify-full&sslrootcert={authority}"), None),
        (&here, "postgres", format!("sslmode=verify-full&sslrootcert={authority}"), Some(true)),
        (&here, "postgres", "sslmode=verify-full&sslrootcert=system".to_owned(), None),
        (&here, "postgres", "sslmode=verify-ca".to_owned(), None),
        (&alone, "tls_never", "sslmode=require".to_owned(), None),
        (&alone, "tls_only", "sslmode=require".to_owned(), Some(true)),
        (&url, "tls_only", "sslmode=allow".to_owned(), Some(true)),
        (&url, "tls_only", "sslmode=disable".to_owned(), None),
        (&url, "tls_never", "sslmode=prefer".to_owned(), Some(false)),
        (&url, "tls_never", "sslmode=require".to_owned(), None),
    ] {
        let name = format!("ssl-{role}-{}", &parameters[8..].replace(['/', '.', '&', '='], "-"));
        let name = &name[..name.len().min(60)];
        let base = base.replace("postgres@", &format!("{role}@"));
        let base = base.split("&application_name").next().expect("an address");
        let address = format!("{base}&application_name={name}&{parameters}");
        let opened = Store::open(&address.parse().expect("an address"), StoreOptions::default()).await;
        let found: Option<bool> = if opened.is_ok() {
            let query = "SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
                         WHERE a.application_name = $1";
            Some(admin.query_one(query, &[&name]).await.expect("reads").get(0))
        } else {
            None
        };
        assert_eq!(found, expected, "{role} {parameters}: {:?}", opened.err());
    }
}

/// A certificate that vouches for nobody here.
const STRANGER: &str = include_str!("stranger.crt");

async fn connect_same(fixture: &Fixture) -> tokio_postgres::Client {
    let schema = fixture.seen("SELECT current_schema()").await;
    let server = std::env::var("COUNTERSIGN_TEST_POSTGRES").expect("a server");
    connect(&format!("{server}?options=-csearch_path%3D{schema}")).await
}
