//! Random histories beside a small reference model: what may never happen does not, whatever comes in what order.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::{
    Command, CommandId, CommandMode, CommandState, Decision, Labels, NoticeKind, NoticeStatus, Timestamp,
};
use proptest::{prelude::*, test_runner::TestCaseResult};

use super::script::Run;

const MAX_AGE: Duration = Duration::from_secs(60);
const PER: Duration = Duration::from_secs(600);

/// What anybody who reads the decisions, and the halts that were asked for, must be able to say.
#[derive(Debug, Default)]
struct Reference {
    commands: BTreeMap<CommandId, Command>,
    bad: BTreeSet<(String, String, String)>,
    halts: BTreeMap<String, (HaltOf, Timestamp)>,
    firing: BTreeSet<Labels>,
    notice_ids: BTreeSet<String>,
    highest_fencing: u64,
    automatic: Vec<(Timestamp, String, String)>,
}

#[derive(Clone, Debug)]
enum HaltOf {
    All,
    Environment(String),
    Service(String),
}

impl HaltOf {
    fn covers(&self, service: &str, environment: &str) -> bool {
        match self {
            Self::All => true,
            Self::Environment(it) => it == environment,
            Self::Service(it) => it == service,
        }
    }
}

fn service() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["cart", "checkout", "search", "late env=staging", "cart env=staging"])
}

fn version() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["1.0.0", "1.1.0", "1.2.0", "2.0.0"])
}

/// `SERVICE VERSION` with the options of the service behind it.
fn release() -> impl Strategy<Value = (String, String)> {
    (service(), version()).prop_map(|(service, version)| {
        let (name, options) = service.split_once(' ').unwrap_or((service, ""));
        (format!("{name} {version}"), options.to_owned())
    })
}

fn option_of(name: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
    let value = prop::option::of(prop::sample::select(values));
    value.prop_map(move |value| value.map(|value| format!(" {name}={value}")).unwrap_or_default())
}

fn words(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words)
}

const VERSIONS: &[&str] = &["1.0.0", "1.1.0", "1.2.0", "2.0.0"];

/// What happens, without its time.
fn happening() -> impl Strategy<Value = String> {
    let opened = (
        release(),
        words(&["watching", "progressing", "pending"]),
        option_of("previous", VERSIONS),
        option_of("floor", &["1.0.0", "1.2.0"]),
        option_of("revertible", &["false"]),
    )
        .prop_map(|((release, options), state, previous, floor, revertible)| {
            let (service, version) = release.split_once(' ').unwrap_or_default();
            format!("release {service} {version} {state} {options}{previous}{floor}{revertible}")
        });
    let plain_opened = release()
        .prop_map(|(release, options)| format!("release {release} watching {options} previous=0.9.0"));
    let ended = (
        release(),
        words(&[
            "succeeded",
            "unproven",
            "superseded",
            "cancelled",
            "rolled_back",
            "rollback_failed",
            "recovered",
        ]),
    )
        .prop_map(|((release, options), state)| format!("release {release} {state} {options}"));
    let breach = (
        release(),
        words(&["error_rate", "response_time"]),
        option_of("action", &["immediate_rollback", "prepare_rollback", "alert_team"]),
        option_of("before", &["0.02"]),
        option_of("age", &["59s", "61s"]),
    )
        .prop_map(|((release, options), trigger, action, before, age)| {
            format!("breach {release} {trigger} {options}{action}{before}{age}")
        });
    let plain_breach = (release(), words(&["error_rate", "response_time"]))
        .prop_map(|((release, options), trigger)| format!("breach {release} {trigger} {options}"));
    let breach_ended = (release(), words(&["error_rate", "response_time"]))
        .prop_map(|((release, options), trigger)| format!("ended {release} {trigger} {options}"));
    let limit = (service(), words(&["on", "off"])).prop_map(|(service, state)| {
        let (name, options) = service.split_once(' ').unwrap_or((service, ""));
        format!("limit {name} error_rate {state} {options}")
    });
    let finding = (release(), words(&["sender_silent", "ambiguous_version", "torn"]), words(&["on", "off"]))
        .prop_map(|((release, options), kind, state)| format!("finding {release} {kind} {state} {options}"));
    let outcome = (
        release(),
        words(&["accepted", "succeeded", "failed", "refused"]),
        option_of("attempt", &["2", "3"]),
        option_of("stale", &["yes"]),
    )
        .prop_map(|((release, options), status, attempt, stale)| {
            format!("outcome {release} {status} {options}{attempt}{stale}")
        });
    let rollback = (release(), option_of("to", VERSIONS), option_of("by", &["bob"]))
        .prop_map(|((release, options), to, by)| format!("rollback {release} {options}{to}{by}"));
    let approve =
        (release(), option_of("attempt", &["2"]), option_of("to", VERSIONS), option_of("by", &["bob"]))
            .prop_map(|((release, options), attempt, to, by)| {
                format!("approve {release} {options}{attempt}{to}{by}")
            });
    let other_verb = (release(), words(&["reject", "cancel", "promote", "hold", "clear"]))
        .prop_map(|((release, options), verb)| format!("{verb} {release} {options}"));
    let halt =
        (words(&["h1", "h2"]), words(&["", " env=production", " service=cart"]), words(&["0s", "30s", "5m"]))
            .prop_map(|(id, scope, span)| format!("halt {id} for={span} reason=r{scope}"));
    prop_oneof![
        3 => opened,
        8 => plain_opened,
        3 => ended,
        4 => breach,
        8 => plain_breach,
        2 => breach_ended,
        2 => limit,
        1 => finding,
        4 => outcome,
        2 => rollback,
        3 => approve,
        1 => other_verb,
        1 => halt,
        1 => words(&["h1", "h2"]).prop_map(|id| format!("unhalt {id}")),
        1 => Just("tick".to_owned()),
    ]
}

