//! `AUTH_PASSWORD_VALIDATORS`.

use countersign_formats::password_validation::{Validator, ValidatorOptions, Validators};

use super::ConfigError;
use super::raw::RawValidator;
use super::source::Source;

/// The configured validators; the four that `startproject` lists where the file says nothing.
pub(super) fn validators(source: &Source) -> Result<Validators, ConfigError> {
    let Some(given) = &source.raw.auth.password_validators else { return Ok(Validators::default()) };
    let list = given.iter().map(|entry| match entry.clone() {
        RawValidator::Name(name) => Validator::from_setting(&name, ValidatorOptions::default()),
        RawValidator::Table(table) => {
            let options = ValidatorOptions {
                min_length: table.min_length,
                max_similarity: table.max_similarity,
                user_attributes: table.user_attributes,
            };
            Validator::from_setting(&table.name, options)
        }
    });
    let list: Result<Vec<Validator>, _> = list.collect();
    list.map(Validators::new).map_err(|error| source.error("auth.password_validators", error))
}
