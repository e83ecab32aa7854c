//! Checks that a plan may be applied here and now, before anything is looked up or sent.

use std::time::Duration;

use jiff::Timestamp;

use super::{PlanFile, PlanFileError, PlanFileHead, PlanFileTenant};
use crate::text::humanize;

/// The maximum difference between the clocks of two machines.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// The age limit of a plan.
#[derive(Clone, Copy, Debug)]
pub struct AgeLimit {
    /// The current time.
    pub now: Timestamp,
    /// `--max-age`.
    pub allowed: Duration,
}

/// The cloud and tenant in which a plan is applied.
#[derive(Clone, Copy, Debug)]
pub struct ApplyDestination<'a> {
    /// The cloud's name.
    pub cloud: &'a str,
    /// `--graph-url`.
    pub graph_url: Option<&'a str>,
    /// The tenant as given.
    pub tenant: Option<&'a str>,
}

impl PlanFile {
    /// Checks that it is the approved plan, and that it is not too old.
    ///
    /// # Errors
    /// When it is another plan or too old.
    pub fn check_approved(&self, expected: Option<&str>, age: AgeLimit) -> Result<(), PlanFileError> {
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
    /// Checks that it was made for this cloud and this tenant, as far as the flags show. The address of Graph
    /// is never taken from the plan: otherwise its author could choose where the token goes.
    ///
    /// # Errors
    /// When it was made for another cloud or tenant.
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
            let hint = ": use the --graph-url that `plan` was run with";
            return Err(wrong_destination(named(self.graph_url.as_deref()), named(now.graph_url), hint));
        }
        match now.tenant {
            Some(given) if self.is_different_tenant(given) => {
                Err(wrong_destination(self.tenant_text(), format!("tenant {given}"), ""))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the token is for the plan's tenant.
    ///
    /// # Errors
    /// When it is for another tenant, or does not name its tenant although the plan does.
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

    /// Whether a given tenant is surely not the plan's. A tenant has one ID and many domains, so only two IDs
    /// can be compared here; the token shows the rest. If the plan has no ID, the texts are compared.
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
