//! How a plan comes about: whom to leave out first, then all rows in pieces, then each selection page by page. Of each
//! user only the id, the place and the rank stay in memory.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::ask::{DirectorySource, ProgressFn, ReadProgress, UserPages, find, resolve};
use super::drafting::{BuiltPlan, PlanBuilder, RowRules};
use super::gathered::InputPart;
use super::guard::{EXCLUDED, FIRST, Guard, GuardError, PROTECTED, for_each_person, members};
use super::order::FirstTargets;
use super::sources::{SelectionState, Selections};
use super::tenants::PlanTenants;
use super::world::{PlanContext, TenantScope, UnresolvedEntries, lacking};
use super::{
    AccountFilter, Draft, InputRows, ListEntry, ListResolution, Operator, PlanError, PlanOptions,
    PlanSummary, joined, notices,
};
use crate::directory::{Budget, DirectoryUser, PrivilegedUsers, ResolvedId, Selector, UserReadScope};
use crate::event::TenantIndex;
use crate::intake::{InputRow, RowStatus};
use crate::journal::ShardRecord;
use crate::together::buffered;
use crate::user_id::{UserId, clean, unwrap_address};

/// So many of the first users are tried to find out whether users can be read: one of them may be gone.
const TRIED: usize = 3;

/// Rows that are looked up at once.
const CHUNK: usize = 2_000;

/// Longest text that is looked for as a name, in characters.
const LONGEST_NAME: usize = 256;

/// Tenants that are read side by side.
const TENANTS_AT_ONCE: usize = 32;

/// Rows that are looked up at once in a run of several tenants, in these chunks.
const CHUNKS: usize = 8;

/// A tenant, once all is known that must be known before the first row.
struct PreparedPlan<'a, D> {
    world: PlanContext<'a, D>,
    rules: RowRules,
    facts: PlanSummary,
}

/// Makes the plan.
pub(super) async fn build_plan<D: DirectorySource>(
    mut gathered: InputRows,
    wishes: &PlanOptions,
    tenants: &PlanTenants<'_, D>,
    tell: ProgressFn<'_>,
) -> Result<Draft, PlanError> {
    // Whoever writes `me` means themselves, by whatever name they stand in the list again.
    let include_self = wishes.include_self || gathered.names_me;
    let wishes = &PlanOptions { include_self, ..wishes.clone() };
    let (mut rows, elsewhere, part) = (gathered.rows()?, gathered.elsewhere()?, gathered.part.take());
    let first: Vec<InputRow> = rows.by_ref().take(TRIED).collect::<Result<_, _>>()?;
    let firsts = firsts(&gathered, tenants, &first);
    let mut rows = first.into_iter().map(Ok).chain(rows);
    let misses = RefCell::default();
    let budget = Budget::default();
    let known = KnownUsers { firsts: &firsts, budget: &budget };
    let (ready, mut closed) = prepare(&gathered, wishes, tenants, &known, &misses, tell).await?;
    let warnings = unknown_entries(misses.take(), &closed)?;
    let (mut worlds, mut rules, mut each) = (Vec::new(), Vec::new(), Vec::new());
    for PreparedPlan { world, rules: these, facts } in ready {
        worlds.push(world);
        rules.push(these);
        each.push(facts);
    }
    let facts = PlanSummary { selection: gathered.names.clone(), ..PlanSummary::default() };
    let selections = wishes.selectors.iter().map(Selector::to_string);
    let files = gathered.names.len();
    let names = Selections::new(gathered.names, selections);
    let sharded = part.as_ref().map(|part| ShardRecord {
        shard: part.shard,
        input_rows: gathered.input_rows,
        sources: names.all().to_vec(),
    });
    let facts = PlanSummary { sharded, ..facts };
    let keys = tenants.all.iter().map(|tenant| tenant.key.clone()).collect();
    let mut drafting = PlanBuilder::new(rules, keys, names, gathered.columns.len(), facts);
    let what = "the users of the input";
    let (mut so_far, of) = (0, Some(gathered.users));
    let chunk_size = CHUNK * worlds.len().min(CHUNKS);
    loop {
        let chunk: Vec<InputRow> = rows.by_ref().take(chunk_size).collect::<Result<_, _>>()?;
        if chunk.is_empty() {
            break;
        }
        let places: Vec<_> = chunk.iter().map(|row| tenants.places.resolve(row.tenant.as_deref())).collect();
        let found = look_up_all(&worlds, &mut closed, wishes.resolve, &chunk, &places).await?;
        for ((row, place), found) in chunk.iter().zip(places).zip(&found) {
            drafting.row(row, place, found.as_ref())?;
        }
        so_far += found.iter().flatten().count() as u64;
        if worlds.iter().any(PlanContext::is_resolved) {
            tell(&ReadProgress { what, so_far, of });
        }
    }
    for row in elsewhere {
        let row = row?;
        drafting.record_alias(&row, tenants.places.resolve(row.tenant.as_deref()).ok());
    }
    for (at, selector) in wishes.selectors.iter().enumerate() {
        let asked = TenantLookup { selector, source: files + at, part: part.as_ref() };
        select(&asked, wishes, &worlds[0], &mut drafting, tell).await?;
    }
    let BuiltPlan { spool, drafted, mut facts, each: counted } = drafting.finish()?;
    for (world, facts) in worlds.iter().zip(&mut each) {
        facts.unchecked.extend(world.lost.line());
    }
    joined::facts(&mut facts, each, counted, &drafted, tenants, &closed);
    if wishes.max_share.is_some() {
        facts.tenant_users = count_users(&worlds).await?;
    }
    let mut notices = notices::plan_notices(&drafted, &facts, gathered.ids_are_mail && !wishes.resolve);
    notices.extend(warnings);
    Ok(Draft {
        spool,
        columns: gathered.columns,
        inputs: gathered.inputs,
        notices,
        drafted,
        facts,
        closed,
        tenant_column: gathered.tenant_column,
        budget,
    })
}

