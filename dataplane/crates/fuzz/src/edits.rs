//! What may become of bytes: damage, as disks and people do it, and rewriting, as only somebody who computes checksums anew could.

use crate::choices::Choices;

/// Damages bytes. Nothing of the fuzzer's own choosing gets in, else it would learn to write right checksums.
pub(crate) fn damage(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let range = choices.range(bytes.len());
    match choices.u8() % 7 {
        0 => {
            if let Some(byte) = bytes.get_mut(range.start) {
                *byte ^= 1 << (range.len() % 8);
            }
        }
        1 => bytes.truncate(range.start),
        2 => bytes[range].fill(0),
        3 => {
            let copy = bytes[range].to_vec();
            let end = bytes.len() - copy.len();
            let to = usize::from(choices.u16()) % (end + 1);
            bytes[to..to + copy.len()].copy_from_slice(&copy);
        }
        4 => {
            let copy = bytes[range.clone()].to_vec();
            bytes.splice(range.end..range.end, copy);
        }
        5 => drop(bytes.drain(range)),
        _ => {
            let other = usize::from(choices.u16()) % (bytes.len() + 1);
            let count = range.len().min(bytes.len() - other).min(range.start.abs_diff(other));
            let (low, high) = (range.start.min(other), range.start.max(other));
            let (front, back) = bytes.split_at_mut(high);
            front[low..low + count].swap_with_slice(&mut back[..count]);
        }
    }
}

/// Rewrites bytes in any way.
pub(crate) fn rewrite(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) {
    match choices.u8() % 4 {
        0 => damage(bytes, choices),
        1 => {
            let start = usize::from(choices.u16()) % (bytes.len() + 1);
            for (byte, chosen) in bytes[start..].iter_mut().zip(choices.bytes()) {
                *byte = *chosen;
            }
        }
        2 => {
            let range = choices.range(bytes.len());
            bytes.splice(range, choices.bytes().iter().copied());
        }
        _ => {
            let start = usize::from(choices.u16()) % (bytes.len() + 1);
            let width = [1, 2, 4, 8][choices.one_of(4)];
            let number = choices.u64().to_le_bytes();
            for (byte, chosen) in bytes[start..].iter_mut().zip(&number[..width]) {
                *byte = *chosen;
            }
        }
    }
}
