//! Waiting for many answers at once, on one task.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// A future that is waited for, with its place among the results.
type PendingFuture<'a, T> = (usize, Pin<Box<dyn Future<Output = T> + 'a>>);

/// Runs the futures side by side, at most so many at once, and gives what each comes to in their order.
///
/// They share the caller's task: none needs to be sent to another thread, and all end where the caller is dropped.
pub(crate) async fn buffered<'a, T, F>(most: usize, futures: impl IntoIterator<Item = F>) -> Vec<T>
where
    F: Future<Output = T> + 'a,
{
    let mut coming = futures.into_iter();
    let mut waiting: Vec<PendingFuture<'a, T>> = Vec::new();
    let mut results: Vec<Option<T>> = Vec::new();
    poll_fn(|context| {
        loop {
            while waiting.len() < most.max(1)
                && let Some(future) = coming.next()
            {
                waiting.push((results.len(), Box::pin(future)));
                results.push(None);
            }
            let before = waiting.len();
            waiting.retain_mut(|(place, future)| match future.as_mut().poll(context) {
                Poll::Ready(result) => {
                    results[*place] = Some(result);
                    false
                }
                Poll::Pending => true,
            });
            if waiting.is_empty() && before == 0 {
                return Poll::Ready(());
            }
            // Who ended makes room for others, which must be polled once to be woken at all.
            if waiting.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await;
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn none_waits_for_another_and_no_more_than_asked_run_at_once() {
        let (running, most) = (Cell::new(0_usize), Cell::new(0_usize));
        let one = |number: u64| {
            let (running, most) = (&running, &most);
            async move {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                tokio::time::sleep(Duration::from_secs(10 - number)).await;
                running.set(running.get() - 1);
                number
            }
        };
        let began = tokio::time::Instant::now();
        assert_eq!(buffered(4, (0..8).map(one)).await, (0..8).collect::<Vec<_>>());
        assert_eq!(most.get(), 4);
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        assert_eq!(buffered(4, std::iter::empty::<std::future::Ready<u8>>()).await, Vec::<u8>::new());
    }
}
