//! Runs the probe in the project's own Python, within a time.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

use super::found::{Found, Refusal};

/// The probe: one Python program in parts.
const PROBE: &str = concat!(
    include_str!("probe/channel.py"),
    include_str!("probe/users.py"),
    include_str!("probe/database.py"),
    include_str!("probe/views.py"),
    include_str!("probe/settings.py"),
    include_str!("probe/main.py"),
);

/// Names of environments that projects keep beside manage.py.
const ENVIRONMENTS: &[&str] = &[".venv", "venv", "env", ".env", "../.venv", "../venv", "../env"];

/// Runs manage.py under `python` up to the start of Django's command line, and reads what the probe found there.
///
/// # Errors
/// No Python, no Django in it, a project that does not start, or none of it within `timeout`.
pub(super) fn look(manage: &Path, python: Option<&Path>, timeout: Duration) -> anyhow::Result<Found> {
    let manage = manage.canonicalize().with_context(|| format!("--manage {}", manage.display()))?;
    if !manage.is_file() {
        bail!("--manage {}: is no file; name the project's manage.py", manage.display());
    }
    let folder = manage.parent().unwrap_or(Path::new("/"));
    let python = match python {
        Some(path) => absolute(path),
        None => usual_python(folder),
    };
    let answer = run(&python, &manage, folder, timeout)?;
    read(&answer, &python)
}

/// A program named with a slash is found from here, not from the project's folder. Links are kept: an environment is known
/// by the link in it.
fn absolute(program: &Path) -> PathBuf {
    if program.components().count() > 1 {
        std::path::absolute(program).unwrap_or_else(|_| program.to_owned())
    } else {
        program.to_owned()
    }
}

/// The active environment, or one beside manage.py, or whatever `python3` is.
fn usual_python(folder: &Path) -> PathBuf {
    let active = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    let beside = ENVIRONMENTS.iter().map(|name| folder.join(name));
    let (program, fallback) = if cfg!(windows) { ("Scripts/python.exe", "python") } else { ("bin/python", "python3") };
    active
        .into_iter()
        .chain(beside)
        .map(|environment| environment.join(program))
        .find(|path| path.is_file())
        .unwrap_or_else(|| fallback.into())
}

/// What a run left behind.
struct Answer {
    /// The document, secrets included.
    document: Zeroizing<Vec<u8>>,
    /// The last line the project or Python wrote to standard error.
    last_line: String,
}

fn run(python: &Path, manage: &Path, folder: &Path, timeout: Duration) -> anyhow::Result<Answer> {
    // -B: not even compiled files are left in the project.
    let mut child = Command::new(python)
        .args(["-B", "-"])
        .current_dir(folder)
        .env("COUNTERSIGN_ADOPT_MANAGE", manage)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} cannot be run; name the project's Python with --python", python.display()))?;
    let document = collect(child.stdout.take());
    let errors = collect(child.stderr.take());
    if let Some(mut input) = child.stdin.take() {
        // A Python that dies at once says why on standard error.
        let _ = input.write_all(PROBE.as_bytes());
    }
    let ended = wait(&mut child, timeout)?;
    // A process the project started may hold standard error open; the document's pipe is the probe's alone.
    let errors = errors.recv_timeout(Duration::from_millis(500)).unwrap_or_default();
    let last_line = String::from_utf8_lossy(&errors)
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .to_owned();
    if !ended {
        let said = if last_line.is_empty() { String::new() } else { format!(" Its last words: {last_line}") };
        bail!(
            "the project did not start within {} s (--timeout); does it wait for something when manage.py runs?{said}",
            timeout.as_secs()
        );
    }
    let document = document.recv_timeout(Duration::from_secs(5)).unwrap_or_default();
    Ok(Answer { document, last_line })
}

/// Reads a pipe to its end on a thread of its own, so that neither pipe can fill up.
fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 << 20));
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}

