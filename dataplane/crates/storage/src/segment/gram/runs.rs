//! The lists of all keys while a segment is written: pairs of key and unit, sorted in chunks, each packed into a *run*, and
//! all runs merged at the end.
//!
//! A chunk covers units of its own, all later than those of the chunks before, so the list of a key is the parts of
//! the runs one after the other. A packed pair takes between one and two bytes. Runs beyond a bound go to a scratch file beside the
//! segment, so that memory is bounded whatever the documents are.
//!
//! ```text
//! run   for each key, ascending: key less the key before (varint), number of units (varint),
//!       each unit less the unit before (varint; the first: less the first unit of the run)
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::{GramKey, KEYS_END};
use crate::ReadError;
use crate::disk::{Disk, GrowingFile, WriteError};
use crate::segment::WriteSegmentError;
use crate::segment::bytes::put_varint;

/// Pairs of a chunk, and room to sort them: 16 MiB.
const CHUNK_PAIRS: usize = 1 << 20;

/// Bytes of runs that are kept in memory.
const MEMORY_BYTES_MAX: usize = 128 << 20;

/// How much of a run in the scratch file is read at once.
const READ_BYTES: u64 = 128 << 10;

/// Pairs of key and unit, units ascending.
#[derive(Debug)]
pub(crate) struct GramRuns {
    /// Key in the upper half, unit in the lower.
    chunk: Vec<u64>,
    /// Room for sorting.
    room: Vec<u64>,
    runs: Vec<Run>,
    memory_bytes: usize,
    memory_bytes_max: usize,
    disk: Arc<dyn Disk>,
    scratch_path: PathBuf,
    scratch: Option<GrowingFile>,
}

#[derive(Debug)]
struct Run {
    first_unit: u32,
    place: RunPlace,
}

#[derive(Debug)]
enum RunPlace {
    Memory(Vec<u8>),
    Scratch(Range<u64>),
}

impl GramRuns {
    /// `scratch_path`: of a file that is made if need be, and removed in any case.
    pub(crate) fn new(disk: &Arc<dyn Disk>, scratch_path: PathBuf) -> GramRuns {
        GramRuns {
            chunk: Vec::new(),
            room: Vec::new(),
            runs: Vec::new(),
            memory_bytes: 0,
            memory_bytes_max: MEMORY_BYTES_MAX,
            disk: Arc::clone(disk),
            scratch_path,
            scratch: None,
        }
    }

    /// The same with other bounds.
    #[cfg(test)]
    pub(super) fn with_memory(self, memory_bytes_max: usize) -> GramRuns {
        GramRuns { memory_bytes_max, ..self }
    }

    /// Adds a key of a unit; each once.
    pub(crate) fn add(&mut self, key: GramKey, unit: u32) {
        self.chunk.push(u64::from(key.0) << 32 | u64::from(unit));
    }

    /// To be called when all keys of a unit were added.
    pub(crate) fn end_unit(&mut self) -> Result<(), WriteError> {
        if self.chunk.len() >= CHUNK_PAIRS { self.pack() } else { Ok(()) }
    }

    /// Gives each key, ascending, with its units, ascending, and forgets them.
    pub(crate) fn merge(
        &mut self,
        mut give: impl FnMut(GramKey, &[u32]) -> Result<(), WriteError>,
    ) -> Result<(), WriteSegmentError> {
        self.pack()?;
        (self.chunk, self.room) = (Vec::new(), Vec::new());
        if let Some(scratch) = &mut self.scratch {
            scratch.write_out()?;
        }
        let scratch = self.scratch.as_ref();
        let runs = std::mem::take(&mut self.runs).into_iter();
        let mut readers = runs.map(|run| RunReader::new(run, scratch)).collect::<Result<Vec<_>, _>>()?;
        let keys = readers.iter().enumerate().filter_map(|(number, reader)| Some(Reverse((reader.key?, number))));
        let mut heads: BinaryHeap<Reverse<(u32, usize)>> = keys.collect();
        let mut units = Vec::new();
        while let Some(Reverse((key, _))) = heads.peek().copied() {
            units.clear();
            while let Some(mut head) = heads.peek_mut().filter(|head| head.0.0 == key) {
                let number = head.0.1;
                readers[number].take(&mut units)?;
                match readers[number].key {
                    Some(next) => head.0.0 = next,
                    None => drop(PeekMut::pop(head)),
                }
            }
            give(GramKey(key), &units)?;
        }
        Ok(())
    }

