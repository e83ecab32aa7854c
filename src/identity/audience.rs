//! The audience of a token. A token for another cloud or another service is refused before it is used.

use super::{Cloud, SignInError};

/// Graph's app ID, which is the same in every cloud
/// (learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in).
const GRAPH_APP: &str = "00000003-0000-0000-c000-000000000000";

/// A token's `aud` in one form for all spellings; `None` for Graph's app ID, which does not say which cloud it is for.
pub(super) fn normalize_audience(audience: &str) -> Option<String> {
    let plain = audience.trim().trim_end_matches('/').to_ascii_lowercase();
    (plain != GRAPH_APP).then_some(plain)
}

/// Checks a token's `aud` against the cloud and the Graph root that requests go to.
///
/// # Errors
/// If it names the Graph of another cloud, or something other than Graph.
pub fn check_audience(audience: &str, cloud: Cloud, root: &str) -> Result<(), SignInError> {
    let plain = audience.trim().trim_end_matches('/');
    // The app ID does not say which cloud the token is for. Graph itself refuses a token of another cloud.
    if plain.eq_ignore_ascii_case(GRAPH_APP) || plain.eq_ignore_ascii_case(cloud.graph_root()) {
        return Ok(());
    }
    let audience = crate::text::sanitize::sanitize_truncated(audience, 100);
    if let Some(meant) = Cloud::ALL.into_iter().find(|cloud| plain.eq_ignore_ascii_case(cloud.graph_root())) {
        return Err(SignInError::OtherCloud {
            audience,
            token_cloud: meant,
            root: cloud.graph_root().to_owned(),
        });
    }
    if plain.eq_ignore_ascii_case(root) {
        return Ok(());
    }
    Err(SignInError::NotForGraph { audience, root: root.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(audience: &str, cloud: Cloud) -> Result<(), SignInError> {
        check_audience(audience, cloud, cloud.graph_root())
    }

    #[test]
    fn each_cloud_accepts_only_its_own_audience() {
        for cloud in Cloud::ALL {
            let root = cloud.graph_root();
            for own in [root.to_owned(), format!("{root}/"), root.to_uppercase(), GRAPH_APP.to_uppercase()] {
                assert_eq!(check(&own, cloud), Ok(()), "{own}");
            }
            for other in Cloud::ALL.into_iter().filter(|other| *other != cloud) {
                for audience in [root.to_owned(), format!("{root}/")] {
                    let refused = check(&audience, other);
                    let names_the_cloud = matches!(&refused, Err(SignInError::OtherCloud { token_cloud, .. }) if *token_cloud == cloud);
                    assert!(names_the_cloud, "{audience} in {other}: {refused:?}");
                }
            }
        }
    }

    #[test]
    fn other_audiences_are_rejected() {
        for stranger in [
            "https://management.azure.com/",
            "https://graph.windows.net",
            "00000002-0000-0000-c000-000000000000",
            "https://graph.microsoft.com.example.com",
            "https://graph.microsoft.com/beta",
            "graph.microsoft.com",
            "",
        ] {
            assert!(
                matches!(check(stranger, Cloud::Global), Err(SignInError::NotForGraph { .. })),
                "{stranger}"
            );
        }
    }

    #[test]
    fn custom_graph_root_accepts_its_own_tokens() {
        let root = "https://graph.example.com";
        assert_eq!(check_audience("https://Graph.example.com/", Cloud::Global, root), Ok(()));
        assert_eq!(check_audience("https://graph.microsoft.com", Cloud::Global, root), Ok(()));
        // Refused even if requests go there, because a run's folder and report name the cloud.
        let other = Cloud::China.graph_root();
        assert!(check_audience(other, Cloud::Global, other).is_err());
    }
}
