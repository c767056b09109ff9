//! Claims of one's own: what tokens say of a user beyond SimpleJWT's claims, as a project's `get_token` would add it. Read from
//! the database at the login and again at each refresh, so that they stay true (SECURITY R6); SimpleJWT copies them from the old token.

use countersign_formats::json::{Value, to_compact_ascii};
use countersign_formats::jwt::Claims;
use countersign_store::{ColumnValue, Store, StoreError, User, UserColumns};

use crate::authority::Authority;
use crate::failure::Failure;

/// Bytes that all of them may have in a token, as JSON: tokens travel in headers, and one of more than 8 KiB is refused.
const LONGEST: usize = 4096;

/// A claim that new tokens get.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredClaim {
    /// Its name.
    pub name: String,
    /// Its value.
    pub source: ClaimSource,
}

/// Where the value of a [`DeclaredClaim`] comes from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ClaimSource {
    /// A column of the user table: text, integer, boolean or UUID.
    Column(String),
    /// The names of the user's groups, sorted.
    Groups,
    /// The permissions the user was given, directly or through groups, as `app_label.codename`, sorted; none for one who is not
    /// active. A superuser, who may do everything, is told by the column `is_superuser`.
    Permissions,
    /// The same for everybody.
    Fixed(Value),
}

/// The declared claims, their columns found in the catalogue.
#[derive(Debug)]
pub(crate) struct ClaimReader {
    claims: Vec<DeclaredClaim>,
    columns: UserColumns,
}

impl ClaimReader {
    /// Finds the columns; `None` where nothing is declared.
    pub(crate) async fn of(store: &Store, claims: &[DeclaredClaim]) -> Result<Option<Self>, StoreError> {
        if claims.is_empty() {
            return Ok(None);
        }
        let columns: Vec<String> = claims
            .iter()
            .filter_map(|claim| match &claim.source {
                ClaimSource::Column(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        Ok(Some(Self { claims: claims.to_vec(), columns: store.user_columns(&columns).await? }))
    }

    /// The values for a user, in the order of the claims; `None` when the user is gone.
    async fn values(&self, store: &Store, user: &User) -> Result<Option<Vec<Value>>, StoreError> {
        let Some(columns) = store.column_values(&self.columns, &user.id).await? else { return Ok(None) };
        let mut columns = columns.into_iter();
        let mut values = Vec::with_capacity(self.claims.len());
        for claim in &self.claims {
            values.push(match &claim.source {
                ClaimSource::Column(_) => columns.next().map_or(Value::Null, from_column),
                ClaimSource::Groups => sorted(store.user_groups(&user.id).await?),
                ClaimSource::Permissions if !user.is_active => Value::Array(Vec::new()),
                ClaimSource::Permissions => sorted(store.user_permissions(&user.id).await?),
                ClaimSource::Fixed(value) => value.clone(),
            });
        }
        Ok(Some(values))
    }
}

impl Authority {
    /// Sets the declared claims to what they are now. A token of nobody keeps what it has.
    ///
    /// # Errors
    /// [`Failure::ClaimsTooLong`], [`Failure::Store`].
    pub(crate) async fn set_declared_claims(&self, claims: &mut Claims, user: Option<&User>) -> Result<(), Failure> {
        let (Some(reader), Some(user)) = (self.claim_reader(), user) else { return Ok(()) };
        let Some(values) = reader.values(self.store(), user).await? else { return Ok(()) };
        let mut length = 0;
        for (claim, value) in reader.claims.iter().zip(values) {
            length += claim.name.len() + to_compact_ascii(&value).len();
            if length > LONGEST {
                return Err(Failure::ClaimsTooLong { claim: claim.name.clone() });
            }
            claims.set(&claim.name, value);
        }
        Ok(())
    }
}

fn from_column(value: ColumnValue) -> Value {
    match value {
        ColumnValue::Null => Value::Null,
        ColumnValue::Boolean(value) => Value::from(value),
        ColumnValue::Integer(number) => Value::from(number),
        ColumnValue::Text(text) => Value::from(text),
    }
}

fn sorted(names: impl IntoIterator<Item = String>) -> Value {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_unstable();
    Value::Array(names.into_iter().map(Value::from).collect())
}
