//! Whatever happens to a file, an answer is right or an error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use grepzilla_model::manifest::SegmentEntry;
use grepzilla_model::{ClusterUuid, IndexName, ShardId};
use rand::SeedableRng;
use rand::rngs::StdRng;
use uuid::Uuid;

use super::fixtures::{DIR, expected, identity, open, path, random_blocks, write};
use crate::ReadError;
use crate::block::Block;
use crate::cache::BlockCache;
use crate::disk::Disk;
use crate::disk::twin::{Fault, Machine};
use crate::segment::gram::GramKey;
use crate::segment::ids::IdFilter;
use crate::segment::layout::{self, FOOTER_BYTES, HEADER_BYTES};
use crate::segment::table::BlockTable;
use crate::segment::{ExpectedSegment, OpenSegmentError, Section, Segment, WriteSegmentError};

fn fresh() -> Machine {
    let machine = Machine::new(1);
    let disk = machine.boot();
    disk.create_dir(Path::new(DIR)).expect("made");
    disk.sync_dir(Path::new("/")).expect("synced");
    machine
}

fn blocks(seed: u64, count: usize) -> Vec<Block> {
    random_blocks(&mut StdRng::seed_from_u64(seed), 1, count).into_iter().map(|(block, _)| block).collect()
}

/// Everything that can be asked of a segment, each answer or its error.
fn answers(segment: &Segment) -> Vec<Result<String, ReadError>> {
    let mut answers = vec![Ok(format!("{:?} {:?}", segment.identity(), segment.bounds()))];
    answers.push(segment.keys().map(|keys| format!("{keys:?}")));
    for key in [*b"err", *b"nne", *b"zzz"].map(GramKey::three).into_iter().chain([GramKey::one(b'x')]) {
        answers.push(segment.grams(key).map(|units| format!("{units:?}")));
    }
    for id in (0..60).map(|number| format!("id-{number}")) {
        answers.push(segment.find_id(&IndexName::default(), &id).map(|found| format!("{found:?}")));
    }
    for block in segment.blocks() {
        answers.push(Ok(format!("{:?}", block.facts())));
        answers.push(block.stamps().map(|stamps| format!("{stamps:?}")));
        answers.push(
            block
                .sources()
                .map(|mut sources| (0..block.document_count()).map(|document| sources.source(document)).collect()),
        );
        answers
            .extend((0..block.unit_count()).map(|unit| block.unit(unit).map(|unit| format!("{:?}", unit.written()))));
    }
    answers
}

