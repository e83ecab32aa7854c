//! Generates a tenant from a seed. It is as mixed as a real one, and the same on every machine.
//!
//! Of a thousand users, about 50 are guests, 30 are disabled and 600 are synced. There are ten departments, each with a
//! group in "All staff", two groups that contain each other, two groups with the same name, and four Global
//! Administrators, of which two are emergency accounts.

use super::build::DirectoryBuilder;
use super::config::{AdminUnitConfig, GenerateConfig, GroupConfig, RoleConfig, ScopedRoleConfig};
use super::names::{CITIES, DEPARTMENTS, FAMILY_NAMES, FIRST_NAMES, PARTNERS, TITLES};
use super::{Object, RiskyUser, User};
use crate::simulator::fingerprint;

/// The number of users from which on two of them are emergency accounts.
const EMERGENCY_MIN_USERS: u32 = 10;
/// The number of reports for each manager.
const REPORTS_PER_MANAGER: u32 = 8;

/// Fills an empty directory.
pub(super) fn generate_into(builder: &mut DirectoryBuilder, generate: GenerateConfig) {
    // The builder only refuses duplicates and unknown names, and there are none below.
    let _ = add_users(builder, generate).and_then(|()| add_groups_and_roles(builder));
}

type BuildResult = Result<(), crate::simulator::config::ConfigError>;

fn add_users(builder: &mut DirectoryBuilder, generate: GenerateConfig) -> BuildResult {
    let count = generate.users as usize;
    builder.store.users.reserve(count);
    builder.store.by_id.reserve(count);
    builder.store.by_upn.reserve(count);
    let emergency = if generate.users >= EMERGENCY_MIN_USERS { 2 } else { 0 };
    for number in 1..=generate.users - emergency {
        let mut user = make_user(&builder.store.domain, number, generate.seed);
        // A guest is never a manager.
        user.manager = user.manager.map(|at| if builder.store.user_at(at).guest { 0 } else { at });
        builder.add_user(user)?;
    }
    for number in 1..=emergency {
        let upn = format!("emergency{number}@{}", builder.store.domain);
        let name = format!("Emergency access {number}").into();
        let id = fingerprint::guid(&upn);
        builder.add_user(User { id, name, upn: upn.into(), enabled: true, ..User::default() })?;
    }
    Ok(())
}

/// A random sequence for one user, with one number for each decision.
struct SeededRng(u64);

impl SeededRng {
    /// A number below `sides`.
    fn pick(&mut self, sides: usize) -> usize {
        self.0 = fingerprint::mix(self.0);
        usize::try_from(self.0 % sides as u64).unwrap_or_default()
    }

    fn has_chance(&mut self, share: usize) -> bool {
        self.pick(100) < share
    }
}

/// The user with this number, starting at 1. The first eight are enabled members, because they hold the roles.
fn make_user(domain: &str, number: u32, seed: u64) -> User {
    let mut rng = SeededRng(fingerprint::mix(seed ^ fingerprint::mix(u64::from(number))));
    let (first, last) =
        (FIRST_NAMES[rng.pick(FIRST_NAMES.len())], FAMILY_NAMES[rng.pick(FAMILY_NAMES.len())]);
    let (country, city) = CITIES[rng.pick(CITIES.len())];
    let chief = number <= 8;
    let guest = rng.has_chance(5) && !chief;
    let user = User {
        name: format!("{first} {last}").into(),
        enabled: !rng.has_chance(3) || chief,
        country: Some(country.into()),
        city: Some(city.into()),
        job_title: Some(TITLES[rng.pick(TITLES.len())].into()),
        ..User::default()
    };
    if guest {
        make_guest(user, domain, number, &mut rng)
    } else {
        make_employee(user, domain, number, &mut rng)
    }
}

fn make_employee(user: User, domain: &str, number: u32, rng: &mut SeededRng) -> User {
    let upn = format!("user{number:05}@{domain}");
    let plain = mail_local_part(&user.name);
    let synced = rng.has_chance(60);
    // Users who were renamed, or whose mail has another domain.
    let mail = if rng.has_chance(20) { format!("{plain}.{number}@mail.{domain}") } else { upn.clone() };
    let mut proxies = vec![format!("SMTP:{mail}").into()];
    if rng.has_chance(30) {
        proxies.push(format!("smtp:{plain}.{number}@{domain}").into());
    }
    User {
        id: fingerprint::guid(&upn),
        upn: upn.into(),
        synced,
        mail: (!rng.has_chance(5)).then(|| mail.into()),
        proxies: proxies.into(),
        sam: synced.then(|| format!("u{number:05}").into()),
        sam_domain: None,
        employee_id: Some(format!("E{number:06}").into()),
        department: Some(DEPARTMENTS[rng.pick(DEPARTMENTS.len())].into()),
        company: Some("Contoso".into()),
        // A tree, because every manager has a lower number.
        manager: (number > 1).then(|| (number - 2) / REPORTS_PER_MANAGER).filter(|_| rng.has_chance(95)),
        ..user
    }
}

