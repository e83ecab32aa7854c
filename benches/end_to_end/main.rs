//! The end-to-end cost of the program: the released binary, over real sockets on loopback.
//!
//! ```text
//! cargo bench --profile dev --bench end_to_end                        all sections
//! cargo bench --profile dev --bench end_to_end -- oha 20000 9         compared with oha: 20,000 users, 9 rounds
//! cargo bench --profile dev --bench end_to_end -- cost 1000 20        processor time and bytes, 20 runs
//! cargo bench --profile dev --bench end_to_end -- start 40            from exec to the first POST, 40 starts
//! ```
//!
//! This program only starts others and takes the time. `--profile dev` is for itself and saves the time to optimise it.
//! What it measures is always built in release mode.
//!
//! Results on a busy machine are noisy. Therefore the rounds are interleaved, and the result is the median of the
//! ratios of all rounds.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and panics if it can't measure"
)]

mod cost;
mod numbers;
mod oha;
mod ours;
mod simulator;
mod start;

use std::process::Command;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // Without `--bench` this is `cargo test --benches`, which only checks that the program starts.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "--bench").collect();
    let number = |place: usize, default: u32| {
        words.get(place).map_or(default, |word| word.replace(['_', ','], "").parse().expect("a number"))
    };
    print_environment();
    match words.first().copied() {
        Some("oha") => oha::compare(number(1, 20_000), number(2, 9)),
        Some("cost") => cost::measure(number(1, 1_000), number(2, 20)),
        Some("start") => start::measure(number(1, 40)),
        None => {
            oha::compare(20_000, 9);
            cost::measure(1_000, 20);
            start::measure(40);
        }
        Some(other) => panic!("{other} is not a section; sections are: oha, cost, start"),
    }
}

/// Prints the versions and the machine.
fn print_environment() {
    let version = |program: &str| {
        let output = Command::new(program).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let versions = [version(&ours::binary().display().to_string()), version("oha"), version("rustc")];
    let versions: Vec<String> = versions.into_iter().flatten().collect();
    println!("{}; {processors} processors", versions.join("; "));
}
