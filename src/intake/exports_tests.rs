//! Exports as products write them, with made-up people: which column is used, or why the file is refused.
//! `docs/inputs.md` says the same.

use std::io;

use super::source_reader::from_reader;
use super::*;

/// Opens the text; the column of IDs, or the error.
fn column(text: &str) -> Result<String, String> {
    let options = IntakeOptions::default();
    // `G1` to `G9` are GUIDs, and `H1` to `H9` are 32 hexadecimal digits.
    let mut text = text.to_owned();
    for n in 1..10 {
        text = text.replace(&format!("G{n}"), &format!("9f4c1a2b-0000-4000-8000-00000000000{n}"));
        text = text.replace(&format!("H{n}"), &format!("FE7CC8C15246EDCCA289C9A4022762F{n}"));
    }
    let opened = from_reader("f".into(), Box::new(io::Cursor::new(text.into_bytes())), &options);
    let intake = Intake::new(opened.map_err(|error| error.to_string())?, &options);
    let intake = intake.map_err(|error| error.to_string())?;
    Ok(intake.id_columns()[0].clone().unwrap_or_default())
}

#[track_caller]
fn assert_column(product: &str, text: &str, expected: &str) {
    assert_eq!(column(text).as_deref(), Ok(expected), "{product}");
}

#[track_caller]
fn assert_refused(product: &str, text: &str, words: &[&str]) {
    let error = column(text).expect_err(product);
    for word in words {
        assert!(error.contains(word), "{product}: {word}: {error}");
    }
    assert!(error.contains("--column") || error.contains("concealed"), "{product}: {error}");
}

#[test]
fn exports_of_users_and_members() {
    assert_column(
        "Entra, users",
        "userPrincipalName,displayName,surname,mail,givenName,id,userType,jobTitle,department,accountEnabled\n\
         ann@c.example,Ann Lee,Lee,ann.lee@c.example,Ann,G1,Member,,HR,true\n\
         b_x.de#EXT#@c.example,Bob,Roe,b@x.de,Bob,G2,Guest,,,true\n",
        "id",
    );
    assert_column(
        "Entra, members of a group",
        "id,userPrincipalName,displayName,objectType,userType,isUser,isGroup,isGuest\n\
         G1,ann@c.example,Ann,User,UserMember,True,False,False\nG2,,Staff,Group,,False,True,False\n",
        "id",
    );
    assert_column("Get-MgGroupMember", "Id,DeletedDateTime\nG1,\nG2,\n", "Id");
    assert_column(
        "Get-MgUser",
        "DisplayName,Id,Mail,UserPrincipalName\nAnn,G1,al@c.example,ann@c.example\n",
        "Id",
    );
    assert_column(
        "Microsoft 365 admin center, active users",
        "Block credential,Display name,First name,Last name,Object Id,Proxy addresses,Title,User principal \
         name\n\
         False,Ann,Ann,Lee,G1,SMTP:ann@c.example+smtp:al@c.example,,ann@c.example\n",
        "Object Id",
    );
    assert_column(
        "Microsoft 365 admin center, in German",
        "Anzeigename;Objekt-ID;Benutzerprinzipalname;Vorgesetzter\nAnn;G1;ann@c.example;boss@c.example\n",
        "Objekt-ID",
    );
    assert_column(
        "Microsoft 365 admin center, in French",
        "Nom d'affichage;Nom d'utilisateur principal;Responsable\nAnn;ann@c.example;boss@c.example\n",
        "Nom d'utilisateur principal",
    );
    assert_column(
        "Entra bulk template, members",
        "version:v1.0\nMember object ID or user principal name [memberObjectIdOrUpn] \
         Required\nann@c.example\nG1\n",
        "Member object ID or user principal name [memberObjectIdOrUpn] Required",
    );
    assert_column(
        "Entra bulk template, in German",
        "version:v1.0\nBenutzername [userPrincipalName] Erforderlich,Vorname [givenName]\nann@c.example,Ann\n",
        "Benutzername [userPrincipalName] Erforderlich",
    );
    assert_column(
        "Get-AzRoleAssignment",
        "RoleAssignmentId,DisplayName,SignInName,RoleDefinitionName,RoleDefinitionId,ObjectId,ObjectType\n\
         /x/G7,Ann,ann@c.example,Owner,G8,G1,User\n/x/G9,App,,Reader,G8,G2,ServicePrincipal\n",
        "ObjectId",
    );
    assert_column(
        "PIM, assignments",
        "Id,PrincipalId,PrincipalType,RoleDefinitionId,AssignmentType\nG7,G1,User,G8,Assigned\nG9,G2,Group,G8,Assigned\n",
        "PrincipalId",
    );
    assert_column(
        "Access review",
        "User Id,User principal name,Display name,Outcome,Reviewed by,Applied by\n\
         G1,ann@c.example,Ann,Denied,boss@c.example,boss@c.example\n",
        "User Id",
    );
    assert_column(
        "Risky users",
        "id,isDeleted,riskLevel,userDisplayName,userPrincipalName\nG1,False,high,Ann,ann@c.example\n",
        "id",
    );
}

