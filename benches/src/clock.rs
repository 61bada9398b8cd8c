//! CPU time of this thread, and elapsed time.

use std::{
    fs,
    ops::{Add, Div},
    time::Instant,
};

/// Where Linux says how many nanoseconds this thread has run.
const SCHEDSTAT: &str = "/proc/thread-self/schedstat";

/// What something took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Elapsed time where the system does not tell CPU time.
    pub(crate) cpu_ns: f64,
    pub(crate) elapsed_ns: f64,
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { cpu_ns: self.cpu_ns + other.cpu_ns, elapsed_ns: self.elapsed_ns + other.elapsed_ns }
    }
}

impl Div<f64> for Cost {
    type Output = Self;

    fn div(self, by: f64) -> Self {
        Self { cpu_ns: self.cpu_ns / by, elapsed_ns: self.elapsed_ns / by }
    }
}

/// Does `work` and says what it took. The system counts CPU time in ticks of some milliseconds: only sums over
/// a second or so mean something.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn timed(work: impl FnOnce()) -> Cost {
    let (begun, cpu_begun) = (Instant::now(), cpu_ns());
    work();
    let elapsed_ns = begun.elapsed().as_nanos() as f64;
    let cpu_ns = cpu_begun.zip(cpu_ns()).map_or(elapsed_ns, |(from, to)| (to - from) as f64);
    Cost { cpu_ns, elapsed_ns }
}

fn cpu_ns() -> Option<u64> {
    fs::read_to_string(SCHEDSTAT).ok()?.split(' ').next()?.parse().ok()
}
