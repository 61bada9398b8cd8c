//! The windows against PromQL, computed naively from the raw samples.
//!
//! `sum(rate(bad[5m])) / sum(rate(total[5m]))` and `histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))`
//! are recomputed from every sample, whatever way it came. `rate` multiplies all series of one scrape by the
//! same extrapolation factor, which cancels out; so an increase is the sum of the steps between the samples of
//! the range. Our window begins at a slot: the same as PromQL's over a range that begins less than a slot
//! later, with the last sample before it as the first.

use model::{Batch, Sample, SeriesKind, Timestamp};
use proptest::prelude::*;

use super::{Rig, Versions, WINDOW, ask, at, cart};

const SLOT_S: i64 = 5;
const BOUNDS: [&str; 4] = ["0.1", "0.5", "1", "+Inf"];

/// One series of the shop and its samples.
struct Raw {
    labels: Vec<(&'static str, String)>,
    samples: Vec<(i64, f64)>,
}

/// Steps of one instance: per scrape, how many requests fell into each bucket, how many of them failed, and
/// whether it restarted before.
type Steps = Vec<([u8; 4], u8, bool)>;

/// Counters as an instance would show them.
fn series_of(instance: usize, interval_s: i64, steps: &Steps) -> Vec<Raw> {
    let name = |metric: &str| vec![("__name__", metric.to_owned()), ("instance", format!("i{instance}"))];
    let mut all = Vec::new();
    for le in BOUNDS {
        let mut labels = name("latency_bucket");
        labels.push(("le", le.to_owned()));
        all.push(Raw { labels, samples: Vec::new() });
    }
    for code in ["200", "500"] {
        let mut labels = name("requests");
        labels.push(("code", code.to_owned()));
        all.push(Raw { labels, samples: Vec::new() });
    }
    let mut counters = [0.0; 6];
    for (scrape, (buckets, errors, is_restart)) in steps.iter().enumerate() {
        // It is scraped before its first request, so that every series shows the restart to PromQL too.
        let buckets = if *is_restart { &[0; 4] } else { buckets };
        if *is_restart {
            counters = [0.0; 6];
        }
        let mut below = 0.0;
        for (at, count) in buckets.iter().enumerate() {
            below += f64::from(*count);
            counters[at] += below;
        }
        let errors = f64::from(*errors).min(below);
        counters[4] += below - errors;
        counters[5] += errors;
        let moment = scrape as i64 * interval_s + instance as i64;
        for (raw, counter) in all.iter_mut().zip(counters) {
            raw.samples.push((moment, counter));
        }
    }
    all
}

/// PromQL's increase over the samples in `(from, to]`, without the extrapolation factor.
fn increase(raw: &Raw, from: i64, to: i64) -> f64 {
    let inside: Vec<f64> = raw.samples.iter().filter(|it| it.0 > from && it.0 <= to).map(|it| it.1).collect();
    inside.windows(2).map(|pair| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] }).sum()
}

fn label<'a>(raw: &'a Raw, name: &str) -> Option<&'a str> {
    raw.labels.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
}

/// `histogram_quantile` as `promql/quantile.go` describes it, over cumulative counts.
fn histogram_quantile(q: f64, mut below: [f64; 4]) -> Option<f64> {
    for at in 1..below.len() {
        below[at] = below[at].max(below[at - 1]);
    }
    let bounds = [0.1, 0.5, 1.0];
    if below[3] == 0.0 {
        return None;
    }
    let rank = q * below[3];
    let Some(bucket) = (0..3).find(|at| below[*at] >= rank) else { return Some(bounds[2]) };
    let (lower, before) = if bucket == 0 { (0.0, 0.0) } else { (bounds[bucket - 1], below[bucket - 1]) };
    let inside = below[bucket] - before;
    Some(if inside > 0.0 {
        lower + (bounds[bucket] - lower) * ((rank - before) / inside)
    } else {
        bounds[bucket]
    })
}

