//! Decisions as text, to be compared and shown: whole, or only what others see of them and act upon.

use model::{Decision, DecisionRecord, Proposal};

/// A decision in its record; the text is made only where it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    head: String,
    body: Body,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Whole(Box<Decision>),
    Outline(String),
}

impl Line {
    pub(crate) fn text(&self) -> String {
        match &self.body {
            Body::Whole(decision) => format!("{} {decision:?}", self.head),
            Body::Outline(text) => format!("{} {text}", self.head),
        }
    }
}

/// Every decision of a record.
pub(crate) fn in_full(record: &DecisionRecord) -> Vec<Line> {
    let line =
        |decision: &Decision| Line { head: head(record), body: Body::Whole(Box::new(decision.clone())) };
    record.decisions.iter().map(line).collect()
}

/// What others see of the decisions of a record.
pub(crate) fn outline(record: &DecisionRecord) -> Vec<Line> {
    let texts = record.decisions.iter().filter_map(outline_of);
    texts.map(|text| Line { head: head(record), body: Body::Outline(text) }).collect()
}

fn head(record: &DecisionRecord) -> String {
    format!("{} {}/{} {}", record.at, record.partition, record.position.0, record.cause)
}

fn outline_of(decision: &Decision) -> Option<String> {
    Some(match decision {
        Decision::Proposal(Proposal::Release(release)) => {
            format!("release {} {} {:?}", release.id, release.state, release.watch_until)
        }
        Decision::Proposal(Proposal::Breach(breach)) => {
            format!("breach {} {:?} {}", breach.key, breach.release, breach.reason.trigger)
        }
        Decision::Proposal(Proposal::BreachContinues(breach)) => {
            format!("breach continues {} {:?} {}", breach.key, breach.release, breach.reason.trigger)
        }
        Decision::Proposal(Proposal::BreachEnded { key, release, trigger }) => {
            format!("breach ended {key} {release:?} {trigger}")
        }
        Decision::Proposal(Proposal::Limit(limit)) => {
            format!("limit {} {} {}", limit.key, limit.trigger, limit.is_exceeded)
        }
        Decision::Proposal(Proposal::Finding(finding)) => {
            format!("finding {} {:?} {}", finding.key, finding.kind, finding.is_active)
        }
        // Passed through as they came.
        Decision::Proposal(proposal) => format!("{proposal:?}"),
        _ => return None,
    })
}
