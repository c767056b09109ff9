//! Random changes to seeds, the same for the same number every time.

/// The most bytes an input grows to.
pub const MAX_LENGTH: usize = 16 * 1024;

/// Numbers at which parsers turn.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1",
    "255",
    "256",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "9223372036854775807",
    "18446744073709551616",
    "1e400",
    "253402300800",
    "99999999999999999999999999999999",
];

/// A source of changes (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Mutator(u64);

impl Mutator {
    /// The changes that belong to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, which is not zero.
    #[expect(clippy::cast_possible_truncation, reason = "the rest of a division by a usize")]
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % bound as u64) as usize
    }

    /// One of the seeds (or nothing, where there are none) with one to six changes; `words` are texts that mean something to the
    /// parser.
    #[must_use]
    pub fn mutate(&mut self, seeds: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
        let mut input = self.one_of(seeds).cloned().unwrap_or_default();
        for _ in 0..=self.below(6) {
            self.change(&mut input, seeds, words);
        }
        input.truncate(MAX_LENGTH);
        input
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len())) }
    }

    #[expect(clippy::cast_possible_truncation, reason = "numbers below 256")]
    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// A place in the input, its end included.
    fn place(&mut self, input: &[u8]) -> usize {
        self.below(input.len() + 1)
    }

    /// A stretch of the input, mostly short.
    fn stretch(&mut self, input: &[u8]) -> std::ops::Range<usize> {
        let start = self.place(input);
        let most = input.len() - start;
        let length = if self.below(4) == 0 { self.below(most + 1) } else { self.below(most.min(8) + 1) };
        start..start + length
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&str]) {
        match self.below(12) {
            0 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] ^= 1 << self.below(8);
            }
            1 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] = self.byte();
            }
            2 => {
                let at = self.place(input);
                let byte = self.byte();
                input.insert(at, byte);
            }
            3 => {
                let stretch = self.stretch(input);
                input.drain(stretch);
            }
            4 => {
                let stretch = self.stretch(input);
                let copy = input[stretch].to_vec();
                let times = if self.below(16) == 0 { 1 + self.below(300) } else { 1 };
                let at = self.place(input);
                if copy.len() * times < MAX_LENGTH {
                    input.splice(at..at, copy.repeat(times));
                }
            }
            5 => {
                let Some(other) = self.one_of(seeds).cloned() else { return };
                let stretch = self.stretch(&other);
                let replaced = self.stretch(input);
                input.splice(replaced, other[stretch].iter().copied());
            }
            6 => self.change_number(input),
            7 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] ^= 0x20;
            }
            8 if !input.is_empty() && self.below(4) == 0 => {
                let length = self.below(input.len());
                input.truncate(length);
            }
            9 if input.len() > 1 => {
                let (one, other) = (self.below(input.len()), self.below(input.len()));
                input.swap(one, other);
            }
            _ => {
                let Some(word) = self.one_of(words) else { return };
                let replaced = if self.below(2) == 0 { self.stretch(input) } else { self.empty_stretch(input) };
                input.splice(replaced, word.bytes());
            }
        }
    }

    fn empty_stretch(&mut self, input: &[u8]) -> std::ops::Range<usize> {
        let at = self.place(input);
        at..at
    }

    /// Puts another number where digits stand.
    fn change_number(&mut self, input: &mut Vec<u8>) {
        let starts: Vec<usize> = (0..input.len())
            .filter(|&at| input[at].is_ascii_digit() && (at == 0 || !input[at - 1].is_ascii_digit()))
            .collect();
        let Some(&start) = self.one_of(&starts) else { return };
        let end =
            input[start..].iter().position(|byte| !byte.is_ascii_digit()).map_or(input.len(), |more| start + more);
        let number = NUMBERS[self.below(NUMBERS.len())];
        input.splice(start..end, number.bytes());
    }
}
