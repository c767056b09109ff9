//! Steps 7 to 10: the client uses what it kept, and the server lets it in or refuses.

use serde_json::json;

use super::super::Paths;
use super::super::client::Answer;
use super::super::findings::Findings;
use super::super::jwt;
use super::super::text::{foreign, shorten};
use super::{NO_CREDENTIAL, Walk, made, members};

impl Walk<'_> {
    pub(super) fn send_request(&mut self, found: &mut Findings) {
        if self.token.is_none() && self.access.is_none() {
            return found.not_reached(NO_CREDENTIAL);
        }
        let Paths { token_keyword, bearer_keyword, protected_path, .. } = self.paths;
        found.input(format!("GET {protected_path}, Authorization:"));
        let mut carried = Vec::new();
        let credentials = [
            (token_keyword, &self.token, &mut self.token_answer),
            (bearer_keyword, &self.access, &mut self.access_answer),
        ];
        for (keyword, secret, kept) in credentials {
            let Some(secret) = secret else {
                found.problem(format!("nothing to send as {keyword}"));
                continue;
            };
            let shown = format!("{keyword} {}", shorten(secret));
            found.input(shown.clone());
            carried.push(shown);
            match self.client.get(protected_path, Some(&format!("{keyword} {secret}"))) {
                Ok(answer) => {
                    found.output(format!("{keyword}: answered"));
                    *kept = Some(answer);
                }
                Err(why) => found.problem(format!("{keyword}: {why}")),
            }
        }
        found.remark("no cookie, no session: each request carries its proof");
        self.request_token = Some(carried.join("\n"));
    }

    pub(super) fn check_validity(&mut self, found: &mut Findings) {
        let Paths { verify_path, refresh_path, .. } = self.paths;
        if self.access.is_none() && self.refresh.is_none() {
            return found.not_reached("needs a token of step 4");
        }
        if let Some(access) = &self.access {
            found.input(format!("POST {verify_path} access"));
            let sent = self.client.post(verify_path, &json!({ "token": access }));
            self.expect(found, "verify", "--verify-path", sent, "200 {}", |answer| {
                answer.status == 200 && answer.json == Some(json!({}))
            });
            found.input(format!("POST {verify_path} access, tampered with"));
            let sent = self.client.post(verify_path, &json!({ "token": jwt::tampered(access) }));
            self.expect(found, "tampered", "--verify-path", sent, "401", |answer| answer.status == 401);
        }
        let Some(refresh) = &self.refresh else {
            return found.problem("no refresh token to refresh with");
        };
        found.input(format!("POST {refresh_path} refresh"));
        let sent = self.client.post(refresh_path, &json!({ "refresh": refresh }));
        let refreshed = self.expect(found, "refresh", "--refresh-path", sent, "200 with access", |answer| {
            made(Some(answer), "access").is_some()
        });
        let Some(refreshed) = refreshed else { return };
        if let Some(access) = made(Some(&refreshed), "access") {
            if let Some(jwt) = self.read_jwt("access", &access, found) {
                found.check(self.user_id.as_ref().is_none_or(|user| *user == jwt.user), || {
                    "the new access token names another user".to_owned()
                });
            }
            found.check(self.access.as_ref() != Some(&access), || "the new access token is the old one".to_owned());
            found.remark("the DRF token is looked up at each use; a JWT's signature and exp are checked");
            self.access = Some(access);
        }
        if let Some(rotated) = made(Some(&refreshed), "refresh") {
            self.read_jwt("refresh", &rotated, found);
            found.remark("the refresh token was rotated");
            self.refresh = Some(rotated);
        }
    }

    pub(super) fn protected_data(&mut self, found: &mut Findings) {
        let Paths { token_keyword, bearer_keyword, protected_path, .. } = self.paths;
        if self.token_answer.is_none() && self.access_answer.is_none() {
            return found.not_reached("needs an answer to step 7");
        }
        found.input("the answers to step 7");
        for (keyword, answer) in [(token_keyword, &self.token_answer), (bearer_keyword, &self.access_answer)] {
            match answer {
                Some(answer) => self.check_data(found, keyword, answer),
                None => found.problem(format!("{keyword}: no answer to step 7")),
            }
        }
        if let Some(access) = &self.access {
            let carried = format!("{bearer_keyword} {}", shorten(access));
            found.input(format!("GET {protected_path}, {carried}"));
            match self.client.get(protected_path, Some(&format!("{bearer_keyword} {access}"))) {
                Ok(answer) => {
                    self.check_data(found, &format!("{bearer_keyword}, after refresh"), &answer);
                }
                Err(why) => found.problem(why),
            }
            self.request_token = Some(carried);
        }
        found.remark("the same user by every credential");
    }

    pub(super) fn refusals(&mut self, found: &mut Findings) {
        let Paths { token_keyword, bearer_keyword, protected_path, .. } = self.paths;
        if self.token.is_none() && self.access.is_none() {
            return found.not_reached(NO_CREDENTIAL);
        }
        found.input(format!("GET {protected_path} five times"));
        let with = |keyword: &str, secret: Option<String>| secret.map(|secret| Some(format!("{keyword} {secret}")));
        let bad_token = self.token.as_deref().map(|token| {
            let other = if token.ends_with('0') { '1' } else { '0' };
            token.chars().take(token.chars().count() - 1).chain([other]).collect::<String>()
        });
        let bad_access = self.access.as_deref().map(jwt::tampered);
        self.request_token =
            bad_access.as_ref().or(bad_token.as_ref()).map(|bad| format!("{} (tampered with)", shorten(bad)));
        let cases = [
            ("no credentials", Some(None)),
            ("tampered token", with(token_keyword, bad_token)),
            ("tampered JWT", with(bearer_keyword, bad_access)),
            ("refresh token as access", with(bearer_keyword, self.refresh.clone())),
            ("unknown scheme", with("Countersign-Unknown", self.token.clone().or_else(|| self.access.clone()))),
        ];
        for (name, case) in cases {
            let Some(authorization) = case else {
                found.problem(format!("{name}: not reached"));
                continue;
            };
            match self.client.get(protected_path, authorization.as_deref()) {
                Ok(answer) => check_refusal(found, name, &answer),
                Err(why) => found.problem(format!("{name}: {why}")),
            }
        }
        found.remark("WWW-Authenticate says how to log in");
    }

    /// Shows an answer and passes it on if it is as expected.
    fn expect(
        &self,
        found: &mut Findings,
        name: &str,
        flag: &str,
        sent: Result<Answer, String>,
        expected: &str,
        right: impl Fn(&Answer) -> bool,
    ) -> Option<Answer> {
        match sent {
            Err(why) => {
                found.problem(format!("{name}: {why}"));
                None
            }
            Ok(answer) => {
                let said = if answer.status == 200 { members(&answer) } else { answer.said(self.password) };
                found.output(format!("{name}: {} {said}", answer.status.as_str()));
                let held = right(&answer);
                found.check(held, || answer.hint(flag).unwrap_or_else(|| format!("{name}: {expected} was expected")));
                held.then_some(answer)
            }
        }
    }

    fn check_data(&self, found: &mut Findings, name: &str, answer: &Answer) {
        found.output(format!("{name}: {} {}", answer.status.as_str(), answer.said(self.password)));
        if answer.status != 200 {
            let hint = answer.hint("--protected-path").unwrap_or_else(|| "a valid credential is refused".to_owned());
            return found.problem(format!("{name}: {hint}"));
        }
        let Some(json) = &answer.json else {
            return found.problem(format!("{name}: the answer is not JSON"));
        };
        found.check(answer.text("username").is_none_or(|shown| shown == self.username), || {
            format!("{name}: another user's data")
        });
        if let (Some(shown), Some(known)) = (json.get("user_id").and_then(jwt::id_text), &self.user_id) {
            found.check(shown == *known, || format!("{name}: another user_id than in the JWT"));
        }
    }
}

/// RFC 9110 §15.5.2: 401 with a challenge.
fn check_refusal(found: &mut Findings, name: &str, answer: &Answer) {
    let challenge = answer.challenge();
    let shown = challenge.as_deref().map_or_else(String::new, |challenge| format!(", {}", foreign(challenge, 60)));
    found.output(format!("{name}: {}{shown}", answer.status.as_str()));
    match answer.status.as_u16() {
        401 => found.check(challenge.is_some(), || format!("{name}: 401 without WWW-Authenticate")),
        403 => found.problem(
            "403 instead of 401: the view's first authentication class names no scheme (SessionAuthentication?); put token or JWT first",
        ),
        200..=299 => found.problem(format!("{name}: answered {}: this path is not protected", answer.status.as_str())),
        other => found.problem(answer.hint("--protected-path").unwrap_or_else(|| format!("{name}: {other} instead of 401"))),
    }
}
