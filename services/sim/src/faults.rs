//! What goes wrong around the processes, drawn from the seed before the run begins.

use crate::{
    layout::Layout,
    log::LogRates,
    plan::{BUSY_UNTIL, Span},
    random::Random,
};

/// Where a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrashPoint {
    Idle,
    /// An event was taken, and is not durable yet.
    BeforeSync,
    /// An event is durable, and its sender does not know.
    BeforeAck,
    /// Decided, nothing written.
    BeforeAppend,
    /// Written, nobody has read it.
    AfterAppend,
    /// The target or receiver has it, its answer is not recorded.
    AfterSend,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    pub(crate) from: u32,
    /// Which of the processes that can die there.
    pub(crate) victim: u32,
    pub(crate) point: CrashPoint,
    pub(crate) down_seconds: u32,
    /// It was told to stop: what is under way is given up, what can be kept is kept.
    pub(crate) is_stop: bool,
    /// Dies once more while it starts.
    pub(crate) is_double: bool,
}

/// A process that the groups do not hear of for a while: they take it for dead, and it goes on all the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CutOff {
    pub(crate) from: u32,
    pub(crate) seconds: u32,
    pub(crate) victim: CutOffVictim,
    /// Does nothing for so long, and then goes on as if nothing had happened.
    pub(crate) stalled_seconds: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum CutOffVictim {
    /// Whoever decides. The one who takes over has much to do and is slow for so long.
    Arbiter {
        successor_slow_seconds: u32,
    },
    Any(u32),
}

/// How often snapshots are taken, and what becomes of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Snapshots {
    /// `None`: never.
    pub(crate) period_seconds: Option<u32>,
    pub(crate) lost: f64,
    pub(crate) damaged: f64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) crashes: Vec<Crash>,
    pub(crate) cut_offs: Vec<CutOff>,
    /// When partitions change hands.
    pub(crate) rebalances: Vec<u32>,
    pub(crate) log: LogRates,
    pub(crate) snapshots: Snapshots,
    /// How often a process begins to be slow, by second: it judges and decides nothing for a while.
    pub(crate) slow: f64,
    /// A partition that cannot be written for a while, by number.
    pub(crate) closed: Option<(Span, u32)>,
}

impl Faults {
    pub(crate) fn draw(layout: &Layout, random: &mut Random) -> Self {
        let mut faults = Self { snapshots: Snapshots::draw(random), ..Self::default() };
        faults.log.failed = if random.chance(0.3) { 0.02 * random.unit() } else { 0.0 };
        faults.log.unknown = 0.02;
        faults.log.gaps = if layout.is_embedded { 0.0 } else { 0.1 };
        if random.chance(0.7) {
            faults.add_crashes(random);
        }
        if !layout.is_embedded {
            faults.add_group_faults(layout, random);
        }
        faults
    }

    fn add_crashes(&mut self, random: &mut Random) {
        for _ in 0..random.between(1, 6) {
            self.crashes.push(Crash {
                from: random.between(100, BUSY_UNTIL + 300),
                victim: random.between(0, 100),
                point: *random.pick(&[
                    CrashPoint::Idle,
                    CrashPoint::BeforeSync,
                    CrashPoint::BeforeAck,
                    CrashPoint::BeforeAppend,
                    CrashPoint::BeforeAppend,
                    CrashPoint::AfterAppend,
                    CrashPoint::AfterAppend,
                    CrashPoint::AfterSend,
                    CrashPoint::AfterSend,
                ]),
                down_seconds: *random.pick(&[0, 0, 1, 5, 20, 90]),
                is_stop: random.chance(0.3),
                is_double: random.chance(0.2),
            });
        }
        self.crashes.sort_by_key(|crash| crash.from);
    }

    fn add_group_faults(&mut self, layout: &Layout, random: &mut Random) {
        if random.chance(0.6) {
            for _ in 0..random.between(1, 4) {
                self.cut_offs.push(CutOff::draw(layout, random));
            }
            self.cut_offs.sort_by_key(|cut_off| cut_off.from);
        }
        if random.chance(0.6) {
            for _ in 0..random.between(1, 8) {
                self.rebalances.push(random.between(60, BUSY_UNTIL + 200));
            }
            self.rebalances.sort_unstable();
        }
        if random.chance(0.3) {
            self.slow = 0.05 * random.unit();
        }
        if random.chance(0.15) {
            let from = random.between(300, 1_300);
            let span = Span { from, until: from + random.between(20, 200), service: None };
            self.closed = Some((span, random.between(0, layout.partitions - 1)));
        }
    }
}

impl CutOff {
    fn draw(layout: &Layout, random: &mut Random) -> Self {
        let from = random.between(100, BUSY_UNTIL + 200);
        if random.chance(0.5) {
            let stalled_seconds = layout.session_seconds + random.between(1, 20);
            let successor_slow_seconds = random.between(0, 60);
            let victim = CutOffVictim::Arbiter { successor_slow_seconds };
            return Self { from, seconds: stalled_seconds + random.between(1, 60), victim, stalled_seconds };
        }
        let stalled_seconds = if random.chance(0.4) { random.between(1, 60) } else { 0 };
        let longest = *random.pick(&[layout.session_seconds * 2, 300]);
        let victim = CutOffVictim::Any(random.between(0, 100));
        Self { from, seconds: stalled_seconds + random.between(1, longest), victim, stalled_seconds }
    }
}

impl Snapshots {
    fn draw(random: &mut Random) -> Self {
        let period_seconds = match random.between(0, 3) {
            0 => None,
            _ => Some(*random.pick(&[7, 60, 60, 200])),
        };
        let is_bad = random.chance(0.3);
        let rate = if is_bad { 0.5 } else { 0.0 };
        Self { period_seconds, lost: rate * random.unit(), damaged: rate * random.unit() }
    }
}
