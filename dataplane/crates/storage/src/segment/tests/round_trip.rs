//! What goes in comes out.

use std::path::Path;
use std::sync::Arc;

use grepzilla_model::fold::fold;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::fixtures::{DIR, Document, OPTIONS, expected, identity, key, open, path, random_blocks, words, write};
use crate::block::{Block, BlockBuilder, Spelling, UnitLayout, UnitValues};
use crate::cache::BlockCache;
use crate::disk::twin::Machine;
use crate::segment::{FoundId, Segment, SegmentWriter, UnitSet, grams_of};

fn rng() -> StdRng {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    StdRng::seed_from_u64(seed)
}

/// A machine with the folder, durably.
fn machine() -> Machine {
    let machine = Machine::new(1);
    let disk = machine.boot();
    disk.create_dir(Path::new(DIR)).expect("made");
    disk.sync_dir(Path::new("/")).expect("synced");
    machine
}

fn check_block(block: &Block, documents: &[Document]) {
    let (mut sources, stamps) = (block.sources().expect("readable"), block.stamps().expect("readable"));
    for (number, document) in documents.iter().enumerate() {
        assert_eq!(sources.source(number), document.source);
        assert_eq!((stamps.stamp(number), stamps.bucket(number)), (document.stamp, document.bucket));
        assert_eq!(block.id(number).expect("readable").as_deref(), document.id.as_deref());
    }
    assert_eq!(block.document_count(), documents.len());
}

#[test]
fn documents_stamps_ids_and_keys_come_back_as_they_went_in() {
    let mut rng = rng();
    for block_count in [0, 1, 2, 12] {
        let blocks = random_blocks(&mut rng, 1, block_count);
        let disk = machine().boot();
        let entry = write(&disk, blocks.iter().map(|(block, _)| block)).expect("written");
        let segment = open(&disk, &entry).expect("as written");
        segment.verify().expect("whole");
        assert_eq!(segment.blocks().len(), block_count);
        for (found, (block, documents)) in segment.blocks().iter().zip(&blocks) {
            check_block(found, documents);
            let facts = crate::block::BlockFacts { unit_count: found.unit_count(), ..block.facts().clone() };
            assert_eq!(*found.facts(), facts);
        }
        assert_eq!(segment.keys().expect("readable"), [key(1), key(4)]);
        let documents: u64 = blocks.iter().map(|(_, documents)| documents.len() as u64).sum();
        assert_eq!((entry.documents, segment.document_count()), (documents, documents));
        assert_eq!((entry.bytes, entry.blocks as usize), (segment.file_bytes(), block_count));
        assert_eq!((entry.bounds, entry.raw_bytes), (segment.bounds(), segment.raw_bytes()));
        assert_eq!(disk.list(Path::new(DIR)).expect("a folder"), [entry.name.file_name()]);
    }
}

#[test]
fn large_columns_have_units_of_their_own_and_every_value_is_in_one() {
    let mut rng = rng();
    let blocks = random_blocks(&mut rng, 1, 8);
    let disk = machine().boot();
    let entry = write(&disk, blocks.iter().map(|(block, _)| block)).expect("written");
    let segment = open(&disk, &entry).expect("as written");
    let mut unit_number = 0;
    for (number, (block, (before, _))) in segment.blocks().iter().zip(&blocks).enumerate() {
        let (columns, columns_before) = (block.columns().expect("readable"), before.columns().expect("at hand"));
        assert_eq!(columns.len(), columns_before.len());
        let values = |block: &Block, path: &str| {
            let columns = block.columns().expect("readable");
            let column = columns.find(path).expect("it is there");
            let unit = block.unit(columns.unit_of(column)).expect("readable");
            let runs = unit.written_runs(&columns.values_of(column));
            runs.flat_map(|run| run.bytes().to_vec()).collect::<Vec<u8>>()
        };
        for column in super::super::part::column_numbers(&columns) {
            let bytes = values(block, columns.path(column));
            assert_eq!(bytes, values(before, columns.path(column)));
            assert_eq!(bytes.len() >= OPTIONS.own_unit_bytes, columns.unit_of(column) > 0, "{}", bytes.len());
        }
        assert_eq!(segment.units_of(number), unit_number..unit_number + block.unit_count());
        for unit in 0..block.unit_count() {
            assert_eq!(segment.block_of(unit_number), (number, unit));
            unit_number += 1;
        }
    }
    assert_eq!(unit_number, segment.unit_count());
    assert!(unit_number > blocks.len(), "some columns must be large");
}

