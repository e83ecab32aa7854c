//! Builds a plan: first the users to leave out, then all rows in chunks, then each selection page by page.
//! Only the ID, the origin and the rank of each user stay in memory.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::context::{PlanContext, TenantScope, UnresolvedEntries, missing_permission_error};
use super::directory_source::{DirectorySource, ProgressFn, ReadProgress, UserPages, find_all, resolve_all};
use super::guard::{
    EXCLUDE_LIST, FIRST_LIST, Guard, GuardError, PROTECT_LIST, for_each_user, members_of_entry,
};
use super::input_rows::ShardPart;
use super::plan_builder::{BuiltPlan, PlanBuilder, RowRules};
use super::row_origin::{RowOrigin, SourceNames};
use super::sending_order::FirstTargets;
use super::tenants::PlanTenants;
use super::{
    AccountFilter, Draft, InputRows, ListEntry, LookupStatus, Operator, PlanError, PlanOptions, PlanSummary,
    merge_summaries, notices,
};
use crate::directory::{Budget, DirectoryUser, PrivilegedUsers, ResolvedId, Selector, UserReadScope};
use crate::event::TenantIndex;
use crate::intake::{InputRow, RowStatus};
use crate::journal::ShardRecord;
use crate::user_id::{UserId, clean, unwrap_address};
use futures_util::stream::{self, StreamExt};

/// The number of users that are tried to find out whether users can be read. More than one, because a user
/// may no longer exist.
const MAX_PROBED_USERS: usize = 3;

/// The number of rows that are looked up together.
const LOOKUP_CHUNK: usize = 2_000;

/// The maximum length of a text that is looked up as a name, in characters.
const MAX_NAME_CHARS: usize = 256;

/// The maximum number of tenants that are read at the same time.
const MAX_CONCURRENT_TENANTS: usize = 32;

/// The maximum number of chunks that are looked up together in a run of several tenants.
const MAX_LOOKUP_CHUNKS: usize = 8;

/// A tenant that is ready for the first row.
struct PreparedTenant<'a, D> {
    context: PlanContext<'a, D>,
    rules: RowRules,
    facts: PlanSummary,
}

