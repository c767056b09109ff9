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
    let secret = |shown: &str| shown.contains(PASSWORD);
    match text.parse::<DatabaseUrl>() {
        Ok(url) => {
            let shown = format!("{url} {url:?}");
            // A path or a name that happens to hold the word is no password.
            if url.is_postgres() && is_a_password(&text) {
                assert!(!secret(&shown), "{shown}");
            }
        }
        Err(error) => {
            let shown = format!("{error} {error:?}");
            assert!(!secret(&shown), "{shown}");
        }
    }
}

/// Whether the word is a password and nothing else: between colon and `@` of the address, or the parameter of that name.
fn is_a_password(text: &str) -> bool {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let before_at =
        address.split_once('@').and_then(|(user, _)| user.split_once(':')).map_or("", |(_, password)| password);
    let parameter = parameters.split('&').any(|parameter| parameter == format!("password={PASSWORD}"));
    text.matches(PASSWORD).count() == 1 && (before_at.contains(PASSWORD) || parameter)
}
