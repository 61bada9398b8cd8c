//! A record that is larger than the log takes is cut to what matters: decisions first, then what is passed through.
//!
//! One record holds everything that one event leads to. If the record were given up, a flood of alerts or a release
//! with long facts would take the breaches of others with it.

use bus::AppendError;
use model::{Decision, DecisionRecord, Labels, NoticeKind, OWN_FACTS, Proposal, Release};
use prometheus::{IntCounterVec, Registry};

/// Bytes around a decision in its record.
const FRAME_BYTES: usize = 16;

/// What is told about records that are cut.
#[derive(Clone, Debug)]
pub(crate) struct Fitting {
    cut: IntCounterVec,
}

/// What was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cut {
    /// Decisions whose links, facts and annotations were left out.
    details: usize,
    /// Alerts that were not passed on.
    alerts: usize,
}

impl Fitting {
    pub(crate) fn register(registry: &Registry) -> anyhow::Result<Self> {
        let help = "Records of the decisions log that were too large, by what was left out of them: details, alerts, or \
                    the whole record.";
        let cut = telemetry::metrics::counter(
            registry,
            "ripcord_oversize_decision_records_total",
            help,
            &["left_out"],
        )?;
        Ok(Self { cut })
    }

    /// The record as the log takes it after this refusal; `None`: nothing that is left can be spared. Told either way.
    pub(crate) fn fit(&self, record: &DecisionRecord, error: &AppendError) -> Option<Vec<u8>> {
        let (cause, position) = (&record.cause, record.position.0);
        let fitted = match error {
            AppendError::TooLarge { limit, .. } => fit(record.clone(), *limit),
            _ => None,
        };
        let Some((bytes, Cut { details, alerts })) = fitted else {
            self.cut.with_label_values(&["record"]).inc();
            tracing::error!(%error, %cause, position, "a decision record can never be written and is given up");
            return None;
        };
        let left_out = if alerts > 0 { "alerts" } else { "details" };
        self.cut.with_label_values(&[left_out]).inc();
        tracing::error!(%error, %cause, position, details, alerts,
            "a decision record is too large: links, facts and annotations are left out, then alerts that are passed on");
        Some(bytes)
    }
}

fn fit(mut record: DecisionRecord, limit: usize) -> Option<(Vec<u8>, Cut)> {
    let mut cut = Cut { details: record.decisions.iter_mut().map(spare_details).sum(), alerts: 0 };
    let bytes = proto::encode_decision(&record);
    if bytes.len() <= limit {
        return Some((bytes, cut));
    }
    let (alerts, others): (Vec<_>, Vec<_>) = record.decisions.drain(..).partition(is_passed_on);
    record.decisions = others;
    let mut left = limit.checked_sub(proto::encode_decision(&record).len())?;
    for alert in alerts {
        match left.checked_sub(bytes_of(&alert)) {
            Some(rest) => {
                left = rest;
                record.decisions.push(alert);
            }
            None => cut.alerts += 1,
        }
    }
    Some((proto::encode_decision(&record), cut)).filter(|(bytes, _)| bytes.len() <= limit)
}

/// Leaves out what nothing is decided by; how many decisions that changed.
fn spare_details(decision: &mut Decision) -> usize {
    let spared = match decision {
        Decision::Proposal(Proposal::Release(release)) => spare_release(release),
        Decision::Proposal(Proposal::Alert { alert, .. }) => {
            std::mem::take(&mut alert.annotations) != Labels::default()
        }
        Decision::Notice(notice) => notice.release.as_deref_mut().is_some_and(spare_release),
        _ => false,
    };
    usize::from(spared)
}

fn spare_release(release: &mut Release) -> bool {
    let before = release.links.len() + release.facts.len();
    release.links.clear();
    release.facts.retain(|name, _| name.starts_with(OWN_FACTS));
    release.facts.len() < before
}

fn is_passed_on(decision: &Decision) -> bool {
    match decision {
        Decision::Proposal(proposal) => matches!(proposal, Proposal::Alert { .. }),
        Decision::Notice(notice) => notice.kind == NoticeKind::Alert,
        _ => false,
    }
}

fn bytes_of(decision: &Decision) -> usize {
    let record = DecisionRecord { decisions: vec![decision.clone()], ..DecisionRecord::default() };
    proto::encode_decision(&record).len() + FRAME_BYTES
}

#[cfg(test)]
mod tests {
    use model::{Alert, EventId, OPENED_BY, ServiceKey};

    use super::*;

    fn breach_ended() -> Decision {
        let (key, trigger) = (ServiceKey::new("payments", "production"), "error_rate".to_owned());
        Decision::Proposal(Proposal::BreachEnded { key, release: None, trigger })
    }

    fn release(fact_bytes: usize) -> Decision {
        let facts = [("note", "x".repeat(fact_bytes)), (OPENED_BY, "ci".to_owned())];
        let facts = facts.map(|(name, value)| (name.to_owned(), value)).into();
        Decision::Proposal(Proposal::Release(Box::new(Release { facts, ..Release::default() })))
    }

    fn alerts(count: usize, label_bytes: usize, annotation_bytes: usize) -> Vec<Decision> {
        let alert = Alert {
            labels: Labels::from_pairs([("alertname", "x".repeat(label_bytes))]),
            annotations: Labels::from_pairs([("summary", "x".repeat(annotation_bytes))]),
            ..Alert::default()
        };
        let id = EventId::from_text("evt_1");
        vec![Decision::Proposal(Proposal::Alert { id, alert: Box::new(alert) }); count]
    }

    #[test]
    fn what_a_flood_brings_is_cut_and_anothers_breach_in_the_same_record_is_kept() {
        for (flood, cut, why) in [
            (vec![release(50_000)], Some((1, 0)), "long facts are left out"),
            (alerts(100, 10, 1_000), Some((100, 0)), "annotations go before alerts"),
            (alerts(100, 1_000, 0), Some((0, 91)), "of many alerts as many are passed on as fit"),
            (
                vec![breach_ended(); 1_000],
                None,
                "decisions are never left out: the record is given up as a whole",
            ),
        ] {
            let decisions = flood.into_iter().chain([breach_ended()]).collect();
            let fitted = fit(DecisionRecord { decisions, ..DecisionRecord::default() }, 10_000);
            assert_eq!(fitted.as_ref().map(|(_, cut)| (cut.details, cut.alerts)), cut, "{why}");
            if let Some((bytes, _)) = fitted {
                assert!(bytes.len() <= 10_000, "{why}");
                let kept = proto::decode_decision(&bytes).unwrap();
                assert!(kept.decisions.contains(&breach_ended()), "{why}");
                let opened_by = kept.decisions.iter().find_map(|decision| match decision {
                    Decision::Proposal(Proposal::Release(release)) => release.facts.get(OPENED_BY).cloned(),
                    _ => None,
                });
                assert!(opened_by.is_none_or(|by| by == "ci"), "{why}: who opened it decides");
            }
        }
    }
}