/// Builds the plan.
pub(super) async fn build_plan<D: DirectorySource>(
    mut input: InputRows,
    options: &PlanOptions,
    tenants: &PlanTenants<'_, D>,
    progress: ProgressFn<'_>,
) -> Result<Draft, PlanError> {
    // An operator who writes `me` wants to be revoked, also if another row names them differently.
    let include_self = options.include_self || input.has_me;
    let options = &PlanOptions { include_self, ..options.clone() };
    let (mut rows, other_shard_rows, part) =
        (input.rows()?, input.other_shard_rows()?, input.shard_part.take());
    let first: Vec<InputRow> = rows.by_ref().take(MAX_PROBED_USERS).collect::<Result<_, _>>()?;
    let users_to_probe = users_to_probe(&input, tenants, &first);
    let mut rows = first.into_iter().map(Ok).chain(rows);
    let unresolved = RefCell::default();
    let budget = Budget::default();
    let known = PrepareContext { users_to_probe: &users_to_probe, budget: &budget };
    let (ready, mut closed) =
        prepare_tenants(&input, options, tenants, &known, &unresolved, progress).await?;
    let warnings = unknown_entry_warnings(unresolved.take(), &closed)?;
    let (mut contexts, mut rules, mut each) = (Vec::new(), Vec::new(), Vec::new());
    for PreparedTenant { context, rules: these, facts } in ready {
        contexts.push(context);
        rules.push(these);
        each.push(facts);
    }
    let facts = PlanSummary { selection: input.source_names.clone(), ..PlanSummary::default() };
    let selections = options.selectors.iter().map(Selector::to_string);
    let files = input.source_names.len();
    let names = SourceNames::new(input.source_names, selections);
    let sharded = part.as_ref().map(|part| ShardRecord {
        shard: part.shard,
        input_rows: input.input_rows,
        sources: names.names().to_vec(),
    });
    let facts = PlanSummary { shard: sharded, ..facts };
    let keys = tenants.tenants.iter().map(|tenant| tenant.key.clone()).collect();
    let mut builder = PlanBuilder::new(rules, keys, names, input.columns.len(), facts);
    let what = "the users of the input";
    let (mut so_far, of) = (0, Some(input.users));
    let chunk_size = LOOKUP_CHUNK * contexts.len().min(MAX_LOOKUP_CHUNKS);
    loop {
        let chunk: Vec<InputRow> = rows.by_ref().take(chunk_size).collect::<Result<_, _>>()?;
        if chunk.is_empty() {
            break;
        }
        let places: Vec<_> =
            chunk.iter().map(|row| tenants.resolver.resolve(row.tenant.as_deref())).collect();
        let found = look_up_tenants(&contexts, &mut closed, options.resolve_names, &chunk, &places).await?;
        for ((row, tenant_index), found) in chunk.iter().zip(places).zip(&found) {
            builder.add_row(row, tenant_index, found.as_ref())?;
        }
        so_far += found.iter().flatten().count() as u64;
        if contexts.iter().any(PlanContext::is_resolved) {
            progress(&ReadProgress { what, count: so_far, total: of });
        }
    }
    for row in other_shard_rows {
        let row = row?;
        builder.record_alias(&row, tenants.resolver.resolve(row.tenant.as_deref()).ok());
    }
    for (at, selector) in options.selectors.iter().enumerate() {
        let asked = SelectionRequest { selector, source: files + at, part: part.as_ref() };
        add_selection(&asked, options, &contexts[0], &mut builder, progress).await?;
    }
    let BuiltPlan { spool, drafted_rows, mut facts, tenant_counts: counted } = builder.finish()?;
    for (context, facts) in contexts.iter().zip(&mut each) {
        facts.unchecked.extend(context.skipped_lookups.describe());
    }
    merge_summaries::merge_summaries(&mut facts, each, counted, &drafted_rows, tenants, &closed);
    if options.max_share.is_some() {
        facts.tenant_users = count_users(&contexts).await?;
    }
    let mut notices =
        notices::plan_notices(&drafted_rows, &facts, input.ids_are_mail && !options.resolve_names);
    notices.extend(warnings);
    Ok(Draft {
        spool,
        columns: input.columns,
        inputs: input.inputs,
        notices,
        drafted_rows,
        facts,
        closed,
        tenant_column: input.tenant_column,
        budget,
    })
}

/// The first users of each tenant.
fn users_to_probe<D>(input: &InputRows, tenants: &PlanTenants<'_, D>, rows: &[InputRow]) -> Vec<Vec<UserId>> {
    let mut users_to_probe: Vec<Vec<UserId>> = vec![Vec::new(); tenants.tenants.len()];
    for named in input.tenant_counts.iter().flat_map(|tenants| tenants.all()) {
        if let Ok(tenant_index) = tenants.resolver.resolve(Some(&named.name.to_string())) {
            users_to_probe[tenant_index as usize].extend(named.first.iter().cloned());
        }
    }
    for row in rows.iter().filter(|row| input.tenant_counts.is_none() || row.tenant.is_none()) {
        let user = UserId::parse_lenient(&row.id).ok().filter(|id| *id != UserId::Me);
        if let (Ok(tenant_index), Some(user)) = (tenants.resolver.resolve(row.tenant.as_deref()), user) {
            users_to_probe[tenant_index as usize].push(user);
        }
    }
    for first in &mut users_to_probe {
        // Invalid IDs are tried last: most of them are typos, and say nothing about the permission.
        first.sort_by_key(|id| id.check().is_err());
        first.truncate(MAX_PROBED_USERS);
    }
    users_to_probe
}

/// What is known before the first read of a tenant.
struct PrepareContext<'a> {
    /// The first users of each tenant.
    users_to_probe: &'a [Vec<UserId>],
    /// The time that failures of look-ups that only inform may cost, in all tenants together.
    budget: &'a Budget,
}

