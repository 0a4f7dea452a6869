//! The parts of a block in memory: reading cannot fail.

use std::sync::Arc;

use super::{BlockParts, Codes, Columns, Stamps, Unit};
use crate::ReadError;

/// All parts, at hand.
#[derive(Debug)]
pub(super) struct InMemory {
    pub(super) units: Vec<Arc<Unit>>,
    pub(super) columns: Arc<Columns>,
    pub(super) codes: Arc<Codes>,
    pub(super) stamps: Arc<Stamps>,
    /// What the table of shapes took more for this block.
    pub(super) table_bytes: usize,
}

impl BlockParts for InMemory {
    fn unit(&self, unit: usize) -> Result<Arc<Unit>, ReadError> {
        Ok(Arc::clone(&self.units[unit]))
    }

    fn columns(&self) -> Result<Arc<Columns>, ReadError> {
        Ok(Arc::clone(&self.columns))
    }

    fn codes(&self) -> Result<Arc<Codes>, ReadError> {
        Ok(Arc::clone(&self.codes))
    }

    fn stamps(&self) -> Result<Arc<Stamps>, ReadError> {
        Ok(Arc::clone(&self.stamps))
    }

    fn memory_bytes(&self) -> usize {
        let units: usize = self.units.iter().map(|unit| unit.memory_bytes()).sum();
        let parts = self.columns.memory_bytes() + self.codes.memory_bytes() + self.stamps.memory_bytes();
        size_of::<InMemory>() + units + parts + self.table_bytes
    }
}
