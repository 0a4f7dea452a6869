//! Reading numbers and slices out of bytes that may be anything, and writing them.
//!
//! Whoever reads here has checked the checksum of the bytes before. That a slice still may not be what it should be is
//! the last line of defence: a wrong length is an error, never a panic and never a large allocation.

/// Bytes that are not what they should be, although their checksum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Where in the bytes.
    pub(super) at: usize,
    /// What must be there.
    pub(super) expected: &'static str,
}

/// Walks bytes from front to back.
#[derive(Debug, Clone)]
pub(super) struct ByteReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> ByteReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> ByteReader<'a> {
        ByteReader { bytes, at: 0 }
    }

    /// An error at this place.
    pub(super) fn malformed(&self, expected: &'static str) -> Malformed {
        Malformed { at: self.at, expected }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let slice = self.bytes[self.at..].get(..count).ok_or_else(|| self.malformed("more bytes"))?;
        self.at += count;
        Ok(slice)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.take(N)?.try_into().expect("as long as asked for"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.malformed("a number of 64 bits"))
    }

    /// A number of at most `max`.
    pub(super) fn count(&mut self, max: usize) -> Result<usize, Malformed> {
        let value = usize::try_from(self.varint()?).ok().filter(|value| *value <= max);
        value.ok_or_else(|| self.malformed("a smaller number"))
    }

    /// A number whose sign is its lowest bit.
    pub(super) fn signed_varint(&mut self) -> Result<i64, Malformed> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn text(&mut self, count: usize) -> Result<&'a str, Malformed> {
        let at = self.at;
        std::str::from_utf8(self.take(count)?).map_err(|_| Malformed { at, expected: "UTF-8" })
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        if self.left() == 0 { Ok(()) } else { Err(self.malformed("the end")) }
    }
}

/// See [`ByteReader::varint`].
pub(super) fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// See [`ByteReader::signed_varint`].
pub(super) fn put_signed_varint(bytes: &mut Vec<u8>, value: i64) {
    put_varint(bytes, (value as u64) << 1 ^ (value >> 63) as u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_are_read_as_they_were_written() {
        let numbers: Vec<u64> = (0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit]).chain([u64::MAX]).collect();
        let mut bytes = Vec::new();
        for number in &numbers {
            put_varint(&mut bytes, *number);
            put_signed_varint(&mut bytes, *number as i64);
        }
        let mut reader = ByteReader::new(&bytes);
        for number in &numbers {
            assert_eq!(reader.varint(), Ok(*number));
            assert_eq!(reader.signed_varint(), Ok(*number as i64));
        }
        assert_eq!(reader.end(), Ok(()));
        assert!(reader.u8().is_err());
        assert!(ByteReader::new(&[0xFF; 11]).varint().is_err());
        assert!(ByteReader::new(&[5]).count(4).is_err());
    }
}
