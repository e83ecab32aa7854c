//! The owners of the app that signs in.

use super::reader::ReadRequest;
use super::user_pager::UserPager;
use super::{Directory, DirectoryError, DirectoryUser, Permission, odata};

impl Directory {
    /// The owners of the app and of its service principal, users only. An app of another tenant has no registration
    /// here and so no owners of one, but every app that signs in has a service principal
    /// (learn.microsoft.com/graph/api/application-list-owners,
    /// learn.microsoft.com/graph/api/serviceprincipal-list-owners).
    ///
    /// # Errors
    /// When apps can't be read, or Graph knows neither of the two.
    pub async fn app_owners(&self, app_id: &str) -> Result<Vec<DirectoryUser>, DirectoryError> {
        let mut owners: Vec<DirectoryUser> = Vec::new();
        let mut known = false;
        for collection in ["applications", "servicePrincipals"] {
            let app = odata::encode(&app_id.replace('\'', "''"));
            let url = format!("{collection}(appId='{app}')/owners?$select={}", self.users.select());
            let what = format!("the owners of app {}", crate::text::sanitize::sanitize_truncated(app_id, 64));
            let read = ReadRequest { what, url, eventual: false, permission: Permission::Apps, cost: 1 };
            match UserPager::mixed_objects(&self.reader, read).collect_all().await {
                Ok(found) => {
                    known = true;
                    let new = |user: &DirectoryUser| !owners.iter().any(|owner| owner.id == user.id);
                    let new: Vec<DirectoryUser> = found.into_iter().filter(new).collect();
                    owners.extend(new);
                }
                Err(DirectoryError::NotFound { .. }) if collection == "applications" || known => {}
                Err(error) => return Err(error),
            }
        }
        Ok(owners)
    }
}
