//! What the database says: whether it fits, its clock, its indexes, and rows that nobody looks after.

use countersign::AUTHTOKEN_TABLE;
use countersign::clock::Clock;
use countersign_formats::password::Algorithm;
use countersign_store::{
    AppState, HashCount, HashKind, NotUnique, SURVEY_ROWS, Sample, ServerState, Store, StoreError, UserMapping,
    UsernameLookup,
};
use jiff::{SignedDuration, Timestamp};

use super::settings::usual_cost;
use super::{Finding, Severity};
use crate::config::{Config, SchemeChoice};
use crate::database::{SESSIONS_OFF, TRIGGERS_MISSING};

/// The oldest PostgreSQL that is supported.
const OLDEST_SERVER: u64 = 130_000;
/// A skew that makes fresh tokens look as if they came from the future.
const SKEW_WARNING: SignedDuration = SignedDuration::from_secs(2);
/// A skew that makes tokens expire at another time than they say.
const SKEW_ERROR: SignedDuration = SignedDuration::from_secs(30);
/// Rows that expired longer ago than this are not looked after.
const NEGLECT: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) async fn examine(config: &mut Config, clock: &dyn Clock, findings: &mut Vec<Finding>) {
    let store = match config.database.open().await {
        Ok(store) => store,
        Err(error) => {
            findings.push(Finding::error(
                "database-unreachable",
                format!("{error:#}"),
                "Correct database_url, or start the database.",
            ));
            return;
        }
    };
    sessions(config, &store, findings).await;
    events(config, &store, findings).await;
    server(config, &store, findings).await;
    skew(&store, clock, findings).await;
    let mapping = config.database.users.clone().unwrap_or_default();
    match store.with_users(&mapping).await {
        Ok(store) => {
            migrations(config, &store, findings).await;
            privileges(config, &store, findings).await;
            users(config, &store, &mapping, findings).await;
            statements(config, &store, findings).await;
            triggers(config, &store, findings).await;
        }
        Err(error @ StoreError::Schema { .. }) => {
            let remedy = if config.database.users.is_some() {
                "Correct [users]; `countersign adopt` writes it."
            } else {
                migrations(config, &store, findings).await;
                "Run manage.py migrate; where the project has a user model of its own, `countersign adopt` writes [users]."
            };
            // Where tables of Django's are missing, that is what there is to say.
            if !is_missing_tables(findings) {
                findings.push(Finding::error("users-table", error.to_string(), remedy));
            }
        }
        Err(error) => uncounted(findings, "the users' table", &error),
    }
    neglected(config, &store, clock.now(), findings).await;
    store.close().await;
}

/// Sessions are off without our own tables, unless the configuration demands them.
async fn sessions(config: &mut Config, store: &Store, findings: &mut Vec<Finding>) {
    let migrate = "Run `countersign migrate`, which makes them beside Django's, or set sessions.enabled = false.";
    match config.database.settle_sessions(store, &config.sessions, &mut config.settings).await {
        Ok(true) => {}
        Ok(false) => findings.push(Finding::warning("sessions-off", SESSIONS_OFF, migrate)),
        Err(error) => {
            config.settings.apps.countersign = false;
            config.settings.sessions = None;
            findings.push(Finding::error("sessions-missing", format!("{error:#}"), migrate));
        }
    }
}

/// Events go to the log alone without their table, unless the configuration demands it.
async fn events(config: &mut Config, store: &Store, findings: &mut Vec<Finding>) {
    if let Err(error) = config.database.settle_events(store, &config.audit, &mut config.settings).await {
        findings.push(Finding::error(
            "events-missing",
            format!("{error:#}"),
            "Run `countersign migrate`, which makes it beside Django's, or set audit.table = false.",
        ));
    }
}

/// Django's changes to users end sessions by triggers, which a rebuilt table loses.
async fn triggers(config: &Config, store: &Store, findings: &mut Vec<Finding>) {
    if config.settings.sessions.is_none() {
        return;
    }
    // A field that cannot be used is told by the statements.
    let Ok(field) = store.user_field(&config.settings.simple_jwt.user_id_field).await else { return };
    match store.has_triggers(&field).await {
        Ok(true) => {}
        Ok(false) => findings.push(Finding::warning(
            "sessions-triggers",
            TRIGGERS_MISSING,
            "Run `countersign migrate`, on SQLite also after each manage.py migrate that alters these tables.",
        )),
        Err(error) => uncounted(findings, "the triggers", &error),
    }
}

