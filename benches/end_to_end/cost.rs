//! Processor time and bytes written in a run.

use crate::numbers::Spread;
use crate::ours::{BenchFolder, RunMeasurement};
use crate::simulator::{Protocol, Simulator};

/// Prints the cost of a run with `users` users, including start and reports. It is the mean of `runs` runs, because the
/// kernel counts processor time in hundredths of a second.
pub(crate) fn measure(users: u32, runs: u32) {
    println!("\n{users} users, including start and reports; mean of {runs} runs");
    for spoken in Protocol::ALL {
        for (way, batch) in [("direct", "1"), ("batches of 20", "20")] {
            measure_batch_size(spoken, users, runs, way, &["--batch-size", batch]);
        }
    }
}

fn measure_batch_size(spoken: Protocol, users: u32, runs: u32, way: &str, flags: &[&str]) {
    let (simulator, desk) = (Simulator::start(spoken), BenchFolder::with_users(users));
    desk.run(&simulator, flags);
    let taken: Vec<RunMeasurement> = (0..runs).map(|_| desk.run(&simulator, flags)).collect();
    let mean = taken.iter().map(|taken| taken.processor_seconds).sum::<f64>() / f64::from(runs);
    let end = Spread::from_values(taken.iter().map(|taken| taken.seconds_to_exit * 1e3).collect());
    println!(
        "{:9} {way}: {:.0} ms of processor time; {end:.0} ms until the process ended; journal {:.0} bytes a user, \
         whole run folder {:.0}",
        spoken.name(),
        mean * 1e3,
        taken[0].journal_bytes as f64 / desk.users(),
        taken[0].run_folder_bytes as f64 / desk.users(),
    );
}
