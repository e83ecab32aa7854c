//! Whether a plan may be applied here and now. All of it is known before anything is resolved or sent.

use std::time::Duration;

use jiff::Timestamp;

use super::{PlanFile, PlanFileError, PlanFileHead, PlanFileTenant};
use crate::text::humanize;

/// How far two machines' clocks may be apart.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// How old a plan is.
#[derive(Clone, Copy, Debug)]
pub struct AgeLimit {
    /// The present instant.
    pub now: Timestamp,
    /// `--max-age`.
    pub allowed: Duration,
}

/// Where a plan is to be applied.
#[derive(Clone, Copy, Debug)]
pub struct ApplyDestination<'a> {
    /// The cloud's name.
    pub cloud: &'a str,
    /// `--graph-url`.
    pub graph_url: Option<&'a str>,
    /// The tenant as it was given.
    pub tenant: Option<&'a str>,
}

impl PlanFile {
    /// Whether it is the plan that was approved, and fresh.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, expected: Option<&str>, age: AgeLimit) -> Result<(), PlanFileError> {
        let path = || self.path.clone();
        if let Some(expected) = expected.filter(|expected| !self.sha256.eq_ignore_ascii_case(expected)) {
            let (found, expected) = (self.sha256.clone(), expected.to_owned());
            return Err(PlanFileError::NotApproved { path: path(), found, expected });
        }
        let made_at = self.head.made_at;
        let elapsed = age.now.duration_since(made_at);
        match Duration::try_from(elapsed) {
            Ok(elapsed) if elapsed > age.allowed => Err(PlanFileError::TooOld {
                path: path(),
                age: humanize::span(elapsed),
                allowed: humanize::span(age.allowed),
            }),
            Err(_) if elapsed.unsigned_abs() > MAX_CLOCK_SKEW => {
                Err(PlanFileError::MadeInFuture { path: path(), made_at: made_at.to_string() })
            }
            _ => Ok(()),
        }
    }
}

impl PlanFileHead {
    /// Whether it was made for this cloud and this tenant, as far as flags tell. The address of Graph is never taken
    /// from the plan: whoever wrote it would choose where the token goes.
    ///
    /// # Errors
    /// When it was made for others.
    pub fn check_destination(&self, now: &ApplyDestination<'_>) -> Result<(), PlanFileError> {
        if !self.cloud.eq_ignore_ascii_case(now.cloud) {
            return Err(wrong_destination(
                format!("the cloud {}", self.cloud),
                format!("the cloud {}", now.cloud),
                "",
            ));
        }
        if self.graph_url.as_deref() != now.graph_url {
            let named = |url: Option<&str>| {
                url.map_or("the cloud's own Graph".to_owned(), |url| format!("Graph at {url}"))
            };
            let hint = ": give --graph-url as it was given to `plan`";
            return Err(wrong_destination(named(self.graph_url.as_deref()), named(now.graph_url), hint));
        }
        match now.tenant {
            Some(given) if self.is_different_tenant(given) => {
                Err(wrong_destination(self.tenant_text(), format!("tenant {given}"), ""))
            }
            _ => Ok(()),
        }
    }

    /// Whether the token is of the plan's tenant.
    ///
    /// # Errors
    /// When it is of another one, or does not tell although the plan does.
    pub fn check_token(&self, tenant_id: Option<&str>) -> Result<(), PlanFileError> {
        let given_id = self.tenant.given.as_deref().filter(|given| uuid::Uuid::try_parse(given).is_ok());
        match (self.tenant.id.as_deref().or(given_id), tenant_id) {
            (Some(planned), Some(now)) if !planned.eq_ignore_ascii_case(now) => {
                Err(wrong_destination(self.tenant_text(), format!("tenant {now}"), ""))
            }
            (Some(_), None) if self.tenant.id.is_some() => {
                Err(PlanFileError::UnknownTenant { planned: self.tenant.unambiguous_name() })
            }
            _ => Ok(()),
        }
    }

    /// A tenant has one id and many domains: two ids can be compared, and the token tells the rest. Where the plan
    /// knows no id, only the words are left.
    fn is_different_tenant(&self, given: &str) -> bool {
        let is_id = |tenant: &&str| uuid::Uuid::try_parse(tenant).is_ok();
        let PlanFileTenant { given: planned, id, .. } = &self.tenant;
        let planned_id = id.as_deref().or(planned.as_deref().filter(is_id));
        match (planned_id, planned.as_deref()) {
            (Some(id), _) => is_id(&given) && !id.eq_ignore_ascii_case(given),
            (None, Some(planned)) => !planned.eq_ignore_ascii_case(given),
            (None, None) => false,
        }
    }

    fn tenant_text(&self) -> String {
        format!("tenant {}", self.tenant.unambiguous_name())
    }
}

fn wrong_destination(planned: String, given: String, hint: &str) -> PlanFileError {
    let shown = |text: String| crate::text::sanitize::sanitize_truncated(&text, 200);
    PlanFileError::WrongDestination { planned: shown(planned), given: shown(given), hint: hint.to_owned() }
}
