//! Where in a row stands what this program looks at beside the user id: tenants, priorities, types; and how a column
//! that somebody names is found.

use super::column_choice::ColumnTable;
use super::column_name::{ColumnName, ColumnPromise, normalize};
use super::column_profile::{ColumnFit, is_blank};
use super::error::quote;
use crate::tenant::TenantName;

const OBJECT_TYPES: &[&str] =
    &["objecttype", "membertype", "principaltype", "odatatype", "recipienttypedetails", "recipienttype"];
/// The name of a column that holds what a directory object is, if its cells are words of the directory.
const TYPES: &[&str] = &["type"];
/// Those words.
const DIRECTORY_TYPES: &[&str] = &[
    "user",
    "member",
    "guest",
    "group",
    "device",
    "serviceprincipal",
    "application",
    "contact",
    "orgcontact",
    "foreigngroup",
    "managedidentity",
    "administrativeunit",
];
const USER_TYPES: &[&str] = &["usertype"];
const PRIORITIES: &[&str] = &["priority"];

/// Names of columns that hold tenants, the surest first: the `TenantId` of Log Analytics is its workspace, and the
/// tenant stands under another name beside it. Names of customers are no tenants.
const TENANTS: &[&str] = &[
    "aadtenantid",
    "entratenantid",
    "azuretenantid",
    "azureadtenantid",
    "microsofttenantid",
    "accounttenantid",
    "hometenantid",
    "organizationid",
    "customertenantid",
    "customertenant",
    "tenant",
    "tenantguid",
    "tenantdomain",
    "tenantdomainname",
    "customerdomain",
    "directoryid",
    "tenantid",
];

/// Columns that stand beside a `TenantId` in exports of Log Analytics and Sentinel, where that is the workspace.
const LOG_ANALYTICS: &[&str] = &["timegenerated", "timegeneratedutc", "sourcesystem", "aadtenantid"];

/// Where in a row the things stand that this program looks at.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnRoles {
    /// The user id.
    pub(super) id: usize,
    /// Whether the id is a mail address, which says nothing about where a user's home is.
    pub(super) id_is_mail: bool,
    /// The user principal name to take where the id's cell is blank.
    pub(super) fallback: Option<usize>,
    /// Columns that hold the same users as the id's.
    pub(super) duplicates: Vec<usize>,
    pub(super) priority: Option<usize>,
    pub(super) tenant: Option<usize>,
    pub(super) object_type: Option<usize>,
    pub(super) user_type: Option<usize>,
    /// Every column that is known to hold user principal names.
    pub(super) upns: Vec<usize>,
    /// Every column that is known to hold users' object ids.
    pub(super) object_ids: Vec<usize>,
}

/// Where the column of this name is: as it is written, or else without regard to case, or to case, spaces and signs, if
/// only one is called like that.
pub(super) fn find_column(columns: &[String], name: &str) -> Option<usize> {
    let wanted = super::cell::trim(name);
    let only = |is: &dyn Fn(&str) -> bool| {
        let mut found = columns.iter().enumerate().filter(|(_, column)| is(super::cell::trim(column)));
        found.next().filter(|_| found.next().is_none()).map(|(at, _)| at)
    };
    let exact = columns.iter().position(|column| super::cell::trim(column) == wanted);
    let lower = wanted.to_lowercase();
    let (whole, base) = (normalize(wanted), ColumnName::new(wanted).normal);
    exact
        .or_else(|| only(&|column| column.to_lowercase() == lower))
        .or_else(|| only(&|column| !whole.is_empty() && normalize(column) == whole))
        .or_else(|| only(&|column| !base.is_empty() && ColumnName::new(column).normal == base))
}

/// Whether the name is one that this program knows to hold user ids.
pub(super) fn is_known_id(name: &str) -> bool {
    ColumnName::new(name).is_known()
}

/// Whether the name stands over ids of people: users', or others'.
pub(super) fn names_people(name: &str) -> bool {
    let header = ColumnName::new(name);
    header.is_known() || header.names_another_person() || header.is_bracketed && header.promises_people()
}

