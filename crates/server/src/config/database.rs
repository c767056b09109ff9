//! `database_url`, `[postgresql]` and `[users]`.

use countersign_store::{ColumnChoice, IdType, PostgresOptions, TableName, UserMapping, UsernameLookup};

use super::ConfigError;
use super::raw::{Nullable, RawUsers};
use super::resolve::{one_of, timeout};
use super::source::Source;
use crate::database::Database;

pub(super) fn database(source: &Source) -> Result<Database, ConfigError> {
    let raw = &source.raw;
    let given = one_of(source, "database_url", raw.database_url.as_ref(), raw.database_url_file.as_deref())?;
    let (key, text) = given.ok_or_else(|| {
        let problem =
            "is missing; write for example database_url = \"sqlite:db.sqlite3\" or \"postgresql://user@host/name\"";
        source.error("database_url", problem)
    })?;
    Ok(Database {
        url: text.parse().map_err(|error| source.error(&key, error))?,
        postgres: postgres(source)?,
        users: raw.users.as_ref().map(|users| mapping(source, users)).transpose()?,
    })
}

/// The name of the login field at SimpleJWT's views: `USERNAME_FIELD`.
pub(super) fn username_field(source: &Source) -> Result<String, ConfigError> {
    let Some(users) = &source.raw.users else { return Ok("username".to_owned()) };
    let name = users.username_field.as_ref().or(users.username.as_ref());
    match name.map(String::as_str) {
        Some("") => Err(source.error("users.username_field", "must not be empty")),
        Some(name) => Ok(name.to_owned()),
        None => Ok("username".to_owned()),
    }
}

fn postgres(source: &Source) -> Result<PostgresOptions, ConfigError> {
    let raw = &source.raw.postgresql;
    let defaults = PostgresOptions::default();
    let count = |name: &str, given: Option<usize>, default: usize| match given {
        Some(count) if !(1..=1000).contains(&count) => {
            Err(source.error(&format!("postgresql.{name}"), "must lie between 1 and 1000"))
        }
        given => Ok(given.unwrap_or(default)),
    };
    let seconds = |default: std::time::Duration| default.as_secs();
    Ok(PostgresOptions {
        connect_timeout: timeout(
            source,
            "postgresql.connect_timeout",
            raw.connect_timeout,
            seconds(defaults.connect_timeout),
        )?,
        statement_timeout: timeout(
            source,
            "postgresql.statement_timeout",
            raw.statement_timeout,
            seconds(defaults.statement_timeout),
        )?,
        read_connections: count("read_connections", raw.read_connections, defaults.read_connections)?,
        write_connections: count("write_connections", raw.write_connections, defaults.write_connections)?,
        pgbouncer: raw.pgbouncer.unwrap_or(defaults.pgbouncer),
    })
}

fn mapping(source: &Source, raw: &RawUsers) -> Result<UserMapping, ConfigError> {
    let name = |key: &str, given: &Option<String>, default: &str| match given.as_deref() {
        Some("") => Err(source.error(&format!("users.{key}"), "must not be empty")),
        given => Ok(given.unwrap_or(default).to_owned()),
    };
    let mut mapping = match &raw.table {
        None if raw.schema.is_none() => UserMapping::default(),
        table => UserMapping::of(TableName {
            schema: raw.schema.as_ref().map(|schema| name("schema", &Some(schema.clone()), "")).transpose()?,
            name: name("table", table, "auth_user")?,
        }),
    };
    mapping.id = name("id", &raw.id, &mapping.id)?;
    mapping.username = name("username", &raw.username, &mapping.username)?;
    mapping.password = name("password", &raw.password, &mapping.password)?;
    if let Some(text) = &raw.id_type {
        let id_type: Result<IdType, ()> = text.parse();
        mapping.id_type = Some(id_type.map_err(|()| {
            source.error("users.id_type", format!("\"{text}\" is no key; use integer, bigint, uuid or text"))
        })?);
    }
    if let Some(text) = &raw.username_lookup {
        mapping.username_lookup = match text.as_str() {
            "exact" => UsernameLookup::Exact,
            "iexact" => UsernameLookup::IgnoreCase,
            _ => {
                return Err(
                    source.error("users.username_lookup", format!("\"{text}\" is unknown; use exact or iexact"))
                );
            }
        };
    }
    for (key, given, field) in [
        ("is_active", &raw.is_active, &mut mapping.is_active),
        ("is_staff", &raw.is_staff, &mut mapping.is_staff),
        ("is_superuser", &raw.is_superuser, &mut mapping.is_superuser),
        ("last_login", &raw.last_login, &mut mapping.last_login),
        ("date_joined", &raw.date_joined, &mut mapping.date_joined),
        ("email", &raw.email, &mut mapping.email),
        ("first_name", &raw.first_name, &mut mapping.first_name),
        ("last_name", &raw.last_name, &mut mapping.last_name),
        ("groups", &raw.groups, &mut mapping.groups),
        ("user_permissions", &raw.user_permissions, &mut mapping.user_permissions),
    ] {
        *field = match given {
            None => continue,
            Some(Nullable::Off(false)) => ColumnChoice::Absent,
            Some(Nullable::Name(name)) if !name.is_empty() => ColumnChoice::Named(name.clone()),
            Some(_) => return Err(source.error(&format!("users.{key}"), "must be a name, or false if there is none")),
        };
    }
    Ok(mapping)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const BASE: &str =
        "secret_key = \"0123456789012345678901234567890123456789\"\ndatabase_url = \"postgresql://ann:hunter2@h/x\"\n";

    #[test]
    fn errors_name_line_key_and_fix() {
        for (text, expected) in [
            ("[users]\nid_type = \"number\"", "countersign.toml:4: users.id_type: \"number\" is no key; use integer,"),
            ("[users]\nis_active = true", "countersign.toml:4: users.is_active: must be a name, or false"),
            ("[users]\nusername_lookup = \"like\"", "countersign.toml:4: users.username_lookup: \"like\" is unknown"),
            (
                "[users]\nusernam = \"x\"",
                "countersign.toml:4: users.usernam: unknown key \"usernam\"; did you mean \"username\"?",
            ),
            ("[users]\ntable = \"\"", "countersign.toml:4: users.table: must not be empty"),
            ("[postgresql]\nread_connections = 0", "countersign.toml:4: postgresql.read_connections: must lie between"),
            ("[postgresql]\nstatement_timeout = 0", "countersign.toml:4: postgresql.statement_timeout: must be longer"),
            ("database_url_file = \"f\"", "countersign.toml:3: database_url_file: database_url is set as well"),
        ] {
            let refusal = Config::from_text(&format!("{BASE}{text}")).expect_err(text).to_string();
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }

    #[test]
    fn s2_a_password_in_the_address_is_not_shown() {
        let text = "secret_key = \"k\"\ndatabase_url = \"postgresql://ann:hunter2@h:x/db\"\n";
        let refusal = Config::from_text(text).expect_err("no port").to_string();
        assert!(refusal.starts_with("countersign.toml:2: database_url: ") && !refusal.contains("hunter2"), "{refusal}");
        let config = Config::from_text(BASE).expect("an address");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn the_address_can_stand_in_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("database_url");
        std::fs::write(&file, "postgresql://ann:hunter2@h/x\n").expect("written");
        let text = format!(
            "secret_key = \"k\"\ndatabase_url_file = {file:?}\n[users]\ntable = \"people\"\nusername = \"email\"\n"
        );
        let config = Config::from_text(&text).expect("accepted");
        assert_eq!(config.database.url.to_string(), "postgresql://ann@h:5432/x");
        assert_eq!(config.settings.username_field, "email");
    }
}
