//! Lists in pages, as on Graph's paging page: `@odata.nextLink` with a `$skiptoken`, `@odata.count` only on the first
//! page, and configured faults (`[directory.paging]`).

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::query::{self, ODataQuery};
use crate::simulator::body::Body;
use crate::simulator::fingerprint;
use crate::simulator::graph::Call;
use crate::simulator::graph_response::GraphError;
use crate::simulator::lock::lock;
use crate::simulator::store::PagingConfig;

/// The number of items on a page if the request has no `$top`.
const DEFAULT_PAGE_SIZE: usize = 100;
/// The maximum `$top`.
const MAX_PAGE_SIZE: usize = 999;

/// A list with `len` candidates, of which those with `is_included` belong to it.
pub(in crate::simulator) struct PagedList<'a> {
    /// The part of the context after `$metadata#`.
    pub(in crate::simulator) context: String,
    pub(in crate::simulator) len: usize,
    pub(in crate::simulator) is_included: &'a dyn Fn(usize) -> bool,
    pub(in crate::simulator) item_json: &'a dyn Fn(usize) -> Value,
}

/// How often the second page of each list was requested.
#[derive(Default)]
pub(in crate::simulator) struct PageRetries(Mutex<HashMap<u64, u32>>);

impl PageRetries {
    pub(in crate::simulator) fn clear(&self) {
        lock(&self.0).clear();
    }

    fn count(&self, list: u64) -> u32 {
        let mut counts = lock(&self.0);
        let count = counts.entry(list).or_default();
        *count += 1;
        *count
    }
}

/// The position where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PageCursor {
    /// The index of the first item.
    index: usize,
    /// 1 for the first page.
    page: usize,
    /// The index of an item that is repeated at the beginning of the page.
    repeated_item: Option<usize>,
    /// Whether the token was issued by a retry and is expired (`lose_token_once`).
    is_expired: bool,
}

impl PagedList<'_> {
    /// The page that `query` asks for.
    pub(in crate::simulator) fn respond(
        &self,
        call: &Call<'_>,
        query: &ODataQuery,
    ) -> Result<Response<Body>, GraphError> {
        let usual = PagingConfig::default();
        let paging = call.live.store.as_ref().map_or(&usual, |tenant| &tenant.paging);
        // Decoded, because a client may percent-encode more of the link than the simulator did.
        let address = format!("{}?{}", call.path, query_without_skip_token(call));
        let list = fingerprint::hash(&percent_decode_str(&address).collect::<Vec<u8>>());
        let cursor = match &query.skip_token {
            None => PageCursor { index: 0, page: 1, repeated_item: None, is_expired: false },
            Some(token) => PageCursor::from_token(token, list)?,
        };
        let tries =
            if cursor.page == 2 && paging.lose_token_once { call.state.page_retries.count(list) } else { 0 };
        if tries == 1 {
            let message = "The service is temporarily unavailable.";
            return Err(GraphError::new(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", message));
        }
        let (items, next) =
            self.page_from(cursor, page_size(query)?.min(paging.most.unwrap_or(MAX_PAGE_SIZE)), paging);
        let next = next.map(|next| PageCursor { is_expired: tries == 2, ..next });

        let mut body = Map::new();
        let context = format!("https://graph.microsoft.com/{}/$metadata#{}", call.version, self.context);
        body.insert("@odata.context".into(), context.into());
        if cursor.page == 1 && query.is_advanced(call.headers) {
            let count = (0..self.len).filter(|&at| (self.is_included)(at)).count();
            body.insert("@odata.count".into(), count.into());
        }
        if let Some(next) = next {
            let foreign = paging.foreign_next_link.clone().filter(|_| cursor.page >= 2);
            body.insert("@odata.nextLink".into(), foreign.unwrap_or_else(|| next.link(call, list)).into());
        }
        body.insert("value".into(), items.into_iter().map(|at| (self.item_json)(at)).collect());
        Ok(call.responder.ok(Value::from(body).to_string().into()))
    }

    /// The items of the page at `cursor`, and the position of the next page.
    fn page_from(
        &self,
        cursor: PageCursor,
        size: usize,
        paging: &PagingConfig,
    ) -> (Vec<usize>, Option<PageCursor>) {
        let page = cursor.page + 1;
        if paging.empty_every > 0 && cursor.page.is_multiple_of(paging.empty_every) && cursor.index < self.len
        {
            return (Vec::new(), Some(PageCursor { page, ..cursor }));
        }
        let mut items: Vec<usize> = cursor.repeated_item.into_iter().collect();
        // Even a page of size 1 must have a new item.
        let size = size.max(items.len() + 1);
        let mut more = (cursor.index..self.len).filter(|&at| (self.is_included)(at));
        items.extend(more.by_ref().take(size - items.len()));
        let next = more.next().map(|at| {
            let again = items.last().copied().filter(|_| paging.repeat_across_pages);
            PageCursor { index: at, page, repeated_item: again, is_expired: false }
        });
        (items, next)
    }
}

fn page_size(query: &ODataQuery) -> Result<usize, GraphError> {
    match query.top {
        None => Ok(DEFAULT_PAGE_SIZE),
        Some(top) if (1..=MAX_PAGE_SIZE).contains(&top) => Ok(top),
        Some(top) => Err(query::bad_page_size(&top.to_string())),
    }
}

impl PageCursor {
    /// An opaque token for this position. It is valid for one list only.
    fn to_token(self, list: u64) -> String {
        let again = self.repeated_item.map_or_else(String::new, |again| again.to_string());
        let text = format!("{:x}.{}.{}.{again}.{}", list, self.index, self.page, self.is_expired);
        URL_SAFE_NO_PAD.encode(format!("{text}.{:x}", fingerprint::hash(text.as_bytes())))
    }

    fn from_token(token: &str, list: u64) -> Result<PageCursor, GraphError> {
        let cursor = PageCursor::parse_token(token, list).ok_or_else(|| {
            let message =
                "The specified page token value has expired and can no longer be included in your request.";
            GraphError::new(StatusCode::BAD_REQUEST, "Directory_ExpiredPageToken", message)
        })?;
        if cursor.is_expired {
            let message = "The directory page token was not found.";
            return Err(GraphError::new(
                StatusCode::BAD_REQUEST,
                "DirectoryPageTokenNotFoundException",
                message,
            ));
        }
        Ok(cursor)
    }

    fn parse_token(token: &str, list: u64) -> Option<PageCursor> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (text, check) = text.rsplit_once('.')?;
        let mut parts = text.split('.');
        let (token_list, at, page) = (parts.next()?, parts.next()?, parts.next()?);
        let (again, is_expired) = (parts.next()?, parts.next()?);
        let is_intact = format!("{:x}", fingerprint::hash(text.as_bytes())) == check;
        (is_intact && token_list == format!("{list:x}")).then_some(PageCursor {
            index: at.parse().ok()?,
            page: page.parse().ok()?,
            repeated_item: if again.is_empty() { None } else { Some(again.parse().ok()?) },
            is_expired: is_expired == "true",
        })
    }

    /// The complete URL of the page, on the host that the request was sent to.
    fn link(self, call: &Call<'_>, list: u64) -> String {
        let scheme = if call.live.config.tls { "https" } else { "http" };
        let rest = query_without_skip_token(call);
        let joint = if rest.is_empty() { "" } else { "&" };
        format!("{scheme}://{}{}?{rest}{joint}$skiptoken={}", call.host, call.path, self.to_token(list))
    }
}

