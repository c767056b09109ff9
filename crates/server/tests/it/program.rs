//! Commands of the program, run to their end.

use std::process::{Command, Output};

/// Runs `countersign ARGUMENTS` under a configuration.
pub(crate) fn run(configuration: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("countersign.toml");
    std::fs::write(&file, configuration).expect("written");
    Command::new(env!("CARGO_BIN_EXE_countersign")).arg("--config").arg(&file).args(arguments).output().expect("runs")
}
