//! A hash that is the same in every run and on every machine, so that a seed always gives the same results.

/// FNV-1a with a final mix, so that every bit depends on every byte.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(hash)
}

/// Hashes the keys of maps, eight bytes at a time, because every request brings a token of about a thousand bytes. It
/// doesn't resist attacks with colliding keys, which a simulator doesn't need.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FastHasher(u64);

/// Makes [`FastHasher`] hashers for a map.
pub(super) type BuildFastHasher = std::hash::BuildHasherDefault<FastHasher>;

impl std::hash::Hasher for FastHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for &byte in rest {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    fn finish(&self) -> u64 {
        mix(self.0)
    }
}

/// The finalizer of SplitMix64.
pub(super) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A number in [0, 1), made from a hash.
pub(super) fn unit_interval(hash: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let top = (hash >> 11) as f64;
    top / 9_007_199_254_740_992.0
}

/// A GUID that is always the same for the same text.
pub(super) fn guid(text: &str) -> uuid::Uuid {
    let low = hash(text.as_bytes());
    let bits = (u128::from(mix(low)) << 64) | u128::from(low);
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn fast_hashes_of_texts_differ() {
        let texts = (0..10_000).map(|n| format!("{}{n}", "x".repeat(n % 40)));
        let hashes: HashSet<u64> = texts.map(|text| BuildFastHasher::default().hash_one(text)).collect();
        assert_eq!(hashes.len(), 10_000);
        // Maps use the low bits for the bucket and the high bits for the tag, so both must vary.
        let low: HashSet<u64> = hashes.iter().map(|hash| hash & 0xff).collect();
        let high: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
        assert_eq!((low.len(), high.len()), (256, 128));
    }
}
