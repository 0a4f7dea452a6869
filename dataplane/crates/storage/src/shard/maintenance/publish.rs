//! The manifest: what is to be published, what is done when it has been, and what a new leader finds.

use std::collections::BTreeMap;

use grepzilla_model::{Epoch, Manifest, SeqNo};

use super::files::{names, open_entry, same};
use super::{Maintenance, Work};
use crate::segment::OpenSegmentError;
use crate::shard::queue::Request;
use crate::{MaintenanceError, ReadError};

impl Maintenance {
    /// See [`Shard::next_manifest`](crate::Shard::next_manifest).
    pub(in crate::shard) fn next_manifest(&self, epoch: Epoch) -> Option<Manifest> {
        let work = self.begin().ok()?;
        let list = self.contents.list();
        if list.flushed() < work.published.flushed {
            return None;
        }
        let next = Manifest {
            generation: work.published.generation.next(),
            epoch,
            base: list.base(),
            flushed: list.flushed(),
            segments: list.entries(),
        };
        (next.list_hash() != work.published.list_hash()).then_some(next)
    }

    /// See [`Shard::published`](crate::Shard::published).
    pub(in crate::shard) fn published(&self, manifest: Manifest) -> Result<(), MaintenanceError> {
        let mut work = self.begin()?;
        if manifest != work.published {
            manifest.check_follows(&work.published)?;
            self.has_files(&work, &manifest)?;
            work.published = manifest;
            work.recorded = false;
            self.stats.lock().publishes += 1;
        }
        self.settle(&mut work)
    }

    /// Records what was published; only then is it safe to remove what it makes superfluous.
    fn settle(&self, work: &mut Work) -> Result<(), MaintenanceError> {
        *self.manifest.lock() = work.published.clone();
        if !work.recorded {
            self.folder.record_manifest(&work.published)?;
            work.recorded = true;
        }
        // Both: what was published may have been damaged since and be held by the log alone.
        let flushed = work.published.flushed.min(self.contents.list().flushed());
        self.ask(|answer| Request::Trim(flushed, answer))?;
        self.remove_retired(work);
        Ok(())
    }

    /// Whether every segment that a manifest names is here.
    fn has_files(&self, work: &Work, manifest: &Manifest) -> Result<(), MaintenanceError> {
        let mut here = names(&self.contents.list().entries());
        here.append(&mut names(&work.published.segments));
        here.extend(work.retired.iter().cloned());
        match names(&manifest.segments).difference(&here).next() {
            Some(missing) => Err(MaintenanceError::Missing { file: missing.clone() }),
            None => Ok(()),
        }
    }

    /// See [`Shard::adopt`](crate::Shard::adopt).
    pub(in crate::shard) fn adopt(&self, stored: Option<Manifest>, committed: SeqNo) -> Result<(), MaintenanceError> {
        self.refuse_damaged()?;
        let _merging = self.merging.lock();
        let mut work = self.work.lock();
        let stored = stored.unwrap_or_default();
        if stored.generation < work.published.generation {
            let (stored, local) = (stored.generation, work.published.generation);
            tracing::error!(%stored, %local, "the store has forgotten manifests; the local one counts");
        } else if stored != work.published {
            stored.check()?;
            if stored.generation == work.published.generation {
                return Err(MaintenanceError::OtherManifest { generation: stored.generation });
            }
            // One that was published from here, without our hearing of it, is behind what is shown.
            if !work.adopted || self.has_files(&work, &stored).is_err() {
                self.show_stored(&stored, committed, &mut work)?;
            }
            work.published = stored;
            work.recorded = false;
        }
        if !work.adopted {
            // A file that is neither named nor shown now never will be: names are never made twice.
            self.remove_orphans(&work.published)?;
        }
        work.adopted = true;
        self.settle(&mut work)
    }

    /// Shows the segments of a manifest that is newer than what is shown. If one of them is damaged, what is shown stays: older
    /// segments and the log behind them hold the same, because neither is removed before a manifest has been recorded here.
    fn show_stored(&self, stored: &Manifest, committed: SeqNo, work: &mut Work) -> Result<(), MaintenanceError> {
        let list = self.contents.list();
        if list.flushed() > stored.flushed {
            return Err(MaintenanceError::OtherManifest { generation: stored.generation });
        }
        let open: BTreeMap<_, _> = list.live().iter().map(|live| (live.entry.name, live)).collect();
        let segments = stored.segments.iter().map(|entry| match open.get(&entry.name) {
            Some(live) if live.entry == *entry => Ok(same(live)),
            _ => Ok(open_entry(&self.folder, entry, &self.options.cache)?),
        });
        match segments.collect::<Result<Vec<_>, MaintenanceError>>() {
            Ok(segments) => {
                self.contents.show(stored.base, stored.flushed, segments, &[]);
                work.retired.extend(names(&list.entries()).difference(&names(&stored.segments)).cloned());
                Ok(())
            }
            Err(MaintenanceError::Open(OpenSegmentError::Read(ReadError::Corrupt(corruption))))
                if committed >= stored.flushed =>
            {
                self.folder.set_segment_aside(&corruption);
                let kept = list.live().iter().filter(|live| live.entry.name.first > stored.base).map(same).collect();
                self.contents.show(stored.base, list.flushed().max(stored.base), kept, &[]);
                let shown = names(&self.contents.list().entries());
                work.retired.extend(names(&stored.segments).difference(&shown).cloned());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
