//! The configured database: opened, and checked against what the configuration counts on.

use anyhow::{Context as _, bail};
use countersign::{AUTHTOKEN_TABLE, Settings};
use countersign_store::{DatabaseUrl, InstalledApps, PostgresOptions, Store, StoreError, StoreOptions, UserMapping};

use crate::config::OwnTables;

/// Said at start and by `doctor`.
pub(crate) const SESSIONS_OFF: &str = "the database has no tables for sessions, or not all of them: sessions are off";

/// Said at start and by `doctor`.
pub(crate) const TRIGGERS_MISSING: &str =
    "the tables of users or of the blacklist lack our triggers, or have others: access tokens outlive what Django ends";

/// Where the database is, how it is used, and which of its tables holds the users.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub url: DatabaseUrl,
    pub postgres: PostgresOptions,
    /// `[users]`; `None` is Django's `auth_user`.
    pub users: Option<UserMapping>,
}

impl Database {
    /// Opens the database, which must exist.
    pub(crate) async fn open(&self) -> anyhow::Result<Store> {
        Store::open(&self.url, self.options(false)).await.map_err(|error| {
            let context = match &error {
                StoreError::NoDatabase { .. } => {
                    format!("database_url {}: `countersign migrate` makes a database where there is none", self.url)
                }
                _ => format!("database_url {}", self.url),
            };
            anyhow::Error::new(error).context(context)
        })
    }

    /// As [`open`](Self::open), with the users that are configured.
    pub(crate) async fn open_with_users(&self) -> anyhow::Result<Store> {
        self.with_users(&self.open().await?).await
    }

    /// Opens the database, for `migrate`; a SQLite file is made if it is not there. The users may yet have to be made.
    pub(crate) async fn create(&self) -> anyhow::Result<Store> {
        let store =
            Store::open(&self.url, self.options(true)).await.with_context(|| format!("database_url {}", self.url))?;
        match self.users {
            Some(_) => self.with_users(&store).await,
            None => Ok(store),
        }
    }

    /// Whether the database has all of our own tables. Sessions are off without them, unless the file demands them.
    ///
    /// # Errors
    /// The refusal, if they are demanded and not there; or the database cannot be read.
    pub(crate) async fn settle_sessions(
        &self,
        store: &Store,
        choice: &OwnTables,
        settings: &mut Settings,
    ) -> anyhow::Result<bool> {
        if *choice == OwnTables::Off || store.migration_state().await?.has_own_tables() {
            return Ok(true);
        }
        if let OwnTables::Demanded { refusal } = choice {
            bail!("{refusal}");
        }
        if settings.native_tokens.is_some() {
            bail!(
                "native_tokens.enabled: the database has no tables for such tokens, or not all of ours; run `countersign migrate`"
            );
        }
        settings.apps.countersign = false;
        settings.sessions = None;
        Ok(false)
    }

    /// Whether there is a table of events, if one is wanted.
    ///
    /// # Errors
    /// The refusal, if it is demanded and not there; or the database cannot be read.
    pub(crate) async fn settle_events(
        &self,
        store: &Store,
        choice: &OwnTables,
        settings: &mut Settings,
    ) -> anyhow::Result<()> {
        if *choice == OwnTables::Off {
            return Ok(());
        }
        if store.migration_state().await?.has_own_tables() {
            settings.apps.countersign = true;
            settings.audit.table = true;
        } else if let OwnTables::Demanded { refusal } = choice {
            bail!("{refusal}");
        }
        Ok(())
    }

    /// The store of a server: with the users, every table that `apps` needs, and every statement understood by the database.
    pub(crate) async fn checked(&self, store: &Store, apps: &InstalledApps) -> anyhow::Result<Store> {
        let mut needed = Vec::new();
        if self.users.is_none() {
            needed.push(("auth_user", "django.contrib.auth"));
        }
        if apps.authtoken {
            needed.push((AUTHTOKEN_TABLE, "rest_framework.authtoken"));
        }
        if apps.token_blacklist {
            needed.push(("token_blacklist_outstandingtoken", "rest_framework_simplejwt.token_blacklist"));
            needed.push(("token_blacklist_blacklistedtoken", "rest_framework_simplejwt.token_blacklist"));
        }
        if apps.knox {
            needed.push(("knox_authtoken", "knox"));
        }
        if apps.sessions {
            needed.push(("django_session", "django.contrib.sessions"));
        }
        for (table, app) in needed {
            if !store.has_table(table).await? {
                bail!(
                    "the database has no table {table} ({app}); run `countersign migrate`, or take the app out of installed_apps"
                );
            }
        }
        let store = self.with_users(store).await?;
        store.check_statements(apps).await.context("the database does not fit")?;
        Ok(store)
    }

    /// The same database with the users that are configured.
    pub(crate) async fn with_users(&self, store: &Store) -> anyhow::Result<Store> {
        let mapping = self.users.clone().unwrap_or_default();
        let place = if self.users.is_some() { "[users]" } else { "the database does not fit" };
        store.with_users(&mapping).await.context(place)
    }

    fn options(&self, create: bool) -> StoreOptions {
        StoreOptions { create, postgres: self.postgres.clone(), ..StoreOptions::default() }
    }
}