fn is_missing_tables(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.id == "migrations-missing")
}

/// What could not be counted is said, not passed over; what time will not mend is an error.
fn uncounted(findings: &mut Vec<Finding>, what: &str, error: &StoreError) {
    let found = format!("{what}: {error}");
    match error {
        StoreError::Busy | StoreError::Unavailable { .. } => {
            findings.push(Finding::note("not-counted", found, "Try again when the database has less to do."));
        }
        StoreError::Schema { problem } if problem.contains("permission denied") => {
            if !findings.iter().any(|finding| finding.id == "privileges-missing") {
                findings.push(Finding::error("privileges-missing", found, grant("the table")));
            }
        }
        // A table that is missing was named, and questions of its rows have no answer.
        StoreError::Schema { .. } if is_missing_tables(findings) => {}
        _ => findings.push(Finding::error(
            "tables-misfit",
            found,
            "Run manage.py migrate, and see to it that the database's user may read Django's tables.",
        )),
    }
}

fn grant(tables: &str) -> String {
    format!(
        "Have the owner of {tables} run: GRANT SELECT, INSERT, UPDATE, DELETE ON … TO <the user of database_url> (and GRANT USAGE ON SCHEMA, where they are in one of their own)."
    )
}

/// What the store does with tables and may not.
async fn privileges(config: &Config, store: &Store, findings: &mut Vec<Finding>) {
    match store.missing_privileges(&config.settings.apps).await {
        Ok(missing) if missing.is_empty() => {}
        Ok(missing) => {
            let shown: Vec<String> =
                missing.iter().map(|(table, privilege)| format!("{privilege} on {table}")).collect();
            findings.push(Finding::error(
                "privileges-missing",
                format!("the database's user lacks {}", shown.join(", ")),
                grant("these tables"),
            ));
        }
        Err(error) => uncounted(findings, "the privileges", &error),
    }
}

/// What a start checks besides: every statement, the field that tokens name users by, and the tables of keys.
async fn statements(config: &Config, store: &Store, findings: &mut Vec<Finding>) {
    let apps = &config.settings.apps;
    // What a missing table or index breaks besides is not told twice.
    let has_said = |part: &str| {
        let is_of_schema = |finding: &&Finding| {
            finding.severity == Severity::Error
                && (finding.id == "migrations-missing" || finding.id.starts_with("index-"))
        };
        findings
            .iter()
            .filter(is_of_schema)
            .any(|finding| finding.id == "migrations-missing" || finding.found.contains(part))
    };
    let mut problems = Vec::new();
    if let Err(error) = store.check_statements(apps).await
        && !has_said("")
    {
        problems.push(("the statements", error));
    }
    if let Err(error) = store.user_field(&config.settings.simple_jwt.user_id_field).await {
        problems.push(("simple_jwt.user_id_field", error));
    }
    let mut tables: Vec<&str> = if apps.authtoken { vec![AUTHTOKEN_TABLE] } else { Vec::new() };
    for choice in config.resources.iter().flat_map(|resource| &resource.authentication) {
        if let SchemeChoice::Token { table, .. } = choice
            && !tables.contains(&table.as_str())
        {
            tables.push(table);
        }
    }
    for table in tables {
        if let Err(error) = store.token_table(table).await
            && !has_said(table)
        {
            problems.push(("token authentication", error));
        }
    }
    for (what, error) in problems {
        uncounted(findings, what, &error);
    }
}

async fn server(config: &Config, store: &Store, findings: &mut Vec<Finding>) {
    let state = match store.server_state().await {
        Ok(Some(state)) => state,
        Ok(None) => return,
        Err(error) => return uncounted(findings, "the server's state", &error),
    };
    let postgres = &config.database.postgres;
    // With sessions, one more follows their ends.
    let ours = postgres.read_connections + postgres.write_connections + usize::from(config.settings.sessions.is_some());
    findings.extend(server_findings(state, u64::try_from(ours).unwrap_or(u64::MAX), config.database.url.is_loopback()));
}

