//! What looks random and can be repeated.

/// Numbers that look random and repeat with their seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// `SEED=…`, or one that no run before had.
pub(crate) fn seed() -> u64 {
    number("SEED").unwrap_or_else(|| crate::wire::now_ms().unsigned_abs())
}

/// A number of the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
