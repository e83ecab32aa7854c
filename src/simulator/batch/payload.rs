//! The requests in a batch: parsed, checked as a whole, and put into an order of execution.
//!
//! Rules from Graph's json-batching page (2025-02-21): at most 20 requests; IDs that differ in more than case; a
//! `Content-Type` and a body for every request that writes; `dependsOn`.

use std::collections::{BTreeMap, HashMap};

use hyper::Method;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use crate::simulator::graph_response::GraphError;

/// The maximum number of requests in a batch.
const MAX_REQUESTS: usize = 20;

/// The characters that are not allowed in a URL.
const URL_ESCAPES: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}').add(b'|');

/// One request of a batch, as it was sent.
#[derive(Debug, Deserialize)]
pub(super) struct PartRequest {
    pub(super) id: String,
    method: String,
    /// The URL relative to the version, with or without a leading slash.
    pub(super) url: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    body: Option<Value>,
    #[serde(default, rename = "dependsOn")]
    depends_on: Vec<String>,
}

impl PartRequest {
    /// The method. An invalid one is an error of this part only.
    pub(super) fn method(&self) -> Result<Method, GraphError> {
        let error = |_| GraphError::bad_request(&format!("Invalid HTTP method: {}", self.method));
        Method::from_bytes(self.method.to_ascii_uppercase().as_bytes()).map_err(error)
    }

    /// The path without a leading slash, and the query, both percent-encoded, because a batch may have bare spaces in
    /// them. A fragment (`#…`) is dropped, because it is never sent to a server.
    pub(super) fn target(&self) -> (String, Option<String>) {
        let url = self.url.split('#').next().unwrap_or_default();
        let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
        let encode = |text: &str| utf8_percent_encode(text, URL_ESCAPES).to_string();
        (encode(path.strip_prefix('/').unwrap_or(path)), query.map(encode))
    }

    /// The body, as JSON.
    pub(super) fn body(&self) -> String {
        self.body.as_ref().map(Value::to_string).unwrap_or_default()
    }

    fn writes(&self) -> bool {
        ["POST", "PATCH", "PUT"].iter().any(|method| self.method.eq_ignore_ascii_case(method))
    }
}

#[derive(Deserialize)]
struct BatchBody {
    requests: Vec<PartRequest>,
}

/// A batch that can be carried out.
#[derive(Debug)]
pub(super) struct PartOrder {
    pub(super) items: Vec<PartRequest>,
    /// The positions of the parts in the order of execution, each after those that it depends on.
    pub(super) order: Vec<usize>,
    /// For each part, the positions of those that it depends on.
    pub(super) needs: Vec<Vec<usize>>,
}

/// Parses the body of a batch. An error concerns the batch as a whole, and then no part is carried out.
pub(super) fn parse(body: &[u8]) -> Result<PartOrder, GraphError> {
    let malformed = |_| GraphError::bad_request("Invalid batch payload format.");
    let BatchBody { requests: items } = serde_json::from_slice(body).map_err(malformed)?;
    if items.is_empty() {
        return Err(GraphError::bad_request("Invalid batch payload format."));
    }
    if items.len() > MAX_REQUESTS {
        // The text that a user got (microsoftgraph-postman-collections issue #9).
        return Err(GraphError::bad_request("Number of requests inside batch exceeds the limit."));
    }
    let places = index_by_id(&items)?;
    items.iter().try_for_each(check_body)?;
    let needs = items.iter().map(|item| dependencies(item, &places)).collect::<Result<Vec<_>, _>>()?;
    let order = execution_order(&needs)?;
    Ok(PartOrder { items, order, needs })
}

/// The positions by ID, in lower case.
fn index_by_id(items: &[PartRequest]) -> Result<HashMap<String, usize>, GraphError> {
    let mut places = HashMap::new();
    for (place, item) in items.iter().enumerate() {
        if places.insert(item.id.to_lowercase(), place).is_some() {
            let text = format!("Request Id {} has to be unique in a batch.", item.id);
            return Err(GraphError::bad_request(&text));
        }
    }
    Ok(places)
}

/// Checks that a request that writes has a `Content-Type` with exactly this spelling (others were refused: docs-contrib
/// issue #8032), and a body. The texts are from msgraph-sdk-dotnet issue #2628 and ms-365-mcp-server issue #677.
fn check_body(item: &PartRequest) -> Result<(), GraphError> {
    if !item.writes() {
        return Ok(());
    }
    if !item.headers.contains_key("Content-Type") {
        let text = format!("Write request with id '{}' does not contain a Content-Type header.", item.id);
        return Err(GraphError::bad_request(&text));
    }
    if item.body.is_none() {
        let text = format!("Write request id : {} does not contain Content-Type header or body.", item.id);
        return Err(GraphError::bad_request(&text));
    }
    Ok(())
}

fn dependencies(item: &PartRequest, places: &HashMap<String, usize>) -> Result<Vec<usize>, GraphError> {
    let unknown = |id: &String| {
        GraphError::bad_request(&format!("Request {} depends on {id}, which is not in the batch.", item.id))
    };
    let place = |id: &String| places.get(&id.to_lowercase()).copied().ok_or_else(|| unknown(id));
    item.depends_on.iter().map(place).collect()
}

fn execution_order(needs: &[Vec<usize>]) -> Result<Vec<usize>, GraphError> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < needs.len() {
        let ready =
            |&place: &usize| !order.contains(&place) && needs[place].iter().all(|need| order.contains(need));
        let Some(next) = (0..needs.len()).find(ready) else {
            return Err(GraphError::bad_request("Requests in the batch depend on each other in a circle."));
        };
        order.push(next);
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        parse(body.as_bytes()).unwrap_err().message
    }

    #[test]
    fn execution_order_puts_parts_after_their_dependencies() {
        let body = r#"{"requests":[
            {"id":"a","method":"GET","url":"x","dependsOn":["B"]},
            {"id":"b","method":"GET","url":"x","dependsOn":["c"]},
            {"id":"c","method":"GET","url":"x"}]}"#;
        assert_eq!(parse(body.as_bytes()).unwrap().order, [2, 1, 0]);
    }

    #[test]
    fn dependency_cycles_and_unknown_ids_are_refused() {
        let circle = r#"{"requests":[{"id":"a","method":"GET","url":"x","dependsOn":["a"]}]}"#;
        assert!(refusal(circle).contains("circle"));
        let stranger = r#"{"requests":[{"id":"a","method":"GET","url":"x","dependsOn":["z"]}]}"#;
        assert!(refusal(stranger).contains("depends on z"));
        assert!(refusal("[]").contains("payload"));
        assert!(refusal(r#"{"requests":[]}"#).contains("payload"));
    }

    #[test]
    fn fragment_and_leading_slash_are_stripped_from_the_path() {
        let body = r#"{"requests":[{"id":"a","method":"GET","url":"/users/a#EXT#@x?$top=1"},
            {"id":"b","method":"GET","url":"users?$top=1"}]}"#;
        let plan = parse(body.as_bytes()).unwrap();
        assert_eq!(plan.items[0].target(), ("users/a".into(), None));
        assert_eq!(plan.items[1].target(), ("users".into(), Some("$top=1".into())));
    }
}