/// Requests as two queues send them, after a first scrape that came whole: each in order, a scrape cut in pieces, some sent twice, the queues
/// drifting apart by up to a scrape.
fn requests_of(all: &[Raw], scrapes: usize, cuts: &[usize], drift: &[bool]) -> Vec<Vec<(usize, usize)>> {
    let mut queues: [Vec<Vec<(usize, usize)>>; 2] = Default::default();
    for scrape in 1..scrapes {
        for (queue, requests) in queues.iter_mut().enumerate() {
            let own: Vec<usize> = (0..all.len()).filter(|series| (series * 7 / 3) % 2 == queue).collect();
            let cut = cuts[scrape % cuts.len()] % (own.len() + 1);
            for piece in [&own[..cut], &own[cut..]] {
                requests.push(piece.iter().map(|&series| (series, scrape)).collect());
            }
        }
    }
    let mut sent = vec![(0..all.len()).map(|series| (series, 0)).collect()];
    let (mut first, mut second) = (queues[0].iter().peekable(), queues[1].iter().peekable());
    let (mut lead, mut place) = (0_i32, 0);
    while first.peek().is_some() || second.peek().is_some() {
        let wants_first = drift[place % drift.len()];
        place += 1;
        let takes_first = second.peek().is_none()
            || (first.peek().is_some() && wants_first && lead < 3)
            || (lead < -2 && first.peek().is_some());
        let next = if takes_first { first.next() } else { second.next() };
        lead += if takes_first { 1 } else { -1 };
        if let Some(request) = next {
            sent.push(request.clone());
            if place % 5 == 0 {
                sent.push(request.clone());
            }
        }
    }
    sent
}

fn batch_of(all: &[Raw], request: &[(usize, usize)]) -> Batch {
    let mut batch = Batch::default();
    for &(series, scrape) in request {
        let raw = &all[series];
        let (moment, value) = raw.samples[scrape];
        let fixed = [("service", "cart"), ("environment", "production"), ("version", "1"), ("job", "cart")];
        let labels = raw.labels.iter().map(|(name, value)| (*name, value.as_str())).chain(fixed);
        batch.push(labels, SeriesKind::Unknown, [Sample { value, at: at(moment), start: None }]);
    }
    batch
}

fn steps() -> impl Strategy<Value = Steps> {
    prop::collection::vec((any::<[u8; 4]>(), any::<u8>(), prop::bool::weighted(0.05)), 45)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn ratios_and_quantiles_are_promqls(
        instances in prop::collection::vec(steps(), 1..4),
        interval_s in prop::sample::select(vec![5_i64, 10, 15]),
        cuts in prop::collection::vec(0_usize..12, 1..6),
        drift in prop::collection::vec(any::<bool>(), 1..40),
    ) {
        let scrapes = 45;
        let all: Vec<Raw> = instances
            .iter()
            .enumerate()
            .flat_map(|(instance, steps)| series_of(instance, interval_s, steps))
            .collect();
        let mut rig = Rig::new();
        for request in requests_of(&all, scrapes, &cuts, &drift) {
            let newest = request.iter().map(|it| all[it.0].samples[it.1].0).max().unwrap_or(0);
            rig.store.handle_batch(at(newest + 1), &batch_of(&all, &request));
        }
        let end_s = (scrapes as i64 - 1) * interval_s + instances.len() as i64 - 1;
        rig.tick(end_s + 100);
        prop_assert_eq!(rig.store.counters().late, 0);

        let begin_s = at(end_s).as_millis().div_euclid(1000 * SLOT_S) * SLOT_S - (WINDOW.as_secs() as i64 - SLOT_S);
        let begin_s = Timestamp::from_millis(begin_s * 1000).since(at(0)).as_secs() as i64;
        // The last sample before our window's first slot is the first that PromQL's range has.
        let sum = |wanted: &dyn Fn(&Raw) -> bool| -> f64 {
            let of = |raw: &Raw| {
                let before = raw.samples.iter().map(|it| it.0).filter(|it| *it < begin_s).max();
                increase(raw, before.map_or(-1, |it| it - 1), end_s)
            };
            all.iter().filter(|raw| wanted(raw)).map(of).sum()
        };
        let key = cart();
        let ratio = rig.store.ratio(&ask(&key, "error_rate", Versions::All, end_s)).unwrap();
        prop_assert_eq!(ratio.part as f64, sum(&|raw| label(raw, "code") == Some("500")));
        prop_assert_eq!(ratio.total as f64, sum(&|raw| label(raw, "code").is_some()));

        let below = BOUNDS.map(|le| sum(&|raw| label(raw, "le") == Some(le)));
        let histogram = rig.store.histogram(&ask(&key, "response_time", Versions::All, end_s)).unwrap();
        for q in [0.0, 0.5, 0.95, 0.99, 1.0] {
            let (ours, theirs) = (histogram.quantile(q), histogram_quantile(q, below));
            let is_close = match (ours, theirs) {
                (Some(ours), Some(theirs)) => (ours - theirs).abs() < 1e-9,
                (ours, theirs) => ours == theirs,
            };
            prop_assert!(is_close, "q {}: {:?}, PromQL {:?} of {:?}", q, ours, theirs, below);
        }
    }
}
