//! The registered clients (RFC 6749 §2): who they are, how they prove it (§2.3), and how long the tokens live that are issued to them.

use countersign_formats::client_secret::SecretDigest;
use countersign_formats::json::Value;
use countersign_formats::jwt::{Claims, TokenType};
use countersign_formats::request_body::{Parameters, form_decoded};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use crate::audit::{About, Event};
use crate::authenticate::{Words, after_keyword, joined};
use crate::authority::Authority;
use crate::basic_header::decode_basic;
use crate::client::Client;
use crate::failure::Failure;
use crate::settings::Settings;

/// The claim that names the client a token was issued to (RFC 8693 §4.3, RFC 9068 §2.2).
pub const CLIENT_CLAIM: &str = "client_id";

/// Secrets that a client may have at once: the old and the new one.
pub const MOST_SECRETS: usize = 2;

/// A client.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RegisteredClient {
    /// Its `client_id`.
    pub id: String,
    /// Its secrets, at most [`MOST_SECRETS`]; none makes it a public client (RFC 6749 §2.1).
    pub secrets: Vec<SecretDigest>,
    /// Whether it may ask what tokens are worth (RFC 7662).
    pub may_introspect: bool,
    /// Whether it may end tokens (RFC 7009).
    pub may_revoke: bool,
    /// How long access tokens live that are issued to it, and sliding ones; else as for everybody.
    pub access_lifetime: Option<SignedDuration>,
    /// How long refresh tokens live that are issued to it, and for how long sliding ones can be renewed; else as for everybody.
    pub refresh_lifetime: Option<SignedDuration>,
}

impl RegisteredClient {
    /// A public client that may nothing and gets what everybody gets.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secrets: Vec::new(),
            may_introspect: false,
            may_revoke: false,
            access_lifetime: None,
            refresh_lifetime: None,
        }
    }
}

/// What a client may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientRight {
    /// Ask what tokens are worth.
    Introspect,
    /// End tokens.
    Revoke,
}

/// How long tokens live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    pub(crate) access: SignedDuration,
    pub(crate) refresh: SignedDuration,
    pub(crate) sliding: SignedDuration,
    pub(crate) sliding_refresh: SignedDuration,
}

impl Settings {
    /// The client of this id.
    fn registered(&self, id: &str) -> Option<&RegisteredClient> {
        self.clients.iter().find(|client| client.id == id)
    }

    /// What holds for tokens of this client; of nobody in particular for `None`.
    fn lifetimes(&self, client: Option<&RegisteredClient>) -> Lifetimes {
        let jwt = &self.simple_jwt;
        let access = client.and_then(|client| client.access_lifetime);
        let refresh = client.and_then(|client| client.refresh_lifetime);
        Lifetimes {
            access: access.unwrap_or(jwt.access_token_lifetime),
            refresh: refresh.unwrap_or(jwt.refresh_token_lifetime),
            sliding: access.unwrap_or(jwt.sliding_token_lifetime),
            sliding_refresh: refresh.unwrap_or(jwt.sliding_token_refresh_lifetime),
        }
    }

    /// What holds for tokens of the client of this id.
    pub(crate) fn lifetimes_for(&self, registered: Option<&str>) -> Lifetimes {
        self.lifetimes(registered.and_then(|id| self.registered(id)))
    }

    /// Those of everybody and of each client.
    fn all_lifetimes(&self) -> impl Iterator<Item = Lifetimes> {
        std::iter::once(self.lifetimes(None)).chain(self.clients.iter().map(|client| self.lifetimes(Some(client))))
    }

    /// The longest life of a token that opens a protected path, leeway included.
    #[must_use]
    pub fn longest_access(&self) -> SignedDuration {
        let jwt = &self.simple_jwt;
        let longest = self.all_lifetimes().map(|lifetimes| {
            let opening = jwt.auth_token_classes.iter().map(|class| match class {
                TokenType::Refresh => lifetimes.refresh,
                TokenType::Sliding => lifetimes.sliding,
                _ => lifetimes.access,
            });
            opening.max().unwrap_or_default().max(lifetimes.access)
        });
        // `iat` and `exp` are rounded down to seconds.
        let longest = longest.max().unwrap_or_default();
        longest.saturating_add(jwt.rules.leeway).saturating_add(SignedDuration::from_secs(1))
    }

