//! Addresses of databases, which hold a password: neither the parsed address nor an error shows it.

use countersign_store::DatabaseUrl;

use super::{Target, fill_in};

pub(super) const TARGET: Target = Target {
    name: "database_url",
    check,
    words: &[
        "{PASSWORD}",
        "postgresql://",
        "postgres://",
        "sqlite:///",
        "sqlite::memory:",
        "mysql://",
        ":",
        "@",
        "/",
        "?",
        "&",
        "#",
        "%",
        "%40",
        "sslmode=verify-full",
        "host=",
        "password={PASSWORD}",
        "options=-c%20a%3Db",
        "[::1]",
        ",",
    ],
};

const PASSWORD: &str = "cAnArYoFtHeDaTaBaSe";

fn check(data: &[u8]) {
    let data = fill_in(data, &[("{PASSWORD}", PASSWORD)]);
    let text = String::from_utf8_lossy(&data);
    let shown = match text.parse::<DatabaseUrl>() {
        // A path or a name that happens to hold the word is no password.
        Ok(_) if !may_be_a_password(&text) => return,
        Ok(url) => format!("{url} {url:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(!shown.contains(PASSWORD), "{shown}");
}

/// Whether somebody may have meant the word as a password, however mangled the rest is: between a colon and an `@`, or as the
/// parameter of that name. Paths of SQLite are what they are.
fn may_be_a_password(text: &str) -> bool {
    let Some((before, behind)) = text.split_once(PASSWORD) else { return false };
    let is_sqlite = before.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sqlite"));
    let address = before.split_once("://").map_or(before, |(_, address)| address);
    let is_parameter = before.rsplit_once("password=").is_some_and(|(_, value)| !value.contains(['&', '@']));
    !is_sqlite && !behind.contains(PASSWORD) && ((address.contains(':') && behind.contains('@')) || is_parameter)
}
