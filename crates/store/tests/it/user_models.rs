//! User models of a project's own: other tables, columns, keys and schemas.

use countersign_formats::token_key::TokenKey;
use countersign_store::{
    ColumnChoice, IdType, InstalledApps, NewUser, StoreError, TableName, UserId, UserMapping, UsernameLookup,
};

use crate::devices::native_token;
use crate::{Fixture, Kind, at, on_every_backend, token};

on_every_backend![
    a_uuid_key_goes_all_the_way,
    an_email_is_the_name,
    what_does_not_fit_is_named,
    names_without_case_are_found_and_twins_are_nobody,
    a_user_without_permissions_mixin_has_none,
    nulls_are_false_and_a_name_may_be_absent,
    migrate_does_not_make_users_beside_those_of_the_project,
];

const KEY: u128 = 0x00c9_1d4e_9f3a_4b6d_8e2f_0123_4567_89ab;

/// A table as `AbstractBaseUser` with a `UUIDField` key makes it, in a schema of its own where there are such.
async fn people(fixture: &Fixture) -> UserMapping {
    let table = match fixture.kind() {
        Kind::Sqlite => {
            fixture
                .execute(
                    "CREATE TABLE \"People\" (uid char(32) NOT NULL PRIMARY KEY, \"Mail\" varchar(254) NOT NULL UNIQUE,
                         password varchar(128) NOT NULL, last_login datetime NULL)",
                )
                .await;
            TableName::new("People")
        }
        Kind::Postgres => {
            let schema = format!("{} people", fixture.seen("SELECT current_schema()").await);
            fixture
                .execute(&format!(
                    "CREATE SCHEMA \"{schema}\";
                     CREATE TABLE \"{schema}\".\"People\" (uid uuid NOT NULL PRIMARY KEY, \"Mail\" varchar(254) NOT NULL UNIQUE,
                         password varchar(128) NOT NULL, last_login timestamptz NULL)"
                ))
                .await;
            TableName { schema: Some(schema), name: "People".to_owned() }
        }
    };
    UserMapping {
        id: "uid".to_owned(),
        username: "Mail".to_owned(),
        is_active: ColumnChoice::Absent,
        ..UserMapping::of(table)
    }
}

async fn add_ann(fixture: &Fixture, mapping: &UserMapping) {
    let (table, key) = match fixture.kind() {
        Kind::Sqlite => ("\"People\"".to_owned(), "00c91d4e9f3a4b6d8e2f0123456789ab"),
        Kind::Postgres => (
            format!("\"{}\".\"People\"", mapping.table.schema.as_deref().expect("a schema")),
            "00c91d4e-9f3a-4b6d-8e2f-0123456789ab",
        ),
    };
    fixture.execute(&format!("INSERT INTO {table} (uid, \"Mail\", password) VALUES ('{key}', 'ann@x.y', 'h')")).await;
}

async fn a_uuid_key_goes_all_the_way(fixture: Fixture) {
    let mapping = people(&fixture).await;
    add_ann(&fixture, &mapping).await;
    fixture
        .execute(
            "DROP TABLE authtoken_token; DROP TABLE token_blacklist_blacklistedtoken; DROP TABLE token_blacklist_outstandingtoken;
             DELETE FROM django_migrations WHERE app IN ('authtoken', 'token_blacklist')",
        )
        .await;
    let store = fixture.store.with_users(&mapping).await.expect("fits");
    assert_eq!(store.user_id_type(), IdType::Uuid);
    store.migrate(&InstalledApps::default(), at(0)).await.expect("tokens that refer to people");

    let ann = store.user_by_username("ann@x.y").await.expect("reads").expect("there");
    assert_eq!((&ann.id, ann.username.as_str()), (&UserId::Uuid(KEY), "ann@x.y"));
    assert_eq!((ann.is_active, ann.is_staff, ann.is_superuser), (true, false, false));
    assert_eq!(store.user_by_id(&ann.id).await.expect("reads"), Some(ann.clone()));
    assert_eq!(store.user_by_id(&UserId::Integer(1)).await.expect("reads"), None);
    assert_eq!(store.user_profile(&ann.id).await.expect("reads").expect("there").date_joined, None);

    let table = store.token_table("authtoken_token").await.expect("the table");
    let key = TokenKey::from_entropy([7; 20]);
    store.token_get_or_create(&table, &ann.id, &key, at(0), None).await.expect("writes");
    assert_eq!(store.token_owner(&table, key.expose()).await.expect("reads"), Some(ann.clone()));

    store.native_login(native_token("d", &ann.id), Some(1), None).await.expect("writes");
    assert_eq!(store.native_owner("d").await.expect("reads").map(|owner| owner.user), Some(ann.clone()));
    assert_eq!(store.native_tokens_of(&ann.id, 9).await.expect("reads").len(), 1);

    store.login_pair(&ann.id, Some(at(5)), Some(&token("t", Some(&ann.id))), None).await.expect("writes");
    assert_eq!(
        fixture.seen("SELECT user_id FROM token_blacklist_outstandingtoken").await.replace('-', ""),
        format!("{KEY:032x}")
    );
    assert!(store.replace_password(&ann.id, "h", "better", true).await.expect("writes"));
    let profile = store.user_profile(&ann.id).await.expect("reads").expect("there");
    assert_eq!((profile.email.as_str(), profile.last_login), ("", Some(at(5))));

    let by_key = store.user_field("uid").await.expect("the key");
    assert!(by_key.is_primary_key());
    let id = by_key.id_type().parse("{00C91D4E9F3A4B6D8E2F0123456789AB}").expect("a UUID");
    assert!(store.user_by_field(&by_key, &id).await.expect("reads").is_some());
    store.check_statements(&InstalledApps::default()).await.expect("every statement fits");
}

