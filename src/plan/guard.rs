//! Who must not be sent: the protect list and the exclusions, fail-closed.
//!
//! An object id and a UPN can name the same person, and without reading the directory nobody can tell. So where a
//! protected person is known only by one and a row only by the other, the plan is refused.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::intake::{self, IntakeError, Options, Source, Verdict};
use crate::outcome::Outcome;
use crate::plan::{LeftOut, Listed};
use crate::user_id::UserId;

/// A list of people to leave out can't be used; nothing may be sent.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The file can't be read.
    #[error("the {list} can't be read: {source}")]
    Unreadable {
        /// Which list.
        list: &'static str,
        /// Why.
        source: Box<IntakeError>,
    },
    /// A line of the file names nobody.
    #[error("{path}, line {line}: {reason}. Nothing is sent while the {list} can't be read in full", path = path.display())]
    Line {
        /// Which list.
        list: &'static str,
        /// Its file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// Why.
        reason: String,
    },
    /// The file names people by their mail addresses, which are no ids.
    #[error(
        "{path}: the {list} needs object ids or user principal names, and this file has mail addresses, which may be \
         other ones. Nothing is sent while nobody can tell whom it means", path = path.display()
    )]
    Mail {
        /// Which list.
        list: &'static str,
        /// Its file.
        path: PathBuf,
    },
    /// `me` on a list.
    #[error("the {list} can't hold `me`: name the account by its object id and its user principal name")]
    Me {
        /// Which list.
        list: &'static str,
    },
    /// `me` is to be sent, and nobody can tell whether that is somebody listed.
    #[error(
        "`me` can't be compared with the {list}: name the account by its object id or user principal name"
    )]
    IncomparableMe {
        /// Which list.
        list: &'static str,
    },
    /// Rows contradict each other about somebody listed.
    #[error(
        "'{user}' is to be sent, but another row says that it is somebody on the {list}: the rows contradict each \
         other. Nothing is sent until that is mended"
    )]
    Contradiction {
        /// Which list.
        list: &'static str,
        /// The row's id.
        user: String,
    },
    /// A row and a listed person can't be compared.
    #[error(
        "'{user}' can't be compared with the {list}: one is known by object id only, the other by user principal \
         name only. List both for each person (a CSV with the columns id and userPrincipalName)"
    )]
    Incomparable {
        /// Which list.
        list: &'static str,
        /// The row's id.
        user: String,
    },
}

/// Both lists.
#[derive(Debug)]
pub struct Guard {
    protect: List,
    exclude: List,
}

/// People, by all the ids that are known of them.
#[derive(Debug)]
struct List {
    name: &'static str,
    outcome: Outcome,
    reason: &'static str,
    ids: HashSet<UserId>,
    /// Somebody is known by object id only.
    object_only: bool,
    /// Somebody is known by user principal name only.
    name_only: bool,
    /// What rows called somebody listed, beside the ids on the list.
    learned: HashSet<UserId>,
}

impl Guard {
    /// Reads the lists, as far as that can be done without the directory.
    pub fn read(protect: &[Listed], exclude: &[Listed]) -> Result<Guard, GuardError> {
        let mut guard = Guard::default();
        for (list, entries) in [(&mut guard.protect, protect), (&mut guard.exclude, exclude)] {
            for entry in entries {
                match entry {
                    Listed::Id(user) => list.add(std::slice::from_ref(user))?,
                    Listed::File(path) => list.add_file(path)?,
                    Listed::Of(_) => {}
                }
            }
        }
        Ok(guard)
    }

    /// Whether a row's user is left out, by any of the ids that the row gives. Those that it `perhaps` gives leave
    /// somebody out, too, and never make anybody comparable.
    pub fn check(&mut self, ids: &[UserId], perhaps: &[UserId]) -> Result<Option<LeftOut>, GuardError> {
        for list in [&mut self.protect, &mut self.exclude] {
            if let Some(left_out) = list.check(ids, perhaps)? {
                return Ok(Some(left_out));
            }
        }
        Ok(None)
    }

    /// Takes in what a row that a filter leaves out calls somebody listed.
    pub fn learn(&mut self, ids: &[UserId]) {
        for list in [&mut self.protect, &mut self.exclude] {
            list.learn(ids);
        }
    }

    /// Whether anybody is on a list.
    pub fn is_empty(&self) -> bool {
        self.protect.ids.is_empty() && self.exclude.ids.is_empty()
    }

    /// Looks back once all rows are in: what they called somebody listed must not be what another row calls a
    /// target. `sent` says whether an id is one of a target's.
    pub fn look_back(&self, mut sent: impl FnMut(&UserId) -> bool) -> Result<(), GuardError> {
        for list in [&self.protect, &self.exclude] {
            if let Some(user) = list.learned.iter().find(|id| sent(id)) {
                return Err(GuardError::Contradiction { list: list.name, user: user.to_string() });
            }
        }
        Ok(())
    }
}

impl Default for Guard {
    fn default() -> Self {
        Guard {
            protect: List::new("protect list", Outcome::Protected, "on the protect list"),
            exclude: List::new("exclusions", Outcome::Excluded, "excluded by id"),
        }
    }
}

impl List {
    fn new(name: &'static str, outcome: Outcome, reason: &'static str) -> List {
        List {
            name,
            outcome,
            reason,
            ids: HashSet::new(),
            object_only: false,
            name_only: false,
            learned: HashSet::new(),
        }
    }

    /// Adds one person, by all ids known of them.
    fn add(&mut self, ids: &[UserId]) -> Result<(), GuardError> {
        if ids.contains(&UserId::Me) {
            return Err(GuardError::Me { list: self.name });
        }
        let (object, name) = kinds(ids);
        self.object_only |= object && !name;
        self.name_only |= name && !object;
        self.ids.extend(ids.iter().cloned());
        Ok(())
    }

