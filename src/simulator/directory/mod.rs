//! Reads of the directory: users, groups, members, and everything else.

mod groups;
mod objects;
mod other_resources;
mod person;
mod users;

use hyper::Response;

use super::body::Body;
use super::graph::Call;
use super::graph_response::GraphError;
use super::permission::Operation;
use super::recorder::Account;
use super::resource::Resource;
use super::session::Session;

pub(super) use other_resources::{
    OtherResource, parse as parse_other_resource, parse_below_user as parse_user_resource,
};

/// Reads one user: the signed-in user, or one that the path names.
pub(super) fn read_user(
    call: &Call<'_>,
    session: &Session,
    operation: Operation,
    user: &Account,
) -> Result<Response<Body>, GraphError> {
    users::read_one(&DirectoryRequest { call, session }, operation, user)
}

/// Reads anything else.
pub(super) fn read_resource(
    call: &Call<'_>,
    session: &Session,
    resource: &Resource,
) -> Result<Response<Body>, GraphError> {
    let request = DirectoryRequest { call, session };
    match resource {
        Resource::Users => users::list(&request),
        Resource::UserCount => users::count(&request),
        Resource::Groups => groups::list(&request),
        Resource::GroupCount => groups::count(&request),
        Resource::Group(id) => groups::read_one(&request, id),
        Resource::Members(members) => groups::members(&request, members),
        Resource::ByIds => objects::by_ids(&request),
        Resource::Other(reading) => other_resources::answer(&request, reading),
    }
}

/// A read of the directory, and the session of the client that sent it.
pub(super) struct DirectoryRequest<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) session: &'a Session,
}

impl DirectoryRequest<'_> {
    /// Whether the session has the permission for `operation`.
    pub(super) fn has_permission(&self, operation: Operation) -> bool {
        self.session.has_permission(operation, &self.call.live.config.token)
    }

    /// Fails if the session lacks the permission for `operation`.
    pub(super) fn require(&self, operation: Operation) -> Result<(), GraphError> {
        if self.has_permission(operation) { Ok(()) } else { Err(GraphError::denied()) }
    }
}

/// The error for a property that does not exist.
fn no_property(name: &str, kind: &str) -> GraphError {
    GraphError::bad_request(&format!(
        "Could not find a property named '{name}' on type 'microsoft.graph.{kind}'."
    ))
}
