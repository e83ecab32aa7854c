//! Which further apps send beside the first one: those that `--app` names, else those of the profile. What they contradict
//! is found before anybody signs in.

use std::collections::HashSet;

use super::SignInSettings;
use super::profiled::{self, ChosenProfile};
use crate::cli::{AppArgs, ProfileArgs};
use crate::dispatch::MOST_APPS;
use crate::error::Error;
use crate::identity::{AdditionalApp, Auth, Cloud};
use crate::profile::{self, ConfigFile, Profile};
use crate::text::sanitize::sanitize_truncated;

/// The further apps, as they were named.
#[derive(Clone, Debug, Default)]
pub struct AppSettings {
    /// In the order in which they were named.
    pub further: Vec<AdditionalApp>,
    /// Why others can change the config file that names them, if they can and nobody said so yet.
    pub exposed: Option<String>,
}

impl AppSettings {
    /// Those of the flags, else of the profile.
    ///
    /// # Errors
    /// When what is named contradicts itself or the first app, or names no way for an app to sign in.
    pub fn new(
        args: &AppArgs,
        profiles: &ProfileArgs,
        chosen: Option<&ChosenProfile>,
        who: &SignInSettings,
        cloud: Cloud,
    ) -> Result<AppSettings, Error> {
        let apps = match apps_from_flags(args, profiles, who, cloud)? {
            Some(apps) => apps,
            None => {
                let further = chosen.map(|chosen| chosen.profile().apps.clone()).unwrap_or_default();
                AppSettings { further, exposed: None }
            }
        };
        apps.checked(who)
    }

    fn checked(self, who: &SignInSettings) -> Result<AppSettings, Error> {
        check(who, &self.further)?;
        Ok(self)
    }
}

/// The apps that `--app` names; none where it is not given, and an empty list where it says so.
fn apps_from_flags(
    args: &AppArgs,
    profiles: &ProfileArgs,
    who: &SignInSettings,
    cloud: Cloud,
) -> Result<Option<AppSettings>, Error> {
    match &args.app[..] {
        [] => return Ok(None),
        [none] if none == profile::NONE => return Ok(Some(AppSettings::default())),
        names if names.iter().any(|name| name == profile::NONE) => {
            let none = profile::NONE;
            return Err(Error::Usage(format!("--app {none} means no further app: give it alone")));
        }
        _ => {}
    }
    let config = profiled::config(profiles)?;
    let mut further = Vec::new();
    for name in &args.app {
        further.push(app_from_profile(config.profile(name)?, who, cloud)?);
    }
    Ok(Some(AppSettings { further, exposed: exposed(profiles, &config) }))
}

/// Whoever uses a profile hears of its exposed file already.
fn exposed(profiles: &ProfileArgs, config: &ConfigFile) -> Option<String> {
    let told = profiles.profile.as_deref().is_some_and(|name| name != profile::NONE);
    if told { None } else { profile::exposed(&config.path) }
}

/// A profile as a further app: what it signs in with, in the tenant and the cloud of the first.
fn app_from_profile(profile: &Profile, who: &SignInSettings, cloud: Cloud) -> Result<AdditionalApp, Error> {
    let name = &profile.name;
    if let Some(theirs) = profile.cloud.filter(|theirs| *theirs != cloud) {
        return Err(Error::Usage(format!(
            "--app {name} is in the cloud {theirs}, and the first app in {cloud}: all apps of a run send in one tenant"
        )));
    }
    if let (Some(ours), Some(theirs)) = (&who.tenant, &profile.tenant)
        && !ours.trim().eq_ignore_ascii_case(theirs.trim())
    {
        return Err(Error::Usage(format!(
            "--app {name} is in the tenant {}, and the first app in {}: all apps of a run send in one tenant. If both \
             mean the same one, name it alike in both places",
            sanitize_truncated(theirs, 100),
            sanitize_truncated(ours, 100)
        )));
    }
    Ok(AdditionalApp {
        name: format!("profile {name}"),
        tenant: profile.tenant.clone(),
        client_id: profile.client_id.clone(),
        sources: profile.sources.clone(),
    })
}

