//! `migrate`: Django's tables, made as Django makes them and recorded under Django's names, or taken as found.
//!
//! A table that Django made is never altered. What is there decides: an application whose migrations are recorded and whose
//! tables exist is adopted; one of which there is no trace is created as a whole; anything between is refused with a reason.
//! Afterwards Django's own `migrate --check` has nothing to do.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::driver::{Sharing, Transaction};
use crate::user_table::{STOCK_TABLE, UserTable};
use crate::value::Row;
use crate::{Store, StoreError};

mod apps;
mod foreign_keys;
mod own;

use apps::{APPS, App, MIGRATIONS_SCHEMA, MIGRATIONS_TABLE};
pub(crate) use own::OWN;
use own::OwnMigration;

/// What Django recorded; the whole table, some dozens of rows, at start and in `migrate` only.
const MIGRATIONS: &str = "SELECT app, name FROM django_migrations";

/// One migration applied.
const MIGRATIONS_RECORD: &str = "INSERT INTO django_migrations (app, name, applied) VALUES ($1, $2, $3)";

/// A content type, unless it is there: unique index of (`app_label`, `model`).
const CONTENT_TYPE: &str = "
    INSERT INTO django_content_type (app_label, model) VALUES ($1, $2)
    ON CONFLICT (app_label, model) DO NOTHING";

/// A permission, unless it is there: unique indexes of (`app_label`, `model`) and (`content_type_id`, `codename`).
const PERMISSION: &str = "
    INSERT INTO auth_permission (content_type_id, codename, name)
    SELECT c.id, $1, $2 FROM django_content_type c WHERE c.app_label = $3 AND c.model = $4
    ON CONFLICT (content_type_id, codename) DO NOTHING";

/// Which optional Django applications the database has, or is to have.
///
/// `contenttypes` and `auth` always belong to it. An empty database also gets `admin` and `sessions`, so that a Django project as
/// `startproject` makes it finds its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstalledApps {
    /// `rest_framework.authtoken`.
    pub authtoken: bool,
    /// `rest_framework_simplejwt.token_blacklist`.
    pub token_blacklist: bool,
    /// `django.contrib.sessions`.
    pub sessions: bool,
    /// `knox`.
    pub knox: bool,
    /// Our own tables: sessions and what belongs to them. Django passes over them.
    pub countersign: bool,
}

impl Default for InstalledApps {
    /// `authtoken`, `token_blacklist` and our own.
    fn default() -> Self {
        Self { authtoken: true, token_blacklist: true, sessions: false, knox: false, countersign: true }
    }
}

/// What [`Store::migrate`] did, by application label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrateReport {
    /// Created now.
    pub created: Vec<&'static str>,
    /// Asked for and there already.
    pub adopted: Vec<&'static str>,
}

/// What the database has of the applications this crate knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationState {
    /// Label and state of each, in the order in which they are created.
    pub apps: Vec<(&'static str, AppState)>,
}

/// What the database has of one application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppState {
    /// No trace of it.
    Absent,
    /// Usable.
    Applied {
        /// Migrations of current releases that are not recorded; they change nothing that matters here.
        pending: Vec<&'static str>,
    },
    /// Our own tables, as an earlier release left them.
    Behind {
        /// What [`Store::migrate`] has still to do.
        pending: Vec<&'static str>,
    },
    /// Something between, with what was found and what to do.
    Conflict(String),
}

impl Store {
    /// Brings the database to where `apps` are usable, in one transaction; does nothing the second time. `now` becomes the date of
    /// the recorded migrations.
    ///
    /// # Errors
    /// [`StoreError::MigrationConflict`] on tables without records, records without tables, or migrations applied in part; then
    /// nothing was changed.
    pub async fn migrate(&self, apps: &InstalledApps, now: Timestamp) -> Result<MigrateReport, StoreError> {
        let (asked, users) = (*apps, Arc::clone(self.users()));
        self.driver()
            .transaction(Sharing::Alone, move |mut transaction| {
                Box::pin(async move { migrate(&mut transaction, &users, asked, now).await })
            })
            .await
    }

    /// What is applied and what is missing, without changing anything.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn migration_state(&self) -> Result<MigrationState, StoreError> {
        let tables: HashSet<String> = self.driver().tables().await?.into_iter().collect();
        let rows = if tables.contains(MIGRATIONS_TABLE) {
            self.driver().query(MIGRATIONS, &[], migration).await?
        } else {
            Vec::new()
        };
        Ok(inspect(&tables, &rows, self.users()))
    }
}

