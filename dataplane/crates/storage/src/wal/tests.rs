//! The bytes of a whole log, and a log made of frames that the writer of today does not make.

use std::path::Path;
use std::sync::Arc;

use grepzilla_model::{
    Batch, BodyHash, Bucket, ClusterUuid, Epoch, Incarnation, IndexName, KeyHash, Record, RecordKind, SeqNo, ShardId,
    TimeNs,
};
use uuid::Uuid;

use super::file_header::{FILE_HEADER_BYTES, FileHeader, FileState, LogOwner};
use super::frame::FrameType;
use super::name::{FileNo, file_name};
use super::sizes::LogSizes;
use super::writer::{NewFrame, Payload, PreparedFile, WalFile};
use super::{encode_payload, recover};
use crate::OpenError;
use crate::disk::twin::Machine;
use crate::disk::{Disk, create_dirs, sync_dirs_above};
use crate::replica::ReplicaFolder;

const DIR: &str = "/d";
const CAPACITY: u64 = 8192;

/// The folder's `replica.json`, whose incarnation is the owner's of the files below.
const REPLICA_JSON: &[u8] = include_bytes!("../../golden/replica.json");

fn owner() -> LogOwner {
    LogOwner {
        cluster: ClusterUuid(Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff)),
        shard: ShardId(5),
        incarnation: Incarnation(0x1bad_b002_dead_cafe),
    }
}

fn prepared(disk: &Arc<dyn Disk>, file_no: u64) -> PreparedFile {
    let nonce = 0xa1a2_a3a4_a5a6_a7a0 + file_no;
    let state = FileState::Prepared;
    let header = FileHeader { owner: owner(), epoch: Epoch(file_no - 1), file_no: FileNo(file_no), nonce, state };
    PreparedFile::make(disk, Path::new(DIR), header, CAPACITY).expect("there is room")
}

fn batch() -> Batch {
    let record = |kind, id: Option<&str>, source: &str| Record {
        kind,
        bucket: Bucket(0xbeef),
        index: IndexName::new("logs").expect("valid"),
        id: id.map(Arc::from),
        time: TimeNs(0x0102_0304_0506_0708),
        source: source.into(),
    };
    Batch {
        key: KeyHash(*b"key-key-key-key-"),
        body: BodyHash(*b"body-body-body-b"),
        received: TimeNs(0x1112_1314_1516_1718),
        records: vec![
            record(RecordKind::Put, None, r#"{"message":"кошка"}"#),
            record(RecordKind::Tombstone, Some("id-7"), ""),
        ],
    }
}

fn frame(kind: FrameType, first_seq: u64, payload: &[u8]) -> NewFrame<'_> {
    let commit = SeqNo(first_seq - 1);
    NewFrame {
        kind,
        compressed: false,
        first_seq: SeqNo(first_seq),
        epoch: Epoch(1),
        commit,
        payload: Payload::Bytes(payload),
    }
}

/// Two files: the first is sealed, the second holds one batch and knows it as durable.
pub(super) fn two_files(disk: &Arc<dyn Disk>) {
    create_dirs(disk.as_ref(), Path::new(DIR)).expect("made");
    sync_dirs_above(disk.as_ref(), Path::new(DIR)).expect("synced");
    let payload = encode_payload(&batch());
    let mut first = WalFile::begin(prepared(disk, 1), None);
    let end = |file: &mut WalFile, new: NewFrame<'_>| {
        file.push(new);
        file.write().and_then(|()| file.sync()).expect("the twin is well");
    };
    end(&mut first, frame(FrameType::EpochStart, 1, &[]));
    end(&mut first, frame(FrameType::Data, 2, &payload));
    let second = prepared(disk, 2);
    let mut named = [0; 16];
    named[0] = 1;
    named[8] = 2;
    end(&mut first, frame(FrameType::Seal, 4, &named));
    let mut second = WalFile::begin(second, Some(first.as_previous()));
    end(&mut second, frame(FrameType::Data, 4, &payload));
    end(&mut second, frame(FrameType::Pad, 6, &[]));
}

/// Lines of 16 bytes; lines of zeros are left out.
fn dump(machine: &Machine) -> String {
    let mut text = String::new();
    for (path, bytes) in machine.files() {
        text += &format!("{} {}\n", path.display(), bytes.len());
        for (line, bytes) in bytes.chunks(16).enumerate().filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 0)) {
            let hex: Vec<String> =
                bytes.chunks(4).map(|word| word.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
            text += &format!("{:06x}  {}\n", line * 16, hex.join(" "));
        }
    }
    text
}

fn recovered(disk: Arc<dyn Disk>) -> Result<Vec<(Epoch, SeqNo, Batch)>, OpenError> {
    let folder = ReplicaFolder::open(disk, Path::new(DIR), owner().cluster, owner().shard)?;
    let mut found = Vec::new();
    let log = recover(
        &folder,
        LogSizes::new(CAPACITY),
        SeqNo(0),
        SeqNo(0),
        &mut |epoch, first, batch| found.push((epoch, first, batch)),
        &|_, _| (),
    )?;
    assert_eq!(
        log.last_seq(),
        found.last().map_or(SeqNo(1), |(_, first, batch)| SeqNo(first.0 + batch.records.len() as u64 - 1))
    );
    Ok(found)
}

