//! A cursor: where a page ended, and what all pages of its search read up to. Nothing is stored for it.
//!
//! ```text
//! u8 version 1 | 16 B hash of the query | u64 issued, ms since 1970 | u64 hits on the pages before
//! last hit: i64 time_ns, u32 shard, u64 seq
//! u32 count, then for each shard: u32 shard, u64 epoch, u64 seq
//! u32 crc32 of all before it
//! ```
//!
//! Little endian, written as hexadecimal digits. The checksum finds damage, not malice: a forged cursor reads nothing
//! that its query would not. `issued` is the time of the first page, because that is how long the read has been going on.
//! Versions: 1, the first.

use std::collections::BTreeMap;
use std::time::Duration;

use grepzilla_api::peer::{HitKey, LogPosition};
use grepzilla_api::search::Cursor;
use grepzilla_model::{Epoch, SeqNo, ShardId};

const VERSION: u8 = 1;
const HASH_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + HASH_BYTES + 8 + 8 + (8 + 4 + 8) + 4;
const SHARD_BYTES: usize = 4 + 8 + 8;
const CRC_BYTES: usize = 4;

/// Says whether two requests are pages of one search.
pub(super) type QueryHash = [u8; HASH_BYTES];

/// What a cursor carries from page to page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageEnd {
    pub(super) query: QueryHash,
    /// When the first page was asked for, in milliseconds since 1970.
    pub(super) issued_ms: u64,
    /// Hits on all pages so far.
    pub(super) seen: u64,
    /// The last one of them.
    pub(super) last: HitKey,
    /// What every page reads up to; shards that did not answer the first page are not there.
    pub(super) positions: BTreeMap<ShardId, LogPosition>,
}

/// A cursor that cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CursorError {
    /// Not one of ours, or not any more.
    #[error("the cursor is damaged")]
    Damaged,
    /// Made for another request.
    #[error(
        "the cursor belongs to another search: pattern, filters, order and shards must stay the same from page to page"
    )]
    OtherQuery,
    /// Too old.
    #[error("the cursor is older than {ttl_seconds} s; search again without it")]
    Expired { ttl_seconds: u64 },
}

impl PageEnd {
    /// As the client gets it.
    pub(super) fn encode(&self) -> Cursor {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.positions.len() * SHARD_BYTES + CRC_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.query);
        bytes.extend_from_slice(&self.issued_ms.to_le_bytes());
        bytes.extend_from_slice(&self.seen.to_le_bytes());
        bytes.extend_from_slice(&self.last.time_ns.to_le_bytes());
        bytes.extend_from_slice(&self.last.shard.0.to_le_bytes());
        bytes.extend_from_slice(&self.last.seq.0.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(self.positions.len()).expect("shard ids are u32").to_le_bytes());
        for (shard, position) in &self.positions {
            bytes.extend_from_slice(&shard.0.to_le_bytes());
            bytes.extend_from_slice(&position.epoch.0.to_le_bytes());
            bytes.extend_from_slice(&position.seq.0.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        Cursor(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Reads what a client sent back, and checks that it may be followed at `now_ms`.
    pub(super) fn decode(
        cursor: &Cursor,
        query: &QueryHash,
        now_ms: u64,
        ttl: Duration,
    ) -> Result<PageEnd, CursorError> {
        let page = from_hex(&cursor.0).and_then(|bytes| read(&bytes)).ok_or(CursorError::Damaged)?;
        if page.query != *query {
            return Err(CursorError::OtherQuery);
        }
        // A cursor from another node's clock may come from the future; it is as good as new.
        if Duration::from_millis(now_ms.saturating_sub(page.issued_ms)) > ttl {
            return Err(CursorError::Expired { ttl_seconds: ttl.as_secs() });
        }
        Ok(page)
    }
}

fn read(bytes: &[u8]) -> Option<PageEnd> {
    let (bytes, crc) = bytes.split_at_checked(bytes.len().checked_sub(CRC_BYTES)?)?;
    if crc32fast::hash(bytes).to_le_bytes() != crc {
        return None;
    }
    let mut fields = Fields(bytes);
    let [version] = fields.take()?;
    if version != VERSION {
        return None;
    }
    let (query, issued_ms, seen) = (fields.take()?, fields.u64()?, fields.u64()?);
    let last = HitKey { time_ns: fields.u64()? as i64, shard: ShardId(fields.u32()?), seq: SeqNo(fields.u64()?) };
    let count = fields.u32()? as usize;
    if fields.0.len() != count.checked_mul(SHARD_BYTES)? {
        return None;
    }
    let mut positions = BTreeMap::new();
    for _ in 0..count {
        let shard = ShardId(fields.u32()?);
        positions.insert(shard, LogPosition { epoch: Epoch(fields.u64()?), seq: SeqNo(fields.u64()?) });
    }
    (positions.len() == count).then_some(PageEnd { query, issued_ms, seen, last, positions })
}

/// Takes fields off the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: QueryHash = [7; HASH_BYTES];
    const TTL: Duration = Duration::from_secs(600);

    fn page() -> PageEnd {
        let position = |epoch, seq| LogPosition { epoch: Epoch(epoch), seq: SeqNo(seq) };
        PageEnd {
            query: QUERY,
            issued_ms: 1_000_000,
            seen: 20,
            last: HitKey { time_ns: -5, shard: ShardId(3), seq: SeqNo(99) },
            positions: BTreeMap::from([(ShardId(0), position(1, 10)), (ShardId(3), position(2, u64::MAX))]),
        }
    }

    #[test]
    fn a_cursor_survives_its_text() {
        assert_eq!(PageEnd::decode(&page().encode(), &QUERY, 1_000_000, TTL), Ok(page()));
    }

    #[test]
    fn every_damaged_digit_and_every_cut_is_noticed() {
        let text = page().encode().0;
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = if damaged[at] == b'0' { b'1' } else { b'0' };
            let damaged = Cursor(String::from_utf8(damaged).expect("ASCII"));
            assert_eq!(PageEnd::decode(&damaged, &QUERY, 0, TTL), Err(CursorError::Damaged), "digit {at}");
            assert_eq!(
                PageEnd::decode(&Cursor(text[..at].to_owned()), &QUERY, 0, TTL),
                Err(CursorError::Damaged),
                "cut at {at}"
            );
        }
        for other in ["zz", "ä", "0", &"00".repeat(60)] {
            assert_eq!(
                PageEnd::decode(&Cursor(other.to_owned()), &QUERY, 0, TTL),
                Err(CursorError::Damaged),
                "{other:?}"
            );
        }
    }

    #[test]
    fn another_query_and_old_age_are_told_apart() {
        let cursor = page().encode();
        assert_eq!(PageEnd::decode(&cursor, &[8; HASH_BYTES], 1_000_000, TTL), Err(CursorError::OtherQuery));
        assert!(PageEnd::decode(&cursor, &QUERY, 1_600_000, TTL).is_ok());
        assert_eq!(PageEnd::decode(&cursor, &QUERY, 1_600_001, TTL), Err(CursorError::Expired { ttl_seconds: 600 }));
        assert!(PageEnd::decode(&cursor, &QUERY, 0, TTL).is_ok(), "a clock behind the one that issued it");
    }
}
