//! What is shown of a segment: all of it, and of a damaged one all that can be.

use std::path::Path;
use std::sync::Arc;

use grepzilla_model::manifest::SegmentName;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::fixtures::{DIR, path, random_blocks, write};
use crate::disk::Disk;
use crate::disk::twin::Machine;
use crate::segment::gram::{GramKey, GramKind};
use crate::segment::inspect::inspect;

/// A segment of a few blocks in a real file, which is named as it must be.
fn segment() -> (tempfile::TempDir, std::path::PathBuf) {
    let mut rng = StdRng::seed_from_u64(11);
    let machine = Machine::new(1);
    let disk: Arc<dyn Disk> = machine.boot();
    disk.create_dir(Path::new(DIR)).expect("made");
    let blocks = random_blocks(&mut rng, 1, 3);
    let entry = write(&disk, blocks.iter().map(|(block, _)| block)).expect("written");
    let dir = tempfile::tempdir().expect("a folder");
    let target = dir.path().join(entry.name.file_name());
    std::fs::write(&target, &machine.files()[&path(&entry)]).expect("written");
    (dir, target)
}

#[test]
fn a_good_segment_is_shown_from_its_first_byte_to_its_last() {
    let (_dir, path) = segment();
    let found = inspect(&path).expect("readable");
    assert!(found.faults.is_empty(), "{:?}", found.faults);
    let mut end = 0;
    for section in &found.sections {
        assert_eq!((section.offset, section.is_good), (end, true), "{section:?}");
        end += section.bytes;
    }
    assert_eq!((end, found.blocks.len()), (found.bytes, 3));
    let documents: usize = found.blocks.iter().map(|block| block.facts.document_count).sum();
    assert_eq!(found.documents.map(|(documents, _)| documents), Some(documents as u64));
    let frames: Vec<&str> = found.blocks[0].frames.iter().map(|frame| frame.name).collect();
    assert_eq!(frames[..4], ["codes", "stamps", "columns", "unit"]);
    let grams = found.grams.expect("it is good");
    assert!(grams.keys > 100 && grams.pages.iter().sum::<u64>() > 0, "{grams:?}");
    assert_eq!(GramKey::four(*b"abcd").kind(), GramKind::Four);
    assert_eq!(found.keys, Some(2));
    assert_eq!(found.name, SegmentName::of_file(&path.file_name().expect("a name").to_string_lossy()));
}

#[test]
fn every_flipped_byte_is_seen_and_the_rest_is_shown() {
    let (_dir, path) = segment();
    let good = std::fs::read(&path).expect("there");
    let sections = inspect(&path).expect("readable").sections;
    for at in (0..good.len()).step_by(13).chain([good.len() - 1]) {
        let mut bad = good.clone();
        bad[at] ^= 4;
        std::fs::write(&path, &bad).expect("written");
        let found = inspect(&path).expect("readable");
        assert!(!found.faults.is_empty(), "byte {at}");
        let section = sections.iter().find(|section| at as u64 - section.offset < section.bytes).expect("they fill it");
        for other in found.sections.iter().filter(|other| other.name != section.name) {
            assert!(other.is_good, "byte {at} is in {}, not in {}", section.name, other.name);
        }
        if section.name == "frames" {
            let damaged = found.blocks.iter().flat_map(|block| &block.frames).filter(|frame| !frame.is_good);
            assert_eq!(damaged.count(), 1, "byte {at}");
        }
    }
    for length in (0..good.len()).step_by(31) {
        std::fs::write(&path, &good[..length]).expect("written");
        assert!(!inspect(&path).expect("readable").faults.is_empty(), "{length} bytes");
    }
}
