//! The block cache: parts of segments that were read, checked and unpacked, shared by all shards of a node.
//!
//! It is bounded by bytes and split into parts that are locked one at a time. What was asked for since the hand of the clock last passed is
//! passed over once; the rest goes when room is needed. What goes stays valid for those who hold it.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use parking_lot::Mutex;

use crate::block::{Codes, Columns, PathNo, ShapeTable, Stamps, Unit};

/// Parts that are locked one at a time.
const PART_COUNT: usize = 16;

/// What stands in the cache beside the bytes that it accounts for.
const ENTRY_BYTES: usize = size_of::<Slot>() + 2 * size_of::<u32>();

/// Whose part it is and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    /// See [`BlockCache::next_owner`].
    pub(crate) owner: u64,
    pub(crate) kind: PartKind,
    /// Of the block, table or page.
    pub(crate) number: u32,
    pub(crate) unit: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PartKind {
    Unit,
    Columns,
    Codes,
    Stamps,
    Shapes,
    GramPage,
    IdPage,
}

/// Something read.
#[derive(Debug, Clone)]
pub(crate) enum Cached {
    Unit(Arc<Unit>),
    Columns(Arc<Columns>),
    Codes(Arc<Codes>),
    Stamps(Arc<Stamps>),
    Shapes(Arc<ShapeTable>),
    Page(Arc<[u8]>),
}

/// What the cache has done and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheStats {
    /// Questions that it could answer.
    pub hits: u64,
    /// Questions that it could not.
    pub misses: u64,
    /// Bytes that it holds.
    pub bytes: u64,
    /// The most that it will hold.
    pub bytes_max: u64,
}

/// See the module.
#[derive(Debug)]
pub struct BlockCache {
    parts: Box<[Mutex<Part>]>,
    hasher: RandomState,
    part_bytes_max: usize,
    hits: AtomicU64,
    misses: AtomicU64,
    owners: AtomicU64,
}

#[derive(Debug, Default)]
struct Part {
    by_key: HashTable<u32>,
    slots: Vec<Slot>,
    hand: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    key: CacheKey,
    hash: u64,
    value: Cached,
    bytes: usize,
    was_asked_for: bool,
}

impl Default for BlockCache {
    /// Of 256 MiB.
    fn default() -> BlockCache {
        BlockCache::new(256 << 20)
    }
}

impl BlockCache {
    /// A cache that holds at most `bytes_max`.
    pub fn new(bytes_max: usize) -> BlockCache {
        BlockCache {
            parts: (0..PART_COUNT).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
            part_bytes_max: bytes_max / PART_COUNT,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            owners: AtomicU64::new(0),
        }
    }

    /// What it has done and holds.
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            bytes: self.parts.iter().map(|part| part.lock().bytes as u64).sum(),
            bytes_max: (self.part_bytes_max * PART_COUNT) as u64,
        }
    }

    /// A number for the keys of one segment, never given twice.
    pub(crate) fn next_owner(&self) -> u64 {
        self.owners.fetch_add(1, Ordering::Relaxed)
    }

    /// What is kept under a key, or what `read` gives, which is kept then.
    pub(crate) fn get_or_read<E>(&self, key: CacheKey, read: impl FnOnce() -> Result<Cached, E>) -> Result<Cached, E> {
        let hash = self.hasher.hash_one(key);
        let part = &self.parts[(hash >> 32) as usize % PART_COUNT];
        if let Some(found) = part.lock().get(&key, hash) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(found);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        // Read without the lock: two who ask at the same time both read, and nobody waits.
        let value = read()?;
        let bytes = value.memory_bytes() + ENTRY_BYTES;
        let slot = Slot { key, hash, value: value.clone(), bytes, was_asked_for: false };
        let dropped = part.lock().keep(slot, self.part_bytes_max);
        drop(dropped);
        Ok(value)
    }

    /// Lets go of everything of an owner.
    pub(crate) fn forget(&self, owner: u64) {
        for part in &self.parts {
            let dropped = part.lock().remove_all(|slot| slot.key.owner == owner);
            drop(dropped);
        }
    }
}

impl Part {
    fn get(&mut self, key: &CacheKey, hash: u64) -> Option<Cached> {
        let place = *self.by_key.find(hash, |place| self.slots[*place as usize].key == *key)?;
        let slot = &mut self.slots[place as usize];
        slot.was_asked_for = true;
        Some(slot.value.clone())
    }

