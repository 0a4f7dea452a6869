//! Damaged segments: whatever is wrong with one, it is noticed, kept and named, the rest is shown and nothing else; and what
//! the log still has comes back from there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use grepzilla_model::{Batch, IndexName, Record, RecordKind, SeqNo};
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::segment::{Section, grams_of};
use grepzilla_storage::{AppendError, MaintenanceError, ReadError, Shard, View};

use crate::fixtures::*;

type Documents = BTreeMap<SeqNo, String>;

/// The length of a segment's header.
const HEADER_BYTES: u64 = 128;

/// Versions of a few ids: each number replaces the one five before it.
fn versions(numbers: std::ops::Range<u64>, bytes: usize) -> Batch {
    let record = |number: u64| Record {
        kind: RecordKind::Put,
        id: Some(id(number)),
        source: version(number, bytes).into(),
        ..batch([0], 1).records.remove(0)
    };
    Batch { records: numbers.map(record).collect(), ..batch([], 1) }
}

fn version(number: u64, bytes: usize) -> String {
    source(number, bytes).replacen('{', &format!(r#"{{"_id":"{}","#, id(number)), 1)
}

fn id(number: u64) -> Arc<str> {
    Arc::from(format!("id-{}", number % 5))
}

/// A shard of three published segments and a few documents behind them, closed. The log before the fourth part is gone.
struct Flushed {
    machine: Machine,
    store: Store,
    files: Vec<PathBuf>,
    before: Documents,
}

fn flushed() -> Flushed {
    let (machine, mut store) = (Machine::new(1), Store::default());
    let shard = store.lead(machine.boot(), options());
    for part in 0..3 {
        // 20 KiB, so that each part ends a file of the log.
        append(&shard, batch(part * 10..part * 10 + 10, 2_000)).expect("taken");
        shard.flush().expect("flushed").expect("there was something");
    }
    append(&shard, batch(30..40, 2_000)).expect("taken");
    append(&shard, batch(40..45, 10)).expect("taken");
    store.publish(&shard);
    shard.close().expect("closed");
    let files = store.manifest.as_ref().expect("published").segments.iter();
    let files = files.map(|entry| Path::new(DIR).join("segments").join(entry.name.file_name())).collect();
    Flushed { machine, store, files, before: documents(&shard.view()) }
}

fn file(machine: &Machine, path: &Path) -> Vec<u8> {
    machine.files()[path].clone()
}

/// The names of files that were set aside.
fn aside(machine: &Machine) -> Vec<PathBuf> {
    machine.files().into_keys().filter(|path| path.to_string_lossy().contains(".seg.damaged")).collect()
}

/// What was written at the positions of some of the three segments.
fn without(flushed: &Flushed, missing: &[usize]) -> Documents {
    let entries = &flushed.store.manifest.as_ref().expect("published").segments;
    let is_missing =
        |seq: &SeqNo| missing.iter().any(|at| (entries[*at].name.first..=entries[*at].name.last).contains(seq));
    flushed.before.iter().filter(|(seq, _)| !is_missing(seq)).map(|(seq, text)| (*seq, text.clone())).collect()
}

fn refuses_writes(shard: &Shard) {
    assert_eq!(append(shard, batch([1], 1)), Err(AppendError::ReadOnly));
    assert!(matches!(shard.flush(), Err(MaintenanceError::Damaged(_))));
    assert!(matches!(shard.adopt(None), Err(MaintenanceError::Damaged(_))));
    assert_eq!(shard.next_manifest(), None);
}

/// Damages some of the three segments, and says which.
type Harm = fn(&Machine, &[PathBuf]) -> Vec<usize>;

#[test]
fn whatever_is_wrong_with_a_segment_it_is_kept_and_named_and_the_rest_is_shown() {
    let harms: [(&str, Harm); 7] = [
        ("cut", |machine, files| {
            let bytes = file(machine, &files[0]);
            machine.plant(&files[0], bytes[..bytes.len() / 2].to_vec());
            vec![0]
        }),
        ("emptied", |machine, files| {
            machine.plant(&files[1], Vec::new());
            vec![1]
        }),
        ("filled with zeros", |machine, files| {
            machine.plant(&files[1], vec![0; file(machine, &files[1]).len()]);
            vec![1]
        }),
        ("flipped at its end", |machine, files| {
            let mut bytes = file(machine, &files[2]);
            let place = bytes.len() - 20;
            bytes[place] ^= 1;
            machine.plant(&files[2], bytes);
            vec![2]
        }),
        ("swapped with another", |machine, files| {
            let (one, other) = (file(machine, &files[0]), file(machine, &files[1]));
            machine.plant(&files[0], other);
            machine.plant(&files[1], one);
            vec![0, 1]
        }),
        ("grown", |machine, files| {
            let mut bytes = file(machine, &files[0]);
            bytes.push(0);
            machine.plant(&files[0], bytes);
            vec![0]
        }),
        ("renamed", |machine, files| {
            let bytes = file(machine, &files[1]);
            let other = files[1].to_string_lossy().replace("0000000000000001-", "0000000000000002-");
            machine.vanish(&files[1]);
            machine.plant(Path::new(&other), bytes);
            vec![1]
        }),
    ];
    for (what, harm) in harms {
        let flushed = flushed();
        let Flushed { machine, files, .. } = &flushed;
        let good: Vec<_> = files.iter().map(|path| file(machine, path)).collect();
        let missing = harm(machine, files);
        for round in ["at once", "at the next start"] {
            let shard = open(machine.boot(), options()).expect("opens");
            assert_eq!(documents(&shard.view()), without(&flushed, &missing), "{what}, {round}");
            let named: Vec<_> = shard.damage().iter().map(|damage| damage.segment.first).collect();
            let entries = &flushed.store.manifest.as_ref().expect("published").segments;
            let wanted: Vec<_> = missing.iter().map(|at| entries[*at].name.first).collect();
            assert_eq!(named, wanted, "{what}, {round}");
            assert_eq!((shard.view().damage(), shard.can_be_restored()), (&*shard.damage(), false), "{what}, {round}");
            let said = shard.damage()[0].to_string();
            let (first, last) = (entries[missing[0]].name.first, entries[missing[0]].name.last);
            assert!(said.contains(&format!("positions {first} to {last} are missing (10 documents")), "{said}");
            assert!(said.contains(&*files[missing[0]].to_string_lossy()), "{said}");
            shard.start_epoch(shard.last_epoch().next()).expect("the log is well");
            refuses_writes(&shard);
            if what != "renamed" {
                assert_eq!(aside(machine).len(), missing.len(), "{what}, {round}");
            }
        }
        // Good files are put back: nothing has been lost.
        files.iter().zip(good).for_each(|(path, bytes)| machine.plant(path, bytes));
        let shard = flushed.store.lead(machine.boot(), options());
        assert_eq!(documents(&shard.view()), flushed.before, "{what}, put back");
        append(&shard, batch([1], 1)).expect("taken");
    }
}

/// A shard of one published segment, whose log still has everything, closed. Behind the segment are these.
fn in_the_log(behind: Batch) -> (Machine, Store, PathBuf, Documents) {
    let (machine, mut store) = (Machine::new(1), Store::default());
    let shard = store.lead(machine.boot(), options());
    append(&shard, versions(0..4, 30)).expect("taken");
    shard.flush().expect("flushed").expect("there was something");
    append(&shard, behind).expect("taken");
    store.publish(&shard);
    shard.close().expect("closed");
    let name = store.manifest.as_ref().expect("published").segments[0].name.file_name();
    (machine, store, Path::new(DIR).join("segments").join(name), documents(&shard.view()))
}

#[test]
fn what_the_log_still_has_of_a_damaged_segment_comes_from_there_and_is_flushed_again() {
    let (machine, mut store, path, before) = in_the_log(versions(4..7, 30));
    machine.plant(&path, vec![0; 5_000]);
    for round in 0..2 {
        // A second crash before the flush changes nothing.
        let shard = store.lead(machine.boot(), options());
        assert_eq!((documents(&shard.view()), shard.damage()), (before.clone(), vec![]), "round {round}");
        assert_eq!((shard.view().segments().len(), shard.next_manifest()), (0, None));
        assert_eq!(shard.get(&IndexName::default(), &id(6)).expect("readable").expect("there").stamp.seq, SeqNo(8));
        assert!(shard.wants_flush(grepzilla_model::TimeNs(2)));
    }
    let shard = store.lead(machine.boot(), options());
    append(&shard, versions(7..9, 30)).expect("taken");
    let before = documents(&shard.view());
    shard.flush().expect("flushed").expect("there was something");
    store.publish(&shard);
    assert_eq!(shard.next_manifest(), None);
    drop(shard);
    machine.power_loss();
    let shard = store.lead(machine.boot(), options());
    assert_eq!((documents(&shard.view()), shard.view().segments().len()), (before, 1));
    let seen = |seq: u64| !shard.view().is_superseded(SeqNo(seq), shard.view().upto());
    assert_eq!((2..=10).filter(|seq| seen(*seq)).count(), 5, "one version of each id");
    assert_eq!(aside(&machine).len(), 1);
}

#[test]
fn every_damaged_byte_of_a_segment_that_the_log_still_has_is_made_good() {
    let (machine, store, path, before) = in_the_log(versions(4..7, 30));
    let files = machine.files();
    let length = file(&machine, &path).len();
    let mut while_reading = 0;
    for at in (0..length).step_by(3) {
        let machine = Machine::new(at as u64);
        files.iter().for_each(|(path, bytes)| machine.plant(path, bytes.clone()));
        let mut bytes = file(&machine, &path);
        bytes[at] ^= 0x20;
        machine.plant(&path, bytes);
        let shard = open_and_lead(machine.boot(), options());
        // The log was replayed, and what it replaces sought; now every part there is is read, if only to find the damage.
        if let Err(error) = read_all(&shard) {
            shard.distrust(&error);
        }
        if shard.is_damaged() {
            assert!(shard.can_be_restored() && shard.damage().len() == 1, "byte {at}");
            let left: Vec<_> = documents(&shard.view()).into_keys().collect();
            assert_eq!(left, [SeqNo(6), SeqNo(7), SeqNo(8)], "byte {at}");
            refuses_writes(&shard);
            while_reading += 1;
        }
        drop(shard);
        let shard = store.lead(machine.boot(), options());
        assert_eq!((documents(&shard.view()), shard.damage()), (before.clone(), vec![]), "byte {at}");
    }
    assert!((20..length / 3).contains(&while_reading), "{while_reading} of {length}");
}

fn read_all(shard: &Shard) -> Result<(), ReadError> {
    let view = shard.view();
    for segment in view.segments() {
        let mut keys = Vec::new();
        grams_of(b"xxxxid-01234567", &mut keys);
        for key in keys {
            segment.grams(key)?;
        }
        for number in 0..5 {
            segment.find_id(&IndexName::default(), &id(number))?;
        }
        segment.keys()?;
        for block in segment.blocks() {
            let mut sources = block.sources()?;
            block.stamps()?;
            for document in 0..block.document_count() {
                drop(sources.source(document));
            }
        }
    }
    Ok(())
}

#[test]
fn a_segment_that_turns_out_to_be_damaged_is_left_out_of_later_views_and_the_rest_goes_on() {
    let flushed = flushed();
    let Flushed { machine, files, .. } = &flushed;
    for path in &files[..1] {
        let mut bytes = file(machine, path);
        // In the first frame behind the header.
        bytes[HEADER_BYTES as usize + 8..][..64].fill(0);
        machine.plant(path, bytes);
    }
    let shard = flushed.store.lead(machine.boot(), options());
    append(&shard, batch([45], 10)).expect("taken: nobody has noticed yet");
    let before = shard.view();
    assert_eq!((before.segments().len(), before.damage()), (3, &[][..]));
    assert_eq!(shard.get_at(shard.last_epoch(), SeqNo(3)).expect("left out"), None);
    let after = shard.view();
    assert_eq!((after.segments().len(), after.damage().len()), (2, 1));
    let mut wanted = without(&flushed, &[0]);
    wanted.extend(documents(&after).split_off(&after.upto()));
    assert_eq!(documents(&after), wanted);
    refuses_writes(&shard);
    assert_eq!((aside(machine).len(), shard.is_damaged(), shard.can_be_restored()), (1, true, false));
    assert_eq!(shard.stats().damaged_segments, 1);

    // Whoever looks at the moment before goes on without it too.
    let error = before.segments()[0].blocks()[0].sources().map(|_| ()).expect_err("damaged");
    let rest = before.without(&error).expect("a segment of it");
    assert_eq!((rest.damage().len(), rest.upto(), documents(&rest)), (1, before.upto(), wanted));
    assert!(rest.without(&error).is_none());
    shard.distrust(&error);
    assert_eq!(shard.damage().len(), 1, "it is known");
}

/// A shard of eight published segments of a document each, as many as a merge takes.
fn eight_segments() -> (Machine, Store, Shard) {
    let (machine, mut store) = (Machine::new(1), Store::default());
    let shard = store.lead(machine.boot(), options());
    for number in 0..8 {
        append(&shard, batch([number], 100)).expect("taken");
        shard.flush().expect("flushed").expect("there was something");
    }
    store.publish(&shard);
    (machine, store, shard)
}

#[test]
fn a_merge_that_meets_damage_leaves_it_out_and_nothing_is_merged() {
    let (machine, store, shard) = eight_segments();
    let path = shard.view().segments()[3].path().to_owned();
    drop(shard);
    let mut bytes = file(&machine, &path);
    bytes[HEADER_BYTES as usize + 8] ^= 1;
    machine.plant(&path, bytes);
    let shard = store.lead(machine.boot(), options());
    assert!(matches!(shard.merge(&AtomicBool::new(false)), Err(MaintenanceError::Read(ReadError::Corrupt(_)))));
    assert_eq!((shard.view().segments().len(), shard.damage().len()), (7, 1));
    assert!(shard.can_be_restored(), "the one file of the log has everything");
    drop(shard);
    assert_eq!(documents(&store.lead(machine.boot(), options()).view()).len(), 8);
}

#[test]
fn a_new_version_hides_the_old_one_also_where_the_table_of_ids_is_damaged() {
    let (machine, store, path, _) = in_the_log(batch(4..7, 30));
    let view = store.lead(machine.boot(), options()).view();
    let segment = &view.segments()[0];
    let before = [Section::Frames, Section::Shapes, Section::GramPages].map(|section| segment.section_bytes(section));
    let ids = (HEADER_BYTES + before.iter().sum::<u64>()) as usize;
    let mut bytes = file(&machine, &path);
    bytes[ids + 2] ^= 1;
    machine.plant(&path, bytes);
    let shard = store.lead(machine.boot(), options());
    append(&shard, versions(7..8, 30)).expect("taken");
    let number_of = |view: &View, number| {
        let visible = documents(view).into_iter().filter(|(seq, _)| !view.is_superseded(*seq, view.upto()));
        visible.filter(|(_, text)| [version(number, 30), version(7, 30)].contains(text)).count()
    };
    assert_eq!(number_of(&shard.view(), 2), 1, "the new one only");
    assert_eq!((shard.damage().len(), append(&shard, batch([1], 1))), (1, Err(AppendError::ReadOnly)));
    drop(shard);
    let shard = store.lead(machine.boot(), options());
    assert_eq!((number_of(&shard.view(), 2), shard.damage()), (1, vec![]), "after it was made good");
}

#[test]
fn damage_in_what_only_the_store_knows_of_loses_nothing() {
    let (machine, mut store, shard) = eight_segments();
    shard.merge(&AtomicBool::new(false)).expect("merged").expect("eight");
    append(&shard, batch([8], 100)).expect("taken");
    shard.flush().expect("flushed").expect("there was something");
    let accepted = store.accept(&shard).expect("something to publish");
    let before = documents(&shard.view());
    drop(shard);
    machine.power_loss();
    for entry in &accepted.segments {
        machine.plant(&Path::new(DIR).join("segments").join(entry.name.file_name()), vec![1; 700]);
    }
    let shard = store.lead(machine.boot(), options());
    assert_eq!((documents(&shard.view()), shard.damage()), (before.clone(), vec![]));
    assert_eq!((shard.manifest(), shard.next_manifest()), (accepted, None));
    append(&shard, batch([9], 100)).expect("taken");
    let before = documents(&shard.view());
    shard.flush().expect("flushed").expect("there was something");
    store.publish(&shard);
    drop(shard);
    machine.power_loss();
    assert_eq!(documents(&store.lead(machine.boot(), options()).view()), before);
}
