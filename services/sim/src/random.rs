//! The one source of chance: a seed, split into independent streams by name.

use model::id::stable_hash;

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and any seed is a good seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream called `name` of a seed: drawing more from one stream changes no other.
    pub(crate) fn stream(seed: u64, name: &[&str]) -> Self {
        let seed = seed.to_string();
        let parts: Vec<&str> = std::iter::once(seed.as_str()).chain(name.iter().copied()).collect();
        let hash = stable_hash(&parts);
        Self(u64::from_str_radix(&hash[..16], 16).unwrap_or_default())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in `0..1`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform in `from..=to`.
    pub(crate) fn between(&mut self, from: u32, to: u32) -> u32 {
        from + (self.next() % u64::from(to - from + 1)) as u32
    }

    /// One of `choices`, which must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.next() as usize % choices.len()]
    }
}
