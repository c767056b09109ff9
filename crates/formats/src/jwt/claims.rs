//! Making claims: `SimpleJWT` 5.5 `tokens.py`, and the `aud` and `iss` that `TokenBackend.encode` adds.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::time::{floor_seconds, nanos, python_int};
use super::{Expected, Rules, SigningKey, TokenType, jws};
use crate::json::{Object, Value};

/// The name under which `SimpleJWT` writes a claim whose setting is `None`: Python's `json.dumps({None: …})`.
const UNNAMED: &str = "null";

/// The claims of a token, in order.
#[derive(Clone, PartialEq)]
pub struct Claims(Object);

/// How long a new token lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Until `exp`. May have a fraction of a second, which counts before `exp` is rounded down.
    pub exp: SignedDuration,
    /// Sliding tokens: name of the claim (`SLIDING_TOKEN_REFRESH_EXP_CLAIM`) and how long the token can be renewed.
    pub refresh: Option<(String, SignedDuration)>,
}

impl Lifetime {
    /// A lifetime for access and refresh tokens.
    #[must_use]
    pub fn of(exp: SignedDuration) -> Self {
        Self { exp, refresh: None }
    }

    /// A lifetime for sliding tokens: until `exp`, and until the time in `claim` for renewing.
    #[must_use]
    pub fn sliding(exp: SignedDuration, claim: &str, refresh: SignedDuration) -> Self {
        Self { exp, refresh: Some((claim.to_owned(), refresh)) }
    }
}

impl Claims {
    /// The claims every new token begins with: type, `exp`, `iat`, id and, for sliding tokens, the renewal time (`SimpleJWT`
    /// 5.5 `Token.__init__`). `jti` is the id, 32 lower-case hex digits of a random UUID there.
    ///
    /// Where `TOKEN_TYPE_CLAIM` or `JTI_CLAIM` is `None`, the claim is named `null`, as the original has it.
    #[must_use]
    pub fn for_type(kind: TokenType, rules: &Rules, now: Timestamp, lifetime: &Lifetime, jti: &str) -> Self {
        let mut claims = Self(Object::new());
        claims.set(type_claim(rules), kind.name());
        claims.set_times(now, lifetime.exp);
        claims.set(id_claim(rules), jti);
        if let Some((name, refresh)) = &lifetime.refresh {
            claims.set(name, epoch(now, *refresh));
        }
        claims
    }

    /// The access token that this refresh token buys: fresh type, `exp`, `iat` and id, then every other claim in its order
    /// (`SimpleJWT` 5.5 `RefreshToken.access_token`). `now` is the instant the refresh token was read or made.
    #[must_use]
    pub fn access_from_refresh(&self, rules: &Rules, now: Timestamp, lifetime: SignedDuration, jti: &str) -> Self {
        let mut access = Self::for_type(TokenType::Access, rules, now, &Lifetime::of(lifetime), jti);
        let fresh = [type_claim(rules), id_claim(rules), "exp", "iat", "jti"];
        for (name, value) in self.0.iter() {
            if !fresh.iter().any(|own| name == own) {
                access.0.set_text(name.clone(), value.clone());
            }
        }
        access
    }

    /// Turns a refresh token into its successor: new id, `exp` and `iat` where they stand, or at the end when absent;
    /// everything else stays (`SimpleJWT` 5.5 `TokenRefreshSerializer` with `ROTATE_REFRESH_TOKENS`).
    pub fn rotate_in_place(&mut self, rules: &Rules, now: Timestamp, lifetime: SignedDuration, jti: &str) {
        self.set(id_claim(rules), jti);
        self.set_times(now, lifetime);
    }

    /// Sets `exp` to `now` plus `lifetime` and `iat` to `now`, both rounded down to seconds: all that changes when a sliding
    /// token is renewed (`SimpleJWT` 5.5 `TokenRefreshSlidingSerializer`).
    pub fn set_times(&mut self, now: Timestamp, lifetime: SignedDuration) {
        self.set("exp", epoch(now, lifetime));
        self.set("iat", epoch(now, SignedDuration::ZERO));
    }

    /// Signs the claims, with `aud` and `iss` set as configured (`SimpleJWT` 5.5 `TokenBackend.encode`).
    ///
    /// **Differs:** of several issuers the first is written; the original crashes.
    #[must_use]
    pub fn sign_with(&self, key: &SigningKey, rules: &Rules) -> String {
        let audience = match &rules.audience {
            Expected::Anything => None,
            Expected::One(audience) => Some(Value::from(audience.as_str())),
            Expected::Many(all) => Some(Value::Array(all.iter().map(|one| Value::from(one.as_str())).collect())),
        };
        let issuer = match &rules.issuer {
            Expected::Anything => None,
            Expected::One(issuer) => Some(issuer.as_str()),
            Expected::Many(issuers) => issuers.first().map(String::as_str),
        };
        if audience.is_none() && issuer.is_none() {
            return jws::sign(&self.0, key);
        }
        let mut claims = self.0.clone();
        if let Some(audience) = audience {
            claims.set("aud", audience);
        }
        if let Some(issuer) = issuer {
            claims.set("iss", issuer);
        }
        jws::sign(&claims, key)
    }

    /// The value of a claim.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Whether a claim is present, be its value null.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Sets a claim where it stands, or appends it.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.set(name, value);
    }

    /// Takes a claim out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// The id, where `JTI_CLAIM` has one that is text.
    pub fn id(&self, rules: &Rules) -> Option<&str> {
        self.0.get(id_claim(rules))?.as_str()
    }

    /// `exp` in whole seconds since 1970, where it is a number: when rows about the token expire.
    pub fn exp(&self) -> Option<i64> {
        let value = self.0.get("exp").filter(|value| !matches!(value, Value::String(_)))?;
        i64::try_from(python_int(value)?).ok()
    }

    /// All claims.
    pub fn as_object(&self) -> &Object {
        &self.0
    }

    /// All claims.
    #[must_use]
    pub fn into_object(self) -> Object {
        self.0
    }
}

impl From<Object> for Claims {
    fn from(claims: Object) -> Self {
        Self(claims)
    }
}

/// Names only: values may be personal.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claims")?;
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn type_claim(rules: &Rules) -> &str {
    rules.token_type_claim.as_deref().unwrap_or(UNNAMED)
}

fn id_claim(rules: &Rules) -> &str {
    rules.jti_claim.as_deref().unwrap_or(UNNAMED)
}

/// Whole seconds since 1970 of `now` plus `lifetime`, rounded down after adding.
fn epoch(now: Timestamp, lifetime: SignedDuration) -> Value {
    Value::from(floor_seconds(nanos(now).saturating_add(lifetime.as_nanos())))
}