    /// Up to when marks on what has ended are of no use at `now`: those on sessions and on single tokens, then all others. With a
    /// day and a month to spare, for settings that were others, and clocks that are wrong.
    #[must_use]
    pub fn marks_until(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let longest = self.longest_lifetime().max(self.longest_access());
        let before = |length: SignedDuration| now.checked_sub(length).unwrap_or(Timestamp::MIN);
        let (day, month) = (SignedDuration::from_hours(24), SignedDuration::from_hours(30 * 24));
        (before(self.longest_access().saturating_add(day)), before(longest.saturating_add(month)))
    }

    /// The longest life of any token, or of its renewal, without leeway.
    #[must_use]
    pub fn longest_lifetime(&self) -> SignedDuration {
        let longest = self.all_lifetimes().map(|of| of.access.max(of.refresh).max(of.sliding).max(of.sliding_refresh));
        longest.max().unwrap_or_default()
    }
}

impl Authority {
    /// The client that a login or a refresh names: by its id, with its secret if it has one (RFC 6749 §3.2.1). `None` where it names
    /// none, and where no client is registered, as SimpleJWT's views look at no such fields.
    ///
    /// # Errors
    /// [`Failure::UnknownClient`] for an id that nobody has, a secret that is not the client's, and one that is missing.
    pub fn named_client(
        &self,
        id: Option<&str>,
        secret: Option<&str>,
        client: Client<'_>,
    ) -> Result<Option<&RegisteredClient>, Failure> {
        if self.settings().clients.is_empty() || (id.is_none() && secret.is_none()) {
            return Ok(None);
        }
        let known = id.and_then(|id| self.settings().registered(id));
        let is_public = known.is_some_and(|known| known.secrets.is_empty());
        let proves = match secret {
            Some(secret) => proves(known, secret),
            None => is_public,
        };
        known.filter(|_| proves).map(Some).ok_or_else(|| {
            self.tell_client_refused(id, reason(known), client);
            Failure::UnknownClient
        })
    }

    /// The client of a request to an endpoint for clients: by HTTP Basic, or by `client_id` and `client_secret` in the body, never by
    /// both (RFC 6749 §2.3). Same work for a client that nobody knows.
    ///
    /// # Errors
    /// [`Failure::InvalidClient`], [`Failure::InvalidRequest`], [`Failure::UnauthorizedClient`] for one without the right.
    pub fn authenticate_client(
        &self,
        headers: &HeaderMap,
        parameters: &Parameters,
        right: ClientRight,
        client: Client<'_>,
    ) -> Result<&RegisteredClient, Failure> {
        let header = joined(headers, &AUTHORIZATION);
        let (id, secret) = (parameters.get("client_id"), parameters.get("client_secret"));
        let (id, secret) = match (&header, id, secret) {
            (Some(_), _, Some(_)) => return Err(Failure::InvalidRequest("Use one way of client authentication.")),
            (None, Some(id), Some(secret)) => (Zeroizing::new(id.to_owned()), Zeroizing::new(secret.to_owned())),
            (Some(header), named, None) => {
                let shown = basic_credentials(header).ok_or_else(|| {
                    self.tell_client_refused(None, "bad_header", client);
                    Failure::InvalidClient
                })?;
                if named.is_some_and(|named| named != shown.0.as_str()) {
                    return Err(Failure::InvalidRequest("The client has two names."));
                }
                shown
            }
            (None, id, _) => {
                self.tell_client_refused(id, "no_credentials", client);
                return Err(Failure::InvalidClient);
            }
        };
        let known = self.settings().registered(&id);
        let is_proven = proves(known, &secret);
        let Some(known) = known.filter(|_| is_proven) else {
            self.tell_client_refused(Some(&id), reason(known), client);
            return Err(Failure::InvalidClient);
        };
        let may = match right {
            ClientRight::Introspect => known.may_introspect,
            ClientRight::Revoke => known.may_revoke,
        };
        if !may {
            self.tell_client_refused(Some(&id), "no_right", client);
            return Err(Failure::UnauthorizedClient);
        }
        Ok(known)
    }

