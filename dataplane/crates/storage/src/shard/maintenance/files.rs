//! The files of segments: written, opened, and removed when nothing names them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::Arc;

use grepzilla_model::manifest::{DeletesEntry, DeletesName, SegmentName};
use grepzilla_model::{Epoch, Generation, Manifest, SegmentEntry, SeqNo};

use super::{Maintenance, Work};
use crate::disk::{DiskError, Verb, create_dirs, sync_dirs_above};
use crate::replica::ReplicaFolder;
use crate::segment::{
    DeletedDocument, Deletes, DocumentPlace, ExpectedSegment, KeyEntry, OpenSegmentError, Segment, SegmentIdentity,
    SegmentWriter, write_deletes,
};
use crate::shard::contents::NewSegment;
use crate::shard::list::LiveSegment;
use crate::{BlockCache, MaintenanceError, ReadError};

impl Maintenance {
    pub(super) fn segment_writer(
        &self,
        epoch: Epoch,
        first: SeqNo,
        last: SeqNo,
    ) -> Result<SegmentWriter, MaintenanceError> {
        let (disk, dir) = (self.folder.disk(), self.folder.segments_dir());
        create_dirs(disk.as_ref(), &dir)?;
        sync_dirs_above(disk.as_ref(), &dir)?;
        let owner = self.folder.owner();
        let identity = SegmentIdentity { cluster: owner.cluster, shard: owner.shard, epoch, first, last };
        Ok(SegmentWriter::create(disk, &dir, identity, self.options.segment)?)
    }

    pub(super) fn open_segment(&self, entry: &SegmentEntry) -> Result<Arc<Segment>, MaintenanceError> {
        Ok(Arc::new(open_segment(&self.folder, entry, &self.options.cache)?))
    }

    /// The segments with new files of deletes where documents were superseded up to a position since the last ones.
    pub(super) fn with_deletes(&self, live: &[LiveSegment], upto: SeqNo) -> Result<Vec<NewSegment>, MaintenanceError> {
        let with = |live: &LiveSegment| self.new_segment(Arc::clone(&live.segment), live.entry.clone(), upto);
        live.iter().map(with).collect()
    }

    /// Writes what was superseded in a segment up to a position. The entry of what was written before, if nothing more was.
    pub(super) fn write_deletes_of(
        &self,
        segment: &Segment,
        entry: &SegmentEntry,
        upto: SeqNo,
    ) -> Result<Option<DeletesEntry>, MaintenanceError> {
        let notes = self.contents.notes(entry.name.first, entry.name.last, upto);
        if notes.len() as u64 == entry.deletes.map_or(0, |deletes| deletes.count) {
            return Ok(entry.deletes);
        }
        let documents = places(segment, &notes)?;
        if documents.len() as u64 == entry.deletes.map_or(0, |deletes| deletes.count) {
            return Ok(entry.deletes);
        }
        // A position names one content: what was superseded up to it never changes.
        let name = DeletesName { segment: entry.name, generation: Generation(upto.0) };
        Ok(Some(write_deletes(self.folder.disk(), &self.folder.segments_dir(), name, &documents)?))
    }

    /// Removes files that neither the published manifest nor a view to come names. What a view of today reads is open.
    pub(super) fn remove_retired(&self, work: &mut Work) {
        let named = names(&work.published.segments);
        let shown = names(&self.contents.list().entries());
        let dir = self.folder.segments_dir();
        work.retired.retain(|name| {
            let is_needed = named.contains(name) || shown.contains(name);
            if !is_needed
                && let Err(error) = self.folder.disk().remove(&dir.join(name))
                // It may have been set aside.
                && error.kind() != ErrorKind::NotFound
            {
                tracing::warn!(file = name, %error, "a file that nothing names could not be removed");
            }
            is_needed
        });
    }

    /// Removes all files that neither the published manifest nor a view names.
    pub(super) fn remove_orphans(&self, published: &Manifest) -> Result<(), MaintenanceError> {
        let mut named = names(&published.segments);
        named.append(&mut names(&self.contents.list().entries()));
        let is_ours = |name: &&String| SegmentName::of_file(name).is_some() || DeletesName::of_file(name).is_some();
        for name in list_segments(&self.folder)?.iter().filter(is_ours).filter(|name| !named.contains(*name)) {
            tracing::info!(file = name, "removed a file that no manifest names");
            let path = self.folder.segments_dir().join(name);
            self.folder.disk().remove(&path).map_err(DiskError::at(Verb::Remove, &path))?;
        }
        Ok(())
    }
}

impl Work {
    /// The file of deletes of a segment may have been replaced.
    pub(super) fn retire_deletes(&mut self, old: &SegmentEntry, new: &SegmentEntry) {
        if old.deletes != new.deletes {
            self.retired.extend(old.deletes_name().map(|name| name.file_name()));
        }
    }
}

