//! Triggers on the users' table and on our own, so that what Django (or anybody) does to a user ends the user's tokens here: a user
//! who is disabled or deleted, or whose password or `USER_ID_FIELD` changes, gets two marks: one for who checks JSON web tokens, which
//! name a user by `USER_ID_FIELD`, and one (`owner`) for rows of ours, which do so by the key.
//!
//! One more on SimpleJWT's blacklist tells of tokens that Django voids ([`Store::voided`]).
//!
//! Nothing that Django does may fail on them. On PostgreSQL they name no column of Django's in their definition, which would keep
//! Django from altering it, read the row as JSON, in which a column may be missing, and take no lock but that of the row they add.
//! On SQLite Django rebuilds a table to alter it, and they are gone: [`Store::has_triggers`] tells.

use std::sync::Arc;

use crate::driver::{Driver, Sharing, Transaction, quoted};
use crate::user_table::UserTable;
use crate::value::Row;
use crate::{IdType, Store, StoreError, UserField};

/// On SQLite, the text of one trigger.
const SQLITE_TRIGGER: &str = "
    SELECT m.sql FROM sqlite_master m WHERE m.type = 'trigger' AND m.name = $1 AND m.tbl_name = $2";

/// On PostgreSQL, the body of the function of one trigger that is switched on.
const POSTGRES_TRIGGER: &str = "
    SELECT p.prosrc
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgname = CAST($1 AS text) AND t.tgrelid = pg_catalog.to_regclass(CAST($2 AS text)) AND t.tgenabled IN ('O', 'A')";

/// On PostgreSQL, the schema of a table.
const SCHEMA: &str = "
    SELECT CAST(n.nspname AS text)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = pg_catalog.to_regclass(CAST($1 AS text))";

/// SimpleJWT's blacklist.
const BLACKLIST: &str = "token_blacklist_blacklistedtoken";

/// One trigger: what it is called, where it is, what it must be, and what makes it so.
struct Trigger {
    name: &'static str,
    /// As the catalogue's statement takes it.
    table: String,
    /// What the catalogue's statement must find.
    text: String,
    install: String,
}

impl Store {
    /// Makes the triggers what this release has them be; tells whether anything was to be done. `subject` is `USER_ID_FIELD`.
    ///
    /// # Errors
    /// If the database cannot be written, on PostgreSQL also when the users' table belongs to another role.
    pub async fn install_triggers(&self, subject: &UserField) -> Result<bool, StoreError> {
        let wanted = self.missing_triggers(subject).await?;
        if wanted.is_empty() {
            return Ok(false);
        }
        self.driver()
            .transaction(Sharing::Alone, move |mut transaction| {
                Box::pin(async move {
                    transaction.lock_schema().await?;
                    for trigger in &wanted {
                        transaction.definition(&trigger.install).await?;
                    }
                    Ok(true)
                })
            })
            .await
    }

