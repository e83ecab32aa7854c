//! The further apps that send next to the first one: those of `--app`, or else those of the profile. Contradictions are
//! found before the sign-in.

use std::collections::HashSet;

use super::SignInSettings;
use super::chosen_profile::{self, ChosenProfile};
use crate::cli::{AppArgs, ProfileArgs};
use crate::dispatch::MAX_APPS;
use crate::error::Error;
use crate::identity::{AdditionalApp, Auth, Cloud};
use crate::profile::{self, ConfigFile, Profile};
use crate::text::sanitize::sanitize_truncated;

/// The further apps of a run.
#[derive(Clone, Debug, Default)]
pub struct AppSettings {
    /// The further apps, in the order in which they were named.
    pub further: Vec<AdditionalApp>,
    /// Why other accounts can change the config file that names them, if they can and it was not reported yet.
    pub exposed: Option<String>,
}

impl AppSettings {
    /// The apps of the flags, or else of the profile.
    ///
    /// # Errors
    /// If the apps contradict each other or the first app, or if one has no sign-in method.
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

/// The apps of `--app`: `None` if the flag is not used, an empty list for `--app none`.
fn apps_from_flags(
    args: &AppArgs,
    profiles: &ProfileArgs,
    who: &SignInSettings,
    cloud: Cloud,
) -> Result<Option<AppSettings>, Error> {
    match &args.app[..] {
        [] => return Ok(None),
        [none] if none == profile::NO_PROFILE => return Ok(Some(AppSettings::default())),
        names if names.iter().any(|name| name == profile::NO_PROFILE) => {
            let none = profile::NO_PROFILE;
            return Err(Error::Usage(format!("--app {none} means no further apps: use it alone")));
        }
        _ => {}
    }
    let config = chosen_profile::config(profiles)?;
    let mut further = Vec::new();
    for name in &args.app {
        further.push(app_from_profile(config.profile(name)?, who, cloud)?);
    }
    Ok(Some(AppSettings { further, exposed: exposed(profiles, &config) }))
}

/// Why other accounts can change the config file; `None` with `--profile`, which already reports it.
fn exposed(profiles: &ProfileArgs, config: &ConfigFile) -> Option<String> {
    let is_reported = profiles.profile.as_deref().is_some_and(|name| name != profile::NO_PROFILE);
    if is_reported { None } else { profile::exposed(&config.path) }
}

/// A profile as a further app, which must have the tenant and the cloud of the first app.
fn app_from_profile(profile: &Profile, who: &SignInSettings, cloud: Cloud) -> Result<AdditionalApp, Error> {
    let name = &profile.name;
    if let Some(theirs) = profile.cloud.filter(|theirs| *theirs != cloud) {
        return Err(Error::Usage(format!(
            "--app {name} is in the cloud {theirs}, but the first app is in {cloud}: all apps of a run work in \
             one tenant"
        )));
    }
    if let (Some(ours), Some(theirs)) = (&who.tenant, &profile.tenant)
        && !ours.trim().eq_ignore_ascii_case(theirs.trim())
    {
        return Err(Error::Usage(format!(
            "--app {name} is in the tenant {}, but the first app is in {}: all apps of a run work in one \
             tenant. If both are the same tenant, use the same name for it",
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
/// If there are too many apps, one is listed twice, or one has no sign-in method or tenant.
pub fn check(who: &SignInSettings, further: &[AdditionalApp]) -> Result<(), Error> {
    let refuse = |app: &AdditionalApp, why: &str| {
        Err(Error::Usage(format!(
            "{}: {}",
            sanitize_truncated(&app.display_name(), 160),
            sanitize_truncated(why, 300)
        )))
    };
    if further.len() >= MAX_APPS {
        return Err(Error::Usage(format!(
            "{} apps are too many: the maximum is {MAX_APPS}",
            further.len() + 1
        )));
    }
    let mut seen: HashSet<String> = first_id(who).into_iter().collect();
    for app in further {
        if let Some(why) = app.problem() {
            return refuse(app, &why);
        }
        if app.needs_tenant() && who.tenant.is_none() && app.tenant.is_none() {
            return refuse(app, "it needs the tenant for its sign-in (--tenant or AZURE_TENANT_ID)");
        }
        let ids = [app.client_id.as_ref(), app.sources.identity.as_ref()];
        for id in ids.into_iter().flatten().map(|id| id.trim().to_lowercase()) {
            if !seen.insert(id) {
                return refuse(app, "app listed twice: the second entry would share the same quota");
            }
        }
    }
    Ok(())
}

/// The ID of the first app, if that app signs in. `az` and a ready token have apps of their own.
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
        /// Apps are accepted exactly if none is listed twice, without regard to the case of letters.
        #[test]
        fn no_app_is_listed_twice(ids in prop::collection::vec("[ab][AB]", 0..5), first in "[ab][ab]") {
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
        let many: Vec<AdditionalApp> = (0..MAX_APPS).map(|n| app(&format!("x{n}"))).collect();
        assert!(check(&settings_for(Some("t"), "a"), &many).is_err());
        assert!(check(&settings_for(Some("t"), "a"), &many[1..]).is_ok());
        let mut token = settings_for(Some("t"), "b");
        token.sources =
            CredentialSources { token_file: Some("token".into()), ..CredentialSources::default() };
        assert!(check(&token, &[app("b")]).is_ok(), "a ready token's app is not that of --client-id");
    }
}
