//! What a segment costs: reads JSON documents, one a line, from standard input, seals blocks of them, writes a segment to a
//! folder and asks it for grams. Speeds are of this thread on the processor, so that others on the machine do not count.
//!
//! ```text
//! zstd -dc --long=27 events.jsonl.zst | head -c 400000000 |
//!     cargo run --release -p grepzilla-storage --example segment_figures -- BLOCK_KIB LEVEL FOLDER
//! ```

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_model::{Bucket, ClusterUuid, Epoch, IndexName, SeqNo, ShardId, TimeNs};
use grepzilla_storage::BlockCache;
use grepzilla_storage::block::{Block, BlockBuilder, Spelling, Stamp, UnitLayout, UnitValues};
use grepzilla_storage::disk::{Disk, RealDisk};
use grepzilla_storage::segment::{
    ExpectedSegment, Section, Segment, SegmentIdentity, SegmentOptions, SegmentWriter, UnitSet, grams_of,
};

/// Of asking the cache.
const ROUNDS: usize = 200;

const NEEDLES: [&str; 6] =
    ["powershell", "mimikatz", "zq7xkw", "c:\\windows\\system32\\", "connection refused", "i-044b1baf4c96e1b62"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [block_kib, level, folder] = arguments.as_slice() else { panic!("BLOCK_KIB LEVEL FOLDER") };
    let block_bytes = block_kib.parse::<u64>().expect("a number") << 10;
    let options = SegmentOptions { level: level.parse().expect("a number"), ..SegmentOptions::default() };
    let (blocks, sealing) = seal(block_bytes);
    let raw: u64 = blocks.iter().map(Block::source_bytes).sum();
    println!(
        "{} blocks of {block_kib} KiB, {:.0} MB, read and sealed at {}",
        blocks.len(),
        raw as f64 / 1e6,
        speed(raw, sealing)
    );

    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let last = blocks.last().map_or(1, |block| block.span().seq_max.0);
    let cluster = ClusterUuid(uuid::Uuid::from_u128(1));
    let (shard, epoch) = (ShardId(0), Epoch(1));
    let identity = SegmentIdentity { cluster, shard, epoch, first: SeqNo(1), last: SeqNo(last) };
    let started = Clock::start();
    let mut writer = SegmentWriter::create(&disk, Path::new(folder), identity, options).expect("begun");
    blocks.iter().for_each(|block| writer.add(block).expect("added"));
    let adding = started.elapsed();
    let entry = writer.finish().expect("written");
    println!("added at {}, all at {}", speed(raw, adding), speed(raw, started.elapsed()));

    let path = Path::new(folder).join(entry.name.file_name());
    let cache = Arc::new(BlockCache::new(1 << 30));
    let started = Clock::start();
    let expected = ExpectedSegment { cluster, shard, name: entry.name };
    let segment = Segment::open(&disk, &path, &expected, &cache).expect("as written");
    println!("opened in {:?}, {} KiB of memory", started.elapsed(), segment.memory_bytes() >> 10);
    println!("{:14} {:>12} bytes  1/{:.1}", "file", entry.bytes, raw as f64 / entry.bytes as f64);
    for section in Section::ALL {
        let bytes = segment.section_bytes(section);
        println!("{:14} {bytes:>12} bytes  {:.3} %", format!("{section:?}"), bytes as f64 * 100.0 / raw as f64);
    }
    println!("{} units", segment.unit_count());
    ask(&segment);
    read(&segment, raw);
    std::fs::remove_file(path).expect("removed");
}

fn seal(block_bytes: u64) -> (Vec<Block>, Duration) {
    let mut builder = BlockBuilder::new(UnitLayout::One);
    let (index, mut blocks, started) = (IndexName::default(), Vec::new(), Clock::start());
    for (number, line) in (1..).zip(std::io::stdin().lock().lines()) {
        let Ok(line) = line else { break };
        if !line.ends_with('}') {
            break;
        }
        if builder.source_bytes() + line.len() as u64 > block_bytes && !builder.is_empty() {
            blocks.push(builder.finish(&index));
        }
        let stamp = Stamp { time: TimeNs(number as i64 * 1_000_000), seq: SeqNo(number), epoch: Epoch(1) };
        builder.add(&line, stamp, Bucket((number / 1_000) as u16), stamp.time);
    }
    if !builder.is_empty() {
        blocks.push(builder.finish(&index));
    }
    (blocks, started.elapsed())
}

fn ask(segment: &Segment) {
    for needle in NEEDLES {
        let mut keys = Vec::new();
        grams_of(needle.as_bytes(), &mut keys);
        let mut candidates = UnitSet::all(segment.unit_count());
        let started = Instant::now();
        keys.iter().for_each(|key| candidates.and(&segment.grams(*key).expect("readable")));
        let first = started.elapsed() / keys.len() as u32;
        let again = (0..ROUNDS).map(|_| {
            let started = Instant::now();
            keys.iter().for_each(|key| candidates.and(&segment.grams(*key).expect("readable")));
            started.elapsed() / keys.len() as u32
        });
        let again = again.min().expect("rounds");
        let holding = candidates.iter().filter(|unit| {
            let (block, unit) = segment.block_of(*unit);
            let unit = segment.blocks()[block].unit(unit).expect("readable");
            let mut runs = unit.runs(Spelling::Folded, &UnitValues::All);
            runs.any(|run| String::from_utf8_lossy(run.bytes()).to_ascii_lowercase().contains(needle))
        });
        println!(
            "{needle:24} {:>5} candidates, {:>5} hold it; {:?} a gram, {:?} when cached and undisturbed",
            candidates.len(),
            holding.count(),
            first,
            again
        );
    }
}

fn read(segment: &Segment, raw: u64) {
    let started = Clock::start();
    let mut values = 0;
    for block in segment.blocks() {
        for unit in 0..block.unit_count() {
            values += block.unit(unit).expect("readable").value_count();
        }
    }
    println!("{values} values of all units read at {}", speed(raw, started.elapsed()));
    let started = Clock::start();
    segment.verify().expect("whole");
    println!("verified in {:?}", started.elapsed());
}

fn speed(bytes: u64, time: Duration) -> String {
    format!("{:.0} MB/s of raw", bytes as f64 / 1e6 / time.as_secs_f64())
}

/// How long this thread has been running since.
struct Clock(Duration);

impl Clock {
    fn start() -> Clock {
        Clock(Clock::now())
    }

    fn elapsed(&self) -> Duration {
        Clock::now() - self.0
    }

    fn now() -> Duration {
        let line = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says how long a thread ran");
        Duration::from_nanos(line.split(' ').next().and_then(|field| field.parse().ok()).expect("a number"))
    }
}
