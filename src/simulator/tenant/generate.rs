//! Tenants made up from a seed: as mixed as real ones, and the same on every machine.
//!
//! Of a thousand: some 50 guests, 30 disabled, 600 synced; ten departments, each a group, all in "All staff"; two
//! groups in each other; two with one name; four Global Administrators, two of them emergency accounts.

use super::build::Builder;
use super::names::{DEPARTMENTS, FIRST, LAST, PARTNERS, PLACES, TITLES};
use super::settings::{Generate, GroupConfig, RoleConfig, ScopedConfig, UnitConfig};
use super::{Object, Risky, User};
use crate::simulator::fingerprint;

/// From so many users on two of them are emergency accounts.
const ENOUGH: u32 = 10;
/// How many report to one manager.
const SPAN: u32 = 8;

/// Fills an empty directory.
pub(super) fn fill(builder: &mut Builder, generate: Generate) {
    // Nothing below is listed twice or names what isn't there, which is all that a builder refuses.
    let _ = people(builder, generate).and_then(|()| order(builder));
}

type Done = Result<(), crate::simulator::config::ConfigError>;

fn people(builder: &mut Builder, generate: Generate) -> Done {
    let count = generate.users as usize;
    builder.tenant.users.reserve(count);
    builder.tenant.by_id.reserve(count);
    builder.tenant.by_upn.reserve(count);
    let emergency = if generate.users >= ENOUGH { 2 } else { 0 };
    for number in 1..=generate.users - emergency {
        let mut user = person(&builder.tenant.domain, number, generate.seed);
        // No guest is anybody's manager.
        user.manager = user.manager.map(|at| if builder.tenant.user_at(at).guest { 0 } else { at });
        builder.user(user)?;
    }
    for number in 1..=emergency {
        let upn = format!("emergency{number}@{}", builder.tenant.domain);
        let name = format!("Emergency access {number}").into();
        let id = fingerprint::guid(&upn);
        builder.user(User { id, name, upn: upn.into(), enabled: true, ..User::default() })?;
    }
    Ok(())
}

/// What chance decides of one user, a number for each question.
struct Lot(u64);

impl Lot {
    /// A number below `sides`.
    fn pick(&mut self, sides: usize) -> usize {
        self.0 = fingerprint::mix(self.0);
        usize::try_from(self.0 % sides as u64).unwrap_or_default()
    }

    fn percent(&mut self, share: usize) -> bool {
        self.pick(100) < share
    }
}

/// The user with this number, 1 and up. The first few are nobody's guest and can sign in: they hold the roles.
fn person(domain: &str, number: u32, seed: u64) -> User {
    let mut lot = Lot(fingerprint::mix(seed ^ fingerprint::mix(u64::from(number))));
    let (first, last) = (FIRST[lot.pick(FIRST.len())], LAST[lot.pick(LAST.len())]);
    let (country, city) = PLACES[lot.pick(PLACES.len())];
    let chief = number <= 8;
    let guest = lot.percent(5) && !chief;
    let user = User {
        name: format!("{first} {last}").into(),
        enabled: !lot.percent(3) || chief,
        country: Some(country.into()),
        city: Some(city.into()),
        job_title: Some(TITLES[lot.pick(TITLES.len())].into()),
        ..User::default()
    };
    if guest { invited(user, domain, number, &mut lot) } else { employed(user, domain, number, &mut lot) }
}

fn employed(user: User, domain: &str, number: u32, lot: &mut Lot) -> User {
    let upn = format!("user{number:05}@{domain}");
    let plain = plain(&user.name);
    let synced = lot.percent(60);
    // Those who were renamed, or whose mail has a domain of its own.
    let mail = if lot.percent(20) { format!("{plain}.{number}@mail.{domain}") } else { upn.clone() };
    let mut proxies = vec![format!("SMTP:{mail}").into()];
    if lot.percent(30) {
        proxies.push(format!("smtp:{plain}.{number}@{domain}").into());
    }
    User {
        id: fingerprint::guid(&upn),
        upn: upn.into(),
        synced,
        mail: (!lot.percent(5)).then(|| mail.into()),
        proxies: proxies.into(),
        sam: synced.then(|| format!("u{number:05}").into()),
        sam_domain: None,
        employee_id: Some(format!("E{number:06}").into()),
        department: Some(DEPARTMENTS[lot.pick(DEPARTMENTS.len())].into()),
        company: Some("Contoso".into()),
        // A tree: everybody's manager came before them.
        manager: (number > 1).then(|| (number - 2) / SPAN).filter(|_| lot.percent(95)),
        ..user
    }
}