/// The first users of each tenant.
fn firsts<D>(gathered: &InputRows, tenants: &PlanTenants<'_, D>, rows: &[InputRow]) -> Vec<Vec<UserId>> {
    let mut firsts: Vec<Vec<UserId>> = vec![Vec::new(); tenants.all.len()];
    for named in gathered.named.iter().flat_map(|tenants| tenants.all()) {
        if let Ok(place) = tenants.places.resolve(Some(&named.name.to_string())) {
            firsts[place as usize].extend(named.first.iter().cloned());
        }
    }
    for row in rows.iter().filter(|row| gathered.named.is_none() || row.tenant.is_none()) {
        let user = UserId::read(&row.id).ok().filter(|id| *id != UserId::Me);
        if let (Ok(place), Some(user)) = (tenants.places.resolve(row.tenant.as_deref()), user) {
            firsts[place as usize].push(user);
        }
    }
    for first in &mut firsts {
        // What can be nobody is tried last: most such ids are slips, and tell nothing of the permission.
        first.sort_by_key(|id| id.check().is_err());
        first.truncate(TRIED);
    }
    firsts
}

/// What is known before any tenant is asked.
struct KnownUsers<'a> {
    /// The first users of each tenant.
    firsts: &'a [Vec<UserId>],
    /// What look-ups that only inform may lose, in all tenants together.
    budget: &'a Budget,
}

