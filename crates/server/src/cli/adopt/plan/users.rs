//! `[users]`: the user model's table and columns.

use toml::Value;

use super::super::found::{Attribute, Column, Found, Through, Users};
use super::{Draft, Finding, View};

/// Optional columns of the user table, in the order they are written.
const OPTIONAL: &[&str] =
    &["is_active", "is_staff", "is_superuser", "last_login", "date_joined", "email", "first_name", "last_name"];

/// Writes the mapping. `false` where no column says who is active and not everybody is.
pub(super) fn users(draft: &mut Draft<'_>, found: &Found) -> bool {
    let users = &found.users;
    judge(draft, users);
    if is_djangos(users) {
        return true;
    }
    let model = &users.model;
    let mut set = |key, value: Value, comment: &str| draft.document.set("users", key, value, comment);
    if let Some(schema) = &users.schema {
        set("schema", schema.as_str().into(), "db_table");
    }
    set("table", users.table.as_str().into(), &format!("AUTH_USER_MODEL is {model}"));
    if let Attribute::Column(column) = &users.id {
        set("id", column.column.as_str().into(), &format!("primary key, {}", column.internal_type));
        if let Some(kind) = id_type(&column.internal_type) {
            set("id_type", kind.into(), "");
        }
    }
    if let Attribute::Column(column) = &users.username {
        set("username", column.column.as_str().into(), "USERNAME_FIELD");
        if column.column != users.username_field {
            set("username_field", users.username_field.as_str().into(), "its name in SimpleJWT's login requests");
        }
    }
    if users.lookup.lookup.as_deref() == Some("iexact") {
        set("username_lookup", "iexact".into(), &format!("get_by_natural_key of {}", users.lookup.manager));
    }
    if let Some(Attribute::Column(column)) = users.columns.get("password") {
        set("password", column.column.as_str().into(), "");
    }
    let tells_active = match users.columns.get("is_active") {
        Some(Attribute::Column(column)) => !column.elsewhere,
        Some(Attribute::Code | Attribute::Constant { value: false }) => false,
        Some(Attribute::Constant { value: true } | Attribute::None) | None => true,
    };
    for name in OPTIONAL.iter().copied() {
        let (value, comment): (Value, &str) = match users.columns.get(name) {
            Some(Attribute::Column(column)) if !column.elsewhere => (column.column.as_str().into(), ""),
            // `false` would make everybody active: without the key, a start refuses for want of the column.
            _ if name == "is_active" && !tells_active => continue,
            Some(Attribute::Code) => (false.into(), "computed by the model"),
            _ if name == "is_active" => (false.into(), "no such column: every user is active"),
            _ => (false.into(), "no such column"),
        };
        set(name, value, comment);
    }
    let mut elsewhere = Vec::new();
    for (name, through) in [("groups", &users.groups), ("user_permissions", &users.user_permissions)] {
        match through {
            // Countersign looks for the table beside that of the users.
            Some(through) if through.schema == users.schema => {
                set(name, through.table.as_str().into(), &origin(through));
            }
            Some(through) => {
                set(name, false.into(), "in another schema than the users");
                elsewhere.push(format!("{}.{}", through.schema.as_deref().unwrap_or("the search path"), through.table));
            }
            None => set(name, false.into(), "no such field"),
        }
    }
    if !elsewhere.is_empty() {
        draft.add(Finding::differs(
            "permissions-elsewhere",
            format!("{} is in another schema than the users", elsewhere.join(" and ")),
            "Left out: [[protected]] paths that ask for model permissions refuse those who have them that way. Logins and tokens do not need it.",
        ));
    }
    tells_active
}

fn origin(through: &Through) -> String {
    match through.user_column.as_deref() {
        Some(column) if column != "user_id" => format!("PermissionsMixin; the user is in {column}"),
        _ => "PermissionsMixin".to_owned(),
    }
}

/// Whether the model is `django.contrib.auth`'s own in all that matters here.
fn is_djangos(users: &Users) -> bool {
    let same =
        |attribute: &Attribute, name: &str| matches!(attribute, Attribute::Column(column) if column.column == name);
    users.schema.is_none()
        && users.table == "auth_user"
        && same(&users.id, "id")
        && matches!(&users.id, Attribute::Column(column) if id_type(&column.internal_type).is_some_and(|kind| kind != "uuid" && kind != "text"))
        && same(&users.username, "username")
        && users.username_field == "username"
        && users.lookup.lookup.as_deref() != Some("iexact")
        && users.columns.iter().all(|(name, attribute)| same(attribute, name))
        && users.groups.as_ref().is_some_and(|through| through.schema.is_none() && through.table == "auth_user_groups")
        && users
            .user_permissions
            .as_ref()
            .is_some_and(|through| through.schema.is_none() && through.table == "auth_user_user_permissions")
}

