//! `<root>-manifests/<id>/<generation>`: the segments of one generation. Created once and never changed; removed some time
//! after a newer generation was published.

use grepzilla_model::{Manifest, TimeNs};
use serde::{Deserialize, Serialize};

use super::Value;

/// A manifest as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestList {
    /// When it was published, by its publisher's clock: what its predecessor's time to live counts from, and nothing else.
    pub published: TimeNs,
    /// The manifest, sound by itself.
    pub manifest: Manifest,
}

impl Value for ManifestList {
    const KIND: &'static str = "manifest list";

    fn check(&self) -> Result<(), String> {
        self.manifest.check().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use grepzilla_model::{Epoch, Generation, SegmentEntry, SegmentName, SeqNo};

    use super::super::ValueError;
    use super::super::value::testing::assert_round_trip;
    use super::*;

    fn sample() -> ManifestList {
        let name = SegmentName { epoch: Epoch(1), first: SeqNo(1), last: SeqNo(9), hash: 0xab };
        let entry =
            SegmentEntry { name, bytes: 4096, raw_bytes: 0, documents: 0, blocks: 0, bounds: None, deletes: None };
        let manifest = Manifest {
            generation: Generation(2),
            epoch: Epoch(1),
            base: SeqNo(0),
            flushed: SeqNo(9),
            segments: vec![entry],
        };
        ManifestList { published: TimeNs(5), manifest }
    }

    #[test]
    fn round_trip_and_damage() {
        let json = concat!(
            r#"{"v":1,"value":{"published":5,"manifest":{"generation":2,"epoch":1,"base":0,"flushed":9,"segments":["#,
            r#"{"name":"0000000000000001-0000000000000001-0000000000000009-00000000000000ab","#,
            r#""bytes":4096,"raw_bytes":0,"documents":0,"blocks":0}]}}}"#
        );
        assert_round_trip(&sample(), json);
    }

    #[test]
    fn a_list_that_leaves_a_gap_is_damaged() {
        let mut list = sample();
        list.manifest.flushed = SeqNo(10);
        let error = ManifestList::decode("/m/2", &list.encode()).unwrap_err();
        assert!(matches!(&error, ValueError::Damaged { reason, .. } if reason.contains("10")), "{error}");
    }
}
