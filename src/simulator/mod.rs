//! Microsoft Graph and its token endpoint on loopback, with quotas and faults.
