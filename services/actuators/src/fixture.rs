//! A command and its surroundings, for tests.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use model::{
    BaselineKind, BaselineValue, Command, CommandId, CommandMode, CommandState, CommandVerb, ErrorBound,
    EventId, Evidence, Position, Reason, ReleaseId, ReleaseRef, ServiceKey, TargetRef, Test, Timestamp,
};
use policy::{EffectivePolicy, Policy as Rules, Target, Unresolved};
use prometheus::Registry;
use secrecy::SecretString;

use crate::{Actuators, Gate, Refusal, SecretSource, TargetSource, retry::Policy};

/// 2026-11-23T10:00:00Z.
pub(crate) const DECIDED_AT: Timestamp = Timestamp::from_millis(1_795_428_000_000);

thread_local! {
    static OWN: RefCell<Vec<Target>> = const { RefCell::new(Vec::new()) };
    static START: Cell<Option<tokio::time::Instant>> = const { Cell::new(None) };
}

/// Begins at [`DECIDED_AT`] with the first reading in a test and goes with tokio's (paused) time.
pub(crate) fn paused_clock() -> Timestamp {
    let now = tokio::time::Instant::now();
    let start = START.get().unwrap_or(now);
    START.set(Some(start));
    DECIDED_AT + (now - start)
}

/// Sets [`paused_clock`] back to [`DECIDED_AT`].
pub(crate) fn restart_clock() {
    START.set(Some(tokio::time::Instant::now()));
}

/// The rollback of the story: checkout 2.4.1 breaches its error rate.
pub(crate) fn command() -> Command {
    let key = ServiceKey::new("checkout", "production");
    let release = ReleaseId::from_text("rel_1");
    Command {
        id: CommandId::from_text("cmd_1"),
        attempt: 1,
        verb: CommandVerb::Rollback,
        release: ReleaseRef { id: release, key: key.clone(), cluster: None, version: "2.4.1".into() },
        to_version: Some("2.4.0".into()),
        to_digest: None,
        mode: CommandMode::Immediate,
        state: CommandState::Ready,
        state_reason: String::new(),
        targets: Vec::new(),
        reasons: vec![reason(key)],
        decided_at: DECIDED_AT,
        deadline: DECIDED_AT + Duration::from_secs(60),
        evidence_at: DECIDED_AT - Duration::from_secs(1),
        fencing: 7,
        approvals_needed: 0,
        approved_by: Vec::new(),
    }
}

fn reason(key: ServiceKey) -> Reason {
    Reason {
        trigger: "error_rate".into(),
        condition: "error_rate > 1%".into(),
        key,
        cluster: None,
        version: Some("2.4.1".into()),
        window: Duration::from_secs(300),
        hold: Duration::ZERO,
        evidence: vec![Evidence {
            metric: "error_rate".into(),
            value: 0.083,
            limit: 0.01,
            requests: 18_231,
            errors: 1513,
            coverage: 0.97,
            baseline: Some(BaselineValue {
                kind: BaselineKind::Beside { version: "2.4.0".into() },
                value: 0.0009,
                requests: 20_000,
            }),
            test: Test::Exact { level: 0.0001, tail_probability: 1e-12 },
            error_bound: ErrorBound::Exact,
            comparison: None,
        }],
        evidence_at: DECIDED_AT - Duration::from_secs(1),
        cause: EventId::from_text("evt_1"),
        position: Position(42),
    }
}

pub(crate) fn webhook(url: &str, secret_file: Option<&str>) -> Target {
    Target::Webhook {
        url: url.into(),
        secret_file: secret_file.map(str::to_owned),
        headers: BTreeMap::new(),
        timeout: Duration::from_secs(10),
    }
}

/// Puts the target into the configuration of this test, and gives the reference to it.
pub(crate) fn configured(target: Target) -> TargetRef {
    OWN.with_borrow_mut(|own| own.push(target));
    own().target_refs().pop().unwrap()
}

/// As [`configured`], in place of all that was configured before.
pub(crate) fn replaced(target: Target) -> TargetRef {
    OWN.with_borrow_mut(Vec::clear);
    configured(target)
}

fn own() -> EffectivePolicy {
    let mut policy = Rules::default_policy();
    policy.base.targets = Some(OWN.with_borrow(Clone::clone));
    policy.effective("checkout", "production")
}

/// The targets of this test.
pub(crate) struct Configured;

impl TargetSource for Configured {
    fn target(&self, _command: &Command, named: &TargetRef) -> Result<Target, Unresolved> {
        own().resolve(named).cloned()
    }
}

/// A gate that refuses after some checks; `u32::MAX` never does.
pub(crate) struct GateAfter {
    pub(crate) open_for: u32,
    pub(crate) checks: AtomicU32,
}

impl GateAfter {
    pub(crate) fn open() -> Self {
        Self::checks(u32::MAX)
    }

    pub(crate) fn checks(open_for: u32) -> Self {
        Self { open_for, checks: AtomicU32::new(0) }
    }
}

impl Gate for GateAfter {
    fn check(&self, _command: &Command) -> Result<(), Refusal> {
        if self.checks.fetch_add(1, Ordering::Relaxed) < self.open_for {
            return Ok(());
        }
        Err(Refusal { reason: "halted by ada: something is odd".into(), is_stale: false })
    }
}

/// Secrets from a literal table.
pub(crate) struct Secrets(pub(crate) Vec<(&'static str, &'static str)>);

impl SecretSource for Secrets {
    fn secret(&self, file: &str) -> Option<SecretString> {
        self.0.iter().find(|(name, _)| *name == file).map(|(_, secret)| SecretString::from(*secret))
    }
}

/// Actuators with the real clock and pauses of milliseconds, for tests over real sockets.
pub(crate) fn actuators(secrets: Vec<(&'static str, &'static str)>) -> Actuators {
    let policy = Policy {
        attempts: Some(3),
        first_pause: Duration::from_millis(1),
        max_pause: Duration::from_millis(2),
        max_retry_after: Duration::from_millis(5),
    };
    Actuators::new(Arc::new(Secrets(secrets)), Arc::new(Configured), &Registry::new(), telemetry::clock::now)
        .unwrap()
        .with_policy(policy)
}

/// [`command`] at `target`, decided now: for tests with the real clock.
pub(crate) fn command_at(target: Target) -> Command {
    command_of(configured(target))
}

/// As [`command_at`], of a target that is named.
pub(crate) fn command_of(named: TargetRef) -> Command {
    let now = telemetry::clock::now();
    Command { targets: vec![named], decided_at: now, deadline: now + Duration::from_secs(60), ..command() }
}
