//! Which column contains the users, rows with shifted cells, and a second file inside the first.

use std::collections::BTreeSet;

use super::sent;
use crate::ctx::TestContext;

/// Runs a file; who was sent, and all that was said: on the terminal and in the report.
fn ran(contents: &str, args: &[&str], code: i32) -> (BTreeSet<String>, String) {
    let ctx = TestContext::new("");
    let input = ctx.input("users.csv", contents);
    let done = ctx.run(&input, args);
    done.exits(code);
    let report = if code == 2 { String::new() } else { ctx.run_folder().text("report.csv") };
    (sent(&ctx), format!("{}{}{report}", done.stdout, done.stderr))
}

fn people(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| format!("{name}@c.example")).collect()
}

#[test]
fn an_ambiguous_column_stops_the_run_until_it_is_named() {
    let file = "Manager[UPN],Employee[UPN]\nboss@c.example,ann@c.example\nboss@c.example,bob@c.example\n";
    let (found, said) = ran(file, &[], 2);
    assert!(found.is_empty() && said.contains("`Manager[UPN]` or `Employee[UPN]`"), "{said}");
    assert!(said.contains("--column"), "{said}");
    assert_eq!(ran(file, &["--column", "Employee[UPN]"], 0).0, people(&["ann", "bob"]));
    let (found, said) = ran(file, &["--column", "UPN"], 2);
    assert!(found.is_empty() && said.contains("no column `UPN`"), "{said}");
}

#[test]
fn a_second_header_after_few_rows_is_refused() {
    for file in [
        "UPN,Department\nann@c.example,HR\nManager,Department\nboss@c.example,HR\n",
        "Nr;Login\n1;ann@c.example\nNr;Vorgesetzter\n1;boss@c.example\n",
        "UPN\nann@c.example\nManager\nboss@c.example\n",
        "ann@c.example\nbob@c.example\nManager\nboss@c.example\n",
    ] {
        let (found, said) = ran(file, &[], 2);
        assert!(found.is_empty() && said.contains("line 3"), "{said}");
    }
}

#[test]
fn a_row_without_its_user_cell_is_invalid() {
    let full = "Ann,Lee,ann@c.example,boss@c.example,5551\nCy,Roe,cy@c.example,boss@c.example,5552\n\
                Dee,Fox,dee@c.example,boss@c.example,5553\n";
    let file = format!("First,Last,UPN,Manager,Phone\n{full}Bob,Poe,boss@c.example,5559\n");
    let (found, said) = ran(&file, &[], 3);
    assert_eq!(found, people(&["ann", "cy", "dee"]), "{said}");
    for row in ["boss@c.example,Berlin", "boss@c.example,Berlin,"] {
        let file = format!(
            "UPN,Manager,City\nann@c.example,boss@c.example,Ulm\ncy@c.example,boss@c.example,Bonn\n{row}\n"
        );
        let (found, said) = ran(&file, &[], 3);
        assert_eq!(found, people(&["ann", "cy"]), "{said}");
        assert!(said.contains("seem shifted"), "{said}");
    }
}

#[test]
fn a_column_named_after_another_person_is_refused() {
    let (found, said) = ran("Manager\nann@c.example\n", &[], 2);
    assert!(found.is_empty() && said.contains("`Manager` (its name says `manager`)"), "{said}");
    assert_eq!(ran("Manager\nann@c.example\n", &["--column", "Manager"], 0).0, people(&["ann"]));
}

