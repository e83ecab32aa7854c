//! The network settings: the cloud, its Graph and authority, and how requests are sent.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{NetworkArgs, SignInArgs};
use crate::error::Error;
use crate::graph::Priority;
use crate::http::{ClientBuildError, ConnectTo, HttpClients, HttpOptions, MAX_WAIT};
use crate::identity::{Cloud, Endpoint};
use crate::journal::SettingsRecord;
use crate::number;
use crate::text::sanitize::sanitize_truncated;

/// Time limit for a response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The variable with which Azure's SDKs and workload identity in Kubernetes name the authority.
const AUTHORITY_HOST: &str = "AZURE_AUTHORITY_HOST";

/// Where requests go, and how they are sent.
#[derive(Clone, Debug)]
pub struct NetworkSettings {
    /// The cloud.
    pub cloud: Cloud,
    /// The Graph root, if it is not the cloud's.
    pub graph_url: Option<Endpoint>,
    /// The authority, if it is not the cloud's.
    pub authority_url: Option<Endpoint>,
    /// Time limit for a request.
    pub timeout: Duration,
    /// The longest wait that a server may ask for.
    pub max_wait: Duration,
    /// Additional root certificates to trust.
    pub ca_cert: Option<PathBuf>,
    /// Addresses of hosts that are not looked up in DNS.
    pub connect_to: Vec<ConnectTo>,
    /// The priority of the requests for Graph's throttling.
    pub priority: Priority,
    /// Sentences to show about what the environment decided.
    pub notices: Vec<String>,
}

impl NetworkSettings {
    /// The settings from flags and the environment.
    ///
    /// # Errors
    /// If `AZURE_AUTHORITY_HOST` is not a valid host, or is not the authority of the chosen cloud or of any cloud.
    pub fn new(sign_in: &SignInArgs, network: &NetworkArgs) -> Result<NetworkSettings, Error> {
        NetworkSettings::in_cloud(sign_in.cloud, network)
    }

    fn in_cloud(cloud: Option<Cloud>, network: &NetworkArgs) -> Result<NetworkSettings, Error> {
        let named = std::env::var(AUTHORITY_HOST).ok();
        let authority = AuthoritySettings::choose(cloud, network.authority_url.as_ref(), named.as_deref())?;
        Ok(NetworkSettings {
            cloud: authority.cloud,
            graph_url: network.graph_url.clone(),
            authority_url: authority.url,
            timeout: network.timeout.unwrap_or(TIMEOUT),
            max_wait: MAX_WAIT,
            ca_cert: network.ca_cert.clone(),
            connect_to: network.connect_to.clone(),
            priority: network.throttle_priority.unwrap_or_default(),
            notices: authority.notice.into_iter().collect(),
        })
    }

    /// The settings from flags and the environment, and only times and priorities from the run. No address and no
    /// certificate is taken from a run folder, because it may come from another person, who would then decide where a
    /// secret is sent.
    ///
    /// # Errors
    /// As for [`NetworkSettings::new`], and if the run used another Graph or authority than the cloud's and the flag is
    /// not passed again.
    pub fn resumed(
        network: &NetworkArgs,
        cloud: Cloud,
        had: &SettingsRecord,
    ) -> Result<NetworkSettings, Error> {
        let new = NetworkSettings::in_cloud(Some(cloud), network)?;
        let addresses = [
            ("--graph-url", new.graph_url.is_some(), &had.graph_url),
            ("--authority-url", new.authority_url.is_some(), &had.authority_url),
        ];
        let missing = addresses.into_iter().filter(|(_, is_given, _)| !is_given);
        let missing: Vec<String> = missing
            .filter_map(|(flag, _, had)| Some(format!("{flag} {}", sanitize_truncated(had.as_ref()?, 200))))
            .collect();
        if !missing.is_empty() {
            return Err(Error::Usage(format!(
                "the run used {}: pass it again if you trust that address",
                missing.join(" and ")
            )));
        }
        let mut notices = new.notices;
        if let (None, Some(path)) = (&new.ca_cert, &had.ca_cert) {
            let path = sanitize_truncated(&path.display().to_string(), 200);
            notices.push(format!(
                "note: the run trusted the certificates of --ca-cert {path}; they are not trusted now unless \
                 you pass the flag again"
            ));
        }
        Ok(NetworkSettings {
            timeout: network.timeout.unwrap_or(number::millis(had.timeout_ms)),
            priority: network.throttle_priority.unwrap_or(had.throttle_priority),
            notices,
            ..new
        })
    }

