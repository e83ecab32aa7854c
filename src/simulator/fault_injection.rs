//! Decides which fault applies to which request. The same seed gives the same faults in every run, at any concurrency,
//! because a request is identified by its ID and by the number of earlier requests with that ID.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::client_key::{ClientKey, ClientPattern};
use super::fault::{Fault, FaultAnswer, FaultEndpoint};
use super::fingerprint;
use super::glob::Glob;
use super::lock::lock;

const SHARDS: usize = 16;

/// The faults of a configuration, and how often each has been applied.
pub(super) struct FaultInjector {
    seed: u64,
    rules: Vec<FaultRule>,
    /// The number of requests so far for each ID (by fingerprint), for IDs that at least one rule matches.
    request_counts: Vec<Mutex<HashMap<u64, u32>>>,
}

/// A compiled fault with its counters.
pub(super) struct FaultRule {
    pub(super) fault: Fault,
    clients: ClientPattern,
    glob: Glob,
    /// The number of matching requests that count towards `beyond`.
    matched: AtomicU64,
    injected: AtomicU64,
    /// The lowest serial of a token that satisfies this rule's challenge. 0 before the first challenge.
    satisfied_from: AtomicU64,
    /// Whether a token has been used that was issued for a challenge's claims.
    challenge_answered: AtomicBool,
}

/// What happens to one request.
pub(super) struct Injection<'a> {
    /// Extra time to wait, in simulated time.
    pub(super) delay: Duration,
    pub(super) rule: Option<&'a FaultRule>,
}

/// What challenges need to know of a request's token.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TokenSerials {
    pub(super) token: u64,
    /// The serial that the next token will have.
    pub(super) next: u64,
    /// Whether its client declared that it can handle challenges.
    pub(super) cp1: bool,
    /// Whether it was issued for the claims of a challenge.
    pub(super) answers_challenge: bool,
}

impl FaultInjector {
    pub(super) fn new(seed: u64, faults: &[Fault]) -> FaultInjector {
        let rule = |fault: &Fault| FaultRule {
            fault: fault.clone(),
            clients: ClientPattern::new(&fault.tenant, &fault.app),
            glob: Glob::new(&fault.pattern),
            matched: AtomicU64::new(0),
            injected: AtomicU64::new(0),
            satisfied_from: AtomicU64::new(0),
            challenge_answered: AtomicBool::new(false),
        };
        FaultInjector {
            seed,
            rules: faults.iter().map(rule).collect(),
            request_counts: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
        }
    }

    /// Resets all counts.
    pub(super) fn reset(&self) {
        self.request_counts.iter().for_each(|seen| lock(seen).clear());
        for rule in &self.rules {
            rule.matched.store(0, Ordering::Relaxed);
            rule.injected.store(0, Ordering::Relaxed);
            rule.satisfied_from.store(0, Ordering::Relaxed);
            rule.challenge_answered.store(false, Ordering::Relaxed);
        }
    }

    /// Decides on the next request of `client_key` at `endpoint`, and counts it. `ids` are the names that a pattern can
    /// match, in lower case. Requests are counted under the first one.
    pub(super) fn inject<'a, N>(
        &self,
        endpoint: FaultEndpoint,
        client_key: &ClientKey<'_>,
        ids: N,
        serials: TokenSerials,
    ) -> Injection<'_>
    where
        N: Iterator<Item = &'a str> + Clone,
    {
        let mut injection = Injection { delay: Duration::ZERO, rule: None };
        let matches = |rule: &FaultRule| {
            rule.fault.endpoint == endpoint
                && rule.clients.matches(client_key)
                && ids.clone().any(|id| rule.glob.matches(id))
        };
        let id = ids.clone().next().unwrap_or_default();
        // Most requests match no rule and need no lock.
        let Some(first) = self.rules.iter().position(matches) else { return injection };
        let id_hash = fingerprint::mix(fingerprint::hash(id.as_bytes()) ^ endpoint as u64);
        // An app signs in to each tenant separately, so sign-ins are counted for each tenant too.
        let id_hash = match endpoint {
            FaultEndpoint::Token | FaultEndpoint::DeviceCode => {
                id_hash ^ fingerprint::hash(client_key.tenant.as_bytes())
            }
            _ => id_hash,
        };
        let nth = self.next_number(id_hash);
        for (index, rule) in self.rules.iter().enumerate().skip(first).filter(|(_, rule)| matches(rule)) {
            let roll =
                fingerprint::mix(self.seed ^ fingerprint::mix(id_hash ^ fingerprint::mix(index as u64)));
            if !rule.applies(nth, fingerprint::mix(roll ^ u64::from(nth)), serials) {
                continue;
            }
            if rule.fault.answer != FaultAnswer::Delay {
                injection.rule = Some(rule);
                break;
            }
            injection.delay += rule.fault.delay;
        }
        injection
    }

    fn next_number(&self, id_hash: u64) -> u32 {
        let shard = &self.request_counts[usize::try_from(id_hash % SHARDS as u64).unwrap_or_default()];
        let mut seen = lock(shard);
        let count = seen.entry(id_hash).or_default();
        *count += 1;
        *count - 1
    }
}

