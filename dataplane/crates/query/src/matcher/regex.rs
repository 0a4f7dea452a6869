//! Regular expressions over whole runs of values.
//!
//! Values stand one behind the other with 0xFF between them, so one pass serves them all: no class of text ever takes the byte
//! 0xFF, and `^` and `$` are rewritten to the ends of a line whose terminator is 0xFF. A few assertions cannot be rewritten
//! (`(?m)^`, `\B`); with them each value is searched by itself. Values that are all ASCII have a twin of the expression
//! that is cut to ASCII, where word boundaries cost nothing.

mod syntax;

use std::ops::Range;

use grepzilla_storage::hot::ValueRun;
use regex_automata::Input;
use regex_automata::meta;
use regex_syntax::hir::Hir;

use crate::QueryError;
use crate::clock::{Clock, Expired};
use crate::pattern::REGEX_BYTES_MAX;

#[derive(Debug)]
pub(super) struct Regex {
    ascii: Engine,
    other: Engine,
}

/// An expression for values of one kind.
#[derive(Debug)]
struct Engine {
    regex: meta::Regex,
    /// Whether values must be searched one by one.
    by_value: bool,
}

/// How many bytes are searched between two looks at the clock.
const CHUNK_BYTES: usize = 16 << 10;

impl Regex {
    pub(super) fn new(pattern: &str, case_sensitive: bool) -> Result<Regex, QueryError> {
        let hir = syntax::parse(pattern, case_sensitive)?;
        Ok(Regex { other: Engine::new(&hir)?, ascii: Engine::new(&syntax::ascii_twin(&hir))? })
    }

    pub(super) fn scan(&self, run: &ValueRun<'_>, clock: &Clock, found: impl FnMut(usize)) -> Result<(), Expired> {
        let engine = if run.is_ascii() { &self.ascii } else { &self.other };
        if engine.by_value { engine.scan_by_value(run, clock, found) } else { engine.scan(run, clock, found) }
    }

    pub(super) fn matches(&self, value: &str, clock: &Clock) -> Result<bool, Expired> {
        clock.look()?;
        let engine = if value.is_ascii() { &self.ascii } else { &self.other };
        Ok(engine.regex.is_match(value))
    }

    /// The first match that begins at `from` or later. It may be empty.
    pub(super) fn find(&self, value: &str, from: usize) -> Option<Range<usize>> {
        let input = Input::new(value).span(from..value.len());
        self.other.regex.find(input).map(|found| found.range())
    }
}

impl Engine {
    fn new(hir: &Hir) -> Result<Engine, QueryError> {
        let line_hir = syntax::for_lines(hir);
        let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(REGEX_BYTES_MAX));
        let by_value = line_hir.is_none();
        let config = if by_value { config } else { config.line_terminator(0xFF) };
        let regex = meta::Builder::new().configure(config).build_from_hir(line_hir.as_ref().unwrap_or(hir));
        Ok(Engine { regex: regex.map_err(|_| QueryError::RegexTooBig { max: REGEX_BYTES_MAX })?, by_value })
    }

    /// One pass over the run, in chunks that end where a value ends.
    fn scan(&self, run: &ValueRun<'_>, clock: &Clock, mut found: impl FnMut(usize)) -> Result<(), Expired> {
        let bytes = run.bytes();
        let (mut at, mut place) = (0, 0);
        while at < bytes.len() {
            clock.look()?;
            let last = run.value_at((at + CHUNK_BYTES).min(bytes.len() - 1), place);
            let end = run.range(last).end;
            while at <= end {
                clock.tick()?;
                let input = Input::new(bytes).span(at..end).earliest(true);
                let Some(half) = self.regex.search_half(&input) else { break };
                place = run.value_at(half.offset(), place);
                found(place);
                at = run.range(place).end + 1;
            }
            at = end + 1;
            place = last;
        }
        Ok(())
    }

    fn scan_by_value(&self, run: &ValueRun<'_>, clock: &Clock, mut found: impl FnMut(usize)) -> Result<(), Expired> {
        for place in 0..run.value_count() {
            clock.look()?;
            if self.regex.is_match(&run.bytes()[run.range(place)]) {
                found(place);
            }
        }
        Ok(())
    }
}
