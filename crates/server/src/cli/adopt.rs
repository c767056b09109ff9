//! `countersign adopt`: reads a Django project by running it, and writes a configuration that stands in for its
//! authentication. Nothing is changed in Django or in its database.

mod document;
mod files;
mod found;
mod nginx;
mod plan;
mod python;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use countersign_store::StoreError;
use zeroize::Zeroizing;

use self::files::File;
use self::nginx::Nginx;
use self::plan::{ACCEPTABLE, Choices, Finding, Plan, SecretsIn};
use self::report::{Outcome, Report};
use crate::config::{Config, ConfigError, Overrides};

#[derive(clap::Args)]
pub(super) struct AdoptArgs {
    /// The project's manage.py. It is run up to the point where Django's command line starts, in its own folder and with
    /// the environment of this command.
    #[arg(long, value_name = "FILE")]
    manage: PathBuf,
    /// The Python the project runs with; else the active environment's, or that of .venv, venv or env beside manage.py.
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Where the files go; made if it is not there.
    #[arg(long, default_value = "countersign", value_name = "FOLDER")]
    output: PathBuf,
    /// Where secrets go: files that only their owner can read, or environment variables to be set by hand.
    #[arg(long, value_enum, default_value_t = SecretsIn::File)]
    secrets: SecretsIn,
    /// Address on which Countersign will listen, and nginx find it.
    #[arg(long, default_value = "127.0.0.1:8001", value_name = "HOST:PORT")]
    bind: String,
    /// Carry views over in spite of a finding, by its id; may be given more than once.
    #[arg(long, value_name = "ID", value_parser = clap::builder::PossibleValuesParser::new(ACCEPTABLE))]
    accept: Vec<String>,
    /// Overwrite files that are there.
    #[arg(long)]
    force: bool,
    /// Print the report as one JSON document.
    #[arg(long)]
    json: bool,
    /// Seconds the project has to start.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// Looks at the project, writes the files, checks them and says what was found.
pub(super) fn adopt(args: &AdoptArgs) -> anyhow::Result<ExitCode> {
    let found = python::look(&args.manage, args.python.as_deref(), Duration::from_secs(args.timeout))?;
    if args.bind.parse::<std::net::SocketAddr>().is_err() {
        bail!("--bind {}: is no address; write host:port, as in 127.0.0.1:8001", args.bind);
    }
    // The configuration names its secrets' files wherever it is started from.
    let folder = std::path::absolute(&args.output)?;
    let choices = Choices { bind: &args.bind, secrets: args.secrets, accept: &args.accept, folder: &folder };
    let mut plan = Plan::make(&found, &choices);
    let nginx = Nginx::of(&plan, &args.bind);
    let written = if plan.usable { write(&plan, &nginx, &choices, args.force)? } else { Vec::new() };
    let mut refusal = None;
    if plan.usable {
        match check(&plan, &choices) {
            Err(error) => refusal = Some(error.to_string()),
            Ok(config) if found.database.can_be_compared() => {
                match super::small_runtime()?.block_on(compare(&config)) {
                    Comparison::Fits => {}
                    Comparison::Misfit(problem) => refusal = Some(problem),
                    Comparison::Unreachable(problem) => plan.findings.push(Finding::note(
                        "database-unreachable",
                        format!("Django reaches the database, and Countersign does not: {problem}"),
                        "Complete the address by hand; `countersign doctor` says when it is right.",
                    )),
                }
            }
            Ok(_) => {}
        }
    }
    let failed = !plan.usable || refusal.is_some();
    let outcome = Outcome {
        folder: &folder,
        files: &written,
        environment: if args.secrets == SecretsIn::Env { &plan.secrets } else { &[] },
        refusal,
    };
    let report = Report::new(&found, &plan, &nginx, &outcome);
    if args.json {
        println!("{}", report.json()?);
    } else {
        print!("{}", report.text());
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Writes the configuration, the secrets and the snippet; gives the names of the files.
fn write(plan: &Plan, nginx: &Nginx, choices: &Choices<'_>, force: bool) -> anyhow::Result<Vec<&'static str>> {
    let open = |name, text: &str| File { name, text: Zeroizing::new(text.to_owned()), private: false };
    let mut files = vec![
        open("countersign.toml", &plan.document.text()),
        open("nginx.conf", &nginx.server),
        open("nginx-upstream.conf", &nginx.http),
    ];
    if choices.secrets == SecretsIn::File {
        for item in &plan.secrets {
            let text = Zeroizing::new(format!("{}\n", item.value.expose()));
            files.push(File { name: item.file, text, private: true });
        }
        // The folder may be in the project's repository.
        files.push(open(".gitignore", "*\n"));
    }
    files::make_folder(choices.folder)?;
    files::write(choices.folder, &files, force)?;
    Ok(files.iter().map(|file| file.name).collect())
}

/// Loads what was written, as `countersign check` would.
fn check(plan: &Plan, choices: &Choices<'_>) -> Result<Config, ConfigError> {
    let mut overrides = Overrides::default();
    if choices.secrets == SecretsIn::Env {
        let variables = plan.secrets.iter().map(|item| (item.variable.to_owned(), item.value.expose().to_owned()));
        overrides.environment.extend(variables);
    }
    Config::load(Some(choices.folder.join("countersign.toml")), &overrides)
}

/// The database beside the configuration.
enum Comparison {
    Fits,
    Misfit(String),
    Unreachable(String),
}

/// Looks the users up in the catalogue, as a start would. Nothing is written.
async fn compare(config: &Config) -> Comparison {
    let store = match config.database.open().await {
        Ok(store) => store,
        Err(error) => return Comparison::Unreachable(super::one_line(&error)),
    };
    let mapping = config.database.users.clone().unwrap_or_default();
    let comparison = match store.with_users(&mapping).await {
        Ok(_) => Comparison::Fits,
        Err(error @ StoreError::Schema { .. }) => Comparison::Misfit(error.to_string()),
        Err(error) => Comparison::Unreachable(error.to_string()),
    };
    store.close().await;
    comparison
}
