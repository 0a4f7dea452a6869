//! Why a search ends before it is through.

use grepzilla_storage::ReadError;

use crate::clock::Expired;

#[derive(Debug, Clone)]
pub(super) enum Stop {
    Deadline,
    Budget,
    /// A part of a block could not be read: there is no answer.
    Unreadable(ReadError),
}

impl Stop {
    /// The graver of two.
    pub(super) fn or_graver(self, other: Stop) -> Stop {
        match (&self, &other) {
            (Stop::Unreadable(_), _) => self,
            (_, Stop::Unreadable(_)) => other,
            (Stop::Deadline, _) => self,
            _ => other,
        }
    }
}

impl From<Expired> for Stop {
    fn from(_: Expired) -> Stop {
        Stop::Deadline
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Stop {
        Stop::Unreadable(error)
    }
}
