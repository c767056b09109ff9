//! `countersign doctor`: checks configuration, database and clock against the deployment, and lists silent faults.
//!
//! Exit codes: 0 without findings or with notes alone, 1 with warnings, 2 with errors.

mod keys;
mod settings;
mod tables;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use countersign::clock::{Clock, SystemClock};
use serde::Serialize;

use crate::config::{Config, ConfigError};

#[derive(clap::Args)]
pub(super) struct DoctorArgs {
    /// Print the findings as one JSON document.
    #[arg(long)]
    json: bool,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    /// Something does not work, or lets in whom it should not.
    Error,
    /// Something works otherwise than it seems, or will not for long.
    Warning,
    /// Good to know.
    Note,
}

/// A silent fault. Its id is stable; `docs/doctor.md` lists them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    id: &'static str,
    severity: Severity,
    found: String,
    remedy: String,
    /// Rows concerned, where rows are.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

impl Finding {
    fn new(id: &'static str, severity: Severity, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { id, severity, found: found.into(), remedy: remedy.into(), count: None }
    }

    fn error(id: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(id, Severity::Error, found, remedy)
    }

    fn warning(id: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(id, Severity::Warning, found, remedy)
    }

    fn note(id: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(id, Severity::Note, found, remedy)
    }

    fn counted(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }
}

/// Examines the deployment and prints what is wrong with it. `file` is where the configuration was looked for.
pub(super) async fn doctor(
    args: &DoctorArgs,
    file: Option<PathBuf>,
    config: Result<Config, ConfigError>,
) -> anyhow::Result<ExitCode> {
    let examined = examine(file, config, &SystemClock).await;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&examined)?);
    } else {
        print!("{}", examined.text());
    }
    Ok(examined.exit_code())
}

/// All findings, gravest first.
#[derive(Debug, Serialize)]
struct Examined {
    /// The database's address without its password; `None` where the configuration is refused.
    database: Option<String>,
    errors: usize,
    warnings: usize,
    notes: usize,
    findings: Vec<Finding>,
}

async fn examine(file: Option<PathBuf>, config: Result<Config, ConfigError>, clock: &dyn Clock) -> Examined {
    let mut findings = Vec::new();
    let mut database = None;
    match config {
        Err(refusal) => {
            findings.push(Finding::error(
                "configuration",
                refusal.to_string(),
                "Correct it; `countersign check` says when it holds together.",
            ));
        }
        Ok(mut config) => {
            settings::examine(&config, &mut findings);
            keys::examine(file.as_deref(), &config, &mut findings);
            tables::examine(&mut config, clock, &mut findings).await;
            database = Some(config.database.url.to_string());
        }
    }
    findings.sort_by_key(|finding| finding.severity);
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    Examined {
        database,
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        notes: count(Severity::Note),
        findings,
    }
}

impl Examined {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(database) = &self.database {
            let _ = writeln!(text, "Database {database}");
        }
        for finding in &self.findings {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            let _ = write!(text, "\n{severity}: {}\n  {}\n  {}\n", finding.id, finding.found, finding.remedy);
        }
        let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let _ = writeln!(
            text,
            "\n{}, {}, {}.",
            plural(self.errors, "error"),
            plural(self.warnings, "warning"),
            plural(self.notes, "note")
        );
        text
    }

    fn exit_code(&self) -> ExitCode {
        match (self.errors, self.warnings) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(1),
            _ => ExitCode::from(2),
        }
    }
}

#[cfg(test)]
mod tests;
