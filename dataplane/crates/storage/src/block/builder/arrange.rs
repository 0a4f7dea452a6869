//! The end of a block: columns in the order of their paths, values in the order of units, groups and columns.

use std::sync::Arc;

use grepzilla_model::IndexName;

use super::gather::Gather;
use super::{BlockBuilder, UnitLayout};
use crate::block::in_memory::InMemory;
use crate::block::{
    Block, BlockFacts, CodeLists, Codes, Column, ColumnNo, Columns, GROUPS, ShapeInterner, Stamps, Unit,
};

/// Makes the block and leaves the builder empty.
pub(super) fn finish(builder: &mut BlockBuilder, index: &IndexName) -> Block {
    let stamps =
        Stamps::new(builder.times.to_vec(), builder.seqs.to_vec(), builder.buckets.to_vec(), builder.epochs.to_vec());
    let stamps = stamps.expect("a block has documents, which were added in order");
    let arranged = Arranged::new(&builder.gather, &mut builder.shapes, builder.layout);
    let columns = arranged.columns(&builder.gather, &builder.shapes);
    let (units, ranks) = arranged.units(&builder.gather, &columns);
    let codes = arranged.codes(&builder.gather, &columns, &ranks);
    let table_bytes = builder.shapes.memory_bytes();
    let facts = BlockFacts {
        index: index.clone(),
        span: stamps.span(),
        received_max: builder.received_max,
        document_count: stamps.document_count(),
        unit_count: units.len(),
        source_bytes: builder.source_bytes,
    };
    let parts = InMemory {
        units: units.into_iter().map(Arc::new).collect(),
        columns: Arc::new(columns),
        codes: Arc::new(codes),
        stamps: Arc::new(stamps),
        table_bytes: table_bytes - builder.table_bytes,
    };
    builder.table_bytes = table_bytes;
    clear(builder);
    Block::new(facts, Arc::new(parts))
}

fn clear(builder: &mut BlockBuilder) {
    builder.gather.clear();
    builder.times.clear();
    builder.seqs.clear();
    builder.buckets.clear();
    builder.epochs.clear();
    builder.received_max = grepzilla_model::TimeNs(i64::MIN);
    builder.source_bytes = 0;
    if let Some(incoming) = &mut builder.incoming {
        incoming.forget_values();
    }
}

/// Columns in the order of their paths.
struct Arranged {
    /// The gathered column of each.
    gathered: Vec<u32>,
    /// The place in that order of each gathered column.
    order: Vec<u32>,
    /// Values in each group, by gathered column.
    group_len: Vec<[u32; GROUPS]>,
    /// The unit of each gathered column.
    unit_of: Vec<u32>,
    unit_count: usize,
}

impl Arranged {
    fn new(gather: &Gather, shapes: &mut ShapeInterner, layout: UnitLayout) -> Arranged {
        let column_count = gather.columns().len();
        let gathered: Vec<u32> = shapes.paths_in_order().iter().filter_map(|path| gather.column_of(*path)).collect();
        let mut order = vec![0; column_count];
        gathered.iter().enumerate().for_each(|(place, column)| order[*column as usize] = place as u32);
        let mut group_len = vec![[0; GROUPS]; column_count];
        let mut bytes = vec![0; column_count];
        for value in gather.values() {
            group_len[value.column as usize][usize::from(value.group)] += 1;
            bytes[value.column as usize] += gather.text(value).len() + 1;
        }
        let (unit_of, unit_count) = units_of(&gathered, &bytes, layout);
        Arranged { gathered, order, group_len, unit_of, unit_count }
    }

    fn columns(&self, gather: &Gather, shapes: &ShapeInterner) -> Columns {
        let is_dense = self.dense(gather);
        let column = |gathered: &u32| {
            let gathered = *gathered as usize;
            Column {
                path: gather.columns()[gathered].path,
                unit: self.unit_of[gathered],
                group_len: self.group_len[gathered],
                is_dense: is_dense[gathered],
            }
        };
        let columns: Vec<Column> = self.gathered.iter().map(column).collect();
        Columns::new(Arc::clone(shapes.table()), &columns, self.unit_count).expect("the columns fit together")
    }

