//! The policy in force is the one that was loaded last and compiled.

use model::{
    Action, Breach, Decision, EventId, PolicyLoad, Proposal, Reason, Release, ReleaseId, ReleaseState,
    ServiceKey, SharedBlame, Timestamp,
};

use crate::Arbiter;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

const GOOD: &str = "
rollback_triggers:
  error_rate: { threshold: 1%, window: 5m, action: immediate_rollback }
policies:
  - match: { service: checkout, environment: production }
    owner: { team: payments }
    target: { exec: { argv: [undo, '{{service}}'] } }
";

fn load(text: &str) -> Proposal {
    let files = vec![("ripcord.yml".to_owned(), text.to_owned())];
    Proposal::PolicyLoad(Box::new(PolicyLoad { files, origin: "test".into() }))
}

fn commands(loads: &[&str]) -> Vec<String> {
    let release = Release {
        id: ReleaseId::of("checkout", "production", "", "2.4.1", ""),
        key: ServiceKey::new("checkout", "production"),
        version: "2.4.1".into(),
        previous_version: Some("2.4.0".into()),
        revertible: true,
        started_at: NOW,
        state: ReleaseState::Watching,
        ..Release::default()
    };
    let breach = Breach {
        key: release.key.clone(),
        release: Some(release.reference()),
        action: Action::ImmediateRollback,
        reason: Reason { trigger: "error_rate".into(), evidence_at: NOW, ..Reason::default() },
        blame: SharedBlame::default(),
    };
    let mut arbiter = Arbiter::new();
    let loads = loads.iter().map(|text| load(text));
    let proposals = [Proposal::Release(Box::new(release)), Proposal::Breach(Box::new(breach))];
    for proposal in loads.chain(proposals) {
        arbiter.handle_proposal(NOW, &EventId::from_text("evt"), &proposal);
    }
    let decisions = std::iter::from_fn(|| arbiter.poll_decision());
    let commands = decisions.filter_map(|decision| match decision {
        Decision::Command(command) => {
            Some(format!("{} by {} targets", command.state.as_str(), command.targets.len()))
        }
        _ => None,
    });
    commands.collect()
}

#[test]
fn a_loaded_policy_acts_and_a_broken_one_leaves_it_in_force() {
    for (why, loads, expected) in [
        ("nothing is executed before the first load", vec![], "cancelled by 0 targets"),
        ("the loaded one names a target", vec![GOOD], "ready by 1 targets"),
        ("a broken one leaves it in force", vec![GOOD, "rollback_triggers: ["], "ready by 1 targets"),
        ("a later one replaces it", vec![GOOD, "{}"], "cancelled by 0 targets"),
    ] {
        assert_eq!(commands(&loads), [expected], "{why}");
    }
}
