//! The settings of `$batch`, and the faults of its answers.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use serde_json::Value;

use crate::simulator::graph::BODY_LIMIT;

/// The settings of `POST /$batch`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// If false, `$batch` is answered with 404, as by a cloud or a proxy that lacks it.
    pub enabled: bool,
    /// Whether answers come in another order than the requests. With the same seed, the same parts have the same order
    /// in every run.
    pub shuffle: bool,
    /// The number of parts whose answers are left out, at most one for each batch. Their requests are carried out.
    pub lose_parts: u64,
    /// The number of parts whose answers come twice, at most one for each batch.
    pub duplicate_parts: u64,
    /// The number of parts that get a second answer which says the opposite, at most one for each batch: 503 if the
    /// request was carried out, 200 if it was not.
    pub contradict_parts: u64,
    /// How part IDs are spelled in the answer.
    pub ids: PartIdFormat,
    /// The maximum size of a body, in bytes. A larger one is answered with 413. Users report 4 MB, which is also the
    /// maximum here.
    pub max_bytes: usize,
}

/// How a part's ID is spelled in the answer. Case is ignored (Graph's json-batching page).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartIdFormat {
    /// As it was sent.
    #[default]
    AsSent,
    /// In upper case.
    Uppercase,
    /// As a number, if it is one.
    Number,
}

impl PartIdFormat {
    /// The ID as the answer has it.
    pub(super) fn spell(self, id: &str) -> Value {
        match self {
            PartIdFormat::AsSent => id.into(),
            PartIdFormat::Uppercase => id.to_uppercase().into(),
            PartIdFormat::Number => id.parse::<u64>().map_or_else(|_| id.into(), Value::from),
        }
    }
}

impl Default for BatchConfig {
    fn default() -> BatchConfig {
        BatchConfig {
            enabled: true,
            shuffle: true,
            lose_parts: 0,
            duplicate_parts: 0,
            contradict_parts: 0,
            ids: PartIdFormat::default(),
            max_bytes: BODY_LIMIT,
        }
    }
}

/// The number of faults so far.
#[derive(Debug, Default)]
pub(in crate::simulator) struct BatchFaults {
    lost: AtomicU64,
    duplicated: AtomicU64,
    contradicted: AtomicU64,
}

impl BatchFaults {
    /// Whether the answer of a part in the next batch is left out.
    pub(super) fn lose(&self, config: &BatchConfig) -> bool {
        take_from_budget(&self.lost, config.lose_parts)
    }

    /// Whether the answer of a part in the next batch comes twice.
    pub(super) fn duplicate(&self, config: &BatchConfig) -> bool {
        take_from_budget(&self.duplicated, config.duplicate_parts)
    }

    /// Whether the answer of a part in the next batch is contradicted.
    pub(super) fn contradict(&self, config: &BatchConfig) -> bool {
        take_from_budget(&self.contradicted, config.contradict_parts)
    }

    /// Resets the counts.
    pub(in crate::simulator) fn reset(&self) {
        self.lost.store(0, Ordering::Relaxed);
        self.duplicated.store(0, Ordering::Relaxed);
        self.contradicted.store(0, Ordering::Relaxed);
    }
}

/// Counts one more, unless `max` is reached.
fn take_from_budget(count: &AtomicU64, max: u64) -> bool {
    let next = |count| (count < max).then_some(count + 1);
    count.try_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
}
