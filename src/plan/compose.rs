//! How a plan comes about: whom to leave out first, then all rows in pieces, then each selection page by page. Of each
//! user only the id, the place and the rank stay in memory.

use std::collections::HashSet;

use super::ask::{Ask, Pages, Reading, Tell, find, resolve};
use super::drafting::{Drafting, Finished, Rules};
use super::gathered::Part;
use super::guard::{EXCLUDED, Guard, GuardError, PROTECTED, for_each_person, members};
use super::order::First;
use super::sources::{Place, Sources};
use super::world::{World, lacking};
use super::{Draft, Gathered, Listed, PlanError, PlanFacts, Resolution, Signed, Wishes, notices};
use crate::directory::{Admins, Person, Resolved, Selector, UserReads};
use crate::intake::{Row, Verdict};
use crate::journal::Sharded;
use crate::user_id::UserId;

/// So many of the first users are tried to find out whether users can be read: one of them may be gone.
const TRIED: usize = 3;

/// Rows that are looked up at once.
const CHUNK: usize = 2_000;

/// Longest text that is looked for as a name, in characters.
const LONGEST_NAME: usize = 256;

/// Names of the list of those who go first, in errors.
const FIRST: &str = "list of those who go first";

/// Makes the plan.
pub(super) async fn compose<D: Ask>(
    mut gathered: Gathered,
    wishes: &Wishes,
    signed: &Signed,
    directory: Option<&D>,
    tell: Tell<'_>,
) -> Result<Draft, PlanError> {
    // Whoever writes `me` means themselves, by whatever name they stand in the list again.
    let include_self = wishes.include_self || gathered.names_me;
    let wishes = &Wishes { include_self, ..wishes.clone() };
    let (mut rows, elsewhere, part) = (gathered.rows()?, gathered.elsewhere()?, gathered.part);
    let first: Vec<Row> = rows.by_ref().take(TRIED).collect::<Result<_, _>>()?;
    let people: Vec<UserId> =
        first.iter().filter_map(|row| row.id.parse().ok()).filter(|id| *id != UserId::Me).collect();
    let mut rows = first.into_iter().map(Ok).chain(rows);
    let nobody = gathered.users == 0 && !wishes.name_anybody();
    let directory = directory.filter(|_| !nobody);
    // There is nothing to compare one user with.
    let compares = gathered.users > 1 || !wishes.protect.is_empty() || !wishes.exclude.is_empty();
    let world = World::find_out(directory, wishes, &people, compares).await?;
    let mut facts = PlanFacts {
        selection: gathered.names.clone(),
        resolution: world.resolution.clone(),
        ..PlanFacts::default()
    };
    let rules = rules(wishes, signed, &world, tell, &mut facts).await?;
    let selections = wishes.selectors.iter().map(Selector::to_string);
    let files = gathered.names.len();
    let names = Sources::new(gathered.names, selections);
    facts.sharded = part.as_ref().map(|part| Sharded {
        shard: part.shard,
        input_rows: gathered.input_rows,
        sources: names.all().to_vec(),
    });
    let mut drafting = Drafting::new(rules, names, gathered.columns.len(), facts);
    let what = "the users of the input";
    let (mut so_far, of) = (0, Some(gathered.users));
    loop {
        let chunk: Vec<Row> = rows.by_ref().take(CHUNK).collect::<Result<_, _>>()?;
        if chunk.is_empty() {
            break;
        }
        let found = look_up(&world, wishes.resolve, &chunk).await?;
        for (row, found) in chunk.iter().zip(&found) {
            drafting.row(row, found.as_ref())?;
        }
        so_far += found.iter().flatten().count() as u64;
        if world.is_resolved() {
            tell(&Reading { what, so_far, of });
        }
    }
    for row in elsewhere {
        drafting.overhear(&row?);
    }
    for (at, selector) in wishes.selectors.iter().enumerate() {
        let asked = Asked { selector, source: files + at, part: part.as_ref() };
        select(&asked, wishes, &world, &mut drafting, tell).await?;
    }
    let Finished { spool, drafted, mut facts } = drafting.finish()?;
    if let (Some(_), Some(directory)) = (wishes.max_share, directory) {
        facts.tenant_users = Some(directory.count_users().await.map_err(PlanError::Uncounted)?);
    }
    let notices = notices::of(&drafted, &facts, gathered.ids_are_mail && !wishes.resolve);
    Ok(Draft { spool, columns: gathered.columns, inputs: gathered.inputs, notices, drafted, facts })
}

/// Looks up all that must be known before the first row.
async fn rules<D: Ask>(
    wishes: &Wishes,
    signed: &Signed,
    world: &World<'_, D>,
    tell: Tell<'_>,
    facts: &mut PlanFacts,
) -> Result<Rules, PlanError> {
    let loaded = Guard::load(wishes, signed, world, tell).await?;
    facts.unchecked = loaded.unchecked;
    let first = first(&wishes.first, world, tell).await?;
    let admins = admins(wishes, world, facts).await?;
    let told = world.resolving().is_some_and(|directory| directory.user_reads() != UserReads::Basic);
    let only = wishes.only;
    Ok(Rules { guard: loaded.guard, first, admins, only, told, admins_first: wishes.admins_first })
}

