//! The output folder: nothing there is overwritten unasked, and secrets are their owner's from the first byte.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

/// One file to be written.
pub(super) struct File {
    pub name: &'static str,
    pub text: Zeroizing<String>,
    /// Readable by its owner only.
    pub private: bool,
}

/// Writes all files, or none if one of them is there and `force` is off.
///
/// # Errors
/// A file that is there, or a folder that cannot be written.
pub(super) fn write(folder: &Path, files: &[File], force: bool) -> anyhow::Result<()> {
    let there: Vec<&str> =
        files.iter().map(|file| file.name).filter(|name| folder.join(name).symlink_metadata().is_ok()).collect();
    if !there.is_empty() && !force {
        bail!(
            "{} has {} already; name another folder with --output, or overwrite with --force",
            folder.display(),
            there.join(", ")
        );
    }
    for file in files {
        let path = folder.join(file.name);
        write_one(&path, file).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Makes the folder, for its owner only.
///
/// # Errors
/// It cannot be made.
pub(super) fn make_folder(path: &Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).with_context(|| format!("cannot make the folder {}", path.display()))
}

/// Beside its place, then moved there: an old file's wider permissions and other names for it do not matter.
fn write_one(path: &Path, file: &File) -> std::io::Result<()> {
    let new = path.with_file_name(format!(".{}.new", file.name));
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if file.private { 0o600 } else { 0o644 });
    let mut out = options.open(&new)?;
    out.write_all(file.text.as_bytes())?;
    out.sync_all()?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &'static str, private: bool) -> File {
        File { name, text: Zeroizing::new("text".to_owned()), private }
    }

    #[test]
    fn nothing_is_overwritten_unasked() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("b"), "old").expect("written");
        let refusal =
            write(folder.path(), &[file("a", false), file("b", true)], false).expect_err("refused").to_string();
        assert!(refusal.contains("has b already") && refusal.contains("--force"), "{refusal}");
        assert!(!folder.path().join("a").exists(), "all or nothing");
        write(folder.path(), &[file("a", false), file("b", true)], true).expect("forced");
        assert_eq!(std::fs::read_to_string(folder.path().join("b")).expect("read"), "text");
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn s1_secrets_are_their_owners() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("out/put");
        make_folder(&folder).expect("made");
        std::fs::write(folder.join("secret"), "old").expect("written");
        write(&folder, &[file("secret", true)], true).expect("written");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&folder.join("secret")), 0o600);
        assert_eq!(mode(&folder), 0o700);
    }
}
