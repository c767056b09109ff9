//! Groups, and permissions through them and directly.

use std::collections::HashSet;

use crate::{Store, StoreError, UserId};

impl Store {
    /// The permissions given to a user, directly or through groups, as `app_label.codename` (Django 5.2
    /// `ModelBackend.get_all_permissions`).
    ///
    /// A model without `PermissionsMixin` gives none. That superusers have all and inactive users none is not applied here.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_permissions(&self, id: &UserId) -> Result<HashSet<String>, StoreError> {
        let users = self.users();
        let (Some(statement), true) = (&users.permissions, users.id_type.holds(id)) else { return Ok(HashSet::new()) };
        let permissions = self.driver().query(statement, &[id.into()], |row| row.text(0)).await?;
        Ok(permissions.into_iter().collect())
    }

    /// The names of a user's groups, in no order. A model without `PermissionsMixin` has none.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_groups(&self, id: &UserId) -> Result<Vec<String>, StoreError> {
        let users = self.users();
        let (Some(statement), true) = (&users.groups, users.id_type.holds(id)) else { return Ok(Vec::new()) };
        self.driver().query(statement, &[id.into()], |row| row.text(0)).await
    }
}
