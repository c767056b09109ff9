//! The questions of `countersign doctor`.

use countersign_store::{
    HashCount, HashKind, InstalledApps, NewUser, NotUnique, Sample, StoreError, UserMapping, UsernameLookup,
};
use jiff::SignedDuration;

use crate::{ALL, Fixture, Kind, at, on_every_backend, token};

on_every_backend![
    the_clock_is_told,
    expired_rows_are_counted_among_the_oldest,
    hashes_are_told_by_algorithm_and_cost,
    names_that_differ_by_case_are_counted,
    missing_unique_indexes_are_named,
    keys_in_the_clear_are_counted,
    lookups_without_case_want_an_index,
    missing_privileges_are_named,
    a_server_describes_itself,
];

async fn the_clock_is_told(fixture: Fixture) {
    let first = fixture.store.database_time().await.expect("reads").expect("a time");
    let second = fixture.store.database_time().await.expect("reads").expect("a time");
    let passed = second.duration_since(first);
    assert!(SignedDuration::ZERO <= passed && passed < SignedDuration::from_secs(60), "{passed}");
    assert!(first > at(0));
}

async fn expired_rows_are_counted_among_the_oldest(fixture: Fixture) {
    for jti in ["a", "b", "c"] {
        fixture.store.record_outstanding(&token(jti, None)).await.expect("writes");
    }
    fixture
        .execute(
            "UPDATE token_blacklist_outstandingtoken SET expires_at = '2020-01-01 00:00:00' WHERE jti <> 'c';
             INSERT INTO django_session (session_key, session_data, expire_date) VALUES ('k', '', '2020-01-01 00:00:00')",
        )
        .await;
    let store = &fixture.store;
    assert_eq!(store.expired_outstanding(at(0)).await.expect("reads"), Sample { looked_at: 3, found: 2 });
    assert_eq!(store.expired_sessions(at(0)).await.expect("reads"), Sample { looked_at: 1, found: 1 });
    assert!(Sample { looked_at: 3, found: 2 }.is_whole());
}

async fn hashes_are_told_by_algorithm_and_cost(fixture: Fixture) {
    let hashes = [
        "pbkdf2_sha256$260000$salt$hash=",
        "pbkdf2_sha256$260000$other$hash=",
        "pbkdf2_sha256$260000$third$hash=",
        "pbkdf2_sha256$1000000$9salt$hash=",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA",
        "argon2$argon2id$m=512,t=2,p=2$c2FsdA$aGFzaA",
        "bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuu1234567890123456789012345678901",
        "scrypt$16384$salt$8$5$hash=",
        "md5$salt$0cc175b9c0f1b6a831c399e269772661",
        "site_own$$what$ever",
        "0cc175b9c0f1b6a831c399e269772661",
        "sha1$salt$hash",
        "!unusable",
        "",
    ];
    for (index, hash) in hashes.iter().enumerate() {
        let user = NewUser {
            username: format!("user{index}"),
            encoded_password: (*hash).to_owned(),
            date_joined: at(0),
            ..NewUser::default()
        };
        fixture.store.create_user(user).await.expect("creates");
    }
    let mut counts = fixture.store.password_hashes().await.expect("reads");
    assert_eq!(counts[0].users, 3, "most frequent first");
    counts.sort_by(|a, b| a.kind.cmp(&b.kind));
    let named = |algorithm: &str, cost, users| HashCount {
        kind: HashKind::Named { algorithm: algorithm.to_owned(), cost },
        users,
    };
    let merged: Vec<HashCount> = counts.into_iter().filter(|count| count.kind != HashKind::Dead).collect();
    assert_eq!(
        merged,
        [
            named("argon2", Some(512), 1), // without a version, as argon2 before 1.3 wrote it
            named("argon2", Some(102_400), 1),
            named("bcrypt_sha256", Some(12), 1),
            named("md5", None, 1),
            named("pbkdf2_sha256", Some(260_000), 3),
            named("pbkdf2_sha256", Some(1_000_000), 1),
            named("scrypt", Some(16_384), 1),
            named("site_own", None, 1),
            HashCount { kind: HashKind::Unusable, users: 1 },
            HashCount { kind: HashKind::Empty, users: 1 },
        ]
    );
}