impl MigrationState {
    /// The state of one application; `None` for a label this crate does not know.
    pub fn of(&self, label: &str) -> Option<&AppState> {
        self.apps.iter().find(|(known, _)| *known == label).map(|(_, state)| state)
    }

    /// Labels of the applications that `apps` asks for and the database does not have in a usable state.
    pub fn missing(&self, apps: &InstalledApps) -> Vec<&'static str> {
        self.apps
            .iter()
            .filter(|(label, state)| apps.asks_for(label) && !matches!(state, AppState::Applied { .. }))
            .map(|(label, _)| *label)
            .collect()
    }

    /// Whether all of our own tables are there, as this release has them.
    pub fn has_own_tables(&self) -> bool {
        matches!(self.of(own::LABEL), Some(AppState::Applied { .. }))
    }

    /// Whether there is no trace of any of them.
    pub fn is_empty(&self) -> bool {
        self.apps.iter().all(|(_, state)| *state == AppState::Absent)
    }
}

impl InstalledApps {
    fn asks_for(self, label: &str) -> bool {
        match label {
            "contenttypes" | "auth" => true,
            "authtoken" => self.authtoken,
            "token_blacklist" => self.token_blacklist,
            "sessions" => self.sessions,
            "knox" => self.knox,
            own::LABEL => self.countersign,
            _ => false,
        }
    }
}

/// The statements of this file, for the tests.
#[cfg(test)]
pub(crate) fn statements() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        ("MIGRATIONS", MIGRATIONS),
        ("MIGRATIONS_RECORD", MIGRATIONS_RECORD),
        ("CONTENT_TYPE", CONTENT_TYPE),
        ("PERMISSION", PERMISSION),
    ]
    .into_iter()
}

fn migration(row: &Row<'_>) -> Result<(String, String), StoreError> {
    Ok((row.text(0)?, row.text(1)?))
}

async fn migrate(
    transaction: &mut Transaction<'_>,
    users: &UserTable,
    asked: InstalledApps,
    now: Timestamp,
) -> Result<MigrateReport, StoreError> {
    transaction.lock_schema().await?;
    let tables: HashSet<String> = transaction.tables().await?.into_iter().collect();
    let recorded = tables.contains(MIGRATIONS_TABLE);
    let rows = if recorded { transaction.query(MIGRATIONS, &[], migration).await? } else { Vec::new() };
    let state = inspect(&tables, &rows, users);

    let Plan { absent, adopted, ours } = plan(&state, asked)?;
    if !users.is_stock() && absent.iter().any(|app| app.label == "auth") {
        let problem = format!(
            "its users are to be those of {}, which the project's own `manage.py migrate` must make first",
            users.table
        );
        return Err(StoreError::MigrationConflict { app: "auth", problem });
    }
    if !recorded {
        transaction.script(MIGRATIONS_SCHEMA, Cow::Borrowed).await?;
    }
    for app in &absent {
        transaction.script(app.schema, |schema| foreign_keys::onto(users, schema)).await?;
        for name in app.migrations {
            transaction.execute(MIGRATIONS_RECORD, &[app.label.into(), (*name).into(), now.into()]).await?;
        }
    }
    // After all tables, as Django does: content types of the first applications need no later table, permissions do.
    for app in &absent {
        for (model, verbose_name) in app.models {
            add_model(transaction, app.label, model, verbose_name).await?;
        }
    }
    let mut created: Vec<&'static str> = absent.iter().map(|app| app.label).collect();
    if !ours.is_empty() {
        created.push(own::LABEL);
    }
    for migration in ours {
        transaction.script(migration.schema, Cow::Borrowed).await?;
        transaction.execute(MIGRATIONS_RECORD, &[own::LABEL.into(), migration.name.into(), now.into()]).await?;
    }
    Ok(MigrateReport { created, adopted })
}

/// Content type and permissions of one model (Django 5.2 `create_contenttypes`, `create_permissions`).
async fn add_model(
    transaction: &mut Transaction<'_>,
    label: &str,
    model: &str,
    verbose_name: &str,
) -> Result<(), StoreError> {
    transaction.execute(CONTENT_TYPE, &[label.into(), model.into()]).await?;
    for action in ["add", "change", "delete", "view"] {
        let codename = format!("{action}_{model}");
        let name = format!("Can {action} {verbose_name}");
        let values = [codename.as_str().into(), name.as_str().into(), label.into(), model.into()];
        transaction.execute(PERMISSION, &values).await?;
    }
    Ok(())
}

/// What to create and what is there, of the applications asked for.
struct Plan {
    absent: Vec<&'static App>,
    adopted: Vec<&'static str>,
    ours: Vec<&'static OwnMigration>,
}

