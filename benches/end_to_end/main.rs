//! What the program costs end to end: the binary as it is released, over real sockets on loopback.
//!
//! ```text
//! cargo bench --profile dev --bench end_to_end                        all sections
//! cargo bench --profile dev --bench end_to_end -- oha 20000 9         beside oha: 20,000 users, 9 rounds
//! cargo bench --profile dev --bench end_to_end -- cost 1000 20        processor time and bytes, 20 runs
//! cargo bench --profile dev --bench end_to_end -- start 40            from exec to the first POST, 40 starts
//! ```
//!
//! This program only starts others and looks at the clock: the profile is its own, and saves the time to optimise it.
//! What it measures is built in release mode, whatever the profile.
//!
//! Numbers of a busy machine are noisy: rounds are interleaved, and what counts is the median of each round's ratio.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops where it can't measure"
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
    // Without it, it is `cargo test --benches` that looks whether the program starts.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "--bench").collect();
    let number = |place: usize, default: u32| {
        words.get(place).map_or(default, |word| word.replace(['_', ','], "").parse().expect("a number"))
    };
    stand_said();
    match words.first().copied() {
        Some("oha") => oha::beside(number(1, 20_000), number(2, 9)),
        Some("cost") => cost::of(number(1, 1_000), number(2, 20)),
        Some("start") => start::measure(number(1, 40)),
        None => {
            oha::beside(20_000, 9);
            cost::of(1_000, 20);
            start::measure(40);
        }
        Some(other) => panic!("{other} is no section: oha, cost, start"),
    }
}

/// Says on what all of it is measured.
fn stand_said() {
    let version = |program: &str| {
        let told = Command::new(program).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&told.stdout).trim().to_owned())
    };
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let told = [version(&ours::binary().display().to_string()), version("oha"), version("rustc")];
    let told: Vec<String> = told.into_iter().flatten().collect();
    println!("{}; {processors} processors", told.join("; "));
}
