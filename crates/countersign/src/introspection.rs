//! What a token is worth now (RFC 7662), of whatever kind: judged by the code that judges requests, without being a use of it. No end
//! moves, nothing is noted as seen. Only the key ladder counts the key of a token as in use: who asks here relies on it.

use countersign_formats::jwt::{Claims, TokenType};
use countersign_store::User;
use jiff::Timestamp;

use crate::authenticate::Scheme;
use crate::authority::Authority;
use crate::claim_value::to_text;
use crate::failure::Failure;
use crate::knox::check_knox;

/// What the views of a server accept, all together.
#[derive(Debug, Clone, Default)]
pub struct Accepted {
    /// By which schemes requests are let in.
    pub schemes: Vec<Scheme>,
    /// Whether refresh tokens are taken.
    pub refreshes: bool,
}

/// A token that would be accepted now.
#[derive(Debug)]
pub struct LiveToken {
    /// The scheme it lets in by, or is of: `jwt`, `token`, `knox`, `native`.
    pub kind: &'static str,
    /// The word before it in a header (RFC 6749 §7.1).
    pub token_type: String,
    /// What it is for: what a JWT says of its type, else `access`.
    pub token_use: String,
    /// Whose it is, as tokens name users; nobody's for a refresh token that names none.
    pub subject: Option<String>,
    /// The user's name.
    pub username: Option<String>,
    /// When it was made, of a token that is a row.
    pub issued: Option<Timestamp>,
    /// When it ends if it is not used any more, of a token that is a row; `None` is never.
    pub ends: Option<Timestamp>,
    /// What a JWT says.
    pub claims: Option<Claims>,
}

/// What a token may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Native,
    Access,
    Refresh,
    Token,
    Knox,
}

impl Reading {
    /// All of them, the one that is hinted at first (RFC 7009 §2.1); what a hint that nobody knows says does not matter.
    pub(crate) fn in_order(hint: Option<&str>) -> [Self; 5] {
        match hint {
            Some("refresh_token") => [Self::Refresh, Self::Access, Self::Native, Self::Token, Self::Knox],
            _ => [Self::Native, Self::Access, Self::Refresh, Self::Token, Self::Knox],
        }
    }
}

impl Accepted {
    fn has(&self, is: impl Fn(&Scheme) -> bool) -> bool {
        self.schemes.iter().any(is)
    }
}

/// Whether a text can be shown as a token at all: one word, as a header has it.
pub(crate) fn is_word(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte > b' ' && byte != 0x7f)
}

