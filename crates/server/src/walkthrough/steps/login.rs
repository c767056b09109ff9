//! Steps 1 to 6: the client logs in, and keeps what the server made.

use serde_json::Value;

use super::super::Paths;
use super::super::findings::Findings;
use super::super::jwt::Jwt;
use super::super::text::{foreign, shorten};
use super::{NO_CREDENTIAL, NO_LOGIN, Walk, made, members};

impl Walk<'_> {
    pub(super) fn send_login(&mut self, found: &mut Findings) {
        let Paths { token_path, pair_path, .. } = self.paths;
        found.input(format!("POST {token_path}"));
        found.input(format!("POST {pair_path}"));
        found.input(format!("each {{\"username\": {}, \"password\": \"…\"}}", Value::from(self.username)));
        found.remark(self.client.privacy());
        let body = self.login_body(self.password);
        for path in [token_path, pair_path] {
            match self.client.post(path, &body) {
                Ok(answer) => {
                    found.output(format!("{path}: answered"));
                    let kept = if path == token_path { &mut self.token_login } else { &mut self.pair_login };
                    *kept = Some(answer);
                }
                Err(why) => {
                    found.output(format!("{path}: no answer"));
                    found.problem(why);
                    // The next one would only wait as long again.
                    return;
                }
            }
        }
    }

    /// Right credentials are accepted, and a wrong password is refused in the documented way: 400 by DRF 3.18
    /// `AuthTokenSerializer`, 401 by `SimpleJWT` 5.5 `TokenObtainSerializer`.
    pub(super) fn verify_credentials(&mut self, found: &mut Findings) {
        let Paths { token_path, pair_path, .. } = self.paths;
        let (Some(token_login), Some(pair_login)) = (&self.token_login, &self.pair_login) else {
            return found.not_reached(NO_LOGIN);
        };
        found.input("the right password (step 1)");
        found.input("a wrong password, to both paths");
        for (path, flag, login) in [(token_path, "--token-path", token_login), (pair_path, "--pair-path", pair_login)] {
            found.output(format!("right, {path}: {}", login.status_line()));
            found.check(login.status == 200, || {
                let said = login.said(self.password);
                login.hint(flag).unwrap_or_else(|| format!("{path} refused these credentials: {said}"))
            });
        }
        let wrong = self.login_body(if self.password == "wrong password" {
            "another wrong password"
        } else {
            "wrong password"
        });
        let expected = [
            (token_path, "--token-path", 400, "non_field_errors", "Unable to log in with provided credentials."),
            (pair_path, "--pair-path", 401, "detail", "No active account found with the given credentials"),
        ];
        for (path, flag, status, member, words) in expected {
            match self.client.post(path, &wrong) {
                Err(why) => found.problem(format!("wrong password at {path}: {why}")),
                Ok(answer) => {
                    let said = answer.said(self.password);
                    found.output(format!("wrong, {path}: {}: {said}", answer.status.as_str()));
                    let has_member = answer.json.as_ref().is_some_and(|json| json.get(member).is_some());
                    found.check(answer.status == status && has_member, || {
                        answer
                            .hint(flag)
                            .unwrap_or_else(|| format!("a wrong password at {path} should give {status} with {member}"))
                    });
                    if said != words {
                        found.remark(format!("{path} words its refusal in its own way"));
                    }
                }
            }
        }
        found.remark("accepted and refused as documented");
    }

    /// DRF 3.18 `ObtainAuthToken`: 40 lower-case hex digits, the same at each login.
    pub(super) fn token_made(&mut self, found: &mut Findings) {
        let path = &self.paths.token_path;
        let Some(token) = made(self.token_login.as_ref(), "token") else {
            return found.not_reached("needs an accepted login with a token in its answer");
        };
        found.input(format!("the answer of {path}"));
        found.input("the same login again");
        found.output(format!("token {}", shorten(&token)));
        let hex = token.len() == 40 && token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        found.check(hex, || "the token is not 40 lower-case hex digits".to_owned());
        match self.client.post(path, &self.login_body(self.password)) {
            Err(why) => found.problem(why),
            Ok(again) if again.text("token") == Some(&token) => {
                found.output("again: the same token");
            }
            Ok(again) => {
                found.output(format!("again: {}", again.status_line()));
                let other = if again.text("token").is_some() {
                    "the second login gave another token"
                } else {
                    "the second login gave no token"
                };
                found.problem(again.hint("--token-path").unwrap_or_else(|| other.to_owned()));
            }
        }
        found.remark("one per user; lives until it is deleted");
        self.token = Some(token);
    }

    /// `SimpleJWT` 5.5 `TokenObtainPairSerializer`: a refresh and an access token of the same user, both still valid.
    pub(super) fn pair_made(&mut self, found: &mut Findings) {
        let login = self.pair_login.as_ref();
        let (access, refresh) = (made(login, "access"), made(login, "refresh"));
        if access.is_none() && refresh.is_none() {
            return found.not_reached("needs an accepted login with a pair in its answer");
        }
        found.input(format!("the answer of {}", self.paths.pair_path));
        let mut users = Vec::new();
        for (kind, token) in [("access", &access), ("refresh", &refresh)] {
            let Some(token) = token else {
                found.problem(format!("the answer has no {kind} token"));
                continue;
            };
            found.output(format!("{kind} {}", shorten(token)));
            if let Some(jwt) = self.read_jwt(kind, token, found) {
                found.remark(format!("{kind}: {}, {}", foreign(&jwt.algorithm, 20), lifetime(&jwt)));
                users.push(jwt.user);
            }
        }
        found.check(users.windows(2).all(|pair| pair[0] == pair[1]), || {
            "the two tokens name different users".to_owned()
        });
        if let Some(user) = users.first() {
            found.remark(format!("user_id {}; signed, not encrypted", foreign(user, 40)));
        }
        self.user_id = users.into_iter().next();
        (self.access, self.refresh) = (access, refresh);
    }

    pub(super) fn sent_to_client(&mut self, found: &mut Findings) {
        if self.token.is_none() && self.access.is_none() {
            return found.not_reached(NO_CREDENTIAL);
        }
        found.input("the answers to step 1");
        for (path, login) in [(&self.paths.token_path, &self.token_login), (&self.paths.pair_path, &self.pair_login)] {
            let Some(login) = login else { continue };
            let content_type = login.content_type();
            found.output(format!(
                "{path}: {}, {}, {}",
                login.status_line(),
                foreign(&content_type, 40),
                members(login)
            ));
            found.check(login.status == 200, || format!("{path} did not answer 200"));
            found.check(content_type == "application/json" && login.json.is_some(), || {
                format!("{path} did not answer application/json")
            });
        }
        found.remark("in the body, never in a URL");
    }

    pub(super) fn store(&mut self, found: &mut Findings) {
        if self.token.is_none() && self.access.is_none() {
            return found.not_reached(NO_CREDENTIAL);
        }
        found.input("token, access, refresh");
        for (kind, secret) in [("token", &self.token), ("access", &self.access), ("refresh", &self.refresh)] {
            match secret {
                Some(secret) => found.output(format!("{kind}: {} characters kept", secret.chars().count())),
                None => found.problem(format!("no {kind} to store")),
            }
        }
        found.remark(
            "here: in memory only. A browser: memory or an HttpOnly cookie. A mobile app: Keychain or Keystore",
        );
    }
}

/// How long a token lives by its own claims.
fn lifetime(jwt: &Jwt) -> String {
    let Some(issued) = jwt.issued else {
        return "no iat".to_owned();
    };
    let seconds = jwt.expires - issued;
    match seconds {
        seconds if seconds >= 172_800.0 => format!("lives {:.0} days", seconds / 86_400.0),
        seconds if seconds >= 7200.0 => format!("lives {:.0} h", seconds / 3600.0),
        seconds if seconds >= 120.0 => format!("lives {:.0} min", seconds / 60.0),
        seconds => format!("lives {seconds:.0} s"),
    }
}
