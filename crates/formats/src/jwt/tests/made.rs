//! Tokens as `SimpleJWT` makes them, byte for byte.

use super::*;

const MADE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/compat/made_tokens.jsonl"));

struct Maker {
    settings: Line,
    rules: Rules,
    key: SigningKey,
    now: Timestamp,
    ids: u32,
}

impl Maker {
    fn new(line: &Line) -> Self {
        let settings = line["settings"].clone();
        let secret = secret(line["key"].as_str().unwrap());
        let key = SigningKey::hmac(algorithm_of(&settings).hmac().unwrap(), &secret);
        let now = moment(line["now"].as_f64().unwrap());
        Self { rules: rules_of(&settings), settings, key, now, ids: 0 }
    }

    fn id(&mut self) -> String {
        self.ids += 1;
        format!("{:032x}", self.ids)
    }

    fn lifetime(&self, name: &str, default: i64) -> SignedDuration {
        self.settings.get(name).map_or(SignedDuration::from_secs(default), duration_setting)
    }

    fn signed(&self, claims: &Claims) -> String {
        claims.sign_with(&self.key, &self.rules)
    }
}

#[test]
fn tokens_are_made_byte_for_byte() {
    let mut compared = 0;
    for line in MADE.lines().map(|line| serde_json::from_str::<Line>(line).unwrap()) {
        let mut maker = Maker::new(&line);
        let now = maker.now;
        let access = maker.lifetime("ACCESS_TOKEN_LIFETIME", 300);
        let refresh = maker.lifetime("REFRESH_TOKEN_LIFETIME", 86400);
        let mut same = |step: &str, token: String| {
            assert_eq!(line["steps"][step].as_str(), Some(token.as_str()), "{step} under {}", line["settings"]);
            compared += 1;
        };

        let id = maker.id();
        let mut claims = Claims::for_type(TokenType::Refresh, &maker.rules, now, &Lifetime::of(refresh), &id);
        claims.set("user_id", "1");
        claims.set("name", "J\u{f6}rg \u{1f600}");
        let token = maker.signed(&claims);
        let id = maker.id();
        same("refresh", token.clone());
        same("access", maker.signed(&claims.access_from_refresh(&maker.rules, now, access, &id)));

        if line["steps"].get("access-later").is_some() {
            let later = now + SignedDuration::from_millis(250);
            let key = maker.key.verifying_key();
            let mut read = decode(token.as_bytes(), &key, &maker.rules, later).unwrap();
            check_token(&read, TokenType::Refresh, &maker.rules, later).unwrap();
            let id = maker.id();
            same("access-later", maker.signed(&read.access_from_refresh(&maker.rules, later, access, &id)));
            let id = maker.id();
            read.rotate_in_place(&maker.rules, later, refresh, &id);
            same("rotated-later", maker.signed(&read));
        }

        let claim = line["settings"]["SLIDING_TOKEN_REFRESH_EXP_CLAIM"].as_str().unwrap_or("refresh_exp");
        let exp = maker.lifetime("SLIDING_TOKEN_LIFETIME", 300);
        let lifetime = Lifetime::sliding(exp, claim, maker.lifetime("SLIDING_TOKEN_REFRESH_LIFETIME", 86400));
        let id = maker.id();
        let mut sliding = Claims::for_type(TokenType::Sliding, &maker.rules, now, &lifetime, &id);
        sliding.set("user_id", "1");
        same("sliding", maker.signed(&sliding));
        let later = now + SignedDuration::from_secs(2);
        check_claim_not_expired(&sliding, claim, &maker.rules, later).unwrap();
        sliding.set_times(later, exp);
        same("sliding-renewed", maker.signed(&sliding));
    }
    assert!(compared > 150, "only {compared} compared");
}

/// Tokens of `SimpleJWT` 4.8 and older have no `iat`: rotation appends it.
#[test]
fn rotation_appends_what_is_missing() {
    let mut old: Claims = Object::from_iter([("exp", 1.into()), ("user_id", 7.into())]).into();
    old.rotate_in_place(&Rules::default(), now(), SignedDuration::from_secs(60), "new");
    let text = crate::json::object_to_compact_ascii(old.as_object());
    assert_eq!(text, r#"{"exp":1750000060,"user_id":7,"jti":"new","iat":1750000000}"#);
    assert_eq!((old.id(&Rules::default()), old.exp()), (Some("new"), Some(1_750_000_060)));
}

/// Of several issuers the first is written; all are accepted.
#[test]
fn several_issuers_sign_as_the_first() {
    let rules = Rules { issuer: Expected::Many(vec!["me".into(), "you".into()]), ..Rules::default() };
    let token = Claims::from(good_claims()).sign_with(&key(), &rules);
    assert_eq!(read(&token, &rules).unwrap().get("iss"), Some(&Value::from("me")));
}

/// SPEC of sliding tokens: absent and past renewal times have their own words; what is no time is invalid.
#[test]
fn renewal_times_are_checked() {
    let check = |value: Option<Value>| {
        let mut claims = Claims::from(good_claims());
        if let Some(value) = value {
            claims.set("refresh_exp", value);
        }
        check_claim_not_expired(&claims, "refresh_exp", &Rules::default(), now()).map_err(|error| error.to_string())
    };
    let second = now().as_second();
    assert_eq!(check(None).unwrap_err(), "Token has no 'refresh_exp' claim");
    assert_eq!(check(Some(second.into())).unwrap_err(), "Token 'refresh_exp' claim has expired");
    assert_eq!(check(Some((second + 1).into())), Ok(()));
    assert_eq!(check(Some(Value::Float(1_750_000_000.5))), Ok(()));
    for odd in [Value::Null, "1750000300".into(), Value::Float(f64::NAN), i64::MAX.into(), vec![].into()] {
        assert_eq!(check(Some(odd)).unwrap_err(), "Token is invalid");
    }
}

/// A lifetime beyond what can be written ends with year 9999.
#[test]
fn endless_lifetimes_end() {
    let claims = Claims::for_type(TokenType::Access, &Rules::default(), now(), &Lifetime::of(SignedDuration::MAX), "x");
    assert_eq!(claims.exp(), Some(253_402_300_799));
    assert!(read(&claims.sign_with(&key(), &Rules::default()), &Rules::default()).is_ok());
}
