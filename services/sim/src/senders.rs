//! What goes wrong between a service and Ripcord although nothing is wrong with the service: connections that
//! lag, clocks that are ahead, bucket bounds that change, restarts, relabelling, several writers of one resource.
//!
//! None of it may roll a good release back, hide a bad one, or count a request twice.

use crate::{
    plan::{BUSY_UNTIL, ServicePlan, Telemetry},
    random::Random,
};

/// Connections over which a sender spreads its series, each series always over the same one (Prometheus' shards).
pub(crate) const SHARDS: u64 = 4;

/// One of the sender's connections is slower than the others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lag {
    /// Everything takes so much longer, from the beginning to the end.
    Steady { shard: u64, seconds: u32 },
    /// The connection stands still once; what it holds arrives when it goes on.
    Stall { shard: u64, from: u32, seconds: u32 },
}

impl Lag {
    pub(crate) fn shard(self) -> u64 {
        match self {
            Self::Steady { shard, .. } | Self::Stall { shard, .. } => shard,
        }
    }

    /// How much later arrives what is sent at `second`.
    pub(crate) fn delay_seconds(self, second: u32) -> u32 {
        match self {
            Self::Steady { seconds, .. } => seconds,
            Self::Stall { from, seconds, .. } if (from..from + seconds).contains(&second) => {
                from + seconds - second
            }
            Self::Stall { .. } => 0,
        }
    }
}

/// What a target's series look like from some moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Another client library: the same bounds in another spelling.
    BoundSpelling,
    /// Other bounds, by a restart in place.
    Bounds,
    /// One label more on every series; the values go on.
    Relabelled,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Changed {
    pub(crate) change: Change,
    pub(crate) from: u32,
    /// Whether the sender marks the series that ended.
    pub(crate) is_marked: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct SenderFaults {
    pub(crate) lag: Option<Lag>,
    /// Below and above the tolerance for clocks.
    pub(crate) clock_ahead_seconds: u32,
    pub(crate) changed: Option<Changed>,
    /// The pods push as one resource: only their start times tell them apart.
    pub(crate) shares_resource: bool,
    /// When the processes restart in place. So soon after a deployment, counters may have passed their old
    /// values by the next scrape, so that some series show the restart and others hide it.
    pub(crate) restarts: Vec<u32>,
}

impl SenderFaults {
    pub(crate) fn draw(service: &ServicePlan, random: &mut Random) -> Self {
        let mut faults = Self::default();
        if service.telemetry == Telemetry::Requests {
            return faults;
        }
        match random.between(0, 13) {
            0..=1 => faults.lag = Some(draw_steady(random)),
            2..=3 => faults.lag = Some(draw_stall(service, random)),
            4 => faults.clock_ahead_seconds = *random.pick(&[5, 11, 60, 600]),
            5..=7 => faults.changed = Some(draw_change(service, random)),
            8 => faults.shares_resource = true,
            9 => faults.restarts = draw_restarts(service, random),
            _ => {}
        }
        faults
    }
}

fn draw_shard(random: &mut Random) -> u64 {
    u64::from(random.between(0, SHARDS as u32 - 1))
}

fn draw_steady(random: &mut Random) -> Lag {
    Lag::Steady { shard: draw_shard(random), seconds: random.between(1, 45) }
}

/// Around a deployment, where it hurts most.
fn draw_stall(service: &ServicePlan, random: &mut Random) -> Lag {
    let from = after_a_deployment(service, random);
    Lag::Stall { shard: draw_shard(random), from, seconds: random.between(7, 40) }
}

fn draw_change(service: &ServicePlan, random: &mut Random) -> Changed {
    let change = *random.pick(&[Change::BoundSpelling, Change::Bounds, Change::Relabelled]);
    Changed { change, from: after_a_deployment(service, random), is_marked: random.chance(0.7) }
}

fn draw_restarts(service: &ServicePlan, random: &mut Random) -> Vec<u32> {
    let released = service.versions.iter().skip(1).map(|version| version.released_at);
    let mut restarts: Vec<u32> =
        released.flat_map(|at| [at + random.between(16, 40), at + random.between(41, 90)]).collect();
    restarts.sort_unstable();
    restarts
}

fn after_a_deployment(service: &ServicePlan, random: &mut Random) -> u32 {
    let released: Vec<u32> = service.versions.iter().skip(1).map(|version| version.released_at).collect();
    match released.is_empty() {
        true => random.between(200, BUSY_UNTIL),
        false => *random.pick(&released) + random.between(5, 120),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_standing_connection_holds_arrives_when_it_goes_on() {
        let lag = Lag::Stall { shard: 1, from: 100, seconds: 10 };
        let delays: Vec<u32> = [99, 100, 105, 109, 110].map(|second| lag.delay_seconds(second)).to_vec();
        assert_eq!(delays, [0, 10, 5, 1, 0]);
    }
}
