//! Values to the wire and back. PostgreSQL 15 documentation, §55.7 and the types' binary forms.

use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use jiff::Timestamp;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::value::Value;

type Refusal = Box<dyn Error + Sync + Send>;

/// Seconds from 1970 to 2000, where the server's time begins.
const EPOCH_2000: i64 = 946_684_800;

/// Written in the type that the statement's parameter has; as text where the server is to work out the type.
impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Refusal> {
        if *ty == Type::UNKNOWN {
            return Ok(self.to_text(out));
        }
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Boolean(value) => value.to_sql(ty, out)?,
            Self::Integer(value) => match *ty {
                Type::INT8 => value.to_sql(ty, out)?,
                Type::INT4 => i32::try_from(*value)?.to_sql(ty, out)?,
                Type::INT2 => i16::try_from(*value)?.to_sql(ty, out)?,
                _ => return Err(format!("an integer for a parameter of type {ty}").into()),
            },
            // A UUID for a column that the mapping takes for text, and the other way round, is a mapping that does not fit.
            Self::Text(_) if *ty == Type::UUID => return Err("a text for a parameter of type uuid".into()),
            Self::Text(text) => text.to_sql(ty, out)?,
            Self::Instant(instant) => {
                out.put_i64(instant.as_microsecond() - EPOCH_2000 * 1_000_000);
                IsNull::No
            }
            Self::Uuid(id) if *ty == Type::UUID => {
                out.put_u128(*id);
                IsNull::No
            }
            Self::Uuid(_) => return Err(format!("a UUID for a parameter of type {ty}").into()),
        };
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, ty: &Type) -> Format {
        if *ty == Type::UNKNOWN { Format::Text } else { Format::Binary }
    }

    to_sql_checked!();
}

impl Value<'_> {
    fn to_text(self, out: &mut BytesMut) -> IsNull {
        match self {
            Self::Null => return IsNull::Yes,
            Self::Boolean(value) => out.put_slice(if value { b"true" } else { b"false" }),
            Self::Integer(value) => out.put_slice(value.to_string().as_bytes()),
            Self::Text(text) => out.put_slice(text.as_bytes()),
            Self::Instant(instant) => out.put_slice(instant.to_string().as_bytes()),
            Self::Uuid(id) => out.put_slice(format!("{id:032x}").as_bytes()),
        }
        IsNull::No
    }
}

/// A `timestamptz`; `infinity` and years beyond ours are `None`.
#[derive(Debug)]
pub(crate) struct Instant(pub(crate) Option<Timestamp>);

impl<'a> FromSql<'a> for Instant {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Refusal> {
        let since_2000 = i64::from_be_bytes(raw.try_into()?);
        let since_1970 = since_2000.checked_add(EPOCH_2000 * 1_000_000);
        Ok(Self(since_1970.and_then(|micros| Timestamp::from_microsecond(micros).ok())))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

/// A `uuid`.
#[derive(Debug)]
pub(crate) struct UuidBits(pub(crate) u128);

impl<'a> FromSql<'a> for UuidBits {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Refusal> {
        Ok(Self(u128::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

/// A value of whatever type, there to be told from NULL.
#[derive(Debug)]
pub(crate) struct Anything;

impl<'a> FromSql<'a> for Anything {
    fn from_sql(_: &Type, _: &'a [u8]) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: Value<'_>, ty: &Type) -> Option<Vec<u8>> {
        let mut out = BytesMut::new();
        match value.to_sql(ty, &mut out) {
            Ok(IsNull::No) => Some(out.to_vec()),
            _ => None,
        }
    }

    #[test]
    fn instants_come_back_to_the_microsecond() {
        for text in
            ["2025-06-15T15:06:40.5Z", "1970-01-01T00:00:00Z", "1999-12-31T23:59:59.999999Z", "9999-01-01T00:00:00Z"]
        {
            let instant: Timestamp = text.parse().expect("an instant");
            let bytes = written(Value::Instant(instant), &Type::TIMESTAMPTZ).expect("written");
            let back = Instant::from_sql(&Type::TIMESTAMPTZ, &bytes).expect("read");
            assert_eq!(back.0, Some(instant));
        }
        for infinity in [i64::MAX, i64::MIN] {
            assert_eq!(Instant::from_sql(&Type::TIMESTAMPTZ, &infinity.to_be_bytes()).expect("read").0, None);
        }
    }

    #[test]
    fn integers_take_the_width_of_their_column() {
        assert_eq!(written(Value::Integer(7), &Type::INT4).map(|bytes| bytes.len()), Some(4));
        assert_eq!(written(Value::Integer(7), &Type::INT8).map(|bytes| bytes.len()), Some(8));
        assert_eq!(written(Value::Integer(1 << 40), &Type::INT4), None);
    }

    #[test]
    fn without_a_type_everything_is_text() {
        assert_eq!(written(Value::Uuid(0xab), &Type::UNKNOWN).map(|bytes| bytes.len()), Some(32));
        assert_eq!(written(Value::Boolean(true), &Type::UNKNOWN).as_deref(), Some(&b"true"[..]));
        assert_eq!(written(Value::Null, &Type::UNKNOWN), None);
    }
}
