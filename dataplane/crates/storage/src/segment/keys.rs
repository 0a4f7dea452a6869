//! The keys section: the Idempotency-Keys of the batches whose records a segment holds.
//!
//! ```text
//! u32  entries
//! for each, by first position, 60 bytes:
//! 16 B key hash   16 B body hash   u64 first seq   u32 records   u64 epoch   i64 received
//! ```

use grepzilla_model::{BodyHash, Epoch, KeyHash, SeqNo, TimeNs};

use super::bytes::{ByteReader, Malformed};

const ENTRY_BYTES: usize = 60;

/// A batch that came with an Idempotency-Key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyEntry {
    /// Hash of the key.
    pub key: KeyHash,
    /// Hash of the request's body.
    pub body: BodyHash,
    /// The position of its first record.
    pub first: SeqNo,
    /// How many records it has.
    pub count: u32,
    /// The epoch in which it was written.
    pub epoch: Epoch,
    /// When it was received.
    pub received: TimeNs,
}

pub(super) fn encode(entries: &mut [KeyEntry]) -> Vec<u8> {
    entries.sort_by_key(|entry| entry.first);
    let mut bytes = (entries.len() as u32).to_le_bytes().to_vec();
    for entry in entries.iter() {
        bytes.extend(entry.key.0);
        bytes.extend(entry.body.0);
        bytes.extend(entry.first.0.to_le_bytes());
        bytes.extend(entry.count.to_le_bytes());
        bytes.extend(entry.epoch.0.to_le_bytes());
        bytes.extend(entry.received.0.to_le_bytes());
    }
    bytes
}

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<KeyEntry>, Malformed> {
    let mut reader = ByteReader::new(bytes);
    let count = reader.u32()? as usize;
    if reader.left() != count.saturating_mul(ENTRY_BYTES) {
        return Err(reader.malformed("as many keys as it says"));
    }
    let entry = |_| {
        Ok(KeyEntry {
            key: KeyHash(reader.array()?),
            body: BodyHash(reader.array()?),
            first: SeqNo(reader.u64()?),
            count: reader.u32()?,
            epoch: Epoch(reader.u64()?),
            received: TimeNs(reader.u64()?.cast_signed()),
        })
    };
    (0..count).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_were_written_by_position() {
        let entry = |first: u64| KeyEntry {
            key: KeyHash([first as u8; 16]),
            body: BodyHash([9; 16]),
            first: SeqNo(first),
            count: 3,
            epoch: Epoch(2),
            received: TimeNs(-5),
        };
        let bytes = encode(&mut [entry(7), entry(4)]);
        assert_eq!(decode(&bytes), Ok(vec![entry(4), entry(7)]));
        assert_eq!(bytes.len(), 4 + 2 * ENTRY_BYTES);
        assert_eq!(decode(&encode(&mut [])), Ok(Vec::new()));
        assert!(decode(&bytes[..bytes.len() - 1]).is_err() && decode(&[]).is_err());
    }
}
