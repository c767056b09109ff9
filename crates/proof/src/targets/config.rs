//! `countersign.toml`: whatever stands in it, the error is one line and neither it nor `Debug` shows a secret.

use countersign_server::Config;

use super::Target;

pub(super) const TARGET: Target = Target {
    name: "config",
    check,
    words: &[
        "[simple_jwt]\n",
        "[auth]\n",
        "[sessions]\n",
        "[limits]\n",
        "[paths]\n",
        "[knox]\n",
        "[users]\n",
        "[[protected]]\n",
        "path = \"/a/\"\n",
        "signing_key = ",
        "algorithm = \"HS512\"\n",
        "leeway = ",
        "\"5m\"",
        "authentication = [\"jwt\"]\n",
        "= true\n",
        "= \"",
        "\"\n",
        "[",
        "]",
        "{",
        "}",
        "'''",
        "\\n",
        "\\u0000",
        "é",
        "\u{1b}[31m",
        "\u{202e}",
    ],
};

const SECRET: &str = "canary-of-the-secret-key-0123456789-0123456789";
const DATABASE_PASSWORD: &str = "canary-of-the-database";

fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Files are not read here: a mutation might name any.
    if text.contains("_file") {
        return;
    }
    let text = format!(
        "secret_key = \"{SECRET}\"\ndatabase_url = \"postgresql://app:{DATABASE_PASSWORD}@db.example/app\"\n{text}"
    );
    let (shown, warnings) = match Config::from_text(&text) {
        Ok(config) => (format!("{config:?}"), 1),
        Err(error) => (error.to_string(), 0),
    };
    assert!(!shown.contains(SECRET) && !shown.contains(DATABASE_PASSWORD), "a secret is shown: {shown}");
    if warnings == 0 {
        assert!(!shown.contains(['\n', '\r', '\u{1b}', '\u{202e}']), "not one plain line: {shown:?}");
        assert!(shown.len() <= 1000 + 2 * text.len(), "an error of {} bytes", shown.len());
    }
}
