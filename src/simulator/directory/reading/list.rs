//! Lists and single things, as they are answered.

use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::super::objects::{self, Shown};
use super::super::{Reader, users};
use super::row::{Row, select};
use crate::simulator::answer::GraphError;
use crate::simulator::body::Body;
use crate::simulator::odata::{Filter, List, Query, Schema, plain_count};
use crate::simulator::permission::Act;
use crate::simulator::resource::Kind;
use crate::simulator::tenant::{Object, Tenant};

type Answer = Result<Response<Body>, GraphError>;

/// Who asks, and how.
pub(super) struct Asked<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) tenant: &'a Tenant,
    pub(super) query: Query,
}

impl Asked<'_> {
    /// The rows that pass `$filter`, in pages.
    pub(super) fn rows(&self, kind: &str, rows: &[Value], schema: &Schema) -> Answer {
        let filter = self.query.filter.as_deref().map(Filter::read).transpose()?;
        if let Some(filter) = &filter {
            filter.check(schema, self.query.is_advanced(self.reader.call.headers))?;
        }
        List {
            context: kind.to_owned(),
            len: rows.len(),
            wanted: &|at| filter.as_ref().is_none_or(|filter| filter.matches(&Row(&rows[at]))),
            show: &|at| select(&rows[at], self.query.select.as_deref()),
        }
        .answer(self.reader.call, &self.query)
    }

    /// One row.
    pub(super) fn row(&self, kind: &str, row: &Value) -> Answer {
        self.one(kind, select(row, self.query.select.as_deref()))
    }

    /// One object of the directory.
    pub(super) fn object(&self, object: Object) -> Answer {
        let shown = Shown::new(self.reader, &self.query, None)?;
        self.one("directoryObjects", shown.value(self.tenant, object))
    }

    fn one(&self, kind: &str, row: Value) -> Answer {
        let mut body =
            Map::from_iter([("@odata.context".to_owned(), self.context(&format!("{kind}/$entity")))]);
        if let Value::Object(row) = row {
            body.extend(row);
        }
        Ok(self.reader.call.marks.ok(Value::from(body).to_string().into()))
    }

    /// Objects in pages; with `cast` only users.
    pub(super) fn objects(&self, objects: &[Object], cast: bool) -> Answer {
        self.check_cast(cast)?;
        self.page(objects, cast.then_some(Kind::User), self.filter(cast)?.as_ref())
    }

    /// The same of users alone, whom no cast has to pick.
    pub(super) fn users(&self, users: &[Object]) -> Answer {
        self.page(users, Some(Kind::User), self.filter(true)?.as_ref())
    }

    fn page(&self, objects: &[Object], cast: Option<Kind>, filter: Option<&Filter>) -> Answer {
        let shown = Shown::new(self.reader, &self.query, cast)?;
        let wanted = |at: usize| self.is_wanted(objects[at], cast, filter);
        List {
            context: if cast.is_some() { "users".into() } else { "directoryObjects".into() },
            len: objects.len(),
            wanted: &wanted,
            show: &|at| shown.value(self.tenant, objects[at]),
        }
        .answer(self.reader.call, &self.query)
    }

    /// All objects in one answer, whatever `$top` says.
    pub(super) fn all_objects(&self, objects: &[Object], cast: bool) -> Answer {
        self.check_cast(cast)?;
        let kind = cast.then_some(Kind::User);
        let (shown, filter) = (Shown::new(self.reader, &self.query, kind)?, self.filter(cast)?);
        let wanted = objects.iter().filter(|&&object| self.is_wanted(object, kind, filter.as_ref()));
        let value: Vec<Value> = wanted.map(|&object| shown.value(self.tenant, object)).collect();
        let body = json!({"@odata.context": self.context("directoryObjects"), "value": value});
        Ok(self.reader.call.marks.ok(body.to_string().into()))
    }

    /// How many objects, as plain text.
    pub(super) fn count(&self, objects: &[Object], cast: bool) -> Answer {
        let kind = cast.then_some(Kind::User);
        plain_count(self.reader.call, || {
            objects.iter().filter(|&&object| self.is_wanted(object, kind, None)).count()
        })
    }

    fn is_wanted(&self, object: Object, cast: Option<Kind>, filter: Option<&Filter>) -> bool {
        cast.is_none_or(|cast| objects::kind(object) == Some(cast))
            && filter.is_none_or(|filter| objects::matches(self.tenant, object, filter))
    }

    /// A cast is an advanced query ("Advanced query capabilities on Microsoft Entra ID objects").
    fn check_cast(&self, cast: bool) -> Result<(), GraphError> {
        if !cast || self.query.is_advanced(self.reader.call.headers) {
            return Ok(());
        }
        Err(unsupported("Invalid search request."))
    }

    /// `$filter` over users; over objects of all kinds there is none.
    fn filter(&self, users_only: bool) -> Result<Option<Filter>, GraphError> {
        if self.query.filter.is_some() && !users_only {
            let text = "The specified filter to the reference property query is currently not supported.";
            return Err(unsupported(text));
        }
        users::filter(self.reader, &self.query, self.reader.may(Act::ReadUsersInFull))
    }

    /// Those that were not deleted.
    pub(super) fn there(&self, objects: &[Object]) -> Vec<Object> {
        objects.iter().copied().filter(|&object| self.tenant.exists(object)).collect()
    }

    /// Whether `$expand` names the principal; nothing else can be expanded.
    pub(super) fn principals(&self) -> Result<bool, GraphError> {
        match self.query.expand.as_deref() {
            None => Ok(false),
            Some(names) if names.trim() == "principal" => Ok(true),
            Some(names) => {
                Err(GraphError::bad_request(&format!("Could not find a property named '{names}'.")))
            }
        }
    }

    fn context(&self, kind: &str) -> Value {
        format!("https://graph.microsoft.com/{}/$metadata#{kind}", self.reader.call.version).into()
    }
}

fn unsupported(message: &str) -> GraphError {
    GraphError::new(StatusCode::BAD_REQUEST, "Request_UnsupportedQuery", message)
}
