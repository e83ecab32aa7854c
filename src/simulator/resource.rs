//! What of the directory a path names. Forms of the key as in `route`.

use super::answer::GraphError;
use super::directory::{self, Reading};
use super::route::{decode, unquote};

/// Something of the directory that can be read, beside a single user.
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
    /// `groups/{id}/members` and its kin
    Members(Members),
    /// `POST directoryObjects/getByIds`
    ByIds,
    /// Roles, units, users at risk, and so on.
    Other(Reading),
}

/// Which members of which group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Members {
    /// The group's id.
    pub(super) group: String,
    /// `transitiveMembers`
    pub(super) nested: bool,
    /// Only those of one kind (`microsoft.graph.user`).
    pub(super) cast: Option<Kind>,
    /// Only how many (`$count`).
    pub(super) count: bool,
}

/// A kind of directory object, as casts name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Group,
    Device,
    App,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::User, Kind::Group, Kind::Device, Kind::App];

    /// The name of the type in Graph.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::User => "microsoft.graph.user",
            Kind::Group => "microsoft.graph.group",
            Kind::Device => "microsoft.graph.device",
            Kind::App => "microsoft.graph.servicePrincipal",
        }
    }

    fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Resource {
    /// Whether it is asked for by POST.
    pub(super) fn is_posted(&self) -> bool {
        matches!(self, Resource::ByIds)
    }

    /// What it costs in resource units, before the query's share (Graph's throttling limits, "Identity and access").
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

/// What a path below the version names, if it is something that can be browsed.
pub(super) fn at(path: &str) -> Option<Result<Resource, GraphError>> {
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
        ["groups", id, rest @ ..] => return Some(below_group(id, rest)),
        [key, rest @ ..] if key.starts_with("groups(") => {
            let key = key.trim_start_matches("groups(").trim_end_matches(')');
            return Some(unquote(key).and_then(|id| below_group(&id, rest)));
        }
        _ => return directory::reading_at(path).map(|found| found.map(Resource::Other)).transpose(),
    }))
}

fn below_group(id: &str, rest: &[&str]) -> Result<Resource, GraphError> {
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
            (Some(Kind::named(name).ok_or_else(|| GraphError::no_segment(name))?), rest)
        }
        rest => (None, rest),
    };
    let count = match rest {
        [] => false,
        ["$count"] => true,
        [other, ..] => return Err(GraphError::no_segment(other)),
    };
    Ok(Resource::Members(Members { group: id.to_owned(), nested, cast, count }))
}
