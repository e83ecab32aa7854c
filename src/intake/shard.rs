//! `--shard I/N`: decides which of several machines that read the same input handles a row.
//!
//! The decision is a pure function of the input, so that the machines need not communicate: of the tenants in the
//! input, and of each row's tenant and ID. It does not depend on the order of the rows, on duplicates, on the spelling
//! of an ID, or on the machine. SHA-256 is the same everywhere and in every version.
//!
//! ```text
//!  at least as many tenants as shards       fewer tenants than shards
//!    tenants by their hash:  t1 t2 t3 t4 t5   tenants by their hash:  t1    t2
//!    shard:                   1  2  3  1  2   their shards:          1, 3   2, 4
//!                                             a user's hash picks one of them
//! ```
//!
//! An app has a quota in each tenant, so two machines share a quota only if there are more machines than tenants.
//!
//! IDs are used as they are written, and not as the directory resolves them: the directory may change between the reads
//! of two machines, and then no machine might handle a row. So a person with two IDs may be in two shards, which only
//! costs an additional request.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::user_id::UserId;

/// The maximum number of shards.
const MAX_SHARDS: u32 = 10_000;

/// One of several equal parts of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    total: u32,
    number: u32,
}

impl Shard {
    /// The number of this shard, from 1.
    pub fn number(self) -> u32 {
        self.number
    }

    /// How many shards there are.
    pub fn total(self) -> u32 {
        self.total
    }

    /// All shards of the input, including this one, in order.
    pub fn siblings(self) -> impl Iterator<Item = Shard> {
        (1..=self.total).map(move |number| Shard { total: self.total, number })
    }
}

/// Why a text is not a shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write I/N, such as 2/4: the second of four parts; I from 1 to N, N at most {MAX_SHARDS}")]
pub struct InvalidShard;

impl FromStr for Shard {
    type Err = InvalidShard;

    fn from_str(text: &str) -> Result<Shard, InvalidShard> {
        let (number, of) = text.trim().split_once('/').ok_or(InvalidShard)?;
        let read = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u32>().ok().filter(|_| digits).ok_or(InvalidShard)
        };
        let (number, of) = (read(number.trim())?, read(of.trim())?);
        if (1..=of).contains(&number) && of <= MAX_SHARDS {
            Ok(Shard { total: of, number })
        } else {
            Err(InvalidShard)
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = InvalidShard;

    fn try_from(text: String) -> Result<Shard, InvalidShard> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.total)
    }
}

/// A hash that is the same on every machine.
type ShardDigest = [u8; 32];

/// The tenants in an input, by hash.
#[derive(Clone, Debug, Default)]
pub struct ShardTenants(Vec<ShardDigest>);

impl ShardTenants {
    /// Adds a row's tenant; `None` if the row does not name one.
    pub fn add(&mut self, tenant: Option<&str>) {
        let digest = tenant_digest(tenant);
        // Rows of the same tenant are usually together.
        if self.0.last() == Some(&digest) {
            return;
        }
        if let Err(place) = self.0.binary_search(&digest) {
            self.0.insert(place, digest);
        }
    }

    /// The number of the shard, from 1 to `shards`, that handles a row with this tenant and this ID. The ID may be any
    /// text, because a row without a valid ID also has a shard.
    pub fn shard_of(&self, shards: u32, tenant: Option<&str>, id: &str) -> u32 {
        let tenant = tenant_digest(tenant);
        let tenants = self.0.len().max(1) as u64;
        // A tenant that no row names comes from a selector. It gets the rank of its neighbor, which is the same on
        // every machine.
        let rank = self.0.binary_search(&tenant).unwrap_or_else(|place| place) as u64 % tenants;
        let shards = u64::from(shards);
        if tenants >= shards {
            return (rank % shards) as u32 + 1;
        }
        let tenant_shards = (shards - rank).div_ceil(tenants);
        let pick = to_number(&user_digest(&tenant, id)) % tenant_shards;
        (rank + pick * tenants) as u32 + 1
    }

    /// Whether a shard handles a row with this tenant and this ID.
    pub fn is_in(&self, shard: Shard, tenant: Option<&str>, id: &str) -> bool {
        self.shard_of(shard.total, tenant, id) == shard.number
    }
}

fn tenant_digest(tenant: Option<&str>) -> ShardDigest {
    let tenant = tenant.map(str::trim).filter(|tenant| !tenant.is_empty());
    match tenant {
        Some(tenant) => digest(&[b"tenant", normalize_id(tenant).as_bytes()]),
        None => digest(&[b"no tenant"]),
    }
}

fn user_digest(tenant: &ShardDigest, id: &str) -> ShardDigest {
    digest(&[b"user", tenant, normalize_id(id).as_bytes()])
}

fn digest(parts: &[&[u8]]) -> ShardDigest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut digest = ShardDigest::default();
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