/// Gets all tenants ready, side by side. One whose directory can't be read is closed where there are others: nothing is
/// sent there, and they go on.
async fn prepare<'a, D: DirectorySource>(
    gathered: &InputRows,
    wishes: &PlanOptions,
    tenants: &'a PlanTenants<'a, D>,
    known: &KnownUsers<'_>,
    misses: &'a RefCell<UnresolvedEntries>,
    tell: ProgressFn<'_>,
) -> Result<(Vec<PreparedPlan<'a, D>>, ClosedTenant), PlanError> {
    let several = tenants.all.len() > 1;
    let nobody = gathered.users == 0 && !wishes.name_anybody();
    // There is nothing to compare one user with.
    let compares =
        wishes.look_up || gathered.users > 1 || !wishes.protect.is_empty() || !wishes.exclude.is_empty();
    let quietly: ProgressFn<'_> = &|_| {};
    let tell = if several { quietly } else { tell };
    let unasked = |within| PlanContext::unasked(None, wishes.allow_empty, within);
    let tried = buffered(
        TENANTS_AT_ONCE,
        tenants.all.iter().enumerate().map(|(at, tenant)| {
            let within = TenantScope {
                tenant: at as TenantIndex,
                places: Some(&tenants.places),
                misses: several.then_some(misses),
            };
            async move {
                if tenant.closed {
                    return Ok(PreparedPlan {
                        world: unasked(within),
                        rules: RowRules::default(),
                        facts: PlanSummary::default(),
                    });
                }
                let directory = tenant.directory.filter(|_| !nobody);
                let world = PlanContext::find_out(
                    directory,
                    wishes,
                    &known.firsts[at],
                    compares,
                    within,
                    known.budget,
                )
                .await?;
                let mut facts =
                    PlanSummary { resolution: world.resolution.clone(), ..PlanSummary::default() };
                let rules = rules(wishes, &tenant.signed, &world, tell, &mut facts).await?;
                Ok(PreparedPlan { world, rules, facts })
            }
        }),
    )
    .await;
    let (mut ready, mut closed) = (Vec::new(), ClosedTenant::default());
    for (at, tried) in tried.into_iter().enumerate() {
        let within = TenantScope {
            tenant: at as TenantIndex,
            places: Some(&tenants.places),
            misses: several.then_some(misses),
        };
        closed.any |= tenants.all[at].closed;
        ready.push(match tried {
            Ok(ready) => ready,
            Err(why) if several && is_of_one(&why) => {
                closed.close(at as TenantIndex, &why);
                PreparedPlan {
                    world: unasked(within),
                    rules: RowRules::default(),
                    facts: PlanSummary::default(),
                }
            }
            Err(why) => return Err(why),
        });
    }
    Ok((ready, closed))
}

/// Whether an error is that of one tenant's directory, and not of what was asked for.
fn is_of_one(why: &PlanError) -> bool {
    matches!(why, PlanError::Directory(_) | PlanError::Guard(GuardError::Directory { .. }))
}

/// The tenants in which nothing is sent because nobody could be looked up there.
#[derive(Debug, Default)]
pub(super) struct ClosedTenant {
    pub(super) reasons: BTreeMap<TenantIndex, String>,
    /// Whether there is any, those that were closed before the plan among them.
    any: bool,
}

impl ClosedTenant {
    fn close(&mut self, tenant: TenantIndex, why: &PlanError) {
        self.any = true;
        self.reasons.entry(tenant).or_insert_with(|| why.to_string());
    }
}

/// What lists name and no tenant knows: an error, unless it may be known where nothing is sent.
fn unknown_entries(misses: UnresolvedEntries, closed: &ClosedTenant) -> Result<Vec<String>, PlanError> {
    let mut warnings = Vec::new();
    for why in misses.into_unknown() {
        if !closed.any {
            return Err(why.into());
        }
        let why = why.to_string();
        let what = why.split(". Nothing").next().unwrap_or(&why);
        warnings.push(format!("warning: {what}; it may belong to a tenant in which nothing is sent"));
    }
    Ok(warnings)
}

