//! From names in files to users: mail addresses, aliases, on-premises names, employee IDs (`--resolve`).
//!
//! Every property that could hold the name is queried separately, and a match in any of them counts. If two different
//! users match, neither is chosen. If one query fails, the whole look-up fails, because its result might have made the
//! name ambiguous.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use uuid::Uuid;

use super::alias_probe::{AliasProbe, alias_probes};
use super::pages::{GraphPages, next_link};
use super::read_error::ReadError;
use super::reader::ReadRequest;
use super::{Directory, DirectoryError, DirectoryUser, Permission, ResolvedId};
use crate::user_id::UserId;

/// Users by their object IDs.
type UserCandidates = BTreeMap<Uuid, AliasCandidate>;

/// A user that a name may mean.
struct AliasCandidate {
    user: DirectoryUser,
    /// Why the match is not certain, even if it is the only one.
    doubt: Option<String>,
}

impl Directory {
    /// The user of each name, in the order of `names`. A name that is the user principal name of one user and the mail
    /// address of another is ambiguous.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub async fn find_users(&self, names: &[String]) -> Result<Vec<ResolvedId>, DirectoryError> {
        let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
        let mut unique: Vec<&str> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for name in &names {
            places.entry(name.to_lowercase()).or_insert_with(|| {
                unique.push(name);
                unique.len() - 1
            });
        }
        let found = self.find_unique(&unique).await?;
        Ok(names.iter().map(|name| found[places[&name.to_lowercase()]].clone()).collect())
    }

    async fn find_unique(&self, names: &[&str]) -> Result<Vec<ResolvedId>, DirectoryError> {
        let mut resolved = self.find_by_key(names).await?;
        let mut persons: Vec<UserCandidates> = resolved.iter().map(candidates_from_key).collect();
        let probes: Vec<(usize, AliasProbe)> = names
            .iter()
            .enumerate()
            .flat_map(|(place, name)| alias_probes(name).into_iter().map(move |probe| (place, probe)))
            .collect();
        let reads: Vec<ReadRequest> =
            probes.iter().map(|(_, probe)| probe.read(self.users.select())).collect();
        let answers = self
            .reader
            .batch(reads.clone())
            .await
            .map_err(|fault| fault.with_context("users", Permission::Users))?;
        for (((place, probe), read), answer) in probes.iter().zip(reads).zip(answers) {
            let page = answer.map_err(|fault| fault.into_directory_error(&read))?;
            for user in self.all_pages(&read, page).await? {
                let candidate =
                    parse_candidate(probe, &user).map_err(|fault| fault.into_directory_error(&read))?;
                persons[*place].entry(candidate.user.id).or_insert(candidate);
            }
        }
        for (resolved, persons) in resolved.iter_mut().zip(persons) {
            if !persons.is_empty() {
                *resolved = pick_candidate(persons);
            }
        }
        Ok(resolved)
    }

    /// Looks up the names that are object IDs or user principal names.
    async fn find_by_key(&self, names: &[&str]) -> Result<Vec<ResolvedId>, DirectoryError> {
        let (places, ids): (Vec<usize>, Vec<UserId>) = names
            .iter()
            .enumerate()
            .filter_map(|(place, name)| Some((place, name.parse::<UserId>().ok()?)))
            .unzip();
        let mut found = vec![ResolvedId::Missing; names.len()];
        for (place, resolved) in places.into_iter().zip(self.resolve(&ids).await?) {
            found[place] = resolved;
        }
        Ok(found)
    }

    /// All users of an answer: more may follow after an empty page.
    async fn all_pages(&self, read: &ReadRequest, page: Value) -> Result<Vec<Value>, DirectoryError> {
        if next_link(&page).map_err(|fault| fault.into_directory_error(read))?.is_none() {
            return match page.get("value") {
                Some(Value::Array(users)) => Ok(users.clone()),
                _ => Err(ReadError::Untrusted("a page without a list".to_owned()).into_directory_error(read)),
            };
        }
        let (mut pages, mut users) = (GraphPages::new(self.reader.clone(), read.clone()), Vec::new());
        while let Some(more) = pages.next().await? {
            users.extend(more);
        }
        Ok(users)
    }
}

/// The user that a query found.
///
/// # Errors
/// When the user does not have the value that was queried.
fn parse_candidate(probe: &AliasProbe, user: &Value) -> Result<AliasCandidate, ReadError> {
    let person =
        DirectoryUser::read(user).map_err(|why| ReadError::Untrusted(format!("the answer has {why}")))?;
    if !probe.matches(user) {
        let reason = format!("the answer has user {}, but with another {}", person.id, probe.property());
        return Err(ReadError::Untrusted(reason));
    }
    Ok(AliasCandidate { doubt: probe.domain_doubt(user), user: person })
}

fn candidates_from_key(resolved: &ResolvedId) -> UserCandidates {
    match resolved {
        ResolvedId::User(person) => {
            let candidate = AliasCandidate { user: person.clone(), doubt: None };
            UserCandidates::from([(person.id, candidate)])
        }
        _ => UserCandidates::new(),
    }
}

/// The only certain candidate; otherwise all of them, as ambiguous.
fn pick_candidate(persons: UserCandidates) -> ResolvedId {
    let mut persons: Vec<AliasCandidate> = persons.into_values().collect();
    if persons.len() == 1 && persons[0].doubt.is_none() {
        return ResolvedId::User(persons.remove(0).user);
    }
    let name = |candidate: &AliasCandidate| {
        let person = &candidate.user;
        let name = person.upn.as_deref().or(person.name.as_deref()).unwrap_or("a user without a name");
        let doubt = candidate.doubt.as_ref().map(|doubt| format!(", {doubt}")).unwrap_or_default();
        format!("{name} ({}{doubt})", person.id)
    };
    ResolvedId::Ambiguous(persons.iter().map(name).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn persons(name: &str, users: &[Value]) -> UserCandidates {
        let probe = &alias_probes(name)[0];
        let candidates = users.iter().map(|user| parse_candidate(probe, user).unwrap());
        candidates.map(|candidate| (candidate.user.id, candidate)).collect()
    }

    #[test]
    fn only_a_single_certain_match_is_accepted() {
        let user = |id: u128, domain: Value| {
            json!({
                "id": Uuid::from_u128(id), "userPrincipalName": format!("u{id}@contoso.com"),
                "onPremisesSamAccountName": "jo", "onPremisesDomainName": domain,
            })
        };
        let corp = user(1, json!("corp.contoso.local"));
        assert!(matches!(pick_candidate(persons("jo", std::slice::from_ref(&corp))), ResolvedId::User(_)));
        assert!(matches!(
            pick_candidate(persons(r"CORP\jo", std::slice::from_ref(&corp))),
            ResolvedId::User(_)
        ));
        let ResolvedId::Ambiguous(names) = pick_candidate(persons(r"OTHER\jo", std::slice::from_ref(&corp)))
        else {
            panic!()
        };
        assert!(names[0].contains("corp.contoso.local"), "{names:?}");
        let two = pick_candidate(persons("jo", &[corp, user(2, Value::Null)]));
        assert!(matches!(two, ResolvedId::Ambiguous(names) if names.len() == 2));
    }

    #[test]
    fn a_filter_that_was_not_applied_finds_nobody() {
        let stranger = json!({"id": Uuid::from_u128(1), "mail": "stranger@contoso.com"});
        for probe in alias_probes("jo@contoso.com").iter().chain(&alias_probes("jo")) {
            assert!(matches!(parse_candidate(probe, &stranger), Err(ReadError::Untrusted(_))), "{probe:?}");
        }
    }
}