/// Where known names stand, by the names alone.
pub(super) struct KnownColumns {
    pub(super) object_ids: Vec<usize>,
    pub(super) upns: Vec<usize>,
    pub(super) mails: Vec<usize>,
    /// Those that hold nothing but ids of users.
    pub(super) user_only: Vec<usize>,
    /// The surest column of tenants, and all of them.
    pub(super) tenant: Option<usize>,
    pub(super) tenants: Vec<usize>,
    pub(super) object_type: Option<usize>,
}

/// Understands names of columns without a look at their cells.
pub(super) fn classify_names(names: &[String]) -> KnownColumns {
    let headers: Vec<ColumnName> = names.iter().map(|name| ColumnName::new(name)).collect();
    let find = |known: &[&str]| known.iter().find_map(|name| headers.iter().position(|h| h.normal == *name));
    let all = |is: &dyn Fn(&ColumnName) -> bool| (0..headers.len()).filter(|at| is(&headers[*at])).collect();
    KnownColumns {
        object_ids: all(&|header| header.promise <= ColumnPromise::AnyId),
        upns: all(&|header| {
            matches!(header.promise, ColumnPromise::PrincipalName | ColumnPromise::SignInName)
        }),
        mails: all(&|header| header.promise == ColumnPromise::Mail),
        user_only: all(&|header| {
            matches!(
                header.promise,
                ColumnPromise::UserObjectId | ColumnPromise::ObjectId | ColumnPromise::PrincipalName
            )
        }),
        tenant: find(TENANTS),
        tenants: all(&|header| {
            TENANTS.contains(&header.normal.as_str()) || header.normal.ends_with("tenantid")
        }),
        object_type: find(OBJECT_TYPES).or_else(|| find(TYPES)),
    }
}

/// Finds the roles of the columns but the id's and the tenants', which the caller sets.
pub(super) fn find_roles_except_id(table: &ColumnTable<'_>) -> ColumnRoles {
    let find = |names: &[&str]| {
        let normal = |at: usize| table.headers[at].normal.as_str();
        names.iter().find_map(|name| (0..table.headers.len()).find(|at| normal(*at) == *name))
    };
    let named = |is: fn(ColumnPromise) -> bool| -> Vec<usize> {
        let fits = |at: &usize| {
            let header = &table.headers[*at];
            is(header.promise)
                && header.contrary_word.is_none()
                && table.profiles[*at].fit() != ColumnFit::Bad
        };
        (0..table.headers.len()).filter(fits).collect()
    };
    ColumnRoles {
        priority: find(PRIORITIES),
        object_type: find(OBJECT_TYPES).or_else(|| find(TYPES).filter(|at| holds_types(table, *at))),
        user_type: find(USER_TYPES),
        upns: named(|promise| matches!(promise, ColumnPromise::PrincipalName | ColumnPromise::SignInName)),
        object_ids: named(|promise| promise <= ColumnPromise::AnyId),
        ..ColumnRoles::default()
    }
}

/// The column that says what a directory object is by its name.
pub(super) fn find_object_type(headers: &[ColumnName]) -> Option<usize> {
    OBJECT_TYPES.iter().find_map(|name| headers.iter().position(|header| header.normal == *name))
}

/// Whether a type, as such a column has it, is a user's.
pub(super) fn is_user(kind: &str) -> bool {
    matches!(normalize(kind.rsplit('.').next().unwrap_or(kind)).as_str(), "user" | "member" | "guest")
}

/// Whether the cells of a column say what a directory object is: a type of contract, or a table's name, does not.
fn holds_types(table: &ColumnTable<'_>, at: usize) -> bool {
    let cells = table.cells(at).filter(|cell| !is_blank(cell));
    let mut filled = 0;
    let mut fit = 0;
    for cell in cells {
        filled += 1;
        let plain = normalize(cell.rsplit('.').next().unwrap_or(cell));
        fit += usize::from(DIRECTORY_TYPES.contains(&plain.as_str()));
    }
    filled > 0 && fit * 20 >= filled * 19
}

/// The column of tenants that a table has by its names and cells, and what to say about it.
pub(super) struct TenantGuess {
    pub(super) column: Option<usize>,
    pub(super) note: Option<String>,
}

