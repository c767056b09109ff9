//! The `Authorization` header under every scheme, alone and in a chain, over a database with one user.
//!
//! Each line of the input is one header field of that name. `{KEY}`, `{KNOX}`, `{JWT}` and `{BASIC}` stand for what lets the user
//! in.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::testing::{FixedClock, SeededEntropy};
use countersign::{AUTHTOKEN_TABLE, Authority, Client, ClientAddress, Credentials, Identity, Scheme, Settings};
use countersign_formats::jwt::{HmacAlgorithm, HmacSecret, SigningKey, TokenType, check_token, decode};
use countersign_formats::password::{Algorithm, Hashers, Password, SaltEntropy, WorkFactors};
use countersign_formats::python_base64;
use countersign_store::{DatabaseUrl, InstalledApps, NewUser, Place, Store, StoreOptions};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use tokio::runtime::Runtime;

use super::{Target, fill_in};

pub(super) const TARGET: Target = Target {
    name: "authorization",
    check,
    words: &[
        "Token ", "token ", "Bearer ", "Basic ", "BASIC ", "{KEY}", "{KNOX}", "{JWT}", "{BASIC}", " ", "  ", "\t", "=",
        "\n", "\u{a0}", "é", ",", ":",
    ],
};

const PASSWORD: &str = "sesame";

/// An authority whose one user can come in every way.
struct World {
    runtime: Runtime,
    authority: Authority,
    schemes: [Scheme; 5],
    key: String,
    knox: String,
    jwt: String,
    basic: String,
}

thread_local! {
    static WORLD: World = World::new();
}

fn check(data: &[u8]) {
    WORLD.with(|world| world.check(data));
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(Self::build()).map(|build| build(runtime)).expect("a world")
    }

    async fn build() -> anyhow::Result<impl FnOnce(Runtime) -> Self> {
        let now = Timestamp::from_second(1_750_000_000)?;
        let store = Store::open(&DatabaseUrl::sqlite_memory(), StoreOptions::default()).await?;
        let apps = InstalledApps { knox: true, ..InstalledApps::default() };
        store.migrate(&apps, now).await?;
        let factors = {
            let mut factors = WorkFactors::default();
            factors.pbkdf2_sha256_iterations = 1;
            factors
        };
        let hashers = Hashers::new(vec![Algorithm::Pbkdf2Sha256], factors)?;
        let encoded_password = hashers.encode(&Password::new(PASSWORD), SaltEntropy::new([7; 32]))?;
        let alice = NewUser {
            username: "alice".to_owned(),
            encoded_password,
            is_active: true,
            date_joined: now,
            ..NewUser::default()
        };
        store.create_user(alice).await?;
        let secret = HmacSecret::new("a secret of thirty-two bytes and more")?;
        let mut settings = Settings::new(SigningKey::hmac(HmacAlgorithm::Hs256, &secret));
        settings.hashers = hashers;
        settings.apps = apps;
        settings.hashing.threads = 1;
        settings.throttling.logins = None;
        let table = store.token_table(AUTHTOKEN_TABLE).await?;
        let authority = Authority::builder(store, settings)
            .clock(Arc::new(FixedClock::new(now)))
            .entropy(Arc::new(SeededEntropy::new(1)))
            .build()
            .await?;
        let credentials = Credentials::new("alice", Password::new(PASSWORD));
        let key = authority.obtain_auth_token(credentials.clone()).await?.expose().to_owned();
        let jwt = authority.obtain_pair(credentials).await?.access;
        let basic = STANDARD.encode(format!("alice:{PASSWORD}"));
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Basic {basic}"))?);
        let identity = authority.authenticate(&[Scheme::Basic], &headers, ClientAddress::UNKNOWN).await.result?;
        let knox =
            authority.knox_login(&identity, Client::default(), Place::default()).await?.token.expose().to_owned();
        let token = Scheme::Token { keyword: "Token".to_owned(), table };
        let schemes = [token, Scheme::Knox, Scheme::Jwt, Scheme::JwtStateless, Scheme::Basic];
        Ok(|runtime| Self { runtime, authority, schemes, key, knox, jwt, basic })
    }

    fn check(&self, data: &[u8]) {
        let marks = [("{KEY}", &*self.key), ("{KNOX}", &*self.knox), ("{JWT}", &*self.jwt), ("{BASIC}", &*self.basic)];
        let data = fill_in(data, &marks);
        let mut headers = HeaderMap::new();
        let lines: Vec<&[u8]> = data.split(|&byte| byte == b'\n').take(3).collect();
        for line in &lines {
            let Ok(value) = HeaderValue::from_bytes(line) else { return };
            headers.append(AUTHORIZATION, value);
        }
        let mut first = None;
        for scheme in &self.schemes {
            let result = self.authenticate(std::slice::from_ref(scheme), &headers);
            if result.as_ref().is_ok_and(Identity::is_authenticated) {
                assert_eq!(lines.len(), 1, "a repeated header let somebody in by {scheme:?}");
                assert!(self.shows_secret(scheme, lines[0]), "{scheme:?} let in who shows no secret");
            }
            if let Err(failure) = &result {
                assert_eq!(failure.status(), 401, "{scheme:?}: {failure:?}");
            }
            let abstained = result.as_ref().is_ok_and(|identity| !identity.is_authenticated());
            if first.is_none() && !abstained {
                first = Some(result.map(|identity| identity.scheme).map_err(|failure| failure.to_string()));
            }
        }
        // The chain answers as the first of its schemes that does not abstain.
        let chain = self.authenticate(&self.schemes, &headers);
        let chain = chain.map(|identity| identity.scheme).map_err(|failure| failure.to_string());
        assert_eq!(chain, first.unwrap_or(Ok(None)), "the chain answers otherwise than its schemes");
    }

    fn authenticate(&self, schemes: &[Scheme], headers: &HeaderMap) -> Result<Identity, countersign::Failure> {
        let authenticate = self.authority.authenticate(schemes, headers, ClientAddress::UNKNOWN);
        self.runtime.block_on(authenticate).result
    }

    /// Whether a header shows what lets in by this scheme, read in another way than the program reads it.
    fn shows_secret(&self, scheme: &Scheme, header: &[u8]) -> bool {
        let text: String = header.iter().map(|&byte| char::from(byte)).collect();
        let words: Vec<&str> = text.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        let [keyword, secret] = words[..] else { return false };
        match scheme {
            Scheme::Token { .. } => keyword.eq_ignore_ascii_case("token") && secret == self.key,
            Scheme::Knox => keyword.eq_ignore_ascii_case("token") && secret == self.knox,
            Scheme::Basic => {
                let shown = python_base64::decode(secret.as_bytes());
                keyword.eq_ignore_ascii_case("basic") && shown == Some(format!("alice:{PASSWORD}").into_bytes())
            }
            _ => {
                let settings = &self.authority.settings().simple_jwt;
                let now = self.authority.now();
                let read = decode(secret.as_bytes(), &settings.verifying_keys, &settings.rules, now);
                let read = read.and_then(|claims| check_token(&claims, TokenType::Access, &settings.rules, now));
                keyword == "Bearer" && read.is_ok()
            }
        }
    }
}