async fn names_that_differ_by_case_are_counted(fixture: Fixture) {
    for name in ["ann", "Ann", "ANN", "bob", "Bob", "cid"] {
        fixture.user(name).await;
    }
    let found = fixture.store.usernames_differing_by_case("username").await.expect("reads");
    assert_eq!(found, Sample { looked_at: 6, found: 2 });
}

async fn missing_unique_indexes_are_named(fixture: Fixture) {
    let store = &fixture.store;
    let not_unique = |table: &str, column: &str, is_indexed| NotUnique {
        table: table.to_owned(),
        column: column.to_owned(),
        is_indexed,
    };
    assert_eq!(store.columns_without_unique_index(&ALL, "username").await.expect("reads"), []);
    for is_indexed in [false, true] {
        let with_email = store.columns_without_unique_index(&ALL, "email").await.expect("reads");
        assert_eq!(with_email, [not_unique("auth_user", "email", is_indexed)]);
        fixture.execute("CREATE INDEX IF NOT EXISTS by_email ON auth_user (email, id)").await;
    }
    let none =
        InstalledApps { authtoken: false, token_blacklist: false, sessions: false, knox: false, countersign: false };
    match fixture.kind() {
        Kind::Sqlite => fixture.execute("DROP TABLE token_blacklist_blacklistedtoken").await,
        Kind::Postgres => fixture.execute("ALTER TABLE token_blacklist_blacklistedtoken DROP CONSTRAINT IF EXISTS token_blacklist_blacklistedtoken_token_id_key CASCADE").await,
    }
    assert_eq!(
        store.columns_without_unique_index(&ALL, "username").await.expect("reads"),
        [not_unique("token_blacklist_blacklistedtoken", "token_id", false)]
    );
    assert_eq!(store.columns_without_unique_index(&none, "username").await.expect("reads"), []);
}

async fn keys_in_the_clear_are_counted(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let table = fixture.store.token_table("authtoken_token").await.expect("the table");
    let key = countersign_formats::token_key::TokenKey::from_entropy([1; 20]);
    fixture.store.token_get_or_create(&table, &ann, &key, at(0), None).await.expect("writes");
    assert_eq!(fixture.store.drf_key_count().await.expect("reads"), Sample { looked_at: 1, found: 1 });
    fixture.execute("DROP TABLE authtoken_token").await;
    assert!(matches!(fixture.store.drf_key_count().await, Err(StoreError::Schema { .. })));
}

async fn lookups_without_case_want_an_index(fixture: Fixture) {
    let mapping = UserMapping { username_lookup: UsernameLookup::IgnoreCase, ..UserMapping::default() };
    let store = fixture.store.with_users(&mapping).await.expect("fits");
    let walks = |lookup| store.username_lookup_walks("username", lookup);
    assert!(!walks(UsernameLookup::Exact).await.expect("reads"));
    // SQLite keeps an explanation that it once gave on a connection; doctor's tests see it without the index.
    if fixture.kind() == Kind::Postgres {
        assert!(walks(UsernameLookup::IgnoreCase).await.expect("reads"));
    }
    fixture.execute("CREATE INDEX without_case ON auth_user (upper(CAST(username AS text)))").await;
    // An explanation does not look whether the schema has changed since; a lookup does.
    assert!(store.user_by_username("ann").await.expect("reads").is_none());
    assert!(!walks(UsernameLookup::IgnoreCase).await.expect("reads"));
}

/// The owner of all tables lacks nothing; see the doctor's suite for a role that does.
async fn missing_privileges_are_named(fixture: Fixture) {
    assert_eq!(fixture.store.missing_privileges(&ALL).await.expect("reads"), []);
    fixture.execute("DROP TABLE authtoken_token").await;
    assert_eq!(fixture.store.missing_privileges(&ALL).await.expect("reads"), []);
}

async fn a_server_describes_itself(fixture: Fixture) {
    let state = fixture.store.server_state().await.expect("reads");
    match (fixture.kind(), state) {
        (Kind::Sqlite, state) => assert_eq!(state, None),
        (Kind::Postgres, Some(state)) => {
            assert!(state.version >= 130_000 && state.max_connections >= 10 && state.connections >= 1, "{state:?}");
            // The address leaves sslmode at prefer: TLS if the server has it.
            assert_eq!(state.is_encrypted, fixture.seen("current_setting('ssl')").await == "on");
        }
        (Kind::Postgres, None) => panic!("no state"),
    }
}
