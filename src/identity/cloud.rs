//! The national clouds. Each has its own Graph root, authority and scope, and a token of one is not valid in another.

use std::fmt;
use std::str::FromStr;

use super::endpoint::Endpoint;

/// A Microsoft cloud (learn.microsoft.com/graph/deployments; the last three are from Microsoft's PowerShell SDK).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// The global service, GCC included.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (DoD).
    UsGovDod,
    /// China, operated by 21Vianet.
    China,
    /// Bleu, the sovereign cloud of France.
    Bleu,
    /// Delos, the sovereign cloud of Germany.
    Delos,
    /// The sovereign cloud of Singapore's government.
    GovSg,
}

/// A cloud's names and addresses.
struct CloudEndpoints {
    cloud: Cloud,
    /// The name for `--cloud` and in reports.
    name: &'static str,
    /// Other names, in lower case and without `-`, `_` and spaces, such as those of the CLI for Microsoft 365, az, the
    /// Azure SDKs and Microsoft's PowerShell SDK.
    aliases: &'static [&'static str],
    graph: &'static str,
    authority: &'static str,
    /// Other host names of the same authority, as Microsoft's sign-in libraries list them.
    authority_aliases: &'static [&'static str],
}

const CLOUDS: [CloudEndpoints; 7] = [
    CloudEndpoints {
        cloud: Cloud::Global,
        name: "global",
        aliases: &[
            "public",
            "azurecloud",
            "azurepubliccloud",
            "azurepublic",
            "gcc",
            "usgovgcc",
            "usgovernmentgcc",
        ],
        graph: "https://graph.microsoft.com",
        authority: "https://login.microsoftonline.com",
        authority_aliases: &["login.microsoft.com", "login.windows.net", "sts.windows.net"],
    },
    CloudEndpoints {
        cloud: Cloud::UsGov,
        // The CLI for Microsoft 365 uses `USGov` for GCC, which is in the global cloud; Microsoft's PowerShell SDK
        // uses it for L4. It is better if the stricter cloud refuses a secret than if the other one sees it.
        name: "usgov",
        aliases: &[
            "usgovhigh",
            "gcchigh",
            "l4",
            "usgovl4",
            "azureusgovernment",
            "azuregovernment",
            "usgovernment",
        ],
        graph: "https://graph.microsoft.us",
        authority: "https://login.microsoftonline.us",
        authority_aliases: &["login.usgovcloudapi.net"],
    },
    CloudEndpoints {
        cloud: Cloud::UsGovDod,
        name: "usgov-dod",
        aliases: &["dod", "l5", "usgovl5", "usgovernmentdod"],
        graph: "https://dod-graph.microsoft.us",
        authority: "https://login.microsoftonline.us",
        authority_aliases: &["login.usgovcloudapi.net"],
    },
    CloudEndpoints {
        cloud: Cloud::China,
        name: "china",
        aliases: &["azurechinacloud", "azurechina", "21vianet", "mooncake"],
        graph: "https://microsoftgraph.chinacloudapi.cn",
        authority: "https://login.chinacloudapi.cn",
        authority_aliases: &["login.partner.microsoftonline.cn"],
    },
    CloudEndpoints {
        cloud: Cloud::Bleu,
        name: "bleu",
        aliases: &["bleucloud"],
        graph: "https://graph.svc.sovcloud.fr",
        authority: "https://login.sovcloud-identity.fr",
        authority_aliases: &[],
    },
    CloudEndpoints {
        cloud: Cloud::Delos,
        name: "delos",
        aliases: &["deloscloud"],
        graph: "https://graph.svc.sovcloud.de",
        authority: "https://login.sovcloud-identity.de",
        authority_aliases: &[],
    },
    CloudEndpoints {
        cloud: Cloud::GovSg,
        name: "govsg",
        aliases: &["govsgcloud"],
        graph: "https://graph.svc.sovcloud.sg",
        authority: "https://login.sovcloud-identity.sg",
        authority_aliases: &[],
    },
];

impl Cloud {
    /// All clouds.
    pub const ALL: [Cloud; 7] =
        [Cloud::Global, Cloud::UsGov, Cloud::UsGovDod, Cloud::China, Cloud::Bleu, Cloud::Delos, Cloud::GovSg];

