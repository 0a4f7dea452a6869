//! The block cache: parts of segments that were read, checked and unpacked, shared by all shards of a node.
//!
//! It is bounded by bytes. What is asked for once, as by a search that reads everything, makes room before what is asked for
//! again and again; yet what is asked for soon again stays, however full it is. What goes stays valid for those who hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;
use quick_cache::{OptionsBuilder, Weighter};

use crate::block::{Codes, Columns, PathNo, ShapeTable, Stamps, Unit};

/// What stands in the cache beside the bytes that it accounts for, about.
const ENTRY_BYTES: usize = 64;

/// The bytes of one part, about: says how many the cache has room to remember.
const USUAL_BYTES: usize = 64 << 10;

/// The share of what is asked for again. The rest is for what is new: a page of hits fits in, and is there the next time.
const HOT_SHARE: f64 = 0.8;

/// The share of parts that are known when they come back after they had to go. Few: else searches that read more than there is room
/// for would drive out what they need next.
const REMEMBERED_SHARE: f64 = 0.1;

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
    entries: Cache<CacheKey, Cached, Bytes>,
    hits: AtomicU64,
    misses: AtomicU64,
    owners: AtomicU64,
}

/// What an entry weighs.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<CacheKey, Cached> for Bytes {
    fn weight(&self, _key: &CacheKey, value: &Cached) -> u64 {
        (value.memory_bytes() + ENTRY_BYTES) as u64
    }
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
        let options = OptionsBuilder::new()
            .estimated_items_capacity(bytes_max / USUAL_BYTES)
            .weight_capacity(bytes_max as u64)
            .hot_allocation(HOT_SHARE)
            .ghost_allocation(REMEMBERED_SHARE)
            .build()
            .expect("all that must be said is said, and shares are below 1");
        BlockCache {
            entries: Cache::with_options(options, Bytes, Default::default(), Default::default()),
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
            bytes: self.entries.weight(),
            bytes_max: self.entries.capacity(),
        }
    }

    /// A number for the keys of one segment, never given twice.
    pub(crate) fn next_owner(&self) -> u64 {
        self.owners.fetch_add(1, Ordering::Relaxed)
    }

    /// What is kept under a key, or what `read` gives, which is kept then.
    pub(crate) fn get_or_read<E>(&self, key: CacheKey, read: impl FnOnce() -> Result<Cached, E>) -> Result<Cached, E> {
        if let Some(found) = self.entries.get(&key) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(found);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        // Two who ask at the same time both read, and nobody waits.
        let value = read()?;
        self.entries.insert(key, value.clone());
        Ok(value)
    }

    /// Lets go of everything of an owner.
    pub(crate) fn forget(&self, owner: u64) {
        self.entries.retain(|key, _| key.owner != owner);
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
    fn a_full_cache_takes_in_what_is_asked_for_again() {
        let cache = BlockCache::new(1 << 20);
        for number in (0..3).flat_map(|_| 0..2_000) {
            ask(&cache, key(0, number), 1_000);
        }
        let asked_again = (0..10).flat_map(|_| 0..40).filter(|number| ask(&cache, key(1, *number), 1_000)).count();
        assert!(asked_again >= 8 * 40, "{asked_again} of {}", 10 * 40);
    }

    #[test]
    fn a_search_of_more_than_there_is_room_for_finds_part_of_it_the_next_time() {
        let cache = BlockCache::new(1 << 20);
        let found = (0..10).flat_map(|_| 0..1_500).filter(|number| ask(&cache, key(0, *number), 1_000)).count();
        assert!(found > 3_000, "{found} of {}", 10 * 1_500);
    }

    #[test]
    fn what_is_larger_than_a_part_is_given_and_not_kept() {
        let cache = BlockCache::new(1 << 10);
        assert!(!ask(&cache, key(0, 1), 2_000));
        assert!(!ask(&cache, key(0, 1), 2_000));
        assert_eq!((cache.stats().bytes, cache.stats().misses), (0, 2));
    }
}