/// Whom each row names, asked in its tenant; all tenants side by side. A tenant whose directory fails is closed where
/// there are others.
async fn look_up_all<D: DirectorySource>(
    worlds: &[PlanContext<'_, D>],
    closed: &mut ClosedTenant,
    by_name: bool,
    rows: &[InputRow],
    places: &[Result<TenantIndex, String>],
) -> Result<Vec<Option<ResolvedId>>, PlanError> {
    let mut of: BTreeMap<TenantIndex, Vec<usize>> = BTreeMap::new();
    for (at, place) in places.iter().enumerate() {
        if let Ok(place) = place
            && !closed.reasons.contains_key(place)
        {
            of.entry(*place).or_default().push(at);
        }
    }
    let asked = of.iter().map(|(tenant, places)| {
        let rows: Vec<&InputRow> = places.iter().map(|at| &rows[*at]).collect();
        async move { look_up(&worlds[*tenant as usize], by_name, &rows).await }
    });
    let answers = buffered(TENANTS_AT_ONCE, asked).await;
    let mut found: Vec<Option<ResolvedId>> = vec![None; rows.len()];
    for ((tenant, places), answer) in of.iter().zip(answers) {
        match answer {
            Ok(people) => places.iter().zip(people).for_each(|(at, person)| found[*at] = person),
            Err(why) if worlds.len() > 1 && is_of_one(&why) => closed.close(*tenant, &why),
            Err(why) => return Err(why),
        }
    }
    Ok(found)
}

/// The users of all tenants in which something is sent; none where nobody is asked.
async fn count_users<D: DirectorySource>(worlds: &[PlanContext<'_, D>]) -> Result<Option<u64>, PlanError> {
    let asked = worlds.iter().map(|world| async move {
        match world.directory {
            Some(directory) => directory.count_users().await.map(Some).map_err(PlanError::Uncounted),
            None => Ok(None),
        }
    });
    let mut sum = None;
    for counted in buffered(TENANTS_AT_ONCE, asked).await {
        let count = counted?;
        sum = sum.map_or(count, |sum: u64| Some(sum + count.unwrap_or_default()));
    }
    Ok(sum)
}

/// Looks up all that must be known before the first row.
async fn rules<D: DirectorySource>(
    wishes: &PlanOptions,
    signed: &Operator,
    world: &PlanContext<'_, D>,
    tell: ProgressFn<'_>,
    facts: &mut PlanSummary,
) -> Result<RowRules, PlanError> {
    let loaded = Guard::load(wishes, signed, world, tell).await?;
    facts.unchecked = loaded.unchecked;
    let first = first(&wishes.first, world, tell).await?;
    let admins = admins(wishes, world, facts).await;
    let told = world.resolving().is_some_and(|directory| directory.user_reads() != UserReadScope::Basic);
    let only = wishes.only;
    Ok(RowRules { guard: loaded.guard, first, admins, only, told, admins_first: wishes.admins_first })
}

async fn first<D: DirectorySource>(
    entries: &[ListEntry],
    world: &PlanContext<'_, D>,
    tell: ProgressFn<'_>,
) -> Result<FirstTargets, GuardError> {
    let mut first = FirstTargets::default();
    for (number, entry) in (0..).zip(entries) {
        // Rows that are not looked up may name a member by another id than the group does.
        if matches!(entry, ListEntry::Of(_)) && !world.is_resolved() {
            let entry = entry.to_string();
            return Err(GuardError::Directory { list: FIRST, entry, source: lacking() });
        }
        let mut take = |ids: Vec<UserId>, _: &str, _: &str| {
            first.add(ids, number);
            Ok(())
        };
        for_each_person(FIRST, entry, world, tell, &mut Vec::new(), &mut take).await?;
    }
    Ok(first)
}

/// Who holds roles, as far as that is to be learned. It informs, also where administrators are to go first: without it
/// they go in their order, and that is told.
async fn admins<D: DirectorySource>(
    wishes: &PlanOptions,
    world: &PlanContext<'_, D>,
    facts: &mut PlanSummary,
) -> Option<PrivilegedUsers> {
    let order = |line: String| match wishes.admins_first {
        true => format!("{line}: --admins-first puts nobody first whose role is not known"),
        false => line,
    };
    let Some(directory) = world.informing() else {
        if wishes.admins_first && matches!(world.resolution, ListResolution::Impossible(_)) {
            facts.unchecked.push(order("who holds roles (users can't be read)".to_owned()));
        }
        return None;
    };
    let admins = match directory.admins().await {
        Ok(admins) => admins,
        Err(why) => {
            facts.unchecked.push(order(why.line("who holds roles")));
            facts.unchecked.push(GLOBAL_UNKNOWN.to_owned());
            return None;
        }
    };
    facts.admins = Some(Default::default());
    if let Some(why) = &admins.unread_groups {
        facts.unchecked.push(order(format!("who holds roles through a group ({why})")));
    }
    facts.unchecked.extend(admins.gaps.iter().cloned().map(order));
    if admins.global_unsure {
        facts.unchecked.push(GLOBAL_UNKNOWN.to_owned());
    }
    Some(admins)
}

/// What the guard of Global Administrators can't tell without roles.
const GLOBAL_UNKNOWN: &str = "how many of the Global Administrators are among them";

/// Whom each row names; none for rows that name nobody, and where the directory is not asked.
async fn look_up<D: DirectorySource>(
    world: &PlanContext<'_, D>,
    by_name: bool,
    rows: &[&InputRow],
) -> Result<Vec<Option<ResolvedId>>, PlanError> {
    let mut found: Vec<Option<ResolvedId>> = vec![None; rows.len()];
    let Some(directory) = world.resolving() else { return Ok(found) };
    let (mut ids, mut names) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.verdict == RowStatus::Read) {
        match UserId::read(&row.id) {
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
        match world.needs_users {
            true => put(ids.1, resolve(directory, &ids.0).await?),
            false => {
                if let Some(people) = inform(world, &ids.0).await {
                    put(ids.1, people);
                }
            }
        }
    }
    if !names.0.is_empty() {
        put(names.1, find(directory, &names.0).await?);
    }
    Ok(found)
}

/// Whom ids name, where nothing depends on it. After a failure nobody more is asked for.
async fn inform<D: DirectorySource>(world: &PlanContext<'_, D>, ids: &[UserId]) -> Option<Vec<ResolvedId>> {
    let users = ids.len() as u64;
    let Some(directory) = world.informing().filter(|_| !world.lost.is_any()) else {
        world.lost.add(users, None);
        return None;
    };
    match directory.resolve(ids).await {
        Ok(people) => Some(people),
        Err(why) => {
            world.lost.add(users, Some(why));
            None
        }
    }
}

/// Whether a text can be what somebody is called.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= LONGEST_NAME
        && !text.chars().any(crate::harmless::needs_escape)
}

/// Reads the files of all lists, before anybody signs in: a file that can't be read is known first. A pipe can be read once
/// alone, which is when the plan is made.
///
/// # Errors
/// When a list can't be read, or holds a line that names nobody.
pub fn check_lists(wishes: &PlanOptions) -> Result<(), PlanError> {
    let lists = [(PROTECTED, &wishes.protect), (EXCLUDED, &wishes.exclude), (FIRST, &wishes.first)];
    for (list, entries) in lists {
        for entry in entries {
            let is_pipe =
                |path: &Path| std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
            if !matches!(entry, ListEntry::File(path) if is_pipe(path)) {
                members(list, entry)?;
            }
        }
    }
    Ok(())
}

/// A selection.
struct TenantLookup<'a> {
    selector: &'a Selector,
    /// Its number among the sources.
    source: usize,
    /// The part of it that is wanted, where not all of it is.
    part: Option<&'a InputPart>,
}

