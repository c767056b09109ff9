use countersign_store::{ColumnValue, FieldValue, NewUser, StoreError, UserId};
use proptest::prelude::*;

use crate::{Fixture, at, on_every_backend};

on_every_backend![
    a_user_comes_back_as_stored,
    a_taken_name_is_told_apart_from_other_failures,
    nobody_is_none,
    text_with_nul_is_not_stored,
    w5_a_rehash_that_lost_the_race_changes_nothing,
    last_login_is_written_in_djangos_form,
    a_user_id_field_is_checked_and_used,
    permissions_come_directly_and_through_groups,
    columns_are_told_in_their_own_types,
];

async fn a_user_comes_back_as_stored(fixture: Fixture) {
    let new = NewUser {
        username: "ann".to_owned(),
        email: "ann@example.com".to_owned(),
        first_name: "Ann".to_owned(),
        last_name: "Ågren".to_owned(),
        encoded_password: "pbkdf2_sha256$1$s$h".to_owned(),
        is_active: false,
        is_staff: true,
        is_superuser: true,
        date_joined: "2025-06-15T15:06:40.25Z".parse().expect("a time"),
    };
    let id = fixture.store.create_user(new).await.expect("creates");
    let user = fixture.store.user_by_username("ann").await.expect("reads").expect("there");
    assert_eq!((&user.id, user.username.as_str(), user.password.expose()), (&id, "ann", "pbkdf2_sha256$1$s$h"));
    assert_eq!((user.is_active, user.is_staff, user.is_superuser), (false, true, true));
    assert_eq!(fixture.store.user_by_id(&id).await.expect("reads"), Some(user));

    let profile = fixture.store.user_profile(&id).await.expect("reads").expect("there");
    assert_eq!((profile.email.as_str(), profile.first_name.as_str()), ("ann@example.com", "Ann"));
    assert_eq!((profile.last_name.as_str(), profile.last_login), ("Ågren", None));
    assert_eq!(profile.date_joined.map(|joined| joined.to_string()).as_deref(), Some("2025-06-15T15:06:40.25Z"));
    assert_eq!(fixture.seen("SELECT date_joined FROM auth_user").await, "2025-06-15 15:06:40.250000");
    let ranks = "SELECT CASE WHEN is_active THEN 'active' ELSE 'idle' END || CASE WHEN is_staff THEN ' staff' ELSE '' END FROM auth_user";
    assert_eq!(fixture.seen(ranks).await, "idle staff");
}

async fn a_taken_name_is_told_apart_from_other_failures(fixture: Fixture) {
    fixture.user("ann").await;
    let again = NewUser { username: "ann".to_owned(), ..NewUser::default() };
    let refusal = fixture.store.create_user(again).await.expect_err("taken");
    assert!(matches!(&refusal, StoreError::UniqueViolation { columns } if columns == "auth_user.username"));
    fixture.user("ANN").await;
}

async fn nobody_is_none(fixture: Fixture) {
    fixture.user("ann").await;
    let store = &fixture.store;
    for name in ["", "Ann", "ann ", "ann\0", "\0", "a_n", "a%"] {
        assert_eq!(store.user_by_username(name).await.expect("reads"), None, "{name:?}");
    }
    for id in [UserId::Integer(0), UserId::Integer(-1), UserId::Integer(i64::MAX), UserId::Text("ann".to_owned())] {
        assert_eq!(store.user_by_id(&id).await.expect("reads"), None, "{id:?}");
        assert_eq!(store.user_profile(&id).await.expect("reads"), None, "{id:?}");
    }
}

async fn text_with_nul_is_not_stored(fixture: Fixture) {
    let user = NewUser { username: "a\0b".to_owned(), ..NewUser::default() };
    assert!(matches!(fixture.store.create_user(user).await, Err(StoreError::NulInText)));
}

async fn w5_a_rehash_that_lost_the_race_changes_nothing(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let store = &fixture.store;
    assert!(store.replace_password(&ann, "md5$salt$ann", "better", true).await.expect("writes"));
    assert!(!store.replace_password(&ann, "md5$salt$ann", "late", true).await.expect("writes"));
    assert_eq!(fixture.seen("SELECT password FROM auth_user").await, "better");
    store.set_password(&ann, "chosen").await.expect("writes");
    assert_eq!(fixture.seen("SELECT password FROM auth_user").await, "chosen");
    assert!(matches!(store.set_password(&UserId::Integer(99), "x").await, Err(StoreError::NoSuchUser)));
}

