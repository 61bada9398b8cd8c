//! What a target shows on its metrics page, and what a sender makes of that.

use std::time::Duration;

use model::{Batch, Sample, SeriesKind, Timestamp, id::stable_hash, telemetry::STALE_NAN_BITS};

use crate::{
    senders::{Change, SHARDS, SenderFaults},
    world::{Piece, moment},
};

/// Upper bounds of the latency histogram in seconds, and how many of fast, slow and all requests are below.
const BOUNDS: [&str; 4] = ["0.1", "0.5", "2.5", "+Inf"];
const SPELLED_OTHERWISE: [&str; 4] = ["0.10", "5e-01", "2.50", "+Inf"];
const OTHER_BOUNDS: [&str; 4] = ["0.1", "0.9", "5", "+Inf"];

/// What a process counted since it started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pod {
    pub(crate) instance: String,
    pub(crate) started_at: u32,
    pub(crate) good: u64,
    pub(crate) bad: u64,
    pub(crate) fast: u64,
    /// How its series looked at the last scrape.
    pub(crate) shown: Option<Shape>,
}

impl Pod {
    /// The process starts again under the same name.
    pub(crate) fn restart(&mut self, second: u32) {
        let (instance, shown) = (std::mem::take(&mut self.instance), self.shown);
        *self = Self { instance, shown, started_at: second, ..Self::default() };
    }
}

/// How a target's series look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    bounds: [&'static str; 4],
    has_team: bool,
}

impl Shape {
    pub(crate) fn at(second: u32, faults: &SenderFaults) -> Self {
        let change = faults.changed.filter(|it| it.from <= second).map(|it| it.change);
        let bounds = match change {
            Some(Change::BoundSpelling) => SPELLED_OTHERWISE,
            Some(Change::Bounds) => OTHER_BOUNDS,
            Some(Change::Relabelled) | None => BOUNDS,
        };
        Self { bounds, has_team: change == Some(Change::Relabelled) }
    }
}

/// Labels of a series, name first.
type Series = Vec<(&'static str, String)>;

/// One scrape of a pod, as the pieces in which its sender may have to send it: errors apart from the rest, the cut
/// that hurts most, and what goes over the lagging connection apart from both.
pub(crate) struct Page<'a> {
    /// Service, environment, version, job.
    pub(crate) labels: &'a [(&'static str, String)],
    pub(crate) faults: &'a SenderFaults,
    pub(crate) second: u32,
}

impl Page<'_> {
    pub(crate) fn of(&self, pod: &mut Pod, writer: usize) -> Vec<Piece> {
        let shape = Shape::at(self.second, self.faults);
        let mut lines = self.lines(pod, shape);
        let is_marked = self.faults.changed.is_none_or(|it| it.is_marked);
        if let Some(before) = pod.shown.replace(shape).filter(|before| *before != shape && is_marked) {
            let ended = self.lines(pod, before).into_iter();
            let ended: Vec<_> =
                ended.filter(|(series, _)| !lines.iter().any(|(it, _)| it == series)).collect();
            lines.extend(ended.into_iter().map(|(series, _)| (series, stale())));
        }
        self.pieces(&lines, Some(pod.started_at), writer)
    }

    /// The last word about a pod that is gone. One that pushes just falls silent.
    pub(crate) fn end_of(&self, pod: &Pod) -> Vec<Piece> {
        if self.faults.shares_resource {
            return Vec::new();
        }
        let shape = pod.shown.unwrap_or_else(|| Shape::at(self.second, self.faults));
        let lines: Vec<_> = self.lines(pod, shape).into_iter().map(|(series, _)| (series, stale())).collect();
        self.pieces(&lines, None, 0)
    }

    fn lines(&self, pod: &Pod, shape: Shape) -> Vec<(Series, f64)> {
        let total = pod.good + pod.bad;
        let series = |name: &str, extra: Option<(&'static str, &str)>| {
            let mut labels = vec![("__name__", name.to_owned())];
            labels.extend(self.labels.iter().cloned());
            if !self.faults.shares_resource {
                labels.push(("instance", pod.instance.clone()));
            }
            if shape.has_team {
                labels.push(("team", "pay".to_owned()));
            }
            labels.extend(extra.map(|(name, value)| (name, value.to_owned())));
            labels
        };
        let mut lines = vec![
            (series("http_requests_total", Some(("code", "500"))), pod.bad as f64),
            (series("http_requests_total", Some(("code", "200"))), pod.good as f64),
        ];
        for (bound, count) in shape.bounds.iter().zip([pod.fast, total, total, total]) {
            lines.push((series("http_request_duration_seconds_bucket", Some(("le", bound))), count as f64));
        }
        lines.push((series("http_request_duration_seconds_count", None), total as f64));
        lines
    }

    fn pieces(&self, lines: &[(Series, f64)], started_at: Option<u32>, writer: usize) -> Vec<Piece> {
        let (mut errors, mut rest, mut lagging) = (Batch::default(), Batch::default(), Batch::default());
        for (series, value) in lines {
            let batch = match () {
                () if self.lags(series) => &mut lagging,
                () if series.iter().any(|(_, value)| value == "500") => &mut errors,
                () => &mut rest,
            };
            let (kind, start) = match started_at {
                Some(second) if self.faults.shares_resource => {
                    (SeriesKind::Cumulative, Some(moment(second) + Duration::from_millis(37 * writer as u64)))
                }
                _ => (SeriesKind::Unknown, None),
            };
            let labels = series.iter().map(|(name, value)| (*name, value.as_str()));
            batch.push(labels, kind, [Sample { value: *value, at: self.at(writer), start }]);
        }
        let pieces = [Piece::Batch(errors), Piece::Batch(rest), Piece::Lagging(lagging)];
        pieces.into_iter().filter(|piece| !piece.is_empty()).collect()
    }

    fn lags(&self, series: &Series) -> bool {
        let Some(lag) = self.faults.lag else { return false };
        let values: Vec<&str> = series.iter().map(|(_, value)| value.as_str()).collect();
        let hash = u64::from_str_radix(&stable_hash(&values)[..8], 16).unwrap_or_default();
        hash % SHARDS == lag.shard()
    }

    /// By the sender's clock. Writers of one resource push one after the other.
    fn at(&self, writer: usize) -> Timestamp {
        let offset_ms = if self.faults.shares_resource { 300 * writer as u64 } else { 0 };
        let at = moment(self.second + self.faults.clock_ahead_seconds);
        at + Duration::from_millis(offset_ms)
    }
}

fn stale() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}
