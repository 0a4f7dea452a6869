//! A segment file taken apart into its parts, and put together again with every length and checksum as it must be.
//!
//! What is drawn in `grepzilla_storage::segment` is written down here a second time, from the drawing. Frames are stored
//! as they are, not packed, which every reader takes: so rewriting reaches what is in them.

use xxhash_rust::xxh3::xxh3_64;

use crate::choices::Choices;
use crate::edits::rewrite;

const HEADER_BYTES: usize = 128;
const FOOTER_BYTES: usize = 288;
const SECTIONS: usize = 8;
/// In the footer, behind the places of the sections and the checksum of the header.
const FOOTER_FIELDS: std::ops::Range<usize> = 196..276;
/// Codes, stamps, columns.
const FIXED_FRAMES: u64 = 3;
/// Numbers of a block in the table, the last of which is that of its units.
const BLOCK_NUMBERS: usize = 9;
/// So far may a part grow.
const PART_BYTES_MAX: usize = 64 << 10;

/// The parts of a segment.
#[derive(Debug, Clone)]
pub(crate) struct SegmentFile {
    header: Vec<u8>,
    shapes: Vec<Shapes>,
    blocks: Vec<Block>,
    gram_pages: Vec<Page>,
    id_pages: Vec<Page>,
    /// What stands behind the directory of the pages of ids.
    filter: Vec<u8>,
    keys: Vec<u8>,
    footer_fields: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Shapes {
    index: Vec<u8>,
    frame: Frame,
}

#[derive(Debug, Clone)]
struct Block {
    numbers: [u64; BLOCK_NUMBERS],
    frames: Vec<Frame>,
}

#[derive(Debug, Clone)]
struct Frame {
    payload: Vec<u8>,
    /// What the table says instead of the length.
    claimed_bytes: Option<u64>,
    packed: bool,
}

#[derive(Debug, Clone)]
struct Page {
    first_key: u32,
    bytes: Vec<u8>,
}

impl SegmentFile {
    /// The parts of a good file.
    pub(crate) fn of(bytes: &[u8]) -> SegmentFile {
        let (rest, footer) = bytes.split_at(bytes.len() - FOOTER_BYTES);
        let section = |number: usize| {
            let mut reader = Reader { bytes: &footer[number * 24..] };
            let (offset, length) = (reader.u64() as usize, reader.u64() as usize);
            &rest[offset..offset + length]
        };
        let [frames, shape_frames, gram_pages, id_pages, keys, gram_directory, id_filter, table] =
            std::array::from_fn::<_, SECTIONS, _>(section);
        let mut reader = Reader { bytes: table };
        let mut shape_frames = Reader { bytes: shape_frames };
        let shapes = (0..reader.varint()).map(|_| {
            let length = usize::from(reader.take(1)[0]);
            Shapes { index: reader.take(length).to_vec(), frame: Frame::of(&mut reader, &mut shape_frames) }
        });
        let shapes = shapes.collect();
        let mut frames = Reader { bytes: frames };
        let blocks = (0..reader.varint()).map(|_| {
            let numbers = std::array::from_fn(|_| reader.varint());
            let count = FIXED_FRAMES + numbers[BLOCK_NUMBERS - 1];
            Block { numbers, frames: (0..count).map(|_| Frame::of(&mut reader, &mut frames)).collect() }
        });
        let blocks = blocks.collect();
        let mut id_filter = Reader { bytes: id_filter };
        SegmentFile {
            header: rest[..HEADER_BYTES].to_vec(),
            shapes,
            blocks,
            gram_pages: pages(&mut Reader { bytes: gram_directory }, gram_pages),
            id_pages: pages(&mut id_filter, id_pages),
            filter: id_filter.bytes.to_vec(),
            keys: keys.to_vec(),
            footer_fields: footer[FOOTER_FIELDS].to_vec(),
        }
    }

    /// Rewrites one part.
    pub(crate) fn rewrite(&mut self, choices: &mut Choices<'_>) {
        match choices.u8() % 16 {
            0 => rewrite(&mut self.header, choices),
            1 => rewrite(&mut self.footer_fields, choices),
            2 => rewrite(&mut self.keys, choices),
            3 => rewrite(&mut self.filter, choices),
            4 => rewrite_pages(&mut self.id_pages, choices),
            5 | 6 => rewrite_pages(&mut self.gram_pages, choices),
            7 => {
                if let Some(shapes) = choices.among(&mut self.shapes) {
                    if choices.flag() { rewrite(&mut shapes.index, choices) } else { shapes.frame.rewrite(choices) }
                }
            }
            8 => rewrite_list(&mut self.shapes, choices),
            9 => rewrite_list(&mut self.blocks, choices),
            10 => {
                if let Some(block) = choices.among(&mut self.blocks) {
                    block.numbers[choices.one_of(BLOCK_NUMBERS)] = choices.u64();
                }
            }
            11 => {
                if let Some(block) = choices.among(&mut self.blocks) {
                    rewrite_list(&mut block.frames, choices);
                }
            }
            _ => {
                if let Some(block) = choices.among(&mut self.blocks)
                    && let Some(frame) = choices.among(&mut block.frames)
                {
                    frame.rewrite(choices);
                }
            }
        }
        self.header.resize(HEADER_BYTES, 0);
        self.footer_fields.resize(FOOTER_FIELDS.len(), 0);
    }

    /// Puts into the footer what it says of the blocks.
    pub(crate) fn count_blocks(&mut self) {
        let documents = self.blocks.iter().fold(0u64, |sum, block| sum.wrapping_add(block.numbers[1]));
        self.footer_fields[..4].copy_from_slice(&(self.blocks.len() as u32).to_le_bytes());
        self.footer_fields[4..12].copy_from_slice(&documents.to_le_bytes());
        for block in &mut self.blocks {
            block.numbers[BLOCK_NUMBERS - 1] = (block.frames.len() as u64).saturating_sub(FIXED_FRAMES);
        }
    }

