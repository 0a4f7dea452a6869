//! The bars on searches, from the answers of one system beside ripgrep's.

use std::time::Duration;

use super::{Bar, Fixed, is_frequent};
use crate::compare::{Answer, Comparison};
use crate::needle::Class;
use crate::report::{milliseconds, ratio};

/// The most documents that a needle of [`Class::Scarce`] is in.
const SCARCE_MAX: u64 = 20;

/// Answers of one system, and ripgrep's times as the measure.
#[derive(Clone, Copy)]
pub(crate) struct Searches<'a> {
    pub(crate) comparison: &'a Comparison,
    /// Its place among the systems.
    pub(crate) system: usize,
    pub(crate) ripgrep: usize,
}

impl Searches<'_> {
    /// All bars.
    pub(crate) fn bars(self) -> Vec<Bar> {
        let mut bars = vec![self.absent(), self.scarce()];
        bars.extend([
            self.of_ripgrep(Class::Common, 0.2, Fixed::new("0.57x", "23x")),
            self.of_ripgrep(Class::CommonAsWritten, 0.2, Fixed::new("0.21x", "0.93x")),
            self.of_ripgrep(Class::OneCharacter, 0.2, Fixed::new("0.16x", "0.86x")),
            self.of_ripgrep(Class::TwoCharacters, 0.2, Fixed::new("0.18x", "0.93x")),
            self.of_ripgrep(Class::NotAscii, 0.2, Fixed::new("0.37x", "0.81x")),
            self.of_ripgrep(Class::FourLiterals, 0.01, Fixed::new("0.005x", "2.7x")),
            self.of_ripgrep(Class::RegexWithoutLiteral, 0.1, Fixed::new("5.3x", "4.7x")),
            self.told(Class::InsideToken, Fixed::new("0.21x", "1.5x")),
            self.told(Class::RegexWithLiteral, Fixed::new("0.57x", "0.69x")),
            self.told(Class::Rare, Fixed::new("1.5-1.6 ms", "314-11,980 ms")),
            self.told(Class::Wildcard, Fixed::default()),
            self.told(Class::AbsentRegex, Fixed::default()),
            self.newest(),
            self.case(Class::Common, Class::CommonAsWritten, "ASCII", 1.2, Fixed::new("3.2x", "32.7x")),
            self.case(Class::NotAscii, Class::NotAsciiAsWritten, "not ASCII", 2.5, Fixed::default()),
        ]);
        bars
    }

    fn answer(&self, class: Class) -> Option<&Answer> {
        self.comparison.count(class, self.system)
    }

    fn p50_of_ripgrep(&self, class: Class) -> Option<(f64, f64)> {
        let ripgrep = self.comparison.count(class, self.ripgrep)?.times.p50().as_secs_f64();
        Some((self.answer(class)?.times.p50().as_secs_f64(), ripgrep))
    }

    fn absent(&self) -> Bar {
        let bar = Bar::new("absent", "p99 <= 1 ms, no block read", Fixed::new("1.2 ms", "202 ms"));
        let Some(answer) = self.answer(Class::Absent) else { return bar };
        let (p99, blocks) = (answer.times.p99(), answer.first.blocks_read.unwrap_or_default());
        let found = format!("p99 {} ms, {blocks} blocks read", milliseconds(p99));
        bar.found(found, p99 <= Duration::from_millis(1) && blocks == 0)
    }

    fn scarce(&self) -> Bar {
        let fixed = Fixed::new("1.5 ms", "314 ms as written");
        let bar = Bar::new("rare (<= 20 documents)", "p50 <= 2 ms, p99 <= 10 ms", fixed);
        let Some(answer) = self.answer(Class::Scarce) else { return bar };
        let (p50, p99, count) = (answer.times.p50(), answer.times.p99(), answer.first.count);
        let found = format!("p50 {} ms, p99 {} ms, {count} documents", milliseconds(p50), milliseconds(p99));
        if !(1..=SCARCE_MAX).contains(&count) {
            return bar.told(found);
        }
        bar.found(found, p50 <= Duration::from_millis(2) && p99 <= Duration::from_millis(10))
    }

    /// The exact count as a share of ripgrep's time.
    fn of_ripgrep(&self, class: Class, most: f64, fixed: Fixed) -> Bar {
        let bar = Bar::new(class.name(), format!("<= {most}x ripgrep"), fixed);
        match self.p50_of_ripgrep(class) {
            Some((own, ripgrep)) => bar.found(beside(own, ripgrep), own <= most * ripgrep),
            None => bar,
        }
    }

    fn told(&self, class: Class, fixed: Fixed) -> Bar {
        let bar = Bar::new(class.name(), "-", fixed);
        match self.p50_of_ripgrep(class) {
            Some((own, ripgrep)) => bar.told(beside(own, ripgrep)),
            None => bar,
        }
    }

    fn newest(&self) -> Bar {
        let fixed = Fixed::new("3.3 ms, no order of time", "146 ms");
        let bar = Bar::new("newest 100 of >= 0.1 % of documents", "<= 4 ms", fixed);
        let Comparison { counts, newest, documents, .. } = self.comparison;
        let answers = counts.iter().zip(newest).filter_map(|(count, newest)| {
            let found = count.answers[self.system].as_ref()?.first.count;
            let time = newest.answers[self.system].as_ref()?.times.p50();
            is_frequent(found, *documents).then_some((time, newest.needle))
        });
        let Some((worst, needle)) = answers.max_by_key(|(time, _)| *time) else { return bar };
        let found = format!("{} ms at worst, `{}`", milliseconds(worst), needle.text);
        bar.found(found, worst <= Duration::from_millis(4))
    }

    fn case(&self, any: Class, as_written: Class, text: &str, most: f64, fixed: Fixed) -> Bar {
        let bar = Bar::new(format!("any case, {text}"), format!("<= {most}x as written"), fixed);
        let p50 = |class| self.answer(class).map(|answer| answer.times.p50().as_secs_f64());
        let Some((any, as_written)) = p50(any).zip(p50(as_written)) else { return bar };
        bar.found(format!("{}x", ratio(any, as_written)), any <= most * as_written)
    }
}