async fn first<D: Ask>(
    entries: &[Listed],
    world: &World<'_, D>,
    tell: Tell<'_>,
) -> Result<First, GuardError> {
    let mut first = First::default();
    for (number, entry) in (0..).zip(entries) {
        // Rows that are not looked up may name a member by another id than the group does.
        if matches!(entry, Listed::Of(_)) && !world.is_resolved() {
            let entry = entry.to_string();
            return Err(GuardError::Directory { list: FIRST, entry, source: lacking() });
        }
        let mut take = |ids: Vec<UserId>, _: &str| {
            first.add(ids, number);
            Ok(())
        };
        for_each_person(FIRST, entry, world, tell, &mut take).await?;
    }
    Ok(first)
}

/// Who holds roles; none where that is not to be learned, and no wish depends on it.
async fn admins<D: Ask>(
    wishes: &Wishes,
    world: &World<'_, D>,
    facts: &mut PlanFacts,
) -> Result<Option<Admins>, PlanError> {
    let Some(directory) = world.resolving() else { return Ok(None) };
    match directory.admins().await {
        Ok(admins) => {
            facts.admins = Some(Default::default());
            facts.global_administrators = Some((0, admins.global.len() as u64));
            if let Some(why) = &admins.unread {
                facts.unchecked.push(format!("who holds roles through a group ({why})"));
            }
            Ok(Some(admins))
        }
        Err(why) if why.is_forbidden() && !wishes.admins_first => {
            facts.unchecked.push("who holds roles (needs RoleManagement.Read.Directory)".to_owned());
            Ok(None)
        }
        Err(why) => Err(why.into()),
    }
}

/// Whom each row names; none for rows that name nobody, and where the directory is not asked.
async fn look_up<D: Ask>(
    world: &World<'_, D>,
    by_name: bool,
    rows: &[Row],
) -> Result<Vec<Option<Resolved>>, PlanError> {
    let mut found: Vec<Option<Resolved>> = vec![None; rows.len()];
    let Some(directory) = world.resolving() else { return Ok(found) };
    let (mut ids, mut names) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.verdict == Verdict::Read) {
        match row.id.parse::<UserId>() {
            Ok(UserId::Principal(_)) | Err(_) if by_name && is_name(&row.id) => {
                names.0.push(row.id.clone());
                names.1.push(at);
            }
            Ok(user) => {
                ids.0.push(user);
                ids.1.push(at);
            }
            Err(_) => {}
        }
    }
    let mut put = |places: Vec<usize>, answers: Vec<Resolved>| {
        for (at, answer) in places.into_iter().zip(answers) {
            found[at] = Some(answer);
        }
    };
    if !ids.0.is_empty() {
        put(ids.1, resolve(directory, &ids.0).await?);
    }
    if !names.0.is_empty() {
        put(names.1, find(directory, &names.0).await?);
    }
    Ok(found)
}

/// Whether a text can be what somebody is called.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= LONGEST_NAME && !text.chars().any(crate::harmless::is_acting)
}

/// Reads the files of all lists, before anybody signs in: a file that can't be read is known first.
///
/// # Errors
/// When a list can't be read, or holds a line that names nobody.
pub fn check_lists(wishes: &Wishes) -> Result<(), PlanError> {
    let lists = [(PROTECTED, &wishes.protect), (EXCLUDED, &wishes.exclude), (FIRST, &wishes.first)];
    for (list, entries) in lists {
        for entry in entries {
            members(list, entry)?;
        }
    }
    Ok(())
}

/// A selection.
struct Asked<'a> {
    selector: &'a Selector,
    /// Its number among the sources.
    source: usize,
    /// The part of it that is wanted, where not all of it is.
    part: Option<&'a Part>,
}

/// Takes in whom a selection finds.
async fn select<D: Ask>(
    asked: &Asked<'_>,
    wishes: &Wishes,
    world: &World<'_, D>,
    drafting: &mut Drafting,
    tell: Tell<'_>,
) -> Result<(), PlanError> {
    let directory = world.directory.ok_or(PlanError::NoDirectory)?;
    let mut pages = directory.people(asked.selector).await?;
    let what = pages.name().to_owned();
    // A page may give somebody again: that is Graph's paging, and nobody named them twice.
    let mut known = HashSet::new();
    while let Some(page) = pages.next_page().await? {
        for person in &whole(page, world).await? {
            if !known.insert(person.id) {
                continue;
            }
            match asked.part.is_none_or(|part| part.holds(&UserId::Object(person.id))) {
                true => drafting.person(person, Place::new(asked.source, known.len() as u64))?,
                false => drafting.overhear_person(person),
            }
        }
        tell(&Reading { what: &what, so_far: known.len() as u64, of: pages.expected() });
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
async fn whole<D: Ask>(mut page: Vec<Person>, world: &World<'_, D>) -> Result<Vec<Person>, PlanError> {
    let Some(directory) = world.resolving().filter(|asked| asked.user_reads() != UserReads::Basic) else {
        return Ok(page);
    };
    let bare = |person: &Person| person.upn.is_none() || person.guest.is_none() || person.enabled.is_none();
    let (places, ids): (Vec<usize>, Vec<UserId>) = page
        .iter()
        .enumerate()
        .filter(|(_, person)| bare(person))
        .map(|(at, person)| (at, UserId::Object(person.id)))
        .unzip();
    if ids.is_empty() {
        return Ok(page);
    }
    for (at, found) in places.into_iter().zip(resolve(directory, &ids).await?) {
        if let Resolved::Person(person) = found {
            page[at] = person;
        }
    }
    Ok(page)
}

/// Whether ids were compared as they are written although somebody could have been asked.
pub(super) fn impossible(resolution: &Resolution) -> Option<&str> {
    match resolution {
        Resolution::Impossible(why) => Some(why),
        Resolution::Full | Resolution::NotAsked => None,
    }
}
