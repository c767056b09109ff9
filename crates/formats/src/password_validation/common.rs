//! Django's list of common passwords.

use std::collections::HashSet;
use std::sync::LazyLock;

use zeroize::Zeroizing;

use crate::user_fields::characters::strip;

/// `common-passwords.txt.gz` of Django 5.2.19, unpacked; see `data/README.md` for its source and licence.
const LIST: &str = include_str!("../../data/common-passwords.txt");

static PASSWORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| LIST.lines().map(strip).collect());

/// Whether the password, in lower case and without white space around it, is in the list.
/// Source: Django 5.2 `CommonPasswordValidator.validate`.
pub(super) fn is_common(password: &str) -> bool {
    let lower = Zeroizing::new(password.to_lowercase());
    PASSWORDS.contains(strip(&lower))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn w4_the_list_is_djangos() {
        let digest = hex::encode(Sha256::digest(LIST.as_bytes()));
        assert_eq!(digest, "29ca0fa5303165f012f3e9775e3e95a3071cdd59f219973ec1cbb308d0214a6f");
        assert_eq!(PASSWORDS.len(), 19_640);
    }

    #[test]
    fn w4_case_and_surrounding_space_do_not_help() {
        assert!(is_common("password") && is_common(" \u{a0}PassWord\u{1c}\n") && is_common("ПАРОЛЬ"));
        assert!(!is_common("pass word") && !is_common("") && !is_common("correct horse battery staple"));
    }
}
