//! Alerts from elsewhere: which release each is about, and under which labels it was passed on.
//!
//! The labels are settled when an alert begins to fire and stay until it is over, so that its end reaches those who
//! heard of it, whatever became of the release meanwhile.

use std::collections::BTreeMap;

use model::{Alert, Labels, NoticeKind, ReleaseId, Timestamp, checkpoint::AlertRecord};

use crate::bounds::MAX_ALERTS;

/// A firing alert as it was passed on.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(crate) labels: Labels,
    pub(crate) release: Option<ReleaseId>,
    /// Start of the newest stretch in which it fires.
    since: Timestamp,
    ends_at: Option<Timestamp>,
    heard: u64,
}

/// Firing alerts by the fingerprint of their own labels.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    firing: BTreeMap<u64, Passed>,
    heard: u64,
}

impl Alerts {
    /// The firing ones, and how many were passed on.
    pub(crate) fn state(&self) -> (Vec<AlertRecord>, u64) {
        let record = |(fingerprint, passed): (&u64, &Passed)| AlertRecord {
            fingerprint: *fingerprint,
            labels: passed.labels.clone(),
            release: passed.release.clone(),
            since: passed.since,
            ends_at: passed.ends_at,
            heard: passed.heard,
        };
        (self.firing.iter().map(record).collect(), self.heard)
    }

    pub(crate) fn from_state(state: Vec<AlertRecord>, heard: u64) -> Self {
        let entry = |it: AlertRecord| {
            let AlertRecord { fingerprint, labels, release, since, ends_at, heard } = it;
            (fingerprint, Passed { labels, release, since, ends_at, heard })
        };
        Self { firing: state.into_iter().map(entry).collect(), heard }
    }

    /// How the alert was passed on, if it fires by what is known here.
    pub(crate) fn known(&self, now: Timestamp, alert: &Alert) -> Option<&Passed> {
        let passed = self.firing.get(&alert.labels.fingerprint())?;
        passed.ends_at.is_none_or(|end| end > now).then_some(passed)
    }

    /// Whether the alert's end is that of an earlier stretch: it comes late, and the alert fires again.
    pub(crate) fn is_late_end(&self, now: Timestamp, alert: &Alert) -> bool {
        let passed = self.known(now, alert).filter(|passed| alert.starts_at < passed.since);
        let began_again = |end: Timestamp| passed.is_some_and(|passed| end <= passed.since);
        alert.is_resolved_at(now) && alert.ends_at.is_some_and(began_again)
    }

    /// Notes that it fires, under `labels` to others.
    pub(crate) fn note(&mut self, alert: &Alert, labels: Labels, release: Option<ReleaseId>) {
        let fingerprint = alert.labels.fingerprint();
        self.heard += 1;
        let before = self.firing.get(&fingerprint).map_or(alert.starts_at, |passed| passed.since);
        let since = before.max(alert.starts_at);
        let passed = Passed { labels, release, since, ends_at: alert.ends_at, heard: self.heard };
        self.firing.insert(fingerprint, passed);
        if self.firing.len() > MAX_ALERTS
            && let Some(oldest) = self.firing.iter().min_by_key(|(_, passed)| passed.heard)
        {
            let oldest = *oldest.0;
            self.firing.remove(&oldest);
        }
    }

    pub(crate) fn forget(&mut self, alert: &Alert) {
        self.firing.remove(&alert.labels.fingerprint());
    }
}

/// An alert's labels as they are passed on: what would make it pass for one of Ripcord's own notices, or name one of
/// its releases or halts, goes on under another name, as Prometheus renames what a target may not set.
pub(crate) fn without_own(labels: &Labels) -> Labels {
    let is_kind = |value: &str| NoticeKind::ALL.iter().any(|kind| kind.as_str() == value);
    let renamed = labels.iter().map(|(name, value)| {
        let is_own = match name {
            "kind" => is_kind(value),
            "release" => value.starts_with("rel_"),
            "halt" => value.starts_with("hlt_"),
            // Without a name of some kind an alert is hard to read.
            "alertname" if is_kind(value) => return (name.to_owned(), format!("exported_{value}")),
            _ => false,
        };
        (if is_own { format!("exported_{name}") } else { name.to_owned() }, value.to_owned())
    });
    Labels::from_pairs(renamed)
}

/// The value of the first label that is there.
pub(crate) fn first_of<'a>(labels: &'a Labels, names: &[String]) -> Option<&'a str> {
    names.iter().find_map(|name| labels.get(name)).filter(|value| !value.is_empty())
}
