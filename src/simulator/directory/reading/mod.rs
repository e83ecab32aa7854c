//! What can be read beside users and groups: roles, who is eligible for one, administrative units, users at risk,
//! reports, deleted users, the organization, the app and its owners.

mod act;
mod app;
mod list;
mod path;
mod person;
mod role;
mod row;

use std::sync::Arc;

use hyper::{Response, StatusCode};
use serde_json::Value;

use super::Reader;
use crate::simulator::answer::GraphError;
use crate::simulator::body::Body;
use crate::simulator::odata::Query;
use crate::simulator::permission::Act;
use crate::simulator::route::Whom;
use crate::simulator::tenant::{Object, Tenant};
use app::App;
use list::Asked;

pub(in crate::simulator) use path::{Reading, of, of_user};

/// The most users at risk on a page.
const MOST_RISKY: usize = 500;

type Answer = Result<Response<Body>, GraphError>;

/// Answers a reading.
pub(super) fn answer(reader: &Reader<'_>, reading: &Reading) -> Answer {
    reader.must(act::of(reading, reader.session.kind))?;
    let tenant = reader.call.live.tenant.clone().unwrap_or_else(|| Arc::new(Tenant::empty()));
    let asked = Asked { reader, tenant: &tenant, query: Query::read(reader.call.query)? };
    match reading {
        Reading::Risky => risky(&asked),
        Reading::Reports { .. } | Reading::Manager(_) | Reading::DeletedUsers | Reading::Deleted(_) => {
            people(&asked, reading)
        }
        Reading::Units | Reading::Unit(_) | Reading::UnitMembers { .. } => units(&asked, reading),
        Reading::Organization | Reading::Apps(_) | Reading::Owners { .. } => apps(&asked, reading),
        _ => roles(&asked, reading),
    }
}

/// One request a second for all apps; whoever comes too soon is not told how long to wait (Graph's throttling limits,
/// "Identity Protection and Conditional Access").
fn risky(asked: &Asked<'_>) -> Answer {
    let call = asked.reader.call;
    if asked.query.top.is_some_and(|top| top > MOST_RISKY) {
        return Err(GraphError::bad_request("Invalid page size specified: at most 500 users are on a page."));
    }
    let (clock, quota) = (&call.world.clock, &call.live.config.quota);
    if !asked.reader.session.app.admit_to_identity_protection(call.at, clock, quota) {
        call.world.recorder.counters.throttled_reads.add();
        return Ok(call.marks.json(StatusCode::TOO_MANY_REQUESTS, call.marks.throttled_body()));
    }
    asked.rows("identityProtection/riskyUsers", &person::risky(asked.tenant), &row::RISKY)
}

fn people(asked: &Asked<'_>, reading: &Reading) -> Answer {
    let tenant = asked.tenant;
    match reading {
        Reading::Reports { whom, nested, cast, count } => {
            let at = user(asked, whom)?;
            let reports = at.map(|at| person::reports(tenant, at, *nested)).unwrap_or_default();
            if *count { asked.count(&reports, *cast) } else { asked.objects(&reports, *cast) }
        }
        Reading::Manager(whom) => {
            let manager = user(asked, whom)?.and_then(|at| tenant.user_at(at).manager).map(Object::User);
            let found = manager.filter(|&manager| tenant.exists(manager));
            asked.object(found.ok_or_else(|| GraphError::not_found("manager"))?)
        }
        Reading::Deleted(id) => {
            let found = tenant.object(id).filter(|&object| !tenant.exists(object));
            asked.object(found.ok_or_else(|| GraphError::not_found(id))?)
        }
        // Reading::DeletedUsers: a list of users in itself, so that the cast asks for nothing more.
        _ => {
            let users = (0..).zip(&tenant.users).filter(|(_, user)| user.deleted);
            asked.users(&users.map(|(at, _)| Object::User(at)).collect::<Vec<_>>())
        }
    }
}

/// Where the user stands; nowhere, in a tenant without a directory, which knows everybody.
fn user(asked: &Asked<'_>, whom: &Whom) -> Result<Option<u32>, GraphError> {
    let call = asked.reader.call;
    let account = call.who(whom.clone(), Some(asked.reader.session))?;
    if !call.live.knows(&account) {
        return Err(GraphError::not_found(&account.sent));
    }
    Ok(account.known.map(|known| known.at))
}

fn units(asked: &Asked<'_>, reading: &Reading) -> Answer {
    let find = |key: &str| asked.tenant.unit(key).ok_or_else(|| GraphError::not_found(key));
    match reading {
        Reading::Unit(key) => asked.row("directory/administrativeUnits", &person::unit(find(key)?)),
        Reading::UnitMembers { unit, cast } => {
            let unit = find(unit)?;
            // Whoever may not see hidden members sees none, and nothing says why.
            let seen = !unit.hidden || asked.reader.may(Act::ReadHidden);
            asked.objects(&asked.there(if seen { &unit.members } else { &[] }), *cast)
        }
        _ => {
            let rows: Vec<Value> = asked.tenant.units.iter().map(person::unit).collect();
            asked.rows("directory/administrativeUnits", &rows, &row::UNIT)
        }
    }
}

fn apps(asked: &Asked<'_>, reading: &Reading) -> Answer {
    let session = asked.reader.session;
    let app = App::of(&asked.reader.call.live.config.token, &session.app.id);
    match reading {
        Reading::Owners { kind, key, cast } if app.is(*kind, key) => {
            asked.objects(&asked.there(&asked.tenant.app_owners), *cast)
        }
        Reading::Owners { key, .. } => Err(GraphError::not_found(key)),
        Reading::Apps(kind) => asked.rows(kind.word(), &[app.show(*kind)], &row::APP),
        // Reading::Organization
        _ => {
            let organization = app::organization(asked.tenant, &session.app.tenant.id);
            asked.rows("organization", &[organization], &row::ORGANIZATION)
        }
    }
}

fn roles(asked: &Asked<'_>, reading: &Reading) -> Answer {
    let tenant = asked.tenant;
    let find = |key: &str| role::find(tenant, key).ok_or_else(|| GraphError::not_found(key));
    match reading {
        Reading::Role(key) => asked.row("directoryRoles", &role::one(find(key)?)),
        Reading::RoleMembers { role, cast } => asked.all_objects(&asked.there(&find(role)?.active), *cast),
        Reading::Definitions => asked.rows(
            "roleManagement/directory/roleDefinitions",
            &role::definitions(tenant),
            &row::DEFINITION,
        ),
        Reading::Assignments => {
            let rows = role::assignments(tenant, asked.principals()?);
            asked.rows("roleManagement/directory/roleAssignments", &rows, &row::ASSIGNMENT)
        }
        Reading::Eligibilities => {
            let rows = role::eligibilities(tenant, asked.principals()?);
            asked.rows("roleManagement/directory/roleEligibilitySchedules", &rows, &row::ELIGIBILITY)
        }
        Reading::EligibilityInstances => {
            let rows = role::eligibilities(tenant, asked.principals()?);
            asked.rows("roleManagement/directory/roleEligibilityScheduleInstances", &rows, &row::ELIGIBILITY)
        }
        // Reading::Roles: everything else has been answered.
        _ => asked.rows("directoryRoles", &role::all(tenant), &row::ROLE),
    }
}
