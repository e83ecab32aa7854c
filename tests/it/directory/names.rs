use entra_revoke::directory::ResolvedId;

use crate::directory::contoso::{ANN, GONE, NOBODY, desk};

#[test]
fn users_are_found_by_every_kind_of_name() {
    let desk = desk();
    for (name, expected) in [
        ("ann@contoso.example", "Ann"),
        (" Ann.OBrien@contoso.example ", "Ann"),
        ("ann@old.example", "Ann"),
        ("eve@partner.example", "eve_partner.example#EXT#"),
        ("ANN", "Ann"),
        (r"CORP\ann", "Ann"),
        (r"corp.contoso.example\ann", "Ann"),
        (ANN, "Ann"),
        (NOBODY, "Missing"),
        ("nobody@contoso.example", "Missing"),
        ("a' or 'b' eq 'b", "Missing"),
        ("", "Missing"),
    ] {
        assert_eq!(desk.find(name), expected, "{name}");
    }
    let gone = desk.find(GONE);
    assert!(gone.starts_with("Deleted"), "{gone}");
}

#[test]
fn an_ambiguous_name_is_not_guessed() {
    let desk = desk();
    for (name, those) in [
        // One's user principal name, another's mail address.
        ("bob@contoso.example", &["bob@contoso.example", "o'neil"][..]),
        // An alias of two.
        ("shared@contoso.example", &["Ann@", "o'neil"]),
        // One's employee id, another's name on premises.
        ("e1", &["Ann@", "o'neil"]),
        // The only one of that name, in another domain than the one named.
        (r"OTHER\ann", &["Ann@", "corp.contoso.example"]),
        (r"CORP\e1", &["o'neil", "not known"]),
    ] {
        let found = desk.find(name);
        assert!(found.starts_with("ambiguous. Use an ID: "), "{name}: {found}");
        assert!(those.iter().all(|one| found.contains(one)), "{name}: {found}");
    }
}

#[test]
fn many_names_are_resolved_in_order() {
    let desk = desk();
    let names: Vec<String> = ["ann", "nobody", "ANN", "eve@partner.example"].map(str::to_owned).into();
    let found = desk.wait(desk.directory.find_users(&names)).unwrap();
    assert_eq!(found[0], found[2]);
    assert_eq!(found[1], ResolvedId::Missing);
    assert!(matches!(&found[3], ResolvedId::User(person) if person.guest == Some(true)));
}