/// Prepares all tenants at the same time. If there are several tenants and the directory of one can't be
/// read, that tenant is closed: nothing is sent there, and the others continue.
async fn prepare_tenants<'a, D: DirectorySource>(
    input: &InputRows,
    options: &PlanOptions,
    tenants: &'a PlanTenants<'a, D>,
    known: &PrepareContext<'_>,
    unresolved: &'a RefCell<UnresolvedEntries>,
    progress: ProgressFn<'_>,
) -> Result<(Vec<PreparedTenant<'a, D>>, ClosedTenants), PlanError> {
    let several = tenants.tenants.len() > 1;
    let has_no_users = input.users == 0 && !options.needs_lookups();
    // A single user and no lists: there is nothing to compare.
    let has_comparison = options.always_look_up
        || input.users > 1
        || !options.protect.is_empty()
        || !options.exclude.is_empty();
    let no_progress: ProgressFn<'_> = &|_| {};
    let progress = if several { no_progress } else { progress };
    let unasked = |scope| PlanContext::without_lookup(None, options.allow_empty, scope);
    let tried = stream::iter(tenants.tenants.iter().enumerate().map(|(at, tenant)| {
        let scope = TenantScope {
            tenant: at as TenantIndex,
            resolver: Some(&tenants.resolver),
            unresolved: several.then_some(unresolved),
        };
        async move {
            if tenant.closed {
                return Ok(PreparedTenant {
                    context: unasked(scope),
                    rules: RowRules::default(),
                    facts: PlanSummary::default(),
                });
            }
            let directory = tenant.directory.filter(|_| !has_no_users);
            let context = PlanContext::probe(
                directory,
                options,
                &known.users_to_probe[at],
                has_comparison,
                scope,
                known.budget,
            )
            .await?;
            let mut facts = PlanSummary { resolution: context.resolution.clone(), ..PlanSummary::default() };
            let rules = load_rules(options, &tenant.operator, &context, progress, &mut facts).await?;
            Ok(PreparedTenant { context, rules, facts })
        }
    }))
    .buffered(MAX_CONCURRENT_TENANTS)
    .collect::<Vec<_>>()
    .await;
    let (mut ready, mut closed) = (Vec::new(), ClosedTenants::default());
    for (at, tried) in tried.into_iter().enumerate() {
        let scope = TenantScope {
            tenant: at as TenantIndex,
            resolver: Some(&tenants.resolver),
            unresolved: several.then_some(unresolved),
        };
        closed.any_closed |= tenants.tenants[at].closed;
        ready.push(match tried {
            Ok(ready) => ready,
            Err(why) if several && is_single_tenant_error(&why) => {
                closed.close(at as TenantIndex, &why);
                PreparedTenant {
                    context: unasked(scope),
                    rules: RowRules::default(),
                    facts: PlanSummary::default(),
                }
            }
            Err(why) => return Err(why),
        });
    }
    Ok((ready, closed))
}

/// Whether an error comes from one tenant's directory, not from the options.
fn is_single_tenant_error(why: &PlanError) -> bool {
    matches!(why, PlanError::Directory(_) | PlanError::Guard(GuardError::Directory { .. }))
}

/// The tenants in which nothing is revoked because no users could be looked up there.
#[derive(Debug, Default)]
pub(super) struct ClosedTenants {
    pub(super) reasons: BTreeMap<TenantIndex, String>,
    /// Whether any tenant is closed, including those that were closed before the plan.
    any_closed: bool,
}

impl ClosedTenants {
    fn close(&mut self, tenant: TenantIndex, why: &PlanError) {
        self.any_closed = true;
        self.reasons.entry(tenant).or_insert_with(|| why.to_string());
    }
}

/// Entries of lists that no tenant resolved. They are errors, unless a closed tenant could know them.
fn unknown_entry_warnings(
    unresolved: UnresolvedEntries,
    closed: &ClosedTenants,
) -> Result<Vec<String>, PlanError> {
    let mut warnings = Vec::new();
    for why in unresolved.into_errors() {
        if !closed.any_closed {
            return Err(why.into());
        }
        let why = why.to_string();
        let what = why.split(". Nothing").next().unwrap_or(&why);
        warnings.push(format!("warning: {what}; it may belong to a tenant in which nothing is revoked"));
    }
    Ok(warnings)
}