/// Whether the process ended by itself; it is killed at the end of its time.
fn wait(child: &mut Child, timeout: Duration) -> anyhow::Result<bool> {
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() >= timeout {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}

fn read(answer: &Answer, python: &Path) -> anyhow::Result<Found> {
    let python = python.display();
    if let Ok(refusal) = serde_json::from_slice::<Refusal>(&answer.document) {
        bail!("{}", explain(&refusal, &python.to_string()));
    }
    serde_json::from_slice(&answer.document).map_err(|error| {
        if answer.document.is_empty() {
            anyhow::anyhow!("{python} ended without an answer: {}", shown(&answer.last_line))
        } else {
            // Not the document itself: there are secrets in it.
            anyhow::anyhow!("the project has something unforeseen (line {}, column {})", error.line(), error.column())
        }
    })
}

fn shown(line: &str) -> String {
    super::document::one_line(line)
}

/// What the probe says went wrong, and what to do.
fn explain(refusal: &Refusal, python: &str) -> String {
    let said = shown(&refusal.error.message);
    let module = refusal.module.as_deref().unwrap_or("the settings");
    match refusal.error.kind.as_str() {
        "no-django" => format!(
            "{python} has no Django ({said}); name the Python the project runs with, as in --python venv/bin/python"
        ),
        "settings" => format!(
            "Django's settings ({module}) cannot be imported: {said}. Run this with the environment variables the project runs with"
        ),
        "setup" => format!("the project does not start ({module}): {said}"),
        "no-auth" => "django.contrib.auth is not in INSTALLED_APPS: there are no users to authenticate".to_owned(),
        "manage" if said.is_empty() => {
            "manage.py ended without starting Django's command line; is it the project's manage.py?".to_owned()
        }
        "manage" => format!("manage.py ended before Django's command line started: {said}"),
        "urls" => format!("the URL configuration ({module}) cannot be imported: {said}"),
        _ => format!("the project cannot be read: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(kind: &str, message: &str) -> Answer {
        let document = format!(
            "{{\"error\": {{\"kind\": \"{kind}\", \"message\": \"{message}\"}}, \"module\": \"site.settings\"}}"
        );
        Answer { document: Zeroizing::new(document.into_bytes()), last_line: String::new() }
    }

    #[test]
    fn each_refusal_names_a_remedy() {
        for (kind, message, part) in [
            ("no-django", "ModuleNotFoundError: No module named 'django'", "--python venv/bin/python"),
            ("settings", "KeyError: 'SECRET_KEY'", "(site.settings) cannot be imported: KeyError: 'SECRET_KEY'"),
            ("manage", "", "is it the project's manage.py?"),
            ("urls", "ImportError: no views", "URL configuration"),
        ] {
            let Err(error) = read(&refusal(kind, message), Path::new("python3")) else { panic!("{kind}") };
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn s2_a_document_that_is_not_understood_is_not_shown() {
        let document = Zeroizing::new(b"{\"django\": {\"secret_key\": \"hunter2\"}}".to_vec());
        let Err(error) = read(&Answer { document, last_line: String::new() }, Path::new("p")) else {
            panic!("accepted")
        };
        assert!(!format!("{error:#}").contains("hunter2"), "{error:#}");
    }

    #[test]
    fn a_python_that_dies_is_quoted() {
        let answer = Answer { document: Zeroizing::default(), last_line: "Segmentation \u{1b}[31mfault".to_owned() };
        let Err(error) = read(&answer, Path::new("/opt/python")) else { panic!("accepted") };
        assert_eq!(error.to_string(), "/opt/python ended without an answer: Segmentation ?[31mfault");
    }

    /// Runs with whatever `python3` the machine has; without one there is nothing to test.
    #[test]
    fn a_python_without_django_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let manage = folder.path().join("manage.py");
        std::fs::write(&manage, "print('noise')\n").expect("written");
        if Command::new("python3").arg("--version").output().is_err() {
            return;
        }
        // -S -I would need arguments; an environment without site packages comes from PYTHONHOME-free `env`.
        let Err(error) = look(&manage, None, Duration::from_secs(30)) else { panic!("found something") };
        let text = error.to_string();
        assert!(text.contains("--python venv/bin/python") || text.contains("manage.py ended"), "{text}");
    }
}