fn to_number(digest: &ShardDigest) -> u64 {
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// One text for all spellings of an ID, as [`UserId`] compares them; for a text that is not an ID, its lower case.
fn normalize_id(text: &str) -> String {
    match text.parse() {
        Ok(id @ (UserId::Object(_) | UserId::Me)) => id.to_string(),
        Ok(UserId::Principal(_)) | Err(_) => text.trim().chars().flat_map(char::to_lowercase).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().unwrap()
    }

    #[test]
    fn a_shard_is_written_as_a_fraction() {
        assert_eq!((shard("2/4").number(), shard(" 2 / 4 ").total()), (2, 4));
        assert_eq!(shard("02/4").to_string(), "2/4");
        let siblings: Vec<String> = shard("2/3").siblings().map(|shard| shard.to_string()).collect();
        assert_eq!(siblings, ["1/3", "2/3", "3/3"]);
        for wrong in ["", "2", "0/4", "5/4", "1/0", "0/0", "-1/4", "+1/4", "1/4/4", "1,4", "1/10001", "a/b"] {
            assert_eq!(wrong.parse::<Shard>(), Err(InvalidShard), "{wrong:?}");
        }
    }

    /// The shard of a row must never change, because machines with different versions may work on the same input.
    #[test]
    fn row_to_shard_assignment_is_stable() {
        let mut tenants = ShardTenants::default();
        let one = |tenants: &ShardTenants| {
            [
                "ann@contoso.com",
                "bob@contoso.com",
                "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f",
                "me",
                "",
                "Total: 37",
            ]
            .map(|id| tenants.shard_of(4, None, id))
        };
        tenants.add(None);
        assert_eq!(one(&tenants), KNOWN);
        let named = ["contoso.com", "fabrikam.com", "adatum.com", "wingtip.com", "litware.com"];
        let mut tenants = ShardTenants::default();
        named.iter().for_each(|tenant| tenants.add(Some(tenant)));
        assert_eq!(named.map(|tenant| tenants.shard_of(3, Some(tenant), "ann@contoso.com")), KNOWN_TENANTS);
    }

    const KNOWN: [u32; 6] = [4, 4, 3, 4, 4, 1];
    const KNOWN_TENANTS: [u32; 5] = [2, 3, 1, 1, 2];

    fn id() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[a-f]{1,3}@[a-c]\\.com",
            2 => any::<u128>().prop_map(|bits| uuid::Uuid::from_u128(bits).to_string()),
            1 => Just("me".to_owned()),
            1 => "[ -~]{0,6}",
            1 => "[äÅßΣİ]{1,2}@b\\.com",
        ]
    }

    type TestRows = Vec<(Option<String>, String)>;

    fn rows() -> impl Strategy<Value = TestRows> {
        let tenant = prop_oneof![Just(None), "t[0-9]{1,2}".prop_map(Some)];
        let of_some = prop::collection::vec((tenant, id()), 0..40);
        let of_one = prop::collection::vec(id().prop_map(|id| (None, id)), 0..40);
        prop_oneof![of_some, of_one]
    }

    fn tenants(rows: &TestRows) -> ShardTenants {
        let mut tenants = ShardTenants::default();
        rows.iter().for_each(|(tenant, _)| tenants.add(tenant.as_deref()));
        tenants
    }

    /// The same ID in another spelling.
    fn respelled(id: &str) -> String {
        match uuid::Uuid::try_parse(id) {
            Ok(uuid) => format!(" {{{}}}", uuid.to_string().to_uppercase()),
            Err(_) => format!("{} ", id.to_ascii_uppercase()),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn each_row_is_in_one_shard_whatever_its_order_and_spelling(
            rows in rows(), of in 1..9_u32, seed in any::<u64>(), twice in any::<bool>(),
        ) {
            let known = tenants(&rows);
            let mut other = rows.clone();
            if twice {
                other.extend(rows.iter().take(3).cloned());
            }
            fastrand::Rng::with_seed(seed).shuffle(&mut other);
            for (tenant, _) in &mut other {
                *tenant = tenant.as_ref().map(|tenant| format!(" {}", tenant.to_uppercase()));
            }
            let anew = tenants(&other);
            for (tenant, id) in &rows {
                let tenant = tenant.as_deref();
                let holders: Vec<Shard> =
                    Shard { total: of, number: 1 }.siblings().filter(|shard| known.is_in(*shard, tenant, id)).collect();
                prop_assert_eq!(holders.len(), 1, "{:?} {:?}", tenant, id);
                let upper = tenant.map(str::to_uppercase);
                prop_assert_eq!(anew.shard_of(of, upper.as_deref(), &respelled(id)), holders[0].number());
            }
        }

        #[test]
        fn shards_share_a_tenant_only_where_there_are_more_of_them(rows in rows(), of in 1..9_u32) {
            let known = tenants(&rows);
            let names: std::collections::BTreeSet<_> = rows.iter().map(|(tenant, _)| tenant.clone()).collect();
            let mut shards_of = std::collections::BTreeMap::new();
            for (tenant, id) in &rows {
                let shard = known.shard_of(of, tenant.as_deref(), id);
                shards_of.entry(tenant.clone()).or_insert_with(std::collections::BTreeSet::new).insert(shard);
            }
            if names.len() >= of as usize {
                prop_assert!(shards_of.values().all(|shards| shards.len() == 1));
                let mut count = vec![0_u32; of as usize];
                shards_of.values().flatten().for_each(|shard| count[*shard as usize - 1] += 1);
                // Each has its share of the tenants, plus or minus one.
                prop_assert!(count.iter().max().unwrap() - count.iter().min().unwrap() <= 1, "{:?}", count);
            } else {
                let all: Vec<u32> = shards_of.values().flatten().copied().collect();
                let distinct: std::collections::BTreeSet<u32> = all.iter().copied().collect();
                prop_assert_eq!(all.len(), distinct.len(), "two tenants share a shard");
            }
        }
    }

    #[test]
    fn users_of_one_tenant_are_spread_evenly() {
        let mut tenants = ShardTenants::default();
        tenants.add(None);
        for of in [2, 3, 7] {
            let mut count = vec![0_i64; of as usize];
            for n in 0..8_400 {
                count[tenants.shard_of(of, None, &format!("u{n}@contoso.com")) as usize - 1] += 1;
            }
            let share = 8_400 / i64::from(of);
            assert!(count.iter().all(|count| (count - share).abs() * 10 < share), "{of}: {count:?}");
        }
    }
}