    /// How long tokens live that are made of these claims.
    pub(crate) fn lifetimes(&self, claims: &Claims) -> Lifetimes {
        self.settings().lifetimes(self.client_of(claims))
    }

    /// The client that a token was issued to, if it is one that is registered now.
    pub(crate) fn client_of(&self, claims: &Claims) -> Option<&RegisteredClient> {
        self.settings().registered(self.client_claim(claims)?.as_str()?)
    }

    /// What a token says of the client that it was issued to; nothing where no client is registered.
    pub(crate) fn client_claim<'c>(&self, claims: &'c Claims) -> Option<&'c Value> {
        if self.settings().clients.is_empty() { None } else { claims.get(CLIENT_CLAIM) }
    }

    /// Whether whoever shows a token to have it renewed is the client that it was issued to: one with a secret has to have proven it,
    /// any other may be silent of its name (RFC 6749 §6). A token that was issued to no client is anybody's.
    ///
    /// # Errors
    /// [`Failure::UnknownClient`] where the client is not registered any more, or has not shown its secret;
    /// [`Failure::AnotherClientsToken`].
    pub(crate) fn check_client(&self, claims: &Claims, client: Client<'_>) -> Result<(), Failure> {
        let Some(claim) = self.client_claim(claims) else { return Ok(()) };
        let issued_to = self.known_client(claims)?;
        match client.registered {
            Some(shown) if issued_to.is_some_and(|known| known.id == shown) => Ok(()),
            Some(_) => Err(Failure::AnotherClientsToken),
            None if issued_to.is_some_and(|known| known.secrets.is_empty()) => Ok(()),
            None => {
                self.tell_client_refused(claim.as_str(), "no_credentials", client);
                Err(Failure::UnknownClient)
            }
        }
    }

    /// The client that a token was issued to, which has to be there still; `None` for a token that was issued to none.
    pub(crate) fn known_client(&self, claims: &Claims) -> Result<Option<&RegisteredClient>, Failure> {
        match self.client_claim(claims) {
            None => Ok(None),
            Some(_) => self.client_of(claims).map(Some).ok_or(Failure::UnknownClient),
        }
    }

    #[cold]
    fn tell_client_refused(&self, id: Option<&str>, reason: &'static str, client: Client<'_>) {
        // What is nobody's id may be a secret in the wrong place.
        let client_id = id.filter(|id| self.settings().registered(id).is_some()).map(str::to_owned);
        self.tell(&Event::ClientRefused { client: client_id, reason }, &About::client(client));
    }
}

/// Whether a secret is the client's: one hash and the same comparisons whoever it is.
fn proves(client: Option<&RegisteredClient>, secret: &str) -> bool {
    let known = client.map_or(&[][..], |client| &client.secrets);
    SecretDigest::of(secret).is_among(known, MOST_SECRETS)
}

fn reason(known: Option<&RegisteredClient>) -> &'static str {
    if known.is_some() { "wrong_secret" } else { "unknown_client" }
}

/// Id and secret of an `Authorization: Basic` header, each encoded as in a form (RFC 6749 §2.3.1).
fn basic_credentials(header: &[u8]) -> Option<(Zeroizing<String>, Zeroizing<String>)> {
    let Some(Words::One(word)) = after_keyword(header, "Basic") else { return None };
    if word.contains(&b',') {
        return None; // a header that is repeated
    }
    let (id, secret) = decode_basic(word)?;
    let secret = Zeroizing::new(secret);
    Some((form_decoded(&id), form_decoded(&secret)))
}

#[cfg(test)]
mod tests;
