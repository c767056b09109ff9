//! The table of `AUTH_USER_MODEL`: Django's `auth_user`, or one that a mapping describes. Names are checked against the catalogue
//! and quoted, and every statement is rendered once, at start.

use crate::driver::{Column, Driver, TableName, quoted};
use crate::remembered::Remembered;
use crate::value::Row;
use crate::{EncodedPassword, IdType, StoreError, User, UserId};

/// Which table and columns hold the users. The default is Django's own `auth_user`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserMapping {
    /// `db_table`.
    pub table: TableName,
    /// The primary key.
    pub id: String,
    /// What the key has to be; `None` takes what the catalogue says.
    pub id_type: Option<IdType>,
    /// `USERNAME_FIELD`.
    pub username: String,
    /// How names are compared at a login.
    pub username_lookup: UsernameLookup,
    /// The hash.
    pub password: String,
    /// May log in at all; without such a column everybody may (Django 5.2 `AbstractBaseUser.is_active`).
    pub is_active: ColumnChoice,
    /// May enter the admin; without such a column nobody may.
    pub is_staff: ColumnChoice,
    /// Has every permission; without such a column nobody has.
    pub is_superuser: ColumnChoice,
    /// When the user last logged in; without such a column it is not noted.
    pub last_login: ColumnChoice,
    /// When the account was made.
    pub date_joined: ColumnChoice,
    /// Mail address.
    pub email: ColumnChoice,
    /// First name.
    pub first_name: ColumnChoice,
    /// Last name.
    pub last_name: ColumnChoice,
    /// `PermissionsMixin.groups`: the table between users and groups.
    pub groups: ColumnChoice,
    /// `PermissionsMixin.user_permissions`: the table between users and permissions.
    pub user_permissions: ColumnChoice,
}

/// A column (or table) that a user model may do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnChoice {
    /// This one, which must exist.
    Named(String),
    /// This one if it exists.
    IfPresent(String),
    /// None.
    Absent,
}

/// How names are compared at a login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsernameLookup {
    /// As the column compares: byte by byte, unless it is a `citext` or has a collation. Django 5.2
    /// `BaseUserManager.get_by_natural_key`.
    #[default]
    Exact,
    /// Without case, as Django's `iexact`, for projects whose manager does so; several users of one name are nobody.
    IgnoreCase,
}

impl Default for UserMapping {
    /// Django's `auth_user`, all of whose columns must be there.
    fn default() -> Self {
        let named = |name: &str| ColumnChoice::Named(name.to_owned());
        Self {
            is_active: named("is_active"),
            is_staff: named("is_staff"),
            is_superuser: named("is_superuser"),
            last_login: named("last_login"),
            date_joined: named("date_joined"),
            email: named("email"),
            first_name: named("first_name"),
            last_name: named("last_name"),
            groups: named("auth_user_groups"),
            user_permissions: named("auth_user_user_permissions"),
            ..Self::of(TableName::new(STOCK_TABLE))
        }
    }
}

impl UserMapping {
    /// A table of the project's own, whose columns have Django's names; of the optional ones those that exist are used, except that
    /// `is_active` must exist until it is said to be absent.
    #[must_use]
    pub fn of(table: TableName) -> Self {
        let optional = |name: &str| ColumnChoice::IfPresent(name.to_owned());
        let (groups, user_permissions) = (format!("{}_groups", table.name), format!("{}_user_permissions", table.name));
        Self {
            table,
            id: "id".to_owned(),
            id_type: None,
            username: "username".to_owned(),
            username_lookup: UsernameLookup::Exact,
            password: "password".to_owned(),
            is_active: ColumnChoice::Named("is_active".to_owned()),
            is_staff: optional("is_staff"),
            is_superuser: optional("is_superuser"),
            last_login: optional("last_login"),
            date_joined: optional("date_joined"),
            email: optional("email"),
            first_name: optional("first_name"),
            last_name: optional("last_name"),
            groups: ColumnChoice::IfPresent(groups),
            user_permissions: ColumnChoice::IfPresent(user_permissions),
        }
    }
}

/// Django's table.
pub(crate) const STOCK_TABLE: &str = "auth_user";

