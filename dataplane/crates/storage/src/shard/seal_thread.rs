//! The thread that makes columns of full blocks, so that nobody's acknowledgement waits for it.

use std::sync::Arc;
use std::thread::JoinHandle;

use grepzilla_model::ShardId;

use super::contents::Contents;
use crate::priority;

/// The running thread. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct SealThread {
    contents: Arc<Contents>,
    thread: Option<JoinHandle<()>>,
}

impl SealThread {
    pub(super) fn start(contents: &Arc<Contents>, shard: ShardId) -> SealThread {
        let thread = std::thread::Builder::new().name(format!("seal-{shard}")).spawn({
            let contents = Arc::clone(contents);
            move || {
                priority::work_behind();
                contents.hot().seal_until_stopped();
            }
        });
        SealThread { contents: Arc::clone(contents), thread: Some(thread.expect("the system has room for a thread")) }
    }
}

impl Drop for SealThread {
    fn drop(&mut self) {
        self.contents.hot().stop_sealing();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that seals blocks has panicked");
        }
    }
}
