//! What is said while tenants are signed in to, where that takes long: how many are done, and whom it waits for.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::time::Duration;

use crate::console::{self, OutputFormat, wording};
use crate::tenant::TenantName;

/// Nothing is said of sign-ins that take no longer, nor sooner again.
const EVERY: Duration = Duration::from_secs(5);

/// So many tenants are named.
const NAMED: usize = 3;

/// Sign-ins that go on side by side.
pub(super) struct SignInProgress {
    all: usize,
    ended: Cell<usize>,
    begun: RefCell<Vec<String>>,
    silent: bool,
}

impl SignInProgress {
    /// So many are to come; nothing is said where no output is wanted.
    pub(super) fn new(all: usize, output: OutputFormat) -> SignInProgress {
        SignInProgress {
            all,
            ended: Cell::new(0),
            begun: RefCell::new(Vec::new()),
            silent: output == OutputFormat::None,
        }
    }

    pub(super) fn begins(&self, name: &TenantName) {
        self.begun.borrow_mut().push(name.to_string());
    }

    pub(super) fn ends(&self, name: &TenantName) {
        self.ended.set(self.ended.get() + 1);
        self.begun.borrow_mut().retain(|begun| *begun != name.to_string());
    }

    /// Waits for all of them, and says so.
    pub(super) async fn tell<T>(&self, signing: impl Future<Output = T>) -> T {
        let mut signing = std::pin::pin!(signing);
        loop {
            match tokio::time::timeout(EVERY, signing.as_mut()).await {
                Ok(tried) => return tried,
                Err(_) if self.silent => {}
                Err(_) => console::print_status(&self.sentence()),
            }
        }
    }

    fn sentence(&self) -> String {
        let begun = self.begun.borrow();
        let (ended, all) = (wording::count(self.ended.get() as u64), wording::count(self.all as u64));
        let more = match begun.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {} more", wording::count(more as u64)),
        };
        let names = begun.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("signing in: {ended} of {all} tenants so far; waiting for {names}{more}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_whom_it_waits_for() {
        let waiting = SignInProgress::new(1_200, OutputFormat::Text);
        let names: Vec<TenantName> = (0..6).map(|at| format!("t{at}.example").parse().unwrap()).collect();
        names.iter().for_each(|name| waiting.begins(name));
        waiting.ends(&names[0]);
        assert_eq!(
            waiting.sentence(),
            "signing in: 1 of 1,200 tenants so far; waiting for t1.example, t2.example, t3.example and 2 more"
        );
        names[2..5].iter().for_each(|name| waiting.ends(name));
        assert_eq!(
            waiting.sentence(),
            "signing in: 4 of 1,200 tenants so far; waiting for t1.example, t5.example"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_waited_for_comes_through() {
        let waiting = SignInProgress::new(2, OutputFormat::None);
        let slow = async {
            tokio::time::sleep(EVERY * 3).await;
            7
        };
        assert_eq!(waiting.tell(slow).await, 7);
    }
}