fn policy() -> impl Strategy<Value = String> {
    (
        prop_oneof![4 => Just(String::new()), 1 => option_of("mode", &["approve", "observe", "advise"])],
        option_of("targets", &["one", "one", "two", "one", "none"]),
        option_of("approvals", &["1", "2"]),
        option_of("cooldown", &["0s", "1s", "10m"]),
        option_of("max_rollbacks", &["1", "2"]),
        option_of("settle", &["0s", "5s"]),
    )
        .prop_map(|(mode, targets, approvals, cooldown, max_rollbacks, settle)| {
            format!("policy{mode}{targets}{approvals}{cooldown}{max_rollbacks}{settle}")
        })
}

/// Lines of a script: mostly seconds apart, now and then minutes or hours.
fn history() -> impl Strategy<Value = Vec<String>> {
    let pause = prop_oneof![6 => 0_u64..4, 2 => 5_u64..100, 1 => 500_u64..4000];
    let lines = prop::collection::vec((pause, happening()), 1..60);
    (policy(), lines).prop_map(|(policy, lines)| {
        let mut at = 0;
        let lines = lines.into_iter().map(|(pause, happening)| {
            at += pause;
            format!("{at}s {happening}")
        });
        std::iter::once(policy).chain(lines).collect()
    })
}

impl Reference {
    fn take(&mut self, run: &Run, line: &str, decisions: &[Decision]) -> TestCaseResult {
        let now = run.now;
        let happening = line.split_once(' ').map_or("", |(_, happening)| happening);
        // Timers come first, and a halt is over at its end, not after it.
        self.halts.retain(|_, (_, until)| *until > now);
        for decision in decisions {
            self.take_decision(now, happening, decision)?;
        }
        self.note_halts(now, happening);
        let audits = decisions.iter().filter(|it| matches!(it, Decision::Audit { .. })).count();
        let verbs = ["rollback", "approve", "reject", "cancel", "promote", "hold", "clear", "halt", "unhalt"];
        let is_verb = verbs.contains(&happening.split(' ').next().unwrap_or_default());
        prop_assert_eq!(audits, usize::from(is_verb), "every verb is audited once, and nothing else");
        self.compare(run)
    }

    fn take_decision(&mut self, now: Timestamp, happening: &str, decision: &Decision) -> TestCaseResult {
        match decision {
            Decision::Proposal(_) => prop_assert!(false, "a proposal is not the arbiter's to record"),
            Decision::Command(command) => self.take_command(now, happening, command)?,
            Decision::Notice(notice) => {
                prop_assert!(self.notice_ids.insert(notice.id.to_string()), "a notice's id is its own");
                prop_assert!(notice.kind != NoticeKind::Alert);
                match notice.status {
                    NoticeStatus::Firing => drop(self.firing.insert(notice.labels.clone())),
                    // Good news is over as soon as it is said.
                    NoticeStatus::Resolved if notice.kind == NoticeKind::Recovered => {}
                    NoticeStatus::Resolved => {
                        prop_assert!(self.firing.remove(&notice.labels), "only what fires is resolved");
                    }
                }
            }
            Decision::BadVersion { service, environment, version, is_bad, .. } => {
                let bad = (service.clone(), environment.clone(), version.clone());
                if *is_bad {
                    self.bad.insert(bad)
                } else {
                    self.bad.remove(&bad)
                };
            }
            Decision::Halt { .. } | Decision::Audit { .. } => {}
        }
        Ok(())
    }