#[test]
fn columns_of_related_people_are_not_used() {
    for word in [
        "Administrator",
        "Admin",
        "Technician",
        "Analyst",
        "Investigator",
        "Reporter",
        "Submitter",
        "Editor",
        "Operator",
        "Host",
        "Notify",
        "Escalated to",
        "Next of kin",
        "Dotted line",
        "Replacement",
        "Supervisor",
        "Successor",
        "Betreuer",
        "Bearbeiter",
        "Auftraggeber",
        "Suppléant",
        "Remplaçant",
        "Responsable",
        "Mentor",
        "Sponsor",
        "Buddy",
        "Coordinator",
        "Custodian",
        "Handler",
        "Modified by",
        "Updated by",
        "Closed by",
        "Resolved by",
        "Performed by",
        "Initiated by",
        "Actor",
        "Recipient",
        "CC",
        "Contact",
        "Delegate",
        "Deputy",
        "Assistant",
        "Secretary",
    ] {
        let file = format!("Employee,{word}\nAnn Lee,tech1@c.example\nBob Roe,tech2@c.example\n");
        for file in [file, format!("{word}\ntech1@c.example\n")] {
            let (found, said) = ran(&file, &[], 2);
            assert!(found.is_empty() && said.contains(&format!("`{word}` (its name says")), "{word}: {said}");
        }
        let beside = format!("UPN,{word}\nann@c.example,tech1@c.example\nbob@c.example,tech2@c.example\n");
        assert_eq!(ran(&beside, &[], 0).0, people(&["ann", "bob"]), "{word}");
    }
    let named = ran("Employee,Admin\nAnn Lee,tech1@c.example\n", &["--column", "Admin"], 0);
    assert_eq!(named.0, people(&["tech1"]));
    // Such a word over cells without IDs shifts no row.
    for file in [
        "Is admin,UPN,Host\nyes,ann@c.example,pc1\nno,bob@c.example,pc2\n",
        "Notify,UPN,Editor\nyes,ann@c.example,vim\n,bob@c.example,\n",
    ] {
        let sent = ran(file, &[], 0).0;
        assert_eq!(sent, people(&["ann", "bob"]), "{file}");
    }
}

#[test]
fn only_the_shifted_row_is_invalid() {
    for (what, file, sends) in [
        (
            "a trailing cell is left off",
            "Name,Manager,UPN,Note\nAnn,boss@c.example,ann@c.example,left\nRoe, Bob,boss@c.example,bob@c.example\n",
            &["ann"][..],
        ),
        (
            "the header ends in a delimiter",
            "Name,Manager,UPN,\nAnn,boss@c.example,ann@c.example,\nCy,boss@c.example,cy@c.example,\n\
             Roe,Bob,boss@c.example,bob@c.example\n",
            &["ann", "cy"],
        ),
        (
            "by two cells",
            "Name,Manager,Dept,UPN,Phone,Room\nAnn,boss@c.example,HR,ann@c.example,1,2\n\
             Cy,boss@c.example,HR,cy@c.example,1,2\nRoe, Bob, Jr,boss@c.example,HR,bob@c.example\n",
            &["ann", "cy"],
        ),
        (
            "a cell is missing",
            "Name,Dept,UPN,Manager,Note\nAnn,HR,ann@c.example,boss@c.example,x\nCy,IT,cy@c.example,boss@c.example,y\n\
             Bob,bob@c.example,boss@c.example,z\n",
            &["ann", "cy"],
        ),
        (
            "a cell is missing, and a spreadsheet filled the row up",
            "Name,Dept,UPN,Manager,Note\nAnn,HR,ann@c.example,boss@c.example,x\nCy,IT,cy@c.example,boss@c.example,y\n\
             Bob,bob@c.example,boss@c.example,z,\n",
            &["ann", "cy"],
        ),
        (
            "a cell is missing among ids",
            "Manager,UPN,Backup\nboss@c.example,ann@c.example,bk@c.example\n\
             boss@c.example,cy@c.example,bk@c.example\nbob@c.example,bk@c.example\n",
            &["ann", "cy"],
        ),
        (
            "nobody's id is in the row, only the manager's",
            "Name,Manager,UPN\nAnn,boss@c.example,ann@c.example\nCy,boss@c.example,cy@c.example\nRoe, Bob,boss@c.example\n",
            &["ann", "cy"],
        ),
        (
            "a third of all rows",
            "Name,Manager,UPN,Note\nAnn,boss@c.example,ann@c.example,\nCy,boss@c.example,cy@c.example,x\n\
             Roe,Bob,boss@c.example,bob@c.example\nDee,boss@c.example,dee@c.example,\nEve,boss@c.example,eve@c.example,y\n\
             Poe,Fay,boss@c.example,fay@c.example\n",
            &["ann", "cy", "dee", "eve"],
        ),
    ] {
        let (found, said) = ran(file, &[], 3);
        assert_eq!(found, people(sends), "{what}: {said}");
        assert!(said.contains("seem shifted"), "{what}: {said}");
    }
}

