//! The command line: Django's command names, one file a family.

mod adopt;
mod clients;
mod demo;
mod doctor;
mod events;
mod keys;
mod prompt;
mod serve;
mod session_list;
/// See and end sessions: tokens of those that end are refused at once, by every node.
mod sessions;
mod tokens;
mod users;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::config::{Config, ConfigError, Overrides};
use crate::walkthrough::WalkthroughArgs;

/// Django REST framework's authentication, in Rust: DRF tokens and SimpleJWT pairs over Django's own tables.
#[derive(Parser)]
#[command(name = "countersign", version, propagate_version = true)]
struct Cli {
    /// Configuration file; `countersign.toml` in this folder when there is one.
    #[arg(long, short, global = true, value_name = "FILE", env = "COUNTERSIGN_CONFIG")]
    config: Option<PathBuf>,
    /// Database, instead of the one configured: `sqlite:db.sqlite3`, `sqlite:////srv/db.sqlite3`,
    /// `postgresql://user@host/name`. A password belongs in `COUNTERSIGN_DATABASE_URL`, which others cannot see.
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve logins, tokens and protected resources.
    Serve {
        /// Address to listen on, instead of the one configured; port 0 picks a free one.
        #[arg(long, value_name = "HOST:PORT")]
        bind: Option<String>,
    },
    /// Serve with a database and a user of its own, and print commands to try.
    Demo(demo::DemoArgs),
    /// Create Django's tables where they are absent, as Django's own migrate would, and our own beside them.
    Migrate,
    /// Create a superuser.
    Createsuperuser(users::CreateSuperuserArgs),
    /// Change a user's password.
    Changepassword {
        /// The user; the one logged in to this machine when absent.
        username: Option<String>,
        /// Django's name of the database; there is one.
        #[arg(long, default_value = "default", value_parser = ["default"])]
        database: String,
    },
    /// Show a user's DRF token, creating it on first use.
    #[command(name = "drf_create_token")]
    DrfCreateToken(tokens::CreateTokenArgs),
    /// Delete expired refresh tokens from the outstanding list and the blacklist.
    Flushexpiredtokens,
    /// Show what happened to logins, tokens and sessions, the latest last.
    Events(events::EventsArgs),
    /// See and end sessions.
    #[command(subcommand)]
    Sessions(sessions::SessionsCommand),
    /// Go from one signing key to the next without a logout, or end one at once.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Make secrets for clients that ask about tokens.
    #[command(subcommand)]
    Clients(clients::ClientsCommand),
    /// Check the configuration, and nothing else.
    Check,
    /// Check configuration, database and clock for silent faults. Exit code 0: none, 1: warnings, 2: errors.
    Doctor(doctor::DoctorArgs),
    /// Read a Django project by running it, and write a configuration that stands in for its authentication.
    Adopt(adopt::AdoptArgs),
    /// Log in to a server, step by step, and show what happens.
    Walkthrough(WalkthroughArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// A command that failed: what Django would print after `CommandError: `.
#[derive(Debug, thiserror::Error)]
#[error("CommandError: {0}")]
struct CommandError(String);

/// What is logged unless `COUNTERSIGN_LOG` says otherwise: trouble, and what happened to logins and sessions.
const DEFAULT_LOG: &str = "warn,countersign::audit=info";

/// Runs the command of this process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    // Not `try_init`, which would also take in what the `log` crate carries: the driver of PostgreSQL writes the parameters of its
    // statements there, tokens and hashes among them (SECURITY S2).
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("COUNTERSIGN_LOG").unwrap_or_else(|_| DEFAULT_LOG.into()),
        )
        .with_writer(std::io::stderr)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
    match execute(cli) {
        Ok(code) => code,
        Err(error) => {
            if error.is::<CommandError>() {
                eprintln!("{error}");
            } else {
                eprintln!("countersign: {}", one_line(&error));
            }
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes in one line; a cause that the text before it names already is not named again.
fn one_line(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |line, cause| match line.as_str() {
        "" => cause,
        said if said.contains(&cause) => line,
        said => format!("{said}: {cause}"),
    })
}

fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    let source = ConfigSource { file: cli.config, database_url: cli.database_url };
    match cli.command {
        Command::Serve { bind } => runtime()?.block_on(serve::serve(source.load(bind)?))?,
        Command::Demo(args) => runtime()?.block_on(demo::demo(&args))?,
        Command::Migrate => small_runtime()?.block_on(migrate(&source.load(None)?))?,
        Command::Createsuperuser(args) => {
            let config = source.load(None)?;
            return runtime()?
                .block_on(prompt::unless_cancelled(async move { users::create_superuser(&config, &args).await }));
        }
        Command::Changepassword { username, .. } => {
            small_runtime()?.block_on(users::change_password(&source.load(None)?, username))?;
        }
        Command::DrfCreateToken(args) => small_runtime()?.block_on(tokens::create_token(&source.load(None)?, &args))?,
        Command::Flushexpiredtokens => small_runtime()?.block_on(tokens::flush_expired(&source.load(None)?))?,
        Command::Events(args) => small_runtime()?.block_on(events::events(&source.load(None)?, &args))?,
        Command::Sessions(command) => small_runtime()?.block_on(sessions::sessions(source.load(None)?, &command))?,
        Command::Keys(command) => small_runtime()?.block_on(keys::keys(&source.load(None)?, command))?,
        Command::Clients(command) => clients::clients(&command)?,
        Command::Check => {
            warn(&source.load(None)?);
            println!("The configuration holds together.");
        }
        Command::Doctor(args) => {
            let file = source.file();
            return small_runtime()?.block_on(doctor::doctor(&args, file, source.load(None)));
        }
        Command::Adopt(args) => return adopt::adopt(&args),
        Command::Walkthrough(args) => {
            return Ok(if crate::walkthrough::run(&args)? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "countersign", &mut std::io::stdout());
        }
    }
    std::io::stdout().flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Where this run's configuration comes from.
struct ConfigSource {
    file: Option<PathBuf>,
    database_url: Option<String>,
}

impl ConfigSource {
    /// The file named, or the usual one if it is there.
    fn file(&self) -> Option<PathBuf> {
        self.file.clone().or_else(|| {
            let usual = PathBuf::from("countersign.toml");
            usual.is_file().then_some(usual)
        })
    }

    fn load(self, bind: Option<String>) -> Result<Config, ConfigError> {
        let file = self.file();
        let mut overrides = Overrides::from_environment();
        if let Some(url) = self.database_url {
            overrides.flags.push(("--database-url", "database_url", url));
        }
        if let Some(bind) = bind {
            overrides.flags.push(("--bind", "bind", bind));
        }
        Config::load(file, &overrides)
    }
}

/// Prints what is accepted but unwise.
fn warn(config: &Config) {
    for warning in &config.warnings {
        eprintln!("countersign: warning: {warning}");
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

fn small_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    use countersign::clock::Clock as _;

    let store = config.database.create().await?;
    let report = store.migrate(&config.settings.apps, countersign::clock::SystemClock.now()).await?;
    if report.created.is_empty() {
        println!("No migrations to apply.");
    }
    for app in &report.created {
        println!("Created the tables of {app}");
    }
    triggers(config, &store).await?;
    store.close().await;
    Ok(())
}

/// Puts the triggers in their place where there are sessions, and takes them away where there are none.
async fn triggers(config: &Config, store: &countersign_store::Store) -> anyhow::Result<()> {
    use anyhow::Context as _;

    let state = store.migration_state().await?;
    if state.missing(&countersign_store::InstalledApps { countersign: false, ..config.settings.apps }).contains(&"auth")
        || !state.has_own_tables()
    {
        return Ok(());
    }
    let store = config.database.with_users(store).await?;
    let field = store.user_field(&config.settings.simple_jwt.user_id_field).await?;
    let refused =
        "the triggers on the tables of users and of the blacklist, by which what Django does ends sessions here";
    if config.settings.apps.countersign {
        if store.install_triggers(&field).await.context(refused)? {
            println!("Installed the triggers of countersign");
        }
    } else if store.remove_triggers(&field).await.context(refused)? {
        println!("Removed the triggers of countersign");
    }
    Ok(())
}
