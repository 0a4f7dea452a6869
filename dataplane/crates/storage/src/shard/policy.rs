//! Which segments are merged: tiers of sizes, each eight times the one before.
//!
//! Eight neighbours of one tier, or of smaller ones, become one of the next, as long as it does not grow beyond the
//! largest size. So each document is written a few times, and a shard keeps a few small segments and the large ones.

use std::ops::Range;

use grepzilla_model::SegmentEntry;

/// How many segments become one, and how much larger each tier is.
const FACTOR: usize = 8;

/// The end of the first tier, in bytes of documents.
const FIRST_TIER_BYTES: u64 = 8 << 20;

/// The segments to merge next: neighbours, of the lowest tier that has enough, the oldest first.
pub(super) fn next_merge(entries: &[SegmentEntry], raw_bytes_max: u64) -> Option<Range<usize>> {
    let tiers: Vec<u32> = entries.iter().map(|entry| tier(entry.raw_bytes)).collect();
    let highest = tiers.iter().copied().max()?;
    (0..=highest).find_map(|tier| run_of(entries, &tiers, tier, raw_bytes_max))
}

/// The segments to merge while nothing is written: the most neighbours that fit in one segment of which none is larger than all
/// others together. So each document is written at most once more each time that its segment doubles.
pub(super) fn merge_at_rest(entries: &[SegmentEntry], raw_bytes_max: u64) -> Option<Range<usize>> {
    let runs = (0..entries.len())
        .filter_map(|start| longest_at_rest(&entries[start..], raw_bytes_max).map(|length| start..start + length));
    runs.rev().max_by_key(|run| run.len())
}

/// How many of the first ones may be merged at rest.
fn longest_at_rest(entries: &[SegmentEntry], raw_bytes_max: u64) -> Option<usize> {
    let (mut bytes, mut largest, mut longest) = (0, 0, None);
    for (entry, length) in entries.iter().zip(1..) {
        bytes += entry.raw_bytes;
        largest = largest.max(entry.raw_bytes);
        if bytes > raw_bytes_max {
            break;
        }
        if length > 1 && largest <= bytes - largest {
            longest = Some(length);
        }
    }
    longest
}

/// The segments to merge when there are more than there should be and the tiers leave them alone: the smallest neighbours,
/// whatever they become.
pub(super) fn forced_merge(entries: &[SegmentEntry], segments_max: usize) -> Option<Range<usize>> {
    if entries.len() <= segments_max.max(1) {
        return None;
    }
    let length = FACTOR.min(entries.len());
    let bytes = |start: usize| entries[start..start + length].iter().map(|entry| entry.raw_bytes).sum::<u64>();
    let start = (0..=entries.len() - length).min_by_key(|start| bytes(*start))?;
    Some(start..start + length)
}

/// The first run of enough neighbours of at most this tier that fit in one segment.
fn run_of(entries: &[SegmentEntry], tiers: &[u32], tier: u32, raw_bytes_max: u64) -> Option<Range<usize>> {
    (0..entries.len()).find_map(|start| {
        let mut bytes = 0;
        let fits = |place: &usize| {
            bytes += entries[*place].raw_bytes;
            tiers[*place] <= tier && bytes <= raw_bytes_max
        };
        let length = (start..entries.len()).take_while(fits).count();
        (length >= FACTOR).then_some(start..start + length)
    })
}

fn tier(raw_bytes: u64) -> u32 {
    let mut tier = 0;
    let mut end = FIRST_TIER_BYTES;
    while raw_bytes >= end {
        tier += 1;
        end = end.saturating_mul(FACTOR as u64);
    }
    tier
}

#[cfg(test)]
mod tests {
    use grepzilla_model::{Epoch, SegmentName, SeqNo};

    use super::*;

    const MIB: u64 = 1 << 20;
    const MAX: u64 = 1 << 30;

    fn entries(sizes_mib: &[u64]) -> Vec<SegmentEntry> {
        let entry = |(place, mib): (usize, &u64)| SegmentEntry {
            name: SegmentName {
                epoch: Epoch(1),
                first: SeqNo(place as u64 + 1),
                last: SeqNo(place as u64 + 1),
                hash: 0,
            },
            bytes: mib * MIB / 20,
            raw_bytes: mib * MIB,
            documents: 1,
            blocks: 1,
            bounds: None,
            deletes: None,
        };
        sizes_mib.iter().enumerate().map(entry).collect()
    }