    pub(super) fn pack(&mut self) -> Result<(), WriteError> {
        let Some(first_unit) = self.chunk.iter().map(|pair| *pair as u32).min() else { return Ok(()) };
        sort_by_key(&mut self.chunk, &mut self.room);
        let bytes = packed(&self.chunk, first_unit);
        self.chunk.clear();
        let place = if self.memory_bytes + bytes.len() <= self.memory_bytes_max {
            self.memory_bytes += bytes.len();
            RunPlace::Memory(bytes)
        } else {
            let scratch = match &mut self.scratch {
                Some(scratch) => scratch,
                none => none.insert(GrowingFile::create(&self.disk, &self.scratch_path)?),
            };
            let start = scratch.length();
            scratch.append(&bytes)?;
            RunPlace::Scratch(start..scratch.length())
        };
        self.runs.push(Run { first_unit, place });
        Ok(())
    }
}

/// Sorts pairs by their keys. Those of one key stay in their order: units ascend already.
fn sort_by_key(pairs: &mut Vec<u64>, room: &mut Vec<u64>) {
    const DIGIT_BITS: u32 = 9;
    const PASSES: u32 = KEYS_END.ilog2() / DIGIT_BITS + 1;
    for pass in 0..PASSES {
        let digit = |pair: u64| (pair >> (32 + pass * DIGIT_BITS)) as usize & ((1 << DIGIT_BITS) - 1);
        let mut places = [0usize; 1 << DIGIT_BITS];
        pairs.iter().for_each(|pair| places[digit(*pair)] += 1);
        let mut next = 0;
        for place in &mut places {
            next += std::mem::replace(place, next);
        }
        room.resize(pairs.len(), 0);
        for pair in pairs.iter() {
            let place = &mut places[digit(*pair)];
            room[*place] = *pair;
            *place += 1;
        }
        std::mem::swap(pairs, room);
    }
}

fn packed(pairs: &[u64], first_unit: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pairs.len() + pairs.len() / 2);
    let mut key_before = 0;
    for list in pairs.chunk_by(|one, next| one >> 32 == next >> 32) {
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
    bytes
}

/// Walks a run as it was packed here.
struct RunReader<'a> {
    first_unit: u32,
    /// The key that comes next.
    key: Option<u32>,
    bytes: Vec<u8>,
    at: usize,
    /// What follows the bytes.
    rest: Range<u64>,
    scratch: Option<&'a GrowingFile>,
}

impl<'a> RunReader<'a> {
    fn new(run: Run, scratch: Option<&'a GrowingFile>) -> Result<RunReader<'a>, ReadError> {
        let (bytes, rest) = match run.place {
            RunPlace::Memory(bytes) => (bytes, 0..0),
            RunPlace::Scratch(range) => (Vec::new(), range),
        };
        let mut reader = RunReader { first_unit: run.first_unit, key: None, bytes, at: 0, rest, scratch };
        reader.key = Some(reader.varint()?);
        Ok(reader)
    }

    fn take(&mut self, units: &mut Vec<u32>) -> Result<(), ReadError> {
        let count = self.varint()?;
        let mut unit = self.first_unit;
        for _ in 0..count {
            unit += self.varint()?;
            units.push(unit);
        }
        let key = self.key.expect("a list has a key");
        let is_last = self.at == self.bytes.len() && self.rest.is_empty();
        self.key = if is_last { None } else { Some(key + self.varint()?) };
        Ok(())
    }

    fn varint(&mut self) -> Result<u32, ReadError> {
        let (mut value, mut shift) = (0, 0);
        loop {
            if self.at == self.bytes.len() {
                self.read_on()?;
            }
            let byte = self.bytes[self.at];
            self.at += 1;
            value |= u32::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    fn read_on(&mut self) -> Result<(), ReadError> {
        let scratch = self.scratch.expect("a run is read as it was packed");
        let length = (self.rest.end - self.rest.start).min(READ_BYTES);
        self.bytes.resize(length as usize, 0);
        scratch.read_at(&mut self.bytes, self.rest.start).map_err(|error| ReadError::Disk(Arc::new(error)))?;
        self.rest.start += length;
        self.at = 0;
        Ok(())
    }
}
