//! Many IDs in one query: `id in (…)`, for the price of one.
//!
//! The users that a filter finds are known. The others are then read one by one. So a user is not missing if a filter
//! finds too few, the index lags, or a cloud does not support `in`.

use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;

use super::odata::{encode, quote};
use super::reader::ReadRequest;
use super::{Directory, DirectoryError, DirectoryUser, Permission, UserReadScope};
use crate::user_id::UserId;

/// Maximum number of values of an `in` (for more, Graph answers "Max allowed: 15",
/// learn.microsoft.com/graph/filter-query-parameter).
const MAX_VALUES: usize = 15;

/// Maximum length of a filter, in bytes after encoding.
const MAX_LENGTH: usize = 1_800;

impl Directory {
    /// The users that filters find, by the index of their ID.
    pub(super) async fn find_by_filter(
        &self,
        ids: &[&UserId],
    ) -> Result<HashMap<usize, DirectoryUser>, DirectoryError> {
        let groups = build_groups(ids);
        let reads = groups.iter().map(|group| group.read(ids, self.users)).collect();
        let mut persons = HashMap::new();
        let answers =
            self.reader.batch(reads).await.map_err(|fault| fault.with_context("users", Permission::Users))?;
        for (group, answer) in groups.iter().zip(answers) {
            match answer {
                Ok(page) => group.collect_users(ids, &page, &mut persons),
                Err(
                    fault @ (super::read_error::ReadError::Forbidden(_)
                    | super::read_error::ReadError::SignIn(_)),
                ) => {
                    return Err(fault.with_context("users", Permission::Users));
                }
                Err(fault) => {
                    let reason = fault.with_context("a filter over users", Permission::Users);
                    tracing::info!(%reason, "reading users one by one");
                }
            }
        }
        Ok(persons)
    }
}

/// IDs of one kind that go into one filter.
#[derive(Debug, Default)]
struct FilterGroup {
    property: &'static str,
    indices: Vec<usize>,
    length: usize,
}

fn build_groups(ids: &[&UserId]) -> Vec<FilterGroup> {
    let (mut full, mut objects, mut names) =
        (Vec::new(), FilterGroup::new("id"), FilterGroup::new("userPrincipalName"));
    for (place, id) in ids.iter().enumerate() {
        let (group, value) = match id {
            UserId::Object(id) => (&mut objects, encoded_value(&id.hyphenated().to_string())),
            UserId::Principal(name) => (&mut names, encoded_value(name)),
            UserId::Me => continue,
        };
        let is_full = group.indices.len() == MAX_VALUES || group.length + value.len() > MAX_LENGTH;
        if is_full && !group.indices.is_empty() {
            let property = group.property;
            full.push(std::mem::replace(group, FilterGroup::new(property)));
        }
        group.indices.push(place);
        group.length += value.len();
    }
    full.extend([objects, names].into_iter().filter(|group| !group.indices.is_empty()));
    full
}

/// A value as it is sent, with the comma after it.
fn encoded_value(text: &str) -> String {
    encode(&format!("{},", quote(text)))
}

impl FilterGroup {
    fn new(property: &'static str) -> FilterGroup {
        FilterGroup { property, ..FilterGroup::default() }
    }

    fn read(&self, ids: &[&UserId], users: UserReadScope) -> ReadRequest {
        let values: Vec<String> = self.indices.iter().map(|place| quote(&ids[*place].to_string())).collect();
        let filter = encode(&format!("{} in ({})", self.property, values.join(",")));
        ReadRequest {
            what: format!("a set of {} users", self.indices.len()),
            url: format!("users?$select={}&$filter={filter}", users.select()),
            eventual: false,
            permission: Permission::Users,
            cost: 1,
        }
    }

    /// Stores the requested users. An ID or a name that matches two different users is left out.
    fn collect_users(&self, ids: &[&UserId], page: &Value, persons: &mut HashMap<usize, DirectoryUser>) {
        let users = page.get("value").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut by_id: HashMap<Uuid, Vec<DirectoryUser>> = HashMap::new();
        let mut by_name: HashMap<UserId, Vec<DirectoryUser>> = HashMap::new();
        for person in users.iter().filter_map(|user| DirectoryUser::read(user).ok()) {
            if let Some(name) = &person.upn {
                by_name.entry(UserId::Principal(name.clone())).or_default().push(person.clone());
            }
            by_id.entry(person.id).or_default().push(person);
        }
        for &place in &self.indices {
            let named = match ids[place] {
                UserId::Object(id) => by_id.get(id),
                name => by_name.get(name),
            };
            if let Some([first, rest @ ..]) = named.map(Vec::as_slice)
                && rest.iter().all(|other| other == first)
            {
                persons.insert(place, first.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn ids(names: &[String]) -> Vec<UserId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn unrequested_users_are_ignored() {
        let [a, b] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let asked = ids(&[a.to_string(), "Jo@contoso.com".to_owned(), "two@contoso.com".to_owned()]);
        let asked: Vec<&UserId> = asked.iter().collect();
        let groups = build_groups(&asked);
        let page = json!({"value": [
            {"id": a, "userPrincipalName": "a@contoso.com"},
            {"id": b, "userPrincipalName": "jo@CONTOSO.com"},
            {"id": Uuid::from_u128(3), "userPrincipalName": "stranger@contoso.com"},
            {"id": Uuid::from_u128(4), "userPrincipalName": "two@contoso.com"},
            {"id": Uuid::from_u128(5), "userPrincipalName": "two@contoso.com"},
            {"id": 5}, null,
        ]});
        let mut persons = HashMap::new();
        groups.iter().for_each(|group| group.collect_users(&asked, &page, &mut persons));
        let mut found: Vec<(usize, Uuid)> = persons.iter().map(|(place, one)| (*place, one.id)).collect();
        found.sort();
        assert_eq!(found, [(0, a), (1, b)]);
    }

    proptest! {
        #[test]
        fn every_id_is_in_exactly_one_short_filter(
            names in proptest::collection::vec("[a-zA-Z0-9'.#^~!-]{1,90}x@[a-z]{1,40}\\.com", 0..60),
            guids in proptest::collection::vec(1u128.., 0..60),
        ) {
            let guids = guids.into_iter().map(|id| Uuid::from_u128(id).to_string());
            let asked: Vec<UserId> =
                names.into_iter().chain(guids).filter_map(|name| name.parse().ok()).collect();
            let asked: Vec<&UserId> = asked.iter().collect();
            let groups = build_groups(&asked);
            let mut places: Vec<usize> = groups.iter().flat_map(|group| group.indices.clone()).collect();
            places.sort();
            prop_assert_eq!(places, (0..asked.len()).collect::<Vec<_>>());
            for group in &groups {
                let read = group.read(&asked, UserReadScope::Full);
                prop_assert!(group.indices.len() <= MAX_VALUES && read.url.len() < 2_048, "{}", read.url);
                prop_assert!(!read.url.contains(['#', ' ', '\'']));
            }
        }
    }
}
