//! Users that were looked up before are what the database says now, whoever has changed it in between.

use countersign_formats::token_key::TokenKey;
use countersign_store::Store;
use proptest::prelude::*;

use crate::{Fixture, at, on_every_backend};

on_every_backend![what_others_change_is_seen_at_once, two_stores_on_one_database_see_each_other];

/// What another program may do between two requests.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Rename(u8),
    Deactivate(bool),
    Delete,
    Restore,
    RollBack,
    Unrelated,
    Checkpoint,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        any::<u8>().prop_map(Deed::Rename),
        any::<bool>().prop_map(Deed::Deactivate),
        Just(Deed::Delete),
        Just(Deed::Restore),
        Just(Deed::RollBack),
        Just(Deed::Unrelated),
        Just(Deed::Checkpoint),
    ]
}

impl Deed {
    fn statements(self, key: &str) -> String {
        match self {
            Self::Rename(number) => format!("UPDATE auth_user SET username = 'ann{number}'"),
            Self::Deactivate(active) => format!("UPDATE auth_user SET is_active = {active}"),
            Self::Delete => "DELETE FROM authtoken_token".to_owned(),
            Self::Restore => format!(
                "INSERT INTO authtoken_token (key, created, user_id) SELECT '{key}', '2025-06-15 15:06:40', id
                 FROM auth_user WHERE NOT EXISTS (SELECT 1 FROM authtoken_token)"
            ),
            Self::RollBack => "BEGIN; DELETE FROM authtoken_token; DELETE FROM auth_user; ROLLBACK".to_owned(),
            Self::Unrelated => "DELETE FROM token_blacklist_blacklistedtoken".to_owned(),
            Self::Checkpoint => "PRAGMA wal_checkpoint(TRUNCATE)".to_owned(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn b2_a_looked_up_user_is_the_one_in_the_database(deeds in proptest::collection::vec((deed(), 1..3_usize), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let fixture = Fixture::sqlite().await;
            let ann = fixture.user("ann").await;
            let table = fixture.store.token_table("authtoken_token").await.expect("the table");
            let key = TokenKey::from_entropy([7; 20]);
            fixture.store.token_get_or_create(&table, &ann, &key, at(0), None).await.expect("writes");
            for (deed, lookups) in deeds {
                fixture.execute(&deed.statements(key.expose())).await;
                let (name, active, keys) = (
                    fixture.seen("SELECT username FROM auth_user").await,
                    fixture.seen("SELECT is_active FROM auth_user").await == "1",
                    fixture.seen("SELECT count(*) FROM authtoken_token").await,
                );
                for _ in 0..lookups {
                    let owner = fixture.store.token_owner(&table, key.expose()).await.expect("reads");
                    assert_eq!(owner.is_some(), keys == "1", "after {deed:?}");
                    let by_id = fixture.store.user_by_id(&ann).await.expect("reads").expect("there");
                    for user in owner.iter().chain([&by_id]) {
                        assert_eq!((user.username.as_str(), user.is_active), (name.as_str(), active), "after {deed:?}");
                    }
                }
            }
        });
    }
}

async fn what_others_change_is_seen_at_once(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let table = fixture.store.token_table("authtoken_token").await.expect("the table");
    let key = TokenKey::from_entropy([7; 20]);
    fixture.store.token_get_or_create(&table, &ann, &key, at(0), None).await.expect("writes");
    for number in 0..200 {
        fixture.execute(&format!("UPDATE auth_user SET username = 'ann{number}'")).await;
        for _ in 0..2 {
            let owner = fixture.store.token_owner(&table, key.expose()).await.expect("reads").expect("there");
            assert_eq!(owner.username, format!("ann{number}"));
        }
    }
    fixture.execute("DELETE FROM authtoken_token").await;
    assert_eq!(fixture.store.token_owner(&table, key.expose()).await.expect("reads"), None);
}

async fn two_stores_on_one_database_see_each_other(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let name_by = async |store: &Store| store.user_by_id(&ann).await.expect("reads").expect("there").password;
    for number in 0..20 {
        let other = fixture.another_store().await;
        other.set_password(&ann, &format!("md5$salt${number}")).await.expect("writes");
        let (here, there) = (name_by(&fixture.store).await, name_by(&other).await);
        assert_eq!(here.expose(), format!("md5$salt${number}"));
        assert_eq!(here, there);
        drop(other); // closes the file once more in this process
        fixture.store.set_password(&ann, "md5$salt$back").await.expect("writes");
        assert_eq!(name_by(&fixture.store).await.expose(), "md5$salt$back");
    }
}
