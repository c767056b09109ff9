//! The text of `countersign.toml`: keys in tables, each with a word on where its value comes from.

use std::fmt::Write as _;

/// A TOML text in the making. Tables appear in the order in which they were first named.
#[derive(Debug, Default)]
pub(super) struct Document {
    preamble: Vec<String>,
    tables: Vec<(&'static str, Vec<Entry>)>,
}

#[derive(Debug)]
struct Entry {
    key: &'static str,
    value: toml::Value,
    comment: String,
}

impl Document {
    /// A comment line at the top.
    pub(super) fn say(&mut self, line: &str) {
        self.preamble.push(one_line(line));
    }

    /// Sets a key; `table` is `""` for the top level. The comment says where the value comes from.
    pub(super) fn set(
        &mut self,
        table: &'static str,
        key: &'static str,
        value: impl Into<toml::Value>,
        comment: impl AsRef<str>,
    ) {
        let entry = Entry { key, value: value.into(), comment: one_line(comment.as_ref()) };
        match self.tables.iter_mut().find(|(name, _)| *name == table) {
            Some((_, entries)) => entries.push(entry),
            None => self.tables.push((table, vec![entry])),
        }
    }

    /// The finished text. Keys of the top level come first, as TOML needs it.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.preamble {
            let _ = writeln!(text, "# {line}");
        }
        let (top, rest): (Vec<_>, Vec<_>) = self.tables.iter().partition(|(name, _)| name.is_empty());
        for (name, entries) in top.into_iter().chain(rest) {
            if !text.is_empty() {
                text.push('\n');
            }
            if !name.is_empty() {
                let _ = writeln!(text, "[{name}]");
            }
            for Entry { key, value, comment } in entries {
                let _ = match comment.as_str() {
                    "" => writeln!(text, "{key} = {value}"),
                    comment => writeln!(text, "{key} = {value}  # {comment}"),
                };
            }
        }
        text
    }
}

/// A text of the project's on one line and without control characters, which neither TOML nor a terminal should get.
pub(super) fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Texts as a TOML array.
pub(super) fn array<T: Into<toml::Value>>(items: impl IntoIterator<Item = T>) -> toml::Value {
    toml::Value::Array(items.into_iter().map(Into::into).collect())
}

/// Seconds as the configuration has them: `"1h 30m"`, or a number where there is a fraction.
pub(super) fn length(seconds: f64) -> toml::Value {
    const UNITS: [(u64, char); 4] = [(86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')];
    // Beyond 2^53 not every whole number is a float.
    if seconds.fract() != 0.0 || !(1.0..9e15).contains(&seconds) {
        return toml::Value::Float(seconds);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, positive and below 2^53")]
    let mut rest = seconds as u64;
    let mut words = Vec::new();
    for (unit, letter) in UNITS {
        if rest >= unit {
            words.push(format!("{}{letter}", rest / unit));
            rest %= unit;
        }
    }
    toml::Value::String(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keep_their_order_and_the_top_level_comes_first() {
        let mut document = Document::default();
        document.say("Made by a test.");
        document.set("paths", "whoami", "/me/", "");
        document.set("", "bind", "127.0.0.1:8001", "a free\nport");
        document.set("paths", "token_verify", "", "stays");
        assert_eq!(
            document.text(),
            "# Made by a test.\n\nbind = \"127.0.0.1:8001\"  # a free?port\n\n[paths]\nwhoami = \"/me/\"\ntoken_verify = \"\"  # stays\n"
        );
    }

    #[test]
    fn lengths_have_the_largest_units() {
        let shown = |seconds| length(seconds).to_string();
        assert_eq!(shown(300.0), "\"5m\"");
        assert_eq!(shown(5400.0), "\"1h 30m\"");
        assert_eq!(shown(86_400.0), "\"1d\"");
        assert_eq!(shown(90_061.0), "\"1d 1h 1m 1s\"");
        assert_eq!(shown(0.5), "0.5");
        assert_eq!(shown(0.0), "0.0");
    }
}