    fn next(sizes_mib: &[u64]) -> Option<Range<usize>> {
        next_merge(&entries(sizes_mib), MAX)
    }

    #[test]
    fn eight_neighbours_of_a_tier_are_merged_and_fewer_are_not() {
        assert_eq!(next(&[]), None);
        assert_eq!(next(&[64; 7]), None);
        assert_eq!(next(&[64; 8]), Some(0..8));
        assert_eq!(next(&[512, 64, 64, 64, 64, 64, 64, 64, 64]), Some(1..9));
        assert_eq!(next(&[64, 64, 64, 64, 600, 64, 64, 64, 64]), None, "no neighbours");
        assert_eq!(next(&[512; 20]), None, "two would be as large as may be, eight are larger");
    }

    #[test]
    fn too_many_segments_are_merged_whatever_their_sizes_the_smallest_neighbours_first() {
        assert_eq!(forced_merge(&entries(&[900; 20]), 20), None);
        let mut sizes = [900; 21];
        sizes[7] = 500;
        assert_eq!(next(&sizes), None);
        assert_eq!(forced_merge(&entries(&sizes), 20), Some(0..8));
        assert_eq!(forced_merge(&entries(&[900, 900, 1]), 2), Some(0..3));
        assert_eq!(forced_merge(&entries(&[1]), 0), None);
    }

    #[test]
    fn the_lowest_tier_goes_first_and_takes_smaller_ones_with_it() {
        let mut sizes = vec![64; 8];
        sizes.extend([1; 8]);
        assert_eq!(next(&sizes), Some(8..16));
        assert_eq!(next(&[64, 64, 1, 64, 64, 64, 1, 64]), Some(0..8));
    }

    #[test]
    fn at_rest_the_most_neighbours_that_double_and_fit_are_merged() {
        let next = |sizes: &[u64]| merge_at_rest(&entries(sizes), MAX);
        assert_eq!(next(&[]), None);
        assert_eq!(next(&[64]), None);
        assert_eq!(next(&[64, 64]), Some(0..2));
        assert_eq!(next(&[65, 64]), None, "most would be written again for little");
        assert_eq!(next(&[65, 64, 1]), Some(0..3));
        assert_eq!(next(&[900, 64, 64, 64]), Some(1..4));
        assert_eq!(next(&[512, 512, 100, 100]), Some(0..2), "the oldest of runs that are as long");
        assert_eq!(next(&[600, 600]), None, "too large together");
    }

    #[test]
    fn a_shard_that_rests_after_each_flush_keeps_few_segments_and_writes_each_byte_a_few_times() {
        let mut sizes: Vec<u64> = Vec::new();
        let (mut flushed, mut merged) = (0, 0);
        for flush in 0..1_000u64 {
            let size = 1 + flush * 7919 % 8;
            flushed += size;
            sizes.push(size);
            while let Some(range) = merge_at_rest(&entries(&sizes), MAX) {
                let sum: u64 = sizes[range.clone()].iter().sum();
                merged += sum;
                assert!(sum <= 1024);
                sizes.splice(range, [sum]);
            }
        }
        let large = flushed / 512;
        assert!(sizes.len() as u64 <= large + 12, "{} segments", sizes.len());
        assert!(merged < 10 * flushed, "{merged} of {flushed} MiB merged");
    }

    #[test]
    fn any_stream_of_flushes_leaves_few_segments_and_writes_each_byte_a_few_times() {
        let mut sizes: Vec<u64> = Vec::new();
        let (mut flushed, mut merged) = (0, 0);
        for flush in 0..4_000u64 {
            let size = 1 + flush * 7919 % 64;
            flushed += size;
            sizes.push(size);
            while let Some(range) = next(&sizes) {
                let sum = sizes[range.clone()].iter().sum();
                merged += sum;
                assert!(sum <= 1024);
                sizes.splice(range, [sum]);
            }
        }
        let large = flushed / 512;
        assert!(sizes.len() as u64 <= large + 30, "{} segments", sizes.len());
        assert!(merged < 3 * flushed, "{merged} of {flushed} MiB merged");
    }
}
