//! What `adopt` says: found, carried over, left with Django, and what to do next. No secret is in it.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::document::one_line;
use super::found::{Found, Versions};
use super::nginx::Nginx;
use super::plan::{Destination, Effect, Finding, Plan, Route, SecretItem};

/// All of the report; as JSON with `--json`.
#[derive(Serialize)]
pub(super) struct Report<'r> {
    settings: &'r str,
    versions: VersionsShown<'r>,
    user_model: &'r str,
    user_table: String,
    database: String,
    routes: &'r [Route],
    findings: &'r [Finding],
    /// Files written, absolute; empty when nothing was.
    files: Vec<String>,
    /// Environment variables that Countersign needs, with what to put there.
    environment: Vec<Variable<'r>>,
    nginx: NginxShown<'r>,
    /// Why the configuration does not hold together; `None` when it does.
    refusal: Option<String>,
}

#[derive(Serialize)]
struct VersionsShown<'r> {
    python: &'r str,
    django: Option<&'r str>,
    rest_framework: Option<&'r str>,
    simplejwt: Option<&'r str>,
    knox: Option<&'r str>,
}

#[derive(Serialize)]
struct Variable<'r> {
    name: &'r str,
    meaning: &'r str,
}

#[derive(Serialize)]
struct NginxShown<'r> {
    http: &'r str,
    server: &'r str,
}

/// What happened on disk.
pub(super) struct Outcome<'o> {
    pub folder: &'o Path,
    pub files: &'o [&'static str],
    /// Those that are to be set as variables instead.
    pub environment: &'o [SecretItem],
    pub refusal: Option<String>,
}

impl<'r> Report<'r> {
    pub(super) fn new(found: &'r Found, plan: &'r Plan, nginx: &'r Nginx, outcome: &'r Outcome<'r>) -> Self {
        let Versions { python, django, rest_framework, simplejwt, knox } = &found.versions;
        Self {
            settings: found.django.module.as_deref().unwrap_or("unknown"),
            versions: VersionsShown {
                python,
                django: django.as_deref(),
                rest_framework: rest_framework.as_deref(),
                simplejwt: simplejwt.as_deref(),
                knox: knox.as_deref(),
            },
            user_model: &found.users.model,
            user_table: match &found.users.schema {
                Some(schema) => format!("{schema}.{}", found.users.table),
                None => found.users.table.clone(),
            },
            database: database(found),
            routes: &plan.routes,
            findings: &plan.findings,
            files: outcome.files.iter().map(|name| outcome.folder.join(name).display().to_string()).collect(),
            environment: outcome
                .environment
                .iter()
                .map(|item| Variable { name: item.variable, meaning: &item.meaning })
                .collect(),
            nginx: NginxShown { http: &nginx.http, server: &nginx.server },
            refusal: outcome.refusal.clone(),
        }
    }

    pub(super) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.opening(&mut text);
        self.routes(&mut text);
        for (title, effect) in [
            ("Stays with Django", Effect::Stays),
            ("Differs on the carried-over paths", Effect::Differs),
            ("Good to know", Effect::Note),
        ] {
            findings(&mut text, title, self.findings.iter().filter(|finding| finding.effect == effect));
        }
        if self.files.is_empty() {
            text += "\nNothing was written.\n";
            return text;
        }
        self.closing(&mut text);
        text
    }

    fn opening(&self, text: &mut String) {
        let versions = &self.versions;
        let _ = write!(text, "Read {} with Python {}", one_line(self.settings), versions.python);
        for (name, version) in [
            ("Django", versions.django),
            ("DRF", versions.rest_framework),
            ("SimpleJWT", versions.simplejwt),
            ("Knox", versions.knox),
        ] {
            if let Some(version) = version {
                let _ = write!(text, ", {name} {}", one_line(version));
            }
        }
        text.push('\n');
        let _ = writeln!(text, "  users     {} in table {}", one_line(self.user_model), one_line(&self.user_table));
        let _ = writeln!(text, "  database  {}", one_line(&self.database));
    }

    fn routes(&self, text: &mut String) {
        if self.routes.is_empty() {
            return;
        }
        let width = self.routes.iter().map(|route| route.pattern.chars().count()).max().unwrap_or_default();
        *text += "\nRoutes\n";
        for route in self.routes {
            let (to, what) = match route.to {
                Destination::Countersign => ("Countersign", route.view.map_or("", super::plan::View::key).to_owned()),
                Destination::Django => ("Django", route.because.join(", ")),
            };
            let _ = writeln!(text, "  {:<width$}  {to:<11}  {what}", route.pattern);
        }
        *text += "  Everything else stays with Django.\n";
    }

    fn closing(&self, text: &mut String) {
        *text += "\nWritten\n";
        for file in &self.files {
            let _ = writeln!(text, "  {file}");
        }
        if !self.environment.is_empty() {
            *text += "\nTo be set where Countersign is started\n";
            for variable in &self.environment {
                let _ = writeln!(text, "  {:<34}  {}", variable.name, variable.meaning);
            }
        }
        let indented =
            |text: &str| text.lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n").collect::<String>();
        let _ = write!(text, "\nnginx\n{}\n{}", indented(self.nginx.http), indented(self.nginx.server));
        if let Some(refusal) = &self.refusal {
            let _ = write!(text, "\nThe configuration does not hold together:\n  {}\n", one_line(refusal));
            return;
        }
        let config = self
            .files
            .iter()
            .find(|file| file.ends_with("countersign.toml"))
            .map_or("countersign.toml", String::as_str);
        let _ = write!(
            text,
            "\nNext\n  countersign doctor --config {config}\n  countersign serve --config {config}\n  \
             then include the nginx files and reload nginx.\n\
             To step back, take the locations out of nginx again: nothing was changed in Django or its database.\n"
        );
    }
}