#[test]
fn the_bytes_of_a_log_are_frozen() {
    let machine = Machine::new(1);
    two_files(&machine.boot());
    let golden = include_str!("../../golden/wal-format-1.txt");
    assert!(dump(&machine) == golden, "the format has changed:\n{}", dump(&machine));
}

#[test]
fn a_log_of_format_1_is_read() {
    let machine = Machine::new(1);
    two_files(&machine.boot());
    machine.power_loss();
    machine.plant(&Path::new(DIR).join("replica.json"), REPLICA_JSON.to_vec());
    let found = recovered(machine.boot()).expect("good");
    assert_eq!(found, [(Epoch(1), SeqNo(2), batch()), (Epoch(1), SeqNo(4), batch())]);
}

#[test]
fn a_compressed_payload_is_read_and_an_excessive_one_refused() {
    let small = zstd::bulk::compress(&encode_payload(&batch()), 3).expect("compressed");
    let bomb = zstd::bulk::compress(&vec![0; 20 << 20], 3).expect("compressed");
    for (payload, good) in [(small, true), (bomb, false)] {
        let machine = Machine::new(1);
        let disk = machine.boot();
        create_dirs(disk.as_ref(), Path::new(DIR)).expect("made");
        let mut file = WalFile::begin(prepared(&disk, 1), None);
        file.push(frame(FrameType::EpochStart, 1, &[]));
        file.push(NewFrame { compressed: true, ..frame(FrameType::Data, 2, &payload) });
        file.write().and_then(|()| file.sync()).expect("the twin is well");
        machine.plant(&Path::new(DIR).join("replica.json"), REPLICA_JSON.to_vec());
        match recovered(machine.boot()) {
            Ok(found) if good => assert_eq!(found, [(Epoch(1), SeqNo(2), batch())]),
            Err(OpenError::Corrupt(corruption)) if !good => {
                assert_eq!(corruption.offset, FILE_HEADER_BYTES as u64 + 64);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn frames_with_good_checksums_that_do_not_continue_the_log_are_corruption() {
    let bad = [
        ("a gap", frame(FrameType::Data, 3, &[])),
        ("a repetition", frame(FrameType::EpochStart, 1, &[])),
        ("an epoch again", frame(FrameType::EpochStart, 2, &[])),
        ("another epoch without its start", NewFrame { epoch: Epoch(2), ..frame(FrameType::Pad, 2, &[]) }),
        ("no batch", frame(FrameType::Data, 2, b"12345678")),
        ("a payload where none may be", frame(FrameType::Pad, 2, b"12345678")),
        ("a seal that names nothing", frame(FrameType::Seal, 2, b"12345678")),
        ("a commit position ahead of the log", NewFrame { commit: SeqNo(2), ..frame(FrameType::Pad, 2, &[]) }),
    ];
    for (what, new) in bad {
        let machine = Machine::new(1);
        let disk = machine.boot();
        create_dirs(disk.as_ref(), Path::new(DIR)).expect("made");
        let mut file = WalFile::begin(prepared(&disk, 1), None);
        file.push(frame(FrameType::EpochStart, 1, &[]));
        file.push(new);
        file.write().and_then(|()| file.sync()).expect("the twin is well");
        machine.plant(&Path::new(DIR).join("replica.json"), REPLICA_JSON.to_vec());
        let found = recovered(machine.boot());
        assert!(matches!(found, Err(OpenError::Corrupt(_))), "{what}: {found:?}");
    }
}

#[test]
fn a_sealed_file_whose_successor_is_gone_is_corruption() {
    let machine = Machine::new(1);
    two_files(&machine.boot());
    machine.plant(&Path::new(DIR).join("replica.json"), REPLICA_JSON.to_vec());
    machine.vanish(&Path::new(DIR).join(file_name(Epoch(1), FileNo(2))));
    match recovered(machine.boot()) {
        Err(OpenError::Corrupt(corruption)) => assert!(corruption.expected.contains("its SEAL names"), "{corruption}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dropped_frame_shows_in_the_chain() {
    let machine = Machine::new(1);
    let disk = machine.boot();
    create_dirs(disk.as_ref(), Path::new(DIR)).expect("made");
    let mut file = WalFile::begin(prepared(&disk, 1), None);
    file.push(frame(FrameType::EpochStart, 1, &[]));
    file.push(frame(FrameType::Pad, 2, &[]));
    file.push(frame(FrameType::Pad, 2, &[]));
    let payload = encode_payload(&batch());
    file.push(frame(FrameType::Data, 2, &payload));
    file.write().and_then(|()| file.sync()).expect("the twin is well");
    let path = file.path().to_owned();
    let mut bytes = machine.files()[&path].clone();
    machine.plant(&Path::new(DIR).join("replica.json"), REPLICA_JSON.to_vec());
    assert_eq!(recovered(machine.duplicate(1).boot()).expect("good").len(), 1);
    // Without the first of two frames of the same content nothing but the chain is wrong.
    bytes.drain(FILE_HEADER_BYTES + 64..FILE_HEADER_BYTES + 128);
    machine.plant(&path, bytes);
    assert_eq!(recovered(machine.boot()).expect("a torn tail").len(), 0);
}
