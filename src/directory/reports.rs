//! Everybody below a manager.

use std::collections::{HashSet, VecDeque};

use tokio::task::JoinSet;
use uuid::Uuid;

use super::reader::{Read, Reader};
use super::users::Users;
use super::{DirectoryError, Need, Person, item, odata};
use crate::user_id::UserId;

/// How many are asked for at once.
const AT_ONCE: usize = 8;

/// The users below another one, at any depth.
///
/// They are looked for level by level: Graph lists only those who report directly
/// (learn.microsoft.com/graph/api/user-list-directreports); of the whole tree it documents nothing but the number
/// (learn.microsoft.com/graph/api/user-get-transitivereports). That is a request for each user below. Whom a contact
/// manages is not found: contacts are passed over.
#[derive(Debug)]
pub(super) struct Reports {
    reader: Reader,
    what: String,
    managers: VecDeque<Uuid>,
    /// Who was met, the top one included: managers may manage each other.
    met: HashSet<Uuid>,
}

impl Reports {
    /// Begins below this user.
    ///
    /// # Errors
    /// When there is no such user, or users can't be read.
    pub(super) async fn of(reader: &Reader, user: &UserId) -> Result<Reports, DirectoryError> {
        let named = crate::harmless::excerpt(&user.to_string(), 256);
        let url = format!("{}?$select=id", user.path());
        let read = Read { what: format!("user {named}"), url, eventual: false, need: Need::Users, cost: 1 };
        let top = item::id(&reader.get(&read).await?, &read.what)?;
        Ok(Reports {
            reader: reader.clone(),
            what: format!("reports of {named}"),
            managers: VecDeque::from([top]),
            met: HashSet::from([top]),
        })
    }

    /// The next users. `None` when nobody is left to ask for.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Person>>, DirectoryError> {
        if self.managers.is_empty() {
            return Ok(None);
        }
        let mut asked = JoinSet::new();
        for manager in self.managers.drain(..AT_ONCE.min(self.managers.len())) {
            asked.spawn(direct(&self.reader, &self.what, manager).all());
        }
        let mut people = Vec::new();
        while let Some(answer) = asked.join_next().await {
            let found = answer.map_err(|ended| DirectoryError::Unavailable {
                what: self.what.clone(),
                reason: ended.to_string(),
            })??;
            people.extend(found.into_iter().filter(|person| self.met.insert(person.id)));
        }
        // Answers come in any order; the plan's order must not depend on it.
        people.sort_by_key(|person| person.id);
        self.managers.extend(people.iter().map(|person| person.id));
        Ok(Some(people))
    }
}

fn direct(reader: &Reader, what: &str, manager: Uuid) -> Users {
    // No $top: the page does not name it among the parameters.
    let url = format!("users/{manager}/directReports?$select={}", odata::OF_USERS);
    let read = Read { what: what.to_owned(), url, eventual: false, need: Need::Users, cost: 1 };
    Users::among_others(reader, read)
}