async fn an_email_is_the_name(fixture: Fixture) {
    fixture
        .execute(
            "CREATE TABLE accounts_user (id integer NOT NULL PRIMARY KEY, password varchar(128) NOT NULL, email varchar(254) NOT NULL UNIQUE,
                 is_active bool NOT NULL, is_staff bool NOT NULL, is_superuser bool NOT NULL, phone varchar(20) NOT NULL);
             CREATE TABLE accounts_user_groups (id integer NOT NULL PRIMARY KEY, user_id integer NOT NULL, group_id integer NOT NULL);
             INSERT INTO accounts_user VALUES (7, 'h', 'ann@x.y', TRUE, TRUE, FALSE, '1');
             INSERT INTO auth_group (id, name) VALUES (1, 'staff');
             INSERT INTO auth_group_permissions (group_id, permission_id)
               SELECT 1, id FROM auth_permission WHERE codename = 'view_user';
             INSERT INTO accounts_user_groups VALUES (1, 7, 1)",
        )
        .await;
    let mapping = UserMapping { username: "email".to_owned(), ..UserMapping::of(TableName::new("accounts_user")) };
    let store = fixture.store.with_users(&mapping).await.expect("fits");
    let ann = store.user_by_username("ann@x.y").await.expect("reads").expect("there");
    assert_eq!((&ann.id, ann.is_active, ann.is_staff), (&UserId::Integer(7), true, true));
    let permissions = store.user_permissions(&ann.id).await.expect("reads");
    assert_eq!(permissions.into_iter().collect::<Vec<_>>(), ["auth.view_user"]);

    let bob = NewUser { username: "bob@x.y".to_owned(), email: "bob@x.y".to_owned(), ..NewUser::default() };
    let refusal = store.create_user(bob).await.expect_err("the model demands a telephone");
    assert!(matches!(refusal, StoreError::MissingValue { .. }), "{refusal}");
}

async fn what_does_not_fit_is_named(fixture: Fixture) {
    let stock = || UserMapping::of(TableName::new("auth_user"));
    let named = |name: &str| ColumnChoice::Named(name.to_owned());
    for (mapping, part) in [
        (UserMapping::of(TableName::new("no_users")), "no table `no_users`"),
        (UserMapping::of(TableName::new("AUTH_USER")), "no table `AUTH_USER`"),
        (UserMapping { id: "uuid".to_owned(), ..stock() }, "auth_user has no column `uuid`"),
        (UserMapping { id: "first_name".to_owned(), ..stock() }, "column `first_name` of auth_user is not unique"),
        (UserMapping { id: "is_staff".to_owned(), ..stock() }, "column `is_staff` of auth_user is bool"),
        (UserMapping { id_type: Some(IdType::Uuid), ..stock() }, "column `id` of auth_user is integer, not uuid"),
        (UserMapping { username: "phone".to_owned(), ..stock() }, "no column `phone`"),
        (UserMapping { username: "last_login".to_owned(), ..stock() }, "column `last_login` of auth_user is "),
        (UserMapping { is_active: named("enabled"), ..stock() }, "no column `enabled`"),
        (UserMapping { is_active: named("email"), ..stock() }, "not a boolean"),
        (UserMapping { last_login: named("is_staff"), ..stock() }, "not a date and time"),
        (UserMapping { groups: named("auth_group"), ..stock() }, "`auth_group` is no table between users"),
        (UserMapping { username: "username\" = '' OR \"1".to_owned(), ..stock() }, "no column `username\""),
    ] {
        let refusal = fixture.store.with_users(&mapping).await.expect_err(part).to_string();
        assert!(refusal.contains(part), "{refusal} instead of {part}");
    }
    fixture.store.with_users(&stock()).await.expect("Django's own fits");
}

