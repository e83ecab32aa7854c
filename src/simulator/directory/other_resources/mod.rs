//! Everything else that can be read: roles and their eligible principals, administrative units, users at risk, reports,
//! deleted users, the organization, and the app with its owners.

mod app;
mod list;
mod operation;
mod path;
mod person;
mod role;
mod row;

use std::sync::Arc;

use hyper::{Response, StatusCode};
use serde_json::Value;

use super::DirectoryRequest;
use crate::simulator::body::Body;
use crate::simulator::graph_response::GraphError;
use crate::simulator::odata::ODataQuery;
use crate::simulator::permission::Operation;
use crate::simulator::route::UserRef;
use crate::simulator::store::{DirectoryStore, Object};
use app::AppObjects;
use list::ReadContext;

pub(in crate::simulator) use path::{OtherResource, parse, parse_below_user};

/// The maximum number of users at risk on a page.
const MAX_RISKY_PAGE: usize = 500;

type ReadResult = Result<Response<Body>, GraphError>;

/// Answers a read.
pub(super) fn answer(request: &DirectoryRequest<'_>, resource: &OtherResource) -> ReadResult {
    request.require(operation::required_for(resource, request.session.kind))?;
    let tenant = request.call.live.store.clone().unwrap_or_else(|| Arc::new(DirectoryStore::empty()));
    let context = ReadContext { request, store: &tenant, query: ODataQuery::parse(request.call.query)? };
    match resource {
        OtherResource::Risky => risky(&context),
        OtherResource::Reports { .. }
        | OtherResource::Manager(_)
        | OtherResource::DeletedUsers
        | OtherResource::Deleted(_) => people(&context, resource),
        OtherResource::Units | OtherResource::Unit(_) | OtherResource::UnitMembers { .. } => {
            units(&context, resource)
        }
        OtherResource::Organization | OtherResource::Apps(_) | OtherResource::Owners { .. } => {
            apps(&context, resource)
        }
        _ => roles(&context, resource),
    }
}

/// Users at risk. All apps of a tenant together may send one request a second, and a 429 does not say how long to wait
/// (Graph's throttling limits, "Identity Protection and Conditional Access").
fn risky(context: &ReadContext<'_>) -> ReadResult {
    let call = context.request.call;
    if context.query.top.is_some_and(|top| top > MAX_RISKY_PAGE) {
        return Err(GraphError::bad_request("Invalid page size specified: at most 500 users are on a page."));
    }
    let (clock, quota) = (&call.state.clock, &call.live.config.quota);
    if !context.request.session.app.admit_to_identity_protection(call.at, clock, quota) {
        call.state.recorder.counters.throttled_reads.add();
        return Ok(call.responder.json(StatusCode::TOO_MANY_REQUESTS, call.responder.throttled_body()));
    }
    context.rows("identityProtection/riskyUsers", &person::risky(context.store), &row::RISKY)
}

fn people(context: &ReadContext<'_>, resource: &OtherResource) -> ReadResult {
    let tenant = context.store;
    match resource {
        OtherResource::Reports { user_ref, nested, cast, count } => {
            let at = user(context, user_ref)?;
            let reports = at.map(|at| person::reports(tenant, at, *nested)).unwrap_or_default();
            if *count { context.count(&reports, *cast) } else { context.objects(&reports, *cast) }
        }
        OtherResource::Manager(user_ref) => {
            let manager =
                user(context, user_ref)?.and_then(|at| tenant.user_at(at).manager).map(Object::User);
            let found = manager.filter(|&manager| tenant.exists(manager));
            context.object(found.ok_or_else(|| GraphError::not_found("manager"))?)
        }
        OtherResource::Deleted(id) => {
            let found = tenant.object(id).filter(|&object| !tenant.exists(object));
            context.object(found.ok_or_else(|| GraphError::not_found(id))?)
        }
        // `OtherResource::DeletedUsers`. The list has only users, so the cast has no further effect.
        _ => {
            let users = (0..).zip(&tenant.users).filter(|(_, user)| user.deleted);
            context.users(&users.map(|(at, _)| Object::User(at)).collect::<Vec<_>>())
        }
    }
}

/// The index of the user. `None` in a tenant without a directory, where every user exists.
fn user(context: &ReadContext<'_>, user_ref: &UserRef) -> Result<Option<u32>, GraphError> {
    let call = context.request.call;
    let account = call.resolve_user(user_ref.clone(), Some(context.request.session))?;
    if !call.live.has_user(&account) {
        return Err(GraphError::not_found(&account.sent));
    }
    Ok(account.resolved.map(|known| known.index))
}

fn units(context: &ReadContext<'_>, resource: &OtherResource) -> ReadResult {
    let find = |key: &str| context.store.unit(key).ok_or_else(|| GraphError::not_found(key));
    match resource {
        OtherResource::Unit(key) => context.row("directory/administrativeUnits", &person::unit(find(key)?)),
        OtherResource::UnitMembers { unit, cast } => {
            let unit = find(unit)?;
            // If members are hidden from the client, the list is empty and nothing says why.
            let seen = !unit.hidden || context.request.has_permission(Operation::ReadHidden);
            context.objects(&context.existing(if seen { &unit.members } else { &[] }), *cast)
        }
        _ => {
            let rows: Vec<Value> = context.store.units.iter().map(person::unit).collect();
            context.rows("directory/administrativeUnits", &rows, &row::UNIT)
        }
    }
}

fn apps(context: &ReadContext<'_>, resource: &OtherResource) -> ReadResult {
    let session = context.request.session;
    let app = AppObjects::new(&context.request.call.live.config.token, &session.app.id);
    match resource {
        OtherResource::Owners { kind, key, cast } if app.matches(*kind, key) => {
            context.objects(&context.existing(&context.store.app_owners), *cast)
        }
        OtherResource::Owners { key, .. } => Err(GraphError::not_found(key)),
        OtherResource::Apps(kind) => context.rows(kind.segment(), &[app.show(*kind)], &row::APP),
        // `OtherResource::Organization`
        _ => {
            let organization = app::organization(context.store, &session.app.tenant.id);
            context.rows("organization", &[organization], &row::ORGANIZATION)
        }
    }
}

fn roles(context: &ReadContext<'_>, resource: &OtherResource) -> ReadResult {
    let tenant = context.store;
    let find = |key: &str| role::find(tenant, key).ok_or_else(|| GraphError::not_found(key));
    match resource {
        OtherResource::Role(key) => context.row("directoryRoles", &role::role_json(find(key)?)),
        OtherResource::RoleMembers { role, cast } => {
            context.all_objects(&context.existing(&find(role)?.active), *cast)
        }
        OtherResource::Definitions => context.rows(
            "roleManagement/directory/roleDefinitions",
            &role::definitions(tenant),
            &row::DEFINITION,
        ),
        OtherResource::Assignments => {
            let rows = role::assignments(tenant, context.expands_principal()?);
            context.rows("roleManagement/directory/roleAssignments", &rows, &row::ASSIGNMENT)
        }
        OtherResource::Eligibilities => {
            let rows = role::eligibilities(tenant, context.expands_principal()?);
            context.rows("roleManagement/directory/roleEligibilitySchedules", &rows, &row::ELIGIBILITY)
        }
        OtherResource::EligibilityInstances => {
            let rows = role::eligibilities(tenant, context.expands_principal()?);
            context.rows(
                "roleManagement/directory/roleEligibilityScheduleInstances",
                &rows,
                &row::ELIGIBILITY,
            )
        }
        // `OtherResource::Roles`; all others have been handled.
        _ => context.rows("directoryRoles", &role::all(tenant), &row::ROLE),
    }
}
