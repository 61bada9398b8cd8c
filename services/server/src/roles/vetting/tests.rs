//! Commands that somebody wrote onto the log.

use model::{
    CommandState, CommandVerb, Decision, DecisionRecord, EventId, Origin, Partition, Position, Proposal,
    Release, ReleaseId, ReleaseState, ServiceKey, Timestamp,
};

use super::*;

fn record(position: u64, decision: Decision) -> DecisionRecord {
    DecisionRecord {
        origin: Origin::Analyzer,
        cause: EventId::from_text("evt_1"),
        partition: Partition::HOME,
        position: Position(position),
        at: Timestamp::default(),
        decisions: vec![decision],
    }
}

/// checkout 2.0.0 went out after 1.0.0, and 0.9.0 is marked bad.
fn seen(first: u64) -> Projection {
    let mut projection = Projection::default();
    let release = Release {
        id: ReleaseId::of("checkout", "production", "", "2.0.0", ""),
        key: ServiceKey::new("checkout", "production"),
        version: "2.0.0".into(),
        previous_version: Some("1.0.0".into()),
        state: ReleaseState::Watching,
        ..Release::default()
    };
    let bad = Decision::BadVersion {
        service: "checkout".into(),
        environment: "production".into(),
        cluster: None,
        version: "0.9.0".into(),
        digest: None,
        is_bad: true,
        why: "it was rolled back".into(),
    };
    let opened = Decision::Proposal(Proposal::Release(Box::new(release)));
    for (at, decision) in [(first, opened), (first + 1, bad)] {
        assert_eq!(projection.apply(Position(at), &record(at, decision)), None);
    }
    projection
}

fn command(attempt: u32, to: &str, mode: CommandMode) -> Command {
    let release = seen(0).releases().next().unwrap().release.reference();
    Command {
        id: CommandId::of(&release.id, "rollback", attempt),
        attempt,
        verb: CommandVerb::Rollback,
        release,
        to_version: Some(to.to_owned()),
        to_digest: None,
        mode,
        state: CommandState::Ready,
        state_reason: String::new(),
        targets: Vec::new(),
        reasons: Vec::new(),
        decided_at: Timestamp::default(),
        deadline: Timestamp::default(),
        evidence_at: Timestamp::default(),
        fencing: 1,
        approvals_needed: 1,
        approved_by: Vec::new(),
    }
}

#[test]
fn a_command_that_the_log_speaks_against_is_not_carried_out() {
    use CommandMode::{Approved, Immediate};
    let foreign_id = Command { attempt: 2, ..command(1, "1.0.0", Immediate) };
    for (first, command, reason, why) in [
        (0, command(1, "1.0.0", Immediate), None, "the version before"),
        (0, command(3, "v1.0.0", Immediate), None, "a later attempt, and another spelling"),
        (0, foreign_id, Some("foreign_id"), "an id that is no hash of what it is about"),
        (0, command(1, "0.9.0", Approved), Some("bad_version"), "whoever approved it"),
        (0, command(1, "6.6.6", Immediate), Some("unknown_version"), "never heard of"),
        (0, command(1, "6.6.6", Approved), None, "a person may force a version"),
        (7, command(1, "6.6.6", Immediate), None, "retention has taken what may have named it"),
    ] {
        let verdict = vet(&seen(first), &command);
        assert_eq!(verdict.err().as_ref().map(Unfit::reason), reason, "{why}");
    }
}
