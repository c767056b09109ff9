//! Why credentials were refused, in one word: what the answer often may not say.

use countersign_formats::jwt::{Cause, Refusal};

use super::{About, Event};
use crate::authority::Authority;
use crate::client::Client;
use crate::failure::Failure;

impl Authority {
    /// Tells why an authentication class refused what it was shown.
    #[cold]
    pub(crate) fn tell_refused(&self, at: &'static str, failure: &Failure, client: Client<'_>) {
        let about = About::client(client);
        match failure {
            Failure::Csrf(_) => self.tell(&Event::DjangoSessionRefused { reason: "csrf" }, &about),
            // Told where the login was refused.
            Failure::InvalidBasicCredentials => {}
            _ => {
                if let Some(reason) = reason(failure) {
                    self.tell(&Event::CredentialsRefused { at, reason }, &about);
                }
            }
        }
    }

    /// Tells why a view refused the token in its body, unless that was told with its session.
    #[cold]
    pub(crate) fn tell_refused_token(&self, at: &'static str, failure: &Failure, client: Client<'_>) {
        let is_told = self.settings().sessions.is_some() && matches!(failure, Failure::Token(Refusal::Blacklisted));
        if !is_told {
            self.tell_refused(at, failure, client);
        }
    }
}

/// `None` for what is no matter of credentials.
fn reason(failure: &Failure) -> Option<&'static str> {
    Some(match failure {
        Failure::BadHeader(_) | Failure::BadJwtHeader => "bad_header",
        Failure::UnknownToken => "unknown_token",
        Failure::ExpiredToken => "expired",
        Failure::InactiveUser | Failure::JwtUserInactive | Failure::NoActiveAccountForToken => "inactive",
        Failure::NoUserClaim => "no_user_claim",
        Failure::UserNotFound | Failure::NoUserForToken => "unknown_user",
        Failure::PasswordChanged => "password_changed",
        Failure::VerifiedBlacklisted => "blacklisted",
        Failure::Token(refusal) => of_token(refusal),
        // The classes differ in the type alone, which is looked at last.
        Failure::NoTokenClass(refusals) => refusals.first().map_or("invalid", |(_, refusal)| of_token(refusal)),
        _ => return None,
    })
}

fn of_token(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Expired | Refusal::ClaimExpired(_) => "expired",
        Refusal::Blacklisted => "blacklisted",
        Refusal::NoClaim(_) => "no_expiry",
        Refusal::NoId => "no_id",
        Refusal::NoType => "no_type",
        Refusal::WrongType => "wrong_type",
        Refusal::Invalid(Cause::Signature(_)) => "bad_signature",
        Refusal::Invalid(Cause::Algorithm) => "wrong_algorithm",
        Refusal::Invalid(Cause::Immature(_)) => "not_yet_valid",
        Refusal::Invalid(Cause::Issuer) => "wrong_issuer",
        Refusal::Invalid(Cause::Audience) => "wrong_audience",
        Refusal::Invalid(Cause::TooLong(_)) => "too_long",
        _ => "malformed",
    }
}
