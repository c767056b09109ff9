//! `countersign walkthrough`: the login path of a running server, step by step, as a table or as JSON.
//!
//! Nothing here knows how the server is made: it speaks HTTP to ours and to Django REST framework with `SimpleJWT` alike.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};

use self::client::Client;
use self::steps::Walk;

mod client;
mod findings;
mod jwt;
mod report;
mod steps;
mod table;
mod text;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

/// Shows the login path of a running server: ten steps, each really done and checked.
///
/// One wrong login is sent to each login path, to see it refused; mind servers that lock accounts.
#[derive(clap::Args, Debug)]
pub(crate) struct WalkthroughArgs {
    /// Where the server is, such as `http://127.0.0.1:8000`; a path prefix may follow the host
    #[arg(long, value_name = "URL")]
    url: String,
    /// Who logs in
    #[arg(long, value_name = "NAME")]
    username: String,
    /// The password; `-` reads one line of standard input. Without this flag: a prompt, or standard input if that is no terminal
    #[arg(long, value_name = "PASSWORD")]
    password: Option<Secret>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Seconds to wait for each answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    #[command(flatten)]
    paths: Paths,
}

/// Where the views are mounted, and the words before the credentials.
#[derive(clap::Args, Debug)]
struct Paths {
    /// Path that gives the DRF token
    #[arg(long, value_name = "PATH", default_value = "/api-token-auth/")]
    token_path: String,
    /// Path that gives the JWT pair
    #[arg(long, value_name = "PATH", default_value = "/api/token/")]
    pair_path: String,
    /// Path that gives a new access token
    #[arg(long, value_name = "PATH", default_value = "/api/token/refresh/")]
    refresh_path: String,
    /// Path that says whether a JWT is valid
    #[arg(long, value_name = "PATH", default_value = "/api/token/verify/")]
    verify_path: String,
    /// A path that only logged-in users may GET
    #[arg(long, value_name = "PATH", default_value = "/api/whoami/")]
    protected_path: String,
    /// Word before a DRF token in the Authorization header
    #[arg(long, value_name = "WORD", default_value = "Token")]
    token_keyword: String,
    /// Word before an access token in the Authorization header
    #[arg(long, value_name = "WORD", default_value = "Bearer")]
    bearer_keyword: String,
}

/// A password given as an argument; `Debug` does not show it.
#[derive(Clone)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Walks the login path and prints it to standard output. True when every step held.
///
/// # Errors
/// The URL is not usable, the password cannot be read, or standard output cannot be written. A server that does not answer
/// is not an error: its steps are shown as failed.
pub(crate) fn run(args: &WalkthroughArgs) -> anyhow::Result<bool> {
    // The URL is looked at first: nobody wants to type a password for a URL that is then refused.
    let client = Client::new(&args.url, Duration::from_secs(args.timeout))?;
    let password = read_password(args)?;
    if password.is_empty() {
        bail!("the password is empty");
    }
    #[expect(clippy::disallowed_methods, reason = "a client's clock, to judge the server's tokens by")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock of this machine is before 1970")?;
    let stdout = io::stdout();
    let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    walk(args, client, &password, now.as_secs_f64(), colour, &mut stdout.lock())
}

/// The whole walk, written to `out`; `now` is in seconds since 1970, UTC.
fn walk(
    args: &WalkthroughArgs,
    client: Client,
    password: &str,
    now: f64,
    colour: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let url = client.base().to_owned();
    let mut walk = Walk::new(client, &args.paths, &args.username, password, now);
    let mut steps = Vec::with_capacity(steps::COUNT);
    let mut variables = Vec::with_capacity(steps::COUNT);
    let table = report::steps_table(colour);
    if !args.json {
        write!(
            out,
            "The login path of {} for {}\n\n{}",
            text::printable(&url),
            text::printable(&args.username),
            table.head()
        )?;
        out.flush()?;
    }
    for number in 1..=steps::COUNT {
        let step = walk.step(number);
        if !args.json {
            out.write_all(report::step_row(&table, &step).as_bytes())?;
            out.flush()?;
        }
        variables.push(walk.variables());
        steps.push(step);
    }
    let held = steps.iter().filter(|step| step.held()).count();
    let ok = held == steps::COUNT;
    if args.json {
        let report = report::Report::new(&url, &steps, &variables);
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(out, "{}\nThe variables after each step (secrets shortened)\n\n", table.foot())?;
        out.write_all(report::variables_table(&variables).as_bytes())?;
        let verdict =
            if ok { "Every step held.".to_owned() } else { format!("{held} of {} steps held.", steps::COUNT) };
        writeln!(out, "\n{verdict}")?;
    }
    out.flush()?;
    Ok(ok)
}

/// The password from the flag, standard input or a prompt.
fn read_password(args: &WalkthroughArgs) -> anyhow::Result<String> {
    match &args.password {
        Some(Secret(password)) if password != "-" => Ok(password.clone()),
        None if io::stdin().is_terminal() => {
            rpassword::prompt_password(format!("Password of {}: ", text::printable(&args.username)))
                .context("the password could not be read from the terminal")
        }
        _ => {
            let mut line = String::new();
            io::stdin().read_line(&mut line).context("the password could not be read from standard input")?;
            let line = line.strip_suffix('\n').unwrap_or(&line);
            Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
        }
    }
}
