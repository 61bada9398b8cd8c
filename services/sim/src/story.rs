//! One run as text, for whoever looks into a failure.

use model::{Decision, DecisionRecord, EventBody, Origin, Position, Proposal, Send};

/// Lines, if somebody reads them.
#[derive(Debug)]
pub(crate) struct Story {
    is_told: bool,
    pub(crate) lines: Vec<String>,
}

impl Story {
    pub(crate) fn new(is_told: bool) -> Self {
        Self { is_told, lines: Vec::new() }
    }

    pub(crate) fn tell(&mut self, second: i64, text: impl FnOnce() -> String) {
        if self.is_told {
            self.lines.push(format!("{second:>5}s {}", text()));
        }
    }

    pub(crate) fn tell_event(&mut self, second: i64, body: &EventBody) {
        match body {
            EventBody::Deployment(event) => self.tell(second, || {
                format!(
                    "<- {:?} {} {} of {:?} %",
                    event.status, event.key, event.version, event.traffic_percentage
                )
            }),
            EventBody::Verb(verb) => self.tell(second, || format!("<- {:?}", verb.kind)),
            EventBody::Outcome(outcome) => {
                let (id, status) = (&outcome.command, outcome.status.as_str());
                self.tell(second, || format!("<- outcome {id} {status} {}", outcome.detail));
            }
            EventBody::Alerts(alerts) => self.tell(second, || format!("<- {alerts:?}")),
            EventBody::PolicyLoad(load) => self.tell(second, || format!("<- policy ({})", load.origin)),
            _ => {}
        }
    }

    pub(crate) fn tell_message(&mut self, second: i64, number: usize, send: &Send, is_delivered: bool) {
        for notice in &send.notices {
            self.tell(second, || {
                let is = if is_delivered { "hears" } else { "does not hear" };
                let (id, receiver, status) = (&send.id, &send.receiver, notice.status);
                format!("=> {receiver} {is} {id} of process {number}: {status:?} {}", notice.labels)
            });
        }
    }

    pub(crate) fn tell_record(&mut self, second: i64, at: Position, record: &DecisionRecord) {
        if let Origin::Claim { .. } | Origin::Clock { .. } = record.origin {
            self.tell(second, || format!("at {}: {:?}", at.0, record.origin));
        }
        for decision in &record.decisions {
            match decision {
                Decision::Proposal(Proposal::Release(release)) => self.tell(second, || {
                    let name = format!("{} {} {}", release.id, release.key, release.version);
                    format!("release {name}: {}, {}", release.state, release.state_reason)
                }),
                Decision::Proposal(Proposal::Breach(breach)) => self.tell(second, || {
                    let version = breach.release.as_ref().map_or("(no release)", |it| &it.version);
                    let shown = breach.reason.evidence.first();
                    let shown = shown.map(|it| format!("{:.3}, {}/{}", it.value, it.errors, it.requests));
                    format!("breach {} {version} {} {shown:?}", breach.key, breach.reason.condition)
                }),
                Decision::Proposal(Proposal::BreachEnded { key, trigger, .. }) => {
                    self.tell(second, || format!("no more {trigger} {key}"));
                }
                Decision::Proposal(Proposal::Limit(limit)) => {
                    let is = if limit.is_exceeded { "exceeds" } else { "is within" };
                    self.tell(second, || format!("{} {is} {}", limit.key, limit.condition));
                }
                Decision::Proposal(Proposal::Finding(finding)) => {
                    let is = if finding.is_active { "" } else { "no more " };
                    self.tell(second, || format!("{is}{:?} {}: {}", finding.kind, finding.key, finding.text));
                }
                Decision::Command(command) => self.tell(second, || {
                    let to = command.to_version.as_deref().unwrap_or("?");
                    let (key, version) = (&command.release.key, &command.release.version);
                    let state = command.state.as_str();
                    let (id, fencing) = (&command.id, command.fencing);
                    format!("{id}#{fencing} {key} {version} to {to}: {state} {}", command.state_reason)
                }),
                Decision::Notice(notice) => self.tell(second, || {
                    let until = notice.ends_at.map(|it| it.to_string()).unwrap_or_default();
                    format!("notice {:?} {} until {until}", notice.status, notice.labels)
                }),
                _ => {}
            }
        }
    }
}
