use crate::directory::contoso::{ANN, NOBODY, READS, TENANT, person};
use crate::selecting::desk::DirectoryFixture;
use entra_revoke::directory::ResolvedId;

/// `count` users, of whom the last does not exist.
fn everybody(desk: &DirectoryFixture) {
    let names: Vec<String> = (1..=50).map(|n| format!("user{n:05}@contoso.example")).collect();
    let mut asked: Vec<&str> = names.iter().map(String::as_str).collect();
    asked.push(NOBODY);
    let found = desk.resolve(&asked);
    let last = found.len() - 1;
    assert!(found[..last].iter().all(|one| matches!(one, ResolvedId::User(_))), "somebody is missing");
    assert_eq!(found[last], ResolvedId::Missing);
}

fn generated(more: &str) -> DirectoryFixture {
    let made_up = "[directory]\ndomain = 'contoso.example'\ngenerate = { users = 200, seed = 7 }\n";
    DirectoryFixture::new(&format!("{READS}{made_up}{more}"))
}

#[test]
fn lost_duplicate_and_shuffled_parts_are_handled() {
    everybody(&generated("[batch]\nshuffle = true\nlose_parts = 1\nduplicate_parts = 1\n"));
}

#[test]
fn single_requests_are_used_without_batch_support() {
    let desk = generated("[batch]\nenabled = false\n");
    everybody(&desk);
    assert_eq!(desk.stats().answers.get("404"), Some(&3), "{:?}", desk.stats().answers);
}

fn outlives(endpoint: &str, answer: &str) {
    let fault =
        format!("[[fault]]\nendpoint = '{endpoint}'\nanswer = {answer}\nfirst = 1\nretry_after = '0.1'\n");
    let desk = generated(&fault);
    everybody(&desk);
    assert_eq!(desk.stats().faults, 1, "{endpoint} {answer}");
}

#[test]
fn batch_faults_are_retried() {
    outlives("batch", "429");
    outlives("batch", "503");
}

#[test]
fn part_faults_are_retried() {
    outlives("directory", "429");
    outlives("directory", "'portal'");
}

#[test]
fn a_broken_connection_is_retried() {
    outlives("batch", "'reset-after'");
}

#[test]
fn a_refused_token_is_renewed_once() {
    for endpoint in ["batch", "directory"] {
        let refused = format!("[[fault]]\nendpoint = '{endpoint}'\nanswer = 'challenge'\nfirst = 1\n");
        let desk = DirectoryFixture::of_an_app(&format!("{READS}{TENANT}{refused}"));
        person(&desk.resolve(&[ANN, "bob@contoso.example"])[0]);
        assert_eq!((desk.stats().faults, desk.stats().tokens_issued), (1, 2), "{endpoint}");
    }
}

#[test]
fn a_404_from_a_proxy_does_not_mean_a_missing_user() {
    let page = "[[fault]]\nendpoint = 'read'\nanswer = 404\nbody = 'html'\nrequest_id = false\nfirst = 2\n";
    let desk = DirectoryFixture::new(&format!("{READS}{TENANT}{page}"));
    person(&desk.resolve(&[ANN])[0]);
    assert_eq!(desk.stats().faults, 2);
}

#[test]
fn the_read_quota_is_not_exceeded() {
    let quota = "[quota]\nenabled = true\n";
    let desk = DirectoryFixture::new(&format!("{READS}{TENANT}{quota}"));
    let names: Vec<String> = (0..40).map(|n| format!("nobody{n}@contoso.example")).collect();
    desk.resolve(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((desk.stats().throttled_reads, desk.stats().early_reads), (0, 0));
}
