//! One test for both homes of the seam.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::twin::{Fault, Machine};
use super::*;

/// Everything that the rest of the crate relies on. `dir` exists and is empty.
fn check(disk: &Arc<dyn Disk>, dir: &Path) {
    names_are_made_listed_replaced_and_removed(disk, dir);
    bytes_are_read_back_where_they_were_written(disk, dir);
    the_lock_has_one_holder(disk, dir);
    a_replaced_file_is_whole_and_leaves_nothing_beside_it(disk, dir);
    a_prepared_file_has_its_room(disk, dir);
    a_growing_file_has_its_name_when_it_is_whole(disk, dir);
}

fn names_are_made_listed_replaced_and_removed(disk: &Arc<dyn Disk>, dir: &Path) {
    let (one, two) = (dir.join("one"), dir.join("two"));
    assert_eq!(disk.open(&one).expect_err("not there").kind(), ErrorKind::NotFound);
    assert_eq!(disk.remove(&one).expect_err("not there").kind(), ErrorKind::NotFound);
    assert_eq!(disk.list(&one).expect_err("not there").kind(), ErrorKind::NotFound);
    assert_eq!(disk.create(&one.join("below")).expect_err("no folder").kind(), ErrorKind::NotFound);
    disk.create(&one).expect("new").write_at(b"1", 0).expect("written");
    assert_eq!(disk.create(&one).expect_err("there").kind(), ErrorKind::AlreadyExists);
    assert_eq!(disk.create_dir(dir).expect_err("there").kind(), ErrorKind::AlreadyExists);
    disk.create(&two).expect("new").write_at(b"22", 0).expect("written");
    assert_eq!(disk.list(dir).expect("a folder"), ["one", "two"]);
    disk.rename(&one, &two).expect("renamed");
    disk.sync_dir(dir).expect("synced");
    assert_eq!(disk.list(dir).expect("a folder"), ["two"]);
    assert_eq!(read_whole(disk.as_ref(), &two).expect("read"), Some(b"1".to_vec()));
    disk.remove(&two).expect("removed");
    assert_eq!(read_whole(disk.as_ref(), &two).expect("read"), None);
    create_dirs(disk.as_ref(), &dir.join("a/b/c")).expect("made");
    create_dirs(disk.as_ref(), &dir.join("a/b/c")).expect("made before");
    sync_dirs_above(disk.as_ref(), &dir.join("a/b/c")).expect("synced");
    assert_eq!(disk.list(&dir.join("a/b")).expect("a folder"), ["c"]);
}

fn bytes_are_read_back_where_they_were_written(disk: &Arc<dyn Disk>, dir: &Path) {
    let path = dir.join("bytes");
    let file = disk.create(&path).expect("new");
    file.write_at(b"world", 1000).expect("written");
    file.write_at(b"hello", 0).expect("written");
    file.sync().expect("synced");
    assert_eq!(file.length().expect("known"), 1005);
    let mut buffer = [1; 8];
    assert_eq!(file.read_at(&mut buffer, 0).expect("read"), 8);
    assert_eq!(&buffer, b"hello\0\0\0");
    assert_eq!(disk.open(&path).expect("there").read_at(&mut buffer, 1000).expect("read"), 5);
    assert_eq!(&buffer[..5], b"world");
    assert_eq!(file.read_at(&mut buffer, 1005).expect("read"), 0);
    file.set_length(3).expect("cut");
    file.set_length(6).expect("extended");
    assert_eq!(file.read_at(&mut buffer, 0).expect("read"), 6);
    assert_eq!(&buffer[..6], b"hel\0\0\0");
    disk.remove(&path).expect("removed");
}

fn the_lock_has_one_holder(disk: &Arc<dyn Disk>, dir: &Path) {
    let path = dir.join("lock");
    let held = disk.lock(&path).expect("free");
    assert_eq!(disk.lock(&path).expect_err("held").kind(), ErrorKind::WouldBlock);
    drop(held);
    drop(disk.lock(&path).expect("free again"));
}

fn a_replaced_file_is_whole_and_leaves_nothing_beside_it(disk: &Arc<dyn Disk>, dir: &Path) {
    let path = dir.join("a/meta.json");
    for bytes in [&b"first, longer"[..], b"second"] {
        replace_file(disk.as_ref(), &path, bytes).expect("replaced");
        assert_eq!(read_whole(disk.as_ref(), &path).expect("read").as_deref(), Some(bytes));
    }
    assert_eq!(disk.list(&dir.join("a")).expect("a folder"), ["b", "meta.json"]);
}

fn a_prepared_file_has_its_room(disk: &Arc<dyn Disk>, dir: &Path) {
    let path = dir.join("a/prepared");
    let file = DurableFile::prepare(disk, &path, |file| file.make_room(0, 700_000)).expect("prepared");
    assert_eq!((file.path(), file.length().expect("known")), (path.as_path(), 700_000));
    file.write_at(b"x", 699_999).expect("within the room");
    file.sync().expect("synced");
    assert_eq!(disk.list(&dir.join("a")).expect("a folder"), ["b", "meta.json", "prepared"]);
}

