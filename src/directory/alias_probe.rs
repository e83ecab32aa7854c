//! Which queries find the user of a name, and whether an answer fits its query.

use serde_json::Value;

use super::Permission;
use super::odata::{encode, quote};
use super::reader::ReadRequest;
use crate::user_id::UserId;

/// One query for a name.
#[derive(Clone, Debug)]
pub(super) struct AliasProbe {
    kind: ProbeKind,
    name: String,
    /// `CONTOSO` of `CONTOSO\jo`.
    domain: Option<String>,
}

/// The property that may hold a name. `otherMails` is not one of them: people enter the address of another account of
/// theirs there, which would make an ordinary address ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProbeKind {
    Mail,
    Proxy,
    Sam,
    Employee,
}

/// The queries for a name.
pub(super) fn alias_probes(name: &str) -> Vec<AliasProbe> {
    let (domain, plain) = match name.split_once('\\') {
        Some((domain, plain)) => (Some(domain), plain),
        None => (None, name),
    };
    let is_key = matches!(name.parse(), Ok(UserId::Object(_) | UserId::Me));
    let kinds: &[ProbeKind] = match () {
        () if is_key || plain.is_empty() || domain == Some("") => &[],
        () if domain.is_some() => &[ProbeKind::Sam],
        () if name.contains('@') => &[ProbeKind::Mail, ProbeKind::Proxy],
        () => &[ProbeKind::Sam, ProbeKind::Employee],
    };
    let probe = |kind: &ProbeKind| AliasProbe {
        kind: *kind,
        name: plain.to_owned(),
        domain: domain.map(str::to_owned),
    };
    kinds.iter().map(probe).collect()
}

impl AliasProbe {
    /// The property that it asks for.
    pub(super) fn property(&self) -> &'static str {
        match self.kind {
            ProbeKind::Mail => "mail",
            ProbeKind::Proxy => "proxyAddresses",
            ProbeKind::Sam => "onPremisesSamAccountName",
            ProbeKind::Employee => "employeeId",
        }
    }

    /// Whether the property needs an advanced query (learn.microsoft.com/graph/aad-advanced-queries).
    fn is_advanced(&self) -> bool {
        self.kind == ProbeKind::Sam
    }

    fn filter(&self) -> String {
        let (property, name) = (self.property(), quote(&self.name));
        match self.kind {
            // The primary address has the prefix in capitals. Whether the comparison is case-sensitive is not
            // documented.
            ProbeKind::Proxy => {
                let [primary, alias] = ["SMTP:", "smtp:"].map(|kind| quote(&format!("{kind}{}", self.name)));
                format!("{property}/any(p:p eq {alias} or p eq {primary})")
            }
            _ => format!("{property} eq {name}"),
        }
    }

    /// The query, which also selects the property that it filters by.
    pub(super) fn read(&self, select: &str) -> ReadRequest {
        let domain = if self.kind == ProbeKind::Sam { ",onPremisesDomainName" } else { "" };
        let count = if self.is_advanced() { "$count=true&" } else { "" };
        let (property, filter) = (self.property(), encode(&self.filter()));
        ReadRequest {
            what: format!(
                "users whose {property} is {}",
                crate::text::sanitize::sanitize_truncated(&self.name, 200)
            ),
            url: format!("users?{count}$select={select},{property}{domain}&$filter={filter}"),
            eventual: self.is_advanced(),
            permission: Permission::Users,
            cost: 1,
        }
    }

    /// Whether a user has the value that was queried.
    pub(super) fn matches(&self, user: &Value) -> bool {
        let same = |text: &str| text.to_lowercase() == self.name.to_lowercase();
        match user.get(self.property()) {
            Some(Value::String(text)) => same(text),
            Some(Value::Array(addresses)) => addresses.iter().filter_map(Value::as_str).any(|address| {
                let smtp = address.get(..5).filter(|kind| kind.eq_ignore_ascii_case("smtp:"));
                smtp.is_some() && same(&address[5..])
            }),
            _ => false,
        }
    }

    /// Why it is not certain that this user is meant: the name has a domain, and the user's may be another. Graph knows
    /// the DNS name of the user's domain. Its first label is usually the name before the backslash.
    pub(super) fn domain_doubt(&self, user: &Value) -> Option<String> {
        let named = self.domain.as_deref()?.to_lowercase();
        let Some(theirs) = user.get("onPremisesDomainName").and_then(Value::as_str) else {
            return Some("of an on-premises domain that is not known".to_owned());
        };
        let domain = theirs.to_lowercase();
        let fits = domain == named || domain.split('.').next() == Some(&named);
        (!fits).then(|| format!("of the on-premises domain {theirs}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn urls(name: &str) -> Vec<String> {
        let decoded = |probe: &AliasProbe| {
            let url = probe.read("id").url;
            percent_encoding::percent_decode_str(&url).decode_utf8().unwrap().into_owned()
        };
        alias_probes(name).iter().map(decoded).collect()
    }

    #[test]
    fn each_name_has_its_queries() {
        assert_eq!(
            urls("o'neil@contoso.com"),
            [
                "users?$select=id,mail&$filter=mail eq 'o''neil@contoso.com'",
                "users?$select=id,proxyAddresses&$filter=proxyAddresses/any(p:p eq 'smtp:o''neil@contoso.com' \
                 or p eq 'SMTP:o''neil@contoso.com')",
            ]
        );
        assert_eq!(
            urls("10472"),
            [
                "users?$count=true&$select=id,onPremisesSamAccountName,onPremisesDomainName&$filter=\
                 onPremisesSamAccountName eq '10472'",
                "users?$select=id,employeeId&$filter=employeeId eq '10472'",
            ]
        );
        assert_eq!(urls(r"CONTOSO\jo").len(), 1);
        for none in ["me", "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f", "", r"CONTOSO\", r"\jo"] {
            assert!(urls(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn answer_must_match_its_query() {
        let holds = |name: &str, at: usize, user: Value| alias_probes(name)[at].matches(&user);
        assert!(holds("Jo@contoso.com", 0, json!({"mail": "jo@CONTOSO.com"})));
        assert!(!holds("jo@contoso.com", 0, json!({"mail": null})));
        assert!(holds("jo@contoso.com", 1, json!({"proxyAddresses": ["x500:/o=x", "SMTP:Jo@contoso.com"]})));
        assert!(!holds("jo@contoso.com", 1, json!({"proxyAddresses": ["sip:jo@contoso.com", "é", 5]})));
        assert!(holds("10472", 1, json!({"employeeId": "10472"})));
    }
}
