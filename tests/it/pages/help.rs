//! `--help` of each command.

use super::{assert_page, shown};
use crate::ctx::TestContext;

const COMMANDS: [&[&str]; 12] = [
    &[],
    &["run"],
    &["drill"],
    &["plan"],
    &["apply"],
    &["resume"],
    &["doctor"],
    &["report"],
    &["profiles"],
    &["profiles", "list"],
    &["profiles", "check"],
    &["simulator"],
];

#[test]
fn help_of_each_command() {
    let ctx = TestContext::new("");
    for words in COMMANDS {
        let words = [words, &["--help"]].concat();
        let mut command = ctx.command_without_token(words[0]);
        let done = ctx.finish(command.args(&words[1..]));
        done.exits(0);
        let name = words.join("_").replace("--", "");
        assert_page(&name, &shown(&done));
    }
}
