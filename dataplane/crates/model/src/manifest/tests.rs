use super::*;

fn entry(epoch: u64, first: u64, last: u64) -> SegmentEntry {
    SegmentEntry {
        name: SegmentName { epoch: Epoch(epoch), first: SeqNo(first), last: SeqNo(last), hash: first * 1_000 + last },
        bytes: 4096,
        raw_bytes: 10_000,
        documents: 2,
        blocks: 1,
        bounds: Some(DocumentBounds { time_min: TimeNs(-5), time_max: TimeNs(7), received_max: TimeNs(9) }),
        deletes: None,
    }
}

fn manifest() -> Manifest {
    let mut manifest = Manifest {
        generation: Generation(4),
        epoch: Epoch(2),
        base: SeqNo(10),
        flushed: SeqNo(40),
        segments: vec![entry(1, 11, 20), entry(2, 21, 40)],
    };
    manifest.segments[1].deletes = Some(DeletesEntry { generation: Generation(3), count: 1, hash: u64::MAX });
    manifest
}

fn next(change: impl FnOnce(&mut Manifest)) -> Result<(), ManifestError> {
    let mut next = Manifest { generation: Generation(5), ..manifest() };
    change(&mut next);
    next.check_follows(&manifest())
}

#[test]
fn a_manifest_is_read_as_it_was_written_and_hashes_stand_as_text() {
    let text = serde_json::to_string(&manifest()).expect("plain values");
    assert_eq!(serde_json::from_str::<Manifest>(&text).expect("as written"), manifest());
    assert!(text.contains(r#""name":"0000000000000001-000000000000000b-0000000000000014-"#), "{text}");
    assert!(text.contains(r#""hash":"ffffffffffffffff""#), "{text}");
}

#[test]
fn names_are_read_as_they_were_made_and_nothing_else_is() {
    let name = manifest().segments[1].name;
    assert_eq!(SegmentName::of_file(&name.file_name()), Some(name));
    let deletes = manifest().segments[1].deletes_name().expect("there are some");
    assert_eq!(DeletesName::of_file(&deletes.file_name()), Some(deletes));
    assert_eq!(SegmentName::of_file(&deletes.file_name()), None);
    let upper = name.file_name().replace('a', "A");
    for other in [upper.as_str(), "1-2-3-4.seg", &name.file_name()[1..], "x.seg", &format!("{name}.seg.tmp")] {
        assert!(other == name.file_name() || SegmentName::of_file(other).is_none(), "{other}");
    }
}

#[test]
fn what_a_shard_starts_with_is_sound_and_what_follows_keeps_every_rule() {
    assert_eq!(Manifest::default().check(), Ok(()));
    assert_eq!(manifest().check(), Ok(()));
    assert_eq!(next(|_| ()), Ok(()));
    assert_eq!(next(|next| (next.base, _) = (SeqNo(20), next.segments.remove(0))), Ok(()));
}

#[test]
fn every_broken_rule_has_a_name() {
    use ManifestError as E;
    let later = |next: &mut Manifest| next.segments[0].name.first = SeqNo(12);
    assert_eq!(next(later), Err(E::NotTiled { expected: SeqNo(11), found: SeqNo(12) }));
    let gap = |next: &mut Manifest| next.segments[0].name.last = SeqNo(19);
    assert_eq!(next(gap), Err(E::NotTiled { expected: SeqNo(20), found: SeqNo(21) }));
    assert!(matches!(next(|next| next.flushed = SeqNo(41)), Err(E::NotFlushed { found: SeqNo(40), .. })));
    assert!(matches!(next(|next| next.segments.truncate(1)), Err(E::NotFlushed { found: SeqNo(20), .. })));
    assert!(matches!(next(|next| next.epoch = Epoch(1)), Err(E::SegmentOfLaterEpoch { .. })));
    assert!(matches!(next(|next| next.generation = Generation(6)), Err(E::Generation { .. })));
    let older = Manifest { epoch: Epoch(3), ..manifest() };
    let follower = Manifest { generation: Generation(5), ..manifest() };
    assert!(matches!(follower.check_follows(&older), Err(E::EpochFell { .. })));
    let fallen = |next: &mut Manifest| (next.flushed, _) = (SeqNo(20), next.segments.pop());
    assert!(matches!(next(fallen), Err(E::PositionFell { .. })));
    assert!(matches!(next(|next| next.segments[0].documents = 11), Err(E::Figures { .. })));
    assert!(matches!(next(|next| next.segments[0].bounds = None), Err(E::Figures { .. })));
    let mut many = Manifest { base: SeqNo(0), flushed: SeqNo(2_002), ..manifest() };
    many.segments = (0..1_001).map(|number| entry(1, 2 * number + 1, 2 * number + 2)).collect();
    assert_eq!(many.check(), Err(E::TooMany { found: 1_001 }));
}

#[test]
fn any_change_of_the_list_changes_its_hash_and_nothing_else_does() {
    let hash = manifest().list_hash();
    assert_eq!(Manifest { generation: Generation(9), epoch: Epoch(9), ..manifest() }.list_hash(), hash);
    let changes: [fn(&mut Manifest); 6] = [
        |manifest| manifest.base = SeqNo(9),
        |manifest| manifest.segments[0].name.hash += 1,
        |manifest| manifest.segments[0].bounds = None,
        |manifest| manifest.segments[1].deletes = None,
        |manifest| manifest.segments[0].bytes += 1,
        |manifest| manifest.segments.swap(0, 1),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut changed = manifest();
        change(&mut changed);
        assert_ne!(changed.list_hash(), hash, "change {number}");
    }
}

#[test]
fn the_segment_of_a_position_is_the_one_that_covers_it() {
    let manifest = manifest();
    let found = |seq| manifest.segment_at(SeqNo(seq)).map(|entry| entry.name.first.0);
    assert_eq!([10, 11, 20, 21, 40, 41].map(found), [None, Some(11), Some(11), Some(21), Some(21), None]);
}
