//! Stamps as a payload.

use grepzilla_model::{Bucket, Epoch, SeqNo, TimeNs};

use super::codes::{joined_bytes, part_bytes};
use super::{NoPart, small};
use crate::block::{DOCUMENTS_MAX, Stamps};
use crate::segment::bytes::{ByteReader, Malformed, put_signed_varint, put_varint};

pub(in crate::segment) fn encode_stamps(stamps: &Stamps) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_varint(&mut bytes, stamps.document_count() as u64);
    put_varint(&mut bytes, stamps.epochs().len() as u64);
    let mut first_before = 0;
    for (first, epoch) in stamps.epochs() {
        put_varint(&mut bytes, u64::from(first - first_before));
        put_varint(&mut bytes, epoch.0);
        first_before = *first;
    }
    put_varint(&mut bytes, stamps.seqs()[0].0);
    stamps.seqs().windows(2).for_each(|pair| put_varint(&mut bytes, pair[1].0 - pair[0].0 - 1));
    encode_times(stamps.times(), &mut bytes);
    let buckets: Vec<[u8; 2]> = stamps.buckets().iter().map(|bucket| bucket.0.to_le_bytes()).collect();
    part_bytes(&buckets, &mut bytes);
    bytes
}

fn encode_times(times: &[TimeNs], bytes: &mut Vec<u8>) {
    // Steps wrap around where two times are further apart than an i64 says; reading wraps back.
    let steps = times.windows(2).map(|pair| pair[1].0.wrapping_sub(pair[0].0));
    let divisor = steps.clone().fold(0, |divisor, step| greatest_common_divisor(divisor, step.unsigned_abs()));
    put_signed_varint(bytes, times[0].0);
    put_varint(bytes, divisor);
    if divisor > 0 {
        let quotient = |step: i64| (i128::from(step) / i128::from(divisor)) as i64;
        steps.for_each(|step| put_signed_varint(bytes, quotient(step)));
    }
}

fn greatest_common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

pub(in crate::segment) fn decode_stamps(payload: &[u8]) -> Result<Stamps, NoPart> {
    let mut reader = ByteReader::new(payload);
    let count = reader.count(DOCUMENTS_MAX)?;
    if count == 0 {
        return Err(reader.malformed("documents").into());
    }
    let epochs = decode_epochs(&mut reader)?;
    let mut seqs = Vec::with_capacity(count);
    let mut seq = reader.varint()?;
    seqs.push(SeqNo(seq));
    for _ in 1..count {
        let step = reader.varint()?.checked_add(1).and_then(|step| seq.checked_add(step));
        seq = step.ok_or_else(|| reader.malformed("positions of 64 bits"))?;
        seqs.push(SeqNo(seq));
    }
    let times = decode_times(&mut reader, count)?;
    let buckets = joined_bytes(&mut reader, count)?.into_iter().map(|bytes| Bucket(u16::from_le_bytes(bytes)));
    let buckets = buckets.collect();
    reader.end()?;
    Ok(Stamps::new(times, seqs, buckets, epochs)?)
}

fn decode_epochs(reader: &mut ByteReader<'_>) -> Result<Vec<(u32, Epoch)>, Malformed> {
    let run_count = reader.count(DOCUMENTS_MAX)?;
    let (mut epochs, mut first) = (Vec::with_capacity(run_count), 0u32);
    for _ in 0..run_count {
        first = first.saturating_add(small(reader)?);
        epochs.push((first, Epoch(reader.varint()?)));
    }
    Ok(epochs)
}

fn decode_times(reader: &mut ByteReader<'_>, count: usize) -> Result<Vec<TimeNs>, Malformed> {
    let (mut time, divisor) = (reader.signed_varint()?, reader.varint()?);
    let mut times = Vec::with_capacity(count);
    times.push(TimeNs(time));
    for _ in 1..count {
        if divisor > 0 {
            time = time.wrapping_add(reader.signed_varint()?.wrapping_mul(divisor.cast_signed()));
        }
        times.push(TimeNs(time));
    }
    Ok(times)
}
