//! A search that looks at the clock inside one value.
//!
//! The usual engine cannot be interrupted, and an expression made for it can take a microsecond and more per byte. So values that would
//! keep it for too long are searched here: lazy automata, driven byte by byte.

use std::ops::Range;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::look::LookMatcher;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;

use crate::QueryError;
use crate::clock::{Clock, Expired};
use crate::pattern::REGEX_BYTES_MAX;

/// The same expression forwards and backwards.
#[derive(Debug)]
pub(super) struct Bounded {
    forward: DFA,
    reverse: DFA,
    /// How many bytes are read between two looks at the clock.
    look_bytes: usize,
    states: usize,
}

/// Why a search has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    Expired,
    /// A Unicode word boundary beside a character that is not ASCII: lazy automata do not know these.
    Unknowable,
}

impl From<Expired> for Halt {
    fn from(_: Expired) -> Halt {
        Halt::Expired
    }
}

/// The automata's memory, reused from value to value.
#[derive(Debug)]
pub(super) struct Memory {
    forward: Cache,
    reverse: Cache,
}

impl Bounded {
    /// `line_terminator`: the byte whose neighbours are the ends of lines.
    pub(super) fn new(hir: &Hir, line_terminator: u8) -> Result<Bounded, QueryError> {
        const TOO_BIG: QueryError = QueryError::RegexTooBig { max: REGEX_BYTES_MAX };
        let nfa = |is_reverse| {
            let mut looks = LookMatcher::new();
            looks.set_line_terminator(line_terminator);
            let config = thompson::Config::new().utf8(false).reverse(is_reverse).look_matcher(looks);
            let config = config.nfa_size_limit(Some(REGEX_BYTES_MAX)).which_captures(thompson::WhichCaptures::None);
            thompson::Compiler::new().configure(config).build_from_hir(hir).map_err(|_| TOO_BIG)
        };
        let dfa = |nfa, kind| {
            let config = DFA::config().match_kind(kind).unicode_word_boundary(true).skip_cache_capacity_check(true);
            DFA::builder().configure(config).build_from_nfa(nfa).map_err(|_| TOO_BIG)
        };
        let (forward, reverse) = (nfa(false)?, nfa(true)?);
        let states = forward.states().len();
        Ok(Bounded {
            forward: dfa(forward, MatchKind::LeftmostFirst)?,
            reverse: dfa(reverse, MatchKind::All)?,
            look_bytes: ((1 << 16) / states.max(1)).clamp(1, 4_096),
            states,
        })
    }

    /// The size of the expression: what a byte costs at worst grows with it.
    pub(super) fn states(&self) -> usize {
        self.states
    }

    pub(super) fn memory(&self) -> Memory {
        Memory { forward: self.forward.create_cache(), reverse: self.reverse.create_cache() }
    }

    pub(super) fn is_match(&self, memory: &mut Memory, value: &[u8], clock: &Clock) -> Result<bool, Halt> {
        Ok(self.match_end(memory, value, 0, true, clock)?.is_some())
    }

    /// The leftmost match that begins at `from` or later.
    pub(super) fn find(
        &self,
        memory: &mut Memory,
        value: &[u8],
        from: usize,
        clock: &Clock,
    ) -> Result<Option<Range<usize>>, Halt> {
        let Some(end) = self.match_end(memory, value, from, false, clock)? else { return Ok(None) };
        let start = self.match_start(memory, value, from..end, clock)?;
        Ok(Some(start..end))
    }

    /// Where the leftmost match ends; when `is_earliest`, the first place where any does.
    fn match_end(
        &self,
        memory: &mut Memory,
        value: &[u8],
        from: usize,
        is_earliest: bool,
        clock: &Clock,
    ) -> Result<Option<usize>, Halt> {
        let (dfa, cache) = (&self.forward, &mut memory.forward);
        let input = Input::new(value).span(from..value.len());
        let mut state = dfa.start_state_forward(cache, &input).map_err(|_| Halt::Unknowable)?;
        let mut end = None;
        for (position, byte) in (from..).zip(&value[from..]) {
            if position % self.look_bytes == 0 {
                clock.look()?;
            }
            state = dfa.next_state(cache, state, *byte).map_err(|_| Halt::Unknowable)?;
            // An automaton learns that it has matched with the byte behind the match.
            match seen(state)? {
                Seen::Match if is_earliest => return Ok(Some(position)),
                Seen::Match => end = Some(position),
                Seen::Dead => return Ok(end),
                Seen::Nothing => {}
            }
        }
        let state = dfa.next_eoi_state(cache, state).map_err(|_| Halt::Unknowable)?;
        Ok(if seen(state)? == Seen::Match { Some(value.len()) } else { end })
    }

