//! The columns of a block: which paths occur, and which values of which unit are theirs.

use std::ops::Range;
use std::sync::Arc;

use super::{GROUPS, Malformed, PathNo, ShapeTable, UnitValues};

/// The number of a column in its block: columns are in the order of their paths' texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnNo(pub u32);

/// What is said of one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its path.
    pub path: PathNo,
    /// The unit that holds its values.
    pub unit: u32,
    /// How many values it has in each group; at least one altogether.
    pub group_len: [u32; GROUPS],
    /// Whether the path occurs exactly once in each document.
    pub is_dense: bool,
}

/// All columns.
#[derive(Debug)]
pub struct Columns {
    shapes: Arc<ShapeTable>,
    columns: Box<[Placed]>,
    units: Box<[UnitColumns]>,
}

/// A column and its place in its unit.
#[derive(Debug, Clone, Copy)]
struct Placed {
    path: PathNo,
    unit: u32,
    place: u32,
    is_dense: bool,
}

/// The columns of one unit, ascending.
#[derive(Debug, Default)]
struct UnitColumns {
    columns: Box<[ColumnNo]>,
    /// For each column, and once more behind the last, the number of its first value in each group.
    starts: Box<[[u32; GROUPS]]>,
}

impl Columns {
    /// Columns in the order of their paths, whose numbers are those of `shapes`.
    pub fn new(shapes: Arc<ShapeTable>, columns: &[Column], unit_count: usize) -> Result<Columns, Malformed> {
        let check = |holds, expected| Malformed::unless(holds, "the columns", expected);
        let paths: Option<Vec<&str>> = columns.iter().map(|column| shapes.path(column.path)).collect();
        check(paths.is_some_and(|paths| paths.is_sorted_by(|one, next| one < next)), "ascending paths of the table")?;
        check(columns.iter().all(|column| (column.unit as usize) < unit_count), "units that there are")?;
        let value_count = |column: &Column| column.group_len.iter().map(|len| u64::from(*len)).sum::<u64>();
        check(columns.iter().all(|column| value_count(column) > 0), "values in each column")?;
        check(columns.iter().map(value_count).sum::<u64>() < u64::from(u32::MAX), "less than 4 G of values")?;
        let mut by_unit = vec![Vec::new(); unit_count];
        let mut placed = Vec::with_capacity(columns.len());
        for (number, column) in (0..).map(ColumnNo).zip(columns) {
            let unit: &mut Vec<ColumnNo> = &mut by_unit[column.unit as usize];
            let Column { path, unit: unit_number, is_dense, .. } = *column;
            placed.push(Placed { path, unit: unit_number, place: unit.len() as u32, is_dense });
            unit.push(number);
        }
        let units = by_unit.into_iter().map(|unit| UnitColumns::new(columns, unit)).collect();
        Ok(Columns { shapes, columns: placed.into(), units })
    }

    /// The table of paths and shapes.
    pub fn shapes(&self) -> &Arc<ShapeTable> {
        &self.shapes
    }

    /// The number of columns.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether no document has a leaf.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The column of a leaf path.
    pub fn find(&self, path: &str) -> Option<ColumnNo> {
        let found = self.columns.binary_search_by(|column| self.shapes.path(column.path).cmp(&Some(path)));
        found.ok().map(|column| ColumnNo(column as u32))
    }

    /// The unit that holds a column's values.
    pub fn unit_of(&self, column: ColumnNo) -> usize {
        self.placed(column).unit as usize
    }

    /// A column's values within its unit.
    pub fn values_of(&self, column: ColumnNo) -> UnitValues {
        UnitValues::Column(self.numbers(column))
    }

    /// A column's path.
    pub fn path(&self, column: ColumnNo) -> &str {
        self.shapes.path(self.path_no(column)).expect("checked when the columns were made")
    }

    /// The number of a column's path.
    pub fn path_no(&self, column: ColumnNo) -> PathNo {
        self.placed(column).path
    }

    /// Whether a column's path occurs exactly once in each document.
    pub fn is_dense(&self, column: ColumnNo) -> bool {
        self.placed(column).is_dense
    }

    /// The number of a column's values, which are the codes below it.
    pub fn value_count(&self, column: ColumnNo) -> u32 {
        self.numbers(column).iter().map(|numbers| numbers.end - numbers.start).sum()
    }

