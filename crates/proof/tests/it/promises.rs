//! What `docs/security.md` promises has tests: every requirement, every known attack that can reach this program, and the bar on
//! unsafe code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::root;

/// The requirements of the sections JWT, opaque tokens, passwords, login abuse, refresh and sessions, data: letter and how many.
const SECTIONS: [(char, u32); 6] = [('j', 13), ('o', 4), ('w', 6), ('a', 6), ('r', 8), ('s', 9)];

/// Attacks of the register that cannot reach this program, and why; each stands in `docs/security.md` as well.
const UNREACHED: &[(&str, &str)] = &[
    ("cve_2014_0482", "there is no RemoteUserBackend"),
    (
        "cve_2015_5144",
        "no text of a client goes into a mail or a header; names and addresses are checked at the command line",
    ),
    ("cve_2019_19844", "there is no password reset"),
    ("cve_2024_45231", "there is no password reset"),
    ("supabase_2612", "there is no code to redeem"),
    ("cve_2021_32637", "there is no forward-auth endpoint"),
    ("cve_2024_47070", "there is no forward-auth endpoint"),
    ("cve_2024_21499", "there is no forward-auth endpoint"),
    ("cve_2025_64484", "no identity header is written for another server"),
    ("cve_2026_40575", "no rule is matched on X-Forwarded-Uri"),
    ("cve_2025_48865", "this is no proxy"),
    ("cve_2026_33433", "this is no proxy"),
    ("cve_2026_35051", "this is no proxy"),
    ("cve_2026_39858", "this is no proxy"),
    ("cve_2026_30851", "no identity header is written for another server"),
    ("go_2026_5346", "this is no proxy"),
    ("cve_2026_57209", "this is no proxy"),
];

/// Attacks of the register that reach this program: each has a test `register_…`.
const REACHED: &[&str] = &[
    "ghsa_9gxv_x7rp_r2hc",
    "ghsa_h533_5v22_8vcp",
    "cve_2015_9235",
    "ghsa_r9jw_mwhq_wp62",
    "cve_2022_29217",
    "cve_2026_48526",
    "cve_2024_33663",
    "ghsa_jc38_x7x8_2xc8",
    "cve_2026_29000",
    "ghsa_c8v6_786g_vjx6",
    "cve_2026_32597",
    "cve_2024_53861",
    "cve_2026_25537",
    "ghsa_2c7c_3mj9_8fqh",
    "ghsa_6qvw_249j_h44c",
    "ghsa_jv3g_j58f_9mq9",
    "cve_2024_33664",
    "cve_2024_28180",
    "cve_2024_22513",
    "simplejwt_985",
    "cve_2024_21543",
    "cve_2013_1443",
    "cve_2014_0474",
    "cve_2015_0219",
    "cve_2026_3902",
    "cve_2015_5143",
    "cve_2016_2513",
    "cve_2022_21449",
    "cve_2018_16984",
    "cve_2023_46695",
    "cve_2024_39329",
    "cve_2025_13473",
    "cve_2025_14550",
    "cve_2025_48432",
    "keycloak_46054",
    "ghsa_392p_2q2v_4372",
    "ghsa_xmf8_cvqr_rfgj",
    "kanidm_1_10",
];

/// Every file with this ending below a folder.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let is_hidden = path.file_name().is_some_and(|name| name == "target" || name == "__pycache__");
        if path.is_dir() && !is_hidden {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
}

fn texts(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root().join(folder), ending, &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).expect("text"))).collect()
}

/// The names of all tests: functions of Rust whose name is that of a requirement or an attack, and pytest's.
fn tests() -> BTreeSet<String> {
    let rust = texts("crates", "rs").into_iter().map(|(_, text)| (text, "fn "));
    let macros = texts("crates", "rs").into_iter().map(|(_, text)| (text, "    "));
    let python = texts("compat", "py").into_iter().map(|(_, text)| (text, "def test_"));
    let mut names = BTreeSet::new();
    for (text, word) in rust.chain(macros).chain(python) {
        for rest in text.split(word).skip(1) {
            let name: String =
                rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
            let is_followed = rest[name.len()..].starts_with(['(', ',', ':', '\n']);
            if is_followed && name.contains('_') {
                names.insert(name);
            }
        }
    }
    names
}

