//! What the name of a column promises about its cells, and whether it means another person than the user.

/// Names that are used only for columns of users' object IDs.
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

/// Names for columns of object IDs that other directories and other objects also use.
const OBJECT_IDS: &[&str] = &["objectid", "userid", "memberobjectidorupn"];

/// Names from the admin centers in other languages, each with the English name.
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

/// Names that may mean anything. A bare `id` is last, because in a log it is the ID of the event.
const ANY_IDS: &[&str] = &["entraid", "memberid", "principalid", "id"];

/// Names that are used only for columns of user principal names.
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

/// Names of columns that may have user principal names, the most certain first.
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

/// Names of columns of mail addresses, which are often, but not always, the user principal name.
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

/// Names of columns whose text is neither an ID nor an address.
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

/// Parts of names (without case and punctuation) that mean another person than the user, or another address.
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

/// Whole words of names that mean the same.
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

/// Words of both lists that are often used for something other than people: `Host`, `Is admin`, `Notify`. Text in such
/// a column is not a sign that the cells of a row have shifted.
const AMBIGUOUS_CONTRARY_WORDS: &[&str] = &[
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

/// The properties that Entra's bulk templates have in brackets after a column's name.
const PROPERTIES: &[&str] = &["userprincipalname", "memberobjectidorupn", "objectid", "inviteeemail"];

/// Words in brackets that say nothing about the meaning of a cell.
const QUALIFIERS: &[&str] = &["required", "optional", "readonly", "utc", "local", "mustbeunique"];

/// What a column's name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NameMeaning {
    /// A user's object ID, and nothing else.
    UserObjectId,
    /// An object ID, or the ID of a user elsewhere.
    ObjectId,
    /// An ID of anything.
    AnyId,
    /// A user principal name.
    PrincipalName,
    /// A name to sign in with.
    SignInName,
    /// A user principal name by one of several words: `Employee UPN`.
    SomePrincipalName,
    /// A mail address.
    Mail,
    /// A mail address by one of several words.
    SomeMail,
    /// Nothing known.
    Nothing,
}

/// The parsed name of a column.
#[derive(Debug, Clone)]
pub(super) struct ColumnName {
    /// The name without case, spaces and punctuation; for `Table[Column]`, of the column.
    pub(super) normal: String,
    pub(super) promise: NameMeaning,
    /// The position of the name in the list of its promise, from 0.
    pub(super) rank: usize,
    /// The word that speaks against the column.
    pub(super) contrary_word: Option<&'static str>,
    /// The table, if Power BI wrote `Table[Column]`.
    pub(super) table: Option<String>,
    /// Whether the name has text in brackets that exports by Microsoft don't have.
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
            contrary_word: against.filter(|_| !matches!(promise, NameMeaning::UserObjectId)),
            table: parts.table.map(normalize),
            is_bracketed: parts.is_bracketed,
        }
    }

    /// Whether the name is known as one for columns of user IDs.
    pub(super) fn is_known(&self) -> bool {
        !matches!(self.promise, NameMeaning::SomePrincipalName | NameMeaning::SomeMail | NameMeaning::Nothing)
    }

    /// Whether the column should have IDs of people: of the user, or of another person.
    pub(super) fn promises_people(&self) -> bool {
        self.promise != NameMeaning::Nothing || self.contrary_word.is_some()
    }

    /// Whether the column should have IDs of people rather than anything else.
    pub(super) fn is_mostly_people(&self) -> bool {
        self.promise != NameMeaning::Nothing
            || self.contrary_word.is_some_and(|word| !AMBIGUOUS_CONTRARY_WORDS.contains(&word))
    }

    /// Whether the name is only a word for another person than the user.
    pub(super) fn names_another_person(&self) -> bool {
        let name = self.normal.as_str();
        CONTRARY_PARTS.contains(&name) || CONTRARY_WORDS.contains(&name)
    }

    /// Whether the column should have plain text.
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

/// The text without case, spaces and punctuation.
pub(super) fn normalize(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The English name of a column, if its name in another language is known.
fn to_english(name: String) -> String {
    let english =
        TRANSLATED.iter().find(|(foreign, _)| *foreign == name).map(|(_, english)| (*english).to_owned());
    english.unwrap_or(name)
}

fn classify(normal: &str) -> (NameMeaning, usize) {
    let known: [(NameMeaning, &[&str]); 6] = [
        (NameMeaning::UserObjectId, USER_OBJECT_IDS),
        (NameMeaning::ObjectId, OBJECT_IDS),
        (NameMeaning::AnyId, ANY_IDS),
        (NameMeaning::PrincipalName, PRINCIPAL_NAMES),
        (NameMeaning::SignInName, SIGN_IN_NAMES),
        (NameMeaning::Mail, MAILS),
    ];
    let found = known
        .iter()
        .find_map(|(promise, names)| Some((*promise, names.iter().position(|name| *name == normal)?)));
    found.unwrap_or_else(|| {
        let has = |part: &str| normal.contains(part);
        if has("upn") || has("principalname") {
            (NameMeaning::SomePrincipalName, 0)
        } else if has("mail") || has("smtp") {
            (NameMeaning::SomeMail, 0)
        } else {
            (NameMeaning::Nothing, 0)
        }
    })
}

/// The word in a name that means another person than the user, or another address.
fn find_contrary_word(name: &str) -> Option<&'static str> {
    let squeezed = normalize(name);
    let words = split_words(name);
    let part = CONTRARY_PARTS.iter().find(|part| squeezed.contains(*part));
    part.or_else(|| CONTRARY_WORDS.iter().find(|word| words.iter().any(|other| other == *word))).copied()
}

/// The words of a name: `ManagerUPN_2` is `manager`, `upn`, `2`.
fn split_words(name: &str) -> Vec<String> {
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
        assert_eq!((template.promise, template.is_bracketed), (NameMeaning::PrincipalName, false));
        let german = ColumnName::new("Benutzername [userPrincipalName] Erforderlich");
        assert_eq!(german.promise, NameMeaning::PrincipalName);
        let manager = ColumnName::new("Manager [userPrincipalName]");
        assert_eq!((manager.promise, manager.contrary_word), (NameMeaning::Nothing, Some("manager")));
        assert!(ColumnName::new("Sign-in [text]").is_bracketed);
        assert!(!ColumnName::new("Email Address [Required]").is_bracketed);
        let power = ColumnName::new("'Employee'[UPN]");
        assert_eq!((power.promise, power.table.as_deref()), (NameMeaning::PrincipalName, Some("employee")));
        assert_eq!(ColumnName::new("[UPN]").promise, NameMeaning::PrincipalName);
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