    /// Keeps a slot that is not too large, and gives what has to go for it.
    fn keep(&mut self, slot: Slot, bytes_max: usize) -> Vec<Slot> {
        let is_there = self.by_key.find(slot.hash, |place| self.slots[*place as usize].key == slot.key).is_some();
        if is_there || slot.bytes > bytes_max {
            return vec![slot];
        }
        let mut dropped = Vec::new();
        while self.bytes + slot.bytes > bytes_max {
            self.hand = if self.hand < self.slots.len() { self.hand } else { 0 };
            let candidate = &mut self.slots[self.hand];
            if std::mem::take(&mut candidate.was_asked_for) {
                self.hand += 1;
            } else {
                dropped.push(self.remove(self.hand));
            }
        }
        self.bytes += slot.bytes;
        let (place, slots) = (self.slots.len() as u32, &self.slots);
        self.by_key.insert_unique(slot.hash, place, |place| slots[*place as usize].hash);
        self.slots.push(slot);
        dropped
    }

    fn remove_all(&mut self, mut wanted: impl FnMut(&Slot) -> bool) -> Vec<Slot> {
        let mut removed = Vec::new();
        for place in (0..self.slots.len()).rev() {
            if wanted(&self.slots[place]) {
                removed.push(self.remove(place));
            }
        }
        removed
    }

    /// Takes a slot out; the last one gets its place.
    fn remove(&mut self, place: usize) -> Slot {
        const KNOWN: &str = "every slot is known by its key";
        let slots = &self.slots;
        let find = |wanted: usize| move |place: &u32| *place as usize == wanted;
        self.by_key.find_entry(slots[place].hash, find(place)).expect(KNOWN).remove();
        let last = slots.len() - 1;
        if last != place {
            *self.by_key.find_mut(slots[last].hash, find(last)).expect(KNOWN) = place as u32;
        }
        let slot = self.slots.swap_remove(place);
        self.bytes -= slot.bytes;
        slot
    }
}

impl Cached {
    fn memory_bytes(&self) -> usize {
        match self {
            Cached::Unit(unit) => unit.memory_bytes(),
            Cached::Columns(columns) => columns.memory_bytes(),
            Cached::Codes(codes) => codes.memory_bytes(),
            Cached::Stamps(stamps) => stamps.memory_bytes(),
            Cached::Shapes(shapes) => shapes_bytes(shapes),
            Cached::Page(page) => page.len(),
        }
    }
}

/// Bytes of memory of a table that does not grow any more.
fn shapes_bytes(table: &ShapeTable) -> usize {
    let paths = (0..table.path_count() as u32).filter_map(|path| table.path(PathNo(path)));
    let shapes = table.shapes().map(|shape| size_of_val(shape) + shape.skeleton().len() + size_of_val(shape.paths()));
    shapes.sum::<usize>() + paths.map(|path| size_of::<Box<str>>() + path.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn key(owner: u64, number: u32) -> CacheKey {
        CacheKey { owner, kind: PartKind::GramPage, number, unit: 0 }
    }

    /// Whether the cache had it.
    fn ask(cache: &BlockCache, key: CacheKey, bytes: usize) -> bool {
        let mut had = true;
        let read = || {
            had = false;
            Ok::<_, Infallible>(Cached::Page(vec![key.number as u8; bytes].into()))
        };
        let Cached::Page(page) = cache.get_or_read(key, read).expect("reading cannot fail") else { panic!("a page") };
        assert!(page.len() == bytes && page.iter().all(|byte| *byte == key.number as u8));
        had
    }

    #[test]
    fn it_never_holds_more_than_its_bytes_and_gives_what_was_read() {
        let seed: u64 = rand::random();
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let cache = BlockCache::new(64 << 10);
        let mut hits = 0;
        for _ in 0..20_000 {
            let number = rng.random_range(0..200) & rng.random_range(0..256);
            hits += u64::from(ask(&cache, key(u64::from(number % 3), number), 100 + number as usize * 20));
            let stats = cache.stats();
            assert!(stats.bytes <= stats.bytes_max, "{stats:?}");
        }
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.hits + stats.misses), (hits, 20_000));
        assert!(hits > 2_000 && stats.bytes > stats.bytes_max / 2, "{stats:?}");
        (0..3).for_each(|owner| cache.forget(owner));
        assert_eq!(cache.stats().bytes, 0);
    }

    #[test]
    fn what_is_asked_for_again_outlives_what_is_not() {
        let cache = BlockCache::new(1 << 20);
        let mut asked_again = 0;
        for number in 1..10_000 {
            ask(&cache, key(0, number), 1_000);
            asked_again += u32::from(ask(&cache, key(1, number % 20), 1_000));
        }
        assert!(asked_again > 9_900, "{asked_again}");
    }

    #[test]
    fn what_is_larger_than_a_part_is_given_and_not_kept() {
        let cache = BlockCache::new(1 << 10);
        assert!(!ask(&cache, key(0, 1), 2_000));
        assert!(!ask(&cache, key(0, 1), 2_000));
        assert_eq!((cache.stats().bytes, cache.stats().misses), (0, 2));
    }
}