/// The bar on a common needle where hardly any memory may be used for what was read.
pub(crate) fn without_cache(class: Class, answer: &Answer, ripgrep: Duration) -> Bar {
    const MOST: f64 = 0.5;
    let (own, ripgrep) = (answer.times.p50().as_secs_f64(), ripgrep.as_secs_f64());
    let bar = Bar::new(format!("{}, no cache", class.name()), format!("<= {MOST}x ripgrep"), Fixed::default());
    bar.found(beside(own, ripgrep), own <= MOST * ripgrep)
}

fn beside(own: f64, ripgrep: f64) -> String {
    format!("{}x, {} ms", ratio(own, ripgrep), milliseconds(Duration::from_secs_f64(own)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Row;
    use crate::engine::Found;
    use crate::needle::{EVENTS, Needle};
    use crate::timing::Times;

    const MS: Duration = Duration::from_millis(1);

    fn answer(count: u64, blocks_read: u64, took: Duration) -> Option<Answer> {
        let first = Found { count, took, blocks_read: Some(blocks_read) };
        Some(Answer { first, times: Times::of(vec![took])? })
    }

    /// ripgrep, which takes 100 ms for everything, and another system in 10,000 documents.
    fn comparison(
        counts: impl Fn(&Needle) -> Option<Answer>,
        newest: impl Fn(&Needle) -> Option<Answer>,
    ) -> Comparison {
        let rows = |ask: &dyn Fn(&Needle) -> Option<Answer>| {
            let row = |needle: &Needle| Row { needle: *needle, answers: vec![answer(1, 0, 100 * MS), ask(needle)] };
            EVENTS.iter().map(row).collect()
        };
        Comparison {
            bytes: 1,
            documents: 10_000,
            systems: Vec::new(),
            loads: Vec::new(),
            counts: rows(&counts),
            newest: rows(&newest),
            peak_memory_mib: Vec::new(),
        }
    }

    fn verdict(comparison: &Comparison, what: &str) -> Option<bool> {
        let bars = Searches { comparison, system: 1, ripgrep: 0 }.bars();
        bars.iter().find(|bar| bar.what == what).expect("there is such a bar").holds
    }

    #[test]
    fn an_absent_needle_may_read_no_block() {
        for (blocks, took, holds) in [(0, MS, true), (1, MS, false), (0, 2 * MS, false)] {
            let comparison = comparison(|_| answer(0, blocks, took), |_| None);
            assert_eq!(verdict(&comparison, "absent"), Some(holds), "{blocks} blocks in {took:?}");
        }
    }

    #[test]
    fn a_rare_needle_that_is_not_rare_here_is_not_judged() {
        for (count, holds) in [(0, None), (1, Some(true)), (20, Some(true)), (21, None)] {
            let comparison = comparison(|_| answer(count, 1, MS), |_| None);
            assert_eq!(verdict(&comparison, "rare (<= 20 documents)"), holds, "{count} documents");
        }
    }

    #[test]
    fn counts_are_measured_by_ripgrep() {
        for (took, holds) in [(20 * MS, true), (21 * MS, false)] {
            let comparison = comparison(|_| answer(1, 1, took), |_| None);
            assert_eq!(verdict(&comparison, Class::Common.name()), Some(holds), "{took:?}");
        }
    }

    #[test]
    fn the_newest_of_scarce_needles_may_take_long() {
        let is_slow = |needle: &Needle| answer(0, 1, if needle.class == Class::Rare { 9 * MS } else { MS });
        for (rare, holds) in [(99, true), (100, false)] {
            let count = |needle: &Needle| answer(if needle.class == Class::Rare { rare } else { 1_000 }, 1, MS);
            let comparison = comparison(count, is_slow);
            assert_eq!(verdict(&comparison, "newest 100 of >= 0.1 % of documents"), Some(holds), "in {rare}");
        }
    }

    #[test]
    fn what_a_system_has_no_words_for_is_not_judged() {
        assert_eq!(verdict(&comparison(|_| None, |_| None), Class::FourLiterals.name()), None);
    }
}
