//! Which shard each document of a request goes to.
//!
//! A document with `_id` goes to its id's shard. All others of one request go together to one shard, chosen by the
//! Idempotency-Key, so that a retry meets the same log; without a key, at random among the shards that have a leader.

use std::collections::BTreeMap;

use grepzilla_model::document::Document;
use grepzilla_model::routing::{bucket_of_id, bucket_of_key};
use grepzilla_model::{Bucket, BucketRange, IndexName, Record, RecordKind, Ring, ShardId, TimeNs};

/// A body is let go of when the documents of a shard are a smaller part of it than one in so many.
const HELD_FACTOR_MAX: usize = 4;

/// What routing depends on.
#[derive(Debug)]
pub(super) struct Route<'a> {
    pub(super) ring: &'a Ring,
    pub(super) index: &'a IndexName,
    pub(super) key: Option<&'a str>,
    /// When the request came: the time of documents without one.
    pub(super) received: TimeNs,
}

/// The documents of a request that go to one shard.
#[derive(Debug, PartialEq)]
pub(super) struct Routed {
    pub(super) shard: ShardId,
    /// The place of each record in the request.
    pub(super) positions: Vec<usize>,
    pub(super) records: Vec<Record>,
}

impl Routed {
    /// The documents stay in memory until they are in a block, and the body with them. It goes if most of it is of no use here: what
    /// was refused, and what other shards get.
    fn let_go_of_body(&mut self) {
        let bytes: usize = self.records.iter().map(|record| record.source.len()).sum();
        let held = self.records.iter().map(|record| record.source.held_bytes()).max().unwrap_or(0);
        if bytes < held / HELD_FACTOR_MAX {
            self.records.iter_mut().for_each(|record| record.source = record.source.alone());
        }
    }
}

impl Route<'_> {
    /// Divides documents among shards, by shard.
    pub(super) fn divide(
        &self,
        documents: Vec<(usize, Document)>,
        has_leader: impl Fn(ShardId) -> bool,
    ) -> Vec<Routed> {
        let common = self.common_bucket(has_leader);
        let mut parts: BTreeMap<ShardId, Routed> = BTreeMap::new();
        for (position, document) in documents {
            let bucket = document.id().map_or(common, |id| bucket_of_id(self.index, id));
            let shard = self.ring.shard_of(bucket);
            let part =
                parts.entry(shard).or_insert_with(|| Routed { shard, positions: Vec::new(), records: Vec::new() });
            part.positions.push(position);
            part.records.push(self.record(bucket, document));
        }
        let mut parts: Vec<Routed> = parts.into_values().collect();
        parts.iter_mut().for_each(Routed::let_go_of_body);
        parts
    }

    fn record(&self, bucket: Bucket, document: Document) -> Record {
        Record {
            kind: RecordKind::Put,
            bucket,
            index: self.index.clone(),
            id: document.id().cloned(),
            time: document.time(self.received),
            source: document.into_source(),
        }
    }

    /// The bucket of the documents without an id.
    fn common_bucket(&self, has_leader: impl Fn(ShardId) -> bool) -> Bucket {
        if let Some(key) = self.key {
            return bucket_of_key(key);
        }
        let led: Vec<&BucketRange> = self.ring.ranges.iter().filter(|range| has_leader(range.shard)).collect();
        match led.as_slice() {
            // Whichever it is, the answer will say that it has no leader.
            [] => Bucket(rand::random()),
            ranges => {
                let range = ranges[rand::random_range(0..ranges.len())];
                Bucket(rand::random_range(range.first.0..=range.last.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use grepzilla_model::document::DocumentLimits;
    use grepzilla_model::{NodeIndex, RingNode, RingNodeState, SharedText};

    use super::*;

    const RECEIVED: TimeNs = TimeNs(1_700_000_000_000_000_000);

    fn ring(shards: u32) -> Ring {
        let node = RingNode { name: "n-0".into(), zone: String::new(), state: RingNodeState::Active };
        Ring {
            version: 1,
            feature_level: 1,
            replication_factor: 1,
            nodes: BTreeMap::from([(NodeIndex(0), node)]),
            ranges: Ring::even_ranges(shards),
            targets: (0..shards).map(|shard| (ShardId(shard), vec![NodeIndex(0)])).collect(),
        }
    }

    fn documents(sources: &[&str]) -> Vec<(usize, Document)> {
        let parse = |source: &&str| Document::parse(source.as_bytes(), &DocumentLimits::default()).expect("valid");
        sources.iter().map(parse).enumerate().collect()
    }

    fn divide(key: Option<&str>, sources: &[&str], has_leader: impl Fn(ShardId) -> bool) -> Vec<Routed> {
        let (ring, index) = (ring(4), IndexName::default());
        Route { ring: &ring, index: &index, key, received: RECEIVED }.divide(documents(sources), has_leader)
    }

    #[test]
    fn documents_without_an_id_stay_together_and_follow_the_key() {
        let shards = || {
            let parts = divide(Some("k-1"), &["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"], |_| true);
            assert_eq!(parts.iter().map(|part| part.positions.clone()).collect::<Vec<_>>(), [[0, 1, 2]]);
            parts[0].shard
        };
        assert_eq!(shards(), shards());
        assert_eq!(shards(), ring(4).shard_of(bucket_of_key("k-1")));
    }

    #[test]
    fn documents_with_an_id_go_to_its_shard_whatever_the_key() {
        let sources: Vec<String> = (0..40).map(|id| format!("{{\"_id\":\"d{id}\"}}")).collect();
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        let (one, two) = (divide(Some("k-1"), &sources, |_| true), divide(None, &sources, |_| false));
        assert_eq!(one, two);
        assert_eq!(one.len(), 4, "40 ids meet every one of 4 shards");
        let all: BTreeSet<usize> = one.iter().flat_map(|part| part.positions.clone()).collect();
        assert_eq!(all, (0..40).collect());
    }

    #[test]
    fn a_body_is_kept_for_its_documents_but_not_for_a_small_part_of_it() {
        let held = |body: &str| {
            let body = SharedText::from(body);
            let document = Document::check(&body.part(0..7), &DocumentLimits::default()).expect("valid");
            let (ring, index) = (ring(4), IndexName::default());
            let route = Route { ring: &ring, index: &index, key: None, received: RECEIVED };
            route.divide(vec![(0, document)], |_| true)[0].records[0].source.held_bytes()
        };
        assert_eq!(held("{\"a\":1}\nrefused"), 15);
        assert_eq!(held("{\"a\":1}\nrefused, and much more than the document"), 7);
    }

    #[test]
    fn without_a_key_only_shards_with_a_leader_are_chosen() {
        let chosen: BTreeSet<ShardId> = (0..200)
            .map(|_| divide(None, &["{}"], |shard| shard == ShardId(1) || shard == ShardId(3))[0].shard)
            .collect();
        assert_eq!(chosen, BTreeSet::from([ShardId(1), ShardId(3)]));
    }

    #[test]
    fn a_record_has_the_time_of_its_document_or_of_its_arrival() {
        let parts = divide(Some("k"), &["{\"ts\":\"2020-01-01T00:00:00Z\"}", "{}"], |_| true);
        let times: Vec<TimeNs> = parts[0].records.iter().map(|record| record.time).collect();
        assert_eq!(times, [TimeNs::from_rfc3339("2020-01-01T00:00:00Z").expect("a time"), RECEIVED]);
    }
}
