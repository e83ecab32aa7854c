//! Plans against fake tenants: no protected or unselected user is a target, and every other user is one,
//! once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use uuid::Uuid;

use super::directory_source::{DirectorySource, UserPages};
use super::*;
use crate::directory::{
    Budget, DirectoryError, DirectoryUser, Permission, PrivilegedUsers, ResolvedId, Selector, UserReadScope,
};
use crate::intake::{self, InputSource, IntakeOptions};

/// A fake tenant: users by number, and groups with members and nested groups.
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

    fn user_if_exists(&self, n: u8) -> Option<ResolvedId> {
        (n < self.users).then(|| ResolvedId::User(person(n)))
    }

    fn resolve_one(&self, id: &UserId) -> ResolvedId {
        let found = (0..self.users).find(|n| match id {
            UserId::Object(id) => object(*n) == *id,
            UserId::Principal(name) => upn(*n).eq_ignore_ascii_case(name),
            UserId::Me => panic!("an app's token was asked who it is"),
        });
        found.and_then(|n| self.user_if_exists(n)).unwrap_or(ResolvedId::Missing)
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
    type Pages = FakePages;

    fn with_budget(&self, _: &Budget) -> FakeTenant {
        self.clone()
    }

    fn user_reads(&self) -> UserReadScope {
        self.reads
    }

    async fn check_reachable(&self, _people: &[UserId]) -> Result<(), DirectoryError> {
        self.check(Permission::Users)
    }

    async fn resolve(&self, ids: &[UserId]) -> Result<Vec<ResolvedId>, DirectoryError> {
        self.check(Permission::Users)?;
        Ok(ids.iter().map(|id| self.resolve_one(id)).collect())
    }

    async fn find_users(&self, names: &[String]) -> Result<Vec<ResolvedId>, DirectoryError> {
        self.check(Permission::Users)?;
        let find = |name: &String| match name.strip_prefix("alias") {
            Some("") => ResolvedId::Ambiguous(vec![upn(0), upn(1)]),
            Some(n) => n.parse().ok().and_then(|n| self.user_if_exists(n)).unwrap_or(ResolvedId::Missing),
            None => name.parse().map_or(ResolvedId::Missing, |id| self.resolve_one(&id)),
        };
        Ok(names.iter().map(find).collect())
    }

    async fn select_users(&self, selector: &Selector) -> Result<FakePages, DirectoryError> {
        self.check(Permission::Groups)?;
        let Selector::Group { name, .. } = selector else { panic!("{selector}") };
        let number = name.parse().ok().filter(|number| *number < self.groups.len());
        let number = number.ok_or_else(|| DirectoryError::NotFound { what: selector.to_string() })?;
        let mut people: Vec<DirectoryUser> = self.members(number).into_iter().map(person).collect();
        if self.check(Permission::Users).is_err() {
            people.iter_mut().for_each(|one| *one = DirectoryUser { id: one.id, ..DirectoryUser::default() });
        }
        // Includes an empty page, and a user who occurs again on a later page.
        let again: Vec<DirectoryUser> = people.first().cloned().into_iter().collect();
        let mut pages: Vec<Vec<DirectoryUser>> = people.chunks(2).map(<[DirectoryUser]>::to_vec).collect();
        pages.extend([again, Vec::new()]);
        Ok(FakePages(selector.to_string(), pages))
    }

    async fn privileged_users(&self) -> Result<PrivilegedUsers, DirectoryError> {
        self.check(Permission::Roles)?;
        let role = |n: &u8| (object(*n), vec!["Global Administrator".to_owned()]);
        Ok(PrivilegedUsers {
            roles: self.admins.iter().map(role).collect(),
            global_administrators: self.admins.iter().map(|n| object(*n)).collect(),
            ..PrivilegedUsers::default()
        })
    }

    async fn app_owners(&self, _: &str) -> Result<Vec<DirectoryUser>, DirectoryError> {
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

/// An input that is a plain list of these lines.
fn input_rows(dir: &Path, lines: &[String]) -> InputRows {
    if lines.is_empty() {
        return InputRows::default();
    }
    let path = dir.join("users.txt");
    std::fs::write(&path, lines.join("\n")).unwrap();
    InputRows::read(intake::open(&[InputSource::File(path)], &IntakeOptions::default()).unwrap()).unwrap()
}

fn build_draft(
    tenant: &FakeTenant,
    lines: &[String],
    options: &PlanOptions,
    signed: &Operator,
) -> Result<Draft, PlanError> {
    let dir = tempfile::tempdir().unwrap();
    let tenants = PlanTenants::single(signed.clone(), Some(tenant), []);
    let composed = build::build_plan(input_rows(dir.path(), lines), options, &tenants, &|_| {});
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

/// The targets, in sending order.
fn sent_users(draft: Draft) -> Vec<String> {
    let rows = rows(draft);
    let sent: BTreeMap<u32, String> =
        rows.into_iter().filter_map(|row| Some((row.order()?, row.user_id))).collect();
    sent.into_values().collect()
}

fn lines(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn list_entries(texts: &[&str]) -> Vec<ListEntry> {
    texts.iter().map(|text| ListEntry::parse(text, false)).collect()
}

fn ids(numbers: &[u8]) -> Vec<String> {
    numbers.iter().map(|n| object(*n).to_string()).collect()
}

fn group(number: usize) -> Selector {
    Selector::Group { name: number.to_string(), direct: false }
}

fn operator(n: u8) -> Operator {
    let operator = vec![upn(n).parse().unwrap(), UserId::Object(object(n)), UserId::Me];
    Operator { user_ids: operator, app_ids: vec!["app".to_owned()] }
}

#[test]
fn user_named_in_several_ways_is_one_target() {
    let tenant = FakeTenant { groups: vec![(vec![1, 2], vec![])], ..FakeTenant::default() };
    let options = PlanOptions { selectors: vec![group(0)], ..PlanOptions::default() };
    let input = [upn(1), object(1).to_string(), upn(3).to_uppercase(), "gone@contoso.com".to_owned()];
    let draft = build_draft(&tenant, &input, &options, &Operator::default()).unwrap();
    assert_eq!((draft.summary().missing, draft.summary().guests, draft.record().selected), (1, 1, 2));
    assert!(draft.notices().iter().any(|notice| notice.contains("1 user does not exist: gone@contoso.com")));
    let rows = rows(draft);
    let detail = |at: usize| rows[at].left_out.as_ref().map(|left_out| left_out.detail.clone());
    assert!(detail(1).unwrap().ends_with("users.txt:1"), "{:?}", detail(1));
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
fn names_are_resolved_only_with_resolve_flag() {
    let input = lines(&["alias2", "alias", "nobody", "user1@contoso.com"]);
    let options = PlanOptions { resolve_names: true, ..PlanOptions::default() };
    let draft = build_draft(&FakeTenant::default(), &input, &options, &Operator::default()).unwrap();
    let plan = rows(draft);
    let invalid: Vec<String> = plan.iter().filter_map(|row| Some(row.left_out.clone()?.detail)).collect();
    assert!(invalid[0].contains("ambiguous") && invalid[0].contains("user1@"), "{invalid:?}");
    assert!(invalid[1].contains("no user has this name"), "{invalid:?}");
    assert_eq!(
        (plan[0].user_id.clone(), plan[3].user_id.clone()),
        (ids(&[2])[0].clone(), ids(&[1])[0].clone())
    );
    let draft = build_draft(
        &FakeTenant::default(),
        &lines(&["alias2", "user1@contoso.com"]),
        &PlanOptions::default(),
        &Operator::default(),
    );
    assert!(draft.unwrap().first_invalid().unwrap().contains("--resolve"));
}

#[test]
fn unknown_list_entry_refuses_the_plan() {
    let tenant = FakeTenant { groups: vec![(vec![1], vec![])], ..FakeTenant::default() };
    let input = [upn(2)];
    let options = |list: &str| {
        let protect = PlanOptions { protect: list_entries(&[list]), ..PlanOptions::default() };
        let exclude = PlanOptions { exclude: list_entries(&[list]), ..PlanOptions::default() };
        [protect, exclude, PlanOptions { first: list_entries(&[list]), ..PlanOptions::default() }]
    };
    for list in ["gone@contoso.com", "group:9"] {
        for options in options(list) {
            let refused = build_draft(&tenant, &input, &options, &Operator::default()).err().unwrap();
            assert!(matches!(refused, PlanError::Guard(_)), "{refused}");
            assert!(refused.to_string().contains(&list.replace(':', " ")), "{refused}");
        }
    }
    let tenant = FakeTenant { forbidden: vec![Permission::Groups], ..tenant };
    for options in options("group:0") {
        let refused = build_draft(&tenant, &input, &options, &Operator::default()).err().unwrap();
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
        let draft = build_draft(&tenant, &input, &PlanOptions::default(), &Operator::default()).unwrap();
        assert!(draft.notices()[0].contains("User.Read.All"), "{:?}", draft.notices());
        assert_eq!(draft.target_count(), 2);
        // A group has only object IDs, and a name on the protect list can't be compared with those.
        let options = PlanOptions { selectors: vec![group(0)], ..PlanOptions::default() };
        assert_eq!(
            sent_users(build_draft(&tenant, &[], &options, &Operator::default()).unwrap()),
            ids(&[4, 5])
        );
        let options = PlanOptions { protect: list_entries(&["user4@contoso.com"]), ..options };
        let refused = build_draft(&tenant, &[], &options, &Operator::default()).err().unwrap();
        assert!(matches!(refused, PlanError::Guard(GuardError::Incomparable { .. })), "{refused}");
        let only = AccountFilter { guests: Some(false), enabled: false };
        let refused = build_draft(
            &tenant,
            &input,
            &PlanOptions { account_filter: only, ..PlanOptions::default() },
            &Operator::default(),
        );
        let refused = refused.err().unwrap();
        assert!(
            matches!(refused, PlanError::Directory(_)) && refused.to_string().contains("User.Read.All"),
            "{refused}"
        );
    }
}

#[test]
fn empty_selection_is_an_error_unless_allowed() {
    let tenant = FakeTenant { groups: vec![(vec![], vec![]), (vec![1], vec![0])], ..FakeTenant::default() };
    let options = PlanOptions { selectors: vec![group(1), group(0)], ..PlanOptions::default() };
    let refused = build_draft(&tenant, &[], &options, &Operator::default()).err().unwrap();
    assert!(refused.to_string().starts_with("group 0 has no users"), "{refused}");
    let draft =
        build_draft(&tenant, &[], &PlanOptions { allow_empty: true, ..options }, &Operator::default())
            .unwrap();
    assert_eq!(draft.summary().selection, ["group 1", "group 0"]);
}

#[test]
fn operator_and_app_owners_are_protected_by_default() {
    let tenant = FakeTenant { owners: vec![2], ..FakeTenant::default() };
    let input: Vec<String> = [1, 2, 3].map(upn).into();
    let draft = build_draft(&tenant, &input, &PlanOptions::default(), &operator(1)).unwrap();
    assert_eq!(draft.summary().protected.len(), 2);
    assert!(draft.notices().iter().any(|notice| notice.contains("--include-self")));
    assert_eq!(sent_users(draft), ids(&[3]));
    let options = PlanOptions { include_self: true, ..PlanOptions::default() };
    let draft = build_draft(&tenant, &input, &options, &operator(1)).unwrap();
    assert!(draft.includes_operator());
    assert_eq!(sent_users(draft), ids(&[3, 1]));
    let options = PlanOptions { unprotect: vec![upn(2).parse().unwrap()], ..PlanOptions::default() };
    let draft = build_draft(&tenant, &input, &options, &operator(1)).unwrap();
    assert_eq!(draft.summary().unprotected, [(upn(2), "owner of the app that signs in".to_owned())]);
    let plan = rows(draft);
    assert!(plan[1].order().is_some() && plan[1].note.contains("--unprotect"), "{:?}", plan[1]);
    let options = PlanOptions { unprotect: vec![upn(3).parse().unwrap()], ..PlanOptions::default() };
    let refused = build_draft(&tenant, &input, &options, &operator(1)).err().unwrap();
    assert!(matches!(refused, PlanError::Guard(GuardError::NotProtected { .. })), "{refused}");
    let tenant = FakeTenant { forbidden: vec![Permission::Apps, Permission::Roles], ..tenant };
    let draft = build_draft(&tenant, &input, &PlanOptions::default(), &operator(1)).unwrap();
    let unchecked = draft.summary().unchecked.join("; ");
    assert!(
        unchecked.contains("Application.Read.All") && unchecked.contains("RoleManagement"),
        "{unchecked}"
    );
    assert_eq!((draft.summary().admins.clone(), draft.target_count()), (None, 2));
}

#[test]
fn the_order_is_lists_administrators_and_the_input() {
    let tenant = FakeTenant { admins: vec![5], groups: vec![(vec![4], vec![])], ..FakeTenant::default() };
    let input: Vec<String> = [1, 2, 3, 4, 5, 6].map(upn).into();
    let options = PlanOptions {
        first: list_entries(&["group:0", &object(3).to_string()]),
        admins_first: true,
        ..PlanOptions::default()
    };
    let draft = build_draft(&tenant, &input, &options, &Operator::default()).unwrap();
    assert_eq!(draft.summary().first, [upn(4), upn(3), upn(5)]);
    assert_eq!((draft.summary().global_administrators, draft.summary().administrators), (Some((1, 1)), 1));
    assert_eq!(sent_users(draft), ids(&[4, 3, 5, 1, 2, 6]));
}

#[test]
fn filters_leave_out_by_what_the_directory_says() {
    let input: Vec<String> = [1, 3, 4, 6].map(upn).into();
    let of = |guests, enabled| {
        let options =
            PlanOptions { account_filter: AccountFilter { guests, enabled }, ..PlanOptions::default() };
        sent_users(build_draft(&FakeTenant::default(), &input, &options, &Operator::default()).unwrap())
    };
    assert_eq!(of(Some(true), false), ids(&[3, 6]));
    assert_eq!(of(Some(false), false), ids(&[1, 4]));
    assert_eq!(of(Some(false), true), ids(&[1]));
}

// ── Any tenant ─────────────────────────────────────────────────────────────────────────────────────────────────

/// A user, and whether the row has the name instead of the object ID.
type NamedRow = (u8, bool);

fn written_id((n, by_name): NamedRow) -> String {
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

fn people_and_groups(most: usize) -> impl Strategy<Value = (Vec<NamedRow>, Vec<usize>)> {
    (prop::collection::vec((0..12_u8, any::<bool>()), 0..=most), prop::collection::vec(0..4_usize, 0..2))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn targets_are_exactly_the_selected_unprotected_users(
        tenant in tenant(), rows in people_and_groups(8), protect in people_and_groups(2), exclude in people_and_groups(2), signed in 0..12_u8,
    ) {
        let list = |(people, groups): &(Vec<NamedRow>, Vec<usize>)| -> Vec<ListEntry> {
            let groups = groups.iter().map(|number| ListEntry::Selector(group(*number)));
            people.iter().map(|one| ListEntry::parse(&written_id(*one), false)).chain(groups).collect()
        };
        let all = |(people, groups): &(Vec<NamedRow>, Vec<usize>)| -> BTreeSet<u8> {
            let members = groups.iter().flat_map(|group| tenant.members(*group));
            people.iter().map(|(n, _)| *n).chain(members).collect()
        };
        let options = PlanOptions {
            selectors: rows.1.iter().copied().map(group).collect(),
            protect: list(&protect),
            exclude: list(&exclude),
            allow_empty: true,
            ..PlanOptions::default()
        };
        let input: Vec<String> = rows.0.iter().copied().map(written_id).collect();
        // With a token that does not list its permissions, one user alone is not looked up.
        let bare = options.selectors.is_empty() && options.protect.is_empty() && options.exclude.is_empty();
        prop_assume!(tenant.reads == UserReadScope::Full || !bare || input.len() > 1);
        // The operator may be from another tenant, and not exist in this one.
        let planned = build_draft(&tenant, &input, &options, &operator(signed));
        let nobody = protect.0.iter().chain(&exclude.0).any(|(n, _)| *n >= tenant.users);
        // The plan is refused only if a list names a user who does not exist.
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