    fn endpoints(self) -> &'static CloudEndpoints {
        CLOUDS.iter().find(|endpoints| endpoints.cloud == self).unwrap_or(&CLOUDS[0])
    }

    /// The name for `--cloud`.
    pub fn name(self) -> &'static str {
        self.endpoints().name
    }

    /// Graph's root, without a trailing slash.
    pub fn graph_root(self) -> &'static str {
        self.endpoints().graph
    }

    /// The authority, which issues the cloud's tokens.
    pub fn authority(self) -> Endpoint {
        Endpoint::from_known(self.endpoints().authority)
    }

    /// Whether this is the cloud's authority, by its main name or an alias.
    pub fn has_authority(self, authority: &Endpoint) -> bool {
        let endpoints = self.endpoints();
        authority.as_str() == endpoints.authority
            || authority
                .as_str()
                .strip_prefix("https://")
                .is_some_and(|host| endpoints.authority_aliases.contains(&host))
    }

    /// The clouds with this authority; two clouds share one.
    pub fn by_authority(authority: &Endpoint) -> impl Iterator<Item = Cloud> {
        Cloud::ALL.into_iter().filter(|cloud| cloud.has_authority(authority))
    }

    /// The scope that an app requests.
    pub fn scope(self) -> String {
        format!("{}/.default", self.graph_root())
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is not the name of a cloud.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid cloud '{0}' (possible values: {names})", names = Cloud::ALL.map(Cloud::name).join(", "))]
pub struct UnknownCloud(String);

impl FromStr for Cloud {
    type Err = UnknownCloud;

    fn from_str(text: &str) -> Result<Self, UnknownCloud> {
        let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_', ' '], "");
        let wanted = plain(text);
        CLOUDS
            .iter()
            .find(|endpoints| plain(endpoints.name) == wanted || endpoints.aliases.contains(&wanted.as_str()))
            .map(|endpoints| endpoints.cloud)
            .ok_or_else(|| UnknownCloud(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_are_known_by_all_their_names() {
        for (name, cloud) in [
            ("Global", Cloud::Global),
            ("Public", Cloud::Global),
            ("GCC", Cloud::Global),
            ("AzureCloud", Cloud::Global),
            ("USGov", Cloud::UsGov),
            ("USGovHigh", Cloud::UsGov),
            ("AzureUSGovernment", Cloud::UsGov),
            ("USGovDoD", Cloud::UsGovDod),
            ("usgov_dod", Cloud::UsGovDod),
            ("China", Cloud::China),
            ("AzureChinaCloud", Cloud::China),
            ("BleuCloud", Cloud::Bleu),
            ("delos", Cloud::Delos),
            ("GovSG", Cloud::GovSg),
        ] {
            assert_eq!(name.parse(), Ok(cloud), "{name}");
        }
        let names = "mars".parse::<Cloud>().unwrap_err().to_string();
        assert!(Cloud::ALL.iter().all(|cloud| names.contains(cloud.name())), "{names}");
        assert!("AzureGermanCloud".parse::<Cloud>().is_err(), "this cloud was shut down");
    }

    #[test]
    fn every_cloud_has_a_row_and_no_two_share_a_name_or_a_graph() {
        assert_eq!(CLOUDS.map(|endpoints| endpoints.cloud), Cloud::ALL);
        for (at, endpoints) in CLOUDS.iter().enumerate() {
            for other in &CLOUDS[at + 1..] {
                let shared = |alias: &&str| other.aliases.contains(alias) || *alias == other.name;
                assert!(!endpoints.aliases.iter().any(shared), "{} and {}", endpoints.name, other.name);
                assert_ne!(endpoints.graph, other.graph);
            }
        }
    }

    #[test]
    fn roots_and_authorities_are_valid_endpoints() {
        for cloud in Cloud::ALL {
            assert_eq!(cloud.graph_root().parse::<Endpoint>().unwrap().as_str(), cloud.graph_root());
            let authority = cloud.authority();
            assert_eq!(authority.as_str().parse::<Endpoint>().as_ref(), Ok(&authority));
            assert_eq!(cloud.scope(), format!("{}/.default", cloud.graph_root()));
            assert_eq!(cloud.name().parse(), Ok(cloud));
        }
    }

    #[test]
    fn clouds_are_found_by_their_authority() {
        let clouds = |authority: &str| {
            let authority = authority.parse().unwrap();
            Cloud::by_authority(&authority).collect::<Vec<_>>()
        };
        assert_eq!(clouds("https://login.microsoftonline.com/"), [Cloud::Global]);
        assert_eq!(clouds("https://LOGIN.microsoftonline.us"), [Cloud::UsGov, Cloud::UsGovDod]);
        assert_eq!(clouds("https://login.partner.microsoftonline.cn"), [Cloud::China]);
        assert_eq!(clouds("https://login.chinacloudapi.cn"), [Cloud::China]);
        assert_eq!(clouds("https://login.sovcloud-identity.de"), [Cloud::Delos]);
        for stranger in [
            "https://login.example.com",
            "https://login.microsoftonline.com.example.com",
            "https://login.microsoftonline.com:8443",
            "http://127.0.0.1:1",
        ] {
            assert_eq!(clouds(stranger), [], "{stranger}");
        }
    }
}
