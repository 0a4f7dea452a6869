//! The lists of all keys while a segment is written: pairs of key and unit, sorted in chunks, each packed into a *run*, and
//! all runs merged at the end.
//!
//! A chunk covers units of its own, all later than those of the chunks before, so the list of a key is the parts of
//! the runs one after the other. A packed pair takes between one and two bytes: memory stays a few percent of the raw bytes.
//!
//! ```text
//! run   for each key, ascending: key less the key before (varint), number of units (varint),
//!       each unit less the unit before (varint; the first: less the first unit of the run)
//! ```

use super::GramKey;
use crate::segment::bytes::put_varint;

/// Pairs of a chunk: 16 MiB.
const CHUNK_PAIRS: usize = 1 << 21;

/// Pairs of key and unit, units ascending.
#[derive(Debug, Default)]
pub(crate) struct GramRuns {
    /// Key in the upper half, unit in the lower.
    chunk: Vec<u64>,
    runs: Vec<Run>,
}

#[derive(Debug)]
struct Run {
    bytes: Vec<u8>,
    first_unit: u32,
}

impl GramRuns {
    /// Adds a key of a unit; each once.
    pub(crate) fn add(&mut self, key: GramKey, unit: u32) {
        self.chunk.push(u64::from(key.0) << 32 | u64::from(unit));
    }

    /// To be called when all keys of a unit were added.
    pub(crate) fn end_unit(&mut self) {
        if self.chunk.len() >= CHUNK_PAIRS {
            self.pack();
        }
    }

    /// Gives each key, ascending, with its units, ascending.
    pub(crate) fn merge<E>(mut self, mut give: impl FnMut(GramKey, &[u32]) -> Result<(), E>) -> Result<(), E> {
        self.pack();
        self.chunk = Vec::new();
        let mut heads: Vec<RunReader<'_>> = self.runs.iter().map(RunReader::new).collect();
        let mut units = Vec::new();
        while let Some(key) = heads.iter().filter_map(|head| head.key).min() {
            units.clear();
            for head in heads.iter_mut().filter(|head| head.key == Some(key)) {
                head.take(&mut units);
            }
            give(GramKey(key), &units)?;
        }
        Ok(())
    }

    pub(super) fn pack(&mut self) {
        let Some(first_unit) = self.chunk.iter().map(|pair| *pair as u32).min() else { return };
        self.chunk.sort_unstable();
        let mut bytes = Vec::with_capacity(self.chunk.len() + self.chunk.len() / 2);
        let mut key_before = 0;
        for list in self.chunk.chunk_by(|one, next| one >> 32 == next >> 32) {
            let key = (list[0] >> 32) as u32;
            put_varint(&mut bytes, u64::from(key - key_before));
            put_varint(&mut bytes, list.len() as u64);
            let mut unit_before = first_unit;
            for unit in list.iter().map(|pair| *pair as u32) {
                put_varint(&mut bytes, u64::from(unit - unit_before));
                unit_before = unit;
            }
            key_before = key;
        }
        bytes.shrink_to_fit();
        self.runs.push(Run { bytes, first_unit });
        self.chunk.clear();
    }
}

/// Walks a run that stands in memory as it was packed here.
struct RunReader<'a> {
    rest: &'a [u8],
    first_unit: u32,
    /// The key that comes next.
    key: Option<u32>,
}

impl<'a> RunReader<'a> {
    fn new(run: &'a Run) -> RunReader<'a> {
        let mut reader = RunReader { rest: &run.bytes, first_unit: run.first_unit, key: None };
        reader.key = Some(reader.varint());
        reader
    }

    fn take(&mut self, units: &mut Vec<u32>) {
        let count = self.varint();
        let mut unit = self.first_unit;
        for _ in 0..count {
            unit += self.varint();
            units.push(unit);
        }
        let key = self.key;
        self.key = (!self.rest.is_empty()).then(|| key.expect("a list has a key") + self.varint());
    }

    fn varint(&mut self) -> u32 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.rest.split_first().expect("a run is read as it was packed");
            self.rest = rest;
            value |= u32::from(byte & 0x7F) << shift;
            if *byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }
}
