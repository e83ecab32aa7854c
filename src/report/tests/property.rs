//! Whatever happens, each row is in the report once, and the counts add up.

use proptest::prelude::*;

use super::fixture::{FixtureLine, FixtureRun};
use crate::outcome::{AcceptedOutcomes, Outcome, OutcomeClass};

/// How far a target got.
#[derive(Clone, Copy, Debug)]
enum PropertyOutcome {
    Nowhere,
    Sent,
    Answered(Outcome),
    Settled(Outcome),
}

#[derive(Clone, Debug)]
enum PropertyKind {
    LeftOut(Outcome),
    Target(PropertyOutcome),
}

fn any_outcome(from: usize, to: usize) -> impl Strategy<Value = Outcome> {
    (from..to).prop_map(|place| Outcome::ALL[place])
}

fn kind() -> impl Strategy<Value = PropertyKind> {
    prop_oneof![
        any_outcome(9, 13).prop_map(PropertyKind::LeftOut),
        Just(PropertyKind::Target(PropertyOutcome::Nowhere)),
        Just(PropertyKind::Target(PropertyOutcome::Sent)),
        any_outcome(1, 8).prop_map(|outcome| PropertyKind::Target(PropertyOutcome::Answered(outcome))),
        any_outcome(0, 8).prop_map(|outcome| PropertyKind::Target(PropertyOutcome::Settled(outcome))),
    ]
}

impl PropertyKind {
    fn outcome(&self) -> Outcome {
        match self {
            PropertyKind::LeftOut(outcome)
            | PropertyKind::Target(PropertyOutcome::Answered(outcome) | PropertyOutcome::Settled(outcome)) => {
                *outcome
            }
            PropertyKind::Target(PropertyOutcome::Sent) => Outcome::InDoubt,
            PropertyKind::Target(PropertyOutcome::Nowhere) => Outcome::NotAttempted,
        }
    }
}

fn build_run(rows: &[(PropertyKind, String)]) -> FixtureRun {
    let user = |number: usize| format!("u{number}@contoso.com");
    let line = |(number, (kind, cell)): (usize, &(PropertyKind, String))| match kind {
        PropertyKind::LeftOut(outcome) => FixtureLine::left_out(&user(number), *outcome, &[cell]),
        PropertyKind::Target(_) => FixtureLine::target(&user(number), &[cell]),
    };
    let lines: Vec<FixtureLine> = rows.iter().enumerate().map(line).collect();
    let mut run = FixtureRun::new(&["note"], &lines);
    for (number, (kind, _)) in rows.iter().enumerate() {
        let PropertyKind::Target(came) = kind else { continue };
        if !matches!(came, PropertyOutcome::Nowhere) {
            run.add_sent(&user(number));
        }
        match came {
            PropertyOutcome::Answered(outcome) => run.add_answered(&user(number), *outcome),
            PropertyOutcome::Settled(outcome) => run.add_settled(&user(number), *outcome, "said so"),
            _ => {}
        }
    }
    run
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_row_is_reported_once_and_counts_add_up(
        rows in prop::collection::vec((kind(), ".{0,12}"), 0..30),
        accepted in prop::collection::vec(any_outcome(1, 13), 0..3),
    ) {
        let run = build_run(&rows).accepting(&accepted);
        let accepted: AcceptedOutcomes = accepted.into_iter().collect();
        let summary = run.report();
        let words: Vec<Outcome> = rows.iter().map(|(kind, _)| kind.outcome()).collect();
        let count = |standing| words.iter().filter(|word| accepted.standing(**word) == standing).count() as u64;

        let lines: Vec<String> = (2..rows.len() + 2).map(|line| line.to_string()).collect();
        prop_assert_eq!(run.column("line"), lines);
        prop_assert_eq!(run.column("outcome"), words.iter().map(|word| word.to_string()).collect::<Vec<_>>());
        let cells: Vec<&str> = rows.iter().map(|(_, cell)| cell.as_str()).collect();
        let objects = run.objects();
        let exact: Vec<&str> =
            objects.iter().map(|row| row["input_columns"]["note"].as_str().unwrap()).collect();
        prop_assert_eq!(exact, cells);

        prop_assert_eq!(summary.rows, rows.len() as u64);
        prop_assert_eq!(summary.outcomes.values().sum::<u64>(), summary.rows);
        prop_assert_eq!(summary.done, count(OutcomeClass::Done));
        prop_assert_eq!(summary.not_done, count(OutcomeClass::NotDone));
        prop_assert_eq!(summary.left_out, count(OutcomeClass::LeftOut));
        let remaining: Vec<String> = run.csv("remaining.csv").into_iter().skip(1).map(|row| row[0].clone()).collect();
        let left: Vec<&str> = rows
            .iter()
            .filter(|(kind, _)| !accepted.is_done(kind.outcome()))
            .map(|(_, cell)| cell.as_str())
            .collect();
        prop_assert_eq!(remaining, left);
        prop_assert_eq!(summary.exit_code, if summary.not_done > 0 { 3 } else { 0 });
    }
}