    /// The file, every length and checksum computed.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (mut frames, mut shape_frames, mut table) = (Vec::new(), Vec::new(), Vec::new());
        put_varint(&mut table, self.shapes.len() as u64);
        for shapes in &self.shapes {
            table.push(shapes.index.len() as u8);
            table.extend(&shapes.index[..shapes.index.len().min(255)]);
            shapes.frame.put(&mut table, &mut shape_frames);
        }
        put_varint(&mut table, self.blocks.len() as u64);
        for block in &self.blocks {
            block.numbers.iter().for_each(|number| put_varint(&mut table, *number));
            block.frames.iter().for_each(|frame| frame.put(&mut table, &mut frames));
        }
        let (gram_directory, gram_pages) = put_pages(&self.gram_pages);
        let (mut id_filter, id_pages) = put_pages(&self.id_pages);
        id_filter.extend(&self.filter);

        let mut bytes = self.header.clone();
        let crc = crc32fast::hash(&[&bytes[..12], &bytes[16..]].concat());
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        let mut footer = Vec::new();
        for section in [&frames, &shape_frames, &gram_pages, &id_pages, &self.keys, &gram_directory, &id_filter, &table]
        {
            footer.extend([bytes.len() as u64, section.len() as u64].map(u64::to_le_bytes).concat());
            footer.extend([crc32fast::hash(section), 0].map(u32::to_le_bytes).concat());
            bytes.extend(section);
        }
        footer.extend(crc32fast::hash(&bytes[..HEADER_BYTES]).to_le_bytes());
        footer.extend(&self.footer_fields);
        let magic = b"GZILAEND";
        footer.extend(crc32fast::hash(&[&footer, &magic[..]].concat()).to_le_bytes());
        footer.extend(magic);
        bytes.extend(footer);
        bytes
    }
}

/// The hash that stands in the name of a file.
pub(crate) fn name_hash(bytes: &[u8]) -> u64 {
    xxh3_64(&bytes[bytes.len().saturating_sub(FOOTER_BYTES)..])
}

/// Repeats, takes out, or exchanges.
fn rewrite_list<T: Clone>(list: &mut Vec<T>, choices: &mut Choices<'_>) {
    let (one, other) = (choices.one_of(list.len().max(1)), choices.one_of(list.len().max(1)));
    if list.is_empty() {
        return;
    }
    match choices.u8() % 3 {
        0 => list.insert(other, list[one].clone()),
        1 => drop(list.remove(one)),
        _ => list.swap(one, other),
    }
}

fn rewrite_pages(pages: &mut Vec<Page>, choices: &mut Choices<'_>) {
    match choices.u8() % 4 {
        0 => rewrite_list(pages, choices),
        1 => {
            if let Some(page) = choices.among(pages) {
                page.first_key = choices.u64() as u32;
            }
        }
        _ => {
            if let Some(page) = choices.among(pages) {
                rewrite(&mut page.bytes, choices);
            }
        }
    }
}

impl Frame {
    fn of(table: &mut Reader<'_>, frames: &mut Reader<'_>) -> Frame {
        let (packed_bytes, unpacked_bytes) = (table.varint() as usize, table.varint() as usize);
        table.take(4);
        let bytes = frames.take(packed_bytes);
        let packed = packed_bytes != unpacked_bytes;
        let payload =
            if packed { zstd::bulk::decompress(bytes, unpacked_bytes).expect("a good file") } else { bytes.to_vec() };
        Frame { payload, claimed_bytes: None, packed }
    }

    fn rewrite(&mut self, choices: &mut Choices<'_>) {
        match choices.u8() % 16 {
            0 => self.claimed_bytes = Some(choices.u64()),
            1 => self.packed = !self.packed,
            _ => rewrite(&mut self.payload, choices),
        }
        self.payload.truncate(PART_BYTES_MAX);
    }

    fn put(&self, table: &mut Vec<u8>, frames: &mut Vec<u8>) {
        let packed = self.packed.then(|| zstd::bulk::compress(&self.payload, 1).expect("there is memory"));
        let bytes = packed.as_ref().filter(|packed| packed.len() < self.payload.len()).unwrap_or(&self.payload);
        put_varint(table, bytes.len() as u64);
        put_varint(table, self.claimed_bytes.unwrap_or(self.payload.len() as u64));
        table.extend(crc32fast::hash(bytes).to_le_bytes());
        frames.extend(bytes);
    }
}

fn pages(directory: &mut Reader<'_>, bytes: &[u8]) -> Vec<Page> {
    let mut pages = Reader { bytes };
    let count = directory.u32();
    let page = |_| {
        let (first_key, length) = (directory.u32(), directory.u32() as usize);
        directory.take(4);
        Page { first_key, bytes: pages.take(length).to_vec() }
    };
    (0..count).map(page).collect()
}

fn put_pages(pages: &[Page]) -> (Vec<u8>, Vec<u8>) {
    let (mut directory, mut bytes) = ((pages.len() as u32).to_le_bytes().to_vec(), Vec::new());
    for page in pages {
        let entry = [page.first_key, page.bytes.len() as u32, crc32fast::hash(&page.bytes)];
        directory.extend(entry.map(u32::to_le_bytes).concat());
        bytes.extend(&page.bytes);
    }
    (directory, bytes)
}

/// Reads what is known to be good.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        taken
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().expect("four bytes"))
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().expect("eight bytes"))
    }

    fn varint(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)[0];
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
