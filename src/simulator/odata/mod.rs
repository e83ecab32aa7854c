//! Queries as OData has them, as far as Graph's directory takes them: what is selected, which of many, in what pages.

mod filter;
mod matching;
mod page;
mod query;
mod words;

pub(super) use filter::Filter;
pub(super) use matching::{Field, Fields, Property, Schema};
pub(super) use page::{List, Retries, plain_count};
pub(super) use query::Query;
