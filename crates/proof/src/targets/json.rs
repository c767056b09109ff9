//! JSON text: what is read, written and read again is the same, and what another parser takes is taken.

use countersign_formats::json::{self, NonFinite, Style, Value};

use super::Target;

pub(super) const TARGET: Target = Target {
    name: "json",
    check,
    words: &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u0000",
        "\\ud83d\\ude00",
        "\\ud800",
        "null",
        "true",
        "false",
        "NaN",
        "-Infinity",
        "-0",
        "1e400",
        "1.0",
        "0.1e-5",
        "[[[[[[[[",
        "{\"a\":",
        " ",
        "\u{feff}",
        "\u{2028}",
    ],
};

/// Depth at which `serde_json` stops.
const SERDE_DEPTH: usize = 127;

fn check(data: &[u8]) {
    let _ = json::parse_bytes(data, NonFinite::Accept);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let strict = json::parse(text, NonFinite::Refuse);
    if let Ok(value) = &strict {
        assert_eq!(json::parse(text, NonFinite::Accept).as_ref(), Ok(value), "two modes read differently");
        let compact = json::to_compact_ascii(value);
        assert!(compact.is_ascii());
        // A number beyond what a float holds is read as infinity and written as `Infinity`, as in Python.
        let mode = if compact.contains("Infinity") { NonFinite::Accept } else { NonFinite::Refuse };
        for written in [
            compact,
            json::render(value, Style::default()),
            json::render(value, Style { indent: Some(4), ..Style::default() }),
            json::render(value, Style { compact: false, ..Style::default() }),
        ] {
            assert_eq!(json::parse(&written, mode).as_ref(), Ok(value), "{written}");
        }
    }
    let theirs = serde_json::from_str::<serde_json::Value>(text);
    match (&strict, &theirs) {
        (Err(error), Ok(_)) => {
            // Numbers beyond what a float holds, or longer than Python reads, and a mark that serde_json skips.
            let message = error.to_string();
            let known = ["Out of range", "Exceeds the limit", "BOM"].iter().any(|known| message.contains(known));
            assert!(known, "{message}: serde_json reads {text:?}");
        }
        (Ok(value), Err(error)) => {
            let explained =
                depth(value) >= SERDE_DEPTH || holds_surrogate(text) || error.to_string().contains("out of range");
            assert!(explained, "{error}: we read {text:?}");
        }
        _ => {}
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.iter().map(|(_, member)| depth(member)).max().unwrap_or(0),
        _ => 0,
    }
}

/// Whether an escape stands for a surrogate, which `serde_json` takes in pairs only.
fn holds_surrogate(text: &str) -> bool {
    text.to_ascii_lowercase().contains("\\ud")
}
