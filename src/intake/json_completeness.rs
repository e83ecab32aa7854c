//! Whether a JSON text says that it is the whole list, or only one page of it.

use crate::json::Json;

/// Keys of an object that may have a list of users, without case and punctuation.
pub(super) const LISTS: [&str; 13] = [
    "value",
    "values",
    "results",
    "resources",
    "users",
    "members",
    "transitivemembers",
    "items",
    "records",
    "data",
    "accounts",
    "entries",
    "principals",
];

/// Keys next to a list that only describe it.
const DESCRIPTIONS: [&str; 10] = [
    "schema",
    "schemas",
    "columns",
    "stats",
    "statistics",
    "warnings",
    "errors",
    "links",
    "meta",
    "metadata",
];

/// Keys that name the next page of a list, or say that there is one.
const NEXT_PAGE_KEYS: [&str; 22] = [
    "nextlink",
    "odatanextlink",
    "next",
    "nextpage",
    "nextpageurl",
    "nextpagelink",
    "nexturl",
    "nexturi",
    "nexttoken",
    "nextpagetoken",
    "nextcursor",
    "nextmarker",
    "skiptoken",
    "continuationtoken",
    "hasmore",
    "hasmoreresults",
    "moreresults",
    "hasnext",
    "hasnextpage",
    "resulttruncated",
    "istruncated",
    "truncated",
];

/// Keys that say how many records a list has.
const COUNTS: [&str; 8] = [
    "count",
    "total",
    "totalcount",
    "totalresults",
    "totalrecords",
    "totalitems",
    "totalrecordcount",
    "odatacount",
];

/// Keys that say how many pages a list has.
const PAGES: [&str; 4] = ["totalpages", "pagecount", "numpages", "numberofpages"];

/// What OData adds to the name of a property: `members@odata.count`. Its `id` is left out, because a domain may end
/// like that.
const ANNOTATIONS: [&str; 14] = [
    "type",
    "count",
    "context",
    "nextLink",
    "deltaLink",
    "bind",
    "navigationLink",
    "associationLink",
    "mediaReadLink",
    "mediaEditLink",
    "mediaContentType",
    "mediaEtag",
    "editLink",
    "readLink",
];

