//! Questions at the terminal, asked as Python's `input` and `getpass` ask them.

use std::io::{BufRead as _, IsTerminal as _, Write as _, stdin, stdout};
use std::time::Duration;

use countersign_formats::password::Password;

/// Does the work of an interactive command; Ctrl-C ends the process as Django's commands end, with the terminal as it was.
pub(super) async fn unless_cancelled<T: Send + 'static>(
    work: impl Future<Output = anyhow::Result<T>> + Send + 'static,
) -> anyhow::Result<T> {
    // On a task of its own: while it waits for the terminal, this one waits for the signal.
    let mut work = tokio::spawn(work);
    let done = tokio::select! {
        done = &mut work => Some(done?),
        // A password prompt notices the signal itself, and puts the terminal and the line right.
        _ = tokio::signal::ctrl_c() => match tokio::time::timeout(PROMPT_NOTICES, work).await {
            Ok(done) => Some(done?),
            Err(_) => None,
        },
    };
    match done {
        Some(Err(error)) if is_interruption(&error) => eprintln!("Operation cancelled."),
        Some(done) => return done,
        None => eprintln!("\nOperation cancelled."),
    }
    std::process::exit(1)
}

/// How long a prompt may take to notice Ctrl-C.
const PROMPT_NOTICES: Duration = Duration::from_millis(200);

fn is_interruption(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::Interrupted)
}

/// Asks on standard output and reads a line; the end of input is an error.
pub(super) fn ask(question: &str) -> anyhow::Result<String> {
    print!("{question}");
    stdout().flush()?;
    waiting(read_line)
}

/// Waits for a person. The thread may be the one that was to look for signals; another then takes that over.
fn waiting<T>(ask: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) if runtime.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(ask)
        }
        _ => ask(),
    }
}

/// Asks for a password without showing it. Without a terminal a line of standard input is read.
pub(super) fn ask_password(question: &str) -> anyhow::Result<Password> {
    if stdin().is_terminal() {
        return Ok(Password::new(waiting(|| rpassword::prompt_password(question))?));
    }
    Ok(Password::new(waiting(read_line)?))
}

fn read_line() -> anyhow::Result<String> {
    let mut line = String::new();
    if stdin().lock().read_line(&mut line)? == 0 {
        anyhow::bail!("the input ended");
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The name of the user of this process, as Python's `getpass.getuser` finds it: from the environment, else from the
/// password file.
pub(super) fn system_user() -> Option<String> {
    let from_environment = ["LOGNAME", "USER", "LNAME", "USERNAME"];
    if let Some(name) =
        from_environment.into_iter().find_map(|variable| std::env::var(variable).ok().filter(|name| !name.is_empty()))
    {
        return Some(name);
    }
    let uid = std::fs::metadata("/proc/self").ok().map(|process| {
        #[cfg(unix)]
        return std::os::unix::fs::MetadataExt::uid(&process);
        #[cfg(not(unix))]
        return 0;
    })?;
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|account| {
        let mut fields = account.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}
