//! Chooses the column of user ids: names and cells decide together, and where they leave a doubt nobody is chosen.
//!
//! An object id is surer than a user principal name, and that is surer than a mail address. A column that is as good as
//! the chosen one and holds other users is a doubt; one that holds the same users is its twin.

use super::column_name::{ColumnName, ColumnPromise};
use super::column_profile::{ColumnFit, ColumnPair, ColumnProfile, are_paired, is_blank};
use super::column_roles::{find_object_type, is_user};
use super::error::quote;
use super::raw_row::RawRow;
use super::row_subject::{RowSubject, find_subjects};

/// The columns of a table, and what is known of them.
pub(super) struct ColumnTable<'a> {
    pub(super) names: &'a [String],
    pub(super) headers: Vec<ColumnName>,
    pub(super) profiles: Vec<ColumnProfile>,
    /// The first rows.
    pub(super) rows: &'a [RawRow],
}

/// The column of user ids and what to say about it.
#[derive(Debug)]
pub(super) struct ColumnChoice {
    pub(super) id: usize,
    pub(super) is_mail: bool,
    /// The user principal name to take where the id's cell is blank.
    pub(super) fallback: Option<usize>,
    /// Columns that hold the same users as the chosen one.
    pub(super) duplicates: Vec<usize>,
    pub(super) notes: Vec<String>,
}

/// Why no column was chosen.
#[derive(Debug)]
pub(super) enum ColumnDoubt {
    /// No column can be meant; what there is to say about that, if anything.
    NoColumn(Option<String>),
    /// Any of these may be meant, each with what speaks for or against it.
    Ambiguous(Vec<(usize, String)>),
    /// The names in this column are concealed.
    Concealed(usize),
}

/// How sure a column of addresses is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ColumnClass {
    /// It says that it holds user principal names.
    Principal,
    /// It may hold user principal names.
    SignIn,
    Mail,
    Unknown,
}

