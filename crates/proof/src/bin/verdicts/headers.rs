//! `Authorization` headers, over a database that the other side has made and reads as well. A case is the header's value; the
//! answer has a line for each scheme and one for a chain of them: `none`, `user` and the key, `claims` and the claim of the user's
//! id, or the status and the body of the refusal.

use std::sync::Arc;

use countersign::testing::FixedClock;
use countersign::{AUTHTOKEN_TABLE, Authority, ClientAddress, Principal, Scheme, Settings};
use countersign_formats::json::to_compact_ascii;
use countersign_formats::jwt::{HmacAlgorithm, HmacSecret, SigningKey};
use countersign_formats::password::{Algorithm, Hashers, WorkFactors};
use countersign_store::{DatabaseUrl, InstalledApps, Store, StoreOptions};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use tokio::runtime::Runtime;

use crate::Judge;
use crate::tokens::moment;

#[derive(Deserialize)]
struct Batch {
    key: String,
    now: f64,
    iterations: u32,
}

pub(crate) struct Headers {
    runtime: Runtime,
    store: Store,
    ready: Option<Ready>,
}

struct Ready {
    authority: Authority,
    schemes: Vec<Scheme>,
    settings: String,
}

impl Headers {
    /// Opens the database.
    pub(crate) fn open(url: &str) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let store = runtime.block_on(Store::open(&url.parse::<DatabaseUrl>()?, StoreOptions::default()))?;
        Ok(Self { runtime, store, ready: None })
    }

    async fn authority(&self, batch: &Batch) -> anyhow::Result<(Authority, Vec<Scheme>)> {
        let mut settings = Settings::new(SigningKey::hmac(HmacAlgorithm::Hs256, &HmacSecret::new(batch.key.as_str())?));
        let mut factors = WorkFactors::default();
        factors.pbkdf2_sha256_iterations = batch.iterations;
        settings.hashers = Hashers::new(vec![Algorithm::Pbkdf2Sha256], factors)?;
        settings.hashing.threads = 1;
        settings.throttling.logins = None;
        settings.apps = InstalledApps { knox: true, ..InstalledApps::default() };
        let store = self.store.clone();
        let table = store.token_table(AUTHTOKEN_TABLE).await?;
        let clock = Arc::new(FixedClock::new(moment(batch.now)));
        let authority = Authority::builder(store, settings).clock(clock).build().await?;
        let token = Scheme::Token { keyword: "Token".to_owned(), table };
        Ok((authority, vec![token, Scheme::Knox, Scheme::Jwt, Scheme::JwtStateless, Scheme::Basic]))
    }
}

impl Judge for Headers {
    fn settings(&mut self, text: &str) -> anyhow::Result<()> {
        if self.ready.as_ref().is_none_or(|ready| ready.settings != text) {
            let batch: Batch = serde_json::from_str(text)?;
            let (authority, schemes) = self.runtime.block_on(self.authority(&batch))?;
            self.ready = Some(Ready { authority, schemes, settings: text.to_owned() });
        }
        Ok(())
    }

    fn verdict(&mut self, case: &[u8]) -> String {
        let Some(Ready { authority, schemes, .. }) = &self.ready else { return String::new() };
        let Ok(value) = HeaderValue::from_bytes(case) else { return "unreadable".to_owned() };
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value);
        let alone = schemes.iter().map(std::slice::from_ref);
        let verdicts = alone.chain([&schemes[..]]).map(|schemes| {
            let authenticate = authority.authenticate(schemes, &headers, ClientAddress::UNKNOWN);
            match self.runtime.block_on(authenticate).result.map(|identity| identity.principal) {
                Ok(Principal::Anonymous) => "none".to_owned(),
                Ok(Principal::User(user)) => format!("user {}", user.id),
                Ok(Principal::Claims { user_id, .. }) => format!("claims {}", to_compact_ascii(&user_id)),
                Err(failure) => format!("{} {}", failure.status(), to_compact_ascii(&failure.body("non_field_errors"))),
            }
        });
        verdicts.collect::<Vec<_>>().join("\n")
    }
}
