//! The columns other than the user ID that this program reads: tenants, priorities, types. Also finds a column by the
//! name on the command line.

use super::column_choice::ColumnTable;
use super::column_name::{ColumnName, NameMeaning, normalize};
use super::column_profile::{ColumnFit, means_blank};
use super::error::quote;
use crate::tenant::TenantName;

const OBJECT_TYPES: &[&str] =
    &["objecttype", "membertype", "principaltype", "odatatype", "recipienttypedetails", "recipienttype"];
/// The name of a column of object types, if its cells are [`DIRECTORY_TYPES`].
const GENERIC_TYPE_NAMES: &[&str] = &["type"];
/// The types of objects in a directory.
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

/// Names of columns of tenants, the most certain first: the `TenantId` of Log Analytics is its workspace, and the
/// tenant has another column. Names of customers are not tenants.
const TENANT_COLUMN_NAMES: &[&str] = &[
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

/// Columns in exports of Log Analytics and Sentinel, where `TenantId` is the workspace.
const LOG_ANALYTICS: &[&str] = &["timegenerated", "timegeneratedutc", "sourcesystem", "aadtenantid"];

/// The indices of the columns that this program reads.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnRoles {
    /// The user ID.
    pub(super) id: usize,
    /// Whether the ID is a mail address, which does not show the user's home tenant.
    pub(super) id_is_mail: bool,
    /// The user principal name to use if the ID's cell is blank.
    pub(super) fallback: Option<usize>,
    /// Columns that have the same users as the ID's column.
    pub(super) duplicates: Vec<usize>,
    pub(super) priority: Option<usize>,
    pub(super) tenant: Option<usize>,
    pub(super) object_type: Option<usize>,
    pub(super) user_type: Option<usize>,
    /// Every column that is known to have user principal names.
    pub(super) upns: Vec<usize>,
    /// Every column that is known to have users' object IDs.
    pub(super) object_ids: Vec<usize>,
}

/// The index of the column with this name. If no name is exactly equal, case is ignored, and then spaces and
/// punctuation, as long as only one column matches.
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

/// Whether the name is known as one for columns of user IDs.
pub(super) fn is_known_id(name: &str) -> bool {
    ColumnName::new(name).is_known()
}

/// Whether a column with this name has IDs of people: of users or of others.
pub(super) fn names_people(name: &str) -> bool {
    let header = ColumnName::new(name);
    header.is_known() || header.names_another_person() || header.is_bracketed && header.promises_people()
}

/// The indices of columns with known names, by the names alone.
pub(super) struct KnownColumns {
    pub(super) object_ids: Vec<usize>,
    pub(super) upns: Vec<usize>,
    pub(super) mails: Vec<usize>,
    /// Columns that have only IDs of users.
    pub(super) user_only: Vec<usize>,
    /// The most certain column of tenants.
    pub(super) tenant: Option<usize>,
    /// All columns of tenants.
    pub(super) tenants: Vec<usize>,
    pub(super) object_type: Option<usize>,
}

/// Classifies columns by their names, without looking at their cells.
pub(super) fn classify_names(names: &[String]) -> KnownColumns {
    let headers: Vec<ColumnName> = names.iter().map(|name| ColumnName::new(name)).collect();
    let find = |known: &[&str]| known.iter().find_map(|name| headers.iter().position(|h| h.normal == *name));
    let all = |is: &dyn Fn(&ColumnName) -> bool| (0..headers.len()).filter(|at| is(&headers[*at])).collect();
    KnownColumns {
        object_ids: all(&|header| header.promise <= NameMeaning::AnyId),
        upns: all(&|header| matches!(header.promise, NameMeaning::PrincipalName | NameMeaning::SignInName)),
        mails: all(&|header| header.promise == NameMeaning::Mail),
        user_only: all(&|header| {
            matches!(
                header.promise,
                NameMeaning::UserObjectId | NameMeaning::ObjectId | NameMeaning::PrincipalName
            )
        }),
        tenant: find(TENANT_COLUMN_NAMES),
        tenants: all(&|header| {
            TENANT_COLUMN_NAMES.contains(&header.normal.as_str()) || header.normal.ends_with("tenantid")
        }),
        object_type: find(OBJECT_TYPES).or_else(|| find(GENERIC_TYPE_NAMES)),
    }
}

