use countersign_formats::token_key::TokenKey;
use countersign_store::{StoreError, UserId};

use crate::{Fixture, Kind, at, on_every_backend};

on_every_backend![
    a_key_is_made_once_and_stays_until_it_is_deleted,
    o3_only_the_exact_key_finds_its_owner,
    an_inactive_owner_is_found_too,
    no_key_for_nobody,
    tables_of_other_models_serve_as_far_as_they_go,
];

async fn a_key_is_made_once_and_stays_until_it_is_deleted(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let store = &fixture.store;
    let table = store.token_table("authtoken_token").await.expect("the table");
    let (first, second) = (TokenKey::from_entropy([0xab; 20]), TokenKey::from_entropy([0xcd; 20]));

    assert_eq!(store.token_get_or_create(&table, &ann, &first, at(0), None).await.expect("writes"), first);
    assert_eq!(store.token_get_or_create(&table, &ann, &second, at(9), None).await.expect("reads"), first);
    assert_eq!(fixture.seen("SELECT created FROM authtoken_token").await, "2025-06-15 15:06:40");
    assert_eq!(fixture.seen("SELECT key FROM authtoken_token").await, "ab".repeat(20));

    assert!(store.token_delete(&table, &ann).await.expect("writes"));
    assert!(!store.token_delete(&table, &ann).await.expect("writes"));
    assert_eq!(store.token_get_or_create(&table, &ann, &second, at(9), None).await.expect("writes"), second);
}

async fn o3_only_the_exact_key_finds_its_owner(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let store = &fixture.store;
    let table = store.token_table("authtoken_token").await.expect("the table");
    let key = TokenKey::from_entropy([0xab; 20]);
    store.token_get_or_create(&table, &ann, &key, at(0), None).await.expect("writes");

    let owner = store.token_owner(&table, key.expose()).await.expect("reads").expect("there");
    assert_eq!((owner.id, owner.username.as_str()), (ann, "ann"));
    let upper = key.expose().to_uppercase();
    let with_nul = format!("{}\0", key.expose());
    for other in [upper.as_str(), &key.expose()[1..], with_nul.as_str(), "", "%"] {
        assert_eq!(store.token_owner(&table, other).await.expect("reads"), None, "{other:?}");
    }
}

async fn an_inactive_owner_is_found_too(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let table = fixture.store.token_table("authtoken_token").await.expect("the table");
    let key = TokenKey::from_entropy([1; 20]);
    fixture.store.token_get_or_create(&table, &ann, &key, at(0), None).await.expect("writes");
    fixture.execute("UPDATE auth_user SET is_active = FALSE").await;
    let owner = fixture.store.token_owner(&table, key.expose()).await.expect("reads").expect("there");
    assert!(!owner.is_active);
}

async fn no_key_for_nobody(fixture: Fixture) {
    let table = fixture.store.token_table("authtoken_token").await.expect("the table");
    let nobody = UserId::Integer(99);
    let made = fixture.store.token_get_or_create(&table, &nobody, &TokenKey::from_entropy([1; 20]), at(0), None).await;
    assert!(matches!(made, Err(StoreError::NoSuchUser)));
    assert_eq!(fixture.seen("SELECT count(*) FROM authtoken_token").await, "0");
}

async fn tables_of_other_models_serve_as_far_as_they_go(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let instant = match fixture.kind() {
        Kind::Sqlite => "datetime",
        Kind::Postgres => "timestamptz",
    };
    fixture
        .execute(&format!(
            "CREATE TABLE \"api \"\"Keys\" (key varchar(40) PRIMARY KEY, created {instant} NOT NULL, user_id integer NOT NULL UNIQUE);
             CREATE TABLE many (key varchar(40) PRIMARY KEY, created {instant} NOT NULL, user_id integer NOT NULL);
             CREATE TABLE short (key varchar(40) PRIMARY KEY, user_id integer NOT NULL UNIQUE)"
        ))
        .await;
    let store = &fixture.store;
    let table = store.token_table("api \"Keys").await.expect("fits");
    let key = TokenKey::from_entropy([7; 20]);
    store.token_get_or_create(&table, &ann, &key, at(0), None).await.expect("writes");
    assert!(store.token_owner(&table, key.expose()).await.expect("reads").is_some());

    // DRF checks keys of any model that has a key and a user.
    fixture.execute("INSERT INTO short (key, user_id) SELECT 'abc', id FROM auth_user WHERE username = 'ann'").await;
    fixture
        .execute(
            "INSERT INTO many (key, created, user_id)
             SELECT k, '2025-01-01', id FROM auth_user, (SELECT 'abc' AS k UNION SELECT 'def') AS keys WHERE username = 'ann'",
        )
        .await;
    for (name, keys) in [("short", &["abc"][..]), ("many", &["abc", "def"])] {
        let table = store.token_table(name).await.expect("fits");
        for shown in keys {
            let owner = store.token_owner(&table, shown).await.expect("reads").expect("somebody");
            assert_eq!(owner.id, ann, "{name}");
        }
        assert!(store.token_owner(&table, key.expose()).await.expect("reads").is_none());
        assert!(store.token_of(&table, &ann).await.expect("reads").is_none(), "which of them is not known");
        let refusal = store.token_get_or_create(&table, &ann, &key, at(0), None).await.expect_err(name);
        assert!(refusal.to_string().contains("not one of a token for each user"), "{refusal}");
        let end = |key: &'static str| store.token_end(&table, key, None, Vec::new());
        assert!(!end("nobody's").await.expect("writes") && !end("a\0").await.expect("writes"));
        if let [first, .., last] = keys[..] {
            assert!(end(first).await.expect("writes") && !end(first).await.expect("writes"));
            assert!(store.token_owner(&table, first).await.expect("reads").is_none());
            assert!(store.token_owner(&table, last).await.expect("reads").is_some(), "one key, and no other");
        }
        assert!(store.token_delete(&table, &ann).await.expect("writes"));
        assert!(store.token_owner(&table, "abc").await.expect("reads").is_none());
    }

    fixture.execute("CREATE TABLE free (key varchar(40) NOT NULL, user_id integer NOT NULL); CREATE TABLE of_none (key varchar(40) PRIMARY KEY)").await;
    for (name, part) in [
        ("free", "`key` of token table `free` is not unique"),
        ("of_none", "no column `user_id`"),
        ("AUTHTOKEN_TOKEN", "no table `AUTHTOKEN_TOKEN`"),
        ("x; DROP TABLE auth_user", "no table"),
    ] {
        let refusal = store.token_table(name).await.expect_err(name).to_string();
        assert!(refusal.contains(part), "{refusal}");
    }
}
