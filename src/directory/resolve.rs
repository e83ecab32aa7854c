//! From IDs to users.
//!
//! ```text
//!  IDs ─▶ filters, up to fifteen IDs each ─▶ not found: one read each ─▶ still not found: deleted?
//! ```
//!
//! An answer about a user other than the requested one is never used.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::read_error::ReadError;
use super::reader::ReadRequest;
use super::{Directory, DirectoryError, DirectoryUser, Permission, ResolvedId};
use crate::user_id::UserId;

/// The time limit of the quick check.
const REACHABLE_TIMEOUT: Duration = Duration::from_secs(5);

impl Directory {
    /// The user of each ID, in the order of `ids`. [`UserId::Me`] stands for the signed-in user.
    ///
    /// # Errors
    /// When the directory can't be read, because of a permission or otherwise. Then no user is returned.
    pub async fn resolve(&self, ids: &[UserId]) -> Result<Vec<ResolvedId>, DirectoryError> {
        let mut unique: Vec<&UserId> = Vec::new();
        let mut places: HashMap<&UserId, usize> = HashMap::new();
        for id in ids {
            places.entry(id).or_insert_with(|| {
                unique.push(id);
                unique.len() - 1
            });
        }
        let found = self.resolve_unique(&unique).await?;
        Ok(ids.iter().map(|id| found[places[id]].clone()).collect())
    }

    /// Checks whether users can be read at all. It requests these users, which should all exist, one by one until one
    /// of them is found.
    ///
    /// # Errors
    /// When users can't be read, none of these is found, or there is no answer within a few seconds.
    pub async fn check_reachable(&self, ids: &[UserId]) -> Result<(), DirectoryError> {
        let single_attempt = Directory { reader: self.reader.single_attempt(), ..self.clone() };
        let unavailable = |reason: &str| DirectoryError::Unavailable {
            what: "users".to_owned(),
            reason: reason.to_owned(),
        };
        let ask = async {
            for id in ids {
                let found = single_attempt.resolve(std::slice::from_ref(id)).await?;
                if matches!(found[..], [ResolvedId::User(_)]) {
                    return Ok(());
                }
            }
            Err(unavailable("the directory knows none of the first users"))
        };
        match tokio::time::timeout(REACHABLE_TIMEOUT, ask).await {
            Ok(answer) => answer,
            Err(_) => Err(unavailable("there was no answer")),
        }
    }

    async fn resolve_unique(&self, ids: &[&UserId]) -> Result<Vec<ResolvedId>, DirectoryError> {
        let mut found: Vec<Option<ResolvedId>> = vec![None; ids.len()];
        // A filter saves nothing for a single ID.
        if ids.len() > 1 {
            for (place, person) in self.find_by_filter(ids).await? {
                found[place] = Some(ResolvedId::User(person));
            }
        }
        let unresolved: Vec<usize> = (0..ids.len()).filter(|place| found[*place].is_none()).collect();
        let asked: Vec<&UserId> = unresolved.iter().map(|place| ids[*place]).collect();
        for (place, resolved) in unresolved.iter().zip(self.resolve_one_by_one(&asked).await?) {
            found[*place] = Some(resolved);
        }
        Ok(found.into_iter().map(|one| one.unwrap_or(ResolvedId::Missing)).collect())
    }

    /// Requests each user separately.
    async fn resolve_one_by_one(&self, ids: &[&UserId]) -> Result<Vec<ResolvedId>, DirectoryError> {
        let reads: Vec<ReadRequest> = ids.iter().map(|id| self.user_request(id)).collect();
        let answers = self
            .reader
            .batch(reads.clone())
            .await
            .map_err(|fault| fault.with_context("users", Permission::Users))?;
        let mut resolved = Vec::with_capacity(ids.len());
        for ((id, read), answer) in ids.iter().zip(&reads).zip(answers) {
            resolved.push(match answer {
                Ok(user) => {
                    ResolvedId::User(parse_user(id, &user).map_err(|fault| fault.into_directory_error(read))?)
                }
                Err(ReadError::NotFound) => ResolvedId::Missing,
                // If the name has characters that no user principal name can have, a 400 means that there is no such
                // user. For any other name it does not, because some clouds and proxies answer 400 to all requests that
                // they do not support.
                Err(ReadError::Refused { detail, .. }) if has_impossible_characters(id) => {
                    tracing::warn!(detail, "{}: Graph does not accept it as a user's name", read.what);
                    ResolvedId::Missing
                }
                Err(fault) => return Err(fault.into_directory_error(read)),
            });
        }
        self.find_deleted(ids, &mut resolved).await?;
        Ok(resolved)
    }

