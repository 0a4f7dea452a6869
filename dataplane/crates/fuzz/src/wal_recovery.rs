//! Recovery of a folder to which anything may have happened.
//!
//! 1. After damage, what is visible is what was acknowledged: all of it in order up to some position, and all of it where the shard
//!    was closed; or the damage is named. Nothing that was never written is ever shown.
//! 2. With checksums computed anew nobody can tell a forgery from the truth, but recovery ends without a panic.
//! 3. In both cases: what has opened can be written to, and opens again with the same documents.

use grepzilla_model::{Epoch, SeqNo};
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::{AppendError, ReadError, Shard};

use crate::choices::Choices;
use crate::edits::{damage, rewrite};
use crate::envelope;
use crate::wal_files::{Files, Repairs, is_log, reseal, rewrite_log};
use crate::worlds::{Documents, WORLDS, World, append, batch, documents, is_json, machine_with, open, paths};

/// Few enough that no checksum can be hit by chance or by search.
const DAMAGES_MAX: usize = 6;
const REWRITES_MAX: usize = 24;

/// An epoch that leaves room for newer ones.
const EPOCH_MAX: Epoch = Epoch(1 << 60);

/// Opens what becomes of a shard's folder.
pub fn wal_recovery(data: &[u8]) {
    let mut choices = Choices::new(data);
    let world = &WORLDS[choices.one_of(WORLDS.len())];
    let mut files = world.files.clone();
    if choices.flag() {
        forge(&mut files, &mut choices);
        check_forged(&files);
    } else {
        let whole = harm(&mut files, &mut choices);
        check_harmed(world, &files, whole);
    }
}

/// Damages files. Answers whether all of them are still there under their names.
fn harm(files: &mut Files, choices: &mut Choices<'_>) -> bool {
    let paths = paths(files);
    let mut whole = true;
    for _ in 0..DAMAGES_MAX {
        if choices.is_empty() {
            break;
        }
        let path = &paths[choices.one_of(paths.len())];
        match choices.u8() % 16 {
            0 => {
                files.remove(path);
                whole = false;
            }
            1 => {
                let other = &paths[choices.one_of(paths.len())];
                if let (Some(one), Some(two)) = (files.get(path).cloned(), files.get(other).cloned()) {
                    files.insert(path.clone(), two);
                    files.insert(other.clone(), one);
                }
            }
            _ => {
                if let Some(bytes) = files.get_mut(path) {
                    damage(bytes, choices);
                }
            }
        }
    }
    whole
}

/// Rewrites files and their checksums.
fn forge(files: &mut Files, choices: &mut Choices<'_>) {
    let repairs = choices.u8();
    let repairs = Repairs { links: repairs & 1 == 0, synced: repairs & 2 == 0, positions: repairs & 4 == 0 };
    let paths = paths(files);
    for _ in 0..REWRITES_MAX {
        if choices.is_empty() {
            break;
        }
        let path = &paths[choices.one_of(paths.len())];
        if choices.u8().is_multiple_of(16) {
            files.remove(path);
        } else if let Some(bytes) = files.get_mut(path) {
            match (is_log(path), is_json(path)) {
                (true, _) => rewrite_log(bytes, choices),
                (_, true) => {
                    rewrite(bytes, choices);
                    *bytes = envelope::resealed(bytes);
                }
                _ => rewrite(bytes, choices),
            }
        }
    }
    reseal(files, repairs);
}

fn check_harmed(world: &World, files: &Files, whole: bool) {
    let machine = machine_with(files);
    let Some((shard, found)) = opened(&machine) else { return };
    let written = &world.acknowledged;
    if !shard.is_damaged() && whole {
        let is_beginning = found.iter().eq(written.iter().take(found.len()));
        assert!(is_beginning, "{:?} of {:?} are visible", found.keys(), written.keys());
        assert!(!world.closed || found.len() == written.len(), "only {:?} of a closed shard are visible", found.keys());
    } else {
        let is_true = found.iter().all(|(seq, source)| written.get(seq) == Some(source));
        assert!(is_true, "{found:?} was never written");
    }
    check_life(&machine, shard, found);
}

fn check_forged(files: &Files) {
    let machine = machine_with(files);
    if let Some((shard, found)) = opened(&machine) {
        check_life(&machine, shard, found);
    }
}

/// The shard and what it shows. `None`: it does not open, or cannot be read, and says so.
fn opened(machine: &Machine) -> Option<(Shard, Documents)> {
    let shard = open(machine.boot());
    assert_eq!(machine.died(), None, "opening ended the process");
    let shard = shard.ok()?;
    match documents(&shard.view()) {
        Ok(found) => Some((shard, found)),
        Err(ReadError::Corrupt(_)) => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// Writes to an open shard, closes it, and opens it again.
fn check_life(machine: &Machine, shard: Shard, mut found: Documents) {
    if shard.last_epoch() < EPOCH_MAX && !shard.is_damaged() {
        shard.start_epoch(shard.last_epoch().next()).expect("a newer epoch");
        let batch = batch(20, 8);
        match append(&shard, batch.clone()) {
            Ok(appended) if !appended.repeated => {
                let sources = batch.records.iter().map(|record| record.source.to_string());
                let put = (appended.first_seq.0..).map(SeqNo).zip(sources);
                found.extend(put.filter(|(_, source)| !source.is_empty()));
            }
            Ok(_) | Err(AppendError::KeyReused) => {}
            Err(error) => panic!("an open shard refuses a batch: {error:?}"),
        }
    }
    let was_whole = !shard.is_damaged();
    shard.close().expect("an open shard can be closed");
    drop(shard);
    match opened(machine) {
        Some((shard, again)) if was_whole && !shard.is_damaged() => {
            assert_eq!(again, found, "another start shows something else");
        }
        // What was appended may be the first to look up an id in a damaged segment, which is left out from then on.
        Some(_) => {}
        None => assert!(!was_whole, "what has opened and was whole does not open again"),
    }
}
