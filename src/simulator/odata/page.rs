//! Lists in pages, as Graph's paging page has them: `@odata.nextLink` with a `$skiptoken`, `@odata.count` on the first
//! page only, and what goes wrong on purpose (`[directory.paging]`).

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::query::{self, Query};
use crate::simulator::answer::GraphError;
use crate::simulator::body::Body;
use crate::simulator::fingerprint;
use crate::simulator::graph::Call;
use crate::simulator::lock::lock;
use crate::simulator::tenant::PagingConfig;

/// How many items a page has that nobody asked a size of.
const USUAL: usize = 100;
/// The most that one may ask.
const MOST: usize = 999;

/// A list: `len` places, of which `wanted` says what belongs to it.
pub(in crate::simulator) struct List<'a> {
    /// What stands behind `$metadata#`.
    pub(in crate::simulator) context: String,
    pub(in crate::simulator) len: usize,
    pub(in crate::simulator) wanted: &'a dyn Fn(usize) -> bool,
    pub(in crate::simulator) show: &'a dyn Fn(usize) -> Value,
}

/// How often the second page of each list was asked for.
#[derive(Default)]
pub(in crate::simulator) struct Retries(Mutex<HashMap<u64, u32>>);

impl Retries {
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

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// Of the first item.
    at: usize,
    /// 1 for the first page.
    page: usize,
    /// Of an item that is to come again.
    again: Option<usize>,
    /// The answer to a retry gave this away.
    worthless: bool,
}

impl List<'_> {
    /// The page that `query` asks for.
    pub(in crate::simulator) fn answer(
        &self,
        call: &Call<'_>,
        query: &Query,
    ) -> Result<Response<Body>, GraphError> {
        let usual = PagingConfig::default();
        let paging = call.live.tenant.as_ref().map_or(&usual, |tenant| &tenant.paging);
        // Decoded: a client may encode more of the link than is encoded in it.
        let address = format!("{}?{}", call.path, rest_of_query(call));
        let list = fingerprint::of(&percent_decode_str(&address).collect::<Vec<u8>>());
        let place = match &query.skip_token {
            None => Place { at: 0, page: 1, again: None, worthless: false },
            Some(token) => Place::read(token, list)?,
        };
        let tries =
            if place.page == 2 && paging.lose_token_once { call.world.retries.count(list) } else { 0 };
        if tries == 1 {
            let message = "The service is temporarily unavailable.";
            return Err(GraphError::new(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", message));
        }
        let (items, next) = self.cut(place, size(query)?.min(paging.most.unwrap_or(MOST)), paging);
        let next = next.map(|next| Place { worthless: tries == 2, ..next });

        let mut body = Map::new();
        let context = format!("https://graph.microsoft.com/{}/$metadata#{}", call.version, self.context);
        body.insert("@odata.context".into(), context.into());
        if place.page == 1 && query.is_advanced(call.headers) {
            let count = (0..self.len).filter(|&at| (self.wanted)(at)).count();
            body.insert("@odata.count".into(), count.into());
        }
        if let Some(next) = next {
            let foreign = paging.foreign_next_link.clone().filter(|_| place.page >= 2);
            body.insert("@odata.nextLink".into(), foreign.unwrap_or_else(|| next.link(call, list)).into());
        }
        body.insert("value".into(), items.into_iter().map(|at| (self.show)(at)).collect());
        Ok(call.marks.ok(Value::from(body).to_string().into()))
    }

    /// The items of the page that begins at `place`, and where the next one does.
    fn cut(&self, place: Place, size: usize, paging: &PagingConfig) -> (Vec<usize>, Option<Place>) {
        let page = place.page + 1;
        if paging.empty_every > 0 && place.page.is_multiple_of(paging.empty_every) && place.at < self.len {
            return (Vec::new(), Some(Place { page, ..place }));
        }
        let mut items: Vec<usize> = place.again.into_iter().collect();
        // A page of one goes on, too.
        let size = size.max(items.len() + 1);
        let mut more = (place.at..self.len).filter(|&at| (self.wanted)(at));
        items.extend(more.by_ref().take(size - items.len()));
        let next = more.next().map(|at| {
            let again = items.last().copied().filter(|_| paging.repeat_across_pages);
            Place { at, page, again, worthless: false }
        });
        (items, next)
    }
}

fn size(query: &Query) -> Result<usize, GraphError> {
    match query.top {
        None => Ok(USUAL),
        Some(top) if (1..=MOST).contains(&top) => Ok(top),
        Some(top) => Err(query::bad_page_size(&top.to_string())),
    }
}

impl Place {
    /// An opaque token for it, good for one list only.
    fn token(self, list: u64) -> String {
        let again = self.again.map_or_else(String::new, |again| again.to_string());
        let text = format!("{:x}.{}.{}.{again}.{}", list, self.at, self.page, self.worthless);
        URL_SAFE_NO_PAD.encode(format!("{text}.{:x}", fingerprint::of(text.as_bytes())))
    }

    fn read(token: &str, list: u64) -> Result<Place, GraphError> {
        let place = Place::parse(token, list).ok_or_else(|| {
            let message =
                "The specified page token value has expired and can no longer be included in your request.";
            GraphError::new(StatusCode::BAD_REQUEST, "Directory_ExpiredPageToken", message)
        })?;
        if place.worthless {
            let message = "The directory page token was not found.";
            return Err(GraphError::new(
                StatusCode::BAD_REQUEST,
                "DirectoryPageTokenNotFoundException",
                message,
            ));
        }
        Ok(place)
    }

    fn parse(token: &str, list: u64) -> Option<Place> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (text, check) = text.rsplit_once('.')?;
        let mut parts = text.split('.');
        let (own, at, page) = (parts.next()?, parts.next()?, parts.next()?);
        let (again, worthless) = (parts.next()?, parts.next()?);
        let whole = format!("{:x}", fingerprint::of(text.as_bytes())) == check;
        (whole && own == format!("{list:x}")).then_some(Place {
            at: at.parse().ok()?,
            page: page.parse().ok()?,
            again: if again.is_empty() { None } else { Some(again.parse().ok()?) },
            worthless: worthless == "true",
        })
    }

    /// The whole address of the page, at the host that was asked.
    fn link(self, call: &Call<'_>, list: u64) -> String {
        let scheme = if call.live.config.tls { "https" } else { "http" };
        let rest = rest_of_query(call);
        let joint = if rest.is_empty() { "" } else { "&" };
        format!("{scheme}://{}{}?{rest}{joint}$skiptoken={}", call.host, call.path, self.token(list))
    }
}

