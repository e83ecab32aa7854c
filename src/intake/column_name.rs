//! What the name of a column says: of which sort its cells should be, and whether it speaks of somebody beside the user.

/// Names of columns that hold users' object ids and say so: nothing else is called like this.
const USER_OBJECT_IDS: &[&str] = &[
    "userobjectid",
    "aadobjectid",
    "azureadobjectid",
    "azureobjectid",
    "entraobjectid",
    "entraidobjectid",
    "microsoftentraobjectid",
    "accountobjectid",
    "externaldirectoryobjectid",
    "aaduserid",
    "azureaduserid",
    "azureuserid",
    "entrauserid",
    "entraiduserid",
    "memberobjectid",
    "userobjectguid",
];

/// Names of columns of object ids, which other directories and other objects use as well.
const OBJECT_IDS: &[&str] = &["objectid", "userid", "memberobjectidorupn"];

/// Names of the admin centers in other languages, each with its English one.
const TRANSLATED: &[(&str, &str)] = &[
    ("objektid", "objectid"),
    ("benutzerprinzipalname", "userprincipalname"),
    ("benutzerid", "userid"),
    ("benutzername", "username"),
    ("idobjet", "objectid"),
    ("iddobjet", "objectid"),
    ("iddelobjet", "objectid"),
    ("nomdutilisateurprincipal", "userprincipalname"),
    ("nomprincipaldelutilisateur", "userprincipalname"),
    ("nomdutilisateur", "username"),
    ("idobjeto", "objectid"),
    ("iddeobjeto", "objectid"),
    ("iddelobjeto", "objectid"),
    ("nombreprincipaldeusuario", "userprincipalname"),
    ("nombredeusuario", "username"),
    ("principalnaamvangebruiker", "userprincipalname"),
    ("gebruikersnaam", "username"),
    ("idoggetto", "objectid"),
    ("nomeprincipaleutente", "userprincipalname"),
    ("nomeutente", "username"),
];

/// Names that may be of anything; a bare `id` is last: in a log it is the id of the event.
const ANY_IDS: &[&str] = &["entraid", "memberid", "principalid", "id"];

/// Names of columns that hold user principal names and say so.
const PRINCIPAL_NAMES: &[&str] = &[
    "userprincipalname",
    "upn",
    "userupn",
    "accountupn",
    "principalname",
    "memberupn",
    "primaryuserupn",
    "userids",
];

/// Names of columns that may hold user principal names, the surest first.
const SIGN_IN_NAMES: &[&str] = &[
    "username",
    "user",
    "userlogin",
    "login",
    "loginname",
    "logonname",
    "signinname",
    "account",
    "accountname",
    "identity",
    "principal",
    "member",
    "memberprincipalname",
];

/// Names of columns that hold mail addresses, which often equal the user principal name, and not always.
const MAILS: &[&str] = &[
    "mail",
    "email",
    "mailaddress",
    "emailaddress",
    "usermail",
    "useremail",
    "workemail",
    "workmail",
    "primarysmtpaddress",
    "windowsemailaddress",
    "inviteeemail",
    "useremailaddress",
    "primaryemail",
];

/// Names of columns whose text is neither an id nor an address.
const TEXTS: &[&str] = &[
    "name",
    "displayname",
    "fullname",
    "firstname",
    "lastname",
    "givenname",
    "surname",
    "department",
    "dept",
    "title",
    "jobtitle",
    "note",
    "notes",
    "comment",
    "comments",
    "remark",
    "remarks",
    "phone",
    "city",
    "country",
    "office",
    "location",
    "company",
    "reason",
    "status",
    "vorname",
    "nachname",
    "abteilung",
    "bemerkung",
    "nom",
    "nombre",
    "naam",
    "afdeling",
];

