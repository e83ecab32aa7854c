//! Which column holds what: known names in the order of trust, checked against what the first rows hold.

use super::cell::is_id_like;
use super::error::shown;

/// Names of columns that hold object ids, without case, spaces and signs; the surest first. A bare `id` comes last:
/// in a log of sign-ins it is the id of the event, and `userId` stands beside it.
const OBJECT_IDS: [&str; 22] = [
    "objectid",
    "userobjectid",
    "aadobjectid",
    "azureadobjectid",
    "azureobjectid",
    "entraobjectid",
    "entraidobjectid",
    "microsoftentraobjectid",
    "accountobjectid",
    "externaldirectoryobjectid",
    "aaduserid",
    "azureaduserid",
    "azureuserid",
    "entrauserid",
    "entraiduserid",
    "entraid",
    "userid",
    "memberobjectid",
    "memberobjectidorupn",
    "memberid",
    "principalid",
    "id",
];

/// Names of columns that hold user principal names, the surest first.
const UPNS: [&str; 18] = [
    "userprincipalname",
    "upn",
    "userupn",
    "accountupn",
    "principalname",
    "username",
    "user",
    "userlogin",
    "login",
    "loginname",
    "logonname",
    "signinname",
    "account",
    "accountname",
    "identity",
    "principal",
    "member",
    "memberupn",
];

/// Names of columns that hold mail addresses, which often equal the user principal name, and not always.
const MAILS: [&str; 9] = [
    "mail",
    "email",
    "mailaddress",
    "emailaddress",
    "usermail",
    "useremail",
    "workemail",
    "workmail",
    "primarysmtpaddress",
];

const OBJECT_TYPES: [&str; 5] = ["objecttype", "membertype", "principaltype", "odatatype", "type"];
const USER_TYPES: [&str; 1] = ["usertype"];
const PRIORITIES: [&str; 1] = ["priority"];

/// Names of columns that hold tenants, the surest first: the `TenantId` of Log Analytics is its workspace, and the
/// tenant stands in `AADTenantId` beside it. Names of customers are no tenants.
const TENANTS: [&str; 14] = [
    "aadtenantid",
    "entratenantid",
    "azuretenantid",
    "azureadtenantid",
    "microsofttenantid",
    "customertenantid",
    "customertenant",
    "tenant",
    "tenantid",
    "tenantguid",
    "tenantdomain",
    "tenantdomainname",
    "customerdomain",
    "directoryid",
];

/// What a known name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Promise {
    ObjectId,
    Upn,
    Mail,
}

/// Where in a row the things stand that this program looks at.
#[derive(Debug, Clone, Default)]
pub(super) struct Roles {
    /// The user id.
    pub(super) id: usize,
    /// Whether the id is a mail address, which says nothing about where a user's home is.
    pub(super) id_is_mail: bool,
    /// The user principal name to take where the id's cell is empty.
    pub(super) fallback: Option<usize>,
    pub(super) priority: Option<usize>,
    pub(super) tenant: Option<usize>,
    pub(super) object_type: Option<usize>,
    pub(super) user_type: Option<usize>,
    /// Every column that is known to hold user principal names.
    pub(super) upns: Vec<usize>,
    /// Every column that is known to hold users' object ids.
    pub(super) objects: Vec<usize>,
}

/// The name without case, spaces and signs. Of `Name [property] Required`, as in Entra's templates, the property.
fn normal(name: &str) -> String {
    let inner = name.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(inner, _)| inner);
    inner.unwrap_or(name).chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Where the column of this name is: as it is written, or else without regard to case, spaces and signs.
pub(super) fn find_column(columns: &[String], name: &str) -> Option<usize> {
    let wanted = super::cell::trim(name);
    let exact = columns.iter().position(|column| super::cell::trim(column) == wanted);
    exact.or_else(|| {
        let wanted = normal(wanted);
        columns.iter().position(|column| !wanted.is_empty() && normal(column) == wanted)
    })
}

fn find_known(columns: &[String], names: &[&str]) -> Option<usize> {
    let normals: Vec<String> = columns.iter().map(|column| normal(column)).collect();
    names.iter().find_map(|name| normals.iter().position(|column| column == name))
}

/// Whether the name is one that this program knows to hold user ids.
pub(super) fn is_known_id(name: &str) -> bool {
    let name = normal(name);
    [&OBJECT_IDS[..], &UPNS, &MAILS].iter().any(|names| names.contains(&name.as_str()))
}

/// The columns that are known to hold tenants, or organizations, by their names.
pub(super) fn find_known_tenants(columns: &[String]) -> Vec<usize> {
    let is_tenant =
        |name: &str| TENANTS.contains(&name) || name.ends_with("tenantid") || name == "organizationid";
    columns.iter().enumerate().filter(|(_, name)| is_tenant(&normal(name))).map(|(at, _)| at).collect()
}

/// Finds the roles of the columns but the id's, which the caller sets.
pub(super) fn roles_but_id(columns: &[String]) -> Roles {
    let named = |known: &[&str]| {
        let found = columns.iter().enumerate().filter(|(_, name)| known.contains(&normal(name).as_str()));
        found.map(|(at, _)| at).collect()
    };
    Roles {
        priority: find_known(columns, &PRIORITIES),
        tenant: find_known(columns, &TENANTS),
        object_type: find_known(columns, &OBJECT_TYPES),
        user_type: find_known(columns, &USER_TYPES),
        upns: named(&UPNS),
        objects: named(&OBJECT_IDS),
        ..Roles::default()
    }
}

/// The column of user ids and what to say about it.
pub(super) struct Choice {
    pub(super) id: usize,
    pub(super) is_mail: bool,
    pub(super) fallback: Option<usize>,
    pub(super) said: Vec<String>,
}