    /// Graph's root, without a trailing slash.
    pub fn graph_root(&self) -> &str {
        self.graph_url.as_ref().map_or(self.cloud.graph_root(), Endpoint::as_str)
    }

    /// The authority that is used.
    pub fn authority(&self) -> Endpoint {
        self.authority_url.clone().unwrap_or_else(|| self.cloud.authority())
    }

    /// The authority for `run.json`. An alias of the cloud's authority is left out, so that `resume` does not need the
    /// flag.
    pub fn recorded_authority(&self) -> Option<String> {
        let elsewhere = self.authority_url.as_ref().filter(|url| !self.cloud.has_authority(url));
        elsewhere.map(Endpoint::to_string)
    }

    /// The same settings with this longest wait, if it is set.
    #[must_use]
    pub fn with_max_wait(self, max_wait: Option<Duration>) -> NetworkSettings {
        NetworkSettings { max_wait: max_wait.unwrap_or(self.max_wait), ..self }
    }

    /// The HTTP clients.
    ///
    /// # Errors
    /// As for [`HttpClients::new`].
    pub fn clients(&self) -> Result<HttpClients, ClientBuildError> {
        Ok(HttpClients::new(&self.http())?.with_max_wait(self.max_wait))
    }

    /// The options for the HTTP clients.
    pub fn http(&self) -> HttpOptions {
        let plain = |url: &Option<Endpoint>| url.as_ref().is_some_and(Endpoint::is_plain_http);
        HttpOptions {
            timeout: self.timeout,
            ca_cert: self.ca_cert.clone(),
            connect_to: self.connect_to.clone(),
            plain_http: plain(&self.graph_url) || plain(&self.authority_url),
        }
    }
}

/// The authority and its cloud.
#[derive(Debug)]
struct AuthoritySettings {
    cloud: Cloud,
    /// The authority, if it is not the cloud's own.
    url: Option<Endpoint>,
    notice: Option<String>,
}

impl AuthoritySettings {
    /// Takes `--authority-url`, or else `AZURE_AUTHORITY_HOST`, or else the cloud's own authority. The variable chooses
    /// the cloud if no flag does. It must not contradict the flag, because the secret would then go to one cloud and
    /// the token to another. A host that does not belong to a cloud is only taken from the flag, because the secret is
    /// sent there and the variable may be left over from other work.
    fn choose(
        cloud: Option<Cloud>,
        flag: Option<&Endpoint>,
        variable: Option<&str>,
    ) -> Result<AuthoritySettings, Error> {
        let variable = variable.map(str::trim).filter(|text| !text.is_empty());
        let (Some(text), None) = (variable, flag) else {
            let notice = flag.filter(|url| is_unknown_authority(url)).map(unknown_authority_notice);
            return Ok(AuthoritySettings { cloud: cloud.unwrap_or_default(), url: flag.cloned(), notice });
        };
        let named = read(text)?;
        let clouds: Vec<Cloud> = Cloud::by_authority(&named).collect();
        let taken = match (cloud, clouds.first()) {
            (_, None) => return Err(unknown_authority_error(&named)),
            (Some(cloud), Some(_)) if !clouds.contains(&cloud) => {
                return Err(contradiction(cloud, &named, &clouds));
            }
            (Some(cloud), _) => cloud,
            (None, Some(first)) => *first,
        };
        let notice = (cloud.is_none() && taken != Cloud::default()).then(|| notice(&named, &clouds));
        let url = (named != taken.authority()).then_some(named);
        Ok(AuthoritySettings { cloud: taken, url, notice })
    }
}

/// Whether an authority is on another machine and does not belong to a cloud.
fn is_unknown_authority(authority: &Endpoint) -> bool {
    !authority.is_loopback() && Cloud::by_authority(authority).next().is_none()
}

fn unknown_authority_notice(authority: &Endpoint) -> String {
    format!("signing in at {authority}, which is not the authority of any cloud (--authority-url)")
}

fn unknown_authority_error(named: &Endpoint) -> Error {
    Error::Usage(format!(
        "{AUTHORITY_HOST} is {named}, which is not the authority of any cloud, and secrets would be sent \
         there: unset it, or use --authority-url {named} if that is intended"
    ))
}

/// Reads a host, with or without a scheme and a trailing slash.
fn read(text: &str) -> Result<Endpoint, Error> {
    let url = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    url.parse().map_err(|error| {
        let error = crate::text::sanitize::sanitize_truncated(&format!("{error}"), 200);
        Error::Usage(format!("{AUTHORITY_HOST}: {error}; write a host such as login.microsoftonline.com"))
    })
}

