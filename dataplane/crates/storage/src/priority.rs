//! Which threads give way: work that nobody waits for does not take the processor from acknowledgements and searches.

use rustix::process::{getpriority_process, setpriority_process};
use rustix::thread::gettid;
use tracing::Span;

/// How much further behind a thread is put: with 5 it gets a third of the time of one that is not, while both want it.
const STEP: i32 = 5;

/// Puts the calling thread, and only it, behind those who answer somebody. Where it cannot be done nothing is lost but time.
pub(crate) fn work_behind() {
    let thread = Some(gettid());
    let placed = getpriority_process(thread).and_then(|nice| setpriority_process(thread, (nice + STEP).min(19)));
    if let Err(error) = placed {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

/// Does work on a thread of its own that is put behind, and waits for it: a thread that has been put behind cannot come back.
pub(crate) fn behind<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let span = Span::current();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            work_behind();
            span.in_scope(work)
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> i32 {
        getpriority_process(Some(gettid())).expect("known")
    }

    #[test]
    fn only_the_work_is_put_behind() {
        let before = own();
        assert_eq!(behind(own), (before + STEP).min(19));
        assert_eq!(own(), before);
    }
}