/// Parts of names (without case and signs) that speak of another person than the user, or of another address.
const CONTRARY_PARTS: &[&str] = &[
    "manager",
    "owner",
    "approver",
    "supervisor",
    "backup",
    "private",
    "personal",
    "alternat",
    "secondary",
    "secondmail",
    "secondemail",
    "recovery",
    "delegate",
    "sponsor",
    "requester",
    "requestor",
    "reviewer",
    "initiat",
    "inviter",
    "creator",
    "assignee",
    "assigner",
    "reportingto",
    "reportsto",
    "reportto",
    "teamlead",
    "leader",
    "edby",
    "sender",
    "caller",
    "target",
    "assistant",
    "emergency",
    "contactperson",
    "forward",
    "othermail",
    "otheremail",
    "homemail",
    "homeemail",
    "externalemail",
    "externalmail",
    "onprem",
    "previous",
    "successor",
    "substitute",
    "deputy",
    "parent",
    "guardian",
    "spouse",
    "vorgesetz",
    "führungskraft",
    "fuehrungskraft",
    "genehmig",
    "besitzer",
    "eigentümer",
    "eigentuemer",
    "verantwortlich",
    "vertret",
    "privat",
    "berichtetan",
    "responsab",
    "supérieur",
    "superieur",
    "gestionnaire",
    "propriétaire",
    "proprietaire",
    "approbateur",
    "personnel",
    "leidinggevende",
    "eigenaar",
    "goedkeurder",
    "vervang",
    "propietario",
    "aprobador",
    "administrator",
    "admin",
    "amministrator",
    "technician",
    "technicien",
    "techniker",
    "analyst",
    "investigator",
    "reporter",
    "submitter",
    "operator",
    "organizer",
    "organiser",
    "handler",
    "custodian",
    "notif",
    "escalat",
    "nextofkin",
    "dottedline",
    "replacement",
    "remplaçant",
    "remplacant",
    "suppléant",
    "suppleant",
    "predecessor",
    "nachfolg",
    "vorgänger",
    "vorgaenger",
    "betreuer",
    "bearbeiter",
    "auftraggeber",
    "secretary",
    "recipient",
];

/// Whole words of names that do the same.
const CONTRARY_WORDS: &[&str] = &[
    "boss",
    "lead",
    "head",
    "chef",
    "jefe",
    "capo",
    "chefe",
    "gerente",
    "gestor",
    "proprietario",
    "approvatore",
    "aprovador",
    "respaldo",
    "reserve",
    "by",
    "par",
    "von",
    "por",
    "door",
    "cc",
    "bcc",
    "from",
    "reply",
    "home",
    "old",
    "hr",
    "superior",
    "privé",
    "prive",
    "beheerder",
    "chief",
    "mgr",
    "mentor",
    "coach",
    "actor",
    "author",
    "former",
    "initiator",
    "director",
    "teamleiter",
    "teamleitung",
    "coordinator",
    "koordinator",
    "hrbp",
    "ansprechpartner",
    "sachbearbeiter",
    "contact",
    "kontakt",
    "buddy",
    "assigned",
    "agent",
    "editor",
    "editors",
    "host",
    "hosts",
    "mentors",
    "buddies",
    "coordinators",
    "contacts",
    "actors",
    "kin",
];

/// Those of both that often stand over something else than people: `Host`, `Is admin`, `Notify`. Text below them is no sign that
/// the cells of a row have moved.
const OFTEN_TEXT: &[&str] = &[
    "agent",
    "administrator",
    "admin",
    "operator",
    "recipient",
    "notif",
    "escalat",
    "replacement",
    "editor",
    "host",
    "hosts",
];

/// The properties that Microsoft's own exports write in brackets behind a column's name: Entra's bulk templates.
const PROPERTIES: &[&str] = &["userprincipalname", "memberobjectidorupn", "objectid", "inviteeemail"];

/// What people and products write in brackets that says nothing of what a cell means.
const QUALIFIERS: &[&str] = &["required", "optional", "readonly", "utc", "local", "mustbeunique"];

/// What a column's name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ColumnPromise {
    /// A user's object id, and nothing else.
    UserObjectId,
    /// An object id, or the id of a user elsewhere.
    ObjectId,
    /// An id of anything.
    AnyId,
    /// A user principal name.
    PrincipalName,
    /// A name to sign in with.
    SignInName,
    /// Something that calls itself a user principal name among other words: `Employee UPN`.
    SomePrincipalName,
    /// A mail address.
    Mail,
    /// Something that calls itself a mail address among other words.
    SomeMail,
    /// Nothing that is known.
    Nothing,
}

