//! Chooses the column of user IDs from the names and the cells of the columns. If they leave a doubt, none is chosen.
//!
//! An object ID is more certain than a user principal name, which is more certain than a mail address. If another
//! column is as good as the chosen one and has other users, there is a doubt. If it has the same users, it is a
//! duplicate.

use super::column_name::{ColumnName, NameMeaning};
use super::column_profile::{ColumnFit, ColumnPair, ColumnProfile, belong_to_same_users, means_blank};
use super::column_roles::{find_object_type, is_user};
use super::error::quote;
use super::raw_row::RawRow;
use super::row_subject::{RowSubject, find_subjects};

/// The columns of a table, and what is known about them.
pub(super) struct ColumnTable<'a> {
    pub(super) names: &'a [String],
    pub(super) headers: Vec<ColumnName>,
    pub(super) profiles: Vec<ColumnProfile>,
    /// The first rows.
    pub(super) rows: &'a [RawRow],
}

/// The column of user IDs and what to say about it.
#[derive(Debug)]
pub(super) struct ColumnChoice {
    pub(super) id: usize,
    pub(super) is_mail: bool,
    /// The user principal name to use if the ID's cell is blank.
    pub(super) fallback: Option<usize>,
    /// Columns that have the same users as the chosen one.
    pub(super) duplicates: Vec<usize>,
    pub(super) notes: Vec<String>,
}

/// Why no column was chosen.
#[derive(Debug)]
pub(super) enum ColumnChoiceError {
    /// No column can have the users; a remark on that, if there is one.
    NoColumn(Option<String>),
    /// Any of these may have the users, each with the reason for the doubt, which may be empty.
    Ambiguous(Vec<(usize, String)>),
    /// The names in this column are concealed.
    Concealed(usize),
}

/// How certain a column of addresses is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ColumnClass {
    /// The name says that the column has user principal names.
    Principal,
    /// The column may have user principal names.
    SignIn,
    Mail,
    Unknown,
}

