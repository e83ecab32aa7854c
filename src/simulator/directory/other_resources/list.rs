//! The responses: lists and single resources.

use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::super::objects::{self, ObjectView};
use super::super::{DirectoryRequest, users};
use super::row::{FilterableRow, select};
use crate::simulator::body::Body;
use crate::simulator::graph_response::GraphError;
use crate::simulator::odata::{FilterSchema, ODataFilter, ODataQuery, PagedList, count_response};
use crate::simulator::permission::Operation;
use crate::simulator::resource::ObjectType;
use crate::simulator::store::{DirectoryStore, Object};

type ListResult = Result<Response<Body>, GraphError>;

/// A read, with the directory and the parsed query.
pub(super) struct ReadContext<'a> {
    pub(super) request: &'a DirectoryRequest<'a>,
    pub(super) store: &'a DirectoryStore,
    pub(super) query: ODataQuery,
}

impl ReadContext<'_> {
    /// The rows that match `$filter`, in pages.
    pub(super) fn rows(&self, kind: &str, rows: &[Value], schema: &FilterSchema) -> ListResult {
        let filter = self.query.filter.as_deref().map(ODataFilter::parse).transpose()?;
        if let Some(filter) = &filter {
            filter.check(schema, self.query.is_advanced(self.request.call.headers))?;
        }
        PagedList {
            context: kind.to_owned(),
            len: rows.len(),
            is_included: &|at| filter.as_ref().is_none_or(|filter| filter.matches(&FilterableRow(&rows[at]))),
            item_json: &|at| select(&rows[at], self.query.select.as_deref()),
        }
        .respond(self.request.call, &self.query)
    }

    /// One row.
    pub(super) fn row(&self, kind: &str, row: &Value) -> ListResult {
        self.single_object(kind, select(row, self.query.select.as_deref()))
    }

    /// One object of the directory.
    pub(super) fn object(&self, object: Object) -> ListResult {
        let shown = ObjectView::new(self.request, &self.query, None)?;
        self.single_object("directoryObjects", shown.value(self.store, object))
    }

    fn single_object(&self, kind: &str, row: Value) -> ListResult {
        let mut body =
            Map::from_iter([("@odata.context".to_owned(), self.context(&format!("{kind}/$entity")))]);
        if let Value::Object(row) = row {
            body.extend(row);
        }
        Ok(self.request.call.responder.ok(Value::from(body).to_string().into()))
    }

    /// Objects in pages; with `cast` only the users.
    pub(super) fn objects(&self, objects: &[Object], cast: bool) -> ListResult {
        self.check_cast(cast)?;
        self.page(objects, cast.then_some(ObjectType::User), self.filter(cast)?.as_ref())
    }

    /// The same for a list that only has users, so that no cast is needed.
    pub(super) fn users(&self, users: &[Object]) -> ListResult {
        self.page(users, Some(ObjectType::User), self.filter(true)?.as_ref())
    }

    fn page(&self, objects: &[Object], cast: Option<ObjectType>, filter: Option<&ODataFilter>) -> ListResult {
        let shown = ObjectView::new(self.request, &self.query, cast)?;
        let wanted = |at: usize| self.is_wanted(objects[at], cast, filter);
        PagedList {
            context: if cast.is_some() { "users".into() } else { "directoryObjects".into() },
            len: objects.len(),
            is_included: &wanted,
            item_json: &|at| shown.value(self.store, objects[at]),
        }
        .respond(self.request.call, &self.query)
    }

    /// All objects in one response, whatever `$top` says.
    pub(super) fn all_objects(&self, objects: &[Object], cast: bool) -> ListResult {
        self.check_cast(cast)?;
        let kind = cast.then_some(ObjectType::User);
        let (shown, filter) = (ObjectView::new(self.request, &self.query, kind)?, self.filter(cast)?);
        let wanted = objects.iter().filter(|&&object| self.is_wanted(object, kind, filter.as_ref()));
        let value: Vec<Value> = wanted.map(|&object| shown.value(self.store, object)).collect();
        let body = json!({"@odata.context": self.context("directoryObjects"), "value": value});
        Ok(self.request.call.responder.ok(body.to_string().into()))
    }

    /// The number of objects, as plain text.
    pub(super) fn count(&self, objects: &[Object], cast: bool) -> ListResult {
        let kind = cast.then_some(ObjectType::User);
        count_response(self.request.call, || {
            objects.iter().filter(|&&object| self.is_wanted(object, kind, None)).count()
        })
    }

    fn is_wanted(&self, object: Object, cast: Option<ObjectType>, filter: Option<&ODataFilter>) -> bool {
        cast.is_none_or(|cast| objects::object_type(object) == Some(cast))
            && filter.is_none_or(|filter| objects::matches(self.store, object, filter))
    }

    /// A cast is an advanced query ("Advanced query capabilities on Microsoft Entra ID objects").
    fn check_cast(&self, cast: bool) -> Result<(), GraphError> {
        if !cast || self.query.is_advanced(self.request.call.headers) {
            return Ok(());
        }
        Err(unsupported("Invalid search request."))
    }

    /// The `$filter` for users. Lists of objects of all types can't be filtered.
    fn filter(&self, users_only: bool) -> Result<Option<ODataFilter>, GraphError> {
        if self.query.filter.is_some() && !users_only {
            let text = "The specified filter to the reference property query is currently not supported.";
            return Err(unsupported(text));
        }
        users::filter(self.request, &self.query, self.request.has_permission(Operation::ReadUsersInFull))
    }

    /// The objects that are not deleted.
    pub(super) fn existing(&self, objects: &[Object]) -> Vec<Object> {
        objects.iter().copied().filter(|&object| self.store.exists(object)).collect()
    }

    /// Whether `$expand` is `principal`. Nothing else can be expanded.
    pub(super) fn expands_principal(&self) -> Result<bool, GraphError> {
        match self.query.expand.as_deref() {
            None => Ok(false),
            Some(names) if names.trim() == "principal" => Ok(true),
            Some(names) => {
                Err(GraphError::bad_request(&format!("Could not find a property named '{names}'.")))
            }
        }
    }

    fn context(&self, kind: &str) -> Value {
        format!("https://graph.microsoft.com/{}/$metadata#{kind}", self.request.call.version).into()
    }
}

fn unsupported(message: &str) -> GraphError {
    GraphError::new(StatusCode::BAD_REQUEST, "Request_UnsupportedQuery", message)
}