/// Finds the roles of the columns, except for the ID and the tenant, which the caller sets.
pub(super) fn find_roles_except_id(table: &ColumnTable<'_>) -> ColumnRoles {
    let find = |names: &[&str]| {
        let normal = |at: usize| table.headers[at].normal.as_str();
        names.iter().find_map(|name| (0..table.headers.len()).find(|at| normal(*at) == *name))
    };
    let named = |is: fn(NameMeaning) -> bool| -> Vec<usize> {
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
        object_type: find(OBJECT_TYPES)
            .or_else(|| find(GENERIC_TYPE_NAMES).filter(|at| holds_types(table, *at))),
        user_type: find(USER_TYPES),
        upns: named(|promise| matches!(promise, NameMeaning::PrincipalName | NameMeaning::SignInName)),
        object_ids: named(|promise| promise <= NameMeaning::AnyId),
        ..ColumnRoles::default()
    }
}

/// The column of object types, by its name alone.
pub(super) fn find_object_type(headers: &[ColumnName]) -> Option<usize> {
    OBJECT_TYPES.iter().find_map(|name| headers.iter().position(|header| header.normal == *name))
}

/// Whether a cell of such a column says that the object is a user.
pub(super) fn is_user(kind: &str) -> bool {
    matches!(normalize(kind.rsplit('.').next().unwrap_or(kind)).as_str(), "user" | "member" | "guest")
}

/// Whether the cells of a column are types of directory objects, rather than types of contracts or names of tables.
fn holds_types(table: &ColumnTable<'_>, at: usize) -> bool {
    let cells = table.readable_cells(at).filter(|cell| !means_blank(cell));
    let mut filled = 0;
    let mut fit = 0;
    for cell in cells {
        filled += 1;
        let plain = normalize(cell.rsplit('.').next().unwrap_or(cell));
        fit += usize::from(DIRECTORY_TYPES.contains(&plain.as_str()));
    }
    filled > 0 && fit * 20 >= filled * 19
}

/// The probable column of tenants, and a note about it.
pub(super) struct TenantGuess {
    pub(super) column: Option<usize>,
    pub(super) note: Option<String>,
}

/// Guesses the column of tenants. If `is_named`, the command line names the run's tenant, which is more certain than a
/// guess.
pub(super) fn guess_tenants(table: &ColumnTable<'_>, id: usize, is_named: bool) -> TenantGuess {
    let has = |names: &[&str]| table.headers.iter().any(|header| names.contains(&header.normal.as_str()));
    let is_workspace = |at: usize| table.headers[at].normal == "tenantid" && has(LOG_ANALYTICS);
    let named = TENANT_COLUMN_NAMES.iter().flat_map(|name| {
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
                "{} is not read as tenants, because --tenant is given (to read it, use --tenant-column {})",
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
            note: Some(format!("{} is not read as tenants: its cells are not IDs or domains", name(at))),
        },
        // An empty column may be filled in later rows.
        (None, None) => TenantGuess { column: named.first().copied().filter(|_| !is_named), note: None },
    }
}

fn holds_tenants(table: &ColumnTable<'_>, at: usize) -> bool {
    let mut filled = 0;
    let mut fit = 0;
    for cell in table.readable_cells(at).filter(|cell| !means_blank(cell)) {
        filled += 1;
        fit += usize::from(cell.parse::<TenantName>().is_ok());
    }
    filled > 0 && fit * 2 >= filled
}

/// The column whose name is most similar to `name`, if it is similar enough.
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