#[test]
fn exports_of_logs() {
    assert_column(
        "Search-UnifiedAuditLog",
        "RunspaceId,RecordType,CreationDate,UserIds,Operations,AuditData,ResultIndex,Identity\n\
         G9,AzureActiveDirectory,2026-11-20,ann@c.example,UserLoggedIn,{},1,G1\n\
         G9,AzureActiveDirectory,2026-11-20,ann@c.example,UserLoggedIn,{},2,G2\n",
        "UserIds",
    );
    assert_column(
        "Purview, audit search",
        "RecordId,CreationDate,RecordType,Operation,UserId,AuditData\nG1,2026-11-20,15,UserLoggedIn,ann@c.example,{}\n",
        "UserId",
    );
    assert_column(
        "Unified audit log, flattened",
        "CreationTime,Id,Operation,OrganizationId,RecordType,UserKey,Workload,ObjectId,UserId\n\
         2026,G1,UserLoggedIn,G9,15,10,AAD,G8,ann@c.example\n2026,G2,UserLoggedIn,G9,15,11,AAD,G8,bob@c.example\n",
        "UserId",
    );
    assert_column(
        "Entra, sign-ins from the portal",
        "Date (UTC),Request ID,User agent,Correlation ID,User ID,User,Username,User \
         type,Application,Application ID,Device ID,\
         Operating System,Sign-in identifier\n\
         2026,G7,Edge,G8,G1,Ann,ann@c.example,Member,Teams,G9,,Windows,ann.alias@c.example\n",
        "User ID",
    );
    assert_column(
        "Sign-ins with names only",
        "CreatedDateTime,Username,AppId,DeviceId,CorrelationId\n2026,ann@c.example,G7,G8,G9\n",
        "Username",
    );
    assert_column(
        "Log Analytics, SigninLogs",
        "TenantId,TimeGenerated [UTC],Id,CorrelationId,ResourceId,ServicePrincipalId,UserDisplayName,UserId,UserPrincipalName,\
         AlternateSignInName,AADTenantId\n\
         G9,2026,G5,G6,/t,,Ann,G1,ann@c.example,al@c.example,G8\nG9,2026,G7,G6,/t,,Ann,G1,ann@c.example,,G8\n",
        "UserId",
    );
    assert_column(
        "Events with an id of their own",
        "id,userPrincipalName,createdDateTime\nG1,ann@c.example,1\nG2,ann@c.example,2\nG3,ann@c.example,3\nG4,bob@c.example,4\n",
        "userPrincipalName",
    );
    assert_column(
        "Defender XDR, DeviceLogonEvents",
        "Timestamp,DeviceId,DeviceName,ActionType,AccountName,AccountSid,InitiatingProcessAccountUpn,\
         InitiatingProcessAccountObjectId,AccountUpn,AccountObjectId,ReportId\n\
         2026,H1,pc,Logon,ann,S-1,svc@c.example,G9,ann@c.example,G1,1\n",
        "AccountObjectId",
    );
    assert_refused(
        "Defender XDR, only the initiating process",
        "Timestamp,DeviceId,InitiatingProcessAccountUpn\n2026,H1,svc@c.example\n",
        &["`DeviceId`"],
    );
    assert_refused(
        "Entra, audit log: who did it, and to whom",
        "Date (UTC),CorrelationId,Activity,ActorObjectId,ActorUserPrincipalName,Target1ObjectId,Target1UserPrincipalName\n\
         2026,G9,Reset password,G1,admin@c.example,G2,ann@c.example\n",
        &["`CorrelationId`"],
    );
    assert_refused(
        "Service principals that signed in",
        "Id,ServicePrincipalId,AppId,CorrelationId\nG1,G2,G3,G4\n",
        &[],
    );
    assert_column(
        "Risk detections",
        "id,requestId,correlationId,riskEventType,userId,userPrincipalName\nG1,G2,G3,x,G4,ann@c.example\n",
        "userId",
    );
}

