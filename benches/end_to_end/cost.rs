//! Processor time and bytes written, for a run of so many users.

use crate::numbers::Spread;
use crate::ours::{Desk, Taken};
use crate::simulator::{Simulator, Spoken};

/// Prints what a run over `users` costs, start and reports included; the mean of `runs`, because the kernel counts
/// processor time in hundredths of a second.
pub(crate) fn of(users: u32, runs: u32) {
    println!("\n{users} users, start and reports included; mean of {runs} runs");
    for spoken in Spoken::ALL {
        for (way, batch) in [("direct", "1"), ("batches of 20", "20")] {
            one_way(spoken, users, runs, way, &["--batch-size", batch]);
        }
    }
}

fn one_way(spoken: Spoken, users: u32, runs: u32, way: &str, flags: &[&str]) {
    let (simulator, desk) = (Simulator::start(spoken), Desk::with(users));
    desk.run(&simulator, flags);
    let taken: Vec<Taken> = (0..runs).map(|_| desk.run(&simulator, flags)).collect();
    let mean = taken.iter().map(|taken| taken.processor).sum::<f64>() / f64::from(runs);
    let end = Spread::of(taken.iter().map(|taken| taken.to_end * 1e3).collect());
    println!(
        "{:9} {way}: {:.0} ms of processor time; to the process's end {end:.0} ms; journal {:.0} bytes a user, whole \
         run folder {:.0}",
        spoken.name(),
        mean * 1e3,
        taken[0].journal as f64 / desk.users(),
        taken[0].run_folder as f64 / desk.users(),
    );
}
