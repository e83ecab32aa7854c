//! Progress of sign-ins to many tenants, if they take long: how many are done, and which ones are not.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::time::Duration;

use crate::console::{self, OutputFormat};
use crate::tenant::TenantName;
use crate::text::humanize;

/// Time before the first message, and between messages.
const INTERVAL: Duration = Duration::from_secs(5);

/// Maximum number of tenants that are named.
const MAX_NAMED: usize = 3;

/// The progress of parallel sign-ins.
pub(super) struct SignInProgress {
    total: usize,
    finished: Cell<usize>,
    pending: RefCell<Vec<String>>,
    silent: bool,
}

impl SignInProgress {
    /// The progress of `all` sign-ins, before the first. With `-o none`, nothing is printed.
    pub(super) fn new(all: usize, output: OutputFormat) -> SignInProgress {
        SignInProgress {
            total: all,
            finished: Cell::new(0),
            pending: RefCell::new(Vec::new()),
            silent: output == OutputFormat::None,
        }
    }

    pub(super) fn start(&self, name: &TenantName) {
        self.pending.borrow_mut().push(name.to_string());
    }

    pub(super) fn finish(&self, name: &TenantName) {
        self.finished.set(self.finished.get() + 1);
        self.pending.borrow_mut().retain(|begun| *begun != name.to_string());
    }

    /// Waits for the future, and prints the progress.
    pub(super) async fn report_while<T>(&self, signing: impl Future<Output = T>) -> T {
        let mut signing = std::pin::pin!(signing);
        loop {
            match tokio::time::timeout(INTERVAL, signing.as_mut()).await {
                Ok(tried) => return tried,
                Err(_) if self.silent => {}
                Err(_) => console::print_status(&self.status_text()),
            }
        }
    }

    fn status_text(&self) -> String {
        let begun = self.pending.borrow();
        let (ended, all) = (humanize::count(self.finished.get() as u64), humanize::count(self.total as u64));
        let more = match begun.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(" and {} more", humanize::count(more as u64)),
        };
        let names = begun.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("signing in: {ended} of {all} tenants done; waiting for {names}{more}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_names_pending_tenants() {
        let waiting = SignInProgress::new(1_200, OutputFormat::Text);
        let names: Vec<TenantName> = (0..6).map(|at| format!("t{at}.example").parse().unwrap()).collect();
        names.iter().for_each(|name| waiting.start(name));
        waiting.finish(&names[0]);
        assert_eq!(
            waiting.status_text(),
            "signing in: 1 of 1,200 tenants done; waiting for t1.example, t2.example, t3.example and 2 more"
        );
        names[2..5].iter().for_each(|name| waiting.finish(name));
        assert_eq!(
            waiting.status_text(),
            "signing in: 4 of 1,200 tenants done; waiting for t1.example, t5.example"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn report_while_returns_the_result() {
        let waiting = SignInProgress::new(2, OutputFormat::None);
        let slow = async {
            tokio::time::sleep(INTERVAL * 3).await;
            7
        };
        assert_eq!(waiting.report_while(slow).await, 7);
    }
}