#[test]
fn exports_of_other_things() {
    assert_refused(
        "Entra, devices",
        "displayName,operatingSystem,joinType (trustType),registeredOwners,userNames,deviceId,objectId,profileType\n\
         LT-1,Windows,Microsoft Entra joined,Ann Lee,ann@c.example,G1,G2,RegisteredDevice\n",
        &["devices"],
    );
    assert_refused("Get-MgDevice", "Id,DeviceId,DisplayName,TrustType\nG1,G2,LT-1,AzureAd\n", &["devices"]);
    assert_column(
        "Intune, devices",
        "Device ID,Device name,Managed by,OS,Azure AD Device ID,Primary user UPN,Primary user email address\n\
         G1,LT-1,Intune,Windows,G2,ann@c.example,al@c.example\n",
        "Primary user UPN",
    );
    assert_column(
        "Graph, managedDevices",
        "id,userId,deviceName,azureADDeviceId,emailAddress,userPrincipalName\nG1,G2,LT-1,G3,al@c.example,ann@c.example\n",
        "userId",
    );
    assert_refused(
        "Get-MgGroup",
        "Id,DisplayName,GroupTypes,Mail,MailEnabled,SecurityEnabled\nG1,Staff,Unified,staff@c.example,True,False\n",
        &["groups"],
    );
    assert_refused(
        "Entra, groups",
        "displayName,groupType,membershipType,id,mail\nStaff,M365,Assigned,G1,s@c.example\n",
        &[],
    );
    assert_column(
        "Teams, members of all teams",
        "TeamId,TeamName,UserId,User,Role\nG9,Staff,G1,ann@c.example,Member\nG9,Staff,G2,bob@c.example,Owner\n",
        "UserId",
    );
    assert_refused(
        "App registrations",
        "DisplayName,AppId,Id,SignInAudience\nApp,G1,G2,AzureADMyOrg\n",
        &["applications"],
    );
    assert_refused(
        "Service principals",
        "id,appId,servicePrincipalType,objectId\nG1,G2,Application,G1\n",
        &["applications"],
    );
    assert_column(
        "Get-Mailbox",
        "Identity,Id,Alias,ExchangeGuid,Guid,ExternalDirectoryObjectId,PrimarySmtpAddress,WindowsEmailAddress,\
         RecipientTypeDetails,UserPrincipalName\n\
         G7,ann,ann,G8,G9,G1,al@c.example,al@c.example,UserMailbox,ann@c.example\n",
        "ExternalDirectoryObjectId",
    );
    assert_column(
        "Get-Mailbox, without object ids",
        "Identity,ExchangeGuid,Guid,UserPrincipalName,PrimarySmtpAddress\nG7,G8,G9,ann@c.example,al@c.example\n",
        "UserPrincipalName",
    );
    assert_refused(
        "Get-MailboxStatistics",
        "DisplayName,MailboxGuid,Identity,ItemCount\nAnn,G1,G2,7\n",
        &["mailboxes"],
    );
}

#[test]
fn reports_with_concealed_names() {
    for header in ["User Principal Name", "Owner Principal Name", "User Name"] {
        let error = column(&format!(
            "Report Refresh Date,{header},Display Name\n2026-11-01,H1,H2\n2026-11-01,H3,H4\n"
        ));
        let error = error.expect_err(header);
        assert!(
            error.contains("concealed") && error.contains("Org settings > Services > Reports"),
            "{error}"
        );
    }
    assert_column(
        "Usage report",
        "Report Refresh Date,User Principal Name,Display Name,Is Deleted\n2026-11-01,ann@c.example,Ann,False\n",
        "User Principal Name",
    );
}

