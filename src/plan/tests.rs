//! Plans against made-up tenants: nobody protected or unselected is a target, and everybody else is, once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use uuid::Uuid;

use super::ask::{Ask, Pages};
use super::*;
use crate::directory::{Admins, Budget, DirectoryError, Need, Person, Resolved, Selector, UserReads};
use crate::intake::{self, Options, Source};

/// A made-up tenant: users by number, groups with members and groups in them.
#[derive(Clone, Debug)]
struct Tenant {
    users: u8,
    groups: Vec<(Vec<u8>, Vec<usize>)>,
    reads: UserReads,
    /// What may not be read.
    forbidden: Vec<Need>,
    owners: Vec<u8>,
    admins: Vec<u8>,
}

impl Default for Tenant {
    fn default() -> Tenant {
        Tenant {
            users: 8,
            groups: Vec::new(),
            reads: UserReads::Allowed,
            forbidden: Vec::new(),
            owners: Vec::new(),
            admins: Vec::new(),
        }
    }
}

fn object(n: u8) -> Uuid {
    Uuid::from_u128(0x0785_ef7c_1c1b_4ff4_9ab1_0000_0000_0000 + u128::from(n))
}

fn upn(n: u8) -> String {
    format!("user{n}@contoso.com")
}

fn person(n: u8) -> Person {
    Person {
        id: object(n),
        upn: Some(upn(n).into()),
        name: Some(format!("User {n}").into()),
        guest: Some(n.is_multiple_of(3)),
        enabled: Some(!n.is_multiple_of(4)),
        synced: Some(false),
    }
}

impl Tenant {
    fn check(&self, need: Need) -> Result<(), DirectoryError> {
        match self.forbidden.contains(&need) {
            true => Err(DirectoryError::Forbidden { what: "it".to_owned(), need, said: "no".to_owned() }),
            false => Ok(()),
        }
    }

    fn known(&self, n: u8) -> Option<Resolved> {
        (n < self.users).then(|| Resolved::Person(person(n)))
    }

    fn one(&self, id: &UserId) -> Resolved {
        let found = (0..self.users).find(|n| match id {
            UserId::Object(id) => object(*n) == *id,
            UserId::Principal(name) => upn(*n).eq_ignore_ascii_case(name),
            UserId::Me => panic!("an app's token was asked who it is"),
        });
        found.and_then(|n| self.known(n)).unwrap_or(Resolved::Missing)
    }

    fn members(&self, group: usize) -> BTreeSet<u8> {
        let (mut open, mut seen, mut members) = (vec![group], BTreeSet::new(), BTreeSet::new());
        while let Some(group) = open.pop() {
            if seen.insert(group) {
                let (users, groups) = &self.groups[group];
                members.extend(users);
                open.extend(groups);
            }
        }
        members
    }
}

struct Paged(String, Vec<Vec<Person>>);

impl Pages for Paged {
    fn name(&self) -> &str {
        &self.0
    }

    async fn next_page(&mut self) -> Result<Option<Vec<Person>>, DirectoryError> {
        Ok(self.1.pop())
    }

    fn missing(&self) -> u64 {
        0
    }

    fn expected(&self) -> Option<u64> {
        None
    }
}

impl Ask for Tenant {
    type People = Paged;

    fn within(&self, _: &Budget) -> Tenant {
        self.clone()
    }

    fn user_reads(&self) -> UserReads {
        self.reads
    }

    async fn answers(&self, _people: &[UserId]) -> Result<(), DirectoryError> {
        self.check(Need::Users)
    }

    async fn resolve(&self, ids: &[UserId]) -> Result<Vec<Resolved>, DirectoryError> {
        self.check(Need::Users)?;
        Ok(ids.iter().map(|id| self.one(id)).collect())
    }

    async fn find(&self, names: &[String]) -> Result<Vec<Resolved>, DirectoryError> {
        self.check(Need::Users)?;
        let find = |name: &String| match name.strip_prefix("alias") {
            Some("") => Resolved::Ambiguous(vec![upn(0), upn(1)]),
            Some(n) => n.parse().ok().and_then(|n| self.known(n)).unwrap_or(Resolved::Missing),
            None => name.parse().map_or(Resolved::Missing, |id| self.one(&id)),
        };
        Ok(names.iter().map(find).collect())
    }