impl Authority {
    /// The token, if a view of the server would accept it now; `None` for whatever is refused, for whichever reason. `hint` says
    /// where to look first.
    ///
    /// # Errors
    /// [`Failure::Store`] when that is not known.
    pub async fn introspect(
        &self,
        token: &str,
        hint: Option<&str>,
        accepted: &Accepted,
    ) -> Result<Option<LiveToken>, Failure> {
        if !is_word(token) {
            return Ok(None);
        }
        for reading in Reading::in_order(hint) {
            match self.read_as(reading, token, accepted).await {
                Ok(Some(live)) => return Ok(Some(live)),
                Ok(None) => {}
                Err(failure) if is_refusal(&failure) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }

    async fn read_as(&self, reading: Reading, token: &str, accepted: &Accepted) -> Result<Option<LiveToken>, Failure> {
        match reading {
            Reading::Native if accepted.has(|scheme| matches!(scheme, Scheme::Native)) => self.live_native(token).await,
            Reading::Access if accepted.has(|scheme| matches!(scheme, Scheme::Jwt | Scheme::JwtStateless)) => {
                // Where no view looks at the user, this does: who is disabled is to be refused everywhere.
                let (claims, now) = self.accepted_claims(token.as_bytes()).await?;
                let user = self.jwt_user(&claims, now).await?;
                Ok(Some(self.live_jwt(claims, Some(user), TokenType::Access)))
            }
            Reading::Refresh if accepted.refreshes => {
                let looked = if self.settings().sessions.is_some() {
                    Box::pin(self.look_in_family(token)).await
                } else {
                    Box::pin(self.look_alone(token)).await
                };
                let (claims, user) = looked?;
                Ok(Some(self.live_jwt(claims, user, TokenType::Refresh)))
            }
            Reading::Token => self.live_drf_token(token, accepted).await,
            Reading::Knox if accepted.has(|scheme| matches!(scheme, Scheme::Knox)) => self.live_knox(token).await,
            _ => Ok(None),
        }
    }

    fn live_jwt(&self, claims: Claims, user: Option<User>, class: TokenType) -> LiveToken {
        let jwt = &self.settings().simple_jwt;
        let said = jwt.rules.token_type_claim.as_deref().and_then(|name| claims.get(name)?.as_str());
        LiveToken {
            kind: "jwt",
            token_type: jwt.auth_header_types.first().cloned().unwrap_or_default(),
            token_use: said.unwrap_or(class.name()).to_owned(),
            subject: claims.get(&jwt.user_id_claim).and_then(to_text),
            username: user.map(|user| user.username),
            issued: None,
            ends: None,
            claims: Some(claims),
        }
    }

    async fn live_native(&self, token: &str) -> Result<Option<LiveToken>, Failure> {
        let Some(settings) = &self.settings().native_tokens else { return Ok(None) };
        let (found, _) = self.native_token(settings, token.as_bytes()).await?;
        settings.check(&found, self.now())?;
        let ends = settings.end(found.created, found.expires, found.last_seen);
        self.live_row("native", &settings.keyword, found.user, Some(found.created), ends).await.map(Some)
    }

    async fn live_knox(&self, token: &str) -> Result<Option<LiveToken>, Failure> {
        let (found, _) = self.knox_token(token).await?;
        check_knox(&found, self.now())?;
        let word = &self.settings().knox.auth_header_prefix;
        self.live_row("knox", word, found.user, Some(found.created), found.expiry).await.map(Some)
    }

    async fn live_drf_token(&self, token: &str, accepted: &Accepted) -> Result<Option<LiveToken>, Failure> {
        for scheme in &accepted.schemes {
            let Scheme::Token { keyword, table } = scheme else { continue };
            match self.token_user(table, token).await {
                Ok(user) => {
                    let made = self.store().token_of(table, &user.id).await?.map(|row| row.created);
                    return self.live_row("token", keyword, user, made, None).await.map(Some);
                }
                Err(failure) if is_refusal(&failure) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }

    async fn live_row(
        &self,
        kind: &'static str,
        word: &str,
        user: User,
        issued: Option<Timestamp>,
        ends: Option<Timestamp>,
    ) -> Result<LiveToken, Failure> {
        Ok(LiveToken {
            kind,
            token_type: word.to_owned(),
            token_use: TokenType::Access.name().to_owned(),
            subject: Some(self.user_id_text(&user.id).await?),
            username: Some(user.username),
            issued,
            ends,
            claims: None,
        })
    }
}

/// Whether a failure says that a token is not accepted, rather than that nobody knows.
pub(crate) fn is_refusal(failure: &Failure) -> bool {
    failure.is_authentication() || matches!(failure, Failure::VerifiedBlacklisted | Failure::UnknownClient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_leaves_nothing_out() {
        let hints = [None, Some("access_token"), Some("refresh_token"), Some("pat"), Some("")];
        for hint in hints {
            let order = Reading::in_order(hint);
            for reading in [Reading::Native, Reading::Access, Reading::Refresh, Reading::Token, Reading::Knox] {
                assert_eq!(order.iter().filter(|other| **other == reading).count(), 1, "{hint:?} {reading:?}");
            }
            assert_eq!(order[0] == Reading::Refresh, hint == Some("refresh_token"));
        }
    }

    #[test]
    fn o4_what_no_header_can_show_is_no_token() {
        for token in ["", " ", "a b", " a", "a\n", "a\u{0}", "\u{7f}", "a\tb"] {
            assert!(!is_word(token), "{token:?}");
        }
        assert!(is_word("a.b-c") && is_word("\u{e9}"));
    }

    #[test]
    fn only_a_refusal_is_the_end_of_a_token() {
        assert!(is_refusal(&Failure::UnknownToken) && is_refusal(&Failure::JwtUserInactive));
        let unavailable = countersign_store::StoreError::Busy;
        assert!(!is_refusal(&Failure::Store(unavailable)) && !is_refusal(&Failure::AnotherClientsToken));
    }
}
