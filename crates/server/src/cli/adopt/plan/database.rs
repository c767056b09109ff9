//! `database_url` and `[postgresql]`.

use std::fmt::Write as _;

use super::super::document::length;
use super::super::found::{Database, Found, Secret};
use super::{Draft, Finding, SecretItem, View};

/// Parameters of libpq's that mean the same in the address.
const CARRIED: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
    "channel_binding",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "target_session_attrs",
    "tcp_user_timeout",
];
/// Those that a service may bring along.
const FROM_SERVICE: &[&str] = &["sslmode", "sslrootcert", "sslcert", "sslkey", "options", "target_session_attrs"];
/// Options that are seen to elsewhere, or that concern Django's driver alone.
const HANDLED: &[&str] = &[
    "options",
    "connect_timeout",
    "service",
    "passfile",
    "assume_role",
    "client_encoding",
    "pool",
    "server_side_binding",
    "cursor_factory",
    "prepare_threshold",
    "isolation_level",
    "timeout",
    "transaction_mode",
    "gssencmode",
];

/// Writes the address. `false` if there is none that Countersign could use.
pub(super) fn url(draft: &mut Draft<'_>, found: &Found) -> bool {
    let database = &found.database;
    aliases(draft, database);
    let usable = match database.vendor.as_str() {
        "sqlite" => sqlite(draft, database),
        "postgresql" => postgres(draft, database),
        _ => false,
    };
    if !usable {
        let name = database.name.as_deref().filter(|_| database.vendor == "sqlite").unwrap_or_default();
        draft.add(Finding::stays(
            "database-engine",
            View::ALL,
            format!("the users are in {} {name}", database.engine),
            "Countersign works with PostgreSQL 13 or later and with SQLite files. Nothing is written.",
        ));
        return false;
    }
    times(draft, found);
    if !database.reachable {
        draft.add(Finding::note(
            "database-unreachable",
            format!("the database was not reached: {}", database.problem.as_deref().unwrap_or("no reason given")),
            "The address is taken from the settings alone. Run `countersign doctor` where it can be reached.",
        ));
    }
    if !database.pending_migrations.is_empty() {
        draft.add(Finding::note(
            "pending-migrations",
            format!("not applied yet: {}", database.pending_migrations.join(", ")),
            "Run manage.py migrate before Countersign is started.",
        ));
    }
    true
}

fn sqlite(draft: &mut Draft<'_>, database: &Database) -> bool {
    let Some(path) =
        database.name.as_deref().filter(|name| !name.starts_with(":memory:") && !name.starts_with("file:"))
    else {
        return false;
    };
    draft.document.set("", "database_url", sqlite_url(path), format!("DATABASES[\"{}\"]", database.alias));
    true
}

/// `sqlite:////srv/db.sqlite3`.
fn sqlite_url(path: &str) -> String {
    // On Windows a path begins with a drive.
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("sqlite:///{slash}{}", encoded(&path.replace('\\', "/"), "/:"))
}

fn postgres(draft: &mut Draft<'_>, database: &Database) -> bool {
    if ["django_tenants", "tenant_schemas", "django_pgschemas"]
        .iter()
        .any(|tenants| database.engine.starts_with(tenants))
    {
        return false;
    }
    let address = Address::of(database);
    let comment = format!("DATABASES[\"{}\"]", database.alias);
    if let Some(password) = &address.password {
        let item = SecretItem {
            file: "database_url",
            variable: "COUNTERSIGN_DATABASE_URL",
            value: Secret::new(address.url(Some(password.expose()))),
            meaning: address.url(Some("PASSWORD")),
        };
        draft.secret("", "database_url_file", item, &comment);
    } else {
        draft.document.set("", "database_url", address.url(None), comment);
    }
    if !address.dropped.is_empty() {
        draft.add(Finding::differs(
            "pgbouncer-options",
            format!("connections are made with {}, which PgBouncer does not pass on", address.dropped),
            "Left out, as PgBouncer would refuse them. Have the server set it for the role: ALTER ROLE … SET search_path = …, and likewise for other settings. Until then the tables may not be found, or others of the same names.",
        ));
    }
    let unresolved =
        ["service", "passfile"].iter().any(|name| database.options.contains_key(*name)) && !database.reachable;
    if unresolved {
        draft.add(Finding::differs(
            "database-service",
            "OPTIONS name a service or passfile, and the database was not reached",
            "Adopt again where the database can be reached, or complete the address by hand: Countersign does not read libpq's files.",
        ));
    }
    let unknown: Vec<&str> = database
        .options
        .keys()
        .map(String::as_str)
        .filter(|name| !CARRIED.contains(name) && !HANDLED.contains(name))
        .collect();
    if !unknown.is_empty() {
        draft.add(Finding::differs(
            "database-options",
            format!("DATABASES[\"{}\"][\"OPTIONS\"] has {}", database.alias, unknown.join(", ")),
            "They are not carried over. See whether the connection needs them.",
        ));
    }
    if !database.connection_receivers.is_empty() {
        draft.add(Finding::differs(
            "connection-signals",
            format!("connection_created is received by {}", database.connection_receivers.join(", ")),
            "What it sets in the database session is not set here, except the search path.",
        ));
    }
    true
}