/// A user table that was found in the catalogue, and the statements on it.
#[derive(Debug)]
pub(crate) struct UserTable {
    pub(crate) table: TableName,
    /// The key's column, not quoted.
    pub(crate) id: String,
    pub(crate) id_type: IdType,
    pub(crate) password: String,
    is_sqlite: bool,
    /// `is_active`, where the model has it.
    pub(crate) is_active: Option<String>,
    select: String,
    /// By name: unique index of the name (or, without case, on `upper` of it). Two rows are enough to see that it is not unique.
    pub(crate) by_username: String,
    /// By key: primary key.
    pub(crate) by_id: String,
    /// Profile by key: primary key.
    pub(crate) profile: String,
    /// New hash, only in place of the known old one: primary key.
    pub(crate) replace_password: String,
    /// New hash: primary key.
    pub(crate) set_password: String,
    /// Last login: primary key.
    pub(crate) set_last_login: Option<String>,
    /// Changes nothing, and waits until nobody else changes what this user has: primary key.
    pub(crate) lock: String,
    /// A new user; the unique index of the name refuses a second.
    pub(crate) create: String,
    pub(crate) created: Vec<Field>,
    /// All permissions, own and by group: indexes on the user's column of both tables and on `group_id` of
    /// `auth_group_permissions`, then primary keys.
    pub(crate) permissions: Option<String>,
    /// Names of groups: index on the user's column of the table between, then primary keys.
    pub(crate) groups: Option<String>,
    /// Users by key.
    pub(crate) remembered: Remembered<UserId>,
}

/// A column that a new user's row gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Username,
    Password,
    Email,
    FirstName,
    LastName,
    IsActive,
    IsStaff,
    IsSuperuser,
    DateJoined,
}

/// The columns of a mapping as the catalogue has them.
struct Columns {
    is_active: Option<String>,
    is_staff: Option<String>,
    is_superuser: Option<String>,
    last_login: Option<String>,
    date_joined: Option<String>,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
}

/// A table between users and groups or permissions, and its column for the user.
struct Between {
    table: TableName,
    user_column: String,
}

impl UserTable {
    /// Django's table, before a catalogue was looked at: it may yet have to be made.
    pub(crate) fn stock(driver: &Driver) -> Self {
        let is_sqlite = matches!(driver, Driver::Sqlite(_));
        let id_type = if is_sqlite { IdType::BigInteger } else { IdType::Integer };
        Self::unchecked(&UserMapping::default(), id_type, is_sqlite)
    }

    /// A table with all of Django's columns, unseen.
    fn unchecked(mapping: &UserMapping, id_type: IdType, is_sqlite: bool) -> Self {
        let named = |name: &str| Some(name.to_owned());
        let columns = Columns {
            is_active: named("is_active"),
            is_staff: named("is_staff"),
            is_superuser: named("is_superuser"),
            last_login: named("last_login"),
            date_joined: named("date_joined"),
            email: named("email"),
            first_name: named("first_name"),
            last_name: named("last_name"),
        };
        let between = |table| Some(Between { table: TableName::new(table), user_column: "user_id".to_owned() });
        Self::render(
            mapping,
            id_type,
            is_sqlite,
            &columns,
            between("auth_user_groups").as_ref(),
            between("auth_user_user_permissions").as_ref(),
        )
    }

    #[cfg(test)]
    pub(crate) fn for_tests(mapping: &UserMapping) -> Self {
        Self::unchecked(mapping, mapping.id_type.unwrap_or(IdType::Integer), true)
    }

    /// Whether this is Django's own table of users.
    pub(crate) fn is_stock(&self) -> bool {
        self.table.name == STOCK_TABLE
    }

