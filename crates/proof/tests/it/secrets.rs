//! Keys and tokens are made of enough randomness, or not at all.

use std::sync::Arc;

use countersign::clock::{Entropy, EntropyFailed};
use countersign::{Authority, Credentials, Failure, Settings};
use countersign_formats::jwt::{HmacAlgorithm, HmacSecret, SigningKey};
use countersign_formats::password::{Algorithm, Hashers, Password, SaltEntropy, WorkFactors};
use countersign_formats::token_key::TokenKey;
use countersign_store::{DatabaseUrl, InstalledApps, NewUser, Store, StoreOptions};
use jiff::Timestamp;

/// Randomness that cannot be had.
struct Dry;

impl Entropy for Dry {
    fn fill(&self, _buffer: &mut [u8]) -> Result<(), EntropyFailed> {
        Err(EntropyFailed)
    }
}

/// DRF's key is 160 bits of what the operating system gives.
#[test]
fn o1_a_key_is_160_random_bits() {
    let key = TokenKey::from_entropy([0xa5; 20]);
    assert_eq!(key.expose(), "a5".repeat(20));
}

#[test]
fn o1_without_randomness_no_token_is_given_out() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let now = Timestamp::from_second(1_750_000_000).expect("an instant");
        let store = Store::open(&DatabaseUrl::sqlite_memory(), StoreOptions::default()).await.expect("opened");
        store.migrate(&InstalledApps::default(), now).await.expect("migrated");
        let mut factors = WorkFactors::default();
        factors.pbkdf2_sha256_iterations = 1;
        let hashers = Hashers::new(vec![Algorithm::Pbkdf2Sha256], factors).expect("hashers");
        let encoded_password = hashers.encode(&Password::new("sesame"), SaltEntropy::new([7; 32])).expect("a hash");
        let alice = NewUser { username: "alice".to_owned(), encoded_password, is_active: true, ..NewUser::default() };
        store.create_user(alice).await.expect("created");
        let secret = HmacSecret::new("a secret of thirty-two bytes and more").expect("a secret");
        let mut settings = Settings::new(SigningKey::hmac(HmacAlgorithm::Hs256, &secret));
        settings.hashers = hashers;
        let authority =
            Authority::builder(store.clone(), settings).entropy(Arc::new(Dry)).build().await.expect("built");
        let alice = || Credentials::new("alice", Password::new("sesame"));
        assert!(matches!(authority.obtain_auth_token(alice()).await, Err(Failure::Entropy(_))));
        assert!(matches!(authority.obtain_pair(alice()).await, Err(Failure::Entropy(_))));
        assert!(matches!(authority.obtain_sliding(alice()).await, Err(Failure::Entropy(_))));
    });
}
