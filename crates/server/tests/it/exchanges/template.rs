//! Recorded texts with placeholders: `{{hex40:1}}`, `{{jwt:2}}`, `{{any}}`; the same label stands for the same text.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_formats::jwt::SigningKey;
use serde_json::Value;

/// What the placeholders of one exchange stood for.
#[derive(Default)]
pub(crate) struct Captures(HashMap<String, String>);

impl Captures {
    /// Compares a text with its template. `jwts` holds header and payload texts by label, and the key that must have signed.
    pub(crate) fn compare(
        &mut self,
        template: &str,
        text: &str,
        jwts: Option<(&Value, &SigningKey)>,
    ) -> Result<(), String> {
        let complain = || format!("{text} instead of {template}");
        let mut rest = text;
        let mut template_rest = template;
        while let Some(start) = template_rest.find("{{") {
            rest = rest.strip_prefix(&template_rest[..start]).ok_or_else(complain)?;
            let end = start + template_rest[start..].find("}}").expect("a closed placeholder");
            let placeholder = &template_rest[start + 2..end];
            template_rest = &template_rest[end + 2..];
            if placeholder == "any" {
                return Ok(());
            }
            let (kind, label) = placeholder.split_once(':').unwrap_or((placeholder, ""));
            let length = match_length(kind, rest).ok_or_else(complain)?;
            let (found, after) = rest.split_at(length);
            rest = after;
            if label.is_empty() {
                continue;
            }
            match self.0.get(placeholder) {
                Some(earlier) if earlier != found => {
                    return Err(format!("{placeholder}: {found} instead of {earlier}"));
                }
                Some(_) => {}
                None => {
                    self.0.insert(placeholder.to_owned(), found.to_owned());
                    if let (true, Some((texts, key))) = (kind == "jwt", jwts) {
                        self.compare_jwt(&texts[label], found, key)?;
                    }
                }
            }
        }
        if rest == template_rest { Ok(()) } else { Err(complain()) }
    }

    /// Header and payload to the letter, and the signature.
    fn compare_jwt(&mut self, expected: &Value, token: &str, key: &SigningKey) -> Result<(), String> {
        let parts: Vec<&str> = token.split('.').collect();
        let decoded = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("UTF-8");
        self.compare(expected["header"].as_str().expect("a header"), &decoded(parts[0]), None)?;
        let payload = decoded(parts[1]);
        self.compare(expected["payload"].as_str().expect("a payload"), &payload, None)?;
        let claims =
            countersign_formats::json::parse(&payload, countersign_formats::json::NonFinite::Accept).expect("JSON");
        let countersign_formats::json::Value::Object(claims) = claims else { panic!("no object") };
        let signed = countersign_formats::jwt::sign(&claims, key);
        if signed == token { Ok(()) } else { Err(format!("{token} is not signed as {signed}")) }
    }
}

fn match_length(kind: &str, text: &str) -> Option<usize> {
    let run = |fits: fn(char) -> bool| text.find(|c| !fits(c)).unwrap_or(text.len());
    let exact = |length: usize, fits: fn(char) -> bool| (run(fits) >= length).then_some(length);
    if kind == "jwt" {
        let length = run(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        return (text[..length].matches('.').count() == 2).then_some(length);
    }
    if kind == "b64_32" {
        return exact(43, |c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/')).map(|length| length + 1);
    }
    let number = |prefix: &str| kind.strip_prefix(prefix).and_then(|digits| digits.parse().ok());
    if let Some(length) = number("hex") {
        return exact(length, |c| matches!(c, '0'..='9' | 'a'..='f'));
    }
    if let Some(length) = number("alnum") {
        return exact(length, |c| c.is_ascii_alphanumeric());
    }
    if let Some(length) = number("b64raw") {
        return exact(length, |c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/'));
    }
    panic!("unknown placeholder {kind}")
}
