//! What a failed call means for the one who asked.

use std::error::Error as _;

use etcd_client::Error;
use tonic::Code;

use crate::store::{LeaseId, StoreError};

/// A failed call.
#[derive(Debug)]
pub(super) enum Failure {
    /// Certainly nothing was done; another member, or the same one later, may do it.
    NotDone(String),
    /// It was sent, or may have been, and there is no answer.
    Lost(String),
    /// The lease it names is not there.
    NoLease(String),
    /// etcd will not do it.
    Refused(String),
}

impl Failure {
    /// The meaning of an error of the client.
    pub(super) fn of(error: &Error) -> Failure {
        let reason = error.to_string();
        match error {
            Error::GRpcStatus(status) if never_connected(status) => Failure::NotDone(reason),
            Error::GRpcStatus(status) => match status.code() {
                // The member is too busy or its quota is used up; it says so before it does anything.
                Code::ResourceExhausted => Failure::NotDone(reason),
                Code::NotFound => Failure::NoLease(reason),
                Code::InvalidArgument
                | Code::FailedPrecondition
                | Code::OutOfRange
                | Code::AlreadyExists
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::Unimplemented
                | Code::DataLoss => Failure::Refused(reason),
                Code::Ok
                | Code::Cancelled
                | Code::Unknown
                | Code::DeadlineExceeded
                | Code::Aborted
                | Code::Internal
                | Code::Unavailable => Failure::Lost(reason),
            },
            // The client's word for a keep-alive that was answered with a time to live of nothing.
            Error::LeaseKeepAliveError(_) => Failure::NoLease(reason),
            Error::InvalidArgs(_) | Error::InvalidUri(_) | Error::InvalidMetadataValue(_) => Failure::Refused(reason),
            _ => Failure::Lost(reason),
        }
    }

    /// For a call that may be repeated, a lost answer is as if nothing was done.
    pub(super) fn of_read(self) -> StoreError {
        match self {
            Failure::NotDone(reason) | Failure::Lost(reason) => StoreError::Unavailable { reason },
            Failure::NoLease(reason) | Failure::Refused(reason) => StoreError::Refused { reason },
        }
    }

    /// For a call about a lease that may be repeated.
    pub(super) fn of_lease(self, lease: LeaseId) -> StoreError {
        match self {
            Failure::NoLease(_) => StoreError::LeaseGone(lease),
            other => other.of_read(),
        }
    }

    /// For a transaction that binds keys to `lease`, or to none.
    pub(super) fn of_commit(self, lease: Option<LeaseId>) -> StoreError {
        match (self, lease) {
            (Failure::Lost(reason), _) => StoreError::Unknown { reason },
            (Failure::NoLease(_), Some(lease)) => StoreError::LeaseGone(lease),
            (other, _) => other.of_read(),
        }
    }
}

/// Whether there was no connection to send anything on.
fn never_connected(status: &tonic::Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    fn commit_error(status: Status) -> StoreError {
        Failure::of(&Error::GRpcStatus(status)).of_commit(Some(LeaseId(7)))
    }

    #[test]
    fn only_a_connection_that_never_was_proves_that_a_transaction_was_not_sent() {
        let refused = tonic::ConnectError(Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)));
        assert!(matches!(commit_error(Status::from_error(Box::new(refused))), StoreError::Unavailable { .. }));
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(matches!(commit_error(Status::from_error(Box::new(reset))), StoreError::Unknown { .. }));
        for lost in [Status::unavailable("leader changed"), Status::deadline_exceeded("x"), Status::unknown("x")] {
            assert!(matches!(commit_error(lost), StoreError::Unknown { .. }));
        }
    }

    #[test]
    fn refusals_and_lost_leases_are_told_apart_from_absence() {
        assert!(matches!(commit_error(Status::invalid_argument("x")), StoreError::Refused { .. }));
        assert!(matches!(commit_error(Status::permission_denied("x")), StoreError::Refused { .. }));
        assert!(matches!(commit_error(Status::not_found("x")), StoreError::LeaseGone(LeaseId(7))));
        assert!(matches!(commit_error(Status::resource_exhausted("x")), StoreError::Unavailable { .. }));
    }
}
