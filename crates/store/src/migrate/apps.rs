//! What each Django application owns: its tables, the names of its migrations, its models.

use crate::driver::Script;

/// The schema of one file, in the words of each database.
macro_rules! script {
    ($name:literal) => {
        Script {
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }
    };
}

/// One Django application, by Django's own names.
#[derive(Debug)]
pub(crate) struct App {
    /// `app_label`.
    pub(crate) label: &'static str,
    /// Its tables, all of which exist once it is applied.
    pub(crate) tables: &'static [&'static str],
    /// Its migrations in the order Django records them (SPEC §10.3).
    pub(crate) migrations: &'static [&'static str],
    /// How many of these must be applied for the tables to be of use here. Later ones touch only Python, or widen a column:
    /// databases made by an earlier release are taken as they are.
    pub(crate) needed: usize,
    /// Model and verbose name, for content types and permissions (SPEC §10.4).
    pub(crate) models: &'static [(&'static str, &'static str)],
    /// The schema as the last migration leaves it.
    pub(crate) schema: Script,
}

/// The table Django keeps its migrations in.
pub(crate) const MIGRATIONS_TABLE: &str = "django_migrations";

/// That table.
pub(crate) const MIGRATIONS_SCHEMA: Script = script!("0000_django_migrations");

/// In the order in which their tables refer to each other.
pub(crate) static APPS: [App; 7] = [
    App {
        label: "contenttypes",
        tables: &["django_content_type"],
        migrations: &["0001_initial", "0002_remove_content_type_name"],
        needed: 2,
        models: &[("contenttype", "content type")],
        schema: script!("0001_contenttypes"),
    },
    App {
        label: "auth",
        tables: &[
            "auth_permission",
            "auth_group",
            "auth_group_permissions",
            "auth_user",
            "auth_user_groups",
            "auth_user_user_permissions",
        ],
        migrations: &[
            "0001_initial",
            "0002_alter_permission_name_max_length",
            "0003_alter_user_email_max_length",
            "0004_alter_user_username_opts",
            "0005_alter_user_last_login_null",
            "0006_require_contenttypes_0002",
            "0007_alter_validators_add_error_messages",
            "0008_alter_user_username_max_length",
            "0009_alter_user_last_name_max_length",
            "0010_alter_group_name_max_length",
            "0011_update_proxy_permissions",
            "0012_alter_user_first_name_max_length",
        ],
        needed: 8,
        models: &[("permission", "permission"), ("group", "group"), ("user", "user")],
        schema: script!("0002_auth"),
    },
    App {
        label: "admin",
        tables: &["django_admin_log"],
        migrations: &["0001_initial", "0002_logentry_remove_auto_add", "0003_logentry_add_action_flag_choices"],
        needed: 1,
        models: &[("logentry", "log entry")],
        schema: script!("0003_admin"),
    },
    App {
        label: "sessions",
        tables: &["django_session"],
        migrations: &["0001_initial"],
        needed: 1,
        models: &[("session", "session")],
        schema: script!("0004_sessions"),
    },
    App {
        label: "authtoken",
        tables: &["authtoken_token"],
        migrations: &["0001_initial", "0002_auto_20160226_1747", "0003_tokenproxy", "0004_alter_tokenproxy_options"],
        needed: 1,
        models: &[("token", "Token"), ("tokenproxy", "Token")],
        schema: script!("0005_authtoken"),
    },
    App {
        label: "token_blacklist",
        tables: &["token_blacklist_outstandingtoken", "token_blacklist_blacklistedtoken"],
        migrations: &[
            "0001_initial",
            "0002_outstandingtoken_jti_hex",
            "0003_auto_20171017_2007",
            "0004_auto_20171017_2013",
            "0005_remove_outstandingtoken_jti",
            "0006_auto_20171017_2113",
            "0007_auto_20171017_2214",
            "0008_migrate_to_bigautofield",
            "0010_fix_migrate_to_bigautofield",
            "0011_linearizes_history",
            "0012_alter_outstandingtoken_user",
            "0013_alter_blacklistedtoken_options_and_more",
        ],
        needed: 7,
        models: &[("blacklistedtoken", "Blacklisted Token"), ("outstandingtoken", "Outstanding Token")],
        schema: script!("0006_token_blacklist"),
    },
    App {
        label: "knox",
        tables: &["knox_authtoken"],
        migrations: &[
            "0001_initial",
            "0002_auto_20150916_1425",
            "0003_auto_20150916_1526",
            "0004_authtoken_expires",
            "0005_authtoken_token_key",
            "0006_auto_20160818_0932",
            "0007_auto_20190111_0542",
            "0008_remove_authtoken_salt",
            "0009_extend_authtoken_field",
        ],
        needed: 8,
        models: &[("authtoken", "auth token")],
        schema: script!("0007_knox"),
    },
];
