//! Regular expressions over whole runs of values.
//!
//! Values stand one behind the other with 0xFF between them, so one pass serves them all: no class of text ever takes the byte
//! 0xFF, and `^` and `$` are rewritten to the ends of a line whose terminator is 0xFF. A few assertions cannot be rewritten
//! (`(?m)^`, `\B`); with them each value is searched by itself. Values that are all ASCII have a twin of the expression
//! that is cut to ASCII, where word boundaries cost nothing. Where an expression has literals, or a window of classes that tells
//! enough, values are sought by these and only what is found is matched; if that rules out too little, the rest is matched in
//! one pass.
//!
//! The clock is looked at between chunks of values; a value that is itself too long for that goes to the bounded engine.

mod bounded;
mod filter;
mod syntax;
mod window;

use std::ops::Range;

use grepzilla_storage::block::{Spelling, Unit, UnitValues, ValueRun};
use regex_automata::Input;
use regex_automata::meta;
use regex_syntax::hir::Hir;

use crate::QueryError;
use crate::clock::{Clock, Expired};
use crate::pattern::REGEX_BYTES_MAX;
use crate::required::Required;
use bounded::{Bounded, Halt, Memory};
use filter::Filter;

#[derive(Debug)]
pub(super) struct Regex {
    ascii: Engine,
    other: Engine,
    filter: Option<Filter>,
}

/// An expression for values of one kind.
#[derive(Debug)]
struct Engine {
    regex: meta::Regex,
    /// Whether a filter of ours tells which values to look at. What it has found is not sought again by one of the library's.
    has_filter: bool,
    /// Whether values must be searched one by one.
    by_value: bool,
    bounded: Bounded,
    /// How many bytes `regex` may be given at once.
    chunk_bytes: usize,
}

impl Regex {
    /// The expression, and what it requires.
    pub(super) fn new(pattern: &str, case_sensitive: bool) -> Result<(Regex, Required), QueryError> {
        let hir = syntax::parse(pattern, case_sensitive)?;
        let (ascii, required) = (syntax::ascii_twin(&hir), Required::by_regex(&hir));
        let filter = Filter::new(&required, &ascii);
        let ascii = Engine::new(&ascii, filter.is_some())?;
        // A window is of ASCII only.
        let other = Engine::new(&hir, filter.as_ref().is_some_and(Filter::is_of_folded))?;
        Ok((Regex { ascii, other, filter }, required))
    }

    /// Calls `found` with the number of each value that matches, ascending.
    pub(super) fn scan(
        &self,
        unit: &Unit,
        values: &UnitValues,
        room: &mut Vec<u8>,
        clock: &Clock,
        mut found: impl FnMut(usize),
    ) -> Result<(), Expired> {
        let is_of_folded = self.filter.as_ref().is_some_and(Filter::is_of_folded);
        let filtered = unit.runs(if is_of_folded { Spelling::Folded } else { Spelling::Written }, values);
        for (written, filtered) in unit.written_runs(values).zip(filtered) {
            let engine = if written.is_ascii() { &self.ascii } else { &self.other };
            let mut found = |place| found(written.number(place));
            let filtered = if filtered.ignores_case() { filtered.in_lower_case(room) } else { filtered };
            let passed = match &self.filter {
                Some(filter) if engine.has_filter => {
                    engine.scan_found(&written, |from| filter.find(&filtered, from), clock, &mut found)?
                }
                _ => 0,
            };
            engine.scan(&written, passed, clock, &mut found)?;
        }
        Ok(())
    }

    pub(super) fn matches(&self, value: &str, clock: &Clock) -> Result<bool, Expired> {
        clock.look()?;
        self.engine(value).is_match(value.as_bytes(), &mut None, clock)
    }

    /// The first match that begins at `from` or later. It may be empty.
    pub(super) fn find(&self, value: &str, from: usize, clock: &Clock) -> Result<Option<Range<usize>>, Expired> {
        clock.look()?;
        self.engine(value).find(value.as_bytes(), from, clock)
    }

    fn engine(&self, value: &str) -> &Engine {
        if value.is_ascii() { &self.ascii } else { &self.other }
    }
}

impl Engine {
    /// What may be done between two looks at the clock, in bytes times states: well under 10 ms at worst.
    const CHUNK_WORK: usize = 1 << 20;

    /// Beginning a search costs as much as searching so many bytes.
    const CALL_BYTES: usize = 48;

    /// What may be matched in vain in any run.
    const WASTE_BYTES: usize = 4 << 10;

    /// An expression of more states than this leaves nothing worth a chunk.
    const STATES_MAX: usize = 1_000;