    /// Whether each gathered column occurs exactly once in each document.
    fn dense(&self, gather: &Gather) -> Vec<bool> {
        let document_count = gather.document_shapes().len();
        let has_all = |column: &super::gather::Gathered| column.occurrences.len() == document_count;
        let mut is_dense: Vec<bool> = gather.columns().iter().map(has_all).collect();
        let mut last_shape = vec![usize::MAX; is_dense.len()];
        for (place, (_, columns)) in gather.shapes().enumerate() {
            for column in columns {
                let column = *column as usize;
                is_dense[column] &= last_shape[column] != place;
                last_shape[column] = place;
            }
        }
        is_dense
    }

    /// The units, and the rank of each gathered value in its column.
    fn units(&self, gather: &Gather, columns: &Columns) -> (Vec<Unit>, Vec<u32>) {
        let group_lens: Vec<[u32; GROUPS]> = (0..self.unit_count).map(|unit| columns.unit_group_len(unit)).collect();
        let mut unit_starts = Vec::with_capacity(self.unit_count + 1);
        let mut total = 0;
        for group_len in &group_lens {
            unit_starts.push(total);
            total += group_len.iter().sum::<u32>() as usize;
        }
        unit_starts.push(total);
        let mut by_number = vec![0; total];
        let mut ranks = Vec::with_capacity(total);
        // For each gathered column and group the place of the next value, and its rank.
        let mut next: Vec<[(u32, u32); GROUPS]> =
            (0..self.gathered.len()).map(|column| self.first(column, columns, &unit_starts)).collect();
        for (value, gathered) in gather.values().iter().enumerate() {
            let (place, rank) = &mut next[gathered.column as usize][usize::from(gathered.group)];
            by_number[*place as usize] = value as u32;
            ranks.push(*rank);
            (*place, *rank) = (*place + 1, *rank + 1);
        }
        let units = group_lens.iter().enumerate().map(|(unit, group_len)| {
            let values = by_number[unit_starts[unit]..unit_starts[unit + 1]].iter();
            written(values.map(|value| gather.text(&gather.values()[*value as usize])), *group_len)
        });
        (units.collect(), ranks)
    }

    /// For each group of a gathered column the place of its first value among those of all units, and its rank.
    fn first(&self, gathered: usize, columns: &Columns, unit_starts: &[usize]) -> [(u32, u32); GROUPS] {
        let unit_start = unit_starts[self.unit_of[gathered] as usize] as u32;
        let starts = columns.starts_of(ColumnNo(self.order[gathered]));
        let mut rank = 0;
        std::array::from_fn(|group| {
            let first = (unit_start + starts[group], rank);
            rank += self.group_len[gathered][group];
            first
        })
    }

    fn codes(&self, gather: &Gather, columns: &Columns, ranks: &[u32]) -> Codes {
        let mut lists = CodeLists::default();
        let shapes: Vec<_> = gather.shapes().map(|(shape, _)| shape).collect();
        lists.push_codes(gather.document_shapes().iter().copied(), shapes.len() as u32);
        for (column, gathered) in (0..).map(ColumnNo).zip(&self.gathered) {
            let occurrences = &gather.columns()[*gathered as usize].occurrences;
            lists.push_codes(occurrences.iter().map(|value| ranks[*value as usize]), columns.value_count(column));
        }
        lists.shrink();
        Codes::trusted(shapes, lists)
    }
}

/// The unit of each gathered column, and how many there are.
fn units_of(in_order: &[u32], bytes: &[usize], layout: UnitLayout) -> (Vec<u32>, usize) {
    let mut unit_of = vec![0; bytes.len()];
    let UnitLayout::Split { own_unit_bytes } = layout else { return (unit_of, 1) };
    let is_small = |column: &u32| bytes[*column as usize] < own_unit_bytes;
    let mut unit_count = u32::from(in_order.is_empty() || in_order.iter().any(is_small));
    for column in in_order.iter().filter(|column| !is_small(column)) {
        unit_of[*column as usize] = unit_count;
        unit_count += 1;
    }
    (unit_of, unit_count as usize)
}

fn written<'a>(values: impl ExactSizeIterator<Item = &'a [u8]> + Clone, group_len: [u32; GROUPS]) -> Unit {
    let mut bytes = Vec::with_capacity(values.clone().map(|value| value.len() + 1).sum());
    let mut ends = Vec::with_capacity(values.len());
    for value in values {
        bytes.extend_from_slice(value);
        ends.push(u32::try_from(bytes.len()).expect("a block is far smaller than 4 GiB"));
        bytes.push(0xFF);
    }
    Unit::from_ends(bytes, ends, group_len)
}
