//! What the rows of an export are about, as its columns show, because a GUID of something else is not a user.

use super::column_name::{ColumnName, NameMeaning};
use super::column_profile::ColumnProfile;

/// What a row may be about, other than a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowSubject {
    Device,
    Group,
    Application,
    /// An event or a record of a log.
    Event,
    Mailbox,
    /// An assignment of a role or a license.
    Assignment,
}

const DEVICE: &[&str] = &[
    "deviceid",
    "azureaddeviceid",
    "aaddeviceid",
    "entradeviceid",
    "manageddeviceid",
    "intunedeviceid",
    "devicename",
    "trusttype",
    "jointype",
    "jointypetrusttype",
    "devicetrusttype",
    "physicalids",
    "approximatelastsignindatetime",
    "approximatelastlogontimestamp",
    "isrooted",
    "deviceostype",
    "deviceosversion",
    "devicecategory",
    "serialnumber",
    "deviceserialnumber",
    "operatingsystem",
    "operatingsystemversion",
    "osversion",
    "deviceownership",
    "mdmdisplayname",
    "enrollmentprofilename",
    "imei",
    "compliancestate",
    "iscompliant",
    "managementagent",
    "deviceobjectid",
    "hostname",
    "computername",
    "devicedisplayname",
    "deviceregistrationstate",
    "registeredowners",
];

const GROUP: &[&str] = &[
    "grouptype",
    "grouptypes",
    "groupid",
    "groupname",
    "groupobjectid",
    "groupdisplayname",
    "membershiptype",
    "membershiprule",
    "membershipruleprocessingstate",
    "mailenabled",
    "securityenabled",
    "isassignabletorole",
    "resourceprovisioningoptions",
    "teamid",
    "teamname",
    "membercount",
    "groupemail",
    "groupmail",
    "groupprimaryemail",
    "groupmembercount",
    "managedby",
    "memberjoinrestriction",
    "groupvisibility",
    "teamsenabled",
    "siteurl",
    "siteid",
];

const APPLICATION: &[&str] = &[
    "appid",
    "applicationid",
    "appdisplayname",
    "applicationname",
    "serviceprincipalid",
    "serviceprincipaltype",
    "serviceprincipalname",
    "serviceprincipalnames",
    "serviceprincipalobjectid",
    "signinaudience",
    "publisherdomain",
    "appownerorganizationid",
    "appownertenantid",
    "replyurls",
    "identifieruris",
    "keycredentials",
    "passwordcredentials",
    "applicationobjectid",
    "approleid",
    "approleassignmentrequired",
    "clientappid",
    "applicationtype",
    "homepageurl",
];

const EVENT: &[&str] = &[
    "recordid",
    "recordtype",
    "auditdata",
    "correlationid",
    "requestid",
    "operation",
    "operations",
    "timegenerated",
    "timegeneratedutc",
    "resultindex",
    "activitydatetime",
    "activitydisplayname",
    "eventid",
    "eventtime",
    "loggedbyservice",
    "runspaceid",
    "originalrequestid",
    "uniquetokenidentifier",
    "reportid",
    "alertid",
    "incidentid",
    "actiontype",
    "creationtime",
    "auditeventid",
    "sessionid",
    "riskeventtype",
    "detectedby",
    "networkmessageid",
    "internetmessageid",
    "messageid",
    "messagetraceid",
    "riskdetectionid",
];

const MAILBOX: &[&str] = &[
    "exchangeguid",
    "archiveguid",
    "mailboxguid",
    "exchangeobjectid",
    "recipienttype",
    "recipienttypedetails",
    "mailboxtype",
    "mailboxtypedetail",
    "legacyexchangedn",
    "prohibitsendquota",
    "whenmailboxcreated",
    "mailboxplan",
    "isinactivemailbox",
    "archivestatus",
    "accessrights",
];

const ASSIGNMENT: &[&str] = &[
    "roledefinitionid",
    "roleassignmentid",
    "roledefinitionname",
    "directoryscopeid",
    "rolename",
    "assignmentid",
    "assignmenttype",
    "accessreviewid",
    "reviewid",
    "licenseassignmentid",
    "skuid",
];

/// What the rows are about according to the columns, each with the column that shows it. Logs have several.
pub(super) fn find_subjects(headers: &[ColumnName]) -> Vec<(RowSubject, usize)> {
    let all = [
        (RowSubject::Device, DEVICE),
        (RowSubject::Group, GROUP),
        (RowSubject::Application, APPLICATION),
        (RowSubject::Event, EVENT),
        (RowSubject::Mailbox, MAILBOX),
        (RowSubject::Assignment, ASSIGNMENT),
    ];
    let found = all.iter().filter_map(|(subject, names)| {
        let at = headers.iter().position(|header| names.contains(&header.normal.as_str()))?;
        Some((*subject, at))
    });
    found.collect()
}

impl RowSubject {
    /// The plural, for a message.
    pub(super) fn name(self) -> &'static str {
        match self {
            RowSubject::Device => "devices",
            RowSubject::Group => "groups",
            RowSubject::Application => "applications",
            RowSubject::Event => "events of a log",
            RowSubject::Mailbox => "mailboxes",
            RowSubject::Assignment => "assignments",
        }
    }

    /// Whether a column with this name and these cells may name users nevertheless.
    pub(super) fn allows_user_column(self, header: &ColumnName, cells: &ColumnProfile) -> bool {
        let is_user_id = match header.promise {
            NameMeaning::UserObjectId | NameMeaning::PrincipalName => true,
            _ => header.normal == "userid" || header.normal == "memberobjectidorupn",
        };
        if is_user_id {
            return true;
        }
        let guids = cells.holds_guids();
        match self {
            // In a sign-in log, which also has devices and applications, `Username` is the user.
            RowSubject::Device | RowSubject::Application => {
                !guids && matches!(header.promise, NameMeaning::SignInName | NameMeaning::SomePrincipalName)
            }
            RowSubject::Group => {
                let thing =
                    ["identity", "principal", "account", "accountname"].contains(&header.normal.as_str());
                let named =
                    matches!(header.promise, NameMeaning::SignInName | NameMeaning::SomePrincipalName);
                !guids && named && !thing
            }
            RowSubject::Event => {
                !guids && header.promise != NameMeaning::Nothing && header.normal != "identity"
            }
            RowSubject::Mailbox => !guids,
            RowSubject::Assignment => header.normal != "id" && header.normal != "identity",
        }
    }
}
