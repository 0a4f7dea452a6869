//! Streams of bits: the first bit is the lowest of the first byte.

use super::bytes::Malformed;

/// The most bits that are written or read at once.
const AT_ONCE: u32 = 32;

/// A quotient of a Rice code from which on the number is written as it is.
const QUOTIENT_MAX: u32 = 15;

/// Collects bits.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits that do not make a whole byte yet.
    pending: u64,
    pending_count: u32,
}

impl BitWriter {
    /// Bits so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() * 8 + self.pending_count as usize
    }

    /// Appends the lowest `count` bits of `value`, which has no others.
    pub(super) fn put(&mut self, value: u32, count: u32) {
        debug_assert!(count <= AT_ONCE && u64::from(value) >> count == 0);
        self.pending |= u64::from(value) << self.pending_count;
        self.pending_count += count;
        while self.pending_count >= 8 {
            self.bytes.push(self.pending as u8);
            self.pending >>= 8;
            self.pending_count -= 8;
        }
    }

    /// A number from 1 on: as many zeros as it has bits behind its first, then these bits, the first one first.
    pub(super) fn put_gamma(&mut self, value: u32) {
        let low_bits = value.ilog2();
        self.put(0, low_bits);
        self.put(1, 1);
        self.put(value & !(1 << low_bits), low_bits);
    }

    /// A Rice code: the part above `low_bits` as so many zeros and a one, then the low bits.
    pub(super) fn put_rice(&mut self, value: u32, low_bits: u32) {
        let quotient = value >> low_bits;
        if quotient < QUOTIENT_MAX {
            self.put(1 << quotient, quotient + 1);
            self.put(value & ((1 << low_bits) - 1), low_bits);
        } else {
            self.put(1 << QUOTIENT_MAX, QUOTIENT_MAX + 1);
            self.put(value, 32);
        }
    }

    /// A number below `range`: in the least whole number of bits, or one less while there are codes to spare.
    pub(super) fn put_below(&mut self, value: u32, range: u32) {
        debug_assert!(value < range);
        let (bits, spare) = split_range(range);
        if value < spare {
            self.put(value, bits);
        } else {
            // The last bit follows, so that a reader knows from the first ones whether there is one.
            let code = value + spare;
            self.put(code >> 1, bits);
            self.put(code & 1, 1);
        }
    }

    /// The bytes, the last one filled up with zeros. The writer is empty then.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        if self.pending_count > 0 {
            self.bytes.push(self.pending as u8);
        }
        (self.pending, self.pending_count) = (0, 0);
        std::mem::take(&mut self.bytes)
    }
}

/// Reads bits.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader { bytes, at: 0 }
    }

    /// Goes on at a bit.
    pub(super) fn seek(&mut self, bit: usize) {
        self.at = bit;
    }

    /// The next 57 bits or more; zeros behind the end.
    fn peek(&self) -> u64 {
        let byte = self.at / 8;
        let word = match self.bytes.get(byte..byte + 8) {
            Some(word) => u64::from_le_bytes(word.try_into().expect("eight bytes")),
            None => {
                let mut word = [0; 8];
                let rest = self.bytes.get(byte..).unwrap_or_default();
                word[..rest.len()].copy_from_slice(rest);
                u64::from_le_bytes(word)
            }
        };
        word >> (self.at % 8)
    }

    fn skip(&mut self, count: u32) -> Result<(), Malformed> {
        self.at += count as usize;
        if self.at <= self.bytes.len() * 8 { Ok(()) } else { Err(self.malformed("more bits")) }
    }

    pub(super) fn malformed(&self, expected: &'static str) -> Malformed {
        Malformed { at: self.at / 8, expected }
    }

    pub(super) fn take(&mut self, count: u32) -> Result<u32, Malformed> {
        let value = self.peek() & ((1 << count) - 1);
        self.skip(count)?;
        Ok(value as u32)
    }

    pub(super) fn take_gamma(&mut self) -> Result<u32, Malformed> {
        let low_bits = self.peek().trailing_zeros();
        if low_bits >= AT_ONCE {
            return Err(self.malformed("a number of at most 32 bits"));
        }
        self.skip(low_bits + 1)?;
        Ok(1 << low_bits | self.take(low_bits)?)
    }

    pub(super) fn take_rice(&mut self, low_bits: u32) -> Result<u32, Malformed> {
        let quotient = self.peek().trailing_zeros();
        match quotient.cmp(&QUOTIENT_MAX) {
            std::cmp::Ordering::Less => {
                self.skip(quotient + 1)?;
                Ok(quotient << low_bits | self.take(low_bits)?)
            }
            std::cmp::Ordering::Equal => {
                self.skip(quotient + 1)?;
                self.take(32)
            }
            std::cmp::Ordering::Greater => Err(self.malformed("at most 15 zeros")),
        }
    }

    pub(super) fn take_below(&mut self, range: u32) -> Result<u32, Malformed> {
        let (bits, spare) = split_range(range);
        let value = self.take(bits)?;
        if value < spare { Ok(value) } else { Ok((value << 1 | self.take(1)?) - spare) }
    }
}

/// How many bits every number below `range` takes, and how many numbers take no more.
fn split_range(range: u32) -> (u32, u32) {
    let bits = range.ilog2();
    // 2^(bits+1) - range, which fits although the power may not.
    (bits, (1u32 << bits) - (range - (1 << bits)))
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn every_code_is_read_as_it_was_written() {
        let seed: u64 = rand::random();
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut numbers = || rng.random::<u32>() >> rng.random_range(0..32);
        let cases: Vec<(u32, u32, u32)> = (0..10_000)
            .map(|_| (numbers(), numbers() % 20, numbers().max(1)))
            .chain([(u32::MAX, 0, u32::MAX)])
            .collect();
        let mut writer = BitWriter::default();
        for (value, low_bits, range) in &cases {
            writer.put(*value & ((1 << low_bits) - 1), *low_bits);
            writer.put_gamma((*value).max(1));
            writer.put_rice(*value, *low_bits);
            writer.put_below(value % range, *range);
        }
        let (bits, bytes) = (writer.len(), writer.finish());
        assert_eq!(bytes.len(), bits.div_ceil(8));
        let mut reader = BitReader::new(&bytes);
        for (value, low_bits, range) in &cases {
            assert_eq!(reader.take(*low_bits).unwrap(), *value & ((1 << low_bits) - 1));
            assert_eq!(reader.take_gamma().unwrap(), (*value).max(1));
            assert_eq!(reader.take_rice(*low_bits).unwrap(), *value);
            assert_eq!(reader.take_below(*range).unwrap(), value % range);
        }
        assert!(reader.take(8).is_err(), "the end is noticed");
    }

    #[test]
    fn a_number_below_one_takes_no_bit() {
        let mut writer = BitWriter::default();
        writer.put_below(0, 1);
        assert_eq!(writer.len(), 0);
        assert_eq!(BitReader::new(&[]).take_below(1).unwrap(), 0);
    }
}