async fn names_without_case_are_found_and_twins_are_nobody(fixture: Fixture) {
    let ann = fixture.user("Ann").await;
    let mapping = UserMapping { username_lookup: UsernameLookup::IgnoreCase, ..UserMapping::default() };
    let store = fixture.store.with_users(&mapping).await.expect("fits");
    assert_eq!(store.user_by_username("aNN").await.expect("reads").map(|user| user.id), Some(ann));
    for pattern in ["a_n", "a%", "ann "] {
        assert_eq!(store.user_by_username(pattern).await.expect("reads"), None, "{pattern}");
    }
    fixture.user("ANN").await;
    assert_eq!(store.user_by_username("ann").await.expect("reads"), None, "Django raises MultipleObjectsReturned");
}

/// Django reads NULL as false, and a name may be NULL for users who are known by something else.
async fn nulls_are_false_and_a_name_may_be_absent(fixture: Fixture) {
    fixture
        .execute(
            "CREATE TABLE callers (id integer NOT NULL PRIMARY KEY, password varchar(128) NOT NULL, phone varchar(20) NULL UNIQUE,
                 is_active bool NULL, is_staff bool NULL);
             INSERT INTO callers VALUES (7, 'h', NULL, TRUE, NULL), (8, 'h', '1', NULL, NULL)",
        )
        .await;
    let mapping = UserMapping { username: "phone".to_owned(), ..UserMapping::of(TableName::new("callers")) };
    let store = fixture.store.with_users(&mapping).await.expect("fits");
    let nameless = store.user_by_id(&UserId::Integer(7)).await.expect("reads").expect("there");
    assert_eq!((nameless.username.as_str(), nameless.is_active, nameless.is_staff), ("", true, false));
    assert!(!store.user_by_username("1").await.expect("reads").expect("there").is_active);
    assert_eq!(store.user_by_username("").await.expect("reads"), None);
}

/// Django makes no `auth_user` for such a project, and neither do we.
async fn migrate_does_not_make_users_beside_those_of_the_project(fixture: Fixture) {
    let mapping = people(&fixture).await;
    fixture
        .execute(
            "DELETE FROM django_migrations; DROP TABLE authtoken_token; DROP TABLE token_blacklist_blacklistedtoken;
             DROP TABLE token_blacklist_outstandingtoken; DROP TABLE knox_authtoken; DROP TABLE django_admin_log;
             DROP TABLE django_session; DROP TABLE auth_user_groups; DROP TABLE auth_user_user_permissions;
             DROP TABLE auth_user; DROP TABLE auth_group_permissions; DROP TABLE auth_group; DROP TABLE auth_permission;
             DROP TABLE django_content_type",
        )
        .await;
    let store = fixture.store.with_users(&mapping).await.expect("fits");
    let apps = InstalledApps { countersign: false, ..InstalledApps::default() };
    let refusal = store.migrate(&apps, at(0)).await.expect_err("not ours to make").to_string();
    assert!(refusal.contains("`manage.py migrate` must make first"), "{refusal}");
    assert!(!store.has_table("auth_permission").await.expect("reads"));
}

async fn a_user_without_permissions_mixin_has_none(fixture: Fixture) {
    let mapping = people(&fixture).await;
    add_ann(&fixture, &mapping).await;
    let store = fixture.store.with_users(&mapping).await.expect("fits");
    assert!(store.user_permissions(&UserId::Uuid(KEY)).await.expect("reads").is_empty());
}
