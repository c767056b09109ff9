//! Where settings come from, and how an error names the place.

use std::path::PathBuf;

use toml::{Table, Value};

use super::ConfigError;
use super::raw::{RawConfig, SIMPLE_JWT_KEYS};

/// What stands over the file: environment variables and flags.
#[derive(Default)]
pub(crate) struct Overrides {
    /// `COUNTERSIGN_…` variables: name and value.
    pub environment: Vec<(String, String)>,
    /// Flags: the flag, its dotted key and its value.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

impl Overrides {
    /// The `COUNTERSIGN_…` variables of this process.
    pub(crate) fn from_environment() -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        Self { environment, flags: Vec::new() }
    }
}

const PREFIX: &str = "COUNTERSIGN_";
/// Variables of that prefix which are no settings.
const NOT_SETTINGS: &[&str] = &["COUNTERSIGN_CONFIG", "COUNTERSIGN_LOG"];

/// The settings as given, and the text they came from.
pub(super) struct Source {
    name: String,
    text: String,
    pub raw: RawConfig,
    pub warnings: Vec<String>,
    /// Keys that an override set, and what to call it.
    overridden: Vec<(String, String)>,
}

impl Source {
    /// Reads the file and lays the overrides over it.
    pub(super) fn read(file: Option<PathBuf>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let (name, text) = match file {
            None => ("(no file)".to_owned(), String::new()),
            Some(path) => {
                let name = path.display().to_string();
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    ConfigError::new(format!("{name}: cannot be read: {error}; name another file with --config"))
                })?;
                (name, text)
            }
        };
        let mut source = Self::from_text(&name, &text)?;
        source.lay_over(overrides)?;
        Ok(source)
    }

    /// Reads text alone.
    pub(super) fn from_text(name: &str, text: &str) -> Result<Self, ConfigError> {
        let mut source = Self {
            name: name.to_owned(),
            text: text.to_owned(),
            raw: RawConfig::default(),
            warnings: Vec::new(),
            overridden: Vec::new(),
        };
        let table: Table = toml::from_str(text).map_err(|error| source.toml_error(&error))?;
        source.raw = match with_simple_jwt_moved(&table) {
            Some(moved) => moved.try_into().map_err(|error: toml::de::Error| source.toml_error(&error))?,
            None => toml::from_str(text).map_err(|error| source.toml_error(&error))?,
        };
        Ok(source)
    }

    /// Sets each override in turn, so that an error can name the one that causes it.
    fn lay_over(&mut self, overrides: &Overrides) -> Result<(), ConfigError> {
        let mut table: Table = toml::from_str(&self.text).map_err(|error| self.toml_error(&error))?;
        if let Some(moved) = with_simple_jwt_moved(&table) {
            table = moved;
        }
        let known = known_top_level();
        for (variable, value) in &overrides.environment {
            if NOT_SETTINGS.contains(&variable.as_str()) {
                continue;
            }
            let path: Vec<String> = variable[PREFIX.len()..].to_lowercase().split("__").map(str::to_owned).collect();
            if !known.contains(&path[0]) {
                self.warnings.push(format!("{variable} is set, but there is no setting \"{}\"", path[0]));
                continue;
            }
            forget_sibling(&mut table, &path, &self.overridden);
            self.raw =
                set(&mut table, &path, value).map_err(|error| ConfigError::new(format!("{variable}: {error}")))?;
            self.overridden.push((path.join("."), variable.clone()));
        }
        for (flag, key, value) in &overrides.flags {
            let path: Vec<String> = key.split('.').map(str::to_owned).collect();
            forget_sibling(&mut table, &path, &[]);
            self.raw = set(&mut table, &path, value).map_err(|error| ConfigError::new(format!("{flag}: {error}")))?;
            self.overridden.push((path.join("."), (*flag).to_owned()));
        }
        Ok(())
    }

    /// An error about a key, with its line where the file has it.
    pub(super) fn error(&self, key: &str, problem: impl std::fmt::Display) -> ConfigError {
        let set_by = self.overridden.iter().rev().find(|(overridden, _)| overridden == key);
        if let Some((_, name)) = set_by {
            return ConfigError::new(format!("{name}: {problem}"));
        }
        match self.line_of(key) {
            Some(line) => ConfigError::new(format!("{}:{line}: {key}: {problem}", self.name)),
            None => ConfigError::new(format!("{}: {key}: {problem}", self.name)),
        }
    }

    /// The line of a dotted key (`protected.1.path` counts tables of a list from 0).
    fn line_of(&self, key: &str) -> Option<usize> {
        let document = toml::de::DeTable::parse(&self.text).ok()?;
        let mut table = document.get_ref();
        let mut words = key.split('.').peekable();
        loop {
            let word = words.next()?;
            let (found_key, value) = table.iter().find(|(name, _)| name.get_ref() == word)?;
            let start = found_key.span().start;
            match value.get_ref() {
                toml::de::DeValue::Table(inner) if words.peek().is_some() => {
                    if !inner.iter().any(|(name, _)| Some(&&**name.get_ref()) == words.peek()) {
                        return Some(self.line_at(start));
                    }
                    table = inner;
                }
                toml::de::DeValue::Array(items) if words.peek().is_some() => {
                    let item = items.get(words.next()?.parse::<usize>().ok()?)?;
                    match item.get_ref() {
                        toml::de::DeValue::Table(inner)
                            if words
                                .peek()
                                .is_some_and(|word| inner.iter().any(|(name, _)| name.get_ref() == *word)) =>
                        {
                            table = inner;
                        }
                        _ => return Some(self.line_at(item.span().start)),
                    }
                }
                _ => return Some(self.line_at(start)),
            }
        }
    }

    fn line_at(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or(&self.text).matches('\n').count() + 1
    }

    /// An error of the parser in one line: place, key, problem and fix.
    fn toml_error(&self, error: &toml::de::Error) -> ConfigError {
        let problem = explain(error.message());
        match error.span() {
            None => ConfigError::new(format!("{}: {problem}", self.name)),
            Some(span) => {
                let line = self.line_at(span.start);
                let key = self.key_on(line).map(|key| format!("{key}: ")).unwrap_or_default();
                ConfigError::new(format!("{}:{line}: {key}{problem}", self.name))
            }
        }
    }

    /// The dotted key that a line sets.
    fn key_on(&self, line: usize) -> Option<String> {
        let lines: Vec<&str> = self.text.lines().take(line).collect();
        let (key, _) = lines.last()?.split_once('=')?;
        let section = lines.iter().rev().skip(1).find_map(|line| {
            let line = line.trim();
            line.starts_with('[').then(|| line.trim_matches(['[', ']']).trim().to_owned())
        });
        Some(match section {
            Some(section) => format!("{section}.{}", key.trim()),
            None => key.trim().to_owned(),
        })
    }
}