/// A PostgreSQL address in parts.
struct Address<'d> {
    user: Option<&'d str>,
    password: Option<&'d Secret>,
    /// Hosts with their ports.
    places: Vec<(String, Option<String>)>,
    name: Option<&'d str>,
    parameters: Vec<(&'static str, String)>,
    /// Server settings that no connection through PgBouncer can ask for.
    dropped: String,
}

impl<'d> Address<'d> {
    /// The settings, and where they are silent what libpq made of services, passfiles and its environment.
    fn of(database: &'d Database) -> Self {
        let effective = database.effective.as_ref();
        let host = database.host.as_deref().or_else(|| effective?.host.as_deref()).unwrap_or_default();
        let port = database.port.as_deref().or_else(|| effective?.port.as_deref()).unwrap_or_default();
        let ports: Vec<&str> = port.split(',').filter(|port| !port.is_empty()).collect();
        // libpq connects to a `hostaddr` without a host; only a certificate's check needs a name, and goes without it.
        let verifies = database
            .options
            .get("sslmode")
            .or(database.sslmode_environment.as_ref())
            .is_some_and(|mode| mode == "verify-full");
        let address = database.options.get("hostaddr").filter(|_| database.host.is_none());
        let host = match address {
            Some(_) if verifies => "",
            Some(address) => address,
            None => host,
        };
        let places: Vec<_> = host
            .split(',')
            .filter(|host| !host.is_empty())
            .enumerate()
            .map(|(index, host)| {
                let port = ports.get(index).or(ports.first()).map(|port| (*port).to_owned());
                (host.trim().to_owned(), port)
            })
            .collect();
        let mut parameters: Vec<(&'static str, String)> = CARRIED
            .iter()
            .filter(|name| **name != "hostaddr" || address.is_none() || verifies)
            .filter_map(|name| Some((*name, database.options.get(*name)?.clone())))
            .collect();
        // A port stands behind a host; without one it is a parameter.
        if let (true, Some(port)) = (places.is_empty(), ports.first()) {
            parameters.push(("port", (*port).to_owned()));
        }
        let mut options = database.options.get("options").cloned();
        if let Some(mode) = &database.sslmode_environment
            && !database.options.contains_key("sslmode")
        {
            parameters.push(("sslmode", mode.clone()));
        }
        for name in FROM_SERVICE {
            let given = parameters.iter().any(|(known, _)| known == name);
            match effective.and_then(|effective| effective.parameters.get(*name)) {
                Some(value) if *name == "options" => options = options.or_else(|| Some(value.clone())),
                // libpq's own default, which psycopg 2 lists.
                Some(value) if !given && value != "prefer" && value != "any" => parameters.push((*name, value.clone())),
                _ => {}
            }
        }
        let options = server_options(database, options);
        let (sent, dropped) = match pooler(database) {
            Some(_) => (String::new(), options),
            None => (options, String::new()),
        };
        if !sent.is_empty() {
            parameters.push(("options", sent));
        }
        Self {
            user: database.user.as_deref().or_else(|| effective?.user.as_deref()),
            password: database.password.as_ref().or_else(|| effective?.password.as_ref()),
            places,
            name: database.name.as_deref().or_else(|| effective?.dbname.as_deref()),
            parameters,
            dropped,
        }
    }

    fn url(&self, password: Option<&str>) -> String {
        let mut url = "postgresql://".to_owned();
        if let Some(user) = self.user {
            url += &encoded(user, "");
            if let Some(password) = password {
                let _ = write!(url, ":{}", encoded(password, ""));
            }
            url.push('@');
        }
        for (index, (host, port)) in self.places.iter().enumerate() {
            url += if index == 0 { "" } else { "," };
            if host.contains(':') && !host.starts_with('/') {
                let _ = write!(url, "[{host}]");
            } else {
                url += &encoded(host, "");
            }
            if let Some(port) = port {
                let _ = write!(url, ":{port}");
            }
        }
        let _ = write!(url, "/{}", encoded(self.name.unwrap_or_default(), ""));
        // A password stands behind a user; without one it is a parameter.
        let lonely = password.filter(|_| self.user.is_none()).map(|password| ("password", password));
        let parameters = self.parameters.iter().map(|(name, value)| (*name, value.as_str())).chain(lonely);
        for (index, (name, value)) in parameters.enumerate() {
            let _ = write!(url, "{}{name}={}", if index == 0 { '?' } else { '&' }, encoded(value, "/"));
        }
        url
    }
}

/// Server settings of the connection, those included that Django sets by statements after connecting.
fn server_options(database: &Database, given: Option<String>) -> String {
    let mut options = given.unwrap_or_default().trim().to_owned();
    let mut add = |name: &str, value: &str| {
        let separator = if options.is_empty() { "" } else { " " };
        let _ = write!(options, "{separator}-c{name}={}", value.replace('\\', "\\\\").replace(' ', "\\ "));
    };
    if let Some(role) = database.options.get("assume_role") {
        add("role", role);
    }
    if let (Some(path), Some("session")) = (&database.search_path, database.search_path_source.as_deref()) {
        add("search_path", path);
    }
    options
}

/// Percent-encoding: letters, digits, `-._~` and the characters of `also` stay.
fn encoded(text: &str, also: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || (c.is_ascii() && also.contains(c)) {
            out.push(c);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Several databases: routers may send reads elsewhere, or keep tokens apart from users.
fn aliases(draft: &mut Draft<'_>, database: &Database) {
    for (model, aliases) in &database.tables {
        let name = model.rsplit('.').next().unwrap_or(model);
        if let Some(write) = aliases.write.as_deref().filter(|write| *write != database.alias) {
            let views = match name {
                "Token" => &[View::ObtainAuthToken],
                "AuthToken" => View::KNOX,
                _ => View::SIMPLE_JWT,
            };
            draft.add(Finding::stays(
                "token-database",
                views,
                format!("{name} rows are in DATABASES[\"{write}\"], users in DATABASES[\"{}\"]", database.alias),
                "Countersign has one database. These paths stay with Django.",
            ));
        }
        if aliases.read != aliases.write {
            draft.add(Finding::note(
                "read-replica",
                format!(
                    "{name} rows are read through DATABASES[\"{}\"] and written through DATABASES[\"{}\"]",
                    aliases.read.as_deref().unwrap_or("default"),
                    aliases.write.as_deref().unwrap_or("default")
                ),
                "Countersign reads and writes through the latter.",
            ));
        }
    }
}

/// SQLite holds instants as text without a zone: local ones are an hour or more off here.
fn times(draft: &mut Draft<'_>, found: &Found) {
    let database = &found.database;
    let zone = match (&database.time_zone, found.django.use_tz) {
        (Some(zone), _) => Some(zone),
        (None, false) => found.django.time_zone.as_ref(),
        (None, true) => None,
    };
    if let Some(zone) = zone.filter(|zone| database.vendor == "sqlite" && !matches!(zone.as_str(), "UTC" | "Etc/UTC")) {
        draft.add(Finding::differs(
            "local-times",
            format!("instants are stored in {zone} time (USE_TZ or the database's TIME_ZONE)"),
            "Countersign stores UTC: last_login, created and expires_at written here differ by the offset. Tokens carry their own times and are not affected.",
        ));
    }
}

/// What speaks for PgBouncer in front of the database.
fn pooler(database: &Database) -> Option<&'static str> {
    let port = database.port.as_deref().unwrap_or_default();
    match (database.disable_server_side_cursors, port.split(',').any(|port| port.trim() == "6432")) {
        (true, _) => Some("DISABLE_SERVER_SIDE_CURSORS is set, as behind PgBouncer"),
        (false, true) => Some("port 6432 is PgBouncer's"),
        (false, false) => None,
    }
}

/// `[postgresql]`, where something is to be said.
pub(super) fn postgresql(draft: &mut Draft<'_>, found: &Found) {
    let database = &found.database;
    if database.vendor != "postgresql" {
        return;
    }
    if let Some(seconds) = database.options.get("connect_timeout").and_then(|text| text.parse::<f64>().ok())
        && seconds > 0.0
    {
        draft.document.set("postgresql", "connect_timeout", length(seconds), "OPTIONS[\"connect_timeout\"]");
    }
    let Some(hint) = pooler(database) else { return };
    draft.document.set("postgresql", "pgbouncer", true, hint);
    draft.add(Finding::note(
        "pgbouncer",
        format!("the database seems to be behind PgBouncer: {hint}"),
        "pgbouncer = true is set under [postgresql]. Without a transaction pooler, remove it: it costs speed.",
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(changes: &str) -> Database {
        let mut value: serde_json::Value = serde_json::from_str(
            r#"{"alias": "default", "vendor": "postgresql", "engine": "django.db.backends.postgresql", "name": "site",
                "options": {}, "disable_server_side_cursors": false, "tables": {},
                "connection_receivers": [], "reachable": true}"#,
        )
        .expect("a document");
        let changes: serde_json::Map<String, serde_json::Value> = serde_json::from_str(changes).expect("changes");
        value.as_object_mut().expect("an object").extend(changes);
        serde_json::from_value(value).expect("a database")
    }

    fn address(changes: &str) -> String {
        let database = database(changes);
        let address = Address::of(&database);
        address.url(address.password.map(Secret::expose))
    }

    #[test]
    fn addresses_are_libpqs() {
        for (settings, expected) in [
            (r#"{"user": "ann", "host": "db", "port": "5432"}"#, "postgresql://ann@db:5432/site"),
            (
                r#"{"user": "a@b", "password": "p@ss/word?", "host": "db"}"#,
                "postgresql://a%40b:p%40ss%2Fword%3F@db/site",
            ),
            ("{}", "postgresql:///site"),
            (r#"{"user": "ann", "host": "/run/pg", "port": "5433"}"#, "postgresql://ann@%2Frun%2Fpg:5433/site"),
            (r#"{"user": "ann", "port": "5433"}"#, "postgresql://ann@/site?port=5433"),
            (r#"{"password": "p&w", "host": "db"}"#, "postgresql://db/site?password=p%26w"),
            (
                r#"{"password": "pw", "port": "5433", "options": {"sslmode": "require"}}"#,
                "postgresql:///site?sslmode=require&port=5433&password=pw",
            ),
            (
                r#"{"user": "ann", "port": "5433", "options": {"hostaddr": "10.0.0.7", "sslmode": "require"}}"#,
                "postgresql://ann@10.0.0.7:5433/site?sslmode=require",
            ),
            (
                r#"{"port": "5433", "options": {"hostaddr": "10.0.0.7", "sslmode": "verify-full"}}"#,
                "postgresql:///site?sslmode=verify-full&hostaddr=10.0.0.7&port=5433",
            ),
            (r#"{"host": "db", "options": {"hostaddr": "10.0.0.7"}}"#, "postgresql://db/site?hostaddr=10.0.0.7"),
            (
                r#"{"host": "db", "port": "6432", "options": {"options": "-c search_path=accounts"}}"#,
                "postgresql://db:6432/site",
            ),
            (r#"{"user": "ann", "host": "::1"}"#, "postgresql://ann@[::1]/site"),
            (
                r#"{"host": "one,two", "port": "1,2", "options": {"target_session_attrs": "read-write"}}"#,
                "postgresql://one:1,two:2/site?target_session_attrs=read-write",
            ),
            (
                r#"{"host": "db", "options": {"options": "-c search_path=accounts,public", "sslmode": "verify-full", "sslrootcert": "/etc/ca.pem", "pool": "True"}}"#,
                "postgresql://db/site?sslmode=verify-full&sslrootcert=/etc/ca.pem&options=-c%20search_path%3Daccounts%2Cpublic",
            ),
        ] {
            assert_eq!(address(settings), expected, "{settings}");
        }
    }

    #[test]
    fn services_and_statements_after_connecting_are_resolved() {
        let found = address(
            r#"{"name": null, "options": {"service": "site", "assume_role": "app"}, "search_path": "\"a\", public", "search_path_source": "session",
                "effective": {"host": "db", "port": "5432", "user": "ann", "password": "pw", "dbname": "site", "parameters": {"sslmode": "require"}}}"#,
        );
        assert_eq!(
            found,
            "postgresql://ann:pw@db:5432/site?sslmode=require&options=-crole%3Dapp%20-csearch_path%3D%22a%22%2C%5C%20public"
        );
    }

    #[test]
    fn files_are_absolute_addresses() {
        assert_eq!(sqlite_url("/srv/my site/db#1.sqlite3"), "sqlite:////srv/my%20site/db%231.sqlite3");
    }
}