fn invited(user: User, domain: &str, number: u32, lot: &mut Lot) -> User {
    let (partner, company) = PARTNERS[lot.pick(PARTNERS.len())];
    let local = format!("{}.{number}", plain(&user.name));
    let mail = format!("{local}@{partner}");
    let upn = format!("{local}_{partner}#EXT#@{domain}");
    let state = if lot.percent(80) { "Accepted" } else { "PendingAcceptance" };
    User {
        id: fingerprint::guid(&upn.to_lowercase()),
        upn: upn.into(),
        guest: true,
        other_mails: [mail.as_str().into()].into(),
        proxies: [format!("SMTP:{mail}").into()].into(),
        mail: Some(mail.into()),
        company: Some(company.into()),
        creation_type: Some("Invitation".into()),
        external_state: Some(state.into()),
        ..user
    }
}

/// A name as it can stand in an address: letters of ASCII only, in lower case.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_ascii_alphabetic() || *letter == ' ');
    letters.map(|letter| if letter == ' ' { '.' } else { letter.to_ascii_lowercase() }).collect()
}

/// Groups, roles, units, risks.
fn order(builder: &mut Builder) -> Done {
    let mut departments = Vec::new();
    for name in DEPARTMENTS {
        let group = named(builder, name)?;
        departments.push(Object::Group(group));
        builder.tenant.groups[group as usize].members =
            users(builder, |user| user.department.as_deref() == Some(name));
    }
    let staff = named(builder, "All staff")?;
    builder.tenant.groups[staff as usize].members = departments;
    let guests = named(builder, "All guests")?;
    builder.tenant.groups[guests as usize].members = users(builder, |user| user.guest);

    let (outer, inner) = (named(builder, "Circle A")?, named(builder, "Circle B")?);
    builder.tenant.groups[outer as usize].members = few(builder, 0, 5, Object::Group(inner));
    builder.tenant.groups[inner as usize].members = few(builder, 3, 5, Object::Group(outer));
    for start in [0, 2] {
        let project = named(builder, "Project X")?;
        let mut members = few(builder, start, 4, Object::Group(project));
        members.pop();
        builder.tenant.groups[project as usize].members = members;
    }
    let admins = builder.group(&GroupConfig {
        name: "Security team".into(),
        role_assignable: true,
        ..GroupConfig::default()
    })?;
    let mut members = few(builder, 6, 2, Object::Group(admins));
    members.pop();
    builder.tenant.groups[admins as usize].members = members;
    units(builder)?;
    roles(builder)?;
    risks(builder);
    Ok(())
}

fn named(builder: &mut Builder, name: &str) -> Result<u32, crate::simulator::config::ConfigError> {
    builder.group(&GroupConfig { name: name.into(), ..GroupConfig::default() })
}

fn users(builder: &Builder, wanted: impl Fn(&User) -> bool) -> Vec<Object> {
    let all = (0..).zip(&builder.tenant.users);
    all.filter(|(_, user)| wanted(user)).map(|(at, _)| Object::User(at)).collect()
}

/// So many users from `start` on, as far as there are any, and one thing more.
fn few(builder: &Builder, start: usize, count: usize, more: Object) -> Vec<Object> {
    users(builder, |_| true).into_iter().skip(start).take(count).chain([more]).collect()
}

fn units(builder: &mut Builder) -> Done {
    for (_, city) in PLACES {
        let unit = builder.unit(&UnitConfig { name: city.into(), ..UnitConfig::default() })?;
        builder.tenant.units[unit as usize].members =
            users(builder, |user| user.city.as_deref() == Some(city));
    }
    Ok(())
}

fn roles(builder: &mut Builder) -> Done {
    let upn = |number: usize| builder.tenant.users.get(number).map(|user| user.upn.to_string());
    let some = |numbers: &[usize]| numbers.iter().filter_map(|&number| upn(number)).collect::<Vec<_>>();
    let emergency = builder.tenant.users.iter().filter(|user| user.upn.starts_with("emergency"));
    let chiefs: Vec<_> =
        some(&[0, 1]).into_iter().chain(emergency.map(|user| user.upn.to_string())).collect();
    let held = |name: &str, active, eligible| RoleConfig {
        name: name.into(),
        active,
        eligible,
        ..RoleConfig::default()
    };
    let local = some(&[5]).into_iter().map(|who| ScopedConfig { who, unit: PLACES[0].1.into() }).collect();
    let roles = [
        held("Global Administrator", chiefs, some(&[2])),
        RoleConfig { scoped: local, ..held("User Administrator", some(&[3]), some(&[4])) },
        held("Helpdesk Administrator", some(&[4, 5]), Vec::new()),
        held("Security Reader", vec!["group:Security team".into()], Vec::new()),
    ];
    roles.iter().try_for_each(|role| builder.role(role))
}

/// One in a hundred, at least one of each level as far as there are users.
fn risks(builder: &mut Builder) {
    let count = builder.tenant.users.len();
    let risky = (count / 100).max(3).min(count);
    let levels =
        [("high", "atRisk"), ("medium", "atRisk"), ("low", "atRisk"), ("high", "confirmedCompromised")];
    for number in 0..risky {
        let (level, state) = levels[number % levels.len()];
        let user = u32::try_from(number * (count / risky)).unwrap_or_default();
        builder.tenant.risky.push(Risky { user, level: level.into(), state: state.into() });
    }
}
