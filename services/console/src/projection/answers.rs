//! What became of events, by their ids: what whoever sent one waits for.

use std::collections::{BTreeMap, VecDeque};

use model::{Decision, DecisionRecord, EventId, Origin, Proposal, ReleaseId, ReleaseState};

/// Answers kept; the oldest make room. Whoever waits for one does so for seconds, and this is minutes' worth of the
/// busiest hour.
pub const MAX_ANSWERS: usize = 10_000;

/// Releases named in one answer: an event moves the one that it is about and those that it replaces.
const MAX_MOVED: usize = 8;

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The arbiter did what a person asked for, or refused; the sentence says what or why.
    Verb { is_accepted: bool, text: String },
    /// A deployment event opened or moved these releases.
    Moved(Vec<(ReleaseId, ReleaseState)>),
    /// A deployment event changed nothing.
    Ignored { release: Option<ReleaseId>, why: String },
}

/// The newest answers.
#[derive(Debug, Default)]
pub(super) struct Answers {
    by_event: BTreeMap<EventId, Answer>,
    order: VecDeque<EventId>,
}

impl Answers {
    pub(super) fn get(&self, event: &EventId) -> Option<&Answer> {
        self.by_event.get(event)
    }

    /// Takes what a record that counts says about the event that caused it.
    pub(super) fn note(&mut self, record: &DecisionRecord) {
        let answer = match record.origin {
            Origin::Arbiter { .. } => record.decisions.iter().find_map(of_verb),
            Origin::Analyzer => of_deployment(&record.decisions),
            Origin::Claim { .. } | Origin::Clock { .. } | Origin::Teller => None,
        };
        if let Some(answer) = answer {
            self.insert(&record.cause, answer);
        }
    }

    fn insert(&mut self, event: &EventId, answer: Answer) {
        if self.by_event.insert(event.clone(), answer).is_some() {
            return;
        }
        self.order.push_back(event.clone());
        if self.order.len() > MAX_ANSWERS
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_event.remove(&oldest);
        }
    }
}

/// Each verb is answered with exactly one line of the audit.
fn of_verb(decision: &Decision) -> Option<Answer> {
    let Decision::Audit { result, .. } = decision else { return None };
    Some(match result.strip_prefix("refused: ") {
        Some(why) => Answer::Verb { is_accepted: false, text: why.to_owned() },
        None => {
            let done = result.strip_prefix("accepted: ").unwrap_or(result);
            Answer::Verb { is_accepted: true, text: done.to_owned() }
        }
    })
}

fn of_deployment(decisions: &[Decision]) -> Option<Answer> {
    let ignored = decisions.iter().find_map(|decision| match decision {
        Decision::Proposal(Proposal::Ignored { release, why }) => {
            Some(Answer::Ignored { release: release.clone(), why: why.clone() })
        }
        _ => None,
    });
    let moved = decisions.iter().filter_map(|decision| match decision {
        Decision::Proposal(Proposal::Release(release)) => Some((release.id.clone(), release.state)),
        _ => None,
    });
    ignored.or_else(|| {
        let moved: Vec<_> = moved.take(MAX_MOVED).collect();
        (!moved.is_empty()).then_some(Answer::Moved(moved))
    })
}

#[cfg(test)]
mod tests {
    use model::{Actor, ServiceKey};

    use super::*;

    fn audit(event: &str, result: &str) -> DecisionRecord {
        let actor = Actor::default();
        let (what, why, result) = (String::new(), String::new(), result.to_owned());
        DecisionRecord {
            cause: EventId::from_text(event),
            origin: Origin::Arbiter { epoch: 1, answers: model::Position(1) },
            decisions: vec![Decision::Audit { actor, about: ServiceKey::default(), what, why, result }],
            ..DecisionRecord::default()
        }
    }

    #[test]
    fn a_verbs_answer_is_its_line_of_the_audit() {
        let mut answers = Answers::default();
        for (event, result, is_accepted, text) in [
            ("evt_1", "accepted: approved, rolling back to 2.4.0", true, "approved, rolling back to 2.4.0"),
            ("evt_2", "refused: 2.4.1 is marked bad", false, "2.4.1 is marked bad"),
            ("evt_3", "accepted", true, "accepted"),
        ] {
            answers.note(&audit(event, result));
            let expected = Answer::Verb { is_accepted, text: text.to_owned() };
            assert_eq!(answers.get(&EventId::from_text(event)), Some(&expected));
        }
    }

    #[test]
    fn the_oldest_answers_make_room() {
        let mut answers = Answers::default();
        (0..=MAX_ANSWERS).for_each(|number| answers.note(&audit(&format!("evt_{number}"), "accepted: done")));
        let has = |number: usize| answers.get(&EventId::from_text(format!("evt_{number}"))).is_some();
        assert_eq!((has(0), has(1), has(MAX_ANSWERS)), (false, true, true));
        assert_eq!((answers.by_event.len(), answers.order.len()), (MAX_ANSWERS, MAX_ANSWERS));
    }
}
