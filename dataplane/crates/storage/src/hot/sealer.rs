//! From open documents to a sealed block.
//!
//! One walk over each document gathers distinct values and who holds them; then values are ordered by group and column. The room
//! for this is kept from block to block.

mod gather;

use grepzilla_model::IndexName;
use grepzilla_model::fold::fold_into;

use super::dictionary::{Dictionary, GROUPS, group};
use super::sealed::{Columns, Postings, SourceFrame};
use super::{OpenDocument, SealedBlock, Span};
use gather::Gather;

/// Sources are packed for memory, not for the disk: the fastest level.
const ZSTD_LEVEL: i32 = 1;

/// Makes sealed blocks.
#[derive(Default)]
pub(super) struct Sealer {
    gather: Gather,
    /// The foldings that differ from what is written.
    foldings: String,
    /// All sources of the block.
    text: String,
    packer: Option<zstd::bulk::Compressor<'static>>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").finish_non_exhaustive()
    }
}

/// A gathered value on its way to its place.
struct Placed {
    /// Its number where it was gathered.
    value: usize,
    group: usize,
    /// The rank of its column by path.
    column: usize,
    /// Where its folding stands, when it differs.
    folding: Option<(usize, usize)>,
}

impl Sealer {
    /// Seals at least one and at most 65,536 documents of one index.
    pub(super) fn seal<'a>(
        &mut self,
        index: &IndexName,
        documents: impl Iterator<Item = &'a OpenDocument>,
    ) -> SealedBlock {
        self.gather.clear();
        self.foldings.clear();
        self.text.clear();
        let (mut stamps, mut ids, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let mut span = None;
        for (number, document) in documents.enumerate() {
            let source = document.source();
            self.gather.add(u16::try_from(number).expect("a block has at most 65,536 documents"), &source);
            self.text.push_str(&source);
            ends.push(offset(self.text.len()));
            stamps.push(document.stamp);
            ids.push(document.id.clone());
            span.get_or_insert(Span::of(document.stamp)).widen(document.stamp);
        }
        if ids.iter().all(Option::is_none) {
            ids = Vec::new();
        }
        let frame = SourceFrame { packed: self.pack(), ends: ends.into() };
        let column_ranks = self.gather.column_ranks();
        let placed = self.place(&column_ranks);
        SealedBlock {
            index: index.clone(),
            span: span.expect("a block has documents"),
            stamps: stamps.into(),
            ids: ids.into(),
            columns: self.columns(&column_ranks, &placed),
            dictionary: self.dictionary(&placed),
            postings: self.postings(&placed),
            frame,
        }
    }

    fn pack(&mut self) -> Box<[u8]> {
        const MEMORY: &str = "packing fails for want of memory only";
        let packer = self.packer.get_or_insert_with(|| zstd::bulk::Compressor::new(ZSTD_LEVEL).expect(MEMORY));
        packer.compress(self.text.as_bytes()).expect(MEMORY).into()
    }

    /// Folds the values and puts them in the order of the dictionary.
    fn place(&mut self, column_ranks: &[usize]) -> Vec<Placed> {
        let mut placed = Vec::with_capacity(self.gather.value_count());
        for value in 0..self.gather.value_count() {
            let text = self.gather.value_text(value);
            let start = self.foldings.len();
            fold_into(text, &mut self.foldings);
            let differs = self.foldings[start..] != *text;
            if !differs {
                self.foldings.truncate(start);
            }
            placed.push(Placed {
                value,
                group: group(text.is_ascii(), differs),
                column: column_ranks[self.gather.column_of(value)],
                folding: differs.then_some((start, self.foldings.len())),
            });
        }
        placed.sort_unstable_by_key(|placed| (placed.group, placed.column, placed.value));
        placed
    }

    fn columns(&self, column_ranks: &[usize], placed: &[Placed]) -> Columns {
        let column_count = column_ranks.len();
        let mut by_rank = vec![0; column_count];
        for (column, rank) in column_ranks.iter().enumerate() {
            by_rank[*rank] = column;
        }
        let (mut paths, mut path_ends) = (String::new(), Vec::with_capacity(column_count));
        for column in by_rank {
            paths.push_str(self.gather.path(column));
            path_ends.push(offset(paths.len()));
        }
        let mut starts = vec![[0; GROUPS]; column_count + 1];
        let mut next = 0;
        for group in 0..GROUPS {
            for (column, starts) in starts.iter_mut().enumerate() {
                let is_before = |placed: &&Placed| (placed.group, placed.column) < (group, column);
                next += placed[next..].iter().take_while(is_before).count();
                starts[group] = offset(next);
            }
        }
        Columns { paths: paths.into(), path_ends: path_ends.into(), starts: starts.into() }
    }

    fn dictionary(&self, placed: &[Placed]) -> Dictionary {
        let mut dictionary = Dictionary::default();
        for placed in placed {
            let folded = placed.folding.map(|(start, end)| &self.foldings[start..end]);
            dictionary.push(placed.group, self.gather.value_text(placed.value), folded);
        }
        dictionary.shrink();
        dictionary
    }

    fn postings(&self, placed: &[Placed]) -> Postings {
        let mut place_of = vec![0; placed.len()];
        let mut starts = Vec::with_capacity(placed.len() + 1);
        let mut total = 0;
        for (place, placed) in placed.iter().enumerate() {
            place_of[placed.value] = place;
            starts.push(offset(total));
            total += self.gather.holder_count(placed.value);
        }
        starts.push(offset(total));
        let mut next = starts.clone();
        let mut documents = vec![0; total];
        // Gathered in the order of documents, so the documents of each value are ascending.
        for (value, document) in self.gather.holdings() {
            let next = &mut next[place_of[value]];
            documents[*next as usize] = document;
            *next += 1;
        }
        Postings { starts: starts.into(), documents: documents.into() }
    }
}

fn offset(position: usize) -> u32 {
    u32::try_from(position).expect("a block is far smaller than 4 GiB")
}