/// A column's name, understood.
#[derive(Debug, Clone)]
pub(super) struct ColumnName {
    /// The name without case, spaces and signs; of `Table[Column]` the column.
    pub(super) normal: String,
    pub(super) promise: ColumnPromise,
    /// How far behind its name stands among those of the same promise.
    pub(super) rank: usize,
    /// The word that speaks against it.
    pub(super) contrary_word: Option<&'static str>,
    /// The table, where Power BI writes `Table[Column]`.
    pub(super) table: Option<String>,
    /// Whether something stands in brackets that no export of Microsoft's writes there.
    pub(super) is_bracketed: bool,
}

impl ColumnName {
    pub(super) fn new(name: &str) -> ColumnName {
        let parts = NameParts::from_name(name);
        let normal = match parts.property {
            Some(property) => property.clone(),
            None => to_english(normalize(parts.base)),
        };
        let against = find_contrary_word(parts.base).or_else(|| parts.table.and_then(find_contrary_word));
        let (promise, rank) = classify(&normal);
        ColumnName {
            normal,
            promise,
            rank,
            contrary_word: against.filter(|_| !matches!(promise, ColumnPromise::UserObjectId)),
            table: parts.table.map(normalize),
            is_bracketed: parts.is_bracketed,
        }
    }

    /// Whether the name is one that this program knows to hold user ids.
    pub(super) fn is_known(&self) -> bool {
        !matches!(
            self.promise,
            ColumnPromise::SomePrincipalName | ColumnPromise::SomeMail | ColumnPromise::Nothing
        )
    }

    /// Whether the cells below should be ids of people: the user's, or somebody else's.
    pub(super) fn promises_people(&self) -> bool {
        self.promise != ColumnPromise::Nothing || self.contrary_word.is_some()
    }

    /// Whether the cells below should be ids of people rather than anything else.
    pub(super) fn is_mostly_people(&self) -> bool {
        self.promise != ColumnPromise::Nothing
            || self.contrary_word.is_some_and(|word| !OFTEN_TEXT.contains(&word))
    }

    /// Whether the name is nothing but a word for another person than the user.
    pub(super) fn names_another_person(&self) -> bool {
        let name = self.normal.as_str();
        CONTRARY_PARTS.contains(&name) || CONTRARY_WORDS.contains(&name)
    }

    /// Whether the cells below should be plain text.
    pub(super) fn promises_text(&self) -> bool {
        TEXTS.contains(&self.normal.as_str())
    }
}

struct NameParts<'a> {
    base: &'a str,
    table: Option<&'a str>,
    property: Option<String>,
    is_bracketed: bool,
}

