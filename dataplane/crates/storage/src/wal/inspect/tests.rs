//! The log of the golden file, looked at good, flipped, cut and torn.

use std::fs;
use std::path::PathBuf;

use grepzilla_model::SeqNo;
use tempfile::TempDir;

use super::*;
use crate::disk::twin::Machine;
use crate::wal::tests::two_files;

/// The length of the DATA frames.
const DATA_BYTES: usize = 184;

/// Where the first file ends: behind its header, EPOCH_START, DATA and SEAL.
const FIRST_ENDS: usize = 4096 + 64 + DATA_BYTES + 80;

fn folder() -> (TempDir, Vec<PathBuf>) {
    let machine = Machine::new(1);
    two_files(&machine.boot());
    let dir = tempfile::tempdir().expect("a folder");
    let mut paths = Vec::new();
    for (path, bytes) in machine.files() {
        paths.push(dir.path().join(path.file_name().expect("a file")));
        fs::write(&paths[paths.len() - 1], bytes).expect("written");
    }
    (dir, paths)
}

/// All parts of all files, and every fault.
fn look(dir: &Path) -> (Vec<Vec<Part>>, Vec<Fault>) {
    let folder = Folder::open(dir).expect("readable");
    let (mut files, mut faults, mut position) = (Vec::new(), Vec::new(), None);
    for file in &folder.files {
        faults.extend(file.header().err().cloned());
        faults.extend(file.faults().iter().cloned());
        let mut parts = file.parts(position);
        let found: Vec<Part> = parts.by_ref().map(|part| part.expect("readable")).collect();
        position = parts.position();
        for part in &found {
            match part {
                Part::Frame(frame) => faults.extend(frame.faults.iter().cloned()),
                Part::Stretch(Stretch { kind: StretchKind::Fault(fault), .. }) => faults.push(fault.clone()),
                Part::Stretch(_) => {}
            }
        }
        files.push(found);
    }
    (files, faults)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("there");
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("written");
}

fn kinds(parts: &[Part]) -> Vec<FrameType> {
    let kind = |part: &Part| if let Part::Frame(frame) = part { Some(frame.kind) } else { None };
    parts.iter().filter_map(kind).collect()
}

#[test]
fn a_good_log_shows_every_frame_and_no_fault() {
    let (dir, _) = folder();
    let (files, faults) = look(dir.path());
    assert_eq!(faults, []);
    assert_eq!(kinds(&files[0]), [FrameType::EpochStart, FrameType::Data, FrameType::Seal]);
    assert_eq!(kinds(&files[1]), [FrameType::Data, FrameType::Pad]);
    let Part::Frame(frame) = &files[1][0] else { panic!("a frame comes first") };
    assert_eq!((frame.offset, frame.first_seq, frame.commit), (4096, SeqNo(4), SeqNo(3)));
    let Content::Batch(batch) = &frame.content else { panic!("it is DATA") };
    assert_eq!((batch.records.len(), batch.records[1].id.as_deref()), (2, Some("id-7")));
    assert!(matches!(&files[1][2], Part::Stretch(Stretch { to: 8192, kind: StretchKind::Room, .. })), "{:?}", files[1]);
}

#[test]
fn every_flipped_byte_is_seen() {
    let (dir, paths) = folder();
    for (number, path) in paths.iter().enumerate() {
        // Every byte that says something, and some of the zeros.
        let zeros = (128..4096).chain(FIRST_ENDS + 128..8192).step_by(97);
        for at in (0..128).chain(4096..FIRST_ENDS + 128).chain(zeros) {
            flip(path, at);
            let (files, faults) = look(dir.path());
            let behind_the_end = number == 0 && at >= FIRST_ENDS;
            if behind_the_end {
                let last = files[0].last();
                let copied = matches!(last, Some(Part::Stretch(Stretch { kind: StretchKind::Copied, .. })));
                assert!(copied && faults.is_empty(), "byte {at}: {last:?} {faults:?}");
            } else {
                assert!(!faults.is_empty(), "byte {at} of file {number}");
                let durable = number == 0 || at < 4096 + DATA_BYTES;
                assert_eq!(faults.iter().any(|fault| fault.is_damage), durable, "byte {at} of {number}: {faults:?}");
            }
            flip(path, at);
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_looked_at_to_its_end() {
    let (dir, paths) = folder();
    let good = fs::read(&paths[0]).expect("there");
    for length in (0..good.len()).step_by(7) {
        fs::write(&paths[0], &good[..length]).expect("written");
        let (_, faults) = look(dir.path());
        assert_eq!(faults.is_empty(), length >= FIRST_ENDS, "{length}: {faults:?}");
    }
}

#[test]
fn what_follows_damage_is_shown_and_names_where_it_stands() {
    let (dir, paths) = folder();
    // The header of the first DATA frame.
    flip(&paths[0], 4096 + 64 + 20);
    let (files, faults) = look(dir.path());
    assert_eq!(kinds(&files[0]), [FrameType::EpochStart, FrameType::Seal]);
    assert_eq!((faults[0].check, faults[0].offset, faults[0].is_damage), (Check::FrameHeader, 4160, true));
    assert!(faults[0].expected.starts_with("frame header crc ") && faults[0].found.len() == 8, "{faults:?}");
    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn files_that_are_swapped_are_noticed_by_their_names() {
    let (dir, paths) = folder();
    let aside = dir.path().join("aside");
    for (from, to) in [(&paths[0], &aside), (&paths[1], &paths[0]), (&aside, &paths[1])] {
        fs::rename(from, to).expect("renamed");
    }
    let (_, faults) = look(dir.path());
    assert!(faults.iter().filter(|fault| fault.check == Check::Name).count() == 2, "{faults:?}");
}

#[test]
fn a_file_is_looked_at_without_its_folder() {
    let (_dir, paths) = folder();
    let file = LogFile::open(&paths[1]).expect("readable");
    assert_eq!((file.role(), file.stated_end(), file.bytes()), (Role::Unknown, None, 8192));
    let previous = file.header().expect("good").previous.expect("there is a file before");
    assert_eq!((previous.file_no, previous.length), (1, FIRST_ENDS as u64));
    assert_eq!(file.parts(None).count(), 3);
}