impl ColumnTable<'_> {
    /// Chooses the column.
    pub(super) fn choose(&self) -> Result<ColumnChoice, ColumnDoubt> {
        let subjects = self.subjects();
        if let Some(at) = self.find_concealed(&subjects) {
            return Err(ColumnDoubt::Concealed(at));
        }
        // Where no row can be trusted, the name alone decides: nobody is sent.
        if self.rows.iter().all(|row| row.fault.is_some()) {
            let first = self.named_columns().next().ok_or(ColumnDoubt::NoColumn(None))?;
            return Ok(self.choice(first, None, Vec::new(), &subjects));
        }
        if let Some((id, twins)) = self.object_ids(&subjects)? {
            self.check_tables(id)?;
            let fallback = self.fallback(id, &subjects);
            return Ok(self.choice(id, fallback, twins, &subjects));
        }
        let (id, twins) = self.addresses(&subjects)?;
        self.check_tables(id)?;
        Ok(self.choice(id, None, twins, &subjects))
    }

    /// What the rows may be about beside users. Where a column tells users from other objects, as in the members of a
    /// group, what only the others have says nothing.
    fn subjects(&self) -> Vec<(RowSubject, usize)> {
        let mut found = find_subjects(&self.headers);
        let Some(kind) = find_object_type(&self.headers) else { return found };
        let users = || self.rows.iter().filter(|row| is_user(row.cell(kind)));
        let is_users_own =
            |at: usize| users().any(|row| !matches!(row.cell(at), "[]" | "{}") && !is_blank(row.cell(at)));
        if users().next().is_some() {
            found.retain(|(_, at)| is_users_own(*at));
        }
        found
    }

    /// The cells of a column that could be read.
    pub(super) fn cells(&self, at: usize) -> impl Iterator<Item = &str> {
        let rows = self.rows.iter().filter(move |row| row.fault.is_none() && !row.is_unreadable(at));
        rows.map(move |row| row.cell(at))
    }

    fn columns(&self) -> std::ops::Range<usize> {
        0..self.headers.len()
    }

    /// The columns of known names, the surest first.
    fn named_columns(&self) -> impl Iterator<Item = usize> {
        let mut known: Vec<usize> = self.columns().filter(|at| self.headers[*at].is_known()).collect();
        known.sort_by_key(|at| (self.headers[*at].promise, self.headers[*at].rank));
        known.into_iter()
    }

    /// Whether the column may name users, whatever else its name and cells say.
    fn is_plausible(&self, at: usize, subjects: &[(RowSubject, usize)]) -> bool {
        let (header, cells) = (&self.headers[at], &self.profiles[at]);
        header.contrary_word.is_none()
            && subjects.iter().all(|(subject, _)| subject.allows_user_column(header, cells))
    }

    /// A column of concealed names, unless object ids stand beside it.
    pub(super) fn find_concealed(&self, subjects: &[(RowSubject, usize)]) -> Option<usize> {
        let names_people = |at: &usize| {
            let promise = self.headers[*at].promise;
            promise >= ColumnPromise::PrincipalName && promise != ColumnPromise::Nothing
        };
        let at = self.columns().find(|at| names_people(at) && self.profiles[*at].is_concealed())?;
        let has_ids = self.columns().any(|other| {
            let (header, cells) = (&self.headers[other], &self.profiles[other]);
            let real = cells.guids > cells.bare_hex && cells.fit() == ColumnFit::Good;
            real && header.promise <= ColumnPromise::ObjectId && self.is_plausible(other, subjects)
        });
        (!has_ids).then_some(at)
    }

    /// The column of object ids and its twins, if there is one.
    fn object_ids(
        &self,
        subjects: &[(RowSubject, usize)],
    ) -> Result<Option<(usize, Vec<usize>)>, ColumnDoubt> {
        let tier = |at: usize| match self.headers[at].promise {
            ColumnPromise::UserObjectId => Some(0),
            ColumnPromise::ObjectId => Some(1),
            ColumnPromise::AnyId if self.headers[at].normal == "id" => Some(3),
            ColumnPromise::AnyId | ColumnPromise::PrincipalName => Some(2),
            ColumnPromise::SignInName if self.headers[at].normal != "identity" => Some(2),
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
        // A user principal name beside several object ids shows that those are ids of something else.
        let principal = self.columns().find(|at| {
            self.class(*at) == ColumnClass::Principal
                && self.is_plausible(*at, subjects)
                && self.holds_addresses(*at)
        });
        while let Some(&(tier, _, id)) = candidates.first() {
            let fits = tier == 0 || self.headers[id].normal == "userid";
            if let Some(principal) = principal.filter(|at| !fits && !are_paired(self.rows, id, *at)) {
                if tier == 1 {
                    let why = "one user principal name stands beside several of its ids".to_owned();
                    return Err(ColumnDoubt::Ambiguous(vec![(id, why), (principal, String::new())]));
                }
                candidates.remove(0);
                continue;
            }
            let rivals = candidates[1..].iter().filter(|(other, ..)| *other == tier).map(|(.., at)| *at);
            return self.find_duplicates(id, rivals).map(|twins| Some((id, twins)));
        }
        Ok(None)
    }

    /// The rivals that hold the same users as the column; a doubt where one holds others.
    fn find_duplicates(
        &self,
        id: usize,
        rivals: impl Iterator<Item = usize>,
    ) -> Result<Vec<usize>, ColumnDoubt> {
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
        Err(ColumnDoubt::Ambiguous(others))
    }

    fn class(&self, at: usize) -> ColumnClass {
        let header = &self.headers[at];
        match header.promise {
            ColumnPromise::UserObjectId | ColumnPromise::PrincipalName => ColumnClass::Principal,
            ColumnPromise::ObjectId if header.normal != "objectid" => ColumnClass::Principal,
            ColumnPromise::ObjectId
            | ColumnPromise::AnyId
            | ColumnPromise::SignInName
            | ColumnPromise::SomePrincipalName => ColumnClass::SignIn,
            ColumnPromise::Mail | ColumnPromise::SomeMail => ColumnClass::Mail,
            ColumnPromise::Nothing => ColumnClass::Unknown,
        }
    }

    fn holds_addresses(&self, at: usize) -> bool {
        let cells = &self.profiles[at];
        matches!(cells.fit(), ColumnFit::Good | ColumnFit::Malformed) && !cells.holds_guids()
    }

    /// The columns of addresses that may name users, the surest first.
    fn plausible_addresses(&self, subjects: &[(RowSubject, usize)]) -> Vec<(ColumnClass, usize)> {
        let all = self.columns().filter(|at| {
            let fits = self.holds_addresses(*at) && self.is_plausible(*at, subjects);
            fits && !self.headers[*at].promises_text()
        });
        let mut found: Vec<(ColumnClass, usize)> = all.map(|at| (self.class(at), at)).collect();
        found.sort_by_key(|(class, at)| (*class, self.headers[*at].promise, self.headers[*at].rank, *at));
        found
    }

    /// The column of user principal names, or else of mail addresses, and its twins.
    fn addresses(&self, subjects: &[(RowSubject, usize)]) -> Result<(usize, Vec<usize>), ColumnDoubt> {
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

    /// A column of unknown name, if it is the only one that holds ids, and holds one in every row.
    fn choose_by_cells(&self, id: usize, subjects: &[(RowSubject, usize)]) -> Result<usize, ColumnDoubt> {
        let alone = self.columns().all(|at| at == id || !self.profiles[at].has_id_share(5));
        let full = self.profiles[id].has_id_share(95);
        if alone && full && subjects.is_empty() { Ok(id) } else { Err(self.explain_no_column(subjects)) }
    }

    /// What to say where no column can be chosen: those that hold addresses, or else why the known ones are not taken.
    fn explain_no_column(&self, subjects: &[(RowSubject, usize)]) -> ColumnDoubt {
        let reason = |at: usize| match self.headers[at].contrary_word {
            Some(word) => format!("its name says `{word}`"),
            None if self.headers[at].is_known() => "its ids may be of something else".to_owned(),
            None => "its name is not known".to_owned(),
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
            return ColumnDoubt::Ambiguous(candidates);
        }
        if let Some((subject, at)) = subjects.first() {
            return ColumnDoubt::NoColumn(Some(format!(
                "{} shows that the rows are {}, whose ids are not users",
                quote(&self.names[*at]),
                subject.name()
            )));
        }
        let known: Vec<String> = self.named_columns().map(|at| quote(&self.names[at])).collect();
        let hold = if known.len() == 1 { "holds none" } else { "hold none" };
        ColumnDoubt::NoColumn((!known.is_empty()).then(|| format!("{} {hold}", known.join(", "))))
    }

    /// Where names tell a table or a type in brackets, the word before it may or may not be the user: somebody else's ids
    /// beside them are a doubt.
    fn check_tables(&self, id: usize) -> Result<(), ColumnDoubt> {
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
        Err(ColumnDoubt::Ambiguous(std::iter::once((id, String::new())).chain(others).collect()))
    }

    /// The user principal name that stands in for a blank object id: the only one there is, or one of several that agree.
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

    fn choice(
        &self,
        id: usize,
        fallback: Option<usize>,
        twins: Vec<usize>,
        subjects: &[(RowSubject, usize)],
    ) -> ColumnChoice {
        let is_mail = self.class(id) == ColumnClass::Mail;
        let mut said = Vec::new();
        let mut also = Vec::new();
        let mut before = true;
        for at in self.named_columns() {
            let name = quote(&self.names[at]);
            if at == id {
                before = false;
                continue;
            }
            match self.profiles[at].fit() {
                ColumnFit::Empty if before => said.push(format!("passed over {name}, which is empty")),
                ColumnFit::Bad if before => said.push(format!("passed over {name}, which holds no user ids")),
                ColumnFit::Good | ColumnFit::Malformed if self.headers[at].contrary_word.is_some() => {}
                ColumnFit::Good | ColumnFit::Malformed if !self.is_plausible(at, subjects) => {
                    said.push(format!("passed over {name}, which may be the id of something else"));
                }
                _ => also.push(name),
            }
        }
        if !also.is_empty() {
            said.push(format!("also saw {}", also.join(", ")));
        }
        if is_mail {
            said.push("a mail address is not always the user principal name".into());
        }
        if !self.headers[id].is_known() {
            said.push("its name is not known, and its cells look like user principal names".into());
        }
        ColumnChoice { id, is_mail, fallback, duplicates: twins, notes: said }
    }
}