/// `id_type` of one of Django's field types.
fn id_type(internal_type: &str) -> Option<&'static str> {
    Some(match internal_type {
        "AutoField"
        | "SmallAutoField"
        | "IntegerField"
        | "SmallIntegerField"
        | "PositiveIntegerField"
        | "PositiveSmallIntegerField" => "integer",
        "BigAutoField" | "BigIntegerField" | "PositiveBigIntegerField" => "bigint",
        "UUIDField" => "uuid",
        "CharField" | "TextField" | "SlugField" | "EmailField" => "text",
        _ => return None,
    })
}

/// What of the model is code, and hence not carried over.
fn judge(draft: &mut Draft<'_>, users: &Users) {
    let model = &users.model;
    match &users.id {
        Attribute::Column(Column { internal_type, stock_class: true, .. }) if id_type(internal_type).is_some() => {}
        Attribute::Column(column) if column.elsewhere || column.internal_type == "OneToOneField" => {}
        Attribute::Column(column) => draft.add(Finding::stays(
            "user-id-field",
            View::ALL,
            format!("the primary key of {model} is a {}", column.class),
            "Countersign knows Django's integer, UUID and text keys; how this one looks in a token is the field's own code.",
        )),
        _ => draft.add(Finding::stays("user-id-field", View::ALL, format!("{model} has no primary key column"), "")),
    }
    let split: Vec<&str> = [("id", &users.id), ("username", &users.username)]
        .into_iter()
        .chain(users.columns.iter().map(|(name, attribute)| (name.as_str(), attribute)))
        .filter(|(_, attribute)| {
            matches!(attribute, Attribute::Column(column) if column.elsewhere || column.internal_type == "OneToOneField")
        })
        .map(|(name, _)| name)
        .collect();
    if !split.is_empty() {
        draft.add(Finding::stays(
            "user-table-split",
            View::ALL,
            format!("{model} inherits {} from a model with a table of its own", split.join(", ")),
            "Countersign reads users from one table.",
        ));
    }
    let is_active = users.columns.get("is_active");
    if !matches!(is_active, Some(Attribute::Column(_) | Attribute::Constant { value: true } | Attribute::None) | None) {
        draft.add(Finding::stays(
            "is-active-computed",
            View::ALL,
            format!("is_active of {model} is no column: code decides who may log in"),
            "Countersign cannot ask that code. Nothing is written. Make it a column, kept up to date by the model, to carry these paths over.",
        ));
    }
    let computed: Vec<&str> = ["is_staff", "is_superuser"]
        .into_iter()
        .filter(|name| matches!(users.columns.get(*name), Some(Attribute::Code | Attribute::Constant { value: true })))
        .collect();
    if !computed.is_empty() {
        draft.add(Finding::note(
            "rank-computed",
            format!("{} of {model} is computed", computed.join(" and ")),
            "Logins and tokens do not need it. [[protected]] paths with is_admin or model permissions would refuse everybody.",
        ));
    }
    lookups(draft, users);
}

fn lookups(draft: &mut Draft<'_>, users: &Users) {
    let lookup = &users.lookup;
    let column = match &users.username {
        Attribute::Column(column) => Some(column.column.as_str()),
        _ => None,
    };
    match lookup.lookup.as_deref() {
        Some("exact") if lookup.column.as_deref() == column => {}
        Some("iexact") if lookup.column.as_deref() == column => draft.add(Finding::note(
            "username-lookup-iexact",
            format!("get_by_natural_key of {} ignores case", lookup.manager),
            "username_lookup = \"iexact\" is set under [users]. It needs an index on the upper-cased name to be fast: UPPER(…), as Django's own lookup does.",
        )),
        _ => draft.add(Finding::stays(
            "username-lookup",
            View::LOGINS,
            format!("get_by_natural_key of {} is the project's own", lookup.manager),
            "Countersign finds users by one column, with or without regard to case. Logins stay with Django; the tokens they give out work here.",
        )),
    }
    if lookup.filters || users.objects_filtered {
        draft.add(Finding::stays(
            "user-filter",
            View::ALL,
            format!("the manager {} hides some users", lookup.manager),
            "Countersign would let them in: it sees every row. Let is_active say who may log in, or keep these paths with Django. /api/whoami/ is switched off as well; write no [[protected]] paths.",
        ));
    }
    if users.own_password_check {
        draft.add(Finding::stays(
            "password-check",
            View::LOGINS,
            format!("check_password of {} is the project's own", users.model),
            "Countersign compares with the stored hash alone. Logins stay with Django.",
        ));
    }
    if let Attribute::Column(column) = &users.username {
        if !column.unique {
            draft.add(Finding::note(
                "username-not-unique",
                format!("{} of {} is not unique", column.name, users.model),
                "Two users of one name: Django fails at their login. `countersign doctor` counts them.",
            ));
        }
        if column.db_type.as_deref() == Some("citext") {
            draft.add(Finding::note(
                "username-citext",
                format!("{} is a citext column", column.column),
                "PostgreSQL compares it without regard to case, here as in Django.",
            ));
        }
    }
}
