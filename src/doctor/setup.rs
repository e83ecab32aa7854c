//! `doctor --setup`: the commands that register an app with exactly the permission it needs. They are text for bash.
//! Nothing is run here.
//!
//! The IDs come from Microsoft's permission reference (learn.microsoft.com/graph/permissions-reference). The requests
//! are Graph's own, sent with `az rest` or curl.

use crate::identity::{Auth, Cloud};

/// The application permission `User.RevokeSessions.All`.
const APP_ROLE: &str = "77f3a031-c388-4f99-b373-dc68676a979e";

/// The delegated permission of the same name.
const SCOPE: &str = "fc30e98b-8810-4501-81f5-c20a3196387b";

const HEAD: &str = include_str!("../../templates/setup/head.sh");
const APP: &str = include_str!("../../templates/setup/app.sh");
const CONSENT_APP: &str = include_str!("../../templates/setup/consent_app.sh");
const CONSENT_USER: &str = include_str!("../../templates/setup/consent_user.sh");
const CERTIFICATE: &str = include_str!("../../templates/setup/certificate.sh");
const SECRET: &str = include_str!("../../templates/setup/secret.sh");
const FEDERATED: &str = include_str!("../../templates/setup/federated.sh");
const IDENTITY: &str = include_str!("../../templates/setup/identity.sh");

/// The certificate, in the form that the app's registration needs.
const KEY: &str = r#"\"keyCredentials\":[{\"type\":\"AsymmetricX509Cert\",\"usage\":\"Verify\",\"key\":\"$KEY\",\"displayName\":\"CN=$NAME\"}],"#;

/// The commands for a sign-in method in a cloud. The default is a certificate, because then no secret ever leaves the
/// machine.
pub fn script(cloud: Cloud, auth: Auth) -> String {
    match auth {
        Auth::AzureCli => cli_script(cloud, &az_login(cloud), auth),
        Auth::AzureDeveloperCli => cli_script(cloud, "azd auth login", auth),
        Auth::Token => token_script(cloud),
        Auth::DeviceCode => device_code_script(cloud),
        Auth::ManagedIdentity => managed_identity_script(cloud),
        Auth::ClientSecret => {
            let last = closing_lines(cloud, true, &[("--client-secret-file", "$NAME.secret")]);
            app_script(cloud, "a secret", "", "", &[SECRET], &last)
        }
        Auth::WorkloadIdentity => {
            let trust = FEDERATED.replace("{audience}", audience(cloud));
            let last = closing_lines(cloud, true, &[("--auth", "workload-identity")]);
            app_script(cloud, "federation: no secret at all", "", "", &[&trust], &last)
        }
        Auth::Auto | Auth::Certificate => {
            let last = closing_lines(cloud, true, &[("--certificate-file", "$NAME.pem")]);
            app_script(cloud, "a certificate", CERTIFICATE, KEY, &[], &last)
        }
    }
}

/// The commands for an app that signs in as itself. `before` runs before the registration, `more` is added to it, and
/// `after` runs after it.
fn app_script(cloud: Cloud, what: &str, before: &str, more: &str, after: &[&str], last: &str) -> String {
    let registered = APP.replace("{type}", "Role").replace("{more}", more);
    let after = after.concat();
    format!(
        "{}{before}{registered}{CONSENT_APP}{after}{last}",
        script_head(cloud, what, APP_ROLE, "application")
    )
}

/// The commands for an app through which a user signs in.
fn device_code_script(cloud: Cloud) -> String {
    let more = r#"\"isFallbackPublicClient\":true,"#;
    let registered = APP.replace("{type}", "Scope").replace("{more}", more);
    let last = closing_lines(cloud, true, &[("--auth", "device-code")]);
    format!("{}{registered}{CONSENT_USER}{last}", script_head(cloud, "a device code", SCOPE, "delegated"))
}

/// The commands for the identity of a machine or service, which needs no app.
fn managed_identity_script(cloud: Cloud) -> String {
    let last = closing_lines(cloud, false, &[("--auth", "managed-identity")]);
    format!("{}{IDENTITY}{last}", script_head(cloud, "a managed identity", APP_ROLE, "application"))
}