    fn user_request(&self, id: &UserId) -> ReadRequest {
        ReadRequest {
            what: format!("user {id}"),
            url: format!("{}?$select={}", id.request_path(), self.users.select()),
            eventual: false,
            permission: Permission::Users,
            cost: 1,
        }
    }

    /// Marks missing users that were deleted. An object ID that is not found may be a user deleted within the last 30
    /// days (learn.microsoft.com/graph/api/directory-deleteditems-get). If deleted users may not be read, it stays
    /// missing.
    async fn find_deleted(&self, ids: &[&UserId], resolved: &mut [ResolvedId]) -> Result<(), DirectoryError> {
        let missing: Vec<(usize, Uuid)> = ids
            .iter()
            .enumerate()
            .filter(|(place, _)| resolved[*place] == ResolvedId::Missing)
            .filter_map(|(place, id)| if let UserId::Object(id) = id { Some((place, *id)) } else { None })
            .collect();
        let reads: Vec<ReadRequest> = missing.iter().map(|(_, id)| deleted_user_request(*id)).collect();
        let answers = self
            .reader
            .batch(reads.clone())
            .await
            .map_err(|fault| fault.with_context("deleted users", Permission::Users))?;
        for (((place, id), read), answer) in missing.iter().zip(&reads).zip(answers) {
            match answer {
                Ok(item) => {
                    if is_deleted_user(*id, &item).map_err(|fault| fault.into_directory_error(read))? {
                        resolved[*place] = ResolvedId::Deleted(Some(*id));
                    }
                }
                Err(ReadError::NotFound | ReadError::Forbidden(_) | ReadError::Refused { .. }) => {}
                Err(fault) => return Err(fault.into_directory_error(read)),
            }
        }
        Ok(())
    }
}

/// Whether a name has characters that no user principal name can have (learn.microsoft.com/graph/api/resources/user,
/// `userPrincipalName`).
fn has_impossible_characters(id: &UserId) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "'.-_!#^~@".contains(c);
    matches!(id, UserId::Principal(name) if !name.chars().all(fits))
}

fn deleted_user_request(id: Uuid) -> ReadRequest {
    ReadRequest {
        what: format!("deleted user {id}"),
        url: format!("directory/deletedItems/{}", id.hyphenated()),
        eventual: false,
        permission: Permission::Users,
        cost: 1,
    }
}

/// The user in an answer, if it is the requested one.
fn parse_user(id: &UserId, user: &Value) -> Result<DirectoryUser, ReadError> {
    let person =
        DirectoryUser::read(user).map_err(|why| ReadError::Untrusted(format!("the answer has {why}")))?;
    let is_requested_user = match id {
        UserId::Object(id) => person.id == *id,
        UserId::Principal(_) => {
            person.upn.as_ref().is_some_and(|name| UserId::Principal(name.clone()) == *id)
        }
        UserId::Me => true,
    };
    if is_requested_user {
        return Ok(person);
    }
    let other = crate::text::sanitize::sanitize_truncated(person.upn.as_deref().unwrap_or_default(), 200);
    Err(ReadError::Untrusted(format!("the answer is about another user ({other}, {})", person.id)))
}

/// Whether a deleted item is a user: it may also be a group or an app.
fn is_deleted_user(id: Uuid, item: &Value) -> Result<bool, ReadError> {
    let text = |field: &str| item.get(field).and_then(Value::as_str);
    if text("id").and_then(|id| Uuid::try_parse(id).ok()) != Some(id) {
        return Err(ReadError::Untrusted("the answer is about another object".to_owned()));
    }
    Ok(text("@odata.type").is_none_or(|kind| kind.to_ascii_lowercase().ends_with("user")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answer_must_name_the_requested_user() {
        let [a, b] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let user = json!({"id": a, "userPrincipalName": "Jo@contoso.com"});
        for right in [UserId::Object(a), "jo@CONTOSO.com".parse().unwrap(), UserId::Me] {
            assert_eq!(parse_user(&right, &user).unwrap().id, a);
        }
        for wrong in [UserId::Object(b), "joe@contoso.com".parse().unwrap()] {
            assert!(matches!(parse_user(&wrong, &user), Err(ReadError::Untrusted(_))));
        }
        assert!(matches!(
            parse_user(&UserId::Object(a), &json!({"value": []})),
            Err(ReadError::Untrusted(_))
        ));
    }

    #[test]
    fn a_deleted_group_is_no_deleted_user() {
        let id = Uuid::from_u128(1);
        let item = |kind: &str| json!({"id": id, "@odata.type": kind});
        assert!(is_deleted_user(id, &item("#microsoft.graph.user")).unwrap());
        assert!(!is_deleted_user(id, &item("#microsoft.graph.group")).unwrap());
        assert!(is_deleted_user(Uuid::from_u128(2), &item("#microsoft.graph.user")).is_err());
    }
}
