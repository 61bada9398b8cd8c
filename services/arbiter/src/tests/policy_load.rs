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

/// Whom a notice about a release is for, by what the policy and the release say.
fn owner(policy: &str, named: model::Owner) -> String {
    let release = Release {
        id: ReleaseId::of("checkout", "production", "", "2.4.1", ""),
        key: ServiceKey::new("checkout", "production"),
        owner: Some(named),
        state: ReleaseState::Watching,
        ..Release::default()
    };
    let mut arbiter = Arbiter::new();
    for proposal in [load(policy), Proposal::Release(Box::new(release))] {
        arbiter.handle_proposal(NOW, &EventId::from_text("evt"), &proposal);
    }
    let told = std::iter::from_fn(|| arbiter.poll_decision()).find_map(|decision| match decision {
        Decision::Notice(notice) => Some(notice),
        _ => None,
    });
    let notice = told.unwrap();
    let owner = notice.owner.clone().unwrap_or_default();
    let parts = [notice.labels.get("team").map(str::to_owned), owner.slack, owner.email];
    parts.map(|part| part.unwrap_or_else(|| "-".to_owned())).join(" ")
}

#[test]
fn a_release_names_its_owner_only_where_the_policy_does_not_and_only_who_is_listed() {
    let named = |team: &str, slack: &str, email: &str| model::Owner {
        team: Some(team.to_owned()),
        slack: Some(slack.to_owned()),
        email: Some(email.to_owned()),
        mention: None,
    };
    let listed =
        "defaults: { release_owners: { teams: [shop], channels: [\"#shop\"], domains: [example.org] } }\n";
    let whole =
        "policies: [ { match: {}, owner: { team: payments, slack: \"#pay\", email: p@example.org } } ]\n";
    let part = "policies: [ { match: {}, owner: { team: payments } } ]\n";
    for (policy, release, expected, why) in [
        (
            whole.to_owned(),
            named("evil", "#evil", "x@evil.example"),
            "payments #pay p@example.org",
            "the policy first",
        ),
        (
            format!("{listed}{whole}"),
            named("shop", "#shop", "s@example.org"),
            "payments #pay p@example.org",
            "listed or not",
        ),
        (part.to_owned(), named("shop", "#shop", "s@example.org"), "payments - -", "nobody is listed"),
        (
            format!("{listed}{part}"),
            named("shop", "#shop", "s@example.org"),
            "payments #shop s@example.org",
            "a gap is filled",
        ),
        (
            format!("{listed}{part}"),
            named("shop", "#evil", "s@example.org, x@evil.example"),
            "payments - s@example.org",
            "with who is listed",
        ),
        (listed.to_owned(), named("shop", "#shop", "x@evil.example"), "shop #shop -", "all of it is a gap"),
        (
            "{}".to_owned(),
            named("evil", "#evil", "x@evil.example"),
            "- - -",
            "no team's route is chosen either",
        ),
    ] {
        assert_eq!(owner(&policy, release), expected, "{why}");
    }
}