    fn add_file(&mut self, path: &Path) -> Result<(), GuardError> {
        let unreadable = |source| GuardError::Unreadable { list: self.name, source: Box::new(source) };
        let rows = intake::open(&[Source::File(path.to_owned())], &Options::default()).map_err(unreadable)?;
        if rows.ids_are_mail() {
            return Err(GuardError::Mail { list: self.name, path: path.to_owned() });
        }
        let mut people = Vec::new();
        for row in rows {
            let row = row.map_err(unreadable)?;
            let wrong = |reason: String| GuardError::Line {
                list: self.name,
                path: path.to_owned(),
                line: row.line,
                reason,
            };
            if let Verdict::Unreadable(why) | Verdict::Excluded(why) = &row.verdict {
                return Err(wrong(why.clone()));
            }
            let id: UserId =
                row.id.parse().map_err(|why| wrong(format!("'{}' is no user id: {why}", row.id)))?;
            let also = row.also.iter().filter_map(|text| text.parse().ok());
            people.push(std::iter::once(id).chain(also).collect::<Vec<UserId>>());
        }
        people.iter().try_for_each(|ids| self.add(ids))
    }

    /// Whether the ids name somebody listed; if so, takes in all of them.
    fn learn(&mut self, ids: &[UserId]) -> bool {
        let listed = ids.iter().any(|id| self.ids.contains(id));
        if listed {
            self.learned.extend(ids.iter().cloned());
        }
        listed
    }

    fn check(&mut self, ids: &[UserId], perhaps: &[UserId]) -> Result<Option<LeftOut>, GuardError> {
        if self.learn(&[ids, perhaps].concat()) {
            return Ok(Some(LeftOut::new(self.outcome, self.reason.to_owned())));
        }
        if ids.contains(&UserId::Me) && !self.ids.is_empty() {
            return Err(GuardError::IncomparableMe { list: self.name });
        }
        let (object, name) = kinds(ids);
        let unknown_name = self.name_only && !name;
        let unknown_object = self.object_only && !object;
        if unknown_name || unknown_object {
            return Err(GuardError::Incomparable { list: self.name, user: ids[0].to_string() });
        }
        Ok(None)
    }
}

/// Whether an object id, and whether a user principal name is among the ids.
fn kinds(ids: &[UserId]) -> (bool, bool) {
    let object = ids.iter().any(|id| matches!(id, UserId::Object(_)));
    let name = ids.iter().any(|id| matches!(id, UserId::Principal(_)));
    (object, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
    const EVE: &str = "11111111-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

    fn check(guard: &mut Guard, id: &str, also: &[&str]) -> Result<Option<Outcome>, GuardError> {
        let ids: Vec<UserId> = std::iter::once(&id).chain(also).map(|text| text.parse().unwrap()).collect();
        Ok(guard.check(&ids, &[])?.map(|left_out| left_out.outcome))
    }

    fn listed(entries: &[&str]) -> Vec<Listed> {
        entries.iter().map(|text| Listed::read(text, false)).collect()
    }

    fn protecting(entries: &[&str]) -> Guard {
        Guard::read(&listed(entries), &[]).unwrap()
    }

    #[test]
    fn a_listed_id_is_known_in_any_spelling_and_cell() {
        let mut guard = protecting(&["Bob@contoso.com"]);
        assert_eq!(check(&mut guard, "bob@CONTOSO.com", &[]).unwrap(), Some(Outcome::Protected));
        assert_eq!(check(&mut guard, BOB, &["bob@contoso.com"]).unwrap(), Some(Outcome::Protected));
        assert_eq!(check(&mut guard, "eve@contoso.com", &[]).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let mut guard = protecting(&["bob@contoso.com"]);
        assert!(matches!(check(&mut guard, EVE, &[]), Err(GuardError::Incomparable { .. })));
        let mut guard = protecting(&[BOB]);
        assert!(matches!(check(&mut guard, "eve@contoso.com", &[]), Err(GuardError::Incomparable { .. })));
        assert_eq!(check(&mut guard, "eve@contoso.com", &[EVE]).unwrap(), None);
    }

    #[test]
    fn me_passes_no_list_and_stands_on_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("protect.csv");
        std::fs::write(&path, format!("id,userPrincipalName\n{BOB},bob@contoso.com\n")).unwrap();
        let mut guard = protecting(&[&path.display().to_string()]);
        assert!(matches!(check(&mut guard, "me", &[]), Err(GuardError::IncomparableMe { .. })));
        assert_eq!(check(&mut Guard::default(), "me", &[]).unwrap(), None);
        let read = Guard::read(&listed(&["me"]), &[]);
        assert!(matches!(read, Err(GuardError::Me { .. })));
    }

    #[test]
    fn a_list_of_mail_addresses_protects_nobody_and_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("protect.csv");
        std::fs::write(&path, "Name,Mail\nBob,bob@contoso.com\n").unwrap();
        let read = Guard::read(&listed(&[&path.display().to_string()]), &[]);
        assert!(matches!(read, Err(GuardError::Mail { .. })), "{read:?}");
    }

    #[test]
    fn a_list_that_cannot_be_read_in_full_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("protect.txt");
        std::fs::write(&path, "bob@contoso.com\nnobody\n").unwrap();
        let read = Guard::read(&listed(&[&path.display().to_string()]), &[]);
        assert!(matches!(read, Err(GuardError::Line { line: 2, .. })));
        let missing = dir.path().join("gone.txt").display().to_string();
        assert!(matches!(Guard::read(&listed(&[&missing]), &[]), Err(GuardError::Unreadable { .. })));
    }
}