fn contradiction(cloud: Cloud, named: &Endpoint, clouds: &[Cloud]) -> Error {
    let others: Vec<String> = clouds.iter().map(|cloud| format!("--cloud {cloud}")).collect();
    let own = cloud.authority();
    Error::Usage(format!(
        "the cloud is {cloud} with the authority {own}, but {AUTHORITY_HOST} is {named}: unset \
         {AUTHORITY_HOST}, or choose {}",
        others.join(" or ")
    ))
}

fn notice(named: &Endpoint, clouds: &[Cloud]) -> String {
    let mut names = clouds.iter().map(|cloud| cloud.name());
    let taken = names.next().unwrap_or_default();
    let others: Vec<String> = names.map(|other| format!("; for {other} use --cloud {other}")).collect();
    format!("cloud {taken}, because {AUTHORITY_HOST} names its authority, {named}{}", others.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(cloud: Option<Cloud>, variable: &str) -> Result<AuthoritySettings, Error> {
        AuthoritySettings::choose(cloud, None, Some(variable))
    }

    #[test]
    fn the_variable_chooses_the_cloud_in_all_its_forms() {
        for (variable, cloud) in [
            ("", Cloud::Global),
            (" ", Cloud::Global),
            ("login.microsoftonline.com", Cloud::Global),
            ("https://login.microsoftonline.com/", Cloud::Global),
            ("login.microsoftonline.us", Cloud::UsGov),
            ("login.microsoftonline.us/", Cloud::UsGov),
            ("HTTPS://Login.MicrosoftOnline.US", Cloud::UsGov),
            ("https://login.chinacloudapi.cn/", Cloud::China),
            ("login.sovcloud-identity.sg", Cloud::GovSg),
        ] {
            let authority = choose(None, variable).unwrap();
            assert_eq!((authority.cloud, authority.url), (cloud, None), "{variable}");
            assert_eq!(authority.notice.is_some(), cloud != Cloud::Global, "{variable}");
        }
        let notice = choose(None, "login.microsoftonline.us").unwrap().notice.unwrap();
        assert!(notice.contains("usgov") && notice.contains("--cloud usgov-dod"), "{notice}");
    }

    #[test]
    fn another_name_of_an_authority_is_used_as_it_is() {
        let authority = choose(None, "login.partner.microsoftonline.cn").unwrap();
        assert_eq!(authority.cloud, Cloud::China);
        assert_eq!(authority.url.unwrap().as_str(), "https://login.partner.microsoftonline.cn");
    }

    #[test]
    fn a_flag_and_the_variable_must_agree() {
        let authority = choose(Some(Cloud::UsGovDod), "https://login.microsoftonline.us/").unwrap();
        assert_eq!((authority.cloud, authority.notice), (Cloud::UsGovDod, None));
        let error = choose(Some(Cloud::China), "login.microsoftonline.us").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        for words in ["china", AUTHORITY_HOST, "unset", "--cloud usgov or --cloud usgov-dod"] {
            assert!(error.to_string().contains(words), "{words:?} is not in {error}");
        }
    }

    #[test]
    fn an_unknown_host_must_be_meant() {
        for (cloud, variable, url) in [
            (Some(Cloud::China), "login.example.com", "https://login.example.com"),
            (None, "login.example.com", "https://login.example.com"),
            (None, "login.microsoftonline.com.example.com", "https://login.microsoftonline.com.example.com"),
            (None, "login.microsoftonline.com:8443", "https://login.microsoftonline.com:8443"),
            (None, "http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ] {
            let error = choose(cloud, variable).unwrap_err();
            let flag = format!("--authority-url {url}");
            assert!(error.exit_code() == 2 && error.to_string().contains(&flag), "{error}");
        }
        for (url, is_told) in [
            ("https://login.example.com", true),
            ("https://login.microsoftonline.us", false),
            ("http://127.0.0.1:8080", false),
        ] {
            let authority = AuthoritySettings::choose(None, Some(&url.parse().unwrap()), None).unwrap();
            assert_eq!(authority.notice.is_some(), is_told, "{url}");
        }
        for bad in ["http://login.microsoftonline.com", "https://login.example.com/common", "ftp://x", "a b"]
        {
            let error = choose(None, bad).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(AUTHORITY_HOST), "{error}");
        }
    }

    #[test]
    fn the_flag_wins() {
        let flag: Endpoint = "https://login.example.com".parse().unwrap();
        for variable in ["login.microsoftonline.us", "invalid host name"] {
            let authority = AuthoritySettings::choose(None, Some(&flag), Some(variable)).unwrap();
            assert_eq!((authority.cloud, authority.url.as_ref()), (Cloud::Global, Some(&flag)));
        }
    }
}
