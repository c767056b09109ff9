//! Tokens of our own kind: several per user, each with an end, at rest as digests (`docs/sessions.md`).

use countersign_formats::django_time::truncate_to_microseconds;
use countersign_formats::native_token::NativeToken;
use countersign_store::{NativeOwner, NewNativeToken, Seen, User};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::authenticate::{Credential, Identity, Scheme, Words, after_keyword, joined, words};
use crate::client::Credentials;
use crate::devices::id_of_native;
use crate::revocation::has_begun_by;
use crate::settings::NativeTokenSettings;
use crate::{Authority, Failure};

/// What a client gets for a login that gives a token of our own kind.
#[derive(Debug)]
pub struct NativeLogin {
    /// The token, which stands nowhere else.
    pub token: NativeToken,
    /// The session's id, by which it can be ended.
    pub id: String,
    /// When it ends, whatever is done with it.
    pub expires: Option<Timestamp>,
}

impl Authority {
    /// The owner of the token in the header, and its digest. RFC 6750 §2.1, with a keyword of the deployment's choice.
    ///
    /// A word without the prefix is left to another of the `schemes` that reads the same keyword, if there is one. One with the
    /// prefix whose checksum is wrong is refused without a query.
    pub(crate) async fn by_native(
        &self,
        headers: &HeaderMap,
        schemes: &[Scheme],
    ) -> Result<Option<(User, String)>, Failure> {
        let Some(settings) = &self.settings().native_tokens else { return Ok(None) };
        let Some(header) = joined(headers, &AUTHORIZATION) else { return Ok(None) };
        let shown = match after_keyword(&header, &settings.keyword) {
            None => return Ok(None),
            Some(Words::One(word)) if settings.prefix.begins(word) => word,
            Some(_) if self.is_read_by_another(schemes, &header) => return Ok(None),
            Some(Words::None) => return Err(Failure::BadHeader("Invalid token header. No credentials provided.")),
            Some(Words::Many) => {
                return Err(Failure::BadHeader("Invalid token header. Token string should not contain spaces."));
            }
            Some(Words::One(_)) => return Err(Failure::UnknownToken),
        };
        let (found, digest) = self.native_token(settings, shown).await?;
        settings.check(&found, self.now())?;
        if let Some(last_seen) = self.last_seen() {
            last_seen.note(("native", &*digest), || Some((Seen::Token(digest.clone()), self.now())));
        }
        Ok(Some((found.user, digest)))
    }

    /// The row of a token, be it good or not, and its digest.
    pub(crate) async fn native_token(
        &self,
        settings: &NativeTokenSettings,
        shown: &[u8],
    ) -> Result<(NativeOwner, String), Failure> {
        let token = NativeToken::parse(&settings.prefix, shown).map_err(|_| Failure::UnknownToken)?;
        let digest = token.digest();
        let found = self.store().native_owner(&digest).await?.ok_or(Failure::UnknownToken)?;
        Ok((found, digest))
    }

    /// Whether another scheme goes by this header's keyword.
    fn is_read_by_another(&self, schemes: &[Scheme], header: &[u8]) -> bool {
        let Some(keyword) = words(header).next() else { return false };
        let is = |word: &str| word.as_bytes().eq_ignore_ascii_case(keyword);
        schemes.iter().any(|scheme| match scheme {
            Scheme::Token { keyword, .. } => is(keyword),
            Scheme::Knox => is(&self.settings().knox.auth_header_prefix),
            Scheme::Jwt | Scheme::JwtStateless => {
                let jwt = &self.settings().simple_jwt;
                jwt.auth_header_name == AUTHORIZATION
                    && jwt.auth_header_types.iter().any(|word| word.as_bytes() == keyword)
            }
            Scheme::Basic | Scheme::Session | Scheme::Native => false,
        })
    }

    /// Logs in and gives a token of our own kind, under the name that the client gave its device.
    ///
    /// # Errors
    /// [`Failure::NoActiveAccount`] when the credentials or the user are refused, [`Failure::TooManyTokens`], and those of
    /// [`login`](Self::login); [`Failure::NotFound`] where there are no such tokens.
    pub async fn native_login(&self, mut credentials: Credentials<'_>) -> Result<NativeLogin, Failure> {
        let settings = self.settings().native_tokens.as_ref().ok_or(Failure::NotFound)?;
        let place = std::mem::take(&mut credentials.place);
        let user = self.login(credentials).await?.filter(|user| user.is_active).ok_or(Failure::NoActiveAccount)?;
        let random = Zeroizing::new(self.random()?);
        let token = NativeToken::from_entropy(&settings.prefix, &random);
        let now = truncate_to_microseconds(self.now());
        // Beyond the calendar is for ever.
        let expires = settings.lifetime.and_then(|lifetime| now.checked_add(lifetime).ok());
        let digest = token.digest();
        let id = id_of_native(&digest);
        let row = NewNativeToken { digest: digest.clone(), user: user.id.clone(), place, created: now, expires };
        let idle_since = settings.idle_lifetime.and_then(|idle| now.checked_sub(idle).ok());
        if !self.store().native_login(row, settings.limit_per_user, idle_since).await? {
            return Err(Failure::TooManyTokens);
        }
        if !self.is_as_verified(&user).await? {
            self.store().native_delete(&digest).await?;
            return Err(Failure::NoActiveAccount);
        }
        Ok(NativeLogin { token, id, expires })
    }

    /// Voids the token of our own kind that a request came with.
    ///
    /// # Errors
    /// [`Failure::NotAuthenticated`] for a request that came with none, [`Failure::Store`].
    pub async fn native_logout(&self, identity: &Identity) -> Result<(), Failure> {
        let Some(Credential::Native(digest)) = &identity.credential else { return Err(Failure::NotAuthenticated) };
        self.store().native_delete(digest).await?;
        Ok(())
    }
}

impl NativeTokenSettings {
    /// Whether a token lets its owner in: it is not too old, was used lately enough, and its user has not been changed since. It is
    /// good in its last instant.
    pub(crate) fn check(&self, token: &NativeOwner, now: Timestamp) -> Result<(), Failure> {
        match self.end(token.created, token.expires, token.last_seen) {
            Some(end) if end < now => Err(Failure::UnknownToken),
            _ if !token.user.is_active => Err(Failure::InactiveUser),
            _ if has_begun_by(Some(token.created), token.not_before) => Err(Failure::UnknownToken),
            _ => Ok(()),
        }
    }

    /// When a token ends that is not used any more.
    pub(crate) fn end(
        &self,
        created: Timestamp,
        expires: Option<Timestamp>,
        last_seen: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let idle = self.idle_lifetime.and_then(|idle| last_seen.unwrap_or(created).checked_add(idle).ok());
        [expires, idle].into_iter().flatten().min()
    }
}
