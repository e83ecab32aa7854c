//! Random directories, selections and lists: the simulator counts which users get a request.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{directory, group, names, object, sent, upn};
use crate::ctx::TestContext;

const USERS: u8 = 8;
const GROUPS: usize = 3;

/// Members, and groups in it, itself among them.
type Group = (BTreeSet<u8>, BTreeSet<usize>);

/// Users by name or object id, and groups.
#[derive(Clone, Debug)]
struct RandomSubset {
    users: Vec<(u8, bool)>,
    groups: BTreeSet<usize>,
}

impl RandomSubset {
    fn all(&self, groups: &[Group]) -> BTreeSet<u8> {
        let (mut open, mut seen) = (Vec::from_iter(self.groups.clone()), BTreeSet::new());
        let mut all: BTreeSet<u8> = self.users.iter().map(|(n, _)| *n).collect();
        while let Option::Some(number) = open.pop() {
            if seen.insert(number) {
                all.extend(&groups[number].0);
                open.extend(&groups[number].1);
            }
        }
        all
    }

    fn called(&self) -> Vec<String> {
        self.users
            .iter()
            .map(|(n, by_name)| if *by_name { upn(*n).to_uppercase() } else { object(*n) })
            .collect()
    }

    fn args(&self, user: &str, of_group: &str, before: &str) -> Vec<String> {
        let users = self.called().into_iter().flat_map(|id| [user.to_owned(), id]);
        let groups = self.groups.iter().flat_map(|n| [of_group.to_owned(), format!("{before}Group {n}")]);
        users.chain(groups).collect()
    }
}

fn some(most: usize) -> impl Strategy<Value = RandomSubset> {
    let users = prop::collection::vec((0..USERS, any::<bool>()), 0..=most);
    (users, prop::collection::btree_set(0..GROUPS, 0..2))
        .prop_map(|(users, groups)| RandomSubset { users, groups })
}

fn groups() -> impl Strategy<Value = Vec<Group>> {
    let one = (prop::collection::btree_set(0..USERS, 0..4), prop::collection::btree_set(0..GROUPS, 0..2));
    prop::collection::vec(one, GROUPS)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(30) })]

    #[test]
    fn exactly_the_selected_unprotected_users_are_revoked(
        groups in groups(), chosen in some(5), protect in some(1), exclude in some(1),
    ) {
        if chosen.users.is_empty() && chosen.groups.is_empty() {
            return Ok(());
        }
        let mut toml = directory(USERS);
        for (number, (users, inner)) in groups.iter().enumerate() {
            let inner = inner.iter().map(|n| format!("group:Group {n}"));
            let members: Vec<String> = users.iter().map(|n| upn(*n)).chain(inner).collect();
            toml.push_str(&group(&format!("Group {number}"), &members));
        }
        let ctx = TestContext::new(&toml);
        let mut run = ctx.command("run");
        run.args(["--allow-empty", "-o", "none"]);
        if !chosen.users.is_empty() {
            run.arg(ctx.input("users.txt", chosen.called().join("\n")));
        }
        run.args(chosen.groups.iter().flat_map(|n| ["--group".to_owned(), format!("Group {n}")]));
        run.args(protect.args("--protect", "--protect", "group:"));
        run.args(exclude.args("--exclude", "--exclude-group", ""));
        let done = ctx.finish(&mut run);
        prop_assert_eq!(done.code, Option::Some(0), "{}", done.stderr);
        let safe = protect.all(&groups).into_iter().chain(exclude.all(&groups)).collect();
        let expected = names(chosen.all(&groups).difference(&safe).copied());
        prop_assert_eq!(sent(&ctx), expected);
        prop_assert!(ctx.ledger().users.iter().all(|user| user.requests <= 1), "somebody was sent twice");
    }
}
