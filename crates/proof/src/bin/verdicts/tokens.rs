//! Tokens: `A` and the claims, or `R`, the text the client sees, a tab and the inner reason.

use countersign_formats::json::object_to_compact_ascii;
use countersign_formats::jwt::{
    Algorithm, Expected, HmacSecret, Rules, SigningKey, TokenType, VerifyingKey, check_token, decode,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::Judge;

/// Settings under SimpleJWT's names, and what is around them.
#[derive(Deserialize)]
struct Batch {
    settings: Value,
    key: String,
    now: f64,
    token_class: String,
    strict: bool,
}

#[derive(Default)]
pub(crate) struct Tokens(Option<Ready>);

struct Ready {
    keys: Vec<VerifyingKey>,
    rules: Rules,
    class: TokenType,
    now: Timestamp,
}

impl Judge for Tokens {
    fn settings(&mut self, text: &str) -> anyhow::Result<()> {
        let batch: Batch = serde_json::from_str(text)?;
        let algorithm: Algorithm = batch.settings["ALGORITHM"].as_str().unwrap_or("HS256").parse()?;
        let hmac = algorithm.hmac().ok_or_else(|| anyhow::anyhow!("{algorithm} has no shared secret"))?;
        let key = SigningKey::hmac(hmac, &HmacSecret::new(batch.key)?);
        let class = match batch.token_class.as_str() {
            "AccessToken" => TokenType::Access,
            "RefreshToken" => TokenType::Refresh,
            "SlidingToken" => TokenType::Sliding,
            "UntypedToken" => TokenType::Untyped,
            other => anyhow::bail!("no token class {other}"),
        };
        let rules = rules(&batch.settings, batch.strict)?;
        self.0 = Some(Ready { keys: vec![key.verifying_key()], rules, class, now: moment(batch.now) });
        Ok(())
    }

    fn verdict(&mut self, case: &[u8]) -> String {
        let Some(Ready { keys, rules, class, now }) = &self.0 else { return String::new() };
        let read = decode(case, keys, rules, *now);
        match read.and_then(|claims| check_token(&claims, *class, rules, *now).map(|()| claims)) {
            Ok(claims) => format!("A{}", object_to_compact_ascii(claims.as_object())),
            Err(refusal) => format!("R{}\t{}", refusal.message(), refusal.cause()),
        }
    }
}

/// The rules that settings under SimpleJWT's names amount to.
fn rules(settings: &Value, strict: bool) -> anyhow::Result<Rules> {
    let expected = |name: &str| -> anyhow::Result<Expected> {
        Ok(match &settings[name] {
            Value::Null => Expected::Anything,
            Value::String(one) => Expected::One(one.clone()),
            many => Expected::Many(serde_json::from_value(many.clone())?),
        })
    };
    let claim = |name: &str, default: &str| match settings.get(name) {
        None => Some(default.to_owned()),
        Some(name) => name.as_str().map(str::to_owned),
    };
    Ok(Rules {
        audience: expected("AUDIENCE")?,
        issuer: expected("ISSUER")?,
        leeway: duration(settings["LEEWAY"].as_f64().unwrap_or(0.0)),
        token_type_claim: claim("TOKEN_TYPE_CLAIM", "token_type"),
        jti_claim: claim("JTI_CLAIM", "jti"),
        strict,
        ..Rules::default()
    })
}

/// The instant of a Unix time; Python's clock has microseconds.
pub(crate) fn moment(seconds: f64) -> Timestamp {
    Timestamp::UNIX_EPOCH + duration(seconds)
}

fn duration(seconds: f64) -> SignedDuration {
    #[expect(clippy::cast_possible_truncation, reason = "times of cases fit")]
    SignedDuration::from_micros((seconds * 1e6).round() as i64)
}