    /// Looks a mapping up in the catalogue.
    ///
    /// # Errors
    /// [`StoreError::Schema`] naming the table or column that is not there or not of a kind that will do.
    pub(crate) async fn resolve(driver: &Driver, mapping: &UserMapping) -> Result<Self, StoreError> {
        let table = &mapping.table;
        if matches!(driver, Driver::Sqlite(_)) && table.schema.is_some() {
            return Err(misfit(format!("SQLite has no schemas; name the table {} without one", table.name)));
        }
        let found = driver.columns(table).await?;
        if found.is_empty() {
            return Err(misfit(format!("there is no table `{table}` for the users")));
        }
        let catalogue = Catalogue { table, found: &found };
        let id_type = match id_type(&catalogue, mapping)? {
            // Whatever it is called, an integer in SQLite has 64 bits.
            IdType::Integer if matches!(driver, Driver::Sqlite(_)) => IdType::BigInteger,
            id_type => id_type,
        };
        if !driver.is_unique(table, &mapping.id).await? {
            return Err(misfit(format!("column `{}` of {table} is not unique, so it is no key", mapping.id)));
        }
        catalogue.named(&mapping.username, &TEXT)?;
        catalogue.named(&mapping.password, &TEXT)?;
        let columns = Columns {
            is_active: catalogue.chosen(&mapping.is_active, &BOOLEAN)?,
            is_staff: catalogue.chosen(&mapping.is_staff, &BOOLEAN)?,
            is_superuser: catalogue.chosen(&mapping.is_superuser, &BOOLEAN)?,
            last_login: catalogue.chosen(&mapping.last_login, &INSTANT)?,
            date_joined: catalogue.chosen(&mapping.date_joined, &INSTANT)?,
            email: catalogue.chosen(&mapping.email, &TEXT)?,
            first_name: catalogue.chosen(&mapping.first_name, &TEXT)?,
            last_name: catalogue.chosen(&mapping.last_name, &TEXT)?,
        };
        let groups = between(driver, table, &mapping.groups, "group_id").await?;
        let permissions = between(driver, table, &mapping.user_permissions, "permission_id").await?;
        let is_sqlite = matches!(driver, Driver::Sqlite(_));
        Ok(Self::render(mapping, id_type, is_sqlite, &columns, groups.as_ref(), permissions.as_ref()))
    }

    fn render(
        mapping: &UserMapping,
        id_type: IdType,
        is_sqlite: bool,
        columns: &Columns,
        groups: Option<&Between>,
        user_permissions: Option<&Between>,
    ) -> Self {
        let (table, id) = (mapping.table.quoted(), quoted(&mapping.id));
        let (username, password) = (quoted(&mapping.username), quoted(&mapping.password));
        let or = |column: &Option<String>, otherwise: &str| {
            column.as_ref().map_or_else(|| otherwise.to_owned(), |column| format!("u.{}", quoted(column)))
        };
        // A flag that is NULL is false to Python.
        let flag = |column: &Option<String>, otherwise: &str| match column {
            Some(column) => format!("coalesce(u.{}, FALSE)", quoted(column)),
            None => otherwise.to_owned(),
        };
        let select = format!(
            "u.{id}, u.{username}, u.{password}, {}, {}, {}",
            flag(&columns.is_active, "TRUE"),
            flag(&columns.is_staff, "FALSE"),
            flag(&columns.is_superuser, "FALSE"),
        );
        // Django's `iexact` on PostgreSQL; SQLite's `upper` knows ASCII alone, as Django's `LIKE` there does.
        let same_name = match mapping.username_lookup {
            UsernameLookup::Exact => format!("u.{username} = $1"),
            UsernameLookup::IgnoreCase => format!("upper(CAST(u.{username} AS text)) = upper(CAST($1 AS text))"),
        };
        let mut created = vec![(Field::Username, &username), (Field::Password, &password)];
        let optional = [
            (Field::Email, &columns.email),
            (Field::FirstName, &columns.first_name),
            (Field::LastName, &columns.last_name),
            (Field::IsActive, &columns.is_active),
            (Field::IsStaff, &columns.is_staff),
            (Field::IsSuperuser, &columns.is_superuser),
            (Field::DateJoined, &columns.date_joined),
        ];
        let optional = optional.map(|(field, column)| (field, column.as_deref().map(quoted)));
        created.extend(
            optional
                .iter()
                .filter_map(|(field, column)| column.as_ref().map(|column| (*field, column)))
                // A model whose name is its mail address has one column for both.
                .filter(|(_, column)| **column != username),
        );
        let names: Vec<&str> = created.iter().map(|(_, column)| column.as_str()).collect();
        let marks: Vec<String> = (1..=created.len()).map(|number| format!("${number}")).collect();
        Self {
            table: mapping.table.clone(),
            id: mapping.id.clone(),
            id_type,
            password: mapping.password.clone(),
            is_sqlite,
            is_active: columns.is_active.clone(),
            by_username: format!("SELECT {select} FROM {table} u WHERE {same_name} LIMIT 2"),
            remembered: Remembered::default(),
            by_id: format!("SELECT {select} FROM {table} u WHERE u.{id} = $1"),
            profile: format!(
                "SELECT {}, {}, {}, {}, {} FROM {table} u WHERE u.{id} = $1",
                or(&columns.email, "NULL"),
                or(&columns.first_name, "NULL"),
                or(&columns.last_name, "NULL"),
                or(&columns.last_login, "CAST(NULL AS timestamp with time zone)"),
                or(&columns.date_joined, "CAST(NULL AS timestamp with time zone)"),
            ),
            replace_password: format!("UPDATE {table} SET {password} = $1 WHERE {id} = $2 AND {password} = $3"),
            set_password: format!("UPDATE {table} SET {password} = $1 WHERE {id} = $2"),
            set_last_login: columns
                .last_login
                .as_ref()
                .map(|column| format!("UPDATE {table} SET {} = $1 WHERE {id} = $2", quoted(column))),
            lock: format!("UPDATE {table} SET {id} = {id} WHERE {id} = $1"),
            create: format!("INSERT INTO {table} ({}) VALUES ({}) RETURNING {id}", names.join(", "), marks.join(", ")),
            created: created.iter().map(|(field, _)| *field).collect(),
            permissions: permissions(groups, user_permissions),
            groups: groups.map(|between| {
                format!(
                    "SELECT g.name FROM {} ug JOIN auth_group g ON g.id = ug.group_id WHERE ug.{} = $1",
                    between.table.quoted(),
                    quoted(&between.user_column)
                )
            }),
            select,
        }
    }