fn plan(state: &MigrationState, asked: InstalledApps) -> Result<Plan, StoreError> {
    let empty = state.is_empty();
    let (mut absent, mut adopted, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for (app, (label, state)) in APPS.iter().zip(&state.apps) {
        let for_a_new_project = empty && matches!(*label, "admin" | "sessions");
        if !asked.asks_for(label) && !for_a_new_project {
            continue;
        }
        match state {
            AppState::Absent => absent.push(app),
            AppState::Applied { .. } | AppState::Behind { .. } => adopted.push(*label),
            AppState::Conflict(problem) => {
                return Err(StoreError::MigrationConflict { app: label, problem: problem.clone() });
            }
        }
    }
    if asked.countersign {
        match state.of(own::LABEL) {
            Some(AppState::Conflict(problem)) => {
                return Err(StoreError::MigrationConflict { app: own::LABEL, problem: problem.clone() });
            }
            Some(AppState::Applied { .. }) => adopted.push(own::LABEL),
            Some(AppState::Behind { pending }) => {
                ours.extend(OWN.iter().filter(|migration| pending.contains(&migration.name)));
            }
            Some(AppState::Absent) | None => ours.extend(OWN),
        }
    }
    Ok(Plan { absent, adopted, ours })
}

fn inspect(tables: &HashSet<String>, rows: &[(String, String)], users: &UserTable) -> MigrationState {
    let mut apps: Vec<_> = APPS.iter().map(|app| (app.label, inspect_app(app, tables, rows, users))).collect();
    apps.push((own::LABEL, own::inspect(tables, &names_of(rows, own::LABEL))));
    MigrationState { apps }
}

/// The migrations recorded for an application.
fn names_of<'r>(rows: &'r [(String, String)], label: &str) -> HashSet<&'r str> {
    rows.iter().filter(|(recorded, _)| recorded == label).map(|(_, name)| name.as_str()).collect()
}