    /// Whether every trigger is there, and what this release has it be.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn has_triggers(&self, subject: &UserField) -> Result<bool, StoreError> {
        Ok(self.missing_triggers(subject).await?.is_empty())
    }

    /// Takes the triggers away; tells whether there were any.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn remove_triggers(&self, subject: &UserField) -> Result<bool, StoreError> {
        let mut scripts = Vec::new();
        for trigger in self.triggers(subject).await? {
            if self.found_trigger(&trigger).await?.is_some() {
                scripts.push(match self.driver() {
                    Driver::Sqlite(_) => format!("DROP TRIGGER {}", trigger.name),
                    Driver::Postgres(_) => format!("DROP TRIGGER {} ON {}", trigger.name, trigger.table),
                });
            }
        }
        let were_there = !scripts.is_empty();
        if were_there {
            self.driver()
                .transaction(Sharing::Alone, move |mut transaction| {
                    Box::pin(async move {
                        for script in &scripts {
                            transaction.definition(script).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
        }
        Ok(were_there)
    }

    async fn missing_triggers(&self, subject: &UserField) -> Result<Vec<Trigger>, StoreError> {
        let mut missing = Vec::new();
        for trigger in self.triggers(subject).await? {
            if self.found_trigger(&trigger).await?.as_deref() != Some(&*trigger.text) {
                missing.push(trigger);
            }
        }
        Ok(missing)
    }

    async fn found_trigger(&self, trigger: &Trigger) -> Result<Option<String>, StoreError> {
        let statement = match self.driver() {
            Driver::Sqlite(_) => SQLITE_TRIGGER,
            Driver::Postgres(_) => POSTGRES_TRIGGER,
        };
        let values = [trigger.name.into(), trigger.table.as_str().into()];
        self.driver().query_opt(statement, &values, |row| row.text(0)).await
    }

    async fn triggers(&self, subject: &UserField) -> Result<Vec<Trigger>, StoreError> {
        let users = Arc::clone(self.users());
        match self.driver() {
            Driver::Sqlite(_) => {
                let mut triggers = on_sqlite(&users, subject);
                if self.has_table(BLACKLIST).await? {
                    triggers.push(voided_on_sqlite());
                }
                Ok(triggers)
            }
            Driver::Postgres(_) => {
                let schema = self.schema_of("countersign_revocation").await?.ok_or_else(|| StoreError::Schema {
                    problem: "there is no table countersign_revocation".to_owned(),
                })?;
                let mut triggers = on_postgres(&users, subject, &schema);
                triggers.extend(self.schema_of(BLACKLIST).await?.map(|tokens| voided_on_postgres(&schema, &tokens)));
                Ok(triggers)
            }
        }
    }
}

impl Store {
    /// On PostgreSQL, the schema in which a table is found, quoted.
    async fn schema_of(&self, table: &str) -> Result<Option<String>, StoreError> {
        let schema = self.driver().query_opt(SCHEMA, &[table.into()], |row: &Row<'_>| row.text(0)).await?;
        Ok(schema.map(|schema| quoted(&schema)))
    }
}

impl Transaction<'_> {
    /// Runs one definition of ours.
    async fn definition(&mut self, text: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(text).map_err(crate::driver::sqlite::error),
            Self::Postgres(session) => session.script(text).await,
        }
    }
}

/// SQLite 3.31 and later, whichever the writing program brings: a trigger is run by whoever changes the row.
fn on_sqlite(users: &UserTable, subject: &UserField) -> Vec<Trigger> {
    let table = users.quoted();
    let (user, name) = (as_text(&users.id, users.id_type), as_text(subject.name(), subject.id_type()));
    let changed = |column: &str| format!("OLD.{0} IS NOT NEW.{0}", quoted(column));
    let mut conditions = vec![
        format!(
            "({} AND NOT EXISTS (SELECT 1 FROM countersign_revocation e WHERE e.kind = 'rehash' AND e.subject = {user}))",
            changed(&users.password)
        ),
        changed(subject.name()),
        changed(&users.id),
    ];
    conditions.dedup();
    if let Some(active) = &users.is_active {
        conditions.push(format!("(OLD.{0} AND NOT coalesce(NEW.{0}, 0))", quoted(active)));
    }
    let newest = |table: &str| {
        format!(
            "coalesce((SELECT CAST((julianday(max(f.created_at)) - 2440587.5) * 86400000.0 AS integer) + 1
              FROM {table} f WHERE f.user_id = {user}), 0)"
        )
    };
    let insert = format!(
        "INSERT INTO countersign_revocation (kind, subject, not_before)
  SELECT who.kind, who.subject, max(
    CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS integer),
    {},
    {}
  )
  FROM (SELECT 'owner' AS kind, {user} AS subject UNION ALL SELECT 'user', coalesce({name}, 'None')) AS who",
        newest("countersign_session"),
        newest("countersign_token")
    );
    let definitions = [
        ("countersign_user_changed", "UPDATE", format!("\n  WHERE {}", conditions.join("\n    OR "))),
        ("countersign_user_deleted", "DELETE", String::new()),
    ];
    definitions
        .into_iter()
        .map(|(name, event, condition)| {
            let text = format!(
                "CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW BEGIN\n  {insert}{condition};\nEND"
            );
            let install = format!("DROP TRIGGER IF EXISTS {name};\n{text};");
            Trigger { name, table: users.table.name.clone(), text, install }
        })
        .collect()
}