/// Guesses the column of tenants. `is_named` says that the command line names the run's tenant: that is surer than a
/// guess.
pub(super) fn guess_tenants(table: &ColumnTable<'_>, id: usize, is_named: bool) -> TenantGuess {
    let has = |names: &[&str]| table.headers.iter().any(|header| names.contains(&header.normal.as_str()));
    let is_workspace = |at: usize| table.headers[at].normal == "tenantid" && has(LOG_ANALYTICS);
    let named = TENANTS.iter().flat_map(|name| {
        (0..table.headers.len()).filter(move |at| *at != id && table.headers[*at].normal == *name)
    });
    let named: Vec<usize> = named.collect();
    let name = |at: usize| quote(&table.names[at]);
    let found = named.iter().copied().find(|at| !is_workspace(*at) && holds_tenants(table, *at));
    let filled = |at: &usize| table.profiles[*at].filled > 0;
    let ignored = found.or_else(|| named.iter().copied().find(filled));
    match (found, ignored) {
        (Some(at), _) if !is_named => TenantGuess { column: Some(at), note: None },
        (Some(at), _) => TenantGuess {
            column: None,
            note: Some(format!(
                "{} is not read as tenants, because --tenant is given (--tenant-column {} reads it)",
                name(at),
                crate::shell::word(&table.names[at])
            )),
        },
        (None, Some(at)) if is_workspace(at) => TenantGuess {
            column: None,
            note: Some(format!("{} is not read as tenants: it is a Log Analytics workspace", name(at))),
        },
        (None, Some(at)) => TenantGuess {
            column: None,
            note: Some(format!("{} is not read as tenants: its cells are neither ids nor domains", name(at))),
        },
        // An empty column may be filled further below.
        (None, None) => TenantGuess { column: named.first().copied().filter(|_| !is_named), note: None },
    }
}

fn holds_tenants(table: &ColumnTable<'_>, at: usize) -> bool {
    let mut filled = 0;
    let mut fit = 0;
    for cell in table.cells(at).filter(|cell| !is_blank(cell)) {
        filled += 1;
        fit += usize::from(cell.parse::<TenantName>().is_ok());
    }
    filled > 0 && fit * 2 >= filled
}

/// The column most like `name`, if one is near enough to be meant.
pub(super) fn suggest_column(columns: &[String], name: &str) -> Option<String> {
    let wanted = normalize(name);
    let score = |column: &String| {
        let column = normalize(column);
        if wanted.len() >= 3 && (column.contains(&wanted) || (column.len() >= 3 && wanted.contains(&column)))
        {
            return Some(1);
        }
        let distance = edit_distance(&wanted, &column);
        (distance * 3 <= wanted.chars().count().max(3)).then_some(distance)
    };
    columns
        .iter()
        .filter_map(|column| Some((score(column)?, column)))
        .min_by_key(|(n, _)| *n)
        .map(|(_, c)| c.clone())
}

/// How many characters to insert, delete or replace to get from one text to the other (the first 64 of each).
fn edit_distance(a: &str, b: &str) -> usize {
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

    #[test]
    fn names_are_found_whatever_their_case_and_signs() {
        let columns =
            ["E-Mail".to_owned(), "User name [userPrincipalName] Required".to_owned(), "É".to_owned()];
        assert_eq!(find_column(&columns, "email"), Some(0));
        assert_eq!(find_column(&columns, "UserPrincipalName"), Some(1));
        assert_eq!(find_column(&columns, "é"), Some(2));
        assert_eq!(find_column(&columns, "--"), None);
        assert!(is_known_id("@Azure_AD_User-ID"));
        let tables = ["Manager[UPN]".to_owned(), "Employee[UPN]".to_owned()];
        assert_eq!(find_column(&tables, "Employee[UPN]"), Some(1));
        assert_eq!(find_column(&tables, "employee upn"), Some(1));
        assert_eq!(find_column(&tables, "UPN"), None, "it may be either");
    }

    #[test]
    fn misspelled_column_gets_a_suggestion() {
        let columns = ["Object Id".to_owned(), "Department".to_owned()];
        assert_eq!(suggest_column(&columns, "objectd").as_deref(), Some("Object Id"));
        assert_eq!(suggest_column(&columns, "dept").as_deref(), None);
        assert_eq!(suggest_column(&columns, "Depart").as_deref(), Some("Department"));
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
