//! A list, page by page.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use serde_json::Value;

use super::DirectoryError;
use super::read_error::ReadError;
use super::reader::{FetchedPage, GraphReader, ReadRequest, is_absolute_url};

/// How often a list is read from the start, because its paging token expired.
const MAX_STARTS: u32 = 4;

/// How often the same page is read again, because its answer came only after a retry.
const MAX_REREADS: u32 = 3;

/// Maximum number of consecutive empty pages. A list with more is treated as endless.
const MAX_EMPTY_PAGES: u32 = 1_000;

/// A list that is read page by page, by Graph's rules (learn.microsoft.com/graph/paging).
///
/// A link is followed verbatim and with the same headers. The link in an answer that came only after a retry may be
/// bad, so that page is read again and the link of the new answer is followed. The caller must therefore expect the
/// same item twice. Only hashes of the links are kept, so that the memory for a long list stays small.
#[derive(Debug)]
pub(super) struct GraphPages {
    reader: GraphReader,
    first: ReadRequest,
    next: Option<ReadRequest>,
    hasher: RandomState,
    /// Hashes of the links that were followed.
    seen_links: HashSet<u64>,
    starts: u32,
    rereads: u32,
    empty_pages: u32,
    count: Option<u64>,
}

impl GraphPages {
    pub(super) fn new(reader: GraphReader, first: ReadRequest) -> GraphPages {
        GraphPages {
            reader,
            next: Some(first.clone()),
            first,
            hasher: RandomState::new(),
            seen_links: HashSet::new(),
            starts: 1,
            rereads: 0,
            empty_pages: 0,
            count: None,
        }
    }

    /// How many items the whole list has, as the first page says (`@odata.count`).
    pub(super) fn count(&self) -> Option<u64> {
        self.count
    }

    /// The items of the next page. They may be empty although more pages follow, and may repeat earlier ones. `None`
    /// after the last page.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Value>>, DirectoryError> {
        let Some(read) = self.next.take() else { return Ok(None) };
        self.fetch_page(read).await.map(Some).map_err(|fault| fault.into_directory_error(&self.first))
    }

    async fn fetch_page(&mut self, mut read: ReadRequest) -> Result<Vec<Value>, ReadError> {
        let FetchedPage { mut value, retried } = loop {
            match self.reader.fetch(&read).await {
                Err(ReadError::PageLost(detail)) if self.starts < MAX_STARTS => {
                    let what = crate::text::sanitize::sanitize_truncated(&self.first.what, 200);
                    tracing::warn!(detail, "reading {what}: the paging token expired; restarting the list");
                    self.starts += 1;
                    self.seen_links.clear();
                    read = self.first.clone();
                }
                other => break other?,
            }
        };
        let Some(Value::Array(items)) = value.get_mut("value").map(Value::take) else {
            return Err(ReadError::Untrusted("a page without a list".to_owned()));
        };
        self.count = self.count.or_else(|| value.get("@odata.count")?.as_u64());
        let Some(link) = next_link(&value)? else { return Ok(items) };
        if retried && self.rereads < MAX_REREADS {
            self.rereads += 1;
            self.next = Some(read);
            return Ok(items);
        }
        self.rereads = 0;
        self.follow_link(link, items.is_empty())?;
        Ok(items)
    }

    fn follow_link(&mut self, link: String, empty: bool) -> Result<(), ReadError> {
        if !is_absolute_url(&link) {
            return Err(ReadError::Untrusted(
                "the link to its next page is not a complete address".to_owned(),
            ));
        }
        self.reader.url(&link)?;
        if !self.seen_links.insert(self.hasher.hash_one(&link)) {
            return Err(ReadError::Untrusted("its pages repeat".to_owned()));
        }
        self.empty_pages = if empty { self.empty_pages + 1 } else { 0 };
        if self.empty_pages > MAX_EMPTY_PAGES {
            return Err(ReadError::Untrusted("its empty pages do not end".to_owned()));
        }
        self.next = Some(ReadRequest { url: link, ..self.first.clone() });
        Ok(())
    }
}

/// The link to the next page. `None` at the end.
pub(super) fn next_link(page: &Value) -> Result<Option<String>, ReadError> {
    match page.get("@odata.nextLink") {
        None | Some(Value::Null) => Ok(None),
        // More items may follow, so an empty link is neither a link to follow nor the end.
        Some(Value::String(link)) if link.trim().is_empty() => {
            Err(ReadError::Untrusted("the link to its next page is empty".to_owned()))
        }
        Some(Value::String(link)) => Ok(Some(link.clone())),
        Some(_) => Err(ReadError::Untrusted("the link to its next page is not text".to_owned())),
    }
}