/// The query without the token.
fn rest_of_query(call: &Call<'_>) -> String {
    let pairs = call.query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let is_token = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default().to_lowercase();
        name == "$skiptoken" || name == "%24skiptoken"
    };
    pairs.filter(|pair| !is_token(pair)).collect::<Vec<_>>().join("&")
}

/// A number as `…/$count` answers it: plain text. It needs `ConsistencyLevel: eventual`.
pub(in crate::simulator) fn plain_count(
    call: &Call<'_>,
    count: impl FnOnce() -> usize,
) -> Result<Response<Body>, GraphError> {
    if !query::is_eventual(call.headers) {
        return Err(query::bad("$count is not currently supported."));
    }
    let mut response = call.marks.ok(count().to_string().into());
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
        fn pages_hold_each_item_and_end(
            wanted in prop::collection::vec(any::<bool>(), 0..60), size in 1usize..12,
            empty_every in prop::sample::select(vec![0usize, 2, 3]), repeat_across_pages in any::<bool>(),
        ) {
            let paging = PagingConfig { empty_every, repeat_across_pages, ..PagingConfig::default() };
            let (is, show) = (|at: usize| wanted[at], |_| Value::Null);
            let list = List { context: String::new(), len: wanted.len(), wanted: &is, show: &show };
            let (mut seen, mut items_in_all) = (BTreeSet::new(), 0);
            let mut place = Some(Place { at: 0, page: 1, again: None, worthless: false });
            while let Some(from) = place {
                prop_assert!(from.page < 300, "no end");
                let (items, next) = list.cut(from, size, &paging);
                prop_assert!(items.len() <= size.max(2));
                items_in_all += items.len();
                seen.extend(items);
                // What a token says is where the page begins.
                place = next.map(|next| Place::read(&next.token(7), 7).unwrap());
                prop_assert_eq!(place, next);
            }
            let all: BTreeSet<usize> = (0..wanted.len()).filter(|&at| wanted[at]).collect();
            prop_assert!(repeat_across_pages || items_in_all == all.len());
            prop_assert_eq!(seen, all);
        }

        #[test]
        fn no_token_but_its_own_is_taken(token in "\\PC{0,40}") {
            prop_assert!(Place::read(&token, 7).is_err());
        }
    }

    #[test]
    fn a_token_of_another_list_is_not_taken() {
        let token = Place { at: 3, page: 2, again: None, worthless: false }.token(7);
        assert!(Place::read(&token, 7).is_ok());
        assert_eq!(Place::read(&token, 8).unwrap_err().code, "Directory_ExpiredPageToken");
    }
}