#[test]
fn a_unit_that_holds_a_needle_is_among_those_that_have_its_grams() {
    let mut rng = rng();
    let blocks = random_blocks(&mut rng, 1, 10);
    let disk = machine().boot();
    let entry = write(&disk, blocks.iter().map(|(block, _)| block)).expect("written");
    let segment = open(&disk, &entry).expect("as written");
    let (mut held, mut excluded) = (0, 0);
    for _ in 0..500 {
        let text = words(&mut rng, 3);
        let start = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).nth(rng.random_range(0..3)).unwrap_or(0);
        let needle = fold(&text[start..]).into_owned();
        let mut keys = Vec::new();
        grams_of(needle.as_bytes(), &mut keys);
        let mut candidates = UnitSet::all(segment.unit_count());
        keys.iter().for_each(|key| candidates.and(&segment.grams(*key).expect("readable")));
        for number in 0..segment.unit_count() {
            let (block, unit) = segment.block_of(number);
            let unit = segment.blocks()[block].unit(unit).expect("readable");
            let holds = unit.runs(Spelling::Folded, &UnitValues::All).any(|run| {
                let values = run.bytes().split(|byte| *byte == 0xFF);
                values.map(String::from_utf8_lossy).any(|value| fold(&value).contains(&needle))
            });
            assert!(!holds || candidates.contains(number), "{needle:?} in unit {number}");
            held += u32::from(holds);
            excluded += u32::from(!candidates.contains(number));
        }
    }
    assert!(held > 100 && excluded > 100, "{held} {excluded}");
}

#[test]
fn an_id_is_found_in_all_its_versions_and_only_in_its_index() {
    let mut rng = rng();
    let blocks = random_blocks(&mut rng, 1, 12);
    let disk = machine().boot();
    let entry = write(&disk, blocks.iter().map(|(block, _)| block)).expect("written");
    let segment = open(&disk, &entry).expect("as written");
    let mut most = 0;
    for index in ["main", "other", "third"].map(|name| grepzilla_model::IndexName::new(name).expect("valid")) {
        for id in (0..70).map(|number| format!("id-{number}")) {
            let of_index = blocks.iter().filter(|(block, _)| *block.index() == index);
            let documents = of_index.flat_map(|(_, documents)| documents);
            let of_id = documents.filter(|document| document.id.as_deref() == Some(&*id));
            let seqs: Vec<_> = of_id.map(|document| document.stamp.seq).collect();
            let found: Vec<FoundId> = segment.find_id(&index, &id).expect("readable");
            assert_eq!(found.iter().map(|found| found.seq).collect::<Vec<_>>(), seqs, "{index} {id}");
            for FoundId { seq, place } in &found {
                let stamps = segment.blocks()[place.block as usize].stamps().expect("readable");
                assert_eq!(stamps.find(*seq), Some(usize::from(place.document)));
            }
            most = most.max(found.len());
        }
    }
    assert!(most > 1, "some ids must have several versions");
}

#[test]
fn the_same_blocks_give_the_same_bytes() {
    let mut rng = rng();
    let blocks = random_blocks(&mut rng, 1, 9);
    let files = [0; 2].map(|_| {
        let machine = machine();
        write(&machine.boot(), blocks.iter().map(|(block, _)| block)).expect("written");
        machine.files()
    });
    assert_eq!(files[0], files[1]);
}