fn a_growing_file_has_its_name_when_it_is_whole(disk: &Arc<dyn Disk>, dir: &Path) {
    let (temporary, path) = (dir.join("a/growing.tmp"), dir.join("a/growing"));
    let piece: Vec<u8> = (0..=255).cycle().take(700_000).collect();
    let mut file = GrowingFile::create(disk, &temporary).expect("made");
    for _ in 0..3 {
        file.append(&piece).expect("written");
    }
    file.write_out().expect("written");
    let mut buffer = [0; 4];
    file.read_at(&mut buffer, 1_400_001).expect("there");
    assert_eq!((buffer, file.length()), ([1, 2, 3, 4], 2_100_000));
    assert!(file.read_at(&mut buffer, 2_099_999).is_err(), "behind the end");
    assert_eq!(read_whole(disk.as_ref(), &path).expect("read"), None);
    file.finish(&path).expect("named");
    assert_eq!(read_whole(disk.as_ref(), &path).expect("read"), Some(piece.repeat(3)));
    drop(GrowingFile::create(disk, &temporary).expect("made"));
    let names = disk.list(&dir.join("a")).expect("a folder");
    assert!(names.contains(&"growing".to_owned()) && !names.contains(&"growing.tmp".to_owned()), "{names:?}");
}

#[test]
fn the_real_disk_conforms() {
    let dir = tempfile::tempdir().expect("a folder for the test");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    check(&disk, dir.path());
}

#[test]
fn the_twin_conforms() {
    let disk = Machine::new(1).boot();
    disk.create_dir(Path::new("/d")).expect("made");
    check(&disk, Path::new("/d"));
}

fn durable_dir(disk: &dyn Disk) {
    create_dirs(disk, Path::new("/d")).expect("made");
    sync_dirs_above(disk, Path::new("/d")).expect("synced");
}

#[test]
fn the_twin_keeps_what_was_synced_and_any_part_of_the_rest() {
    let (path, mut seen) = (Path::new("/d/f"), [false; 3]);
    for seed in 0..64 {
        let machine = Machine::new(seed);
        let disk = machine.boot();
        durable_dir(disk.as_ref());
        let file = disk.create(path).expect("new");
        file.write_at(&[1; 1024], 0).expect("written");
        file.sync().expect("synced");
        disk.sync_dir(Path::new("/d")).expect("synced");
        file.write_at(&[2; 1024], 0).expect("written");
        machine.power_loss();
        assert!(file.sync().is_err(), "a handle survived the power loss, seed {seed}");
        let bytes = &machine.files()[path];
        assert_eq!(bytes.len(), 1024, "seed {seed}");
        let kept = [bytes[0], bytes[512]];
        assert!(bytes[..512].iter().all(|byte| *byte == kept[0]), "a torn sector, seed {seed}");
        seen[0] |= kept == [1, 1];
        seen[1] |= kept == [2, 2];
        seen[2] |= kept[0] != kept[1];
    }
    assert_eq!(seen, [true; 3], "nothing, all and a part are all to be met");
}

#[test]
fn the_twin_may_forget_a_name_that_was_not_synced() {
    let forgets = |sync: bool| {
        (0..32).any(|seed| {
            let machine = Machine::new(seed);
            let disk = machine.boot();
            durable_dir(disk.as_ref());
            disk.create(Path::new("/d/f")).expect("new").sync().expect("synced");
            if sync {
                disk.sync_dir(Path::new("/d")).expect("synced");
            }
            machine.power_loss();
            machine.files().is_empty()
        })
    };
    assert!(forgets(false) && !forgets(true));
}

#[test]
fn bytes_of_a_failed_sync_are_seen_but_never_reach_the_disk() {
    let lost = (0..32).any(|seed| {
        let machine = Machine::new(seed);
        let disk = machine.boot();
        let file = disk.create(Path::new("/f")).expect("new");
        file.sync().expect("synced");
        disk.sync_dir(Path::new("/")).expect("synced");
        file.write_at(b"x", 0).expect("written");
        machine.fail_at(machine.steps() + 1, Fault::Error(ErrorKind::Other));
        assert!(file.sync().is_err());
        file.sync().expect("the page is clean, says the second sync");
        assert_eq!(machine.files()[Path::new("/f")], b"x");
        machine.power_loss();
        machine.files()[Path::new("/f")] != b"x"
    });
    assert!(lost);
}

#[test]
fn running_out_of_space_leaves_no_temporary_file_and_no_corpse() {
    let machine = Machine::new(1);
    let disk = machine.boot();
    durable_dir(disk.as_ref());
    machine.limit_bytes(Some(1_000));
    let refused = DurableFile::prepare(&disk, Path::new("/d/f"), |file| file.make_room(0, 4096));
    assert!(matches!(refused, Err(WriteError::NoRoom(_))), "{refused:?}");
    assert!(matches!(replace_file(disk.as_ref(), Path::new("/d/m"), &[0; 2000]), Err(WriteError::NoRoom(_))));
    assert_eq!((machine.files().len(), machine.died()), (0, None));
}

#[test]
fn any_other_failure_of_a_replacement_ends_the_process() {
    let path = Path::new("/d/m");
    for verb in [Verb::Write, Verb::Sync, Verb::Rename, Verb::SyncDir] {
        let machine = Machine::new(1);
        let disk = machine.boot();
        durable_dir(disk.as_ref());
        replace_file(disk.as_ref(), path, b"old").expect("replaced");
        let step = match verb {
            Verb::Write => 3,
            Verb::Sync => 4,
            Verb::Rename => 5,
            _ => 6,
        };
        machine.fail_at(machine.steps() + step, Fault::Error(ErrorKind::Other));
        assert!(matches!(replace_file(disk.as_ref(), path, b"new"), Err(WriteError::Died(_))));
        assert_eq!(machine.died().expect("the process ended").verb, verb);
    }
}
