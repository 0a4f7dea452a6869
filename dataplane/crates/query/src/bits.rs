//! A set of documents of one block.

/// A set of numbers below a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// No number below `len`.
    pub(crate) fn none(len: usize) -> Bits {
        Bits { words: vec![0; len.div_ceil(64)], len }
    }

    /// Adds the numbers whose bits are set, counted from 64 times `word`; all are below the bound.
    pub(crate) fn insert_word(&mut self, word: usize, bits: u64) {
        self.words[word] |= bits;
    }

    pub(crate) fn contains(&self, number: usize) -> bool {
        self.words[number / 64] & (1 << (number % 64)) != 0
    }

    /// Keeps what the other set of the same bound has too.
    pub(crate) fn intersect(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// Adds what the other set of the same bound has.
    pub(crate) fn unite(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Takes the numbers below the bound that are not in the set.
    pub(crate) fn invert(&mut self) {
        self.words.iter_mut().for_each(|word| *word = !*word);
        if let (Some(last), rest @ 1..) = (self.words.last_mut(), self.len % 64) {
            *last &= (1 << rest) - 1;
        }
    }

    /// Takes out the numbers that do not pass.
    pub(crate) fn retain(&mut self, mut passes: impl FnMut(usize) -> bool) {
        for (position, word) in self.words.iter_mut().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                if !passes(position * 64 + bit) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many numbers there are.
    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The numbers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(position, word)| {
            let rest = |word: &u64| Some(word & (word - 1)).filter(|word| *word != 0);
            let words = std::iter::successors(Some(*word).filter(|word| *word != 0), rest);
            words.map(move |word| position * 64 + word.trailing_zeros() as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(len: usize, numbers: &[usize]) -> Bits {
        let mut bits = Bits::none(len);
        numbers.iter().for_each(|number| bits.insert_word(number / 64, 1 << (number % 64)));
        bits
    }

    #[test]
    fn it_gives_back_what_was_inserted_in_order() {
        let bits = bits(200, &[199, 0, 64, 63, 64, 127]);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 63, 64, 127, 199]);
        assert_eq!(bits.count(), 5);
        assert!(bits.contains(63) && !bits.contains(62) && !bits.is_empty() && Bits::none(1).is_empty());
    }

    #[test]
    fn sets_are_combined_below_their_bound() {
        for len in [1, 63, 64, 65, 130] {
            let (even, third) = ([2, 3].map(|step| bits(len, &(0..len).step_by(step).collect::<Vec<_>>()))).into();
            let numbers =
                |passes: &dyn Fn(usize) -> bool| (0..len).filter(|number| passes(*number)).collect::<Vec<_>>();
            let (mut both, mut either, mut neither) = (even.clone(), even.clone(), even.clone());
            both.intersect(&third);
            assert_eq!(both.iter().collect::<Vec<_>>(), numbers(&|number| number % 6 == 0));
            either.unite(&third);
            assert_eq!(either.iter().collect::<Vec<_>>(), numbers(&|number| number % 2 == 0 || number % 3 == 0));
            neither.invert();
            assert_eq!(neither.iter().collect::<Vec<_>>(), numbers(&|number| number % 2 == 1));
            neither.retain(|number| number % 3 == 0);
            assert_eq!(neither.iter().collect::<Vec<_>>(), numbers(&|number| number % 6 == 3));
        }
    }
}