    /// The number in its unit of the value with a code, which is below [`Columns::value_count`].
    pub fn number(&self, column: ColumnNo, code: u32) -> u32 {
        let mut rest = code;
        for numbers in self.numbers(column) {
            let len = numbers.end - numbers.start;
            if rest < len {
                return numbers.start + rest;
            }
            rest -= len;
        }
        panic!("code {code} of a column with {} values", self.value_count(column))
    }

    /// What is said of a column, as it is given to [`Columns::new`].
    pub fn column(&self, column: ColumnNo) -> Column {
        let Placed { path, unit, is_dense, .. } = *self.placed(column);
        let group_len = self.numbers(column).map(|numbers| numbers.end - numbers.start);
        Column { path, unit, group_len, is_dense }
    }

    /// The number of units.
    pub fn unit_count(&self) -> usize {
        self.units.len()
    }

    /// The number of values of each group of a unit.
    pub fn unit_group_len(&self, unit: usize) -> [u32; GROUPS] {
        let starts = &self.units[unit].starts;
        let (first, end) = (starts[0], starts[starts.len() - 1]);
        std::array::from_fn(|group| end[group] - first[group])
    }

    /// Bytes of memory, without the table.
    pub fn memory_bytes(&self) -> usize {
        let of_unit = |unit: &UnitColumns| size_of_val(&*unit.columns) + size_of_val(&*unit.starts);
        let units = size_of_val(&*self.units) + self.units.iter().map(of_unit).sum::<usize>();
        size_of::<Columns>() + size_of_val(&*self.columns) + units
    }

    /// Calls `visit` with each column that has some of these values of a unit, which ascend, and with their codes, which ascend too.
    /// A column comes once for each group.
    pub(super) fn for_columns_of(&self, unit: usize, values: &[u32], mut visit: impl FnMut(ColumnNo, &mut Vec<u32>)) {
        let UnitColumns { columns, starts } = &self.units[unit];
        let (mut rest, mut codes) = (values, Vec::new());
        let end = &starts[columns.len()];
        while let Some(first) = rest.first() {
            let Some(group) = end.iter().position(|end| first < end) else { return };
            let place = starts[..columns.len()].partition_point(|starts| starts[group] <= *first) - 1;
            let (taken, behind) = rest.split_at(rest.partition_point(|value| *value < starts[place + 1][group]));
            rest = behind;
            let before = (0..group).map(|group| starts[place + 1][group] - starts[place][group]).sum::<u32>();
            codes.clear();
            codes.extend(taken.iter().map(|value| value - starts[place][group] + before));
            visit(columns[place], &mut codes);
        }
    }

    /// The number in its unit of a column's first value in each group.
    pub(super) fn starts_of(&self, column: ColumnNo) -> [u32; GROUPS] {
        self.numbers(column).map(|numbers| numbers.start)
    }

    /// The column of each path of the table that has one.
    pub(super) fn by_path(&self) -> Vec<Option<ColumnNo>> {
        let mut columns = vec![None; self.shapes.path_count()];
        for (number, column) in (0..).map(ColumnNo).zip(&*self.columns) {
            columns[column.path.0 as usize] = Some(number);
        }
        columns
    }

    fn placed(&self, column: ColumnNo) -> &Placed {
        &self.columns[column.0 as usize]
    }

    fn numbers(&self, column: ColumnNo) -> [Range<u32>; GROUPS] {
        let Placed { unit, place, .. } = *self.placed(column);
        let starts = &self.units[unit as usize].starts;
        let (start, end) = (starts[place as usize], starts[place as usize + 1]);
        std::array::from_fn(|group| start[group]..end[group])
    }
}

impl UnitColumns {
    fn new(all: &[Column], columns: Vec<ColumnNo>) -> UnitColumns {
        let mut starts = vec![[0; GROUPS]; columns.len() + 1];
        let mut next = 0;
        for group in 0..GROUPS {
            for (starts, column) in starts.iter_mut().zip(&columns) {
                starts[group] = next;
                next += all[column.0 as usize].group_len[group];
            }
            starts[columns.len()][group] = next;
        }
        UnitColumns { columns: columns.into(), starts: starts.into() }
    }
}