    /// Where the match that ends at the end of `span` starts.
    fn match_start(&self, memory: &mut Memory, value: &[u8], span: Range<usize>, clock: &Clock) -> Result<usize, Halt> {
        let (dfa, cache) = (&self.reverse, &mut memory.reverse);
        let input = Input::new(value).span(span.clone()).anchored(Anchored::Yes);
        let mut state = dfa.start_state_reverse(cache, &input).map_err(|_| Halt::Unknowable)?;
        let mut start = span.end;
        for position in span.clone().rev() {
            if position % self.look_bytes == 0 {
                clock.look()?;
            }
            state = dfa.next_state(cache, state, value[position]).map_err(|_| Halt::Unknowable)?;
            match seen(state)? {
                Seen::Match => start = position + 1,
                Seen::Dead => return Ok(start),
                Seen::Nothing => {}
            }
        }
        // The byte before the span decides about looking back.
        let before = span.start.checked_sub(1).map(|position| value[position]);
        let state = match before {
            Some(byte) => dfa.next_state(cache, state, byte),
            None => dfa.next_eoi_state(cache, state),
        };
        Ok(if seen(state.map_err(|_| Halt::Unknowable)?)? == Seen::Match { span.start } else { start })
    }
}

/// What a state says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Match,
    Dead,
    Nothing,
}

fn seen(state: LazyStateID) -> Result<Seen, Halt> {
    match state {
        state if !state.is_tagged() => Ok(Seen::Nothing),
        state if state.is_match() => Ok(Seen::Match),
        state if state.is_dead() => Ok(Seen::Dead),
        state if state.is_quit() => Err(Halt::Unknowable),
        _ => Ok(Seen::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::syntax::parse;
    use super::*;

    #[test]
    fn it_finds_what_the_usual_engine_finds() {
        let patterns =
            ["a+b", "^a", "b$", "a*", r"\bab", "(?:ab|a)(?:c|bcd)", "b|ab|abc", "x*?$", "[^a]+", r"\w{2,3}?", "(?s).*"];
        let values = ["", "ab", "xxab", "abcd abc", "baaab\n", "aaaa", "żab ab", "b\na"];
        for (pattern, value) in patterns.iter().flat_map(|pattern| values.map(|value| (pattern, value))) {
            let bounded = Bounded::new(&parse(pattern, true).expect("a good pattern"), b'\n').expect("small");
            let usual = regex_automata::meta::Regex::new(pattern).expect("a good pattern");
            let (mut memory, clock) = (bounded.memory(), Clock::new(Instant::now() + Duration::from_secs(60)));
            for from in (0..=value.len()).filter(|from| value.is_char_boundary(*from)) {
                let found = bounded.find(&mut memory, value.as_bytes(), from, &clock);
                let expected = usual.find(Input::new(value).span(from..value.len())).map(|found| found.range());
                if found == Err(Halt::Unknowable) {
                    assert!(pattern.contains(r"\b") && !value.is_ascii());
                } else {
                    assert_eq!(found, Ok(expected), "{pattern} in {value:?} from {from}");
                }
            }
            if let Ok(found) = bounded.is_match(&mut memory, value.as_bytes(), &clock) {
                assert_eq!(found, usual.is_match(value), "{pattern} in {value:?}");
            }
        }
    }

    #[test]
    fn a_value_that_would_take_long_is_given_up_in_time() {
        // Each byte of a text without a pattern leads to a state that was never seen before.
        let bounded = Bounded::new(&parse("[ab]*a[ab]{400}!", true).expect("a good pattern"), b'\n').expect("small");
        let bits = std::iter::successors(Some(1u64), |bits| Some(bits.wrapping_mul(6_364_136_223_846_793_005) + 1));
        let value: String = bits.take(200_000).map(|bits| if bits >> 63 == 0 { 'a' } else { 'b' }).collect();
        let (started, allowed) = (Instant::now(), Duration::from_millis(50));
        let clock = Clock::new(started + allowed);
        assert_eq!(bounded.is_match(&mut bounded.memory(), value.as_bytes(), &clock), Err(Halt::Expired));
        assert!(started.elapsed() < allowed + Duration::from_millis(450), "{:?}", started.elapsed());
    }
}