#[test]
fn blocks_of_a_segment_can_be_written_again_and_merged_into_another() {
    let mut rng = rng();
    let blocks = random_blocks(&mut rng, 1, 9);
    let machine = machine();
    let disk = machine.boot();
    let entry = write(&disk, blocks.iter().map(|(block, _)| block)).expect("written");
    let segment = open(&disk, &entry).expect("as written");
    let first_bytes = machine.files()[&path(&entry)].clone();
    let again = write(&disk, segment.blocks()).expect("written");
    assert_eq!(again, entry);
    assert_eq!(machine.files()[&path(&again)], first_bytes, "a segment of a segment's blocks is the same segment");
    let mut builder = BlockBuilder::new(UnitLayout::Split { own_unit_bytes: OPTIONS.own_unit_bytes });
    let (mut merged, mut expected_documents) = (Vec::new(), Vec::new());
    for (block, (_, documents)) in
        segment.blocks().iter().zip(&blocks).filter(|(block, _)| block.index().as_str() == "main")
    {
        for (number, document) in documents.iter().enumerate() {
            builder.add_from(block, number).expect("readable");
            expected_documents.push(document.clone());
        }
    }
    if !builder.is_empty() {
        merged.push(builder.finish(&grepzilla_model::IndexName::default()));
    }
    let entry = write(&disk, &merged).expect("written");
    let segment = open(&disk, &entry).expect("as written");
    segment.blocks().iter().for_each(|block| check_block(block, &expected_documents));
}

#[test]
fn parts_are_read_once_while_they_are_in_the_cache_and_forgotten_with_the_segment() {
    let blocks = random_blocks(&mut rng(), 1, 3);
    let disk = machine().boot();
    let entry = write(&disk, blocks.iter().map(|(block, _)| block)).expect("written");
    let cache = Arc::new(BlockCache::default());
    let segment = Segment::open(&disk, &path(&entry), &expected(&entry), &cache).expect("as written");
    assert_eq!(cache.stats().misses, 0);
    let read = || segment.blocks().iter().for_each(|block| drop(block.sources().expect("readable")));
    read();
    let misses = cache.stats().misses;
    read();
    assert_eq!(cache.stats().misses, misses);
    assert!(cache.stats().hits > 0 && cache.stats().bytes > 0);
    let block = segment.blocks()[0].clone();
    drop(segment);
    check_block(&block, &blocks[0].1);
    drop(block);
    assert_eq!(cache.stats().bytes, 0);
}

#[test]
fn a_shape_table_that_is_held_is_not_unpacked_again_even_without_a_cache() {
    let blocks = random_blocks(&mut rng(), 1, 1);
    let disk = machine().boot();
    let entry = write(&disk, blocks.iter().map(|(block, _)| block)).expect("written");
    let cache = Arc::new(BlockCache::new(0));
    let segment = Segment::open(&disk, &path(&entry), &expected(&entry), &cache).expect("as written");
    let held = || segment.shared.held_shapes[0].lock().clone();
    let mut sources = segment.blocks()[0].sources().expect("readable");
    assert_eq!(sources.source(0), blocks[0].1[0].source);
    let first = held();
    assert!(first.strong_count() > 0);
    check_block(&segment.blocks()[0], &blocks[0].1);
    assert!(first.ptr_eq(&held()));
    drop(sources);
    assert_eq!(first.strong_count(), 0);
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let disk = machine().boot();
    let writer = SegmentWriter::create(&disk, Path::new(DIR), identity(1, 5), OPTIONS).expect("begun");
    assert_eq!(disk.list(Path::new(DIR)).expect("a folder").len(), 1);
    drop(writer);
    assert_eq!(disk.list(Path::new(DIR)).expect("a folder"), Vec::<String>::new());
}