    async fn people(&self, selector: &Selector) -> Result<Paged, DirectoryError> {
        self.check(Need::Groups)?;
        let Selector::Group { name, .. } = selector else { panic!("{selector}") };
        let number = name.parse().ok().filter(|number| *number < self.groups.len());
        let number = number.ok_or_else(|| DirectoryError::NotFound { what: selector.to_string() })?;
        let mut people: Vec<Person> = self.members(number).into_iter().map(person).collect();
        if self.check(Need::Users).is_err() {
            people.iter_mut().for_each(|one| *one = Person { id: one.id, ..Person::default() });
        }
        // Empty pages, and somebody again on a later one.
        let again: Vec<Person> = people.first().cloned().into_iter().collect();
        let mut pages: Vec<Vec<Person>> = people.chunks(2).map(<[Person]>::to_vec).collect();
        pages.extend([again, Vec::new()]);
        Ok(Paged(selector.to_string(), pages))
    }

    async fn admins(&self) -> Result<Admins, DirectoryError> {
        self.check(Need::Roles)?;
        let role = |n: &u8| (object(*n), vec!["Global Administrator".to_owned()]);
        Ok(Admins {
            roles: self.admins.iter().map(role).collect(),
            global: self.admins.iter().map(|n| object(*n)).collect(),
            ..Admins::default()
        })
    }

    async fn owners(&self, _: &str) -> Result<Vec<Person>, DirectoryError> {
        self.check(Need::Apps)?;
        Ok(self.owners.iter().map(|n| person(*n)).collect())
    }

    async fn count_users(&self) -> Result<u64, DirectoryError> {
        self.check(Need::Users)?;
        Ok(u64::from(self.users))
    }

    async fn me(&self) -> Result<Option<Person>, DirectoryError> {
        Ok(None)
    }
}

/// An input of these lines, a plain list.
fn gathered(dir: &Path, lines: &[String]) -> Gathered {
    if lines.is_empty() {
        return Gathered::default();
    }
    let path = dir.join("users.txt");
    std::fs::write(&path, lines.join("\n")).unwrap();
    Gathered::read(intake::open(&[Source::File(path)], &Options::default()).unwrap()).unwrap()
}

fn compose(tenant: &Tenant, lines: &[String], wishes: &Wishes, signed: &Signed) -> Result<Draft, PlanError> {
    let dir = tempfile::tempdir().unwrap();
    let tenants = Tenants::one(signed.clone(), Some(tenant), []);
    let composed = compose::compose(gathered(dir.path(), lines), wishes, &tenants, &|_| {});
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(composed)
}

fn rows(draft: Draft) -> Vec<PlanRow> {
    let mut rows = Vec::new();
    draft
        .for_each_row(|row| {
            rows.push(row.clone());
            Ok(())
        })
        .unwrap();
    rows
}

/// The users who are sent, in sending order.
fn sent(draft: Draft) -> Vec<String> {
    let rows = rows(draft);
    let sent: BTreeMap<u32, String> =
        rows.into_iter().filter_map(|row| Some((row.order()?, row.user_id))).collect();
    sent.into_values().collect()
}

