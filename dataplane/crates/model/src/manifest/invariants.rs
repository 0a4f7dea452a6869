//! What every manifest keeps, each by its name. Checked before a publish and after a read.

use super::{Manifest, SEGMENTS_MAX, SegmentName};
use crate::{Epoch, Generation, SeqNo};

/// The invariant that a manifest breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The segments leave positions out or cover them twice.
    #[error("the segments must tile: expected the next one to begin at {expected}, found {found}")]
    NotTiled {
        /// Where the next segment must begin.
        expected: SeqNo,
        /// Where it does.
        found: SeqNo,
    },
    /// The segments end before or behind `flushed`.
    #[error("the segments must end where the manifest says: it says {flushed}, they end at {found}")]
    NotFlushed {
        /// What the manifest says.
        flushed: SeqNo,
        /// The end of the last segment, or `base`.
        found: SeqNo,
    },
    /// A segment's own figures contradict each other.
    #[error("the figures of segment {name} contradict each other")]
    Figures {
        /// Whose.
        name: SegmentName,
    },
    /// A segment of an epoch that had not begun when the manifest was published.
    #[error("segment {name} is newer than the manifest, of epoch {epoch}")]
    SegmentOfLaterEpoch {
        /// Which.
        name: SegmentName,
        /// The manifest's.
        epoch: Epoch,
    },
    /// Too many segments.
    #[error("{found} segments are named, there may be {SEGMENTS_MAX}")]
    TooMany {
        /// How many.
        found: usize,
    },
    /// The generation is not the next one.
    #[error("generation {found} must follow {previous} by one")]
    Generation {
        /// The one before.
        previous: Generation,
        /// The one that was to follow.
        found: Generation,
    },
    /// The epoch fell.
    #[error("epoch {found} must not be less than {previous}")]
    EpochFell {
        /// The one before.
        previous: Epoch,
        /// The one that was to follow.
        found: Epoch,
    },
    /// `base` or `flushed` fell.
    #[error("positions must not fall: from ({}, {}] to ({}, {}]", previous.0, previous.1, found.0, found.1)]
    PositionFell {
        /// `base` and `flushed` before.
        previous: (SeqNo, SeqNo),
        /// What was to follow.
        found: (SeqNo, SeqNo),
    },
}

impl Manifest {
    /// Whether it is sound by itself.
    pub fn check(&self) -> Result<(), ManifestError> {
        self.few_enough()?;
        self.ranges_tile()?;
        self.figures_agree()?;
        self.no_segment_of_a_later_epoch()
    }

    /// Whether it may be published after `previous`.
    pub fn check_follows(&self, previous: &Manifest) -> Result<(), ManifestError> {
        self.check()?;
        self.generation_is_next(previous)?;
        self.epoch_never_falls(previous)?;
        self.positions_never_fall(previous)
    }

    fn few_enough(&self) -> Result<(), ManifestError> {
        let found = self.segments.len();
        if found > SEGMENTS_MAX { Err(ManifestError::TooMany { found }) } else { Ok(()) }
    }

    /// The segments cover `base` + 1 to `flushed`, each position once.
    fn ranges_tile(&self) -> Result<(), ManifestError> {
        let mut end = self.base;
        for entry in &self.segments {
            let (expected, found) = (end.plus(1), entry.name.first);
            if expected != found || entry.name.last < found {
                return Err(ManifestError::NotTiled { expected, found });
            }
            end = entry.name.last;
        }
        if end == self.flushed { Ok(()) } else { Err(ManifestError::NotFlushed { flushed: self.flushed, found: end }) }
    }

    fn figures_agree(&self) -> Result<(), ManifestError> {
        for entry in &self.segments {
            let positions = entry.name.last.0 - entry.name.first.0 + 1;
            let deletes_fit = entry.deletes.is_none_or(|deletes| deletes.count > 0 && deletes.count <= entry.documents);
            let bounds_fit = entry.bounds.is_some() == (entry.documents > 0)
                && entry.bounds.is_none_or(|bounds| bounds.time_min <= bounds.time_max);
            let blocks_fit = (entry.blocks > 0) == (entry.documents > 0) && u64::from(entry.blocks) <= entry.documents;
            if entry.documents > positions || !deletes_fit || !bounds_fit || !blocks_fit {
                return Err(ManifestError::Figures { name: entry.name });
            }
        }
        Ok(())
    }

    fn no_segment_of_a_later_epoch(&self) -> Result<(), ManifestError> {
        match self.segments.iter().find(|entry| entry.name.epoch > self.epoch) {
            Some(entry) => Err(ManifestError::SegmentOfLaterEpoch { name: entry.name, epoch: self.epoch }),
            None => Ok(()),
        }
    }

    fn generation_is_next(&self, previous: &Manifest) -> Result<(), ManifestError> {
        let (previous, found) = (previous.generation, self.generation);
        if found == previous.next() { Ok(()) } else { Err(ManifestError::Generation { previous, found }) }
    }

    fn epoch_never_falls(&self, previous: &Manifest) -> Result<(), ManifestError> {
        let (previous, found) = (previous.epoch, self.epoch);
        if found < previous { Err(ManifestError::EpochFell { previous, found }) } else { Ok(()) }
    }

    fn positions_never_fall(&self, previous: &Manifest) -> Result<(), ManifestError> {
        let (previous, found) = ((previous.base, previous.flushed), (self.base, self.flushed));
        let fell = found.0 < previous.0 || found.1 < previous.1;
        if fell { Err(ManifestError::PositionFell { previous, found }) } else { Ok(()) }
    }
}
