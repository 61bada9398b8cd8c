//! What a checkpoint shows of records that retention has taken: what is still in force, and the audit. Timelines and
//! deliveries of that time are gone with them.

use model::{Checkpoint, DecisionRecord, Standing, checkpoint::ReleaseRecord};

use super::{AuditLine, BadVersionLine, Projection, ReleaseView, push_bounded};

impl Projection {
    /// Takes over a checkpoint's state, before the log is read from its first record that is left: that may be older
    /// than the checkpoint, and then says again what is known.
    pub fn restore(&mut self, checkpoint: &Checkpoint) {
        let arbiter = &checkpoint.arbiter;
        self.standing = Standing::of_partial_log();
        self.restored_standing = checkpoint.standing.clone();
        let mut releases: Vec<&ReleaseRecord> =
            arbiter.places.iter().flat_map(|place| &place.releases).collect();
        releases.sort_by_key(|record| record.opened);
        for ReleaseRecord { release, .. } in releases {
            self.releases.insert(release.id.clone(), ReleaseView::opened(release.state_since, release));
            self.order.push_back(release.id.clone());
        }
        self.forget_old_releases();
        for record in &arbiter.commands {
            self.apply_command(record.command.decided_at, &record.command);
        }
        for bad in &arbiter.bad_versions {
            let id = (bad.key.clone(), bad.cluster.clone(), bad.version.clone());
            let (key, cluster, version) = id.clone();
            let line = BadVersionLine { at: bad.since, key, cluster, version, why: bad.why.clone() };
            self.bad_versions.insert(id, line);
            self.forget_old_bad_versions();
        }
        self.halts = arbiter.halts.iter().map(|halt| (halt.id.clone(), halt.clone())).collect();
        self.restored_audit.clone_from(&checkpoint.audit);
    }

    /// Shows the audit lines that are older than the log's first record; it has the others itself.
    pub(super) fn show_restored_audit(&mut self, first: &DecisionRecord) {
        for entry in std::mem::take(&mut self.restored_audit) {
            if entry.at < first.at {
                let (at, actor, about) = (entry.at, entry.actor, entry.about);
                let (what, why, result) = (entry.what, entry.why, entry.result);
                push_bounded(&mut self.audit, AuditLine { at, actor, about, what, why, result });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{
        Actor, AuditEntry, BadVersion, Decision, Halt, HaltId, HaltScope, Origin, Position, Release,
        ReleaseId, ServiceKey, Timestamp,
        checkpoint::{ArbiterState, PlaceState},
    };

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn audit(second: i64, what: &str) -> AuditEntry {
        AuditEntry { at: at(second), what: what.into(), ..AuditEntry::default() }
    }

    fn key() -> ServiceKey {
        ServiceKey::new("checkout", "production")
    }

    fn checkpoint() -> Checkpoint {
        let release = Release { id: ReleaseId::from_text("rel_1"), key: key(), ..Release::default() };
        let record = ReleaseRecord { release, ..ReleaseRecord::default() };
        let halt = Halt {
            id: HaltId::from_text("hlt_1"),
            scope: HaltScope::All,
            reason: "maintenance".into(),
            until: at(9000),
            by: "ann".into(),
        };
        let arbiter = ArbiterState {
            places: vec![PlaceState { releases: vec![record], last_automatic: None }],
            halts: vec![halt],
            bad_versions: vec![BadVersion { key: key(), version: "0.9".into(), ..BadVersion::default() }],
            ..ArbiterState::default()
        };
        Checkpoint { arbiter, audit: vec![audit(10, "halt"), audit(30, "approve")], ..Checkpoint::default() }
    }

    #[test]
    fn what_is_in_force_is_shown_and_no_audit_line_twice() {
        let mut projection = Projection::default();
        projection.restore(&checkpoint());
        // The log that is left begins at second 20, in the middle of what an arbiter wrote whose claim is gone.
        let decision = Decision::Audit {
            actor: Actor::default(),
            about: ServiceKey::default(),
            what: "approve".into(),
            why: String::new(),
            result: String::new(),
        };
        for (position, second, decisions) in [(7, 20, Vec::new()), (8, 30, vec![decision])] {
            let origin = Origin::Arbiter { epoch: 3, answers: Position(position - 1) };
            let record = DecisionRecord { at: at(second), origin, decisions, ..DecisionRecord::default() };
            assert_eq!(projection.apply(Position(position), &record), None, "it counts");
        }
        let lines: Vec<_> = projection.audit().map(|line| line.what.as_str()).collect();
        assert_eq!(lines, ["approve", "halt"], "newest first");
        assert_eq!(projection.halts().count(), 1);
        assert!(projection.bad_version(&key(), "0.9").is_some());
        assert!(projection.release(&ReleaseId::from_text("rel_1")).is_some());
    }
}
