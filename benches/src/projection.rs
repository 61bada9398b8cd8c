//! What people query: rebuilt from the decisions log at every start, in memory. Measured here so that the choice
//! against a database on disk can be seen: what the rebuild costs, and what a look costs.

use console::Projection;
use model::{
    Action, Breach, Command, CommandId, CommandMode, CommandState, CommandVerb, Decision, DecisionRecord,
    Delivery, DeliveryResult, Evidence, Position, Proposal, Reason, Release, ReleaseId, ReleaseState, SendId,
    ServiceKey, SharedBlame, Timestamp,
};

use crate::clock::{Cost, timed};

/// Rollbacks in the log: each is seven records, and as many as are kept for show.
const ROLLBACKS: u64 = 10_000;
/// Services that they are of.
const SERVICES: u64 = 2_000;

pub(crate) struct ProjectionCost {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
    /// Decoding and applying a record.
    pub(crate) rebuild: Cost,
    /// Looking a release up by its id.
    pub(crate) look: Cost,
}

pub(crate) fn measure() -> Result<ProjectionCost, proto::DecodeError> {
    let log: Vec<Vec<u8>> = (0..ROLLBACKS).flat_map(rollback).collect();
    let mut projection = Projection::default();
    let mut result = Ok(());
    let rebuild = timed(|| {
        for (at, bytes) in (0..).zip(&log) {
            match proto::decode_decision(bytes) {
                Ok(record) => drop(projection.apply(Position(at), &record)),
                Err(error) => result = Err(error),
            }
        }
    });
    result?;
    let ids: Vec<ReleaseId> = (0..ROLLBACKS).map(|n| release(n).id).collect();
    let mut found = 0;
    let look = timed(|| found = ids.iter().filter(|id| projection.release(id).is_some()).count());
    assert_eq!(found, ids.len(), "every release is shown");
    Ok(ProjectionCost {
        records: log.len(),
        bytes: log.iter().map(Vec::len).sum(),
        rebuild: rebuild / log.len() as f64,
        look: look / ids.len() as f64,
    })
}

/// A release goes out, breaks a limit, is rolled back, and two receivers are told.
fn rollback(n: u64) -> Vec<Vec<u8>> {
    let release = release(n);
    let now = |state| Decision::Proposal(Proposal::Release(Box::new(Release { state, ..release.clone() })));
    let command = |state| Decision::Command(Box::new(command(&release, state)));
    let lines = [
        now(ReleaseState::Watching),
        Decision::Proposal(Proposal::Breach(Box::new(breach(&release)))),
        command(CommandState::Ready),
        command(CommandState::Succeeded),
        delivered(&release, "sre"),
        delivered(&release, "payments"),
        now(ReleaseState::RolledBack),
    ];
    let records = (0..).zip(lines).map(|(at, line)| DecisionRecord {
        position: Position(n * 10 + at + 1),
        at: Timestamp::from_millis((n * 10 + at) as i64),
        decisions: vec![line],
        ..DecisionRecord::default()
    });
    records.map(|record| proto::encode_decision(&record)).collect()
}

pub(crate) fn release(n: u64) -> Release {
    let (service, version) = (format!("service-{}", n % SERVICES), format!("2.4.{n}"));
    Release {
        id: ReleaseId::of(&service, "production", "", &version, ""),
        key: ServiceKey::new(service, "production"),
        version,
        previous_version: Some("2.4.0".to_owned()),
        ..Release::default()
    }
}

pub(crate) fn breach(release: &Release) -> Breach {
    Breach {
        key: release.key.clone(),
        release: Some(release.reference()),
        action: Action::ImmediateRollback,
        reason: reason(),
        blame: SharedBlame::default(),
    }
}

fn reason() -> Reason {
    let evidence = Evidence {
        metric: "error_rate".to_owned(),
        value: 0.083,
        limit: 0.01,
        requests: 18_231,
        errors: 1513,
        ..Evidence::default()
    };
    Reason {
        trigger: "error_rate".to_owned(),
        condition: "error_rate > 1%".to_owned(),
        evidence: vec![evidence],
        ..Reason::default()
    }
}

fn command(release: &Release, state: CommandState) -> Command {
    Command {
        id: CommandId::of(&release.id, "rollback", 1),
        attempt: 1,
        verb: CommandVerb::Rollback,
        release: release.reference(),
        to_version: release.previous_version.clone(),
        to_digest: None,
        mode: CommandMode::Immediate,
        state,
        state_reason: "error_rate > 1%".to_owned(),
        targets: Vec::new(),
        reasons: vec![reason()],
        decided_at: Timestamp::default(),
        deadline: Timestamp::default(),
        evidence_at: Timestamp::default(),
        fencing: 1,
        approvals_needed: 0,
        approved_by: Vec::new(),
    }
}

fn delivered(release: &Release, receiver: &str) -> Decision {
    Decision::Proposal(Proposal::Delivery(Box::new(Delivery {
        send: SendId::of(&[release.id.as_str(), receiver]),
        notices: Vec::new(),
        release: Some(release.reference()),
        receiver: receiver.to_owned(),
        integration: "slack".to_owned(),
        index: 0,
        group_key: format!("{{service={:?}}}", release.key.service),
        result: DeliveryResult::Delivered,
        attempts: 1,
        detail: "200 OK".to_owned(),
        thread: None,
        firing: Vec::new(),
        resolved: Vec::new(),
        recipients: Vec::new(),
    })))
}
