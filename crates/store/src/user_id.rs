//! The primary key of a user, in the kinds Django projects use.

use std::fmt;
use std::str::FromStr;

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

/// The type of a key's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdType {
    /// 32 bits: Django's `AutoField` in PostgreSQL.
    Integer,
    /// 64 bits: Django's `BigAutoField`, and every integer in SQLite.
    BigInteger,
    /// Django's `UUIDField`.
    Uuid,
    /// Django's `CharField` and the like.
    Text,
}

impl IdType {
    /// The type that a column's declaration stands for; `None` for one that no key of Django's has.
    pub(crate) fn of_column(declared: &str) -> Option<Self> {
        Some(match declared {
            // SQLite's integers are all of 64 bits; `integer` is what PostgreSQL calls 32.
            "integer" | "serial" | "int" | "int4" => Self::Integer,
            "bigint" | "bigserial" | "int8" => Self::BigInteger,
            // Django's `UUIDField` in SQLite.
            "uuid" | "char(32)" => Self::Uuid,
            text if ["char", "varchar", "text", "citext"].iter().any(|kind| text.starts_with(kind)) => Self::Text,
            number if number.contains("int") => Self::BigInteger,
            _ => return None,
        })
    }

    /// Whether keys are numbers.
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::Integer | Self::BigInteger)
    }

    /// The key that a text stands for; `None` when no key of this type can have that value.
    ///
    /// A UUID may be written with hyphens anywhere, in braces, as `urn:uuid:` (CPython 3.11 `uuid.UUID`). **Differs:** its digits are those of
    /// ASCII, with nothing among them that `int()` would pass over.
    /// Numbers are decimal; which other spellings count as a number is for the caller to decide.
    pub fn parse(self, text: &str) -> Option<UserId> {
        match self {
            Self::Integer => text.parse::<i32>().ok().map(|id| UserId::Integer(id.into())),
            Self::BigInteger => text.parse().ok().map(UserId::Integer),
            Self::Uuid => {
                let plain = text.replace("urn:", "").replace("uuid:", "");
                let digits = plain.trim_matches(['{', '}']).replace('-', "");
                let fits = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                if fits { u128::from_str_radix(&digits, 16).ok().map(UserId::Uuid) } else { None }
            }
            Self::Text => Some(UserId::Text(text.to_owned())),
        }
    }

    /// Whether a column of this type can hold the key.
    pub(crate) fn holds(self, id: &UserId) -> bool {
        match (self, id) {
            (Self::Integer, UserId::Integer(id)) => i32::try_from(*id).is_ok(),
            (Self::BigInteger, UserId::Integer(_)) | (Self::Uuid, UserId::Uuid(_)) => true,
            (Self::Text, UserId::Text(id)) => !id.contains('\0'),
            _ => false,
        }
    }
}

impl FromStr for IdType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "integer" => Self::Integer,
            "bigint" => Self::BigInteger,
            "uuid" => Self::Uuid,
            "text" => Self::Text,
            _ => return Err(()),
        })
    }
}

/// The name it has in the configuration.
impl fmt::Display for IdType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integer => "integer",
            Self::BigInteger => "bigint",
            Self::Uuid => "uuid",
            Self::Text => "text",
        })
    }
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

    const BITS: u128 = 0x00c9_1d4e_9f3a_4b6d_8e2f_0123_4567_89ab;

    #[test]
    fn display_is_what_python_str_gives() {
        assert_eq!(UserId::Integer(7).to_string(), "7");
        assert_eq!(UserId::Integer(-1).to_string(), "-1");
        assert_eq!(UserId::Uuid(BITS).to_string(), "00c91d4e-9f3a-4b6d-8e2f-0123456789ab");
        assert_eq!(UserId::Text("ann".into()).to_string(), "ann");
    }

    #[test]
    fn uuids_are_read_in_all_of_pythons_ways() {
        for text in [
            "00c91d4e-9f3a-4b6d-8e2f-0123456789ab",
            "00C91D4E9F3A4B6D8E2F0123456789AB",
            "{00c91d4e-9f3a-4b6d-8e2f-0123456789ab}",
            "urn:uuid:00c91d4e-9f3a-4b6d-8e2f-0123456789ab",
            "00c91d4e9f3a-4b6d8e2f-0123456789-ab",
        ] {
            assert_eq!(IdType::Uuid.parse(text), Some(UserId::Uuid(BITS)), "{text}");
        }
        for text in ["", "1", "+0c91d4e9f3a4b6d8e2f0123456789ab", "00c91d4e-9f3a-4b6d-8e2f-0123456789abc", "٣"] {
            assert_eq!(IdType::Uuid.parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_have_the_range_of_their_column() {
        assert_eq!(IdType::Integer.parse("2147483647"), Some(UserId::Integer(2_147_483_647)));
        assert_eq!(IdType::Integer.parse("2147483648"), None);
        assert_eq!(IdType::BigInteger.parse("9223372036854775807"), Some(UserId::Integer(i64::MAX)));
        assert_eq!(IdType::BigInteger.parse("9223372036854775808"), None);
        assert_eq!(IdType::BigInteger.parse("ann"), None);
        assert!(
            IdType::BigInteger.holds(&UserId::Integer(1 << 40)) && !IdType::Integer.holds(&UserId::Integer(1 << 40))
        );
        assert!(!IdType::Integer.holds(&UserId::Text("1".into())));
    }

    #[test]
    fn declarations_of_both_databases_are_known() {
        for (declared, id_type) in [
            ("integer", Some(IdType::Integer)),
            ("bigint", Some(IdType::BigInteger)),
            ("smallint", Some(IdType::BigInteger)),
            ("char(32)", Some(IdType::Uuid)),
            ("uuid", Some(IdType::Uuid)),
            ("varchar(32)", Some(IdType::Text)),
            ("character varying(40)", Some(IdType::Text)),
            ("bool", None),
            ("real", None),
        ] {
            assert_eq!(IdType::of_column(declared), id_type, "{declared}");
        }
    }
}
