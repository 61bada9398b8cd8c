//! Seeded random numbers and the distributions drawn from them: the same in every run.

use std::f64::consts::TAU;

/// A linear congruential generator (multiplier and increment of Knuth's MMIX); its high bits are good enough
/// for test data.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// In 0..1, never 0.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Mean 0, deviation 1 (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (TAU * self.uniform()).cos()
    }

    /// Mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    /// At least 1, with a tail that falls with the power `shape`.
    pub(crate) fn pareto(&mut self, shape: f64) -> f64 {
        self.uniform().powf(-1.0 / shape)
    }
}

/// Durations in milliseconds.
pub(crate) type Draw = fn(&mut Random) -> f64;

/// Ten shapes that latencies take.
pub(crate) const DISTRIBUTIONS: [(&str, Draw); 10] = [
    ("uniform", |random| 1.0 + 99.0 * random.uniform()),
    ("normal", |random| (100.0 + 15.0 * random.normal()).max(0.1)),
    ("lognormal", |random| (3.0 + 0.8 * random.normal()).exp()),
    ("exponential", |random| 50.0 * random.exponential()),
    ("pareto", |random| 5.0 * random.pareto(1.5)),
    ("bimodal", |random| {
        let is_slow = random.uniform() < 0.2;
        (if is_slow { 400.0 + 40.0 * random.normal() } else { 20.0 + 3.0 * random.normal() }).max(0.1)
    }),
    ("constant", |_| 123.456),
    ("gamma", |random| 20.0 * (random.exponential() + random.exponential() + random.exponential())),
    ("two spikes", |random| if random.uniform() < 0.93 { 10.0 } else { 1000.0 }),
    ("heavy tail", |random| (2.0 + 2.5 * random.normal()).exp()),
];
