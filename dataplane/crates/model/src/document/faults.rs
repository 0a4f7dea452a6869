//! What is wrong with one document: the first fault, or as many as can be told.
//!
//! Reading stops at the first fault, because a document that has one does not enter. Only a document that was refused is
//! read once more, for its sender to see all of its faults at once.

use super::DocumentError;

/// What a reader does with a fault.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// `None`: the first one ends the reading.
    gathered: Option<Vec<DocumentError>>,
}

impl Faults {
    /// Faults of one document that are told, at most.
    pub(super) const TOLD_MAX: usize = 8;

    /// The first fault ends the reading.
    pub(super) fn first_ends() -> Faults {
        Faults { gathered: None }
    }

    /// Faults are gathered, each kind once for each field, until there are [`Faults::TOLD_MAX`].
    pub(super) fn gathered() -> Faults {
        Faults { gathered: Some(Vec::new()) }
    }

    /// A fault. An error ends the reading; otherwise it goes on as if the value were right.
    pub(super) fn found(&mut self, error: DocumentError) -> Result<(), DocumentError> {
        let Some(gathered) = &mut self.gathered else { return Err(error) };
        if gathered.iter().any(|known| known.code() == error.code() && known.field() == error.field()) {
            return Ok(());
        }
        if gathered.len() + 1 >= Faults::TOLD_MAX {
            return Err(error);
        }
        gathered.push(error);
        Ok(())
    }

    /// What was gathered, and behind it what ended the reading.
    pub(super) fn into_list(self, end: Option<DocumentError>) -> Vec<DocumentError> {
        let mut faults = self.gathered.unwrap_or_default();
        faults.extend(end);
        faults
    }
}