impl FaultRule {
    fn applies(&self, nth: u32, roll: u64, serials: TokenSerials) -> bool {
        let fault = &self.fault;
        let Some(beyond) = nth.checked_sub(fault.after) else { return false };
        if fault.times.is_some_and(|times| beyond >= times)
            || fingerprint::unit_interval(roll) >= fault.chance
        {
            return false;
        }
        if fault.answer == FaultAnswer::Challenge && !self.needs_challenge(serials) {
            return false;
        }
        if fault.beyond > 0 && self.matched.fetch_add(1, Ordering::Relaxed) < fault.beyond {
            return false;
        }
        fault.first.is_none_or(|first| self.injected.fetch_add(1, Ordering::Relaxed) < first)
    }

    /// Whether the token is older than this rule's first challenge, or was issued without its claims. If there was no
    /// challenge yet, this request gets the first one. Once a challenge has been answered, every later token is
    /// accepted, because it was also issued late enough.
    fn needs_challenge(&self, serials: TokenSerials) -> bool {
        if self.fault.cp1_only && !serials.cp1 {
            return false;
        }
        let unset =
            self.satisfied_from.compare_exchange(0, serials.next, Ordering::Relaxed, Ordering::Relaxed);
        let from = unset.map_or_else(|from| from, |_| serials.next);
        if serials.token < from {
            return true;
        }
        self.challenge_answered.fetch_or(serials.answers_challenge, Ordering::Relaxed);
        !self.challenge_answered.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: TokenSerials = TokenSerials { token: 1, next: 2, cp1: false, answers_challenge: false };

    fn faults(seed: u64, flags: &[&str]) -> FaultInjector {
        let parsed: Vec<Fault> = flags.iter().map(|flag| flag.parse().unwrap()).collect();
        FaultInjector::new(seed, &parsed)
    }

    fn strike<'a>(faults: &'a FaultInjector, id: &str, serials: TokenSerials) -> Injection<'a> {
        faults.inject(FaultEndpoint::Graph, &ClientKey::default(), std::iter::once(id), serials)
    }

    fn status(faults: &FaultInjector, id: &str) -> Option<FaultAnswer> {
        strike(faults, id, TOKEN).rule.map(|rule| rule.fault.answer)
    }

    #[test]
    fn times_and_after_count_for_each_id() {
        let faults = faults(0, &["match=a*;answer=503;after=1;times=2"]);
        let hits = |id| (0..5).map(|_| status(&faults, id).is_some()).collect::<Vec<_>>();
        assert_eq!(hits("a1"), [false, true, true, false, false]);
        assert_eq!(hits("a2"), [false, true, true, false, false]);
        assert_eq!(hits("b"), [false; 5]);
    }

    #[test]
    fn first_counts_over_all_ids() {
        let faults = faults(0, &["answer=500;first=3"]);
        let hits = (0..10).filter(|n| status(&faults, &format!("u{n}")).is_some()).count();
        assert_eq!(hits, 3);
    }

    #[test]
    fn beyond_skips_requests_across_all_ids() {
        let faults = faults(0, &["answer=403;beyond=3"]);
        let hits: Vec<bool> = (0..6).map(|n| status(&faults, &format!("u{n}")).is_some()).collect();
        assert_eq!(hits, [false, false, false, true, true, true]);
        faults.reset();
        assert!(status(&faults, "a").is_none());
    }

    #[test]
    fn a_rule_applies_only_to_its_tenants_and_apps() {
        let faults = faults(0, &["tenant=t1*;app=app-?;answer=500;times=1"]);
        let struck = |endpoint, tenant, app| {
            let client_key = ClientKey { tenant, domain: None, app };
            faults.inject(endpoint, &client_key, ["a"].into_iter(), TOKEN).rule.is_some()
        };
        let graph = FaultEndpoint::Graph;
        assert!(!struck(graph, "t2", "app-1") && !struck(graph, "t1", "other"));
        assert_eq!([struck(graph, "t1", "app-1"), struck(graph, "t11", "app-2")], [true, false], "one id");
    }

    #[test]
    fn a_sign_in_is_counted_for_each_tenant() {
        let faults = faults(0, &["endpoint=token;answer=500;times=1"]);
        let struck = |tenant| {
            let client_key = ClientKey { tenant, domain: None, app: "a" };
            faults.inject(FaultEndpoint::Token, &client_key, ["a"].into_iter(), TOKEN).rule.is_some()
        };
        assert_eq!([struck("t1"), struck("t1"), struck("t2"), struck("t2")], [true, false, true, false]);
    }

    #[test]
    fn the_first_match_applies_and_delays_add_up() {
        let faults =
            faults(0, &["answer=delay;delay=1s", "answer=delay;delay=2s", "answer=500", "answer=404"]);
        let injection = strike(&faults, "a", TOKEN);
        assert_eq!(injection.delay, Duration::from_secs(3));
        assert_eq!(injection.rule.map(|rule| rule.fault.answer), Some(FaultAnswer::Status(500)));
        let token = faults.inject(FaultEndpoint::Token, &ClientKey::default(), ["a"].into_iter(), TOKEN);
        assert!(token.rule.is_none());
    }

    #[test]
    fn chance_is_decided_by_seed_id_and_number_not_by_order() {
        let ids: Vec<String> = (0..2000).map(|n| format!("u{n}@x.com")).collect();
        let hits = |seed, ids: &[String]| {
            let faults = faults(seed, &["answer=500;chance=0.1"]);
            let mut hit: Vec<_> = ids.iter().filter(|id| status(&faults, id).is_some()).cloned().collect();
            hit.sort();
            hit
        };
        let forth = hits(7, &ids);
        let back: Vec<String> = ids.iter().rev().cloned().collect();
        assert_eq!(forth, hits(7, &back));
        assert_ne!(forth, hits(8, &ids));
        assert!((140..260).contains(&forth.len()), "{}", forth.len());
    }

    #[test]
    fn a_newer_token_with_the_claims_satisfies_a_challenge() {
        let faults = faults(0, &["answer=challenge"]);
        let challenged = |token, answers| {
            let serials = TokenSerials { token, next: token + 1, answers_challenge: answers, cp1: false };
            strike(&faults, "a", serials).rule.is_some()
        };
        assert!(challenged(1, false));
        assert!(challenged(1, true), "the old token stays challenged");
        assert!(challenged(2, false), "a newer one that does not answer");
        assert!(!challenged(3, true));
        assert!(!challenged(4, false), "it was answered once");
    }

    #[test]
    fn a_challenge_can_require_declared_cp1() {
        let faults = faults(0, &["answer=challenge;cp1_only=true"]);
        let challenged = |cp1| {
            let serials = TokenSerials { token: 1, next: 2, cp1, answers_challenge: false };
            strike(&faults, "a", serials).rule.is_some()
        };
        assert!(!challenged(false));
        assert!(challenged(true));
    }

    #[test]
    fn reset_clears_fault_counts() {
        let faults = faults(0, &["answer=500;times=1;first=1"]);
        assert!(status(&faults, "a").is_some() && status(&faults, "a").is_none());
        faults.reset();
        assert!(status(&faults, "a").is_some());
    }
}
