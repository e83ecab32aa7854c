//! A small tenant with names that are easy to confuse.

use entra_revoke::directory::{DirectoryError, DirectoryUser, ResolvedId};
use entra_revoke::simulator::Stats;

use crate::selecting::desk::DirectoryFixture;

pub(super) const ANN: &str = "aaaaaaaa-0000-4000-8000-000000000001";
pub(super) const GONE: &str = "dddddddd-0000-4000-8000-00000000000d";
pub(super) const NOBODY: &str = "eeeeeeee-0000-4000-8000-00000000000e";

pub(super) const TENANT: &str = r#"
[directory]
[[directory.user]]
upn = "Ann@contoso.example"
id = "aaaaaaaa-0000-4000-8000-000000000001"
name = "Ann O'Brien"
mail = "ann.obrien@contoso.example"
proxies = ["SMTP:ann.obrien@contoso.example", "smtp:ann@old.example", "smtp:shared@contoso.example"]
sam = "ann"
sam_domain = "corp.contoso.example"
synced = true
employee_id = "E1"
[[directory.user]]
upn = "o'neil+x@contoso.example"
mail = "bob@contoso.example"
proxies = ["smtp:shared@contoso.example"]
sam = "E1"
enabled = false
[[directory.user]]
upn = "bob@contoso.example"
other_mails = ["ann.obrien@contoso.example"]
[[directory.user]]
upn = "eve_partner.example#EXT#@contoso.example"
mail = "eve@partner.example"
[[directory.user]]
upn = "$pecial@contoso.example"
[[directory.user]]
upn = "gone@contoso.example"
id = "dddddddd-0000-4000-8000-00000000000d"
deleted = true
"#;

/// What a run that reads users has.
pub(super) const READS: &str = "[token]\nroles = ['User.RevokeSessions.All', 'User.Read.All']\n";

pub(super) fn desk() -> DirectoryFixture {
    DirectoryFixture::new(&format!("{READS}{TENANT}"))
}

impl DirectoryFixture {
    pub(crate) fn try_resolve(&self, ids: &[&str]) -> Result<Vec<ResolvedId>, DirectoryError> {
        let ids: Vec<_> = ids.iter().map(|id| id.parse().unwrap()).collect();
        self.wait(self.directory.resolve(&ids))
    }

    #[track_caller]
    pub(crate) fn resolve(&self, ids: &[&str]) -> Vec<ResolvedId> {
        self.try_resolve(ids).unwrap()
    }

    /// Whom a name means: their name before the `@`, or what it is instead.
    #[track_caller]
    pub(crate) fn find(&self, name: &str) -> String {
        match self.wait(self.directory.find_users(&[name.to_owned()])).unwrap().remove(0) {
            ResolvedId::User(person) => person.upn.unwrap().split('@').next().unwrap().to_owned(),
            ResolvedId::Ambiguous(names) => format!("ambiguous. Use an ID: {}", names.join(", ")),
            other => format!("{other:?}"),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.simulator.as_ref().unwrap().stats()
    }
}

#[track_caller]
pub(super) fn person(resolved: &ResolvedId) -> &DirectoryUser {
    match resolved {
        ResolvedId::User(person) => person,
        other => panic!("{other:?}"),
    }
}
