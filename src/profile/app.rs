//! Further apps in a profile: `[[profile.NAME.app]]`, each with its own ID and sign-in method. The tenant and the cloud
//! are those of the profile.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Profile;
use super::file::{ConfigReader, in_file_order};
use super::section::Section;
use super::value::type_name;
use crate::identity::AdditionalApp;
use crate::text::sanitize::sanitize_truncated;

impl<'a> ConfigReader<'a> {
    /// The further apps of a profile.
    pub(super) fn apps(&mut self, profile: &str, value: &Spanned<DeValue<'a>>) -> Vec<AdditionalApp> {
        let DeValue::Array(items) = value.get_ref() else {
            let what = type_name(value.get_ref());
            let right = format!("begin each app with [[profile.{profile}.app]]");
            let place = format!("app in profile {profile}");
            self.report(value.span().start, format!("{place} must be a list of tables, not {what}: {right}"));
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
                    let what = type_name(other);
                    let right = format!("begin each app with [[profile.{profile}.app]]");
                    self.report(item.span().start, format!("{name} must be a table, not {what}: {right}"));
                }
            }
        }
        apps
    }

    fn app(&mut self, name: &str, at: usize, table: &DeTable<'a>) -> AdditionalApp {
        // An app's keys are also keys of a profile, so the same code reads them.
        let mut read = Profile::default();
        let (mut seen, place, before) = (Vec::new(), format!(" in {name}"), self.problem_count());
        for entry in in_file_order(table) {
            self.key(entry, &mut read, &mut seen, &Section::App(&place));
        }
        let app = AdditionalApp {
            name: name.to_owned(),
            tenant: None,
            client_id: read.client_id,
            sources: read.sources,
        };
        // If a key is wrong, a message about what is missing would only follow from that.
        if let Some(problem) = app.problem().filter(|_| self.problem_count() == before) {
            self.report(at, format!("{name}: {}", sanitize_truncated(&problem, 300)));
        }
        app
    }
}