/// The key without case and punctuation.
pub(super) fn normalize_key(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The last word of a key: `nextLink` of `@odata.nextLink`.
fn last_word(key: &str) -> String {
    normalize_key(key.rsplit('.').next().unwrap_or(key))
}

/// Whether this key of an object may have a list of users.
pub(super) fn may_hold_list(key: &str) -> bool {
    LISTS.contains(&normalize_key(key).as_str())
}

/// Whether this key, next to a list, only describes it.
pub(super) fn is_description(key: &str) -> bool {
    DESCRIPTIONS.contains(&normalize_key(key).as_str())
}

/// Whether the key is an annotation of OData: `@odata.type`, `members@odata.count`.
pub(super) fn is_annotation(key: &str) -> bool {
    let Some((name, word)) = key.split_once("@odata.") else { return false };
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    name.is_empty() || (is_plain && ANNOTATIONS.contains(&word))
}

/// Whether a key with this text says that more pages follow. Nested keys have a dot between them.
pub(super) fn text_means_further_pages(key: &str, text: &str) -> bool {
    let names_next = key.split('.').any(|word| NEXT_PAGE_KEYS.contains(&normalize_key(word).as_str()));
    let pages = PAGES.contains(&last_word(key).as_str()).then(|| number(text)).flatten();
    (names_next && !is_false(text)) || pages.is_some_and(|pages| pages > 1.0)
}

/// The number of records in the list, if this value states it.
pub(super) fn parse_count(key: &str, text: &str) -> Option<f64> {
    COUNTS.contains(&last_word(key).as_str()).then(|| number(text)).flatten()
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

fn is_false(text: &str) -> bool {
    matches!(text.trim().to_ascii_lowercase().as_str(), "" | "false" | "0")
}

/// The text of a value that is neither a list nor an object.
fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::Null => Some(String::new()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::Text(text) => Some(text.clone()),
        Json::List(_) | Json::Object(_) => None,
    }
}

/// Whether anything, at any depth, says that more pages follow.
pub(super) fn has_further_pages(value: &Json) -> bool {
    match value {
        Json::List(items) => items.iter().any(has_further_pages),
        Json::Object(members) => {
            members.iter().any(|(key, member)| is_next_link(key, member) || has_further_pages(member))
        }
        _ => false,
    }
}

fn is_next_link(key: &str, member: &Json) -> bool {
    // A link in a list of links: {"rel": "next", "href": "https://…"}.
    let is_rel = matches!(normalize_key(key).as_str(), "rel" | "relation");
    if is_rel && member.text().is_some_and(|text| text.trim().eq_ignore_ascii_case("next")) {
        return true;
    }
    match member {
        // {"next": {"href": "https://…"}}
        Json::List(items) => items.iter().any(|item| is_next_link(key, item)),
        Json::Object(members) => members.iter().any(|(_, member)| is_next_link(key, member)),
        member => scalar(member).is_some_and(|text| text_means_further_pages(key, &text)),
    }
}

/// Whether an object, at any depth, states more records than the list in it has.
pub(super) fn states_more_than_list(value: &Json) -> bool {
    match value {
        Json::List(items) => items.iter().any(states_more_than_list),
        Json::Object(members) => {
            let mut around = ListContext::default();
            around.add(members);
            around.states_more_than_list() || members.iter().any(|(_, member)| states_more_than_list(member))
        }
        _ => false,
    }
}

/// What an object, with the objects in it, says about a list in it.
#[derive(Default)]
struct ListContext {
    stated_count: f64,
    /// The length of the longest list under a key for lists of users.
    named: Option<usize>,
    /// The length of the longest list under any other key.
    other: Option<usize>,
}

impl ListContext {
    fn add(&mut self, members: &[(String, Json)]) {
        for (key, member) in members {
            match member {
                Json::List(items) if may_hold_list(key) => self.named = self.named.max(Some(items.len())),
                Json::List(items) if !is_description(key) => self.other = self.other.max(Some(items.len())),
                Json::List(_) => {}
                Json::Object(inner) => self.add(inner),
                member => {
                    let text = scalar(member).unwrap_or_default();
                    self.stated_count = self.stated_count.max(parse_count(key, &text).unwrap_or(0.0));
                }
            }
        }
    }

    fn states_more_than_list(&self) -> bool {
        self.named.or(self.other).is_some_and(|held| self.stated_count > held as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Json {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_page_is_known_at_any_depth() {
        for page in [
            r#"{"next": "x", "results": []}"#,
            r#"[{"value": [], "@odata.nextLink": "x"}]"#,
            r#"{"d": {"__next": "x", "results": []}}"#,
            r#"{"hasMore": true}"#,
            r#"{"_links": {"next": {"href": "x"}}}"#,
            r#"{"links": [{"rel": "next", "href": "x"}]}"#,
            r#"{"page": 1, "total_pages": 3}"#,
        ] {
            assert!(has_further_pages(&read(page)), "{page}");
        }
        for whole in [
            r#"{"next": null, "hasMore": false, "next_cursor": "", "skip_token": "0"}"#,
            r#"{"_links": {"next": {"href": null}, "self": {"href": "x"}}}"#,
            r#"{"links": [{"rel": "self", "href": "x"}], "totalPages": 1}"#,
        ] {
            assert!(!has_further_pages(&read(whole)), "{whole}");
        }
    }

    #[test]
    fn a_count_is_compared_with_the_list() {
        for part in [
            r#"{"@odata.count": 2, "value": [1]}"#,
            r#"{"schemas": ["a", "b"], "totalResults": "2", "Resources": [1]}"#,
            r#"{"meta": {"total": 1}, "items": []}"#,
            r#"{"id": "1", "count": 2, "members": [1]}"#,
            r#"[{"total": 2.0, "people": [1]}]"#,
        ] {
            assert!(states_more_than_list(&read(part)), "{part}");
        }
        for whole in [
            r#"{"@odata.count": 2, "value": [1, 2]}"#,
            r#"{"upn": "a@b.de", "itemCount": 5, "proxyAddresses": ["x"]}"#,
            r#"[{"count": 5}]"#,
        ] {
            assert!(!states_more_than_list(&read(whole)), "{whole}");
        }
    }

    #[test]
    fn annotations_are_told_from_ids() {
        assert!(is_annotation("@odata.type") && is_annotation("members@odata.count"));
        assert!(!is_annotation("ann@odata.contoso.com") && !is_annotation("ann@contoso.com"));
        assert!(!is_annotation("ann@odata.id") && !is_annotation("a.b@odata.type"));
    }
}
