//! Tables that refer to users, made for a user model of the project's own: another table, another key, and constraints under the
//! names Django would give them.

use std::borrow::Cow;

use crate::IdType;
use crate::driver::quoted;
use crate::user_table::UserTable;

/// Longest name of anything in PostgreSQL, in bytes.
const LONGEST_NAME: usize = 63;

/// The schema, with what refers to `auth_user` referring to this table.
pub(super) fn onto<'s>(users: &UserTable, schema: &'s str) -> Cow<'s, str> {
    if users.is_stock() && users.table.schema.is_none() && matches!(users.id_type, IdType::Integer | IdType::BigInteger)
    {
        // Django's own table; in SQLite its key has 64 bits and is called integer all the same.
        return Cow::Borrowed(schema);
    }
    let lines = schema.lines().map(|line| {
        if line.starts_with("ALTER TABLE") {
            postgres_constraint(users, line)
        } else {
            line.replace(
                "\"user_id\" integer NOT NULL UNIQUE REFERENCES \"auth_user\" (\"id\")",
                &format!("\"user_id\" {} NOT NULL UNIQUE REFERENCES {}", sqlite_type(users.id_type), referred(users)),
            )
            .replace(
                "\"user_id\" integer NOT NULL REFERENCES \"auth_user\" (\"id\")",
                &format!("\"user_id\" {} NOT NULL REFERENCES {}", sqlite_type(users.id_type), referred(users)),
            )
            .replace(
                "\"user_id\" integer NULL REFERENCES \"auth_user\" (\"id\")",
                &format!("\"user_id\" {} NULL REFERENCES {}", sqlite_type(users.id_type), referred(users)),
            )
            .replace("    \"user_id\" integer", &format!("    \"user_id\" {}", postgres_type(users.id_type)))
        }
    });
    Cow::Owned(lines.collect::<Vec<String>>().join("\n"))
}

/// `"table" ("id")`.
fn referred(users: &UserTable) -> String {
    format!("{} ({})", users.quoted(), quoted(&users.id))
}

const fn sqlite_type(id_type: IdType) -> &'static str {
    match id_type {
        IdType::Integer => "integer",
        IdType::BigInteger => "bigint",
        IdType::Uuid => "char(32)",
        IdType::Text => "varchar(255)",
    }
}

const fn postgres_type(id_type: IdType) -> &'static str {
    match id_type {
        IdType::Integer => "integer",
        IdType::BigInteger => "bigint",
        IdType::Uuid => "uuid",
        IdType::Text => "character varying(255)",
    }
}

/// `ALTER TABLE "t" ADD CONSTRAINT "name" FOREIGN KEY (user_id) REFERENCES auth_user(id) …` onto another table.
fn postgres_constraint(users: &UserTable, line: &str) -> String {
    let parts = line.split('"').collect::<Vec<&str>>();
    let (Some(table), Some(name)) = (parts.get(1), parts.get(3)) else { return line.to_owned() };
    if !line.contains("REFERENCES auth_user(id)") {
        return line.to_owned();
    }
    let digest = name.split('_').find(|part| part.len() == 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let new_name = constraint_name(table, digest.unwrap_or_default(), &users.table.name, &users.id);
    line.replace(&format!("\"{name}\""), &quoted(&new_name))
        .replace("REFERENCES auth_user(id)", &format!("REFERENCES {}", referred(users).replace(" (", "(")))
}

/// Django 5.2 `BaseDatabaseSchemaEditor._create_index_name` for the foreign key of `user_id`; the digest is of table and column.
fn constraint_name(table: &str, digest: &str, to_table: &str, to_column: &str) -> String {
    // A `db_table` with quotes in it (`schema"."table`) gives Django the part after the last dot.
    let to_table = to_table.rsplit('.').next().unwrap_or(to_table).trim_matches('"');
    let mut suffix = format!("{digest}_fk_{to_table}_{to_column}");
    let whole = format!("{table}_user_id_{suffix}");
    if whole.len() <= LONGEST_NAME {
        return whole;
    }
    suffix.truncate(LONGEST_NAME / 3);
    let other = (LONGEST_NAME - suffix.len()) / 2 - 1;
    let cut = |text: &str| text.chars().take(other).collect::<String>();
    format!("{}_{}_{suffix}", cut(table), cut("user_id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TableName, UserMapping};

    #[test]
    fn constraints_have_djangos_names() {
        // As in the recorded schema.
        for (table, digest, expected) in [
            ("authtoken_token", "35299eff", "authtoken_token_user_id_35299eff_fk_auth_user_id"),
            ("token_blacklist_outstandingtoken", "83bc629a", "token_blacklist_outs_user_id_83bc629a_fk_auth_user"),
        ] {
            assert_eq!(constraint_name(table, digest, "auth_user", "id"), expected);
        }
    }

    #[test]
    fn references_follow_the_user_model() {
        let table = TableName { schema: Some("people".to_owned()), name: "person".to_owned() };
        let mapping = UserMapping { id: "key".to_owned(), id_type: Some(IdType::Uuid), ..UserMapping::of(table) };
        let users = UserTable::for_tests(&mapping);
        let adapted = onto(&users, include_str!("../../migrations/postgres/0005_authtoken.sql"));
        assert!(adapted.contains("    \"user_id\" uuid NOT NULL"), "{adapted}");
        assert!(
            adapted
                .contains("_35299eff_fk_person_key\" FOREIGN KEY (user_id) REFERENCES \"people\".\"person\"(\"key\")"),
            "{adapted}"
        );
        let adapted = onto(&users, include_str!("../../migrations/sqlite/0006_token_blacklist.sql"));
        assert!(adapted.contains("\"user_id\" char(32) NULL REFERENCES \"people\".\"person\" (\"key\")"), "{adapted}");
    }
}