/// Looks up the user of each row in the row's tenant, all tenants at the same time. If there are several
/// tenants, one whose directory fails is closed.
async fn look_up_tenants<D: DirectorySource>(
    contexts: &[PlanContext<'_, D>],
    closed: &mut ClosedTenants,
    by_name: bool,
    rows: &[InputRow],
    places: &[Result<TenantIndex, String>],
) -> Result<Vec<Option<ResolvedId>>, PlanError> {
    let mut of: BTreeMap<TenantIndex, Vec<usize>> = BTreeMap::new();
    for (at, tenant_index) in places.iter().enumerate() {
        if let Ok(tenant_index) = tenant_index
            && !closed.reasons.contains_key(tenant_index)
        {
            of.entry(*tenant_index).or_default().push(at);
        }
    }
    let asked = of.iter().map(|(tenant, places)| {
        let rows: Vec<&InputRow> = places.iter().map(|at| &rows[*at]).collect();
        async move { look_up(&contexts[*tenant as usize], by_name, &rows).await }
    });
    let answers = stream::iter(asked).buffered(MAX_CONCURRENT_TENANTS).collect::<Vec<_>>().await;
    let mut found: Vec<Option<ResolvedId>> = vec![None; rows.len()];
    for ((tenant, places), answer) in of.iter().zip(answers) {
        match answer {
            Ok(people) => places.iter().zip(people).for_each(|(at, person)| found[*at] = person),
            Err(why) if contexts.len() > 1 && is_single_tenant_error(&why) => closed.close(*tenant, &why),
            Err(why) => return Err(why),
        }
    }
    Ok(found)
}

/// The number of users in all tenants whose directory is read; `None` if there is no such tenant.
async fn count_users<D: DirectorySource>(contexts: &[PlanContext<'_, D>]) -> Result<Option<u64>, PlanError> {
    let asked = contexts.iter().map(|context| async move {
        match context.directory {
            Some(directory) => directory.count_users().await.map(Some).map_err(PlanError::UserCount),
            None => Ok(None),
        }
    });
    let mut sum = None;
    for counted in stream::iter(asked).buffered(MAX_CONCURRENT_TENANTS).collect::<Vec<_>>().await {
        let count = counted?;
        sum = sum.map_or(count, |sum: u64| Some(sum + count.unwrap_or_default()));
    }
    Ok(sum)
}

/// Looks up everything that must be known before the first row.
async fn load_rules<D: DirectorySource>(
    options: &PlanOptions,
    signed: &Operator,
    context: &PlanContext<'_, D>,
    progress: ProgressFn<'_>,
    facts: &mut PlanSummary,
) -> Result<RowRules, PlanError> {
    let loaded = Guard::load(options, signed, context, progress).await?;
    facts.unchecked = loaded.unchecked;
    let first = load_first_targets(&options.first, context, progress).await?;
    let admins = load_admins(options, context, facts).await;
    let knows_account_types =
        context.lookup_directory().is_some_and(|directory| directory.user_reads() != UserReadScope::Basic);
    let only = options.account_filter;
    Ok(RowRules {
        guard: loaded.guard,
        first,
        admins,
        account_filter: only,
        knows_account_types,
        admins_first: options.admins_first,
    })
}

async fn load_first_targets<D: DirectorySource>(
    entries: &[ListEntry],
    context: &PlanContext<'_, D>,
    progress: ProgressFn<'_>,
) -> Result<FirstTargets, GuardError> {
    let mut first = FirstTargets::default();
    for (number, entry) in (0..).zip(entries) {
        // Rows that are not looked up may have another ID for a member than the group has.
        if matches!(entry, ListEntry::Selector(_)) && !context.is_resolved() {
            let entry = entry.to_string();
            return Err(GuardError::Directory {
                list: FIRST_LIST,
                entry,
                source: missing_permission_error(),
            });
        }
        let mut take = |ids: Vec<UserId>, _: &str, _: &str| {
            first.add(ids, number);
            Ok(())
        };
        for_each_user(FIRST_LIST, entry, context, progress, &mut Vec::new(), &mut take).await?;
    }
    Ok(first)
}

/// The users who hold roles, if they can be read. This only informs, even with `--admins-first`: without it,
/// administrators keep the order of the input, and a line says so.
async fn load_admins<D: DirectorySource>(
    options: &PlanOptions,
    context: &PlanContext<'_, D>,
    facts: &mut PlanSummary,
) -> Option<PrivilegedUsers> {
    let order = |line: String| match options.admins_first {
        true => format!("{line}: --admins-first has no effect on users whose roles are not known"),
        false => line,
    };
    let Some(directory) = context.info_lookups() else {
        if options.admins_first && matches!(context.resolution, LookupStatus::Impossible(_)) {
            facts.unchecked.push(order("holders of roles (can't read users)".to_owned()));
        }
        return None;
    };
    let admins = match directory.privileged_users().await {
        Ok(admins) => admins,
        Err(why) => {
            facts.unchecked.push(order(why.line("holders of roles")));
            facts.unchecked.push(GLOBAL_ADMINS_UNKNOWN.to_owned());
            return None;
        }
    };
    facts.admins = Some(Default::default());
    if let Some(why) = &admins.unread_groups {
        facts.unchecked.push(order(format!("holders of roles through a group ({why})")));
    }
    facts.unchecked.extend(admins.gaps.iter().cloned().map(order));
    if admins.global_administrators_incomplete {
        facts.unchecked.push(GLOBAL_ADMINS_UNKNOWN.to_owned());
    }
    Some(admins)
}

/// What is unknown without roles: the check of the Global Administrators is skipped.
const GLOBAL_ADMINS_UNKNOWN: &str = "how many Global Administrators are among them";

/// Looks up the user of each row; `None` for rows without a user, and if the directory is not read.
async fn look_up<D: DirectorySource>(
    context: &PlanContext<'_, D>,
    by_name: bool,
    rows: &[&InputRow],
) -> Result<Vec<Option<ResolvedId>>, PlanError> {
    let mut found: Vec<Option<ResolvedId>> = vec![None; rows.len()];
    let Some(directory) = context.lookup_directory() else { return Ok(found) };
    let (mut ids, mut names) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.status == RowStatus::Read) {
        match UserId::parse_lenient(&row.id) {
            Ok(UserId::Principal(_)) | Err(_) if by_name && is_name(&row.id) => {
                names.0.push(unwrap_address(&row.id).unwrap_or_else(|| clean(&row.id)).to_owned());
                names.1.push(at);
            }
            Ok(user) => {
                ids.0.push(user);
                ids.1.push(at);
            }
            Err(_) => {}
        }
    }
    let mut put = |places: Vec<usize>, answers: Vec<ResolvedId>| {
        for (at, answer) in places.into_iter().zip(answers) {
            found[at] = Some(answer);
        }
    };
    if !ids.0.is_empty() {
        match context.depends_on_users {
            true => put(ids.1, resolve_all(directory, &ids.0).await?),
            false => {
                if let Some(people) = resolve_optional(context, &ids.0).await {
                    put(ids.1, people);
                }
            }
        }
    }
    if !names.0.is_empty() {
        put(names.1, find_all(directory, &names.0).await?);
    }
    Ok(found)
}

/// Resolves IDs if nothing depends on it. After a failure, no more users are looked up.
async fn resolve_optional<D: DirectorySource>(
    context: &PlanContext<'_, D>,
    ids: &[UserId],
) -> Option<Vec<ResolvedId>> {
    let users = ids.len() as u64;
    let Some(directory) = context.info_lookups().filter(|_| !context.skipped_lookups.has_failed()) else {
        context.skipped_lookups.add(users, None);
        return None;
    };
    match directory.resolve(ids).await {
        Ok(people) => Some(people),
        Err(why) => {
            context.skipped_lookups.add(users, Some(why));
            None
        }
    }
}

/// Whether a text can be a name.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= MAX_NAME_CHARS
        && !text.chars().any(crate::text::sanitize::needs_escape)
}