/// Takes in whom a selection finds.
async fn select<D: DirectorySource>(
    asked: &TenantLookup<'_>,
    wishes: &PlanOptions,
    world: &PlanContext<'_, D>,
    drafting: &mut PlanBuilder,
    tell: ProgressFn<'_>,
) -> Result<(), PlanError> {
    let directory = world.directory.ok_or(PlanError::NoDirectory)?;
    let mut pages = directory.people(asked.selector).await?;
    let what = pages.name().to_owned();
    // A page may give somebody again: that is Graph's paging, and nobody named them twice.
    let mut known = HashSet::new();
    while let Some(page) = pages.next_page().await? {
        for person in &complete_attributes(page, wishes.only, world).await? {
            if !known.insert(person.id) {
                continue;
            }
            match asked.part.is_none_or(|part| part.contains(&UserId::Object(person.id))) {
                true => drafting.person(person, SelectionState::new(asked.source, known.len() as u64))?,
                false => drafting.overhear_person(person),
            }
        }
        tell(&ReadProgress { what: &what, so_far: known.len() as u64, of: pages.expected() });
    }
    if pages.missing() > 0 {
        let missing = crate::console::wording::users(pages.missing());
        drafting
            .facts
            .unchecked
            .push(format!("{missing} of {what}: Graph counted them and did not give them"));
    }
    if known.is_empty() && !wishes.allow_empty {
        return Err(PlanError::Empty { selection: what });
    }
    drafting.facts.selection.push(what);
    Ok(())
}

/// Looks up those of whom a list tells too little: one of roles or of risk has no kinds of accounts.
/// Where the plan does not ask for kinds, that only informs.
async fn complete_attributes<D: DirectorySource>(
    mut page: Vec<DirectoryUser>,
    only: AccountFilter,
    world: &PlanContext<'_, D>,
) -> Result<Vec<DirectoryUser>, PlanError> {
    let Some(directory) = world.resolving().filter(|asked| asked.user_reads() != UserReadScope::Basic) else {
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
        true => inform(world, &ids).await.unwrap_or_default(),
        false => resolve(directory, &ids).await?,
    };
    for (at, found) in places.into_iter().zip(found) {
        if let ResolvedId::User(person) = found {
            page[at] = person;
        }
    }
    Ok(page)
}

/// Whether ids were compared as they are written although somebody could have been asked.
pub(super) fn impossible(resolution: &ListResolution) -> Option<&str> {
    match resolution {
        ListResolution::Impossible(why) => Some(why),
        ListResolution::Full | ListResolution::NotAsked => None,
    }
}