fn equal_or_error(found: Vec<Result<String, ReadError>>, expected: &[Result<String, ReadError>]) -> usize {
    assert_eq!(found.len(), expected.len());
    let mut errors = 0;
    for (found, expected) in found.into_iter().zip(expected) {
        match found {
            Ok(found) => assert_eq!(found, *expected.as_ref().expect("undamaged")),
            Err(ReadError::Corrupt(_)) => errors += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    errors
}

fn planted(bytes: Vec<u8>, entry: &SegmentEntry) -> Arc<dyn Disk> {
    let machine = fresh();
    let disk = machine.boot();
    machine.plant(&path(entry), bytes);
    disk
}

#[test]
fn every_flipped_byte_gives_an_error_or_the_same_answers() {
    let machine = fresh();
    let entry = write(&machine.boot(), &blocks(11, 1)).expect("written");
    let good = machine.files()[&path(&entry)].clone();
    let right = answers(&open(&planted(good.clone(), &entry), &entry).expect("as written"));
    assert!(right.iter().all(Result::is_ok));
    let (mut not_opened, mut not_read) = (0, 0);
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        let disk = planted(bytes, &entry);
        let checked = catch_unwind(AssertUnwindSafe(|| match open(&disk, &entry) {
            Err(OpenSegmentError::Read(ReadError::Corrupt(_))) => (1, 0),
            Err(error) => panic!("{error:?}"),
            Ok(segment) => {
                assert!(segment.verify().is_err(), "verifying finds every flipped byte");
                (0, usize::from(equal_or_error(answers(&segment), &right) > 0))
            }
        }));
        let (opened_not, read_not) = checked.unwrap_or_else(|_| panic!("byte {at} of {}", good.len()));
        not_opened += opened_not;
        not_read += read_not;
    }
    // Most bytes are read by parts; only pages that nobody asked for may stay unnoticed.
    assert!(not_opened > HEADER_BYTES + FOOTER_BYTES && not_read > good.len() / 4, "{not_opened} {not_read}");
}

#[test]
fn a_file_cut_anywhere_or_filled_with_zeros_is_refused() {
    let machine = fresh();
    let entry = write(&machine.boot(), &blocks(12, 1)).expect("written");
    let good = machine.files()[&path(&entry)].clone();
    for length in 0..good.len() {
        assert!(open(&planted(good[..length].to_vec(), &entry), &entry).is_err(), "{length} bytes");
        let mut longer = good.clone();
        longer.resize(good.len() + 1 + length, 0);
        if length < 600 {
            assert!(open(&planted(longer, &entry), &entry).is_err(), "{length} bytes more");
        }
    }
    assert!(open(&planted(vec![0; good.len()], &entry), &entry).is_err());
    for from in (0..good.len()).step_by(512) {
        let mut bytes = good.clone();
        let end = good.len().min(from + 512);
        bytes[from..end].fill(0);
        if bytes != good {
            let opened = open(&planted(bytes, &entry), &entry);
            assert!(
                opened.is_err() || opened.is_ok_and(|segment| segment.verify().is_err()),
                "a lost sector at {from}"
            );
        }
    }
}

#[test]
fn another_segment_under_the_name_is_refused() {
    let machine = fresh();
    let disk = machine.boot();
    let entries = [21, 22].map(|seed| write(&disk, &blocks(seed, 2)).expect("written"));
    let files = machine.files();
    for (one, other) in [(0, 1), (1, 0)] {
        let swapped = planted(files[&path(&entries[other])].clone(), &entries[one]);
        assert!(matches!(open(&swapped, &entries[one]), Err(OpenSegmentError::Read(ReadError::Corrupt(_)))));
    }
    let name = entries[0].name;
    let right = expected(&entries[0]);
    for wrong in [
        ExpectedSegment { cluster: ClusterUuid(Uuid::from_u128(8)), ..right },
        ExpectedSegment { shard: ShardId(4), ..right },
        ExpectedSegment { name: identity(1, name.last.0 + 1).name(name.hash), ..right },
        ExpectedSegment { name: identity(1, name.last.0).name(name.hash ^ 1), ..right },
    ] {
        let opened = Segment::open(&disk, &path(&entries[0]), &wrong, &Arc::new(BlockCache::default()));
        let Err(error) = opened else { panic!("{wrong:?} was opened") };
        assert!(error.to_string().contains(&wrong.name.to_string()) && error.to_string().contains(&name.to_string()));
    }
}

#[test]
fn parts_of_other_segments_do_not_fit() {
    let machine = fresh();
    let disk = machine.boot();
    let entries = [31, 32].map(|seed| write(&disk, &blocks(seed, 2)).expect("written"));
    let [one, other] = entries.each_ref().map(|entry| machine.files()[&path(entry)].clone());
    let length = one.len().min(other.len());
    for from in (0..length).step_by(97) {
        let mut mixed = one.clone();
        mixed[from..length].copy_from_slice(&other[from..length]);
        if mixed != one {
            let opened = open(&planted(mixed, &entries[0]), &entries[0]);
            assert!(opened.is_err() || opened.is_ok_and(|segment| segment.verify().is_err()), "from {from} on");
        }
    }
}

#[test]
fn a_newer_format_and_another_folding_say_which_versions_they_are() {
    let machine = fresh();
    let entry = write(&machine.boot(), &blocks(13, 1)).expect("written");
    let good = machine.files()[&path(&entry)].clone();
    let with_header = |format, min_reader, fold_version| {
        let identity = identity(1, entry.name.last.0);
        let mut bytes = layout::header_of_format(&identity, format, min_reader, fold_version).to_vec();
        bytes.extend(&good[HEADER_BYTES..]);
        open(&planted(bytes, &entry), &entry).expect_err("refused")
    };
    let newer = with_header(9, 7, 1);
    assert!(matches!(newer, OpenSegmentError::NewerFormat { format: 9, min_reader: 7, supported: 1, .. }), "{newer}");
    assert!(newer.to_string().contains("format 9") && newer.to_string().contains("knows format 1"), "{newer}");
    let other_fold = with_header(1, 1, 2);
    assert!(matches!(other_fold, OpenSegmentError::OtherFold { found: 2, supported: 1, .. }), "{other_fold}");
    // A newer file that this program may read is another file than the one that the footer knows.
    assert!(matches!(with_header(2, 1, 1), OpenSegmentError::Read(ReadError::Corrupt(_))));
}

#[test]
fn a_crash_at_any_step_of_writing_leaves_no_file_of_the_name_or_a_whole_one() {
    let blocks = blocks(14, 3);
    let reference = fresh();
    let disk = reference.boot();
    let before = reference.steps();
    let entry = write(&disk, &blocks).expect("written");
    let steps = reference.steps() - before;
    assert!(steps >= 5, "create, write, sync, rename, sync of the folder: {steps}");
    let mut outcomes = [0; 2];
    for step in 1..=steps {
        for seed in 0..8 {
            for power_loss in [false, true] {
                let machine = fresh().duplicate(seed);
                let disk = machine.boot();
                machine.fail_at(machine.steps() + step, Fault::Stop);
                write(&disk, &blocks).expect_err("the machine stopped");
                if power_loss {
                    machine.power_loss();
                }
                let disk = machine.boot();
                let there = machine.files().contains_key(&path(&entry));
                outcomes[usize::from(there)] += 1;
                if there {
                    open(&disk, &entry).and_then(|segment| Ok(segment.verify()?)).expect("whole");
                }
                // What is left of it is in nobody's way.
                assert_eq!(write(&disk, &blocks).expect("written"), entry);
                assert_eq!(disk.list(Path::new(DIR)).expect("a folder"), [entry.name.file_name()]);
            }
        }
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

#[test]
fn a_full_disk_is_an_error_that_leaves_nothing_and_any_other_ends_the_process() {
    let blocks = blocks(15, 3);
    let machine = fresh();
    let disk = machine.boot();
    machine.limit_bytes(Some(1_000));
    let refused = write(&disk, &blocks).expect_err("no room");
    assert!(matches!(refused, WriteSegmentError::NoRoom(_)), "{refused:?}");
    assert_eq!((machine.files().len(), machine.died()), (0, None));
    machine.limit_bytes(None);
    write(&disk, &blocks).expect("there is room again");
    // The steps: remove what was left, create, write, sync, rename, sync the folder.
    for step in 3..=6 {
        let machine = fresh();
        let disk = machine.boot();
        machine.fail_at(machine.steps() + step, Fault::Error(std::io::ErrorKind::Other));
        let died = write(&disk, &blocks).expect_err("a step failed");
        assert!(matches!(died, WriteSegmentError::Died(_)) && machine.died().is_some(), "step {step}: {died:?}");
    }
}

#[test]
fn a_table_of_any_bytes_gives_an_error_or_a_table_and_never_panics() {
    let machine = fresh();
    let entry = write(&machine.boot(), &blocks(16, 2)).expect("written");
    let good = machine.files()[&path(&entry)].clone();
    let footer_bytes: [u8; FOOTER_BYTES] = good[good.len() - FOOTER_BYTES..].try_into().expect("a footer");
    let footer = layout::Footer::decode(&footer_bytes, good.len() as u64).expect("as written");
    let identity = identity(1, entry.name.last.0);
    let section = |section| {
        let place = footer.section(section);
        good[place.offset as usize..place.end() as usize].to_vec()
    };
    let (table, ids) = (section(Section::BlockTable), section(Section::IdFilter));
    let pages = footer.section(Section::Ids).length;
    let mut refused = 0;
    for at in 0..table.len().max(ids.len()) {
        for byte in [0x00, 0x01, 0x7F, 0x80, 0xFF] {
            let with = |bytes: &[u8]| bytes.iter().enumerate().map(|(n, b)| if n == at { byte } else { *b }).collect();
            let (table, ids): (Vec<u8>, Vec<u8>) = (with(&table), with(&ids));
            refused += u32::from(BlockTable::decode(&table, &identity, &footer).is_err());
            refused += u32::from(IdFilter::decode(&ids, pages).is_err());
        }
    }
    assert!(refused > 100, "{refused}");
}
