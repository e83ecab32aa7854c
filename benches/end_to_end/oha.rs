//! Beside `oha`, which sends the same POSTs to the same simulator in the same minutes.

use std::process::{Command, Stdio};

use crate::numbers::Spread;
use crate::ours::{Desk, JOBS, Taken, token};
use crate::simulator::{Simulator, Spoken};

/// Prints users a second of ours ÷ requests a second of `oha`'s, for each wire.
pub(crate) fn beside(users: u32, rounds: u32) {
    assert!(
        Command::new("oha").arg("--version").output().is_ok(),
        "oha is not there: cargo install oha --locked"
    );
    println!("\n{users} users, {JOBS} requests in flight; median of {rounds} rounds (least to most)");
    for spoken in Spoken::ALL {
        on_wire(spoken, users, rounds);
    }
}

/// One way of ours, over all rounds.
#[derive(Default)]
struct Ours {
    rates: [Vec<f64>; 2],
    ratios: [Vec<f64>; 2],
    processor: Vec<f64>,
}

impl Ours {
    fn take(&mut self, taken: &Taken, users: f64, oha: f64) {
        for (at, seconds) in [taken.to_last, taken.to_end].into_iter().enumerate() {
            self.rates[at].push(users / seconds);
            self.ratios[at].push(users / seconds / oha);
        }
        self.processor.push(taken.processor * 1e6 / users);
    }

    fn print(self, spoken: Spoken, way: &str) {
        let words = ["to the last user synced", "to the process's end"];
        for ((word, rates), ratios) in words.into_iter().zip(self.rates).zip(self.ratios) {
            let (rates, ratios) = (Spread::of(rates), Spread::of(ratios));
            println!("{:9} {way}, {word}: {rates:.0} users/s, {ratios:.2} × oha", spoken.name());
        }
        let processor = Spread::of(self.processor);
        println!("{:9} {way}, processor time: {processor:.0} µs a user", spoken.name());
    }
}

fn on_wire(spoken: Spoken, users: u32, rounds: u32) {
    let (simulator, desk) = (Simulator::start(spoken), Desk::with(users));
    let (mut one, mut twenty) = (Ours::default(), Ours::default());
    let mut theirs = Vec::new();
    // The first round warms up, and does not count.
    for round in 0..=rounds {
        let direct = desk.run(&simulator, &["--batch-size", "1"]);
        let rate = oha(&simulator, spoken, users);
        let batched = desk.run(&simulator, &["--batch-size", "20"]);
        if round == 0 {
            continue;
        }
        theirs.push(rate);
        one.take(&direct, desk.users(), rate);
        twenty.take(&batched, desk.users(), rate);
    }
    println!("{:9} oha: {:.0} requests/s", spoken.name(), Spread::of(theirs));
    one.print(spoken, "direct");
    twenty.print(spoken, "batches of 20");
}

/// Requests a second, as `oha` itself counts them: without its start and its end.
///
/// It sends all to one user, which spares it the making of addresses. Over HTTP/2 it has one connection, as reqwest
/// has.
fn oha(simulator: &Simulator, spoken: Spoken, requests: u32) -> f64 {
    let jobs = JOBS.to_string();
    let mut command = Command::new("oha");
    command.args(["--no-tui", "--output-format", "json", "--insecure", "-n", &requests.to_string()]);
    match spoken {
        Spoken::Http2 => command.args(["--http2", "-c", "1", "-p", &jobs]),
        Spoken::Http | Spoken::Https => command.args(["-c", &jobs]),
    };
    let output = command
        .args(["-m", "POST", "-T", "application/json", "-A", "application/json", "-d", "{}"])
        .args(["-H", &format!("Authorization: Bearer {}", token())])
        .args(["-H", "client-request-id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301"])
        .arg(format!("{}/v1.0/users/user0000001@contoso.com/revokeSignInSessions", simulator.url))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("oha's figures as JSON");
    let good = told["statusCodeDistribution"]["200"].as_u64();
    assert_eq!(good, Some(u64::from(requests)), "all of oha's requests succeed: {told}");
    told["summary"]["requestsPerSec"].as_f64().unwrap()
}
