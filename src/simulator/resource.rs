//! Which part of the directory a path names. Keys have the same forms as in `route`.

use super::directory::{self, OtherResource};
use super::graph_response::GraphError;
use super::route::{decode, unquote};

/// A part of the directory that can be read, other than a single user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    /// `users`
    Users,
    /// `users/$count`
    UserCount,
    /// `groups`
    Groups,
    /// `groups/$count`
    GroupCount,
    /// `groups/{id}`
    Group(String),
    /// `groups/{id}/members` and `groups/{id}/transitiveMembers`
    Members(MembersQuery),
    /// `POST directoryObjects/getByIds`
    ByIds,
    /// Roles, units, users at risk, and so on.
    Other(OtherResource),
}

/// Which members of which group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MembersQuery {
    /// The group's ID.
    pub(super) group: String,
    /// `transitiveMembers`
    pub(super) nested: bool,
    /// Only members of one type (`microsoft.graph.user`).
    pub(super) cast: Option<ObjectType>,
    /// Only the number of members (`$count`).
    pub(super) count: bool,
}

/// A type of directory object, as in casts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectType {
    User,
    Group,
    Device,
    App,
}

impl ObjectType {
    const ALL: [ObjectType; 4] = [ObjectType::User, ObjectType::Group, ObjectType::Device, ObjectType::App];

    /// The name of the type in Graph.
    pub(super) fn name(self) -> &'static str {
        match self {
            ObjectType::User => "microsoft.graph.user",
            ObjectType::Group => "microsoft.graph.group",
            ObjectType::Device => "microsoft.graph.device",
            ObjectType::App => "microsoft.graph.servicePrincipal",
        }
    }

    fn from_name(name: &str) -> Option<ObjectType> {
        ObjectType::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Resource {
    /// Whether it is read with POST.
    pub(super) fn is_posted(&self) -> bool {
        matches!(self, Resource::ByIds)
    }

    /// The cost in resource units, before the query is considered (Graph's throttling limits, "Identity and access").
    pub(super) fn units(&self) -> u32 {
        match self {
            Resource::Users => 2,
            Resource::Members(members) if members.nested => 5,
            Resource::Members(_) => 3,
            Resource::ByIds => 5,
            Resource::Other(reading) => reading.units(),
            Resource::UserCount | Resource::Groups | Resource::GroupCount | Resource::Group(_) => 1,
        }
    }
}

/// The resource that a path below the version names; `None` if it is not one that can be read here.
pub(super) fn parse(path: &str) -> Option<Result<Resource, GraphError>> {
    let segments: Result<Vec<_>, _> = path.split('/').map(decode).collect();
    let segments = match segments {
        Ok(segments) => segments,
        Err(error) => return Some(Err(error)),
    };
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    Some(Ok(match segments.as_slice() {
        ["users"] => Resource::Users,
        ["users", "$count"] => Resource::UserCount,
        ["groups"] => Resource::Groups,
        ["groups", "$count"] => Resource::GroupCount,
        ["directoryObjects", "getByIds" | "microsoft.graph.getByIds"] => Resource::ByIds,
        ["groups", id, rest @ ..] => return Some(parse_below_group(id, rest)),
        [key, rest @ ..] if key.starts_with("groups(") => {
            let key = key.trim_start_matches("groups(").trim_end_matches(')');
            return Some(unquote(key).and_then(|id| parse_below_group(&id, rest)));
        }
        _ => {
            return directory::parse_other_resource(path).map(|found| found.map(Resource::Other)).transpose();
        }
    }))
}

fn parse_below_group(id: &str, rest: &[&str]) -> Result<Resource, GraphError> {
    let (relation, rest) = match rest {
        [] => return Ok(Resource::Group(id.to_owned())),
        [relation, rest @ ..] => (*relation, rest),
    };
    let nested = match relation {
        "members" => false,
        "transitiveMembers" => true,
        other => return Err(GraphError::no_segment(other)),
    };
    let (cast, rest) = match rest {
        [name, rest @ ..] if *name != "$count" => {
            (Some(ObjectType::from_name(name).ok_or_else(|| GraphError::no_segment(name))?), rest)
        }
        rest => (None, rest),
    };
    let count = match rest {
        [] => false,
        ["$count"] => true,
        [other, ..] => return Err(GraphError::no_segment(other)),
    };
    Ok(Resource::Members(MembersQuery { group: id.to_owned(), nested, cast, count }))
}