async fn last_login_is_written_in_djangos_form(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    fixture.store.set_last_login(&ann, at(0)).await.expect("writes");
    assert_eq!(fixture.seen("SELECT last_login FROM auth_user").await, "2025-06-15 15:06:40");
    let profile = fixture.store.user_profile(&ann).await.expect("reads").expect("there");
    assert_eq!(profile.last_login, Some(at(0)));
    fixture.store.set_last_login(&UserId::Integer(99), at(0)).await.expect("no such user is no error");
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_is_an_error_that_hides_it() {
    let fixture = Fixture::sqlite().await;
    let ann = fixture.user("ann").await;
    fixture.execute("UPDATE auth_user SET last_login = 'yesterday-ish'").await;
    let refusal = fixture.store.user_profile(&ann).await.expect_err("no date").to_string();
    assert_eq!(refusal, "column last_login holds a value that is not a date and time");
}

async fn a_user_id_field_is_checked_and_used(fixture: Fixture) {
    let (ann, _) = (fixture.user("ann").await, fixture.user("bob").await);
    let store = &fixture.store;
    for (name, part) in [("phone", "no column `phone`"), ("password", "`password`"), ("last_login", "`last_login`")] {
        let refusal = store.user_field(name).await.expect_err(name).to_string();
        assert!(refusal.contains(part), "{refusal}");
    }
    let text = |text: &str| UserId::Text(text.to_owned());
    let username = store.user_field("username").await.expect("a column");
    assert_eq!(
        store.user_by_field(&username, &text("ann")).await.expect("reads").map(|user| user.id),
        Some(ann.clone())
    );
    assert_eq!(store.user_by_field(&username, &text("Ann")).await.expect("reads"), None);
    assert_eq!(store.user_by_field(&username, &text("ann\0")).await.expect("reads"), None);
    let value = store.user_field_value(&username, &ann).await.expect("reads");
    assert_eq!(value, Some(FieldValue::Value(UserId::Text("ann".to_owned()))));

    let id = store.user_field("pk").await.expect("the key");
    assert!(id.is_primary_key() && !username.is_primary_key());
    assert_eq!(
        store.user_by_field(&id, &UserId::Integer(1)).await.expect("reads").map(|user| user.username),
        Some("ann".to_owned())
    );
    assert_eq!(store.user_by_field(&id, &text("one")).await.expect("reads"), None);
    let value = store.user_field_value(&id, &ann).await.expect("reads").expect("there");
    assert_eq!(value.to_string(), "1");
    assert_eq!(store.user_field_value(&id, &UserId::Integer(99)).await.expect("reads"), None);

    let email = store.user_field("email").await.expect("a column");
    assert_eq!(store.user_by_field(&email, &text("")).await.expect("reads"), None, "shared by both");
}

async fn permissions_come_directly_and_through_groups(fixture: Fixture) {
    let (ann, bob) = (fixture.user("ann").await, fixture.user("bob").await);
    fixture
        .execute(
            "INSERT INTO auth_group (id, name) VALUES (1, 'staff');
             INSERT INTO auth_group_permissions (group_id, permission_id)
               SELECT 1, id FROM auth_permission WHERE codename IN ('view_user', 'add_user');
             INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1);
             INSERT INTO auth_user_user_permissions (user_id, permission_id)
               SELECT 1, id FROM auth_permission WHERE codename IN ('view_user', 'delete_token')",
        )
        .await;
    let mut permissions: Vec<_> = fixture.store.user_permissions(&ann).await.expect("reads").into_iter().collect();
    permissions.sort();
    assert_eq!(permissions, ["auth.add_user", "auth.view_user", "authtoken.delete_token"]);
    assert!(fixture.store.user_permissions(&bob).await.expect("reads").is_empty());
    assert_eq!(fixture.store.user_groups(&ann).await.expect("reads"), ["staff"]);
    assert!(fixture.store.user_groups(&bob).await.expect("reads").is_empty());
}

async fn columns_are_told_in_their_own_types(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let names = ["email", "is_active", "is_staff", "id"].map(str::to_owned);
    let columns = fixture.store.user_columns(&names).await.expect("columns");
    let values = fixture.store.column_values(&columns, &ann).await.expect("reads").expect("there");
    let UserId::Integer(id) = ann else { panic!("a number") };
    let expected = [
        ColumnValue::Text(String::new()),
        ColumnValue::Boolean(true),
        ColumnValue::Boolean(false),
        ColumnValue::Integer(id),
    ];
    assert_eq!(values, expected);
    let nobody = UserId::Integer(id + 1);
    assert_eq!(fixture.store.column_values(&columns, &nobody).await.expect("reads"), None);
    let none = fixture.store.user_columns(&[]).await.expect("no columns");
    assert_eq!(fixture.store.column_values(&none, &ann).await.expect("reads"), Some(Vec::new()));
    for name in ["password", "date_joined", "nothing", "email\" --"] {
        let refusal = fixture.store.user_columns(&[name.to_owned()]).await.expect_err(name);
        assert!(matches!(&refusal, StoreError::Schema { problem } if problem.contains(name)), "{refusal}");
    }
}

#[test]
fn hashes_do_not_print() {
    let new = NewUser { username: "ann".to_owned(), encoded_password: "hunter2".to_owned(), ..NewUser::default() };
    assert!(!format!("{new:?}").contains("hunter2"));
    assert!(!format!("{:?}", countersign_store::EncodedPassword::new("hunter2")).contains("hunter2"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    /// Whatever text was stored as a name finds its own row, and no other text finds one.
    #[test]
    fn a_name_finds_itself_and_nothing_else(
        stored in proptest::collection::hash_set("[^\0]{1,20}", 1..30),
        asked in proptest::collection::vec("(?s).{0,20}", 30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let fixture = Fixture::sqlite().await;
            for name in &stored {
                let id = fixture.user(name).await;
                let found = fixture.store.user_by_username(name).await.expect("reads");
                assert_eq!(found.map(|user| user.id), Some(id));
            }
            for name in asked.into_iter().chain(stored.iter().flat_map(|name| [name.to_uppercase(), format!("{name}\0")])) {
                let found = fixture.store.user_by_username(&name).await.expect("reads");
                assert_eq!(found.is_some(), stored.contains(&name), "{name:?}");
            }
        });
    }
}