/// Chooses the column of user ids among those of known names. `cell(row, column)` looks at one of the first `rows`.
///
/// A column whose cells are neither GUIDs nor addresses loses against one whose cells are: an `id` of 1, 2, 3 is no
/// object id.
pub(super) fn choose_id<'a>(
    columns: &[String],
    rows: usize,
    cell: impl Fn(usize, usize) -> &'a str,
) -> Option<Choice> {
    #[derive(PartialEq, Eq)]
    enum Fit {
        Good,
        Empty,
        Bad,
    }
    let groups =
        [(Promise::ObjectId, &OBJECT_IDS[..]), (Promise::Upn, &UPNS[..]), (Promise::Mail, &MAILS[..])];
    let ranked = groups.iter().flat_map(|(promise, names)| names.iter().map(move |name| (*promise, *name)));
    let mut candidates = Vec::new();
    for (promise, known) in ranked {
        for (at, _) in columns.iter().enumerate().filter(|(_, name)| normal(name) == known) {
            let filled: Vec<&str> =
                (0..rows).map(|row| cell(row, at)).filter(|text| !text.is_empty()).collect();
            let good = filled.iter().filter(|text| is_id_like(text)).count();
            let fit = match filled.len() {
                0 => Fit::Empty,
                n if good * 2 >= n => Fit::Good,
                _ => Fit::Bad,
            };
            candidates.push((promise, at, fit));
        }
    }
    let by_fit = |wanted: Fit| candidates.iter().position(|(.., fit)| *fit == wanted);
    let chosen = by_fit(Fit::Good).or_else(|| by_fit(Fit::Empty)).or((!candidates.is_empty()).then_some(0))?;
    let (promise, id, fit) = &candidates[chosen];
    let name = |at: usize| shown(&columns[at]);
    let mut said = Vec::new();
    for (_, at, fit) in &candidates[..chosen] {
        let why = if *fit == Fit::Empty { "is empty" } else { "holds no user ids" };
        said.push(format!("passed over {}, which {why}", name(*at)));
    }
    let others: Vec<String> = candidates[chosen + 1..].iter().map(|(_, at, _)| name(*at)).collect();
    if !others.is_empty() {
        said.push(format!("also saw {}", others.join(", ")));
    }
    if *promise == Promise::Mail {
        said.push("a mail address is not always the user principal name".into());
    }
    if *fit == Fit::Bad {
        said.push("its cells do not look like user ids".into());
    }
    let fallback = (*promise == Promise::ObjectId)
        .then(|| candidates.iter().find(|(promise, _, fit)| *promise == Promise::Upn && *fit != Fit::Bad))
        .flatten()
        .map(|(_, at, _)| *at);
    Some(Choice { id: *id, is_mail: *promise == Promise::Mail, fallback, said })
}

/// The column most like `name`, if one is near enough to be meant.
pub(super) fn nearest(columns: &[String], name: &str) -> Option<String> {
    let wanted = normal(name);
    let score = |column: &String| {
        let column = normal(column);
        if wanted.len() >= 3 && (column.contains(&wanted) || (column.len() >= 3 && wanted.contains(&column)))
        {
            return Some(1);
        }
        let distance = edits(&wanted, &column);
        (distance * 3 <= wanted.chars().count().max(3)).then_some(distance)
    };
    columns
        .iter()
        .filter_map(|column| Some((score(column)?, column)))
        .min_by_key(|(n, _)| *n)
        .map(|(_, c)| c.clone())
}

/// How many characters to insert, delete or replace to get from one text to the other (the first 64 of each).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "8a0f3c1e-1111-2222-3333-444455556666";

    fn choose(columns: &[&str], row: &[&str]) -> (usize, Option<usize>, String) {
        let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
        let choice = choose_id(&columns, 1, |_, at| row[at]).unwrap();
        (choice.id, choice.fallback, choice.said.join("; "))
    }

    #[test]
    fn object_ids_win_unless_they_are_none() {
        let columns = ["Display name", "User principal name", "Object Id"];
        assert_eq!(
            choose(&columns, &["Ann", "ann@contoso.com", GUID]),
            (2, Some(1), "also saw `User principal name`".into())
        );
        assert_eq!(choose(&["id", "UPN"], &["17", "ann@contoso.com"]).0, 1);
        assert_eq!(choose(&["id", "userId"], &[GUID, GUID]).0, 1);
        assert_eq!(choose(&["username", "e-mail"], &["ann", "ann@contoso.com"]).0, 1);
        assert_eq!(choose(&["id", "UPN"], &["", "ann@contoso.com"]).0, 1);
        assert_eq!(choose(&["User"], &["Ann Lee"]).2, "its cells do not look like user ids");
        assert!(choose_id(&["Name".into()], 0, |_, _| "").is_none());
    }

    #[test]
    fn names_are_found_whatever_their_case_and_signs() {
        let columns =
            ["E-Mail".to_owned(), "User name [userPrincipalName] Required".to_owned(), "É".to_owned()];
        assert_eq!(find_column(&columns, "email"), Some(0));
        assert_eq!(find_column(&columns, "UserPrincipalName"), Some(1));
        assert_eq!(find_column(&columns, "é"), Some(2));
        assert_eq!(find_column(&columns, "--"), None);
        assert!(is_known_id("@Azure_AD_User-ID"));
    }

    #[test]
    fn suggests_what_was_meant() {
        let columns = ["Object Id".to_owned(), "Department".to_owned()];
        assert_eq!(nearest(&columns, "objectd").as_deref(), Some("Object Id"));
        assert_eq!(nearest(&columns, "dept").as_deref(), None);
        assert_eq!(nearest(&columns, "Depart").as_deref(), Some("Department"));
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
