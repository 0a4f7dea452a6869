//! The payload of a DATA frame: one batch. Nodes forward batches to each other in the same bytes.
//!
//! ```text
//! u32 count, at least 1 | 16 B key hash | 16 B body hash | i64 received_ns
//! then for each record:
//!   u8 kind: 1 PUT, 2 TOMBSTONE | u8 flags, zero | u16 bucket
//!   u8 length + index | u16 length + id, 0 = none | i64 time_ns | u32 length + source
//! ```
//!
//! Little endian, nothing between the fields and nothing behind the last one. A batch has one encoding, and every byte
//! string is the encoding of one batch or an error: `encode(decode(bytes)) == bytes`.

use std::ops::Range;
use std::sync::Arc;

use grepzilla_model::record::ID_BYTES_MAX;
use grepzilla_model::{Batch, BodyHash, Bucket, IndexName, KeyHash, Record, RecordKind, SharedText, TimeNs};

/// Count, two hashes and a time.
const BATCH_BYTES: usize = 4 + 16 + 16 + 8;

/// A record without index, id and source.
const RECORD_BYTES: usize = 1 + 1 + 2 + 1 + 2 + 8 + 4;

/// Bytes that are not a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payload is not a batch: expected {expected} at byte {offset} of {length}")]
pub struct PayloadError {
    /// Where.
    pub offset: usize,
    /// How long it is.
    pub length: usize,
    /// What must be there.
    pub expected: &'static str,
}

/// The bytes of a batch.
///
/// # Panics
///
/// As `check_promises` does.
pub fn encode_payload(batch: &Batch) -> Vec<u8> {
    check_promises(batch);
    let mut bytes = Vec::with_capacity(payload_bytes(batch));
    put_payload(batch, |part| bytes.extend_from_slice(part));
    bytes
}

/// How long [`encode_payload`] of a batch is.
pub fn payload_bytes(batch: &Batch) -> usize {
    let variable = |record: &Record| {
        record.index.as_str().len() + record.id.as_ref().map_or(0, |id| id.len()) + record.source.len()
    };
    BATCH_BYTES + batch.records.iter().map(|record| RECORD_BYTES + variable(record)).sum::<usize>()
}

/// Panics if the batch has no record, or a record an id or source beyond the limits of [`Record`].
pub(crate) fn check_promises(batch: &Batch) {
    assert!(!batch.records.is_empty(), "a batch has at least one record");
    for Record { kind, id, source, .. } in &batch.records {
        let id_bytes = id.as_ref().map(|id| id.len());
        assert!(
            id_bytes.is_none_or(|bytes| (1..=ID_BYTES_MAX).contains(&bytes)),
            "an id has 1 to {ID_BYTES_MAX} bytes"
        );
        assert!(u32::try_from(source.len()).is_ok(), "a document has less than 4 GiB");
        let is_whole = *kind == RecordKind::Put || (id.is_some() && source.is_empty());
        assert!(is_whole, "a tombstone has an id and no source");
    }
}

/// Gives the bytes of a batch that keeps its promises, part by part.
pub(super) fn put_payload(batch: &Batch, mut put: impl FnMut(&[u8])) {
    let mut head = [0; BATCH_BYTES];
    head[..4].copy_from_slice(&(batch.records.len() as u32).to_le_bytes());
    head[4..20].copy_from_slice(&batch.key.0);
    head[20..36].copy_from_slice(&batch.body.0);
    head[36..].copy_from_slice(&batch.received.0.to_le_bytes());
    put(&head);
    batch.records.iter().for_each(|record| put_record(record, &mut put));
}

fn put_record(record: &Record, put: &mut impl FnMut(&[u8])) {
    let (id, index) = (record.id.as_deref().unwrap_or_default(), record.index.as_str());
    let kind = match record.kind {
        RecordKind::Put => 1,
        RecordKind::Tombstone => 2,
    };
    let bucket = record.bucket.0.to_le_bytes();
    put(&[kind, 0, bucket[0], bucket[1], index.len() as u8]);
    put(index.as_bytes());
    let (id_bytes, time) = ((id.len() as u16).to_le_bytes(), record.time.0.to_le_bytes());
    let source_bytes = (record.source.len() as u32).to_le_bytes();
    if id.is_empty() {
        let mut tail = [0; 2 + 8 + 4];
        tail[2..10].copy_from_slice(&time);
        tail[10..].copy_from_slice(&source_bytes);
        put(&tail);
    } else {
        put(&id_bytes);
        put(id.as_bytes());
        put(&time);
        put(&source_bytes);
    }
    put(record.source.as_bytes());
}