fn inspect_app(app: &App, tables: &HashSet<String>, rows: &[(String, String)], users: &UserTable) -> AppState {
    let names = names_of(rows, app.label);
    // With a user model of the project's own Django makes none of `auth`'s tables of users.
    let (there, not_there): (Vec<&str>, Vec<&str>) = app
        .tables
        .iter()
        .copied()
        .filter(|table| users.is_stock() || !table.starts_with(STOCK_TABLE))
        .partition(|table| tables.contains(*table));
    let pending: Vec<&'static str> = app.migrations.iter().copied().filter(|name| !names.contains(name)).collect();
    let needed_is_missing = app.migrations[..app.needed].iter().any(|name| !names.contains(name));

    if names.is_empty() && there.is_empty() {
        AppState::Absent
    } else if names.is_empty() {
        AppState::Conflict(format!(
            "table {} exists, but {MIGRATIONS_TABLE} says nothing of {}; it was not made by Django's migrate",
            there.join(", "),
            app.label
        ))
    } else if app.label == "auth" && not_there.contains(&"auth_user") && there.contains(&"auth_permission") {
        AppState::Conflict(
            "there is no table auth_user: the project has a user model of its own; describe it under [users], or let \
             `countersign adopt` do so"
                .to_owned(),
        )
    } else if !not_there.is_empty() {
        AppState::Conflict(format!(
            "{MIGRATIONS_TABLE} says that {} is applied, but table {} does not exist",
            app.label,
            not_there.join(", ")
        ))
    } else if needed_is_missing {
        AppState::Conflict(format!(
            "it is applied in part ({} missing); let Django's own `manage.py migrate` finish it",
            pending.join(", ")
        ))
    } else {
        AppState::Applied { pending }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UserMapping;

    fn state(tables: &[&str], rows: &[(&str, &str)]) -> MigrationState {
        let tables = tables.iter().map(ToString::to_string).collect();
        let rows: Vec<_> = rows.iter().map(|(app, name)| ((*app).to_owned(), (*name).to_owned())).collect();
        inspect(&tables, &rows, &UserTable::for_tests(&UserMapping::default()))
    }

    fn applied(apps: &[&str]) -> (Vec<&'static str>, Vec<(&'static str, &'static str)>) {
        let chosen: Vec<&App> = APPS.iter().filter(|app| apps.contains(&app.label)).collect();
        let tables = chosen.iter().flat_map(|app| app.tables).copied().collect();
        let rows = chosen.iter().flat_map(|app| app.migrations.iter().map(|name| (app.label, *name))).collect();
        (tables, rows)
    }

    fn labels(state: &MigrationState, asked: InstalledApps) -> Vec<&'static str> {
        plan(state, asked).expect("a plan").absent.iter().map(|app| app.label).collect()
    }

    #[test]
    fn an_empty_database_gets_what_a_new_project_has() {
        let empty = state(&[], &[]);
        let bare = InstalledApps {
            authtoken: false,
            token_blacklist: false,
            sessions: false,
            knox: false,
            countersign: false,
        };
        assert!(empty.is_empty());
        assert_eq!(labels(&empty, bare), ["contenttypes", "auth", "admin", "sessions"]);
        let default = ["contenttypes", "auth", "admin", "sessions", "authtoken", "token_blacklist"];
        assert_eq!(labels(&empty, InstalledApps::default()), default);
    }

    #[test]
    fn a_database_of_djangos_gets_only_what_is_asked() {
        let (tables, rows) = applied(&["contenttypes", "auth", "authtoken"]);
        let state = state(&tables, &rows);
        assert_eq!(state.missing(&InstalledApps::default()), ["token_blacklist", "countersign"]);
        assert_eq!(labels(&state, InstalledApps::default()), ["token_blacklist"]);
        assert_eq!(state.of("sessions"), Some(&AppState::Absent));
    }

    #[test]
    fn an_earlier_release_is_taken_as_found() {
        let (tables, mut rows) = applied(&["contenttypes", "auth", "token_blacklist"]);
        rows.retain(|(_, name)| *name != "0013_alter_blacklistedtoken_options_and_more");
        let state = state(&tables, &rows);
        let pending = vec!["0013_alter_blacklistedtoken_options_and_more"];
        assert_eq!(state.of("token_blacklist"), Some(&AppState::Applied { pending }));
    }

    #[test]
    fn anything_between_is_refused() {
        let (tables, rows) = applied(&["contenttypes", "auth"]);
        let with_stray_table = [&tables[..], &["authtoken_token"]].concat();
        let stray = state(&with_stray_table, &rows);
        let refusal = plan(&stray, InstalledApps::default()).err().expect("tables without rows").to_string();
        assert!(refusal.starts_with("cannot migrate authtoken: table authtoken_token exists, but"), "{refusal}");

        let with_stray_rows = [&rows[..], &[("token_blacklist", "0001_initial")]].concat();
        let stray = state(&tables, &with_stray_rows);
        let refusal = plan(&stray, InstalledApps::default()).err().expect("rows without tables").to_string();
        assert!(refusal.contains("table token_blacklist_outstandingtoken"), "{refusal}");

        let (tables, mut rows) = applied(&["contenttypes", "auth", "token_blacklist"]);
        rows.retain(|(app, name)| *app != "token_blacklist" || *name < "0005");
        let half = state(&tables, &rows);
        let refusal = plan(&half, InstalledApps::default()).err().expect("half applied").to_string();
        assert!(refusal.contains("applied in part"), "{refusal}");

        let (mut tables, rows) = applied(&["contenttypes", "auth"]);
        tables.retain(|table| !table.starts_with("auth_user"));
        let custom = state(&tables, &rows);
        let refusal = plan(&custom, InstalledApps::default()).err().expect("custom user model").to_string();
        assert!(refusal.contains("user model of its own"), "{refusal}");
    }

    #[test]
    fn our_own_tables_grow_with_us() {
        let (mut tables, mut rows) = applied(&["contenttypes", "auth", "authtoken", "token_blacklist"]);
        let ours = |state: &MigrationState| -> Vec<&'static str> {
            plan(state, InstalledApps::default()).expect("a plan").ours.iter().map(|migration| migration.name).collect()
        };
        assert_eq!(ours(&state(&tables, &rows)), OWN.iter().map(|migration| migration.name).collect::<Vec<_>>());
        let (first, later) = OWN.split_first().expect("one at least");
        tables.extend(first.tables);
        let refusal = plan(&state(&tables, &rows), InstalledApps::default()).err().expect("a conflict").to_string();
        assert!(refusal.contains("table countersign_session exists, but django_migrations says nothing"), "{refusal}");
        rows.push((own::LABEL, first.name));
        assert_eq!(ours(&state(&tables, &rows)), later.iter().map(|migration| migration.name).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_not_asked_does_not_matter() {
        let (tables, rows) = applied(&["contenttypes", "auth"]);
        let with_stray_table = [&tables[..], &["knox_authtoken"]].concat();
        let stray = state(&with_stray_table, &rows);
        assert_eq!(labels(&stray, InstalledApps::default()), ["authtoken", "token_blacklist"]);
    }
}
