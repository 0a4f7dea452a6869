//! Bytes on their way to a file in whole pages.

/// What the operating system reads and writes at once. A write that begins and ends at its multiples, from memory that
/// does so too, can go past the system's cache, and never has to read what it replaces in part.
pub const PAGE_BYTES: usize = 4096;

/// Bytes that begin at a page of memory. It grows as a `Vec` does.
#[derive(Debug, Default)]
pub struct PageBuffer {
    room: Vec<u8>,
    /// Where in the room the first page begins.
    start: usize,
}

impl PageBuffer {
    /// Zeros.
    pub fn zeros(count: usize) -> PageBuffer {
        let mut buffer = PageBuffer::default();
        buffer.reserve(count);
        buffer.resize(count);
        buffer
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.room[self.start..]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.room.len() - self.start
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds bytes at the end.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.room.extend_from_slice(bytes);
    }

    /// Puts bytes in the place of others.
    pub fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        let at = self.start + at;
        self.room[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Adds zeros, or leaves bytes out, at the end.
    pub fn resize(&mut self, count: usize) {
        self.reserve(count.saturating_sub(self.len()));
        self.room.resize(self.start + count, 0);
    }

    /// Leaves the first bytes out, and gives memory back where there is more than `kept`.
    pub fn drop_front(&mut self, count: usize, kept: usize) {
        if self.room.capacity() > kept + 2 * PAGE_BYTES {
            let mut rest = PageBuffer::default();
            rest.extend(&self.bytes()[count..]);
            *self = rest;
            return;
        }
        self.room.copy_within(self.start + count.., self.start);
        self.room.truncate(self.room.len() - count);
    }

    /// Makes room for more bytes, which moves those that are there to a page of the new memory.
    fn reserve(&mut self, more: usize) {
        if self.room.capacity() - self.room.len() >= more {
            return;
        }
        let needed = (self.len() + more).max(2 * self.len());
        let mut room: Vec<u8> = Vec::with_capacity(needed + PAGE_BYTES);
        // Should the memory not say where a page begins, the bytes stand anywhere, and are written through the cache.
        let start = Some(room.as_ptr().align_offset(PAGE_BYTES)).filter(|start| *start < PAGE_BYTES).unwrap_or(0);
        room.resize(start, 0);
        room.extend_from_slice(self.bytes());
        *self = PageBuffer { room, start };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_begin_at_a_page_however_they_came() {
        let mut buffer = PageBuffer::zeros(10);
        let mut expected = vec![0; 10];
        for step in 0..200usize {
            let piece: Vec<u8> = (0..step * 7).map(|byte| byte as u8).collect();
            buffer.extend(&piece);
            expected.extend_from_slice(&piece);
            if step % 5 == 4 {
                let count = expected.len() / 2;
                buffer.drop_front(count, 3_000);
                expected.drain(..count);
            }
            buffer.resize(expected.len() + 3);
            expected.resize(expected.len() + 3, 0);
            assert!((buffer.bytes().as_ptr() as usize).is_multiple_of(PAGE_BYTES));
            assert!(buffer.bytes() == expected, "step {step}");
        }
        assert!(!buffer.is_empty() && buffer.len() == expected.len());
    }
}