    /// The table as an SQL identifier.
    pub(crate) fn quoted(&self) -> String {
        self.table.quoted()
    }

    /// `SELECT` of a user by a condition; `u` is the user's row.
    pub(crate) fn select_where(&self, condition: &str) -> String {
        format!("SELECT {} FROM {} u WHERE {condition}", self.select, self.quoted())
    }

    /// As [`select_where`](Self::select_where), with further columns after the user's six.
    pub(crate) fn select_also(&self, columns: &[&str], condition: &str) -> String {
        format!("SELECT {}, {} FROM {} u WHERE {condition}", self.select, columns.join(", "), self.quoted())
    }

    /// An expression of text, which is a key as [`UserId`] shows it, as one that the key's column can be compared with.
    pub(crate) fn key_of_text(&self, text: &str) -> String {
        match self.id_type {
            IdType::Integer => format!("CAST({text} AS integer)"),
            IdType::BigInteger => format!("CAST({text} AS bigint)"),
            IdType::Uuid if self.is_sqlite => format!("replace({text}, '-', '')"),
            IdType::Uuid => format!("CAST({text} AS uuid)"),
            IdType::Text => text.to_owned(),
        }
    }

    /// A user from the columns of [`select_where`](Self::select_where).
    pub(crate) fn read(&self, row: &Row<'_>) -> Result<User, StoreError> {
        Ok(User {
            id: row.user_id(0, self.id_type)?,
            // A model may leave its name NULL, as for users who have a telephone or an address, whichever is the name.
            username: row.text_opt(1)?.unwrap_or_default(),
            password: EncodedPassword::new(row.text(2)?),
            is_active: row.boolean(3)?,
            is_staff: row.boolean(4)?,
            is_superuser: row.boolean(5)?,
        })
    }
}

/// All permissions of a user; `None` for a model without `PermissionsMixin`.
fn permissions(groups: Option<&Between>, user_permissions: Option<&Between>) -> Option<String> {
    const NAMED: &str = "JOIN auth_permission p ON p.id = between_permission
         JOIN django_content_type c ON c.id = p.content_type_id";
    let own = user_permissions.map(|between| {
        format!(
            "SELECT c.app_label || '.' || p.codename FROM {} up {} WHERE up.{} = $1",
            between.table.quoted(),
            NAMED.replace("between_permission", "up.permission_id"),
            quoted(&between.user_column)
        )
    });
    let by_group = groups.map(|between| {
        format!(
            "SELECT c.app_label || '.' || p.codename FROM {} ug
             JOIN auth_group_permissions gp ON gp.group_id = ug.group_id {} WHERE ug.{} = $1",
            between.table.quoted(),
            NAMED.replace("between_permission", "gp.permission_id"),
            quoted(&between.user_column)
        )
    });
    let parts: Vec<String> = own.into_iter().chain(by_group).collect();
    (!parts.is_empty()).then(|| parts.join(" UNION "))
}

