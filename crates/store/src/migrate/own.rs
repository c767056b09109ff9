//! Our own tables, recorded in `django_migrations` under an application that Django does not know and therefore passes over.
//!
//! Unlike Django's they grow with us: a later migration is a file and an entry here, and `migrate` runs those that are not yet
//! recorded, in their order. None refers to a table of Django's, so that nothing Django deletes can fail on them.

use std::collections::HashSet;

use super::{AppState, MIGRATIONS_TABLE};
use crate::driver::Script;

/// The application's label.
pub(crate) const LABEL: &str = "countersign";

/// One step.
#[derive(Debug)]
pub(crate) struct OwnMigration {
    /// Its name in `django_migrations`.
    pub(crate) name: &'static str,
    /// The tables it makes.
    pub(crate) tables: &'static [&'static str],
    pub(crate) schema: Script,
}

macro_rules! own {
    ($name:literal, $tables:expr) => {
        OwnMigration {
            name: $name,
            tables: &$tables,
            schema: Script {
                sqlite: include_str!(concat!("../../migrations/sqlite/countersign_", $name, ".sql")),
                postgres: include_str!(concat!("../../migrations/postgres/countersign_", $name, ".sql")),
            },
        }
    };
}

/// In their order.
pub(crate) static OWN: &[OwnMigration] = &[
    own!("0001_sessions", ["countersign_session", "countersign_rotation"]),
    own!("0002_revocation", ["countersign_revocation"]),
    own!("0003_events", ["countersign_event"]),
    own!("0004_devices", ["countersign_token", "countersign_device"]),
    own!("0005_keys", ["countersign_key", "countersign_key_use"]),
];

/// What the database has of them; `recorded` are the names that [`LABEL`] has in `django_migrations`.
pub(super) fn inspect(tables: &HashSet<String>, recorded: &HashSet<&str>) -> AppState {
    let mut pending = Vec::new();
    for migration in OWN {
        let is_recorded = recorded.contains(migration.name);
        if let Some(table) = migration.tables.iter().find(|table| tables.contains(**table) != is_recorded) {
            return AppState::Conflict(if is_recorded {
                format!(
                    "{MIGRATIONS_TABLE} says that {LABEL} {} is applied, but table {table} does not exist",
                    migration.name
                )
            } else {
                format!("table {table} exists, but {MIGRATIONS_TABLE} says nothing of {LABEL} {}", migration.name)
            });
        }
        if !is_recorded {
            pending.push(migration.name);
        }
    }
    match pending.len() {
        0 => AppState::Applied { pending },
        all if all == OWN.len() => AppState::Absent,
        _ => AppState::Behind { pending },
    }
}