#[test]
fn a_late_row_is_compared_with_the_first_ones() {
    let rows: String = (0..3_000).map(|n| format!("U{n},boss@c.example,u{n}@c.example,left\n")).collect();
    let file = format!("Name,Manager,UPN,Note\n{rows}Roe, Bob,boss@c.example,bob@c.example\n");
    let (found, said) = ran(&file, &["--no-lookup"], 3);
    assert_eq!(found.len(), 3_000);
    assert!(!found.contains("boss@c.example") && said.contains("invalid"), "{said}");
}

#[test]
fn rows_with_missing_cells_are_not_shifted() {
    for file in [
        // The head has no manager, and manages others.
        "Name,UPN,Manager,Note\nAnn,ann@c.example,cy@c.example,x\nCy,cy@c.example,,\nBob,bob@c.example,cy@c.example,y\n",
        "Name,UPN,Manager\nAnn,ann@c.example,cy@c.example\nCy,cy@c.example\nBob,bob@c.example,cy@c.example\n",
        // Few have a manager, and one a word in its place.
        "Name,Manager,UPN,Note\nAnn,,ann@c.example,\nBob,vacant,bob@c.example,\nCy,boss@c.example,cy@c.example,left\n",
        // A note that is an address.
        "Name,Manager,UPN,Note\nAnn,boss@c.example,ann@c.example,x\nBob,boss@c.example,bob@c.example,desk@c.example\n\
         Cy,boss@c.example,cy@c.example,y\n",
        // A name that is the address.
        "Name,UPN,Manager\nAnn,ann@c.example,boss@c.example\nbob@c.example,bob@c.example,boss@c.example\n\
         Cy,cy@c.example,boss@c.example\n",
    ] {
        assert_eq!(ran(file, &[], 0).0, people(&["ann", "bob", "cy"]), "{file}");
    }
}

#[test]
fn a_row_whose_columns_name_different_users_is_invalid() {
    let same: String = (0..30).map(|n| format!("u{n}@c.example,U{n}@c.example\n")).collect();
    let (found, said) = ran(&format!("Email,Work Email\n{same}ann@p.example,ann@c.example\n"), &[], 3);
    assert_eq!(found.len(), 30, "{said}");
    assert!(said.contains("name different users"), "{said}");
}

#[test]
fn a_repeated_header_is_skipped_and_a_different_one_refused() {
    let again = "UserPrincipalName,Manager\nann@c.example,boss@c.example\n";
    for between in ["", "\u{feff}", "sep=,\n", "#TYPE Selected.User\n", "\n"] {
        let file =
            format!("{again}{between}\"UserPrincipalName\",\"Manager\"\nbob@c.example,boss@c.example\n");
        let (found, said) = ran(&file, &[], 0);
        assert_eq!(found, people(&["ann", "bob"]), "{between:?}: {said}");
        assert!(said.contains("header"), "{said}");
    }
    let far: String = (0..2_000).map(|n| format!("u{n}@c.example,boss@c.example\n")).collect();
    for (other, line) in [
        (format!("{again}Manager,UserPrincipalName\nboss@c.example,bob@c.example\n"), "line 3"),
        (format!("{again}\u{feff}Manager,UserPrincipalName\nboss@c.example,bob@c.example\n"), "line 3"),
        (format!("{again}Manager;UserPrincipalName\nboss@c.example;bob@c.example\n"), "line 3"),
        (format!("{again}UserPrincipalName\nbob@c.example\n"), "line 3"),
        (format!("{again}Name,UPN\nBob,bob@c.example\n"), "line 3"),
        (format!("{again}{far}Manager,UserPrincipalName\nboss@c.example,bob@c.example\n"), "line 2003"),
        (
            format!("UPN\nann@c.example\n{far}").replace(",boss@c.example", "")
                + "UserPrincipalName\nx@c.example\n",
            "line 2003",
        ),
    ] {
        let (found, said) = ran(&other, &["--no-lookup"], 2);
        assert!(found.is_empty() && said.contains(line) && said.contains("line 1"), "{said}");
    }
    // A cell with a word like a column's name is not a header.
    assert_eq!(
        ran("UPN,Role,Type\nann@c.example,Member,User\nbob@c.example,Owner,User\n", &[], 0).0,
        people(&["ann", "bob"])
    );
}

