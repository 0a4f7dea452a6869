//! Why a shard's manifest could not be published, for those who ask.

use parking_lot::Mutex;

/// What the last try to publish came to.
#[derive(Debug, Default)]
pub(crate) struct PublishBoard {
    error: Mutex<Option<String>>,
}

impl PublishBoard {
    /// Why the last try failed. `None`: it did not, or there was none.
    pub(crate) fn error(&self) -> Option<String> {
        self.error.lock().clone()
    }

    pub(super) fn failed(&self, error: String) {
        *self.error.lock() = Some(error);
    }

    pub(super) fn succeeded(&self) {
        *self.error.lock() = None;
    }
}