impl<'a> NameParts<'a> {
    fn from_name(name: &'a str) -> NameParts<'a> {
        let name = super::cell::trim(name);
        let plain_name = NameParts { base: name, table: None, property: None, is_bracketed: false };
        let Some((before, rest)) = name.split_once('[') else { return plain_name };
        let Some((inner, after)) = rest.split_once(']') else { return plain_name };
        let inside = normalize(inner);
        if before.is_empty() {
            return NameParts { base: inner, ..plain_name };
        }
        if after.trim().is_empty() && !before.ends_with(char::is_whitespace) {
            return NameParts { base: inner, table: Some(before), ..plain_name };
        }
        // The property never overrides a word before it that speaks against the column.
        let is_property = PROPERTIES.contains(&inside.as_str()) && find_contrary_word(before).is_none();
        let is_bracketed = !is_property && !QUALIFIERS.contains(&inside.as_str());
        NameParts { base: before, table: None, property: is_property.then_some(inside), is_bracketed }
    }
}

/// The text without case, spaces and signs.
pub(super) fn normalize(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The English name of a column, where that of another language is known.
fn to_english(name: String) -> String {
    let english =
        TRANSLATED.iter().find(|(foreign, _)| *foreign == name).map(|(_, english)| (*english).to_owned());
    english.unwrap_or(name)
}

fn classify(normal: &str) -> (ColumnPromise, usize) {
    let known: [(ColumnPromise, &[&str]); 6] = [
        (ColumnPromise::UserObjectId, USER_OBJECT_IDS),
        (ColumnPromise::ObjectId, OBJECT_IDS),
        (ColumnPromise::AnyId, ANY_IDS),
        (ColumnPromise::PrincipalName, PRINCIPAL_NAMES),
        (ColumnPromise::SignInName, SIGN_IN_NAMES),
        (ColumnPromise::Mail, MAILS),
    ];
    let found = known
        .iter()
        .find_map(|(promise, names)| Some((*promise, names.iter().position(|name| *name == normal)?)));
    found.unwrap_or_else(|| {
        let has = |part: &str| normal.contains(part);
        if has("upn") || has("principalname") {
            (ColumnPromise::SomePrincipalName, 0)
        } else if has("mail") || has("smtp") {
            (ColumnPromise::SomeMail, 0)
        } else {
            (ColumnPromise::Nothing, 0)
        }
    })
}

/// The word in a name that speaks of another person or another address than the user's own.
fn find_contrary_word(name: &str) -> Option<&'static str> {
    let squeezed = normalize(name);
    let words = words(name);
    let part = CONTRARY_PARTS.iter().find(|part| squeezed.contains(*part));
    part.or_else(|| CONTRARY_WORDS.iter().find(|word| words.iter().any(|other| other == *word))).copied()
}

/// The words of a name: `ManagerUPN_2` is `manager`, `upn`, `2`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let starts = c.is_uppercase() && before.is_lowercase();
        if starts || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_properties_only_where_microsoft_writes_them() {
        let template = ColumnName::new("User name [userPrincipalName] Required");
        assert_eq!((template.promise, template.is_bracketed), (ColumnPromise::PrincipalName, false));
        let german = ColumnName::new("Benutzername [userPrincipalName] Erforderlich");
        assert_eq!(german.promise, ColumnPromise::PrincipalName);
        let manager = ColumnName::new("Manager [userPrincipalName]");
        assert_eq!((manager.promise, manager.contrary_word), (ColumnPromise::Nothing, Some("manager")));
        assert!(ColumnName::new("Sign-in [text]").is_bracketed);
        assert!(!ColumnName::new("Email Address [Required]").is_bracketed);
        let power = ColumnName::new("'Employee'[UPN]");
        assert_eq!((power.promise, power.table.as_deref()), (ColumnPromise::PrincipalName, Some("employee")));
        assert_eq!(ColumnName::new("[UPN]").promise, ColumnPromise::PrincipalName);
    }

    #[test]
    fn other_people_are_told_by_their_words() {
        for name in [
            "Manager",
            "ManagerUPN",
            "owner_upn",
            "Created By",
            "createdBy",
            "Assigned by",
            "Reporting To",
            "Line manager",
            "Backup UPN",
            "Private E-Mail",
            "Alternate Email",
            "Recovery Email",
            "Vorgesetzter (UPN)",
            "E-Mail privat",
            "Erstellt von",
            "Responsable",
            "Correo personal",
            "Leidinggevende",
            "Email - Home",
            "Créé par",
            "InitiatingProcessAccountUpn",
            "Target1UserPrincipalName",
            "ActorUserPrincipalName",
            "MailboxOwnerUPN",
            "onPremisesUserPrincipalName",
            "Approver[UPN]",
            "CC",
            "Administrator",
            "AdminUPN",
            "IT admin email",
            "Technician",
            "Analyst",
            "Investigator",
            "Reporter",
            "Submitter UPN",
            "LastEditor",
            "Operator",
            "Host",
            "Meeting host",
            "Notify",
            "Escalated to",
            "Next of Kin",
            "Next-of-kin e-mail",
            "Dotted Line",
            "Replacement",
            "Nachfolger",
            "Betreuer",
            "Sachbearbeiterin",
            "Auftraggeber",
            "Suppléant",
            "Supple\u{301}ant",
            "Remplaçante",
            "Remplac\u{327}ant",
            "Custodian",
            "Handler",
            "Resolved by",
            "Initiated by (actor)",
            "Delegate",
            "Deputy",
            "Secretary",
            "RecipientAddress",
        ] {
            assert!(ColumnName::new(name).contrary_word.is_some(), "{name}");
        }
        for name in [
            "UPN",
            "Email",
            "AccountUpn",
            "Kennung",
            "Primary user UPN",
            "Work Email",
            "Employee UPN",
            "Benutzer",
            "Contractor UPN",
            "Multifactor",
            "Hostname",
            "Guest UPN",
        ] {
            assert_eq!(ColumnName::new(name).contrary_word, None, "{name}");
        }
    }
}