#[test]
fn exports_of_people_from_other_products() {
    assert_refused(
        "BambooHR",
        "Employee #,First name,Email,Work Email\n1,Ann,ann@p.example,ann@c.example\n2,Bob,bob@p.example,bob@c.example\n",
        &["`Email` or `Work Email`"],
    );
    assert_column(
        "Workday",
        "Employee ID,Worker,Email - Primary Work,Email - Home,Manager Email\n\
         1,Ann,ann@c.example,ann@p.example,boss@c.example\n",
        "Email - Primary Work",
    );
    assert_column(
        "Personio",
        "ID,Vorname,Nachname,E-Mail,Private E-Mail,Vorgesetzter \
         (E-Mail)\n1,Ann,Lee,ann@c.example,a@p.example,boss@c.example\n",
        "E-Mail",
    );
    assert_column(
        "Okta",
        "id,firstName,lastName,email,login,secondEmail,status\n00u1,Ann,Lee,ann@c.example,ann@c.example,a@p.example,ACTIVE\n",
        "login",
    );
    assert_refused(
        "Okta, whose login is another address",
        "id,email,login\n00u1,ann.lee@c.example,ann@c.example\n",
        &["`login`", "`email`"],
    );
    assert_column(
        "Google Workspace",
        "First Name [Required],Email Address [Required],Recovery Email,Home Secondary Email,Manager Email\n\
         Ann,ann@c.example,a@p.example,a@q.example,boss@c.example\n",
        "Email Address [Required]",
    );
    assert_refused(
        "Power BI",
        "Manager[UPN],Employee[UPN],Employee[Department]\nboss@c.example,ann@c.example,HR\n",
        &["`Manager[UPN]`", "`Employee[UPN]`"],
    );
    assert_refused("Power BI", "Owner[Email],Users[UPN]\nboss@c.example,ann@c.example\n", &["`Users[UPN]`"]);
    assert_refused("Power BI", "Manager[UPN],Employee[Department]\nboss@c.example,HR\n", &["`Manager[UPN]`"]);
    assert_column("Power BI", "Users[Name],Users[UPN]\nAnn,ann@c.example\n", "Users[UPN]");
    assert_refused(
        "SharePoint list",
        "Manager [user],Sign-in [text]\nboss@c.example,ann@c.example\n",
        &["`Manager [user]`", "`Sign-in [text]`"],
    );
    assert_refused(
        "Ticket",
        "Ticket,Requester,Requested for\n1,ann@c.example,bob@c.example\n",
        &["`Requester`"],
    );
}

#[test]
fn names_and_cells_decide_together() {
    assert_column(
        "text under a known name",
        "User,Kennung\nAnn Lee,ann@c.example\nBob Roe,bob@c.example\n",
        "Kennung",
    );
    assert_column("an unknown name", "Name;Kennung\nAnn;ann@c.example\nBob;bob@c.example\n", "Kennung");
    assert_refused("no ids at all", "UPN,Name\nann,Ann\nbob,Bob\n", &["`UPN` has none"]);
    assert_refused(
        "two unknown names",
        "Name,Kennung,Konto\nA,a@c.example,x@c.example\n",
        &["`Kennung`", "`Konto`"],
    );
    assert_refused(
        "only somebody else",
        "Name,Manager UPN\nAnn,boss@c.example\n",
        &["`Manager UPN`", "manager"],
    );
    assert_column(
        "equal columns",
        "Email,Work Email\na@c.example,A@c.example\nb@c.example,b@c.example\n",
        "Email",
    );
    assert_column("a mail address beside", "UPN,Mail\na@c.example,b@c.example\n", "UPN");
    assert_refused("two object ids", "UserId,ObjectId\nG1,G2\nG3,G4\n", &["`ObjectId`", "`UserId`"]);
    assert_column("the same object id", "UserId,ObjectId\nG1,G1\n", "ObjectId");
    assert_column("an old name", "UPN,Previous UPN\na@c.example,b@c.example\n", "UPN");
    assert_refused("an object id of a device", "ObjectId,DeviceName\nG1,LT-1\n", &["`DeviceName`"]);
    for word in
        ["Owner", "Genehmiger", "Responsable", "Leidinggevende", "Created by", "Reporting to", "Backup"]
    {
        assert_column(word, &format!("Name,{word} Email,Email\nAnn,boss@c.example,ann@c.example\n"), "Email");
    }
    // A column of other people that only a few rows fill is not a rival.
    let few: String =
        (0..40).map(|n| format!("u{n}@c.example,{}\n", if n == 7 { "x@c.example" } else { "" })).collect();
    assert_column("few", &format!("Email,Assistenz\n{few}"), "Email");
}