/// SimpleJWT's accident of inheritance: without a `SIMPLE_JWT` setting its keys are looked up in `REST_FRAMEWORK`.
fn with_simple_jwt_moved(table: &Table) -> Option<Table> {
    if table.contains_key("simple_jwt") {
        return None;
    }
    let framework = table.get("rest_framework")?.as_table()?;
    let (moved, kept): (Table, Table) =
        framework.clone().into_iter().partition(|(key, _)| SIMPLE_JWT_KEYS.contains(&key.as_str()));
    if moved.is_empty() {
        return None;
    }
    let mut table = table.clone();
    table.insert("simple_jwt".to_owned(), Value::Table(moved));
    table.insert("rest_framework".to_owned(), Value::Table(kept));
    Some(table)
}

/// `x` and `x_file` are two ways to give one setting: one that stands over the other takes its place, unless both are of the same
/// layer, where `kept` names what that layer has set.
fn forget_sibling(table: &mut Table, path: &[String], kept: &[(String, String)]) {
    let Some((last, parents)) = path.split_last() else { return };
    let sibling = last.strip_suffix("_file").map_or_else(|| format!("{last}_file"), str::to_owned);
    let whole = [parents, std::slice::from_ref(&sibling)].concat().join(".");
    if kept.iter().any(|(key, _)| *key == whole) {
        return;
    }
    let parent = parents.iter().try_fold(table, |table, name| table.get_mut(name)?.as_table_mut());
    if let Some(parent) = parent {
        parent.remove(&sibling);
    }
}

/// Sets one key; its text is read as TOML (`true`, `5`, `["a"]`) and, where that does not fit, as plain text.
fn set(table: &mut Table, path: &[String], text: &str) -> Result<RawConfig, String> {
    let as_toml = toml::from_str::<Table>(&format!("value = {text}")).ok().and_then(|mut table| table.remove("value"));
    let mut problem = String::new();
    for candidate in as_toml.into_iter().chain([Value::String(text.to_owned())]) {
        let mut changed = table.clone();
        insert(&mut changed, path, candidate)?;
        match changed.clone().try_into::<RawConfig>() {
            Ok(raw) => {
                *table = changed;
                return Ok(raw);
            }
            Err(error) => problem = explain(error.message()),
        }
    }
    Err(problem)
}

fn insert(table: &mut Table, path: &[String], value: Value) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else { return Err("names no key".to_owned()) };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return Ok(());
    }
    match table.entry(first.clone()).or_insert_with(|| Value::Table(Table::new())) {
        Value::Table(inner) => insert(inner, rest, value),
        _ => Err(format!("\"{first}\" is no table")),
    }
}

/// The names of the file's top level, as the parser knows them: it lists them where one is unknown.
fn known_top_level() -> Vec<String> {
    let refusal = toml::from_str::<RawConfig>("\"\" = 0").err();
    let message = refusal.as_ref().map_or("", |refusal| refusal.message());
    message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

/// A parser's message in one line, with the nearest known key where one is misspelt.
fn explain(message: &str) -> String {
    let message = message.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let is_unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let (true, Some((unknown, known))) = (is_unknown, quoted.split_first()) else {
        return message.replace('`', "\"");
    };
    if let Some(fix) = removed_setting(unknown) {
        return fix;
    }
    let nearest = known.iter().map(|key| (distance(unknown, key), *key)).min().filter(|(distance, _)| *distance <= 3);
    match nearest {
        Some((_, key)) => format!("unknown key \"{unknown}\"; did you mean \"{key}\"?"),
        None => format!("unknown key \"{unknown}\"; remove it, or use one of: {}", known.join(", ")),
    }
}

/// Keys that SimpleJWT removed and stops on. SimpleJWT 5.5 `settings.py`, `REMOVED_SETTINGS`.
fn removed_setting(key: &str) -> Option<String> {
    let instead = match key {
        "auth_header_type" => "auth_header_types",
        "auth_token_class" => "auth_token_classes",
        "token_backend_class" => "algorithm and signing_key",
        "secret_key" => "signing_key",
        _ => return None,
    };
    Some(format!("the '{}' setting has been removed from SimpleJWT; use {instead}", key.to_uppercase()))
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