fn server_findings(state: ServerState, ours: u64, is_here: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if state.version < OLDEST_SERVER {
        findings.push(Finding::error(
            "server-too-old",
            format!("the server is PostgreSQL {}.{}", state.version / 10_000, state.version % 10_000),
            "Countersign is made for PostgreSQL 13 and later.",
        ));
    }
    if !is_here && !state.is_encrypted {
        findings.push(Finding::warning(
            "tls-off",
            "the connection to the database on another machine is not encrypted: hashes and tokens cross the network in the clear",
            "Add sslmode=verify-full (and sslrootcert) to database_url.",
        ));
    }
    let wanted = state.connections.saturating_add(ours);
    if wanted > state.max_connections {
        findings.push(Finding::warning(
            "connections-scarce",
            format!(
                "the server takes {} connections and has {}; one Countersign wants up to {ours} more",
                state.max_connections, state.connections
            ),
            "Raise max_connections, lower read_connections and write_connections under [postgresql], or use PgBouncer.",
        ));
    }
    findings
}

/// Our clock against the database's. The truth lies within the round trip; SQLite's clock is ours.
async fn skew(store: &Store, clock: &dyn Clock, findings: &mut Vec<Finding>) {
    if !store.url().is_postgres() {
        return;
    }
    let before = clock.now();
    match store.database_time().await {
        Ok(Some(theirs)) => findings.extend(skew_finding(before, theirs, clock.now())),
        Ok(None) => {}
        Err(error) => uncounted(findings, "the database's clock", &error),
    }
}

fn skew_finding(before: Timestamp, theirs: Timestamp, after: Timestamp) -> Option<Finding> {
    // How far theirs lies outside of what could be the same instant.
    let behind = before.duration_since(theirs);
    let ahead = theirs.duration_since(after);
    let (skew, which) = if behind > ahead { (behind, "behind") } else { (ahead, "ahead of") };
    if skew < SKEW_WARNING {
        return None;
    }
    let found = format!("the database's clock is {} s {which} this machine's", skew.as_secs());
    let remedy = "Run an NTP client on both machines. Tokens carry instants: where clocks differ they are refused too early, or accepted too long.";
    Some(if skew >= SKEW_ERROR {
        Finding::error("clock-skew", found, remedy)
    } else {
        Finding::warning("clock-skew", found, remedy)
    })
}

async fn migrations(config: &Config, store: &Store, findings: &mut Vec<Finding>) {
    let state = match store.migration_state().await {
        Ok(state) => state,
        Err(error) => return uncounted(findings, "the migrations", &error),
    };
    let missing = state.missing(&config.settings.apps);
    for (label, app) in &state.apps {
        match app {
            AppState::Conflict(problem) if missing.contains(label) => findings.push(Finding::error(
                "migrations-missing",
                format!("{label}: {problem}"),
                "Run manage.py migrate, or `countersign migrate` where there is no Django.",
            )),
            AppState::Absent if missing.contains(label) => findings.push(Finding::error(
                "migrations-missing",
                format!("the tables of {label} are not there"),
                "Run manage.py migrate (or `countersign migrate` where there is no Django), or take the app out of installed_apps.",
            )),
            AppState::Applied { pending } if !pending.is_empty() => findings.push(Finding::note(
                "migrations-pending",
                format!("{label}: not recorded: {}", pending.join(", ")),
                "Run manage.py migrate; nothing here depends on it.",
            )),
            _ => {}
        }
    }
}

async fn users(config: &Config, store: &Store, mapping: &UserMapping, findings: &mut Vec<Finding>) {
    match store.columns_without_unique_index(&config.settings.apps, &mapping.username).await {
        Ok(missing) => findings.extend(missing.iter().filter_map(|column| not_unique(column, mapping))),
        Err(error) => uncounted(findings, "the indexes", &error),
    }
    match store.username_lookup_walks(&mapping.username, mapping.username_lookup).await {
        Ok(true) => findings.push(Finding::warning(
            "index-without-case-missing",
            format!(
                "names are looked up without case and no index serves that: each login walks through {}",
                mapping.table
            ),
            if store.url().is_postgres() {
                format!(
                    "In Django: models.Index(Upper(\"{}\"), name=…) and a migration.",
                    config.settings.username_field
                )
            } else {
                format!(
                    "In Django: models.Index(Upper(Cast(\"{}\", TextField())), name=…) and a migration.",
                    config.settings.username_field
                )
            },
        )),
        Ok(false) => {}
        Err(error) => uncounted(findings, "the indexes", &error),
    }
    match store.usernames_differing_by_case(&mapping.username).await {
        Ok(sample) => findings.extend(twins(sample, mapping.username_lookup)),
        Err(error) => uncounted(findings, "names that differ by case", &error),
    }
    match store.password_hashes().await {
        Ok(counts) => findings.extend(hashes(&counts, config.settings.hashers.order())),
        Err(error) => uncounted(findings, "hashes", &error),
    }
}