/// The batch of some bytes, from the disk or from another node.
pub fn decode_payload(bytes: &[u8]) -> Result<Batch, PayloadError> {
    let mut cursor = Cursor { bytes, offset: 0 };
    let count = u32::from_le_bytes(cursor.array("a count")?) as usize;
    // The length is checked before anything of that length is made.
    if count == 0 || count > bytes.len() / RECORD_BYTES {
        return Err(cursor.error_at(0, "a count of at least 1 that the length allows"));
    }
    let key = KeyHash(cursor.array("a key hash")?);
    let body = BodyHash(cursor.array("a body hash")?);
    let received = TimeNs(i64::from_le_bytes(cursor.array("a time of receipt")?));
    let mut heads = Vec::with_capacity(count);
    let mut sources = Vec::with_capacity(bytes.len());
    // Records of one batch are mostly of one index: its name is made once and shared.
    let mut index = IndexName::default();
    for _ in 0..count {
        heads.push(decode_record(&mut cursor, &mut index, &mut sources)?);
    }
    if cursor.offset != bytes.len() {
        return Err(cursor.error_at(cursor.offset, "the end"));
    }
    let records = with_sources(heads, sources).map_err(|offset| cursor.error_at(offset, "UTF-8"))?;
    Ok(Batch { key, body, received, records })
}

/// A record whose source stands among those of the batch.
struct Head {
    kind: RecordKind,
    bucket: Bucket,
    index: IndexName,
    id: Option<Arc<str>>,
    time: TimeNs,
    source: Range<usize>,
    /// Of the source in the payload.
    offset: usize,
}

/// Gives the records their parts of one text; an error is the place of a source that is none.
fn with_sources(heads: Vec<Head>, sources: Vec<u8>) -> Result<Vec<Record>, usize> {
    let sources = String::from_utf8(sources).map_err(|error| {
        let invalid = error.utf8_error().valid_up_to();
        heads.iter().find(|head| invalid < head.source.end).map_or(0, |head| head.offset)
    })?;
    let sources = SharedText::new(sources);
    let record = |head: Head| {
        let Head { kind, bucket, index, id, time, source, offset } = head;
        // Two sources could be text only together.
        let is_text = sources.is_char_boundary(source.start) && sources.is_char_boundary(source.end);
        let source = if is_text { sources.part(source) } else { return Err(offset) };
        Ok(Record { kind, bucket, index, id, time, source })
    };
    heads.into_iter().map(record).collect()
}

fn decode_record(
    cursor: &mut Cursor<'_>,
    last_index: &mut IndexName,
    sources: &mut Vec<u8>,
) -> Result<Head, PayloadError> {
    let start = cursor.offset;
    let kind = match cursor.array("a record's kind and flags")? {
        [1, 0] => RecordKind::Put,
        [2, 0] => RecordKind::Tombstone,
        _ => return Err(cursor.error_at(start, "kind 1 or 2 without flags")),
    };
    let bucket = Bucket(u16::from_le_bytes(cursor.array("a bucket")?));
    let [index_bytes] = cursor.array("the length of an index")?;
    let index = cursor.take(usize::from(index_bytes), "an index")?;
    if index != last_index.as_str().as_bytes() {
        let name = std::str::from_utf8(index).ok().and_then(|name| IndexName::new(name).ok());
        *last_index = name.ok_or_else(|| cursor.error_at(start, "a valid index"))?;
    }
    let id_bytes = usize::from(u16::from_le_bytes(cursor.array("the length of an id")?));
    if id_bytes > ID_BYTES_MAX {
        return Err(cursor.error_at(cursor.offset - 2, "an id of at most 512 bytes"));
    }
    let id = cursor.text(id_bytes, "an id")?;
    let time = TimeNs(i64::from_le_bytes(cursor.array("a time")?));
    let source_bytes = u32::from_le_bytes(cursor.array("the length of a source")?) as usize;
    let offset = cursor.offset;
    let source = cursor.take(source_bytes, "a source")?;
    if kind == RecordKind::Tombstone && (id.is_empty() || !source.is_empty()) {
        return Err(cursor.error_at(start, "a tombstone with an id and no source"));
    }
    let source_start = sources.len();
    sources.extend_from_slice(source);
    Ok(Head {
        kind,
        bucket,
        index: last_index.clone(),
        id: (!id.is_empty()).then(|| Arc::from(id)),
        time,
        source: source_start..sources.len(),
        offset,
    })
}

