//! The query of a URL.

use hyper::StatusCode;
use hyper::header::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::simulator::graph_response::GraphError;

/// A parsed query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::simulator) struct ODataQuery {
    pub(in crate::simulator) select: Option<Vec<String>>,
    pub(in crate::simulator) filter: Option<String>,
    pub(in crate::simulator) top: Option<usize>,
    /// `$count=true`
    pub(in crate::simulator) count: bool,
    pub(in crate::simulator) skip_token: Option<String>,
    pub(in crate::simulator) expand: Option<String>,
}

impl ODataQuery {
    /// Parses the part of a URL after the `?`.
    pub(in crate::simulator) fn parse(text: Option<&str>) -> Result<ODataQuery, GraphError> {
        let mut query = ODataQuery::default();
        for pair in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            // Names without a `$` are not system query options.
            if let Some(option) = name.strip_prefix('$') {
                query.set(&option.to_lowercase(), value)?;
            }
        }
        Ok(query)
    }

    fn set(&mut self, option: &str, value: String) -> Result<(), GraphError> {
        match option {
            "select" => {
                let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
                self.select =
                    Some(names.map(str::to_owned).collect()).filter(|names: &Vec<_>| !names.is_empty());
            }
            "filter" => self.filter = Some(value),
            "top" => self.top = Some(value.trim().parse().map_err(|_| bad_page_size(&value))?),
            "count" => self.count = value.eq_ignore_ascii_case("true"),
            "skiptoken" => self.skip_token = Some(value),
            "expand" => self.expand = Some(value),
            "skip" => return Err(bad_query(&format!("'${option}' is not supported by the service."))),
            other => {
                return Err(unsupported(&format!("The query option '${other}' is not supported here.")));
            }
        }
        Ok(())
    }

    /// Whether the request has both advanced query parameters.
    pub(in crate::simulator) fn is_advanced(&self, headers: &HeaderMap) -> bool {
        self.count && is_eventual(headers)
    }
}

/// Whether the request accepts slightly old data (`ConsistencyLevel: eventual`).
pub(in crate::simulator) fn is_eventual(headers: &HeaderMap) -> bool {
    let level = headers.get("consistencylevel").and_then(|level| level.to_str().ok());
    level.is_some_and(|level| level.trim().eq_ignore_ascii_case("eventual"))
}

/// Decodes a part of a query, in which `+` stands for a space.
fn decode(text: &str) -> Result<String, GraphError> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| bad_query("Bad Request - Error in query syntax."))
}

/// The error for an invalid `$top`.
pub(super) fn bad_page_size(asked: &str) -> GraphError {
    bad_query(&format!("Invalid page size specified: '{asked}'. Must be between 1 and 999 inclusive."))
}

/// A 400 with `Request_BadRequest`.
pub(super) fn bad_query(message: &str) -> GraphError {
    GraphError::new(StatusCode::BAD_REQUEST, "Request_BadRequest", message)
}

/// A 400 with `Request_UnsupportedQuery`.
pub(in crate::simulator) fn unsupported(message: &str) -> GraphError {
    GraphError::new(StatusCode::BAD_REQUEST, "Request_UnsupportedQuery", message)
}

/// A 400 for a query that is only supported with the advanced query parameters ("Advanced query capabilities on
/// Microsoft Entra ID objects").
pub(super) fn needs_advanced(what: &str) -> GraphError {
    unsupported(&format!(
        "{what} is not supported because the required parameters might be missing. Try adding $count=true query \
         parameter and ConsistencyLevel:eventual header. Refer to https://aka.ms/graph-docs/advanced-queries for more \
         information"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_options_are_parsed() {
        let query =
            ODataQuery::parse(Some("$select=id,%20mail&%24filter=mail+eq+'a%2Bb@x'&$top=5&$count=true&x=y"))
                .unwrap();
        assert_eq!(query.select.unwrap(), ["id", "mail"]);
        assert_eq!(
            (query.filter.as_deref(), query.top, query.count),
            (Some("mail eq 'a+b@x'"), Some(5), true)
        );
        assert!(ODataQuery::parse(None).unwrap().select.is_none());
    }

    #[test]
    fn unsupported_options_are_refused() {
        for text in ["$top=many", "$top=-1", "$skip=5", "$search=x", "$filter=%ff"] {
            assert_eq!(ODataQuery::parse(Some(text)).unwrap_err().status, 400, "{text}");
        }
    }
}
