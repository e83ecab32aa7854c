//! Further apps in a profile: `[[profile.NAME.app]]`, each with an id and a way to sign in of its own. Tenant and cloud
//! are the profile's.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Profile;
use super::file::{ConfigReader, by_place};
use super::value::kind;
use super::within::Section;
use crate::identity::AdditionalApp;
use crate::text::sanitize::sanitize_truncated;

impl<'a> ConfigReader<'a> {
    /// The further apps of a profile.
    pub(super) fn apps(&mut self, profile: &str, value: &Spanned<DeValue<'a>>) -> Vec<AdditionalApp> {
        let DeValue::Array(items) = value.get_ref() else {
            let what = kind(value.get_ref());
            let right = format!("an app begins with [[profile.{profile}.app]]");
            self.wrong(value.span().start, format!("app in profile {profile} is {what}; {right}"));
            return Vec::new();
        };
        let mut apps: Vec<AdditionalApp> = Vec::new();
        for (number, item) in (1..).zip(items.iter()) {
            let name = format!("app {number} of profile {profile}");
            match item.get_ref() {
                DeValue::Table(table) => {
                    let app = self.app(&name, item.span().start, table);
                    apps.push(app);
                }
                other => {
                    let right = format!("an app begins with [[profile.{profile}.app]]");
                    self.wrong(item.span().start, format!("{name} is {}; {right}", kind(other)));
                }
            }
        }
        apps
    }

    fn app(&mut self, name: &str, at: usize, table: &DeTable<'a>) -> AdditionalApp {
        // What an app may have, a profile has, too: the same keys read it.
        let mut read = Profile::default();
        let (mut seen, place, before) = (Vec::new(), format!(" in {name}"), self.problem_count());
        for entry in by_place(table) {
            self.key(entry, &mut read, &mut seen, &Section::App(&place));
        }
        let app = AdditionalApp {
            name: name.to_owned(),
            tenant: None,
            client_id: read.client_id,
            sources: read.sources,
        };
        // Where a key is wrong, what is missing for it is no news.
        if let Some(problem) = app.problem().filter(|_| self.problem_count() == before) {
            self.wrong(at, format!("{name}: {}", sanitize_truncated(&problem, 300)));
        }
        app
    }
}