/// A segment that goes on counting as it does.
pub(super) fn same(live: &LiveSegment) -> NewSegment {
    NewSegment { segment: Arc::clone(&live.segment), entry: live.entry.clone(), notes: Vec::new() }
}

/// The files that a list of segments names.
pub(super) fn names(entries: &[SegmentEntry]) -> BTreeSet<String> {
    let of = |entry: &SegmentEntry| {
        let deletes = entry.deletes_name().map(|name| name.file_name());
        std::iter::once(entry.name.file_name()).chain(deletes)
    };
    entries.iter().flat_map(of).collect()
}

fn list_segments(folder: &ReplicaFolder) -> Result<Vec<String>, DiskError> {
    let dir = folder.segments_dir();
    match folder.disk().list(&dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(DiskError::at(Verb::List, &dir)),
    }
}

/// Where in a segment the documents at some positions are; those that it does not hold are left out.
fn places(segment: &Segment, notes: &BTreeMap<SeqNo, SeqNo>) -> Result<Vec<DeletedDocument>, ReadError> {
    let mut found = Vec::new();
    for (number, block) in (0..).zip(segment.blocks()) {
        let span = block.span();
        let mut within = notes.range(span.seq_min..=span.seq_max).peekable();
        if within.peek().is_none() {
            continue;
        }
        let stamps = block.stamps()?;
        for (seq, by) in within {
            if let Some(document) = stamps.find(*seq) {
                let document = u16::try_from(document).expect("documents of a block are numbered by 16 bits");
                found.push(DeletedDocument { place: DocumentPlace { block: number, document }, by: *by });
            }
        }
    }
    Ok(found)
}

fn open_segment(
    folder: &ReplicaFolder,
    entry: &SegmentEntry,
    cache: &Arc<BlockCache>,
) -> Result<Segment, OpenSegmentError> {
    let owner = folder.owner();
    let expected = ExpectedSegment { cluster: owner.cluster, shard: owner.shard, name: entry.name };
    Segment::open(folder.disk(), &folder.segments_dir().join(entry.name.file_name()), &expected, cache)
}

/// Opens a segment of a manifest, with what its file of deletes says.
pub(super) fn open_entry(
    folder: &ReplicaFolder,
    entry: &SegmentEntry,
    cache: &Arc<BlockCache>,
) -> Result<NewSegment, OpenSegmentError> {
    let segment = Arc::new(open_segment(folder, entry, cache)?);
    let mut notes = Vec::new();
    if let Some((name, expected)) = entry.deletes_name().zip(entry.deletes) {
        let path = folder.segments_dir().join(name.file_name());
        let deletes = Deletes::open(folder.disk(), &path, name, &expected)?;
        for (number, block) in (0..).zip(segment.blocks()) {
            let of_block = deletes.of_block(number);
            if of_block.is_empty() {
                continue;
            }
            let stamps = block.stamps()?;
            let seq = |deleted: &DeletedDocument| stamps.seqs().get(usize::from(deleted.place.document)).copied();
            notes.extend(of_block.iter().filter_map(|deleted| Some((seq(deleted)?, deleted.by))));
        }
    }
    Ok(NewSegment { segment, entry: entry.clone(), notes })
}

/// What has become of the segments of a manifest.
#[derive(Debug, Default)]
pub(in crate::shard) struct OpenedSegments {
    /// Those that can be used, with the Idempotency-Keys in them.
    pub(in crate::shard) usable: Vec<(NewSegment, Vec<KeyEntry>)>,
    /// Those that cannot be used, and why.
    pub(in crate::shard) unusable: Vec<(SegmentEntry, OpenSegmentError)>,
}

/// Opens the segments of a manifest, and removes what an interrupted write left. `progress` hears how many were opened.
pub(in crate::shard) fn open_segments(
    folder: &ReplicaFolder,
    manifest: &Manifest,
    cache: &Arc<BlockCache>,
    progress: &dyn Fn(usize),
) -> Result<OpenedSegments, DiskError> {
    for name in list_segments(folder)?.iter().filter(|name| name.ends_with(".tmp")) {
        let path = folder.segments_dir().join(name);
        folder.disk().remove(&path).map_err(DiskError::at(Verb::Remove, &path))?;
    }
    let mut opened = OpenedSegments::default();
    for (number, entry) in manifest.segments.iter().enumerate() {
        progress(number);
        let with_keys = |new: NewSegment| {
            let keys = new.segment.keys()?;
            Ok((new, keys))
        };
        match open_entry(folder, entry, cache).and_then(with_keys) {
            Ok(usable) => opened.usable.push(usable),
            Err(error) => opened.unusable.push((entry.clone(), error)),
        }
    }
    Ok(opened)
}