    fn take_command(&mut self, now: Timestamp, happening: &str, command: &Command) -> TestCaseResult {
        let before = self.commands.insert(command.id.clone(), command.clone());
        prop_assert_eq!(&command.id, &CommandId::of(&command.release.id, "rollback", command.attempt));
        let is_intent = command.state == CommandState::Ready
            && before
                .as_ref()
                .is_none_or(|it| it.state != CommandState::Ready || it.fencing != command.fencing);
        if is_intent {
            self.take_intent(now, happening, command)?;
        }
        if before.is_none() && command.attempt > 1 && !happening.starts_with("rollback ") {
            let earlier = CommandId::of(&command.release.id, "rollback", command.attempt - 1);
            let earlier = self.commands.get(&earlier).map(|it| it.state);
            prop_assert!(
                matches!(earlier, Some(CommandState::Expired | CommandState::Cancelled)),
                "only a person tries again after {earlier:?}"
            );
        }
        let same_release = self.commands.values().filter(|it| it.release.id == command.release.id);
        let ready = same_release.filter(|it| it.state == CommandState::Ready).count();
        prop_assert!(ready <= 1, "never two commands to be sent for one release");
        Ok(())
    }

    fn take_intent(&mut self, now: Timestamp, happening: &str, command: &Command) -> TestCaseResult {
        let key = &command.release.key;
        prop_assert!(!command.reasons.is_empty(), "each has reasons");
        prop_assert!(!command.targets.is_empty(), "each has a target");
        prop_assert!(command.fencing > self.highest_fencing, "fencing numbers grow");
        self.highest_fencing = command.fencing;
        prop_assert_eq!(command.deadline, now + MAX_AGE);
        let to = command.to_version.clone().unwrap_or_default();
        prop_assert!(!to.is_empty(), "each names where it goes to");
        prop_assert_ne!(&to, &command.release.version, "never to itself");
        let target = (key.service.clone(), key.environment.clone(), to);
        prop_assert!(!self.bad.contains(&target), "never to a bad version");
        let is_halted = self.halts.values().any(|(of, _)| of.covers(&key.service, &key.environment));
        prop_assert!(
            !is_halted || happening.starts_with("rollback "),
            "under a halt only on a person's order"
        );
        let is_prepared = command.mode == CommandMode::Approved;
        prop_assert_eq!(is_prepared, !command.approved_by.is_empty(), "approved by somebody, or by nobody");
        if !is_prepared {
            prop_assert!(now.since(command.evidence_at) <= MAX_AGE, "nothing acts on old evidence");
            self.automatic.push((now, key.environment.clone(), key.service.clone()));
        }
        Ok(())
    }

    fn note_halts(&mut self, now: Timestamp, happening: &str) {
        let mut words = happening.split(' ');
        let (verb, id) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if verb == "unhalt" {
            self.halts.remove(id);
        }
        if verb != "halt" {
            return;
        }
        let seconds =
            [("for=30s", 30), ("for=5m", 300)].into_iter().find(|(text, _)| happening.contains(text));
        let Some((_, seconds)) = seconds else { return };
        let of = if happening.contains("env=production") {
            HaltOf::Environment("production".into())
        } else if happening.contains("service=cart") {
            HaltOf::Service("cart".into())
        } else {
            HaltOf::All
        };
        self.halts.insert(id.to_owned(), (of, now + Duration::from_secs(seconds)));
    }

    /// What the decisions told is what the arbiter holds.
    fn compare(&self, run: &Run) -> TestCaseResult {
        let held: BTreeMap<CommandId, CommandState> =
            run.arbiter.commands().map(|command| (command.id.clone(), command.state)).collect();
        let told: BTreeMap<CommandId, CommandState> =
            self.commands.iter().map(|(id, command)| (id.clone(), command.state)).collect();
        prop_assert_eq!(held, told);
        let bad: BTreeSet<(String, String, String)> = run
            .arbiter
            .bad_versions()
            .map(|bad| (bad.key.service.clone(), bad.key.environment.clone(), bad.version.clone()))
            .collect();
        prop_assert_eq!(&bad, &self.bad);
        let halts: Vec<&str> = run.arbiter.halts().map(|halt| halt.id.as_str()).collect();
        prop_assert_eq!(halts, self.halts.keys().map(String::as_str).collect::<Vec<_>>());
        for command in run.arbiter.commands().filter(|command| command.state == CommandState::Ready) {
            let key = &command.release.key;
            let halt = run.arbiter.is_halted(&key.service, &key.environment);
            prop_assert!(
                halt.is_none() || command.mode == CommandMode::Approved,
                "a halt cancels what is queued"
            );
        }
        prop_assert!(run.arbiter.poll_timeout().is_none_or(|due| due > run.now), "what was due is done");
        Ok(())
    }

