//! How `$batch` behaves, and what may go wrong with its answer.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use serde_json::Value;

use crate::simulator::graph::BODY_LIMIT;

/// What `POST /$batch` does beside answering its parts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// False answers 404, as a cloud or a proxy that does not have it.
    pub enabled: bool,
    /// Whether answers come in another order than the requests. The same parts come in the same order in every run
    /// with the same seed.
    pub shuffle: bool,
    /// So many answers of parts are missing, one from each batch until it was that many; their requests were carried
    /// out.
    pub lose_parts: u64,
    /// So many answers of parts come twice, one in each batch.
    pub duplicate_parts: u64,
    /// So many answers of parts have another beside them that says the opposite, one in each batch: 503 to what was
    /// carried out, 200 to what was not.
    pub contradict_parts: u64,
    /// How parts' ids are spelled in the answer.
    pub ids: PartIdFormat,
    /// The longest body that is taken, in bytes; a longer one is 413. Users report 4 MB, and that is the most here.
    pub max_bytes: usize,
}

/// How a part's id is spelled in the answer. Case doesn't count (Graph's json-batching page).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartIdFormat {
    /// As it was sent.
    #[default]
    AsSent,
    /// In capitals.
    Uppercase,
    /// As a number, if it is one.
    Number,
}

impl PartIdFormat {
    /// The id as it stands in the answer.
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

/// What went wrong so far.
#[derive(Debug, Default)]
pub(in crate::simulator) struct BatchFaults {
    lost: AtomicU64,
    duplicated: AtomicU64,
    contradicted: AtomicU64,
}

impl BatchFaults {
    /// Whether a part of the next answer is to be lost.
    pub(super) fn lose(&self, config: &BatchConfig) -> bool {
        take_from_budget(&self.lost, config.lose_parts)
    }

    /// Whether a part of the next answer is to come twice.
    pub(super) fn duplicate(&self, config: &BatchConfig) -> bool {
        take_from_budget(&self.duplicated, config.duplicate_parts)
    }

    /// Whether a part of the next answer is to be contradicted.
    pub(super) fn contradict(&self, config: &BatchConfig) -> bool {
        take_from_budget(&self.contradicted, config.contradict_parts)
    }

    /// Begins to count anew.
    pub(in crate::simulator) fn reset(&self) {
        self.lost.store(0, Ordering::Relaxed);
        self.duplicated.store(0, Ordering::Relaxed);
        self.contradicted.store(0, Ordering::Relaxed);
    }
}

/// Counts one more, as long as that stays within `most`.
fn take_from_budget(count: &AtomicU64, max: u64) -> bool {
    let next = |count| (count < max).then_some(count + 1);
    count.try_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
}