fn make_guest(user: User, domain: &str, number: u32, rng: &mut SeededRng) -> User {
    let (partner, company) = PARTNERS[rng.pick(PARTNERS.len())];
    let local = format!("{}.{number}", mail_local_part(&user.name));
    let mail = format!("{local}@{partner}");
    let upn = format!("{local}_{partner}#EXT#@{domain}");
    let state = if rng.has_chance(80) { "Accepted" } else { "PendingAcceptance" };
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

/// A name in the form that an address needs: ASCII letters in lower case.
fn mail_local_part(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_ascii_alphabetic() || *letter == ' ');
    letters.map(|letter| if letter == ' ' { '.' } else { letter.to_ascii_lowercase() }).collect()
}

/// Groups, roles, units, risks.
fn add_groups_and_roles(builder: &mut DirectoryBuilder) -> BuildResult {
    let mut departments = Vec::new();
    for name in DEPARTMENTS {
        let group = add_named_group(builder, name)?;
        departments.push(Object::Group(group));
        builder.store.groups[group as usize].members =
            select_users(builder, |user| user.department.as_deref() == Some(name));
    }
    let staff = add_named_group(builder, "All staff")?;
    builder.store.groups[staff as usize].members = departments;
    let guests = add_named_group(builder, "All guests")?;
    builder.store.groups[guests as usize].members = select_users(builder, |user| user.guest);

    let (outer, inner) = (add_named_group(builder, "Circle A")?, add_named_group(builder, "Circle B")?);
    builder.store.groups[outer as usize].members = user_range(builder, 0, 5, Object::Group(inner));
    builder.store.groups[inner as usize].members = user_range(builder, 3, 5, Object::Group(outer));
    for start in [0, 2] {
        let project = add_named_group(builder, "Project X")?;
        let mut members = user_range(builder, start, 4, Object::Group(project));
        members.pop();
        builder.store.groups[project as usize].members = members;
    }
    let admins = builder.add_group(&GroupConfig {
        name: "Security team".into(),
        role_assignable: true,
        ..GroupConfig::default()
    })?;
    let mut members = user_range(builder, 6, 2, Object::Group(admins));
    members.pop();
    builder.store.groups[admins as usize].members = members;
    add_units(builder)?;
    add_roles(builder)?;
    add_risky_users(builder);
    Ok(())
}

fn add_named_group(
    builder: &mut DirectoryBuilder,
    name: &str,
) -> Result<u32, crate::simulator::config::ConfigError> {
    builder.add_group(&GroupConfig { name: name.into(), ..GroupConfig::default() })
}

fn select_users(builder: &DirectoryBuilder, wanted: impl Fn(&User) -> bool) -> Vec<Object> {
    let all = (0..).zip(&builder.store.users);
    all.filter(|(_, user)| wanted(user)).map(|(at, _)| Object::User(at)).collect()
}

/// Up to `count` users from `start` on, and the object `more`.
fn user_range(builder: &DirectoryBuilder, start: usize, count: usize, more: Object) -> Vec<Object> {
    select_users(builder, |_| true).into_iter().skip(start).take(count).chain([more]).collect()
}

fn add_units(builder: &mut DirectoryBuilder) -> BuildResult {
    for (_, city) in CITIES {
        let unit = builder.add_unit(&AdminUnitConfig { name: city.into(), ..AdminUnitConfig::default() })?;
        builder.store.units[unit as usize].members =
            select_users(builder, |user| user.city.as_deref() == Some(city));
    }
    Ok(())
}

fn add_roles(builder: &mut DirectoryBuilder) -> BuildResult {
    let upn = |number: usize| builder.store.users.get(number).map(|user| user.upn.to_string());
    let some = |numbers: &[usize]| numbers.iter().filter_map(|&number| upn(number)).collect::<Vec<_>>();
    let emergency = builder.store.users.iter().filter(|user| user.upn.starts_with("emergency"));
    let chiefs: Vec<_> =
        some(&[0, 1]).into_iter().chain(emergency.map(|user| user.upn.to_string())).collect();
    let held = |name: &str, active, eligible| RoleConfig {
        name: name.into(),
        active,
        eligible,
        ..RoleConfig::default()
    };
    let local =
        some(&[5]).into_iter().map(|who| ScopedRoleConfig { who, unit: CITIES[0].1.into() }).collect();
    let roles = [
        held("Global Administrator", chiefs, some(&[2])),
        RoleConfig { scoped: local, ..held("User Administrator", some(&[3]), some(&[4])) },
        held("Helpdesk Administrator", some(&[4, 5]), Vec::new()),
        held("Security Reader", vec!["group:Security team".into()], Vec::new()),
    ];
    roles.iter().try_for_each(|role| builder.add_role(role))
}

/// One user in a hundred is at risk, at least one at each level if there are enough users.
fn add_risky_users(builder: &mut DirectoryBuilder) {
    let count = builder.store.users.len();
    let risky = (count / 100).max(3).min(count);
    let levels =
        [("high", "atRisk"), ("medium", "atRisk"), ("low", "atRisk"), ("high", "confirmedCompromised")];
    for number in 0..risky {
        let (level, state) = levels[number % levels.len()];
        let user = u32::try_from(number * (count / risky)).unwrap_or_default();
        builder.store.risky.push(RiskyUser { user, level: level.into(), state: state.into() });
    }
}
