//! Plans against made-up tenants: nobody protected or unselected is a target, and everybody else is, once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use uuid::Uuid;

use super::ask::{DirectorySource, UserPages};
use super::*;
use crate::directory::{
    Budget, DirectoryError, DirectoryUser, Permission, PrivilegedUsers, ResolvedId, Selector, UserReadScope,
};
use crate::intake::{self, InputSource, IntakeOptions};

/// A made-up tenant: users by number, groups with members and groups in them.
#[derive(Clone, Debug)]
struct FakeTenant {
    users: u8,
    groups: Vec<(Vec<u8>, Vec<usize>)>,
    reads: UserReadScope,
    /// What may not be read.
    forbidden: Vec<Permission>,
    owners: Vec<u8>,
    admins: Vec<u8>,
}

impl Default for FakeTenant {
    fn default() -> FakeTenant {
        FakeTenant {
            users: 8,
            groups: Vec::new(),
            reads: UserReadScope::Full,
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

fn person(n: u8) -> DirectoryUser {
    DirectoryUser {
        id: object(n),
        upn: Some(upn(n).into()),
        name: Some(format!("User {n}").into()),
        guest: Some(n.is_multiple_of(3)),
        enabled: Some(!n.is_multiple_of(4)),
        synced: Some(false),
    }
}

impl FakeTenant {
    fn check(&self, permission: Permission) -> Result<(), DirectoryError> {
        match self.forbidden.contains(&permission) {
            true => {
                Err(DirectoryError::Forbidden { what: "it".to_owned(), permission, detail: "no".to_owned() })
            }
            false => Ok(()),
        }
    }

    fn known(&self, n: u8) -> Option<ResolvedId> {
        (n < self.users).then(|| ResolvedId::User(person(n)))
    }

    fn one(&self, id: &UserId) -> ResolvedId {
        let found = (0..self.users).find(|n| match id {
            UserId::Object(id) => object(*n) == *id,
            UserId::Principal(name) => upn(*n).eq_ignore_ascii_case(name),
            UserId::Me => panic!("an app's token was asked who it is"),
        });
        found.and_then(|n| self.known(n)).unwrap_or(ResolvedId::Missing)
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

struct FakePages(String, Vec<Vec<DirectoryUser>>);

impl UserPages for FakePages {
    fn name(&self) -> &str {
        &self.0
    }

    async fn next_page(&mut self) -> Result<Option<Vec<DirectoryUser>>, DirectoryError> {
        Ok(self.1.pop())
    }

    fn missing(&self) -> u64 {
        0
    }

    fn expected(&self) -> Option<u64> {
        None
    }
}

impl DirectorySource for FakeTenant {
    type UserSource = FakePages;

    fn with_budget(&self, _: &Budget) -> FakeTenant {
        self.clone()
    }

    fn user_reads(&self) -> UserReadScope {
        self.reads
    }

    async fn answers(&self, _people: &[UserId]) -> Result<(), DirectoryError> {
        self.check(Permission::Users)
    }

    async fn resolve(&self, ids: &[UserId]) -> Result<Vec<ResolvedId>, DirectoryError> {
        self.check(Permission::Users)?;
        Ok(ids.iter().map(|id| self.one(id)).collect())
    }

    async fn find(&self, names: &[String]) -> Result<Vec<ResolvedId>, DirectoryError> {
        self.check(Permission::Users)?;
        let find = |name: &String| match name.strip_prefix("alias") {
            Some("") => ResolvedId::Ambiguous(vec![upn(0), upn(1)]),
            Some(n) => n.parse().ok().and_then(|n| self.known(n)).unwrap_or(ResolvedId::Missing),
            None => name.parse().map_or(ResolvedId::Missing, |id| self.one(&id)),
        };
        Ok(names.iter().map(find).collect())
    }

    async fn people(&self, selector: &Selector) -> Result<FakePages, DirectoryError> {
        self.check(Permission::Groups)?;
        let Selector::Group { name, .. } = selector else { panic!("{selector}") };
        let number = name.parse().ok().filter(|number| *number < self.groups.len());
        let number = number.ok_or_else(|| DirectoryError::NotFound { what: selector.to_string() })?;
        let mut people: Vec<DirectoryUser> = self.members(number).into_iter().map(person).collect();
        if self.check(Permission::Users).is_err() {
            people.iter_mut().for_each(|one| *one = DirectoryUser { id: one.id, ..DirectoryUser::default() });
        }
        // Empty pages, and somebody again on a later one.
        let again: Vec<DirectoryUser> = people.first().cloned().into_iter().collect();
        let mut pages: Vec<Vec<DirectoryUser>> = people.chunks(2).map(<[DirectoryUser]>::to_vec).collect();
        pages.extend([again, Vec::new()]);
        Ok(FakePages(selector.to_string(), pages))
    }

    async fn admins(&self) -> Result<PrivilegedUsers, DirectoryError> {
        self.check(Permission::Roles)?;
        let role = |n: &u8| (object(*n), vec!["Global Administrator".to_owned()]);
        Ok(PrivilegedUsers {
            roles: self.admins.iter().map(role).collect(),
            global: self.admins.iter().map(|n| object(*n)).collect(),
            ..PrivilegedUsers::default()
        })
    }

    async fn owners(&self, _: &str) -> Result<Vec<DirectoryUser>, DirectoryError> {
        self.check(Permission::Apps)?;
        Ok(self.owners.iter().map(|n| person(*n)).collect())
    }

    async fn count_users(&self) -> Result<u64, DirectoryError> {
        self.check(Permission::Users)?;
        Ok(u64::from(self.users))
    }

    async fn me(&self) -> Result<Option<DirectoryUser>, DirectoryError> {
        Ok(None)
    }
}

/// An input of these lines, a plain list.
fn gathered(dir: &Path, lines: &[String]) -> InputRows {
    if lines.is_empty() {
        return InputRows::default();
    }
    let path = dir.join("users.txt");
    std::fs::write(&path, lines.join("\n")).unwrap();
    InputRows::read(intake::open(&[InputSource::File(path)], &IntakeOptions::default()).unwrap()).unwrap()
}

fn compose(
    tenant: &FakeTenant,
    lines: &[String],
    wishes: &PlanOptions,
    signed: &Operator,
) -> Result<Draft, PlanError> {
    let dir = tempfile::tempdir().unwrap();
    let tenants = PlanTenants::one(signed.clone(), Some(tenant), []);
    let composed = compose::build_plan(gathered(dir.path(), lines), wishes, &tenants, &|_| {});
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

fn listed(texts: &[&str]) -> Vec<ListEntry> {
    texts.iter().map(|text| ListEntry::read(text, false)).collect()
}

fn ids(numbers: &[u8]) -> Vec<String> {
    numbers.iter().map(|n| object(*n).to_string()).collect()
}

fn group(number: usize) -> Selector {
    Selector::Group { name: number.to_string(), direct: false }
}

fn operator(n: u8) -> Operator {
    let operator = vec![upn(n).parse().unwrap(), UserId::Object(object(n)), UserId::Me];
    Operator { operator, app_ids: vec!["app".to_owned()] }
}

#[test]
fn one_person_by_any_name_is_one_target() {
    let tenant = FakeTenant { groups: vec![(vec![1, 2], vec![])], ..FakeTenant::default() };
    let wishes = PlanOptions { selectors: vec![group(0)], ..PlanOptions::default() };
    let input = [upn(1), object(1).to_string(), upn(3).to_uppercase(), "gone@contoso.com".to_owned()];
    let draft = compose(&tenant, &input, &wishes, &Operator::default()).unwrap();
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
    let wishes = PlanOptions { resolve: true, ..PlanOptions::default() };
    let draft = compose(&FakeTenant::default(), &input, &wishes, &Operator::default()).unwrap();
    let plan = rows(draft);
    let invalid: Vec<String> = plan.iter().filter_map(|row| Some(row.left_out.clone()?.detail)).collect();
    assert!(invalid[0].contains("ambiguous") && invalid[0].contains("user1@"), "{invalid:?}");
    assert!(invalid[1].contains("no user has that name"), "{invalid:?}");
    assert_eq!(
        (plan[0].user_id.clone(), plan[3].user_id.clone()),
        (ids(&[2])[0].clone(), ids(&[1])[0].clone())
    );
    let draft = compose(
        &FakeTenant::default(),
        &lines(&["alias2", "user1@contoso.com"]),
        &PlanOptions::default(),
        &Operator::default(),
    );
    assert!(draft.unwrap().first_invalid().unwrap().contains("--resolve"));
}

#[test]
fn a_list_that_names_nobody_stops_the_plan() {
    let tenant = FakeTenant { groups: vec![(vec![1], vec![])], ..FakeTenant::default() };
    let input = [upn(2)];
    let wishes = |list: &str| {
        let protect = PlanOptions { protect: listed(&[list]), ..PlanOptions::default() };
        let exclude = PlanOptions { exclude: listed(&[list]), ..PlanOptions::default() };
        [protect, exclude, PlanOptions { first: listed(&[list]), ..PlanOptions::default() }]
    };
    for list in ["gone@contoso.com", "group:9"] {
        for wishes in wishes(list) {
            let refused = compose(&tenant, &input, &wishes, &Operator::default()).err().unwrap();
            assert!(matches!(refused, PlanError::Guard(_)), "{refused}");
            assert!(refused.to_string().contains(&list.replace(':', " ")), "{refused}");
        }
    }
    let tenant = FakeTenant { forbidden: vec![Permission::Groups], ..tenant };
    for wishes in wishes("group:0") {
        let refused = compose(&tenant, &input, &wishes, &Operator::default()).err().unwrap();
        assert!(matches!(refused, PlanError::Guard(GuardError::Directory { .. })), "{refused}");
    }
}

#[test]
fn without_the_permission_ids_are_compared_as_they_are_written() {
    let tenant = FakeTenant {
        forbidden: vec![Permission::Users],
        groups: vec![(vec![4, 5], vec![])],
        ..FakeTenant::default()
    };
    let input = [upn(1), object(1).to_string()];
    for reads in [UserReadScope::Full, UserReadScope::Unknown, UserReadScope::Missing] {
        let tenant = FakeTenant { reads, ..tenant.clone() };
        let draft = compose(&tenant, &input, &PlanOptions::default(), &Operator::default()).unwrap();
        assert!(draft.notices()[0].contains("User.Read.All"), "{:?}", draft.notices());
        assert_eq!(draft.targets(), 2);
        // A group gives object ids alone, and a name on the protect list can't be compared with those.
        let wishes = PlanOptions { selectors: vec![group(0)], ..PlanOptions::default() };
        assert_eq!(sent(compose(&tenant, &[], &wishes, &Operator::default()).unwrap()), ids(&[4, 5]));
        let wishes = PlanOptions { protect: listed(&["user4@contoso.com"]), ..wishes };
        let refused = compose(&tenant, &[], &wishes, &Operator::default()).err().unwrap();
        assert!(matches!(refused, PlanError::Guard(GuardError::Incomparable { .. })), "{refused}");
        let only = AccountFilter { guests: Some(false), enabled: false };
        let refused =
            compose(&tenant, &input, &PlanOptions { only, ..PlanOptions::default() }, &Operator::default());
        let refused = refused.err().unwrap();
        assert!(
            matches!(refused, PlanError::Directory(_)) && refused.to_string().contains("User.Read.All"),
            "{refused}"
        );
    }
}

#[test]
fn a_selection_of_nobody_is_an_error_unless_allowed() {
    let tenant = FakeTenant { groups: vec![(vec![], vec![]), (vec![1], vec![0])], ..FakeTenant::default() };
    let wishes = PlanOptions { selectors: vec![group(1), group(0)], ..PlanOptions::default() };
    let refused = compose(&tenant, &[], &wishes, &Operator::default()).err().unwrap();
    assert!(refused.to_string().starts_with("group 0 has no users"), "{refused}");
    let draft =
        compose(&tenant, &[], &PlanOptions { allow_empty: true, ..wishes }, &Operator::default()).unwrap();
    assert_eq!(draft.facts().selection, ["group 1", "group 0"]);
}

#[test]
fn the_operator_and_the_owners_are_spared_unless_asked_for() {
    let tenant = FakeTenant { owners: vec![2], ..FakeTenant::default() };
    let input: Vec<String> = [1, 2, 3].map(upn).into();
    let draft = compose(&tenant, &input, &PlanOptions::default(), &operator(1)).unwrap();
    assert_eq!(draft.facts().protected.len(), 2);
    assert!(draft.notices().iter().any(|notice| notice.contains("--include-self")));
    assert_eq!(sent(draft), ids(&[3]));
    let wishes = PlanOptions { include_self: true, ..PlanOptions::default() };
    let draft = compose(&tenant, &input, &wishes, &operator(1)).unwrap();
    assert!(draft.sends_operator());
    assert_eq!(sent(draft), ids(&[3, 1]));
    let wishes = PlanOptions { unprotect: vec![upn(2).parse().unwrap()], ..PlanOptions::default() };
    let draft = compose(&tenant, &input, &wishes, &operator(1)).unwrap();
    assert_eq!(draft.facts().unprotected, [(upn(2), "owner of the app that signs in".to_owned())]);
    let plan = rows(draft);
    assert!(plan[1].order().is_some() && plan[1].note.contains("--unprotect"), "{:?}", plan[1]);
    let wishes = PlanOptions { unprotect: vec![upn(3).parse().unwrap()], ..PlanOptions::default() };
    let refused = compose(&tenant, &input, &wishes, &operator(1)).err().unwrap();
    assert!(matches!(refused, PlanError::Guard(GuardError::NotProtected { .. })), "{refused}");
    let tenant = FakeTenant { forbidden: vec![Permission::Apps, Permission::Roles], ..tenant };
    let draft = compose(&tenant, &input, &PlanOptions::default(), &operator(1)).unwrap();
    let unchecked = draft.facts().unchecked.join("; ");
    assert!(
        unchecked.contains("Application.Read.All") && unchecked.contains("RoleManagement"),
        "{unchecked}"
    );
    assert_eq!((draft.facts().admins.clone(), draft.targets()), (None, 2));
}

#[test]
fn the_order_is_lists_administrators_and_the_input() {
    let tenant = FakeTenant { admins: vec![5], groups: vec![(vec![4], vec![])], ..FakeTenant::default() };
    let input: Vec<String> = [1, 2, 3, 4, 5, 6].map(upn).into();
    let wishes = PlanOptions {
        first: listed(&["group:0", &object(3).to_string()]),
        admins_first: true,
        ..PlanOptions::default()
    };
    let draft = compose(&tenant, &input, &wishes, &Operator::default()).unwrap();
    assert_eq!(draft.facts().first, [upn(4), upn(3), upn(5)]);
    assert_eq!((draft.facts().global_administrators, draft.facts().administrators), (Some((1, 1)), 1));
    assert_eq!(sent(draft), ids(&[4, 3, 5, 1, 2, 6]));
}

#[test]
fn filters_leave_out_by_what_the_directory_says() {
    let input: Vec<String> = [1, 3, 4, 6].map(upn).into();
    let of = |guests, enabled| {
        let wishes = PlanOptions { only: AccountFilter { guests, enabled }, ..PlanOptions::default() };
        sent(compose(&FakeTenant::default(), &input, &wishes, &Operator::default()).unwrap())
    };
    assert_eq!(of(Some(true), false), ids(&[3, 6]));
    assert_eq!(of(Some(false), false), ids(&[1, 4]));
    assert_eq!(of(Some(false), true), ids(&[1]));
}

// ── Any tenant ─────────────────────────────────────────────────────────────────────────────────────────────────

/// Somebody, and by which name.
type NamedRow = (u8, bool);

fn called((n, by_name): NamedRow) -> String {
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
    ) -> FakeTenant {
        let known = |people: Vec<u8>| people.into_iter().filter(|n| *n < users).collect();
        let groups = groups.into_iter().map(|(people, inner)| (known(people), inner)).collect();
        let reads = if unknown { UserReadScope::Unknown } else { UserReadScope::Full };
        FakeTenant { users, groups, owners: known(owners), reads, ..FakeTenant::default() }
    }
}

fn some(most: usize) -> impl Strategy<Value = (Vec<NamedRow>, Vec<usize>)> {
    (prop::collection::vec((0..12_u8, any::<bool>()), 0..=most), prop::collection::vec(0..4_usize, 0..2))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn all_who_are_selected_and_unprotected_are_targets_and_nobody_else(
        tenant in tenant(), rows in some(8), protect in some(2), exclude in some(2), signed in 0..12_u8,
    ) {
        let list = |(people, groups): &(Vec<NamedRow>, Vec<usize>)| -> Vec<ListEntry> {
            let groups = groups.iter().map(|number| ListEntry::Of(group(*number)));
            people.iter().map(|one| ListEntry::read(&called(*one), false)).chain(groups).collect()
        };
        let all = |(people, groups): &(Vec<NamedRow>, Vec<usize>)| -> BTreeSet<u8> {
            let members = groups.iter().flat_map(|group| tenant.members(*group));
            people.iter().map(|(n, _)| *n).chain(members).collect()
        };
        let wishes = PlanOptions {
            selectors: rows.1.iter().copied().map(group).collect(),
            protect: list(&protect),
            exclude: list(&exclude),
            allow_empty: true,
            ..PlanOptions::default()
        };
        let input: Vec<String> = rows.0.iter().copied().map(called).collect();
        // A token that does not tell is not tried out for one user.
        let bare = wishes.selectors.is_empty() && wishes.protect.is_empty() && wishes.exclude.is_empty();
        prop_assume!(tenant.reads == UserReadScope::Full || !bare || input.len() > 1);
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