/// Refuses apps that can't work together.
///
/// # Errors
/// When there are too many, one stands there twice, or one has no way or no tenant to sign in.
pub fn check(who: &SignInSettings, further: &[AdditionalApp]) -> Result<(), Error> {
    let refuse = |app: &AdditionalApp, why: &str| {
        Err(Error::Usage(format!(
            "{}: {}",
            sanitize_truncated(&app.display_name(), 160),
            sanitize_truncated(why, 300)
        )))
    };
    if further.len() >= MOST_APPS {
        return Err(Error::Usage(format!(
            "{} apps are too many: {MOST_APPS} are the most",
            further.len() + 1
        )));
    }
    let mut seen: HashSet<String> = first_id(who).into_iter().collect();
    for app in further {
        if let Some(why) = app.problem() {
            return refuse(app, &why);
        }
        if app.needs_tenant() && who.tenant.is_none() && app.tenant.is_none() {
            return refuse(
                app,
                "the tenant must be named for it to sign in there (--tenant or AZURE_TENANT_ID)",
            );
        }
        let ids = [app.client_id.as_ref(), app.sources.identity.as_ref()];
        for id in ids.into_iter().flatten().map(|id| id.trim().to_lowercase()) {
            if !seen.insert(id) {
                return refuse(
                    app,
                    "this app stands there twice: a second time it would only share its quota",
                );
            }
        }
    }
    Ok(())
}

/// The id of the first app, where it is what signs in: `az` and a ready token have apps of their own.
fn first_id(who: &SignInSettings) -> Option<String> {
    let others = matches!(who.sources.method(), Auth::Token | Auth::AzureCli | Auth::AzureDeveloperCli);
    who.client_id.as_ref().filter(|_| !others).map(|id| id.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::CredentialSources;

    fn app(id: &str) -> AdditionalApp {
        AdditionalApp {
            name: format!("profile {id}"),
            client_id: Some(id.to_owned()),
            sources: CredentialSources {
                client_secret_file: Some("secret".into()),
                ..CredentialSources::default()
            },
            ..AdditionalApp::default()
        }
    }

    fn settings_for(tenant: Option<&str>, client_id: &str) -> SignInSettings {
        SignInSettings {
            tenant: tenant.map(str::to_owned),
            client_id: Some(client_id.to_owned()),
            sources: CredentialSources {
                client_secret_file: Some("secret".into()),
                ..CredentialSources::default()
            },
        }
    }

    fn profile(tenant: Option<&str>, cloud: Option<Cloud>) -> Profile {
        Profile { name: "b".to_owned(), tenant: tenant.map(str::to_owned), cloud, ..Profile::default() }
    }

    proptest! {
        /// Apps work together exactly where none stands there twice, whatever the case of its letters.
        #[test]
        fn no_app_stands_there_twice(ids in prop::collection::vec("[ab][AB]", 0..5), first in "[ab][ab]") {
            let apps: Vec<AdditionalApp> = ids.iter().map(|id| app(id)).collect();
            let all: Vec<String> = ids.iter().chain([&first]).map(|id| id.to_lowercase()).collect();
            let distinct = all.iter().collect::<HashSet<_>>().len() == all.len();
            prop_assert_eq!(check(&settings_for(Some("t"), &first), &apps).is_ok(), distinct);
        }
    }

    #[test]
    fn one_tenant_and_one_cloud() {
        let ours = settings_for(Some("contoso.com"), "a");
        let try_it = |tenant, cloud| app_from_profile(&profile(tenant, cloud), &ours, Cloud::Global);
        for (tenant, cloud) in [(None, None), (Some("CONTOSO.com"), Some(Cloud::Global))] {
            assert!(try_it(tenant, cloud).is_ok(), "{tenant:?}");
        }
        for (tenant, cloud, words) in [
            (Some("fabrikam.com"), None, "one tenant"),
            (Some("contoso.com"), Some(Cloud::China), "the cloud china"),
        ] {
            let error = try_it(tenant, cloud).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn an_app_needs_a_tenant_and_a_place_among_the_others() {
        assert!(check(&settings_for(None, "a"), &[app("b")]).unwrap_err().to_string().contains("the tenant"));
        let many: Vec<AdditionalApp> = (0..MOST_APPS).map(|n| app(&format!("x{n}"))).collect();
        assert!(check(&settings_for(Some("t"), "a"), &many).is_err());
        assert!(check(&settings_for(Some("t"), "a"), &many[1..]).is_ok());
        let mut token = settings_for(Some("t"), "b");
        token.sources =
            CredentialSources { token_file: Some("token".into()), ..CredentialSources::default() };
        assert!(check(&token, &[app("b")]).is_ok(), "a ready token's app is not that of --client-id");
    }
}