#[test]
fn a_placeholder_falls_back_to_the_other_column() {
    for blank in ["#N/A", "null", "-", "", "(blank)", "0", "None", "00000000-0000-0000-0000-000000000000"] {
        let file = format!(
            "UPN,ObjectId\nann@c.example,9f4c1a2b-0000-4000-8000-00000000000a\nbob@c.example,{blank}\n\
             cy@c.example,9f4c1a2b-0000-4000-8000-00000000000b\n"
        );
        let (found, said) = ran(&file, &[], 0);
        assert!(found.contains("bob@c.example") && found.len() == 3, "{blank}: {said}");
    }
}

#[test]
fn the_tenant_flag_overrides_a_guessed_column() {
    let own = "11111111-1111-1111-1111-111111111111";
    let file = format!(
        "TenantId,TimeGenerated,OrganizationId,UserId\nc0ffee00-1111-4222-8333-444444444444,1,{own},ann@c.example\n"
    );
    let (found, said) = ran(&file, &["--tenant", own], 0);
    assert_eq!(found, people(&["ann"]));
    assert!(said.contains("`OrganizationId` is not read as tenants"), "{said}");
    let file = "user,tenant\nann@c.example,Contoso Ltd\nbob@c.example,Fabrikam\n";
    let (found, said) = ran(file, &[], 0);
    assert_eq!(found, people(&["ann", "bob"]));
    assert!(said.contains("`tenant` is not read as tenants"), "{said}");
    let file = "user,TenantId,TimeGenerated\nann@c.example,c0ffee00-1111-4222-8333-444444444444,1\n";
    let (found, said) = ran(file, &[], 0);
    assert_eq!(found, people(&["ann"]), "{said}");
    assert!(said.contains("Log Analytics workspace"), "{said}");
}

#[test]
fn only_directory_types_exclude_rows() {
    let file = "UPN,Type\nann@c.example,Contact\nbob@c.example,Employee\n";
    assert_eq!(ran(file, &[], 0).0, people(&["ann", "bob"]));
    let file = "UPN,Type\nann@c.example,User\nstaff@c.example,#microsoft.graph.group\n";
    assert_eq!(ran(file, &[], 3).0, people(&["ann"]));
    let file =
        "UserPrincipalName,RecipientTypeDetails\nann@c.example,UserMailbox\nteam@c.example,GroupMailbox\n";
    assert_eq!(ran(file, &[], 3).0, people(&["ann"]));
}

#[test]
fn concealed_names_are_refused_even_in_a_named_column() {
    let file = "Report Refresh Date,User Principal Name\n2026-11-01,FE7CC8C15246EDCCA289C9A4022762F7\n";
    for args in [&[][..], &["--column", "User Principal Name"]] {
        let (found, said) = ran(file, args, 2);
        assert!(found.is_empty() && said.contains("Org settings > Services > Reports"), "{said}");
    }
}

#[test]
fn a_slow_standard_input_is_read_completely() {
    use std::io::Write;
    use std::process::Stdio;
    let ctx = TestContext::new("");
    let mut command = ctx.command("run");
    command.arg("-").stdin(Stdio::piped());
    let mut child = ctx.start(&mut command);
    let mut input = child.stdin.take().unwrap();
    for piece in ["Name,UPN\nAnn,", "ann@c.exa", "mple\n", "Bob,bob@c.example\n"] {
        input.write_all(piece.as_bytes()).unwrap();
        input.flush().unwrap();
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    assert_eq!(sent(&ctx), people(&["ann", "bob"]));
}

/// The sign-in log of Entra has such columns next to its users.
#[test]
fn user_agents_and_display_names_do_not_count_as_a_shift() {
    let file = "Date,User,Username,User agent\n2026-11-01,Ann Lee,ann@c.example,Mozilla/5.0\n\
                2026-11-02,Bob Poe,bob@c.example,curl/8\n";
    assert_eq!(ran(file, &[], 0).0, people(&["ann", "bob"]));
}
