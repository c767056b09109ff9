//! Permissions, through groups and directly.

use std::collections::HashSet;

use crate::{Store, StoreError, UserId};

/// All permissions of a user, own and by group: indexes on `user_id` of `auth_user_user_permissions` and `auth_user_groups`
/// and on `group_id` of `auth_group_permissions`, then primary keys.
pub(crate) const USER_PERMISSIONS: &str = "
    SELECT c.app_label || '.' || p.codename
    FROM auth_user_user_permissions up
    JOIN auth_permission p ON p.id = up.permission_id
    JOIN django_content_type c ON c.id = p.content_type_id
    WHERE up.user_id = $1
    UNION
    SELECT c.app_label || '.' || p.codename
    FROM auth_user_groups ug
    JOIN auth_group_permissions gp ON gp.group_id = ug.group_id
    JOIN auth_permission p ON p.id = gp.permission_id
    JOIN django_content_type c ON c.id = p.content_type_id
    WHERE ug.user_id = $1";

impl Store {
    /// The permissions given to a user, directly or through groups, as `app_label.codename` (Django 5.2
    /// `ModelBackend.get_all_permissions`).
    ///
    /// That superusers have all and inactive users none is not applied here.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_permissions(&self, id: &UserId) -> Result<HashSet<String>, StoreError> {
        let permissions = self.driver().query(USER_PERMISSIONS, &[id.into()], |row| row.text(0)).await?;
        Ok(permissions.into_iter().collect())
    }
}