fn lines(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn listed(texts: &[&str]) -> Vec<Listed> {
    texts.iter().map(|text| Listed::read(text, false)).collect()
}

fn ids(numbers: &[u8]) -> Vec<String> {
    numbers.iter().map(|n| object(*n).to_string()).collect()
}

fn group(number: usize) -> Selector {
    Selector::Group { name: number.to_string(), direct: false }
}

fn operator(n: u8) -> Signed {
    let operator = vec![upn(n).parse().unwrap(), UserId::Object(object(n)), UserId::Me];
    Signed { operator, app_ids: vec!["app".to_owned()] }
}

#[test]
fn one_person_by_any_name_is_one_target() {
    let tenant = Tenant { groups: vec![(vec![1, 2], vec![])], ..Tenant::default() };
    let wishes = Wishes { selectors: vec![group(0)], ..Wishes::default() };
    let input = [upn(1), object(1).to_string(), upn(3).to_uppercase(), "gone@contoso.com".to_owned()];
    let draft = compose(&tenant, &input, &wishes, &Signed::default()).unwrap();
    assert_eq!((draft.facts().missing, draft.facts().guests, draft.record().selected), (1, 1, 2));
    assert!(draft.notices().iter().any(|notice| notice.contains("1 user does not exist: gone@contoso.com")));
    let rows = rows(draft);
    let detail = |at: usize| rows[at].left_out.as_ref().map(|left_out| left_out.detail.clone());
    assert!(detail(1).unwrap().ends_with("users.txt:1)"), "{:?}", detail(1));
    let again = rows.iter().find(|row| row.line == "group 0:2" || row.input == upn(1)).unwrap();
    assert_eq!(again.user_id, object(1).to_string());
    let sent: Vec<&PlanRow> = rows.iter().filter(|row| row.order().is_some()).collect();
    let users: Vec<&str> = sent.iter().map(|row| row.user_id.as_str()).collect();
    assert_eq!(users, [&*ids(&[1])[0], &ids(&[3])[0], "gone@contoso.com", &ids(&[2])[0]]);
    assert_eq!(
        (sent[0].display_name.as_str(), sent[2].note.as_str()),
        ("User 1", "the directory knows no such user")
    );
}

#[test]
fn names_are_looked_for_only_when_asked() {
    let input = lines(&["alias2", "alias", "nobody", "user1@contoso.com"]);
    let wishes = Wishes { resolve: true, ..Wishes::default() };
    let draft = compose(&Tenant::default(), &input, &wishes, &Signed::default()).unwrap();
    let plan = rows(draft);
    let invalid: Vec<String> = plan.iter().filter_map(|row| Some(row.left_out.clone()?.detail)).collect();
    assert!(invalid[0].contains("ambiguous") && invalid[0].contains("user1@"), "{invalid:?}");
    assert!(invalid[1].contains("no user has that name"), "{invalid:?}");
    assert_eq!(
        (plan[0].user_id.clone(), plan[3].user_id.clone()),
        (ids(&[2])[0].clone(), ids(&[1])[0].clone())
    );
    let draft = compose(
        &Tenant::default(),
        &lines(&["alias2", "user1@contoso.com"]),
        &Wishes::default(),
        &Signed::default(),
    );
    assert!(draft.unwrap().first_invalid().unwrap().contains("--resolve"));
}

#[test]
fn a_list_that_names_nobody_stops_the_plan() {
    let tenant = Tenant { groups: vec![(vec![1], vec![])], ..Tenant::default() };
    let input = [upn(2)];
    let wishes = |list: &str| {
        let protect = Wishes { protect: listed(&[list]), ..Wishes::default() };
        let exclude = Wishes { exclude: listed(&[list]), ..Wishes::default() };
        [protect, exclude, Wishes { first: listed(&[list]), ..Wishes::default() }]
    };
    for list in ["gone@contoso.com", "group:9"] {
        for wishes in wishes(list) {
            let refused = compose(&tenant, &input, &wishes, &Signed::default()).err().unwrap();
            assert!(matches!(refused, PlanError::Guard(_)), "{refused}");
            assert!(refused.to_string().contains(&list.replace(':', " ")), "{refused}");
        }
    }
    let tenant = Tenant { forbidden: vec![Need::Groups], ..tenant };
    for wishes in wishes("group:0") {
        let refused = compose(&tenant, &input, &wishes, &Signed::default()).err().unwrap();
        assert!(matches!(refused, PlanError::Guard(GuardError::Directory { .. })), "{refused}");
    }
}

#[test]
fn without_the_permission_ids_are_compared_as_they_are_written() {
    let tenant =
        Tenant { forbidden: vec![Need::Users], groups: vec![(vec![4, 5], vec![])], ..Tenant::default() };
    let input = [upn(1), object(1).to_string()];
    for reads in [UserReads::Allowed, UserReads::Unknown, UserReads::Lacking] {
        let tenant = Tenant { reads, ..tenant.clone() };
        let draft = compose(&tenant, &input, &Wishes::default(), &Signed::default()).unwrap();
        assert!(draft.notices()[0].contains("User.Read.All"), "{:?}", draft.notices());
        assert_eq!(draft.targets(), 2);
        // A group gives object ids alone, and a name on the protect list can't be compared with those.
        let wishes = Wishes { selectors: vec![group(0)], ..Wishes::default() };
        assert_eq!(sent(compose(&tenant, &[], &wishes, &Signed::default()).unwrap()), ids(&[4, 5]));
        let wishes = Wishes { protect: listed(&["user4@contoso.com"]), ..wishes };
        let refused = compose(&tenant, &[], &wishes, &Signed::default()).err().unwrap();
        assert!(matches!(refused, PlanError::Guard(GuardError::Incomparable { .. })), "{refused}");
        let only = Only { guests: Some(false), enabled: false };
        let refused = compose(&tenant, &input, &Wishes { only, ..Wishes::default() }, &Signed::default());
        let refused = refused.err().unwrap();
        assert!(
            matches!(refused, PlanError::Directory(_)) && refused.to_string().contains("User.Read.All"),
            "{refused}"
        );
    }
}

#[test]
fn a_selection_of_nobody_is_an_error_unless_allowed() {
    let tenant = Tenant { groups: vec![(vec![], vec![]), (vec![1], vec![0])], ..Tenant::default() };
    let wishes = Wishes { selectors: vec![group(1), group(0)], ..Wishes::default() };
    let refused = compose(&tenant, &[], &wishes, &Signed::default()).err().unwrap();
    assert!(refused.to_string().starts_with("group 0 has no users"), "{refused}");
    let draft = compose(&tenant, &[], &Wishes { allow_empty: true, ..wishes }, &Signed::default()).unwrap();
    assert_eq!(draft.facts().selection, ["group 1", "group 0"]);
}

#[test]
fn the_operator_and_the_owners_are_spared_unless_asked_for() {
    let tenant = Tenant { owners: vec![2], ..Tenant::default() };
    let input: Vec<String> = [1, 2, 3].map(upn).into();
    let draft = compose(&tenant, &input, &Wishes::default(), &operator(1)).unwrap();
    assert_eq!(draft.facts().protected.len(), 2);
    assert!(draft.notices().iter().any(|notice| notice.contains("--include-self")));
    assert_eq!(sent(draft), ids(&[3]));
    let wishes = Wishes { include_self: true, ..Wishes::default() };
    let draft = compose(&tenant, &input, &wishes, &operator(1)).unwrap();
    assert!(draft.sends_operator());
    assert_eq!(sent(draft), ids(&[3, 1]));
    let wishes = Wishes { unprotect: vec![upn(2).parse().unwrap()], ..Wishes::default() };
    let draft = compose(&tenant, &input, &wishes, &operator(1)).unwrap();
    assert_eq!(draft.facts().unprotected, [(upn(2), "owner of the app that signs in".to_owned())]);
    let plan = rows(draft);
    assert!(plan[1].order().is_some() && plan[1].note.contains("--unprotect"), "{:?}", plan[1]);
    let wishes = Wishes { unprotect: vec![upn(3).parse().unwrap()], ..Wishes::default() };
    let refused = compose(&tenant, &input, &wishes, &operator(1)).err().unwrap();
    assert!(matches!(refused, PlanError::Guard(GuardError::NotProtected { .. })), "{refused}");
    let tenant = Tenant { forbidden: vec![Need::Apps, Need::Roles], ..tenant };
    let draft = compose(&tenant, &input, &Wishes::default(), &operator(1)).unwrap();
    let unchecked = draft.facts().unchecked.join("; ");
    assert!(
        unchecked.contains("Application.Read.All") && unchecked.contains("RoleManagement"),
        "{unchecked}"
    );
    assert_eq!((draft.facts().admins.clone(), draft.targets()), (None, 2));
}

#[test]
fn the_order_is_lists_administrators_and_the_input() {
    let tenant = Tenant { admins: vec![5], groups: vec![(vec![4], vec![])], ..Tenant::default() };
    let input: Vec<String> = [1, 2, 3, 4, 5, 6].map(upn).into();
    let wishes = Wishes {
        first: listed(&["group:0", &object(3).to_string()]),
        admins_first: true,
        ..Wishes::default()
    };
    let draft = compose(&tenant, &input, &wishes, &Signed::default()).unwrap();
    assert_eq!(draft.facts().first, [upn(4), upn(3), upn(5)]);
    assert_eq!((draft.facts().global_administrators, draft.facts().administrators), (Some((1, 1)), 1));
    assert_eq!(sent(draft), ids(&[4, 3, 5, 1, 2, 6]));
}

#[test]
fn filters_leave_out_by_what_the_directory_says() {
    let input: Vec<String> = [1, 3, 4, 6].map(upn).into();
    let of = |guests, enabled| {
        let wishes = Wishes { only: Only { guests, enabled }, ..Wishes::default() };
        sent(compose(&Tenant::default(), &input, &wishes, &Signed::default()).unwrap())
    };
    assert_eq!(of(Some(true), false), ids(&[3, 6]));
    assert_eq!(of(Some(false), false), ids(&[1, 4]));
    assert_eq!(of(Some(false), true), ids(&[1]));
}

// ── Any tenant ─────────────────────────────────────────────────────────────────────────────────────────────────

/// Somebody, and by which name.
type Called = (u8, bool);

fn called((n, by_name): Called) -> String {
    match (by_name, n % 2) {
        (true, 0) => upn(n).to_uppercase(),
        (true, _) => upn(n),
        (false, 0) => object(n).to_string().to_uppercase(),
        (false, _) => object(n).to_string(),
    }
}

prop_compose! {
    fn tenant()(
        users in 1..12_u8,
        groups in prop::collection::vec((prop::collection::vec(0..12_u8, 0..5), prop::collection::vec(0..4_usize, 0..3)), 4),
        owners in prop::collection::vec(0..12_u8, 0..2),
        unknown in any::<bool>(),
    ) -> Tenant {
        let known = |people: Vec<u8>| people.into_iter().filter(|n| *n < users).collect();
        let groups = groups.into_iter().map(|(people, inner)| (known(people), inner)).collect();
        let reads = if unknown { UserReads::Unknown } else { UserReads::Allowed };
        Tenant { users, groups, owners: known(owners), reads, ..Tenant::default() }
    }
}

fn some(most: usize) -> impl Strategy<Value = (Vec<Called>, Vec<usize>)> {
    (prop::collection::vec((0..12_u8, any::<bool>()), 0..=most), prop::collection::vec(0..4_usize, 0..2))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn all_who_are_selected_and_unprotected_are_targets_and_nobody_else(
        tenant in tenant(), rows in some(8), protect in some(2), exclude in some(2), signed in 0..12_u8,
    ) {
        let list = |(people, groups): &(Vec<Called>, Vec<usize>)| -> Vec<Listed> {
            let groups = groups.iter().map(|number| Listed::Of(group(*number)));
            people.iter().map(|one| Listed::read(&called(*one), false)).chain(groups).collect()
        };
        let all = |(people, groups): &(Vec<Called>, Vec<usize>)| -> BTreeSet<u8> {
            let members = groups.iter().flat_map(|group| tenant.members(*group));
            people.iter().map(|(n, _)| *n).chain(members).collect()
        };
        let wishes = Wishes {
            selectors: rows.1.iter().copied().map(group).collect(),
            protect: list(&protect),
            exclude: list(&exclude),
            allow_empty: true,
            ..Wishes::default()
        };
        let input: Vec<String> = rows.0.iter().copied().map(called).collect();
        // A token that does not tell is not tried out for one user.
        let bare = wishes.selectors.is_empty() && wishes.protect.is_empty() && wishes.exclude.is_empty();
        prop_assume!(tenant.reads == UserReads::Allowed || !bare || input.len() > 1);
        // An operator of a home elsewhere is nobody here.
        let planned = compose(&tenant, &input, &wishes, &operator(signed));
        let nobody = protect.0.iter().chain(&exclude.0).any(|(n, _)| *n >= tenant.users);
        // Where nothing was asked for, nothing is looked up.
        let draft = match planned {
            Ok(draft) => draft,
            Err(refused) => {
                prop_assert!(nobody, "{refused}");
                return Ok(());
            }
        };
        prop_assert!(!nobody);
        let safe: BTreeSet<u8> =
            all(&protect).into_iter().chain(all(&exclude)).chain(tenant.owners.clone()).chain([signed]).collect();
        let expected: BTreeSet<u8> = all(&rows).difference(&safe).copied().collect();
        let plan = self::rows(draft);
        let mut found = BTreeSet::new();
        for row in plan.iter().filter(|row| row.order().is_some()) {
            let n = (0..12).find(|n| [object(*n).to_string(), upn(*n)].contains(&row.user_id.to_lowercase())).unwrap();
            let known = row.user_id == object(n).to_string();
            prop_assert!(known || n >= tenant.users, "{} is sent by a name", row.user_id);
            prop_assert!(found.insert(n) || n >= tenant.users, "{n} twice");
        }
        prop_assert_eq!(found, expected);
    }
}