fn script_head(cloud: Cloud, what: &str, permission: &str, kind: &str) -> String {
    let az_cloud = match az_cloud_name(cloud) {
        Some(name) => format!("az cloud set --name {name}"),
        None => {
            ": # az has no name for this cloud: register it first (az cloud register), or use curl".to_owned()
        }
    };
    HEAD.replace("{what}", what)
        .replace("{graph}", cloud.graph_root())
        .replace("{permission}", permission)
        .replace("{kind}", kind)
        .replace("{az_cloud}", &az_cloud)
}

/// The environment variables to set afterwards. The script prints them, because only it knows the IDs.
fn closing_lines(cloud: Cloud, app: bool, flags: &[(&str, &str)]) -> String {
    let flags: String = flags.iter().map(|(flag, value)| format!(" {flag} {value}")).collect();
    let names: &[(&str, &str)] = match app {
        true => &[("AZURE_TENANT_ID", "$TENANT"), ("AZURE_CLIENT_ID", "$APP")],
        false => &[("AZURE_TENANT_ID", "$TENANT")],
    };
    let each =
        |form: fn(&str, &str) -> String| names.iter().map(|(name, id)| form(name, id)).collect::<String>();
    let bash = each(|name, id| format!("export {name}={id}\n"));
    let powershell = each(|name, id| format!("\\$env:{name} = '{id}'\n"));
    format!(
        "\ncat <<END\nDone. Set, in bash:\n{bash}or in PowerShell:\n{powershell}\
         and check (consent may take a minute):\n\
         entra-revoke doctor{}{flags}\nEND\n)\n",
        cloud_flag(cloud)
    )
}

/// The commands for a user who is signed in to a tool and has a directory role. Nothing is registered.
fn cli_script(cloud: Cloud, login: &str, auth: Auth) -> String {
    format!(
        "# Nothing is registered. The user who signs in needs a directory role that may revoke (Helpdesk\n\
         # Administrator for users, User Administrator for limited administrators, Privileged\n\
         # Authentication Administrator for all).\n\
         # The tool's own token allows more than revoking; an app of its own (--auth certificate) does not.\n\
         {login}\nentra-revoke doctor{} --auth {auth}\n",
        cloud_flag(cloud)
    )
}

fn token_script(cloud: Cloud) -> String {
    format!(
        "# An access token. This one is from az; it expires after about an hour and is not renewed.\n{}\n\
         ENTRA_REVOKE_TOKEN=$(az account get-access-token --resource {} --query accessToken -o tsv)\n\
         export ENTRA_REVOKE_TOKEN\nentra-revoke doctor{} --auth token\n",
        az_login(cloud),
        cloud.graph_root(),
        cloud_flag(cloud)
    )
}

fn az_login(cloud: Cloud) -> String {
    let set = az_cloud_name(cloud).map(|name| format!("az cloud set --name {name}\n")).unwrap_or_default();
    format!("{set}az login --allow-no-subscriptions")
}

fn cloud_flag(cloud: Cloud) -> String {
    if cloud == Cloud::Global { String::new() } else { format!(" --cloud {cloud}") }
}

/// The name of the cloud in az. `None` if az does not know it.
fn az_cloud_name(cloud: Cloud) -> Option<&'static str> {
    match cloud.name() {
        "global" => Some("AzureCloud"),
        "usgov" | "usgov-dod" => Some("AzureUSGovernment"),
        "china" => Some("AzureChinaCloud"),
        _ => None,
    }
}

/// The audience that a foreign token must have, so that Entra accepts it
/// (learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust).
fn audience(cloud: Cloud) -> &'static str {
    match cloud.name() {
        "usgov" | "usgov-dod" => "api://AzureADTokenExchangeUSGov",
        "china" => "api://AzureADTokenExchangeChina",
        _ => "api://AzureADTokenExchange",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_and_cloud_is_filled_in() {
        for auth in Auth::ALL {
            for cloud in [Cloud::Global, Cloud::UsGov, Cloud::UsGovDod, Cloud::China] {
                let script = script(cloud, auth);
                assert!(!script.contains("{what}") && !script.contains("{graph}"), "{script}");
                assert!(!script.contains("{permission}") && !script.contains("{more}"), "{script}");
                assert!(!script.contains("{audience}") && !script.contains("{type}"), "{script}");
                let az = az_cloud_name(cloud).unwrap();
                assert!(
                    auth == Auth::AzureDeveloperCli || script.contains(&format!("az cloud set --name {az}"))
                );
                let other = if auth == Auth::DeviceCode { APP_ROLE } else { SCOPE };
                assert!(!script.contains(other), "{auth} asks for another kind of permission");
            }
        }
    }
}