/// Names that are looked up without case have an index of their own, or the finding about that; twins are counted.
fn not_unique(found: &NotUnique, mapping: &UserMapping) -> Option<Finding> {
    let NotUnique { table, column, is_indexed } = found;
    let is_username = *table == mapping.table.to_string() && *column == mapping.username;
    if is_username && mapping.username_lookup == UsernameLookup::IgnoreCase {
        return None;
    }
    Some(match (is_indexed, is_username) {
        (false, true) => Finding::error(
            "index-missing",
            format!("{table}.{column} has no index: each login walks through the table, and doubles can get in"),
            "Run manage.py migrate. If the model has the field without unique=True on purpose, give it db_index=True and a migration.",
        ),
        (false, false) => Finding::error(
            "index-missing",
            format!("{table}.{column} has no index: lookups walk through the table, and doubles can get in"),
            "Run manage.py migrate; if Django thinks it is there, create the unique index by hand.",
        ),
        (true, true) => Finding::warning(
            "index-not-unique",
            format!("{table}.{column} is indexed, and not unique: users of the same name cannot log in"),
            "unique=True and a migration; nothing, if something else keeps names apart.",
        ),
        (true, false) => Finding::error(
            "index-not-unique",
            format!("{table}.{column} is indexed, and not unique: doubles can get in"),
            "Remove doubles and create the unique index that Django's migrations make.",
        ),
    })
}

fn twins(sample: Sample, lookup: UsernameLookup) -> Option<Finding> {
    if sample.found == 0 {
        return None;
    }
    let found = format!("{} names belong to several users but for case ({})", sample.found, of_users(sample.looked_at));
    let finding = match lookup {
        UsernameLookup::Exact => Finding::warning(
            "usernames-differ-by-case",
            found,
            "People mistype case: they get each other's refusals. Merge the accounts, or make the column unique without case.",
        ),
        UsernameLookup::IgnoreCase => Finding::error(
            "usernames-differ-by-case",
            found,
            "Names are looked up without case, so none of these users can log in. Merge the accounts.",
        ),
    };
    Some(finding.counted(sample.found))
}

fn of_users(looked_at: u64) -> String {
    if looked_at < u64::from(SURVEY_ROWS) {
        format!("of {looked_at} users")
    } else {
        format!("of the {looked_at} users looked at")
    }
}

