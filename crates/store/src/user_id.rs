//! The primary key of a user, in the three kinds Django projects use.

use std::fmt;

/// The primary key of a user.
///
/// `Display` is the text SimpleJWT puts into the user id claim, which is Python's `str()` of the key:
/// decimal digits for an integer, the hyphenated lower-case form for a UUID (SimpleJWT 5.5 `Token.for_user`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum UserId {
    /// `AutoField`, `BigAutoField` or another integer key.
    Integer(i64),
    /// `UUIDField`: 32 hex digits in SQLite, `uuid` in PostgreSQL. The 128 bits, most significant first.
    Uuid(u128),
    /// `CharField` or another text key.
    Text(String),
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(id) => write!(f, "{id}"),
            Self::Uuid(id) => {
                let hex = format!("{id:032x}");
                write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
            }
            Self::Text(id) => f.write_str(id),
        }
    }
}

impl From<i64> for UserId {
    fn from(id: i64) -> Self {
        Self::Integer(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_what_python_str_gives() {
        assert_eq!(UserId::Integer(7).to_string(), "7");
        assert_eq!(UserId::Integer(-1).to_string(), "-1");
        assert_eq!(
            UserId::Uuid(0x00c9_1d4e_9f3a_4b6d_8e2f_0123_4567_89ab).to_string(),
            "00c91d4e-9f3a-4b6d-8e2f-0123456789ab"
        );
        assert_eq!(UserId::Text("ann".into()).to_string(), "ann");
    }
}