    fn new(hir: &Hir, has_filter: bool) -> Result<Engine, QueryError> {
        let line_hir = syntax::for_lines(hir);
        let (hir, line_terminator) = line_hir.as_ref().map_or((hir, b'\n'), |hir| (hir, 0xFF));
        let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(REGEX_BYTES_MAX));
        let config = config.auto_prefilter(!has_filter);
        let regex = meta::Builder::new().configure(config.line_terminator(line_terminator)).build_from_hir(hir);
        let regex = regex.map_err(|_| QueryError::RegexTooBig { max: REGEX_BYTES_MAX })?;
        let bounded = Bounded::new(hir, line_terminator)?;
        let chunk_bytes = match bounded.states() {
            states if states <= Self::STATES_MAX => (Self::CHUNK_WORK / states.max(1)).min(16 << 10),
            _ => 0,
        };
        Ok(Engine { regex, has_filter, by_value: line_hir.is_none() || chunk_bytes == 0, bounded, chunk_bytes })
    }

    /// Matches values that `next` finds from a place on, as long as most of them match or they are few. Gives the place of the first
    /// value that is left.
    fn scan_found(
        &self,
        run: &ValueRun<'_>,
        next: impl Fn(usize) -> Option<usize>,
        clock: &Clock,
        found: &mut impl FnMut(usize),
    ) -> Result<usize, Expired> {
        let (mut place, mut memory, mut wasted, mut unlooked) = (0, None, 0, 0);
        while place < run.value_count() {
            let Some(candidate) = next(place) else { return Ok(run.value_count()) };
            let value = run.range(candidate);
            let cost = value.len() + Self::CALL_BYTES;
            unlooked += cost;
            if unlooked > self.chunk_bytes {
                unlooked = 0;
                clock.look()?;
            }
            if self.is_match(&run.bytes()[value.clone()], &mut memory, clock)? {
                found(candidate);
            } else {
                wasted += cost;
            }
            place = candidate + 1;
            if wasted > Self::WASTE_BYTES + value.end / 4 {
                break;
            }
        }
        Ok(place)
    }

    /// The values from a place on.
    fn scan(
        &self,
        run: &ValueRun<'_>,
        from: usize,
        clock: &Clock,
        found: &mut impl FnMut(usize),
    ) -> Result<(), Expired> {
        if self.by_value {
            self.scan_by_value(run, from, clock, found)
        } else {
            self.scan_by_chunk(run, from, clock, found)
        }
    }

    /// One pass, in chunks that end where a value ends.
    fn scan_by_chunk(
        &self,
        run: &ValueRun<'_>,
        from: usize,
        clock: &Clock,
        found: &mut impl FnMut(usize),
    ) -> Result<(), Expired> {
        let (bytes, mut memory) = (run.bytes(), None);
        let mut next = from;
        while next < run.value_count() {
            let first = run.range(next);
            if first.len() > self.chunk_bytes {
                if self.is_match(&bytes[first], &mut memory, clock)? {
                    found(next);
                }
                next += 1;
                continue;
            }
            clock.look()?;
            let chunk_end = (first.start + self.chunk_bytes).min(bytes.len() - 1);
            // The value that the chunk ends in is left to the next one, unless it ends there too.
            let last = run.value_at(chunk_end, next);
            let last = if run.range(last).end > chunk_end { last - 1 } else { last };
            self.scan_chunk(run, next, last, found);
            next = last + 1;
        }
        Ok(())
    }

    /// One pass over the values from `first` to `last`.
    fn scan_chunk(&self, run: &ValueRun<'_>, first: usize, last: usize, found: &mut impl FnMut(usize)) {
        let end = run.range(last).end;
        let (mut at, mut place) = (run.range(first).start, first);
        while at <= end {
            let input = Input::new(run.bytes()).span(at..end).earliest(true);
            let Some(half) = self.regex.search_half(&input) else { break };
            place = run.value_at(half.offset(), place);
            found(place);
            at = run.range(place).end + 1;
        }
    }

    fn scan_by_value(
        &self,
        run: &ValueRun<'_>,
        from: usize,
        clock: &Clock,
        found: &mut impl FnMut(usize),
    ) -> Result<(), Expired> {
        let mut memory = None;
        for place in from..run.value_count() {
            clock.tick()?;
            if self.is_match(&run.bytes()[run.range(place)], &mut memory, clock)? {
                found(place);
            }
        }
        Ok(())
    }

    fn is_match(&self, value: &[u8], memory: &mut Option<Memory>, clock: &Clock) -> Result<bool, Expired> {
        if value.len() > self.chunk_bytes {
            let memory = memory.get_or_insert_with(|| self.bounded.memory());
            match self.bounded.is_match(memory, value, clock) {
                Ok(is_match) => return Ok(is_match),
                Err(Halt::Expired) => return Err(Expired),
                Err(Halt::Unknowable) => {}
            }
        }
        // Its `is_match` goes on with the slowest automaton where a search from an inner literal gives up; this does not.
        Ok(self.regex.search_half(&Input::new(value).earliest(true)).is_some())
    }

    fn find(&self, value: &[u8], from: usize, clock: &Clock) -> Result<Option<Range<usize>>, Expired> {
        if value.len() - from > self.chunk_bytes {
            match self.bounded.find(&mut self.bounded.memory(), value, from, clock) {
                Ok(found) => return Ok(found),
                Err(Halt::Expired) => return Err(Expired),
                Err(Halt::Unknowable) => {}
            }
        }
        let input = Input::new(value).span(from..value.len());
        Ok(self.regex.find(input).map(|found| found.range()))
    }
}