/// Hashes that nobody can log in with, and those made with less work than today's.
fn hashes(counts: &[HashCount], configured: &[Algorithm]) -> Vec<Finding> {
    let looked_at = of_users(counts.iter().map(|count| count.users).sum());
    let mut findings = Vec::new();
    let total = |matches: &dyn Fn(&HashKind) -> bool| -> u64 {
        counts.iter().filter(|count| matches(&count.kind)).map(|count| count.users).sum()
    };
    let list = |matches: &dyn Fn(&HashKind) -> bool| -> String {
        let shown = counts.iter().filter(|count| matches(&count.kind)).map(|HashCount { kind, users }| match kind {
            HashKind::Named { algorithm, cost: Some(cost) } => format!("{algorithm} at {cost}: {users}"),
            HashKind::Named { algorithm, cost: None } => format!("{algorithm}: {users}"),
            _ => users.to_string(),
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    let is_configured = |word: &str| configured.iter().any(|algorithm| algorithm.django_name() == word);
    let is_foreign = |kind: &HashKind| matches!(kind, HashKind::Named { algorithm, .. } if !is_configured(algorithm));
    let is_outdated = |kind: &HashKind| match kind {
        HashKind::Named { algorithm, cost } if is_configured(algorithm) => {
            let usual = Algorithm::ALL.into_iter().find(|known| known.django_name() == algorithm).map_or(0, usual_cost);
            algorithm == "md5" || cost.is_none_or(|cost| cost < usual)
        }
        _ => false,
    };
    let foreign = total(&is_foreign);
    if foreign > 0 {
        findings.push(
            Finding::warning(
                "hashes-not-configured",
                format!("{foreign} {looked_at} have hashes of algorithms that password_hashers does not list ({})", list(&is_foreign)),
                "They cannot log in here. List the hasher if Countersign has it; else they keep logging in at Django, which re-hashes.",
            )
            .counted(foreign),
        );
    }
    let outdated = total(&is_outdated);
    if outdated > 0 {
        findings.push(
            Finding::note(
                "hashes-outdated",
                format!("{outdated} {looked_at} have hashes with less work than Django 5.2's ({})", list(&is_outdated)),
                "Each is replaced when its user next logs in, if the preferred hasher does more. Those who never come back keep theirs: make them unusable after a while.",
            )
            .counted(outdated),
        );
    }
    for (id, kind, what, remedy) in [
        (
            "hashes-dead",
            HashKind::Dead,
            "have hashes of a form that no Django verifies any more",
            "They cannot log in. Have them reset their passwords.",
        ),
        (
            "passwords-empty",
            HashKind::Empty,
            "have no password at all",
            "They cannot log in. Django's set_unusable_password says so in words.",
        ),
        (
            "passwords-unusable",
            HashKind::Unusable,
            "have a password that is marked unusable",
            "They log in by other means or not at all, as intended.",
        ),
    ] {
        let users = total(&|found| *found == kind);
        if users > 0 {
            findings.push(Finding::note(id, format!("{users} {looked_at} {what}"), remedy).counted(users));
        }
    }
    findings
}

/// Tables that grow without end.
async fn neglected(config: &Config, store: &Store, now: Timestamp, findings: &mut Vec<Finding>) {
    let then = now.saturating_sub(NEGLECT).unwrap_or(now);
    let apps = &config.settings.apps;
    if apps.token_blacklist {
        match store.expired_outstanding(then).await {
            Ok(sample) => findings.extend(expired(
                "outstanding-never-pruned",
                "refresh tokens",
                "`countersign flushexpiredtokens` (or manage.py flushexpiredtokens)",
                sample,
            )),
            Err(error) => uncounted(findings, "expired refresh tokens", &error),
        }
    }
    if apps.sessions {
        match store.expired_sessions(then).await {
            Ok(sample) => {
                findings.extend(expired("sessions-never-pruned", "sessions", "manage.py clearsessions", sample));
            }
            Err(error) => uncounted(findings, "expired sessions", &error),
        }
    }
    if apps.authtoken {
        match store.drf_key_count().await {
            Ok(sample) if sample.found > 0 => {
                let at_least = if sample.is_whole() { "" } else { "at least " };
                let found = format!(
                    "{at_least}{} DRF keys are in the database as they are sent: whoever reads the table can use them",
                    sample.found
                );
                let remedy =
                    "Django needs them so. Keep backups and replicas as secret as the keys, or move clients to JWTs.";
                findings.push(Finding::note("drf-keys-in-clear", found, remedy).counted(sample.found));
            }
            Ok(_) => {}
            Err(error) => uncounted(findings, "DRF keys", &error),
        }
    }
}

fn expired(id: &'static str, what: &str, command: &str, sample: Sample) -> Option<Finding> {
    if sample.found == 0 {
        return None;
    }
    let at_least = if sample.is_whole() { "" } else { "at least " };
    let found = format!("{at_least}{} {what} expired more than a week ago and are still there", sample.found);
    let remedy = format!("Set pruning.django_tables = true, and the server deletes them, or run {command} daily.");
    Some(Finding::warning(id, found, remedy).counted(sample.found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_750_000_000 + seconds).expect("in range")
    }

    #[test]
    fn skew_is_what_the_round_trip_cannot_explain() {
        assert_eq!(skew_finding(at(0), at(1), at(3)), None);
        assert_eq!(skew_finding(at(0), at(4), at(3)), None);
        let warning = skew_finding(at(0), at(10), at(1)).expect("a finding");
        assert_eq!(
            (warning.severity, warning.found.as_str()),
            (Severity::Warning, "the database's clock is 9 s ahead of this machine's")
        );
        let error = skew_finding(at(0), at(-60), at(1)).expect("a finding");
        assert_eq!(
            (error.severity, error.found.as_str()),
            (Severity::Error, "the database's clock is 60 s behind this machine's")
        );
    }

    #[test]
    fn hashes_are_judged_by_algorithm_and_cost() {
        let named = |algorithm: &str, cost, users| HashCount {
            kind: HashKind::Named { algorithm: algorithm.to_owned(), cost },
            users,
        };
        let counts = [
            named("pbkdf2_sha256", Some(1_000_000), 90),
            named("pbkdf2_sha256", Some(260_000), 5),
            named("argon2", Some(512), 1),
            named("md5", None, 2),
            named("site_own", None, 1),
            HashCount { kind: HashKind::Unusable, users: 1 },
        ];
        let findings = hashes(&counts, &[Algorithm::Pbkdf2Sha256, Algorithm::Argon2, Algorithm::Md5]);
        let shown: Vec<_> =
            findings.iter().map(|finding| (finding.id, finding.count, finding.found.as_str())).collect();
        assert_eq!(
            shown,
            [
                (
                    "hashes-not-configured",
                    Some(1),
                    "1 of 100 users have hashes of algorithms that password_hashers does not list (site_own: 1)"
                ),
                (
                    "hashes-outdated",
                    Some(8),
                    "8 of 100 users have hashes with less work than Django 5.2's (pbkdf2_sha256 at 260000: 5, argon2 at 512: 1, md5: 2)"
                ),
                ("passwords-unusable", Some(1), "1 of 100 users have a password that is marked unusable"),
            ]
        );
    }

    #[test]
    fn a_server_is_judged_from_where_we_are() {
        let state = ServerState { version: 150_004, max_connections: 100, connections: 20, is_encrypted: false };
        let ids =
            |state, is_here| server_findings(state, 10, is_here).iter().map(|finding| finding.id).collect::<Vec<_>>();
        assert_eq!(ids(state, true), Vec::<&str>::new());
        assert_eq!(ids(state, false), ["tls-off"]);
        assert_eq!(ids(ServerState { is_encrypted: true, ..state }, false), Vec::<&str>::new());
        assert_eq!(
            ids(ServerState { version: 120_011, connections: 95, ..state }, true),
            ["server-too-old", "connections-scarce"]
        );
    }

    #[test]
    fn what_time_will_not_mend_is_an_error() {
        let schema = |problem: &str| StoreError::Schema { problem: problem.to_owned() };
        for (error, id, severity) in [
            (StoreError::Busy, "not-counted", Severity::Note),
            (schema("permission denied for table auth_user"), "privileges-missing", Severity::Error),
            (schema("no such column: u.email"), "tables-misfit", Severity::Error),
        ] {
            let mut findings = Vec::new();
            uncounted(&mut findings, "hashes", &error);
            assert_eq!((findings[0].id, findings[0].severity), (id, severity));
            assert_eq!(findings[0].remedy.contains("GRANT SELECT, INSERT, UPDATE, DELETE"), id == "privileges-missing");
        }
    }

    #[test]
    fn a_name_that_is_indexed_and_not_unique_is_a_choice() {
        let mapping = UserMapping::default();
        let judged = |table: &str, column: &str, is_indexed, mapping: &UserMapping| {
            let found = NotUnique { table: table.to_owned(), column: column.to_owned(), is_indexed };
            not_unique(&found, mapping).map(|finding| (finding.id, finding.severity))
        };
        assert_eq!(judged("auth_user", "username", false, &mapping), Some(("index-missing", Severity::Error)));
        assert_eq!(judged("auth_user", "username", true, &mapping), Some(("index-not-unique", Severity::Warning)));
        assert_eq!(judged("authtoken_token", "key", true, &mapping), Some(("index-not-unique", Severity::Error)));
        let without_case = UserMapping { username_lookup: UsernameLookup::IgnoreCase, ..mapping };
        assert_eq!(judged("auth_user", "username", false, &without_case), None);
    }

    #[test]
    fn part_of_a_table_is_a_lower_bound() {
        assert_eq!(expired("x", "rows", "it", Sample { looked_at: 9, found: 0 }), None);
        let finding =
            expired("x", "rows", "it", Sample { looked_at: u64::from(SURVEY_ROWS), found: 7 }).expect("a finding");
        assert_eq!(finding.found, "at least 7 rows expired more than a week ago and are still there");
    }
}