/// Checks the files of all lists before sign-in, so that a file that can't be read is reported first. A pipe
/// is skipped, because it can be read only once, when the plan is made.
///
/// # Errors
/// When a list can't be read, or one of its lines does not name a user.
pub fn check_lists(options: &PlanOptions) -> Result<(), PlanError> {
    let lists =
        [(PROTECT_LIST, &options.protect), (EXCLUDE_LIST, &options.exclude), (FIRST_LIST, &options.first)];
    for (list, entries) in lists {
        for entry in entries {
            let is_pipe =
                |path: &Path| std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
            if !matches!(entry, ListEntry::File(path) if is_pipe(path)) {
                members_of_entry(list, entry)?;
            }
        }
    }
    Ok(())
}

/// A selection.
struct SelectionRequest<'a> {
    selector: &'a Selector,
    /// Its index among the sources.
    source: usize,
    /// The shard, if only a part of the selection is wanted.
    part: Option<&'a ShardPart>,
}

/// Adds the users of a selection.
async fn add_selection<D: DirectorySource>(
    request: &SelectionRequest<'_>,
    options: &PlanOptions,
    context: &PlanContext<'_, D>,
    builder: &mut PlanBuilder,
    progress: ProgressFn<'_>,
) -> Result<(), PlanError> {
    let directory = context.directory.ok_or(PlanError::LookupRequired)?;
    let mut pages = directory.select_users(request.selector).await?;
    let what = pages.name().to_owned();
    // A user who occurs again on a later page is an effect of Graph's paging, not a duplicate.
    let mut known = HashSet::new();
    while let Some(page) = pages.next_page().await? {
        for person in &complete_attributes(page, options.account_filter, context).await? {
            if !known.insert(person.id) {
                continue;
            }
            match request.part.is_none_or(|part| part.contains(&UserId::Object(person.id))) {
                true => builder.add_user(person, RowOrigin::new(request.source, known.len() as u64))?,
                false => builder.record_user_alias(person),
            }
        }
        progress(&ReadProgress { what: &what, count: known.len() as u64, total: pages.expected() });
    }
    if pages.missing() > 0 {
        let missing = crate::text::humanize::users(pages.missing());
        builder
            .facts
            .unchecked
            .push(format!("{missing} of {what}: Graph counted them but did not return them"));
    }
    if known.is_empty() && !options.allow_empty {
        return Err(PlanError::EmptySelection { selection: what });
    }
    builder.facts.selection.push(what);
    Ok(())
}

