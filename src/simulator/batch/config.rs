//! How `$batch` behaves, and what may go wrong with its answer.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;

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
}

impl Default for BatchConfig {
    fn default() -> BatchConfig {
        BatchConfig { enabled: true, shuffle: true, lose_parts: 0, duplicate_parts: 0 }
    }
}

/// What went wrong so far.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Mishaps {
    lost: AtomicU64,
    duplicated: AtomicU64,
}

impl Mishaps {
    /// Whether a part of the next answer is to be lost.
    pub(super) fn lose(&self, config: &BatchConfig) -> bool {
        take(&self.lost, config.lose_parts)
    }

    /// Whether a part of the next answer is to come twice.
    pub(super) fn duplicate(&self, config: &BatchConfig) -> bool {
        take(&self.duplicated, config.duplicate_parts)
    }

    /// Begins to count anew.
    pub(in crate::simulator) fn restart(&self) {
        self.lost.store(0, Ordering::Relaxed);
        self.duplicated.store(0, Ordering::Relaxed);
    }
}

/// Counts one more, as long as that stays within `most`.
fn take(count: &AtomicU64, most: u64) -> bool {
    let next = |count| (count < most).then_some(count + 1);
    count.try_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
}
