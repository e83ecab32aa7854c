//! Every outcome, from the input to the report.

use crate::ctx::TestContext;

#[test]
fn each_outcome_occurs_and_is_counted() {
    let ctx = TestContext::new(
        r#"
        unknown = ["gone@*"]
        deny = ["admin@*"]
        [[fault]]
        match = "bad@*"
        answer = 400
        [[fault]]
        match = "broken@*"
        answer = 503
        "#,
    );
    let users = "UPN\nann@contoso.com\nbob_x.com#EXT#@contoso.com\ngone@contoso.com\nadmin@contoso.com\n\
                 bad@contoso.com\nbroken@contoso.com\nANN@contoso.com\nnobody\nboss@contoso.com\nleft@contoso.com\n";
    let input = ctx.input("users.csv", users);
    let done = ctx.run(&input, &["--retries", "1", "--protect", "boss@contoso.com", "--skip", "UPN=^left@"]);
    done.exits(3);
    let folder = ctx.run_folder();
    let words: Vec<String> = folder.rows().into_iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(
        words,
        [
            "revoked",
            "accepted_no_effect",
            "not_found",
            "forbidden",
            "rejected",
            "failed",
            "duplicate",
            "invalid",
            "protected",
            "excluded"
        ]
    );
    let ledger = ctx.ledger();
    assert!(ledger.user("boss@contoso.com").is_none(), "somebody protected was sent");
    assert!(ledger.user("left@contoso.com").is_none(), "somebody excluded was sent");
    assert_eq!(ledger.user("ann@contoso.com").map(|user| user.effects), Some(1));
}
