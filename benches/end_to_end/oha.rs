//! Comparison with `oha`, which sends the same POSTs to the same simulator at the same time of day.

use std::process::{Command, Stdio};

use crate::numbers::Spread;
use crate::ours::{BenchFolder, JOBS, RunMeasurement, token};
use crate::simulator::{Protocol, Simulator};

/// Prints our users per second divided by `oha`'s requests per second, for each protocol.
pub(crate) fn compare(users: u32, rounds: u32) {
    assert!(
        Command::new("oha").arg("--version").output().is_ok(),
        "oha is not installed: cargo install oha --locked"
    );
    println!("\n{users} users, {JOBS} requests in flight; median of {rounds} rounds (min to max)");
    for spoken in Protocol::ALL {
        compare_protocol(spoken, users, rounds);
    }
}

/// Our results with one batch size, over all rounds.
#[derive(Default)]
struct OurResults {
    rates: [Vec<f64>; 2],
    ratios: [Vec<f64>; 2],
    processor: Vec<f64>,
}

impl OurResults {
    fn record(&mut self, taken: &RunMeasurement, users: f64, oha: f64) {
        for (at, seconds) in [taken.seconds_to_last_sync, taken.seconds_to_exit].into_iter().enumerate() {
            self.rates[at].push(users / seconds);
            self.ratios[at].push(users / seconds / oha);
        }
        self.processor.push(taken.processor_seconds * 1e6 / users);
    }

    fn print(self, spoken: Protocol, way: &str) {
        let words = ["until the last user was synced", "until the process ended"];
        for ((word, rates), ratios) in words.into_iter().zip(self.rates).zip(self.ratios) {
            let (rates, ratios) = (Spread::from_values(rates), Spread::from_values(ratios));
            println!("{:9} {way}, {word}: {rates:.0} users/s, {ratios:.2} × oha", spoken.name());
        }
        let processor = Spread::from_values(self.processor);
        println!("{:9} {way}, processor time: {processor:.0} µs a user", spoken.name());
    }
}

fn compare_protocol(spoken: Protocol, users: u32, rounds: u32) {
    let (simulator, desk) = (Simulator::start(spoken), BenchFolder::with_users(users));
    let (mut one, mut twenty) = (OurResults::default(), OurResults::default());
    let mut theirs = Vec::new();
    // The first round is for warming up and does not count.
    for round in 0..=rounds {
        let direct = desk.run(&simulator, &["--batch-size", "1"]);
        let rate = oha(&simulator, spoken, users);
        let batched = desk.run(&simulator, &["--batch-size", "20"]);
        if round == 0 {
            continue;
        }
        theirs.push(rate);
        one.record(&direct, desk.users(), rate);
        twenty.record(&batched, desk.users(), rate);
    }
    println!("{:9} oha: {:.0} requests/s", spoken.name(), Spread::from_values(theirs));
    one.print(spoken, "direct");
    twenty.print(spoken, "batches of 20");
}

/// `oha`'s own number of requests per second, which excludes its start and its end.
///
/// All requests are for the same user, which saves it from building URLs. Over HTTP/2 it uses one connection, as
/// reqwest does.
fn oha(simulator: &Simulator, spoken: Protocol, requests: u32) -> f64 {
    let jobs = JOBS.to_string();
    let mut command = Command::new("oha");
    command.args(["--no-tui", "--output-format", "json", "--insecure", "-n", &requests.to_string()]);
    match spoken {
        Protocol::Http2 => command.args(["--http2", "-c", "1", "-p", &jobs]),
        Protocol::Http | Protocol::Https => command.args(["-c", &jobs]),
    };
    let output = command
        .args(["-m", "POST", "-T", "application/json", "-A", "application/json", "-d", "{}"])
        .args(["-H", &format!("Authorization: Bearer {}", token())])
        .args(["-H", "client-request-id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301"])
        .arg(format!("{}/v1.0/users/user0000001@contoso.com/revokeSignInSessions", simulator.url))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("oha's figures as JSON");
    let succeeded = summary["statusCodeDistribution"]["200"].as_u64();
    assert_eq!(succeeded, Some(u64::from(requests)), "all of oha's requests succeed: {summary}");
    summary["summary"]["requestsPerSec"].as_f64().unwrap()
}