    /// No more services of one environment rolled back by themselves within the storm's time than allowed.
    fn check_storm(&self, max_rollbacks: usize) -> TestCaseResult {
        for (at, environment, _) in &self.automatic {
            let within = self
                .automatic
                .iter()
                .filter(|(other, of, _)| of == environment && other <= at && *at < *other + PER);
            let services: BTreeSet<&String> = within.map(|(_, _, service)| service).collect();
            prop_assert!(services.len() <= max_rollbacks, "{} services rolled back", services.len());
        }
        Ok(())
    }
}

fn max_rollbacks(policy: &str) -> usize {
    let option = policy.split(' ').find_map(|option| option.strip_prefix("max_rollbacks="));
    option.and_then(|value| value.parse().ok()).unwrap_or(5)
}

/// Everything that can go on comes to an end.
fn ends_of_everything(last: &str) -> Vec<String> {
    let at: u64 = last.split('s').next().and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut lines = Vec::new();
    for (service, options) in
        [("cart", ""), ("checkout", ""), ("search", ""), ("late", "env=staging"), ("cart", "env=staging")]
    {
        for version in VERSIONS {
            for trigger in ["error_rate", "response_time"] {
                lines.push(format!("{at}s ended {service} {version} {trigger} {options}"));
            }
            for kind in ["sender_silent", "ambiguous_version", "torn"] {
                lines.push(format!("{at}s finding {service} {version} {kind} off {options}"));
            }
            lines.push(format!("{at}s release {service} {version} superseded {options}"));
        }
    }
    lines.push(format!("{}s tick", at + 100_000));
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn what_may_never_happen_does_not(history in history()) {
        let (mut run, mut reference) = (Run::default(), Reference::default());
        for line in &history {
            let decisions = run.step(line);
            reference.take(&run, line, &decisions)?;
        }
        reference.check_storm(max_rollbacks(&history[0]))?;
    }

    #[test]
    fn everything_that_fires_is_resolved_when_everything_has_ended(history in history()) {
        let (mut run, mut reference) = (Run::default(), Reference::default());
        let ends = history.last().map(|last| ends_of_everything(last)).unwrap_or_default();
        for line in history.iter().chain(&ends) {
            let decisions = run.step(line);
            reference.take(&run, line, &decisions)?;
        }
        prop_assert_eq!(&reference.firing, &BTreeSet::new());
        prop_assert!(run.arbiter.poll_timeout().is_none(), "nothing is left to wait for");
    }

    #[test]
    fn the_same_history_gives_the_same_decisions_without_the_ticks_that_decided_nothing(history in history()) {
        let mut live = Run::default();
        let mut restored = Run::default();
        for (line, number) in history.iter().zip(1..) {
            let decisions = live.step(line);
            if !line.ends_with(" tick") || !decisions.is_empty() {
                prop_assert_eq!(restored.numbered_step(number, line), decisions);
            }
        }
        prop_assert_eq!(restored.arbiter.poll_timeout(), live.arbiter.poll_timeout());
    }

    #[test]
    fn one_that_goes_on_from_a_checkpoint_decides_the_same(
        history in history(),
        restarts in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let (mut live, mut restored) = (Run::default(), Run::default());
        let restarts: BTreeSet<usize> = restarts.iter().map(|it| it.index(history.len())).collect();
        for (at, line) in history.iter().enumerate() {
            if restarts.contains(&at) {
                restored.restart();
                prop_assert_eq!(restored.arbiter.state(), live.arbiter.state());
            }
            prop_assert_eq!(restored.step(line), live.step(line), "{}", line);
            prop_assert_eq!(restored.arbiter.poll_timeout(), live.arbiter.poll_timeout());
        }
    }

    #[test]
    fn a_timeout_before_its_time_decides_nothing(history in history()) {
        let mut run = Run::default();
        for line in &history {
            run.step(line);
            run.arbiter.handle_timeout(run.now);
            prop_assert_eq!(run.arbiter.poll_decision(), None);
        }
    }
}
