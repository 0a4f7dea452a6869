//! Building transactions, and the limits that all three homes share.

use std::collections::HashSet;

use super::{Compare, LeaseId, Operation, Revision, StoreError, Transaction};

/// Keys and values of one transaction, at most: etcd's own limit is 1.5 MiB including its envelope.
pub const TRANSACTION_BYTES_MAX: usize = 1 << 20;
/// Comparisons, and operations, of one transaction, at most: etcd's own limit.
pub const TRANSACTION_OPERATIONS_MAX: usize = 128;

impl Transaction {
    /// A transaction that does nothing yet.
    pub fn new() -> Transaction {
        Transaction::default()
    }

    /// Demands that a key does not exist.
    pub fn absent(mut self, key: impl Into<String>) -> Transaction {
        self.compares.push(Compare::Absent(key.into()));
        self
    }

    /// Demands that a key was last changed at `revision`.
    pub fn unchanged(mut self, key: impl Into<String>, revision: Revision) -> Transaction {
        self.compares.push(Compare::Unchanged(key.into(), revision));
        self
    }

    /// Writes a value.
    pub fn put(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Transaction {
        self.operations.push(Operation::Put { key: key.into(), value: value.into(), lease: None });
        self
    }

    /// Writes a value that dies with a lease.
    pub fn put_leased(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>, lease: LeaseId) -> Transaction {
        self.operations.push(Operation::Put { key: key.into(), value: value.into(), lease: Some(lease) });
        self
    }

    /// Removes a key.
    pub fn delete(mut self, key: impl Into<String>) -> Transaction {
        self.operations.push(Operation::Delete { key: key.into() });
        self
    }

    /// Checks what every home refuses, before anything is sent.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let refused = |reason: String| Err(StoreError::Refused { reason });
        let most = self.operations.len().max(self.compares.len());
        if most > TRANSACTION_OPERATIONS_MAX {
            return refused(format!("a transaction has at most {TRANSACTION_OPERATIONS_MAX} operations, not {most}"));
        }
        let bytes: usize = self.operations.iter().map(Operation::bytes).sum();
        if bytes > TRANSACTION_BYTES_MAX {
            return refused(format!("a transaction has at most {TRANSACTION_BYTES_MAX} bytes, not {bytes}"));
        }
        let compared = self.compares.iter().map(Compare::key);
        if compared.chain(self.operations.iter().map(Operation::key)).any(str::is_empty) {
            return refused("a key is never empty".to_owned());
        }
        let mut seen = HashSet::new();
        match self.operations.iter().map(Operation::key).find(|key| !seen.insert(*key)) {
            Some(key) => refused(format!("the transaction changes {key} twice")),
            None => Ok(()),
        }
    }
}

impl Compare {
    /// The key it is about.
    pub fn key(&self) -> &str {
        match self {
            Compare::Absent(key) | Compare::Unchanged(key, _) => key,
        }
    }
}

impl Operation {
    /// The key it changes.
    pub fn key(&self) -> &str {
        match self {
            Operation::Put { key, .. } | Operation::Delete { key } => key,
        }
    }

    pub(super) fn lease(&self) -> Option<LeaseId> {
        match self {
            Operation::Put { lease, .. } => *lease,
            Operation::Delete { .. } => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Operation::Put { key, value, .. } => key.len() + value.len(),
            Operation::Delete { key } => key.len(),
        }
    }
}