fn findings<'f>(text: &mut String, title: &str, findings: impl Iterator<Item = &'f Finding>) {
    let mut findings = findings.peekable();
    if findings.peek().is_some() {
        let _ = write!(text, "\n{title}\n");
    }
    for finding in findings {
        let _ = writeln!(text, "  {}: {}", finding.id, finding.found);
        if !finding.views.is_empty() {
            let views: Vec<&str> = finding.views.iter().map(|view| view.key()).collect();
            let _ = writeln!(text, "    keeps {}", views.join(", "));
        }
        if !finding.remedy.is_empty() {
            let _ = writeln!(text, "    {}", finding.remedy);
        }
    }
}

/// Where the database is, without a password.
fn database(found: &Found) -> String {
    let database = &found.database;
    let name = database.name.as_deref().unwrap_or_default();
    match database.vendor.as_str() {
        "postgresql" => {
            let host = database.host.as_deref().unwrap_or("local socket");
            let server =
                database.server_version.as_deref().map(|version| format!(", server {version}")).unwrap_or_default();
            format!("PostgreSQL database {name} at {host}{server}")
        }
        "sqlite" => format!("SQLite file {name}"),
        other => format!("{other} database {name}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::plan::tests::{plan, stock};
    use super::*;

    fn shown(change: impl FnOnce(&mut serde_json::Value), as_json: bool) -> String {
        let mut document = stock();
        change(&mut document);
        let found: Found = serde_json::from_value(document.clone()).expect("understood");
        let plan = plan(&document);
        let nginx = Nginx { http: "upstream;\n".to_owned(), server: "location;\n".to_owned() };
        let outcome = Outcome {
            folder: Path::new("/etc/site"),
            files: &["countersign.toml", "secret_key"],
            environment: &plan.secrets,
            refusal: None,
        };
        let report = Report::new(&found, &plan, &nginx, &outcome);
        if as_json { report.json().expect("serialises") } else { report.text() }
    }

    #[test]
    fn the_report_says_what_where_and_what_next() {
        let text = shown(
            |found| {
                found["views"][1]["serializer"]["class"] = json!("site.Claims");
                found["views"][1]["serializer"]["overrides"] = json!(["get_token"]);
                found["django"]["secret_key_fallbacks"] = json!(1);
            },
            false,
        );
        assert_eq!(
            text,
            "Read site.settings with Python 3.11.7, Django 5.2.19, DRF 3.18.3, SimpleJWT 5.5.1
  users     auth.User in table auth_user
  database  SQLite file /srv/site/db.sqlite3

Routes
  /api-token-auth/     Countersign  obtain_auth_token
  /api/token/          Django       custom-serializer
  /api/token/refresh/  Countersign  token_refresh
  Everything else stays with Django.

Stays with Django
  custom-serializer: /api/token/ uses site.Claims, which changes get_token
    Custom claims, fields and checks are the project's code. It stays with Django; the tokens it gives out work here, claims included.

Good to know
  secret-key-fallbacks: SECRET_KEY_FALLBACKS is set (keys: 1)
    Nothing for JWTs: SimpleJWT does not use them either. They are left out; set secret_key_fallbacks if sessions made under them are to count.

Written
  /etc/site/countersign.toml
  /etc/site/secret_key

To be set where Countersign is started
  COUNTERSIGN_SECRET_KEY              Django's SECRET_KEY

nginx
  upstream;

  location;

Next
  countersign doctor --config /etc/site/countersign.toml
  countersign serve --config /etc/site/countersign.toml
  then include the nginx files and reload nginx.
To step back, take the locations out of nginx again: nothing was changed in Django or its database.
"
        );
    }

    #[test]
    fn s2_no_secret_is_in_either_form() {
        for as_json in [false, true] {
            let text = shown(
                |found| {
                    found["simple_jwt"]["signing_key"] = json!("hunter2");
                    found["database"] = json!({"alias": "default", "vendor": "postgresql", "engine": "e", "name": "site",
                        "user": "ann", "password": "hunter3", "host": "db", "options": {}, "disable_server_side_cursors": false,
                        "tables": {}, "connection_receivers": [], "reachable": true});
                },
                as_json,
            );
            for secret in ["hunter2", "hunter3", "the-secret-key-of-a-site"] {
                assert!(!text.contains(secret), "{text}");
            }
            assert!(text.contains("postgresql://ann:PASSWORD@db/site"), "{text}");
        }
    }
}