/// A mark for each token that somebody else than us voids. What we exchange has its rotation written just before, at the same instant.
/// The trigger names no table of Django's, which would keep Django from rebuilding that.
fn voided_on_sqlite() -> Trigger {
    let name = "countersign_token_voided";
    let text = format!(
        "CREATE TRIGGER {name} AFTER INSERT ON \"{BLACKLIST}\" FOR EACH ROW
  WHEN NEW.blacklisted_at IS NOT (SELECT r.rotated_at FROM countersign_rotation r ORDER BY r.rowid DESC LIMIT 1) BEGIN
  INSERT INTO countersign_revocation (kind, subject, not_before)
  VALUES ('void', CAST(NEW.token_id AS text), CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS integer));
END"
    );
    Trigger { name, table: BLACKLIST.to_owned(), install: format!("DROP TRIGGER IF EXISTS {name};\n{text};"), text }
}

/// The same on PostgreSQL, where our connections say that they are ours; behind PgBouncer, which keeps that from the server, the rotation
/// of what we exchange tells.
fn voided_on_postgres(schema: &str, tokens: &str) -> Trigger {
    let name = "countersign_token_voided";
    let table = format!("{tokens}.{BLACKLIST}");
    let text = format!(
        "
DECLARE
  is_now jsonb;
BEGIN
  is_now := to_jsonb(NEW);
  INSERT INTO {schema}.countersign_revocation (kind, subject, not_before)
  SELECT 'void', is_now ->> 'token_id', ceil(extract(epoch FROM clock_timestamp()) * 1000)
  WHERE NOT EXISTS (
    SELECT 1 FROM {schema}.countersign_rotation r
    WHERE r.rotated_at = CAST(is_now ->> 'blacklisted_at' AS timestamptz) AND r.parent_jti = (
      SELECT o.jti FROM {tokens}.token_blacklist_outstandingtoken o WHERE o.id = CAST(is_now ->> 'token_id' AS bigint)
    )
  );
  RETURN NULL;
EXCEPTION WHEN undefined_table OR undefined_column OR undefined_function OR invalid_text_representation THEN
  RAISE WARNING 'countersign: its tables or SimpleJWT''s have changed; run countersign migrate, or drop the trigger {name}';
  RETURN NULL;
END"
    );
    Trigger {
        name,
        install: function(schema, name, &text)
            + &format!(
                "DROP TRIGGER IF EXISTS {name} ON {table};
                 CREATE TRIGGER {name} AFTER INSERT ON {table} FOR EACH ROW
                 WHEN (pg_catalog.current_setting('countersign.node', true) IS DISTINCT FROM 'on')
                 EXECUTE FUNCTION {schema}.{name}();"
            ),
        table,
        text,
    }
}

/// A trigger's function, which runs as its owner.
fn function(schema: &str, name: &str, body: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION {schema}.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $countersign${body}$countersign$;
REVOKE ALL ON FUNCTION {schema}.{name}() FROM PUBLIC;\n"
    )
}

/// A key of the old row, as Python's `str()` has it.
fn as_text(column: &str, id_type: IdType) -> String {
    let value = format!("OLD.{}", quoted(column));
    match id_type {
        IdType::Uuid => {
            let part = |from: u8, length: u8| format!("substr({value}, {from}, {length})");
            let parts = [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)];
            format!("lower({})", parts.join(" || '-' || "))
        }
        _ => format!("CAST({value} AS text)"),
    }
}