impl ColumnTable<'_> {
    /// Chooses the column.
    pub(super) fn choose(&self) -> Result<ColumnChoice, ColumnChoiceError> {
        let subjects = self.find_subjects();
        if let Some(at) = self.find_concealed(&subjects) {
            return Err(ColumnChoiceError::Concealed(at));
        }
        // If no row can be trusted, the name alone decides, because no user is revoked.
        if self.rows.iter().all(|row| row.fault.is_some()) {
            let first = self.named_columns().next().ok_or(ColumnChoiceError::NoColumn(None))?;
            return Ok(self.build_choice(first, None, Vec::new(), &subjects));
        }
        if let Some((id, twins)) = self.choose_object_ids(&subjects)? {
            self.check_other_tables(id)?;
            let fallback = self.fallback(id, &subjects);
            return Ok(self.build_choice(id, fallback, twins, &subjects));
        }
        let (id, twins) = self.choose_addresses(&subjects)?;
        self.check_other_tables(id)?;
        Ok(self.build_choice(id, None, twins, &subjects))
    }

    /// What the rows may be about other than users. If a column distinguishes users from other objects, as in the
    /// members of a group, columns that only the other objects fill are ignored.
    fn find_subjects(&self) -> Vec<(RowSubject, usize)> {
        let mut found = find_subjects(&self.headers);
        let Some(kind) = find_object_type(&self.headers) else { return found };
        let users = || self.rows.iter().filter(|row| is_user(row.cell(kind)));
        let is_users_own =
            |at: usize| users().any(|row| !matches!(row.cell(at), "[]" | "{}") && !means_blank(row.cell(at)));
        if users().next().is_some() {
            found.retain(|(_, at)| is_users_own(*at));
        }
        found
    }

    /// The readable cells of a column.
    pub(super) fn readable_cells(&self, at: usize) -> impl Iterator<Item = &str> {
        let rows = self.rows.iter().filter(move |row| row.fault.is_none() && !row.is_unreadable(at));
        rows.map(move |row| row.cell(at))
    }

    fn columns(&self) -> std::ops::Range<usize> {
        0..self.headers.len()
    }

    /// The columns with known names, the most certain first.
    fn named_columns(&self) -> impl Iterator<Item = usize> {
        let mut known: Vec<usize> = self.columns().filter(|at| self.headers[*at].is_known()).collect();
        known.sort_by_key(|at| (self.headers[*at].promise, self.headers[*at].rank));
        known.into_iter()
    }

    /// Whether the column may name users: nothing in its name or in the other columns contradicts it.
    fn is_plausible(&self, at: usize, subjects: &[(RowSubject, usize)]) -> bool {
        let (header, cells) = (&self.headers[at], &self.profiles[at]);
        header.contrary_word.is_none()
            && subjects.iter().all(|(subject, _)| subject.allows_user_column(header, cells))
    }

    /// A column of concealed names, unless there is also a column of object IDs.
    pub(super) fn find_concealed(&self, subjects: &[(RowSubject, usize)]) -> Option<usize> {
        let names_people = |at: &usize| {
            let promise = self.headers[*at].promise;
            promise >= NameMeaning::PrincipalName && promise != NameMeaning::Nothing
        };
        let at = self.columns().find(|at| names_people(at) && self.profiles[*at].is_concealed())?;
        let has_ids = self.columns().any(|other| {
            let (header, cells) = (&self.headers[other], &self.profiles[other]);
            let real = cells.guids > cells.bare_hex && cells.fit() == ColumnFit::Good;
            real && header.promise <= NameMeaning::ObjectId && self.is_plausible(other, subjects)
        });
        (!has_ids).then_some(at)
    }

    /// The column of object IDs and its duplicates, if there is one.
    fn choose_object_ids(
        &self,
        subjects: &[(RowSubject, usize)],
    ) -> Result<Option<(usize, Vec<usize>)>, ColumnChoiceError> {
        let tier = |at: usize| match self.headers[at].promise {
            NameMeaning::UserObjectId => Some(0),
            NameMeaning::ObjectId => Some(1),
            NameMeaning::AnyId if self.headers[at].normal == "id" => Some(3),
            NameMeaning::AnyId | NameMeaning::PrincipalName => Some(2),
            NameMeaning::SignInName if self.headers[at].normal != "identity" => Some(2),
            _ => None,
        };
        let mut candidates: Vec<(u8, usize, usize)> = Vec::new();
        for at in self.columns() {
            let cells = &self.profiles[at];
            let fits =
                cells.fit() == ColumnFit::Good && cells.holds_guids() && self.is_plausible(at, subjects);
            candidates.extend(tier(at).filter(|_| fits).map(|tier| (tier, self.headers[at].rank, at)));
        }
        candidates.sort_unstable();
        // A user principal name with several object IDs shows that these are IDs of something else.
        let principal = self.columns().find(|at| {
            self.class(*at) == ColumnClass::Principal
                && self.is_plausible(*at, subjects)
                && self.holds_addresses(*at)
        });
        while let Some(&(tier, _, id)) = candidates.first() {
            let fits = tier == 0 || self.headers[id].normal == "userid";
            if let Some(principal) = principal.filter(|at| !fits && !belong_to_same_users(self.rows, id, *at))
            {
                if tier == 1 {
                    let why = "one user principal name has several of its IDs".to_owned();
                    return Err(ColumnChoiceError::Ambiguous(vec![(id, why), (principal, String::new())]));
                }
                candidates.remove(0);
                continue;
            }
            let rivals = candidates[1..].iter().filter(|(other, ..)| *other == tier).map(|(.., at)| *at);
            return self.find_duplicates(id, rivals).map(|twins| Some((id, twins)));
        }
        Ok(None)
    }

    /// The rivals that have the same users as the column; a doubt if one of them has others.
    fn find_duplicates(
        &self,
        id: usize,
        rivals: impl Iterator<Item = usize>,
    ) -> Result<Vec<usize>, ColumnChoiceError> {
        let mut twins = Vec::new();
        let mut others = Vec::new();
        for rival in rivals {
            let pair = ColumnPair::from_columns(self.rows, id, rival);
            if pair.agrees() {
                twins.push(rival);
            } else if self.profiles[rival].has_id_share(20) || !self.profiles[id].has_id_share(50) {
                others.push((rival, String::new()));
            }
        }
        if others.is_empty() {
            return Ok(twins);
        }
        others.insert(0, (id, String::new()));
        Err(ColumnChoiceError::Ambiguous(others))
    }

    fn class(&self, at: usize) -> ColumnClass {
        let header = &self.headers[at];
        match header.promise {
            NameMeaning::UserObjectId | NameMeaning::PrincipalName => ColumnClass::Principal,
            NameMeaning::ObjectId if header.normal != "objectid" => ColumnClass::Principal,
            NameMeaning::ObjectId
            | NameMeaning::AnyId
            | NameMeaning::SignInName
            | NameMeaning::SomePrincipalName => ColumnClass::SignIn,
            NameMeaning::Mail | NameMeaning::SomeMail => ColumnClass::Mail,
            NameMeaning::Nothing => ColumnClass::Unknown,
        }
    }

    fn holds_addresses(&self, at: usize) -> bool {
        let cells = &self.profiles[at];
        matches!(cells.fit(), ColumnFit::Good | ColumnFit::Malformed) && !cells.holds_guids()
    }

    /// The columns of addresses that may name users, the most certain first.
    fn plausible_addresses(&self, subjects: &[(RowSubject, usize)]) -> Vec<(ColumnClass, usize)> {
        let all = self.columns().filter(|at| {
            let fits = self.holds_addresses(*at) && self.is_plausible(*at, subjects);
            fits && !self.headers[*at].promises_text()
        });
        let mut found: Vec<(ColumnClass, usize)> = all.map(|at| (self.class(at), at)).collect();
        found.sort_by_key(|(class, at)| (*class, self.headers[*at].promise, self.headers[*at].rank, *at));
        found
    }

    /// The column of user principal names, or otherwise of mail addresses, and its duplicates.
    fn choose_addresses(
        &self,
        subjects: &[(RowSubject, usize)],
    ) -> Result<(usize, Vec<usize>), ColumnChoiceError> {
        let found = self.plausible_addresses(subjects);
        let Some(&(class, id)) = found.first() else { return Err(self.explain_no_column(subjects)) };
        if class == ColumnClass::Unknown {
            return self.choose_by_cells(id, subjects).map(|id| (id, Vec::new()));
        }
        let is_sparse = !self.profiles[id].has_id_share(50);
        let rivals = found[1..].iter().filter(|(other, at)| match class {
            ColumnClass::Principal => {
                *other <= ColumnClass::SignIn || is_sparse && self.profiles[*at].has_id_share(80)
            }
            _ => true,
        });
        self.find_duplicates(id, rivals.map(|(_, at)| *at)).map(|twins| (id, twins))
    }

    /// A column with an unknown name, if it is the only one with IDs and has one in every row.
    fn choose_by_cells(
        &self,
        id: usize,
        subjects: &[(RowSubject, usize)],
    ) -> Result<usize, ColumnChoiceError> {
        let alone = self.columns().all(|at| at == id || !self.profiles[at].has_id_share(5));
        let full = self.profiles[id].has_id_share(95);
        if alone && full && subjects.is_empty() { Ok(id) } else { Err(self.explain_no_column(subjects)) }
    }

    /// The explanation if no column can be chosen: the columns with addresses, or otherwise why the known ones are not
    /// used.
    fn explain_no_column(&self, subjects: &[(RowSubject, usize)]) -> ColumnChoiceError {
        let reason = |at: usize| match self.headers[at].contrary_word {
            Some(word) => format!("its name says `{word}`"),
            None if self.headers[at].is_known() => "its IDs may belong to something else".to_owned(),
            None => "its name is unknown".to_owned(),
        };
        let is_candidate = |at: &usize| {
            let (header, cells) = (&self.headers[*at], &self.profiles[*at]);
            let people = cells.addresses > 0 || header.promises_people();
            people
                && cells.fit() == ColumnFit::Good
                && (self.is_plausible(*at, subjects) || header.contrary_word.is_some())
        };
        let candidates: Vec<_> = self.columns().filter(is_candidate).map(|at| (at, reason(at))).collect();
        if !candidates.is_empty() && subjects.is_empty() {
            return ColumnChoiceError::Ambiguous(candidates);
        }
        if let Some((subject, at)) = subjects.first() {
            return ColumnChoiceError::NoColumn(Some(format!(
                "{} shows that the rows are {}, not users",
                quote(&self.names[*at]),
                subject.name()
            )));
        }
        let known: Vec<String> = self.named_columns().map(|at| quote(&self.names[at])).collect();
        let hold = if known.len() == 1 { "has none" } else { "have none" };
        ColumnChoiceError::NoColumn((!known.is_empty()).then(|| format!("{} {hold}", known.join(", "))))
    }

    /// If a name has a table or a type in brackets, the word before it may or may not mean the user. Then a column with
    /// another person's IDs is a doubt.
    fn check_other_tables(&self, id: usize) -> Result<(), ColumnChoiceError> {
        let header = &self.headers[id];
        let others = self.columns().filter(|at| {
            let other = &self.headers[*at];
            let elsewhere = other.table != header.table && header.table.is_some() && other.table.is_some();
            *at != id
                && other.contrary_word.is_some()
                && (elsewhere || header.is_bracketed)
                && self.profiles[*at].fit() == ColumnFit::Good
                && !ColumnPair::from_columns(self.rows, id, *at).agrees()
        });
        let others: Vec<_> = others.map(|at| (at, String::new())).collect();
        if others.is_empty() {
            return Ok(());
        }
        Err(ColumnChoiceError::Ambiguous(std::iter::once((id, String::new())).chain(others).collect()))
    }

    /// The column of user principal names to use if the object ID is blank: the only one, or one of several that agree.
    fn fallback(&self, id: usize, subjects: &[(RowSubject, usize)]) -> Option<usize> {
        let found = self.plausible_addresses(subjects);
        let mut names = found.iter().filter(|(class, at)| *class <= ColumnClass::SignIn && *at != id);
        let &(class, first) = names.next()?;
        let is_rival = |other: &ColumnClass| class == ColumnClass::SignIn || *other == ColumnClass::Principal;
        let agree = names.filter(|(other, _)| is_rival(other)).all(|(_, at)| {
            ColumnPair::from_columns(self.rows, first, *at).agrees() || !self.profiles[*at].has_id_share(5)
        });
        agree.then_some(first)
    }

    fn build_choice(
        &self,
        id: usize,
        fallback: Option<usize>,
        twins: Vec<usize>,
        subjects: &[(RowSubject, usize)],
    ) -> ColumnChoice {
        let is_mail = self.class(id) == ColumnClass::Mail;
        let mut notes = Vec::new();
        let mut others = Vec::new();
        let mut is_preferred = true;
        for at in self.named_columns() {
            let name = quote(&self.names[at]);
            if at == id {
                is_preferred = false;
                continue;
            }
            match self.profiles[at].fit() {
                ColumnFit::Empty if is_preferred => notes.push(format!("skipped {name}, which is empty")),
                ColumnFit::Bad if is_preferred => {
                    notes.push(format!("skipped {name}, which has no user IDs"));
                }
                ColumnFit::Good | ColumnFit::Malformed if self.headers[at].contrary_word.is_some() => {}
                ColumnFit::Good | ColumnFit::Malformed if !self.is_plausible(at, subjects) => {
                    notes.push(format!("skipped {name}, which may be the ID of something else"));
                }
                _ => others.push(name),
            }
        }
        if !others.is_empty() {
            notes.push(format!("also found {}", others.join(", ")));
        }
        if is_mail {
            notes.push("a mail address is not always the user principal name".into());
        }
        if !self.headers[id].is_known() {
            notes.push("its name is unknown, and its cells look like user principal names".into());
        }
        ColumnChoice { id, is_mail, fallback, duplicates: twins, notes }
    }
}
