//! How many shards of a node build segments at once.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Turns at heavy work: one for each core. Merges leave one to flushes, which memory waits for.
#[derive(Debug)]
pub(in crate::shards) struct Jobs {
    all: Semaphore,
    merges: Semaphore,
}

/// A turn; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _merge: Option<SemaphorePermit<'a>>,
    _job: SemaphorePermit<'a>,
}

impl Jobs {
    /// As many as there are cores, but two at least, so that a long merge never stops all flushes.
    pub(in crate::shards) fn new() -> Jobs {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).max(2);
        Jobs { all: Semaphore::new(cores), merges: Semaphore::new(cores - 1) }
    }

    pub(super) async fn flush(&self) -> Turn<'_> {
        Turn { _merge: None, _job: taken(&self.all).await }
    }

    pub(super) async fn merge(&self) -> Turn<'_> {
        // In this order: whoever waits for the second one keeps no flush from its turn.
        let merge = taken(&self.merges).await;
        Turn { _merge: Some(merge), _job: taken(&self.all).await }
    }
}

async fn taken(semaphore: &Semaphore) -> SemaphorePermit<'_> {
    semaphore.acquire().await.expect("nobody closes the semaphore")
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn merges_leave_a_turn_to_flushes() {
        let jobs = Jobs::new();
        let mut merging = Vec::new();
        while let Some(turn) = jobs.merge().now_or_never() {
            merging.push(turn);
        }
        assert!(!merging.is_empty());
        let flushing = jobs.flush().now_or_never().expect("a turn was left");
        assert!(jobs.flush().now_or_never().is_none(), "more at once than there are turns");
        drop(flushing);
        merging.pop();
        assert!(jobs.merge().now_or_never().is_some());
    }
}