fn has(tests: &BTreeSet<String>, prefix: &str) -> bool {
    let prefix = format!("{prefix}_");
    tests.range(prefix.clone()..).next().is_some_and(|name| name.starts_with(&prefix))
}

#[test]
fn every_requirement_has_a_test_that_carries_its_number() {
    let tests = tests();
    let document = std::fs::read_to_string(root().join("docs/security.md")).expect("docs/security.md");
    for (letter, count) in SECTIONS {
        for number in 1..=count {
            let id = format!("{letter}{number}");
            assert!(has(&tests, &id), "no test's name begins with {id}_");
            assert!(
                document.contains(&format!("\n| {} |", id.to_uppercase())),
                "docs/security.md has no line for {id}"
            );
        }
    }
}

#[test]
fn every_known_attack_has_a_test_or_a_reason_why_it_cannot_reach_this_program() {
    let tests = tests();
    let document = std::fs::read_to_string(root().join("docs/security.md")).expect("docs/security.md").to_lowercase();
    let document = document.replace(" #", "_").replace(['-', '.', ' '], "_");
    for id in REACHED {
        assert!(has(&tests, &format!("register_{id}")), "no test's name begins with register_{id}_");
    }
    for (id, reason) in UNREACHED {
        let is_reached = has(&tests, &format!("register_{id}"));
        assert!(is_reached || document.contains(id), "docs/security.md does not say of {id}: {reason}");
    }
    println!("{} attacks with tests, {} that cannot reach this program", REACHED.len(), UNREACHED.len());
    let known: BTreeSet<&str> = REACHED.iter().copied().chain(UNREACHED.iter().map(|(id, _)| *id)).collect();
    for name in tests.iter().filter_map(|name| name.strip_prefix("register_")) {
        assert!(known.iter().any(|id| name.starts_with(id)), "register_{name} is of no attack in the list");
    }
}

/// Unsafe code is forbidden everywhere but in `lanes`, which denies it but where it says why.
#[test]
fn s4_unsafe_code_stays_in_one_crate() {
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    assert!(workspace.contains("\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"));
    for (path, text) in texts("crates", "toml").into_iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
        if path.parent().is_some_and(|folder| folder.ends_with("lanes")) {
            assert!(text.contains("unsafe_code = \"deny\""));
        } else {
            assert!(
                text.contains("[lints]\nworkspace = true\n"),
                "{} does not take the workspace's lints",
                path.display()
            );
        }
    }
    let word = ["un", "safe"].concat();
    for (path, text) in texts("crates", "rs") {
        let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        let opens = [
            format!("{word} {{"),
            format!("{word} fn"),
            format!("{word} impl"),
            format!("{word} extern"),
            format!("allow({word}"),
        ];
        let is_lanes = path.components().any(|part| part.as_os_str() == "lanes");
        for line in code.filter(|_| !is_lanes) {
            assert!(!opens.iter().any(|open| line.contains(open)), "{}: {line}", path.display());
        }
    }
}

/// RUSTSEC-2023-0071: RSA whose time tells its key.
#[test]
fn s7_no_rsa_in_rust_is_linked() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    assert!(!lock.contains("\nname = \"rsa\"\n"));
    let deny = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    assert!(deny.contains("crate = \"rsa\""));
}

/// Every dependency comes from crates.io with its checksum, and is built from the lock file.
#[test]
fn s8_every_dependency_is_pinned() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    for package in lock.split("[[package]]").skip(1) {
        if package.contains("\nsource = ") {
            assert!(
                package.contains("\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n"),
                "{package}"
            );
            assert!(package.contains("\nchecksum = \""), "{package}");
        } else {
            assert!(package.contains("name = \"countersign"), "{package}");
        }
    }
    let script = std::fs::read_to_string(root().join("scripts/test")).expect("scripts/test");
    for line in
        script.lines().map(str::trim).filter(|line| line.starts_with("cargo build") || line.starts_with("cargo test"))
    {
        assert!(line.contains("--locked"), "{line}");
    }
}
