//! `[auth]`: hashers, validators, backends.

use countersign_formats::password::Algorithm;
use toml::Value;

use super::super::document::array;
use super::super::found::{Backend, Found, Hasher, Validator};
use super::{Draft, Finding, View};

/// An algorithm, its table, and the keys in it with Django 5.2's values.
type WorkFactors = (&'static str, &'static str, &'static [(&'static str, u64)]);

const WORK: &[WorkFactors] = &[
    ("pbkdf2_sha256", "auth.pbkdf2_sha256", &[("iterations", 1_000_000)]),
    ("pbkdf2_sha1", "auth.pbkdf2_sha1", &[("iterations", 1_000_000)]),
    ("argon2", "auth.argon2", &[("time_cost", 2), ("memory_cost", 102_400), ("parallelism", 8)]),
    ("bcrypt_sha256", "auth.bcrypt_sha256", &[("rounds", 12)]),
    ("bcrypt", "auth.bcrypt", &[("rounds", 12)]),
    ("scrypt", "auth.scrypt", &[("work_factor", 16_384), ("block_size", 8), ("parallelism", 5)]),
];
const USUAL_ORDER: &[&str] = &["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "scrypt"];
const VALIDATORS: &[(&str, &str)] = &[
    ("UserAttributeSimilarityValidator", "user_attribute_similarity"),
    ("MinimumLengthValidator", "minimum_length"),
    ("CommonPasswordValidator", "common_password"),
    ("NumericPasswordValidator", "numeric_password"),
];
/// Backends of packages that let nobody in by password, though their signature would take one.
const HARMLESS: &[&str] = &["guardian.backends.ObjectPermissionBackend", "rules.permissions.ObjectPermissionBackend"];

pub(super) fn auth(draft: &mut Draft<'_>, found: &Found) {
    hashers(draft, &found.hashers);
    validators(draft, &found.validators);
    backends(draft, &found.backends);
}

fn hashers(draft: &mut Draft<'_>, found: &[Hasher]) {
    let mut order: Vec<&'static str> = Vec::new();
    let mut own = Vec::new();
    for hasher in found {
        match stock(hasher) {
            Some(algorithm) if order.contains(&algorithm) => {}
            Some("md5") if order.is_empty() => own.push(format!("{} (md5 is verified here, never made)", hasher.class)),
            Some(algorithm) => order.push(algorithm),
            None => own.push(hasher.class.clone()),
        }
    }
    if order.is_empty() {
        // Something must be there for the configuration to hold together; the finding below keeps logins with Django.
        order = USUAL_ORDER.to_vec();
    }
    if order != USUAL_ORDER {
        draft.document.set("auth", "password_hashers", array(order.iter().copied()), "PASSWORD_HASHERS");
    }
    if !own.is_empty() {
        draft.add(Finding::stays(
            "password-hasher",
            View::LOGINS,
            format!("PASSWORD_HASHERS has what Countersign does not: {}", own.join(", ")),
            "Passwords in such hashes never match here, so logins stay with Django; the tokens they give out work here. If no user has such a hash any more, --accept password-hasher.",
        ));
    }
    for (algorithm, table, keys) in WORK {
        let Some(hasher) = found.iter().find(|hasher| stock(hasher) == Some(algorithm)) else { continue };
        for (key, default) in *keys {
            if let Some(Ok(value)) =
                hasher.work.get(*key).filter(|value| *value != default).map(|value| i64::try_from(*value))
            {
                draft.document.set(table, key, value, format!("{} of this Django", hasher.class));
            }
        }
    }
}

/// The stock algorithm of a hasher that changes work factors at most.
fn stock(hasher: &Hasher) -> Option<&'static str> {
    let word = hasher.algorithm.as_deref()?;
    if hasher.base.as_deref() != Some(word) || !hasher.overrides.is_empty() {
        return None;
    }
    Algorithm::ALL.iter().map(|algorithm| algorithm.django_name()).find(|name| *name == word)
}

fn validators(draft: &mut Draft<'_>, found: &[Validator]) {
    let mut list: Vec<Value> = Vec::new();
    let mut own = Vec::new();
    let mut is_usual = found.len() == VALIDATORS.len();
    for (index, validator) in found.iter().enumerate() {
        let class = validator.name.strip_prefix("django.contrib.auth.password_validation.");
        let name = VALIDATORS.iter().find(|(known, _)| class == Some(known)).map(|(_, name)| *name);
        let Some(name) = name.filter(|_| !validator.options.contains_key("password_list_path")) else {
            own.push(validator.name.as_str());
            continue;
        };
        is_usual &= validator.options.is_empty() && VALIDATORS[index.min(3)].1 == name;
        if validator.options.is_empty() {
            list.push(name.into());
        } else {
            let mut entry = toml::Table::new();
            entry.insert("name".to_owned(), name.into());
            for (key, value) in &validator.options {
                if let Ok(value) = Value::try_from(value) {
                    entry.insert(key.clone(), value);
                }
            }
            list.push(Value::Table(entry));
        }
    }
    if !is_usual || !own.is_empty() {
        draft.document.set(
            "auth",
            "password_validators",
            Value::Array(list),
            "AUTH_PASSWORD_VALIDATORS; for createsuperuser and changepassword only",
        );
    }
    if !own.is_empty() {
        draft.add(Finding::note(
            "password-validators",
            format!("AUTH_PASSWORD_VALIDATORS has validators of the project: {}", own.join(", ")),
            "Left out. Logins never ask validators; Countersign's own commands do. Set passwords with Django where they matter.",
        ));
    }
}

fn backends(draft: &mut Draft<'_>, found: &[Backend]) {
    let mut names: Vec<&str> = Vec::new();
    let mut own = Vec::new();
    for backend in found.iter().filter(|backend| backend.takes_password && !HARMLESS.contains(&backend.class.as_str()))
    {
        match backend.base.as_deref().and_then(|base| base.strip_prefix("django.contrib.auth.backends.")) {
            // What a subclass changes about permissions does not matter to logins.
            Some(name) if !backend.overrides.iter().any(|name| matters(name)) => names.push(name),
            _ => own.push(backend.class.as_str()),
        }
    }
    names.dedup();
    if !own.is_empty() || names.is_empty() {
        let found = if own.is_empty() {
            "no backend of AUTHENTICATION_BACKENDS takes a password".to_owned()
        } else {
            format!("AUTHENTICATION_BACKENDS has backends of its own: {}", own.join(", "))
        };
        draft.add(Finding::stays(
            "authentication-backend",
            View::LOGINS,
            found,
            "Countersign logs in as ModelBackend does. Logins stay with Django; the tokens they give out work here. If password logins do not need these backends, --accept authentication-backend.",
        ));
    }
    if !names.is_empty() && names != ["ModelBackend"] {
        draft.document.set("auth", "authentication_backends", array(names.iter().copied()), "AUTHENTICATION_BACKENDS");
    }
}

/// Whether a method of a backend has a say in logins by password.
fn matters(name: &str) -> bool {
    matches!(name, "authenticate" | "user_can_authenticate" | "__init__" | "__getattribute__")
}