/// A text as an SQL literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn on_postgres(users: &UserTable, subject: &UserField, schema: &str) -> Vec<Trigger> {
    let (id, password, name) = (literal(&users.id), literal(&users.password), literal(subject.name()));
    let disabled = users.is_active.as_deref().map_or_else(String::new, |active| {
        format!("\n      OR (was ->> {0} = 'true' AND (is_now ->> {0}) IS DISTINCT FROM 'true')", literal(active))
    });
    // By the clock, and once more at the commit: who logs in in between does so by the old row. The owner's mark is written first, and is
    // thus never the later one: what begins right after the user's mark is not ended by the owner's.
    let changed = format!(
        "
DECLARE
  was jsonb;
  is_now jsonb;
  is_password boolean := false;
  is_more boolean := true;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO {schema}.countersign_revocation (kind, subject, not_before)
    SELECT who.kind, who.subject, ceil(extract(epoch FROM clock_timestamp()) * 1000)
    FROM (
      SELECT 'all' AS kind, '' AS subject
      UNION SELECT 'owner', t.user_id FROM {schema}.countersign_token t
      UNION SELECT 'owner', f.user_id FROM {schema}.countersign_session f WHERE f.user_id IS NOT NULL AND f.ended_at IS NULL
    ) who;
    RETURN NULL;
  END IF;
  was := to_jsonb(OLD);
  IF TG_OP = 'UPDATE' THEN
    is_now := to_jsonb(NEW);
    is_password := (was ->> {password}) IS DISTINCT FROM (is_now ->> {password});
    is_more := (was ->> {name}) IS DISTINCT FROM (is_now ->> {name})
      OR (was ->> {id}) IS DISTINCT FROM (is_now ->> {id}){disabled};
  END IF;
  IF is_password OR is_more THEN
    BEGIN
      IF NOT is_more AND EXISTS (
        SELECT 1 FROM {schema}.countersign_revocation e WHERE e.kind = 'rehash' AND e.subject = was ->> {id}
      ) THEN
        RETURN NULL;
      END IF;
      INSERT INTO {schema}.countersign_revocation (kind, subject, not_before)
      SELECT who.kind, who.subject, greatest(
        ceil(extract(epoch FROM clock_timestamp()) * 1000),
        ceil(extract(epoch FROM (SELECT max(f.created_at) FROM {schema}.countersign_session f WHERE f.user_id = was ->> {id})) * 1000),
        ceil(extract(epoch FROM (SELECT max(t.created_at) FROM {schema}.countersign_token t WHERE t.user_id = was ->> {id})) * 1000)
      )
      FROM (VALUES ('owner', was ->> {id}), ('user', coalesce(was ->> {name}, 'None'))) AS who (kind, subject);
    EXCEPTION WHEN undefined_table THEN
      RAISE WARNING 'countersign: its tables are gone; run countersign migrate, or drop the trigger countersign_user_changed';
    END;
  END IF;
  RETURN NULL;
END"
    );
    let committed = format!(
        "
BEGIN
  UPDATE {schema}.countersign_revocation r
  SET not_before = greatest(r.not_before, ceil(extract(epoch FROM clock_timestamp()) * 1000))
  WHERE r.id = NEW.id;
  RETURN NULL;
END"
    );
    let (table, marks) = (users.quoted(), format!("{schema}.countersign_revocation"));
    vec![
        Trigger {
            name: "countersign_revocation_committed",
            table: marks.clone(),
            install: function(schema, "countersign_revocation_committed", &committed)
                + &format!(
                    "DROP TRIGGER IF EXISTS countersign_revocation_committed ON {marks};
                     CREATE CONSTRAINT TRIGGER countersign_revocation_committed AFTER INSERT ON {marks}
                     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (pg_catalog.pg_trigger_depth() > 0)
                     EXECUTE FUNCTION {schema}.countersign_revocation_committed();"
                ),
            text: committed,
        },
        Trigger {
            name: "countersign_user_changed",
            table: table.clone(),
            install: function(schema, "countersign_user_changed", &changed)
                + &format!(
                    "DROP TRIGGER IF EXISTS countersign_user_changed ON {table};
                     CREATE TRIGGER countersign_user_changed AFTER UPDATE OR DELETE ON {table}
                     FOR EACH ROW EXECUTE FUNCTION {schema}.countersign_user_changed();
                     DROP TRIGGER IF EXISTS countersign_users_emptied ON {table};
                     CREATE TRIGGER countersign_users_emptied AFTER TRUNCATE ON {table}
                     FOR EACH STATEMENT EXECUTE FUNCTION {schema}.countersign_user_changed();"
                ),
            text: changed,
        },
    ]
}
