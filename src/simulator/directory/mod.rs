//! The directory as it can be read: users, groups, and who is in them.

mod groups;
mod objects;
mod person;
mod reading;
mod users;

use hyper::Response;

use super::answer::GraphError;
use super::body::Body;
use super::graph::Call;
use super::permission::Act;
use super::recorder::Account;
use super::resource::Resource;
use super::session::Session;

pub(super) use reading::{Reading, of as reading_at, of_user as reading_of_user};

/// One user, who signed in or was named.
pub(super) fn user(
    call: &Call<'_>,
    session: &Session,
    act: Act,
    user: &Account,
) -> Result<Response<Body>, GraphError> {
    users::one(&Reader { call, session }, act, user)
}

/// Anything else.
pub(super) fn browse(
    call: &Call<'_>,
    session: &Session,
    resource: &Resource,
) -> Result<Response<Body>, GraphError> {
    let reader = Reader { call, session };
    match resource {
        Resource::Users => users::list(&reader),
        Resource::UserCount => users::count(&reader),
        Resource::Groups => groups::list(&reader),
        Resource::GroupCount => groups::count(&reader),
        Resource::Group(id) => groups::one(&reader, id),
        Resource::Members(members) => groups::members(&reader, members),
        Resource::ByIds => objects::by_ids(&reader),
        Resource::Other(reading) => reading::answer(&reader, reading),
    }
}

/// Who reads, and by which request.
pub(super) struct Reader<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) session: &'a Session,
}

impl Reader<'_> {
    /// Whether they may.
    pub(super) fn may(&self, act: Act) -> bool {
        self.session.may(act, &self.call.live.config.token)
    }

    /// That they may.
    pub(super) fn must(&self, act: Act) -> Result<(), GraphError> {
        if self.may(act) { Ok(()) } else { Err(GraphError::denied()) }
    }
}

/// A property that there isn't.
fn no_property(name: &str, kind: &str) -> GraphError {
    GraphError::bad_request(&format!(
        "Could not find a property named '{name}' on type 'microsoft.graph.{kind}'."
    ))
}