/// The query without `$skiptoken`.
fn query_without_skip_token(call: &Call<'_>) -> String {
    let pairs = call.query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let is_token = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default().to_lowercase();
        name == "$skiptoken" || name == "%24skiptoken"
    };
    pairs.filter(|pair| !is_token(pair)).collect::<Vec<_>>().join("&")
}

/// The response to `…/$count`: a number as plain text. It needs `ConsistencyLevel: eventual`.
pub(in crate::simulator) fn count_response(
    call: &Call<'_>,
    count: impl FnOnce() -> usize,
) -> Result<Response<Body>, GraphError> {
    if !query::is_eventual(call.headers) {
        return Err(query::bad_query("$count is not currently supported."));
    }
    let mut response = call.responder.ok(count().to_string().into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=utf-8"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pages_contain_each_item_and_end(
            wanted in prop::collection::vec(any::<bool>(), 0..60), size in 1usize..12,
            empty_every in prop::sample::select(vec![0usize, 2, 3]), repeat_across_pages in any::<bool>(),
        ) {
            let paging = PagingConfig { empty_every, repeat_across_pages, ..PagingConfig::default() };
            let (is, show) = (|at: usize| wanted[at], |_| Value::Null);
            let list = PagedList { context: String::new(), len: wanted.len(), is_included: &is, item_json: &show };
            let (mut seen, mut items_in_all) = (BTreeSet::new(), 0);
            let mut cursor = Some(PageCursor { index: 0, page: 1, repeated_item: None, is_expired: false });
            while let Some(from) = cursor {
                prop_assert!(from.page < 300, "no end");
                let (items, next) = list.page_from(from, size, &paging);
                prop_assert!(items.len() <= size.max(2));
                items_in_all += items.len();
                seen.extend(items);
                // The token must lead to where the page begins.
                cursor = next.map(|next| PageCursor::from_token(&next.to_token(7), 7).unwrap());
                prop_assert_eq!(cursor, next);
            }
            let all: BTreeSet<usize> = (0..wanted.len()).filter(|&at| wanted[at]).collect();
            prop_assert!(repeat_across_pages || items_in_all == all.len());
            prop_assert_eq!(seen, all);
        }

        #[test]
        fn foreign_skip_tokens_are_refused(token in "\\PC{0,40}") {
            prop_assert!(PageCursor::from_token(&token, 7).is_err());
        }
    }

    #[test]
    fn a_skip_token_of_another_list_is_refused() {
        let token = PageCursor { index: 3, page: 2, repeated_item: None, is_expired: false }.to_token(7);
        assert!(PageCursor::from_token(&token, 7).is_ok());
        assert_eq!(PageCursor::from_token(&token, 8).unwrap_err().code, "Directory_ExpiredPageToken");
    }
}