/// Looks up the users for whom a selection has too few attributes: selections by role or risk have no account
/// types. If the plan does not filter by account type, this only informs.
async fn complete_attributes<D: DirectorySource>(
    mut page: Vec<DirectoryUser>,
    only: AccountFilter,
    context: &PlanContext<'_, D>,
) -> Result<Vec<DirectoryUser>, PlanError> {
    let Some(directory) =
        context.lookup_directory().filter(|asked| asked.user_reads() != UserReadScope::Basic)
    else {
        return Ok(page);
    };
    let bare =
        |person: &DirectoryUser| person.upn.is_none() || person.guest.is_none() || person.enabled.is_none();
    let (places, ids): (Vec<usize>, Vec<UserId>) = page
        .iter()
        .enumerate()
        .filter(|(_, person)| bare(person))
        .map(|(at, person)| (at, UserId::Object(person.id)))
        .unzip();
    if ids.is_empty() {
        return Ok(page);
    }
    let found = match only == AccountFilter::default() {
        true => resolve_optional(context, &ids).await.unwrap_or_default(),
        false => resolve_all(directory, &ids).await?,
    };
    for (at, found) in places.into_iter().zip(found) {
        if let ResolvedId::User(person) = found {
            page[at] = person;
        }
    }
    Ok(page)
}

/// Why users could not be looked up, if so.
pub(super) fn unresolved_reason(resolution: &LookupStatus) -> Option<&str> {
    match resolution {
        LookupStatus::Impossible(why) => Some(why),
        LookupStatus::Full | LookupStatus::NotAsked => None,
    }
}