/// The table between users and groups or permissions: its other column is the user's.
async fn between(
    driver: &Driver,
    users: &TableName,
    choice: &ColumnChoice,
    far_column: &str,
) -> Result<Option<Between>, StoreError> {
    let (name, must_exist) = match choice {
        ColumnChoice::Absent => return Ok(None),
        ColumnChoice::Named(name) => (name, true),
        ColumnChoice::IfPresent(name) => (name, false),
    };
    let table = TableName { schema: users.schema.clone(), name: name.clone() };
    let columns = driver.columns(&table).await?;
    if columns.is_empty() && !must_exist {
        return Ok(None);
    }
    let user_column = columns.iter().find(|column| !["id", far_column].contains(&column.name.as_str()));
    match user_column {
        Some(column) if columns.iter().any(|column| column.name == far_column) => {
            Ok(Some(Between { table, user_column: column.name.clone() }))
        }
        _ => Err(misfit(format!("`{table}` is no table between users and their `{far_column}`"))),
    }
}

/// What a column has to be, by the beginnings of declared types.
struct Kind {
    called: &'static str,
    beginnings: &'static [&'static str],
}

const TEXT: Kind = Kind { called: "text", beginnings: &["char", "varchar", "text", "citext", "clob", "nvarchar"] };
const BOOLEAN: Kind = Kind { called: "a boolean", beginnings: &["bool"] };
const INSTANT: Kind =
    Kind { called: "a date and time", beginnings: &["datetime", "timestamp with time zone", "timestamptz"] };

struct Catalogue<'c> {
    table: &'c TableName,
    found: &'c [Column],
}

impl Catalogue<'_> {
    fn named(&self, name: &str, kind: &Kind) -> Result<String, StoreError> {
        let Some(column) = self.find(name) else { return Err(self.missing(name)) };
        // A type outside the search path is called by its schema: `extensions.citext`.
        let bare = column.declared.rsplit_once('.').map_or(column.declared.as_str(), |(_, bare)| bare);
        if kind.beginnings.iter().any(|beginning| bare.starts_with(beginning)) {
            return Ok(name.to_owned());
        }
        let (table, declared) = (self.table, &column.declared);
        Err(misfit(format!("column `{name}` of {table} is {declared}, not {}", kind.called)))
    }

    fn chosen(&self, choice: &ColumnChoice, kind: &Kind) -> Result<Option<String>, StoreError> {
        match choice {
            ColumnChoice::Absent => Ok(None),
            ColumnChoice::IfPresent(name) if self.find(name).is_none() => Ok(None),
            ColumnChoice::Named(name) | ColumnChoice::IfPresent(name) => self.named(name, kind).map(Some),
        }
    }

    fn find(&self, name: &str) -> Option<&Column> {
        self.found.iter().find(|column| column.name == name)
    }

    fn missing(&self, name: &str) -> StoreError {
        misfit(format!("{} has no column `{name}`", self.table))
    }
}

fn id_type(catalogue: &Catalogue<'_>, mapping: &UserMapping) -> Result<IdType, StoreError> {
    let column = catalogue.find(&mapping.id).ok_or_else(|| catalogue.missing(&mapping.id))?;
    let found = IdType::of_column(&column.declared).ok_or_else(|| {
        misfit(format!("column `{}` of {} is {}, which no key can be", mapping.id, mapping.table, column.declared))
    })?;
    match mapping.id_type {
        Some(wanted) if wanted.is_integer() != found.is_integer() || (!wanted.is_integer() && wanted != found) => {
            let (id, table, declared) = (&mapping.id, &mapping.table, &column.declared);
            Err(misfit(format!("column `{id}` of {table} is {declared}, not {wanted}")))
        }
        _ => Ok(found),
    }
}

fn misfit(problem: String) -> StoreError {
    StoreError::Schema { problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_what_is_absent_is_a_constant() {
        let mapping = UserMapping {
            id: "Key".to_owned(),
            username: "e\"mail".to_owned(),
            ..UserMapping::of(TableName { schema: Some("my app".to_owned()), name: "Users".to_owned() })
        };
        let columns = Columns {
            is_active: None,
            is_staff: None,
            is_superuser: None,
            last_login: None,
            date_joined: None,
            email: Some("e\"mail".to_owned()),
            first_name: None,
            last_name: None,
        };
        let table = UserTable::render(&mapping, IdType::Uuid, false, &columns, None, None);
        assert_eq!(
            table.by_id,
            "SELECT u.\"Key\", u.\"e\"\"mail\", u.\"password\", TRUE, FALSE, FALSE FROM \"my app\".\"Users\" u WHERE u.\"Key\" = $1"
        );
        assert_eq!(
            table.create,
            "INSERT INTO \"my app\".\"Users\" (\"e\"\"mail\", \"password\") VALUES ($1, $2) RETURNING \"Key\""
        );
        assert_eq!((table.set_last_login, table.permissions), (None, None));
    }
}
