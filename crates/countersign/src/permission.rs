//! DRF's permission classes. All that a policy lists must agree, in order; the first refusal ends it.

use std::fmt;

use crate::authenticate::{Identity, Principal};
use crate::authority::Authority;
use crate::failure::Failure;

/// One permission class. DRF 3.18 `permissions.py`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permission {
    /// Everyone.
    AllowAny,
    /// Whoever has logged in.
    IsAuthenticated,
    /// `is_staff`; being a superuser is not enough.
    IsAdminUser,
    /// Everyone for GET, HEAD and OPTIONS; for the rest whoever has logged in.
    IsAuthenticatedOrReadOnly,
    /// Whoever has logged in and has Django's `add_`, `change_`, `delete_` permission on the model for POST, PUT and PATCH,
    /// DELETE.
    DjangoModelPermissions {
        /// The model.
        model: ModelName,
        /// `DjangoModelPermissionsOrAnonReadOnly`: anonymous clients may read.
        anonymous_may_read: bool,
    },
}

/// `app_label.model`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName {
    app: String,
    model: String,
}

impl ModelName {
    /// Reads `auth.group`; `None` unless it is two words around one dot.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (app, model) = text.split_once('.')?;
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
        (is_word(app) && is_word(model)).then(|| Self { app: app.to_owned(), model: model.to_lowercase() })
    }

    fn permission(&self, action: &str) -> String {
        format!("{}.{action}_{}", self.app, self.model)
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.app, self.model)
    }
}

impl Authority {
    /// Checks that `identity` may use `method`.
    ///
    /// # Errors
    /// [`Failure::NotAuthenticated`] for an anonymous client of a view with authentication classes, else
    /// [`Failure::PermissionDenied`]; [`Failure::MethodNotAllowed`] from the model permissions; [`Failure::Store`].
    pub async fn permit(&self, permissions: &[Permission], identity: &Identity, method: &str) -> Result<(), Failure> {
        for permission in permissions {
            if !self.allows(permission, identity, method).await? {
                return Err(if identity.could_authenticate() {
                    Failure::NotAuthenticated
                } else {
                    Failure::PermissionDenied
                });
            }
        }
        Ok(())
    }

    async fn allows(&self, permission: &Permission, identity: &Identity, method: &str) -> Result<bool, Failure> {
        let reads = matches!(method, "GET" | "HEAD" | "OPTIONS");
        Ok(match permission {
            Permission::AllowAny => true,
            Permission::IsAuthenticated => identity.is_authenticated(),
            Permission::IsAdminUser => identity.is_staff(),
            Permission::IsAuthenticatedOrReadOnly => reads || identity.is_authenticated(),
            Permission::DjangoModelPermissions { model, anonymous_may_read } => {
                if !identity.is_authenticated() && !anonymous_may_read {
                    return Ok(false);
                }
                let action = match method {
                    "GET" | "HEAD" | "OPTIONS" => return Ok(true),
                    "POST" => "add",
                    "PUT" | "PATCH" => "change",
                    "DELETE" => "delete",
                    _ => return Err(Failure::MethodNotAllowed(method.to_owned())),
                };
                self.has_permission(&identity.principal, &model.permission(action)).await?
            }
        })
    }

    /// Django 5.2 `PermissionsMixin.has_perm`: none for inactive users, all for active superusers. A stateless user has none.
    async fn has_permission(&self, principal: &Principal, permission: &str) -> Result<bool, Failure> {
        let Principal::User(user) = principal else { return Ok(false) };
        if !user.is_active {
            return Ok(false);
        }
        Ok(user.is_superuser || self.store().user_permissions(&user.id).await?.contains(permission))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_names_are_two_words() {
        let group = ModelName::parse("auth.Group").expect("two words");
        assert_eq!(group.permission("add"), "auth.add_group");
        assert_eq!(ModelName::parse("auth"), None);
        assert_eq!(ModelName::parse("auth."), None);
        assert_eq!(ModelName::parse("a.b.c"), None);
    }
}