/// Reads fields one after the other, never beyond the end.
struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize, expected: &'static str) -> Result<&'a [u8], PayloadError> {
        let rest = &self.bytes[self.offset..];
        let taken = rest.get(..count).ok_or_else(|| self.error_at(self.offset, expected))?;
        self.offset += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], PayloadError> {
        Ok(self.take(N, expected)?.try_into().expect("as many bytes as were taken"))
    }

    fn text(&mut self, count: usize, expected: &'static str) -> Result<&'a str, PayloadError> {
        let start = self.offset;
        std::str::from_utf8(self.take(count, expected)?).map_err(|_| self.error_at(start, "UTF-8"))
    }

    fn error_at(&self, offset: usize, expected: &'static str) -> PayloadError {
        PayloadError { offset, length: self.bytes.len(), expected }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(kind: RecordKind, id: Option<&str>, source: &str) -> Record {
        Record {
            kind,
            bucket: Bucket(0x0102),
            index: IndexName::default(),
            id: id.map(Arc::from),
            time: TimeNs(-1),
            source: source.into(),
        }
    }

    fn batch() -> Batch {
        Batch {
            key: KeyHash([0xaa; 16]),
            body: BodyHash([0xbb; 16]),
            received: TimeNs(5),
            records: vec![record(RecordKind::Put, None, "{}"), record(RecordKind::Tombstone, Some("x"), "")],
        }
    }

    #[test]
    fn the_bytes_of_a_batch_are_as_drawn() {
        let hex: String = encode_payload(&batch()).iter().map(|byte| format!("{byte:02x}")).collect();
        let drawn = [
            "02000000",                         // count
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", // key hash
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", // body hash
            "0500000000000000",                 // received
            "010002010",                        // PUT, no flags, bucket
            "46d61696e0000",                    // index "main", no id
            "ffffffffffffffff020000007b7d",     // time, source
            "020002010",                        // TOMBSTONE, no flags, bucket
            "46d61696e010078",                  // index "main", id "x"
            "ffffffffffffffff00000000",         // time, no source
        ];
        assert_eq!(hex, drawn.concat());
        assert_eq!(encode_payload(&batch()).len(), payload_bytes(&batch()));
    }

    #[test]
    fn every_shorter_payload_is_refused() {
        let bytes = encode_payload(&batch());
        assert_eq!(decode_payload(&bytes), Ok(batch()));
        for length in 0..bytes.len() {
            assert!(decode_payload(&bytes[..length]).is_err(), "{length} bytes");
        }
        assert!(decode_payload(&[bytes, vec![0]].concat()).is_err(), "one byte more");
    }

    #[test]
    fn a_count_is_not_believed_before_the_length() {
        let mut bytes = encode_payload(&batch());
        bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(decode_payload(&bytes).expect_err("too many").offset, 0);
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let id = proptest::option::of("\\PC{1,40}");
        let parts = (any::<u16>(), "[a-z0-9_][a-z0-9_.-]{0,20}", id, any::<i64>(), any::<bool>(), "\\PC{0,60}");
        parts.prop_map(|(bucket, index, id, time, tombstone, source)| {
            let tombstone = tombstone && id.is_some();
            Record {
                kind: if tombstone { RecordKind::Tombstone } else { RecordKind::Put },
                bucket: Bucket(bucket),
                index: IndexName::new(&index).expect("made to fit"),
                id: id.map(Arc::from),
                time: TimeNs(time),
                source: if tombstone { SharedText::default() } else { source.into() },
            }
        })
    }

    fn any_batch() -> impl Strategy<Value = Batch> {
        let parts = (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<i64>(), proptest::collection::vec(any_record(), 1..9));
        parts.prop_map(|(key, body, received, records)| Batch {
            key: KeyHash(key),
            body: BodyHash(body),
            received: TimeNs(received),
            records,
        })
    }

    proptest! {
        #[test]
        fn a_batch_survives_its_bytes(batch in any_batch()) {
            let bytes = encode_payload(&batch);
            prop_assert_eq!(bytes.len(), payload_bytes(&batch));
            prop_assert_eq!(decode_payload(&bytes), Ok(batch));
        }

        #[test]
        fn arbitrary_bytes_are_a_batch_with_that_encoding_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(batch) = decode_payload(&bytes) {
                prop_assert_eq!(encode_payload(&batch), bytes);
            }
        }

        #[test]
        fn a_damaged_batch_is_another_batch_or_an_error(batch in any_batch(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut bytes = encode_payload(&batch);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(other) = decode_payload(&bytes) {
                prop_assert_ne!(&other, &batch);
                prop_assert_eq!(encode_payload(&other), bytes);
            }
        }
    }
}
