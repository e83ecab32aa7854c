//! OData queries, as far as Graph's directory supports them: `$select`, `$filter`, and paging.

mod evaluate;
mod filter;
mod paging;
mod query;
mod tokens;

pub(super) use evaluate::{FilterSchema, HasProperties, PropertyType, PropertyValue};
pub(super) use filter::ODataFilter;
pub(super) use paging::{PageRetries, PagedList, count_response};
pub(super) use query::ODataQuery;
