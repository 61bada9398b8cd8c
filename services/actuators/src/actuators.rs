//! All targets of a command, tried together.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use model::{Command, CommandVerb, Outcome, OutcomeStatus, TargetRef, Timestamp, target::KAFKA_TIMEOUT};
use policy::Target;
use prometheus::Registry;
use telemetry::clock::Stopwatch;
use tracing::Instrument as _;

use crate::{
    Error, Gate, SecretSource, TargetSource,
    breaker::Breakers,
    exec,
    fencing::Fence,
    kafka::{self, Publisher},
    metrics::Metrics,
    retry::{Attempts, Policy, Report},
    text::{MAX_DETAIL_CHARS, clip},
    webhook::Webhook,
};

/// How long a command waits for a target that this process's configuration does not have yet: a little longer than the
/// server takes to see that a file changed. The processes' files do not change in the same moment.
const RESOLVE_FOR: Duration = Duration::from_secs(12);

/// Between two looks at the configuration.
const RESOLVE_PAUSE: Duration = Duration::from_secs(1);

/// Executes commands. One a process: fences and circuits are remembered here.
pub struct Actuators {
    secrets: Arc<dyn SecretSource>,
    targets: Arc<dyn TargetSource>,
    clock: fn() -> Timestamp,
    webhook: Webhook,
    publisher: Option<Arc<dyn Publisher>>,
    fence: Fence,
    breakers: Breakers,
    metrics: Metrics,
    policy: Policy,
}

impl std::fmt::Debug for Actuators {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Actuators").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Actuators {
    /// `clock` stamps signatures and keeps deadlines; it is the same as the one that stamps records.
    pub fn new(
        secrets: Arc<dyn SecretSource>,
        targets: Arc<dyn TargetSource>,
        registry: &Registry,
        clock: fn() -> Timestamp,
    ) -> Result<Self, Error> {
        Ok(Self {
            secrets,
            targets,
            clock,
            webhook: Webhook::new(BTreeSet::new())?,
            publisher: None,
            fence: Fence::default(),
            breakers: Breakers::default(),
            metrics: Metrics::register(registry)?,
            policy: Policy::default(),
        })
    }

    /// What publishes to the topics of `kafka` targets; without it their commands fail and say why.
    pub fn with_publisher(self, publisher: Arc<dyn Publisher>) -> Self {
        Self { publisher: Some(publisher), ..self }
    }

    /// Lets targets at these hosts have link-local addresses, which are denied otherwise.
    pub fn with_allowed_hosts(mut self, hosts: BTreeSet<String>) -> Result<Self, Error> {
        self.webhook = Webhook::new(hosts)?;
        Ok(self)
    }

    #[cfg(test)]
    pub(crate) fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Executes a command at all of its targets, together, and returns one outcome a target, in their order. A
    /// command without targets has no outcome: it is shown and told, and nothing is executed.
    ///
    /// The same command again is sent again under the same id: after a crash nobody knows whether the target has
    /// seen it, and the target can tell by the id.
    pub async fn execute(&self, command: &Command, gate: &dyn Gate) -> Vec<Outcome> {
        let span =
            tracing::info_span!("execute", command = %command.id, service = %command.release.key.service);
        let targets = command.targets.iter().map(|named| self.at_target(command, named, gate));
        All::new(targets).instrument(span).await
    }

    async fn at_target(&self, command: &Command, named: &TargetRef, gate: &dyn Gate) -> Outcome {
        let watch = Stopwatch::start();
        let report = match refusal(command) {
            Some(reason) => unsent(OutcomeStatus::Refused, reason),
            None => match self.resolve(command, named, gate).await {
                Ok(target) => self.attempts(command, named, &target, gate).await,
                Err(report) => report,
            },
        };
        let kind = named.kind.as_str();
        self.metrics.seconds.with_label_values(&[kind]).observe(watch.elapsed().as_secs_f64());
        self.metrics.outcomes.with_label_values(&[kind, report.status.as_str()]).inc();
        self.metrics.open_circuits.set(i64::try_from(self.breakers.open()).unwrap_or(i64::MAX));
        let (name, status) = (&named.name, report.status.as_str());
        let (attempts, detail) = (report.attempts, &report.detail);
        if report.status == OutcomeStatus::Failed {
            tracing::error!(target = name, status, attempts, detail, "a command was not carried out");
        } else {
            tracing::info!(target = name, status, attempts, detail, "a command was executed");
        }
        Outcome {
            command: command.id.clone(),
            release: command.release.clone(),
            status: report.status,
            is_stale: report.is_stale,
            is_retryable: report.is_retryable,
            target: named.name.clone(),
            attempts: report.attempts,
            detail: clip(&report.detail, MAX_DETAIL_CHARS),
            actor: None,
        }
    }

    /// What this process's configuration has for the reference, which it may be about to get.
    async fn resolve(&self, command: &Command, named: &TargetRef, gate: &dyn Gate) -> Result<Target, Report> {
        let until = ((self.clock)() + RESOLVE_FOR).min(command.deadline);
        let mut is_told = false;
        loop {
            let unresolved = match self.targets.target(command, named) {
                Ok(target) => return Ok(target),
                Err(unresolved) => unresolved,
            };
            if !std::mem::replace(&mut is_told, true) {
                self.metrics.unresolved.with_label_values(&[named.kind.as_str()]).inc();
                let (target, reason) = (&named.name, unresolved.to_string());
                tracing::error!(
                    target,
                    reason,
                    "a command cannot be carried out by this process as it is configured"
                );
            }
            if let Err(refusal) = gate.check(command) {
                let is_stale = refusal.is_stale;
                return Err(Report { is_stale, ..unsent(OutcomeStatus::Refused, refusal.reason) });
            }
            if (self.clock)() + RESOLVE_PAUSE >= until {
                let detail = unresolved.to_string();
                return Err(Report { is_retryable: true, ..unsent(OutcomeStatus::Failed, detail) });
            }
            tokio::time::sleep(RESOLVE_PAUSE).await;
        }
    }

    async fn attempts(
        &self,
        command: &Command,
        named: &TargetRef,
        target: &Target,
        gate: &dyn Gate,
    ) -> Report {
        let name = &named.name;
        let kind = named.kind.as_str();
        let on_attempt = |is_success| {
            let result = if is_success { "success" } else { "failure" };
            self.metrics.attempts.with_label_values(&[kind, result]).inc();
        };
        let attempts = |policy, timeout| Attempts {
            command,
            gate,
            fence: &self.fence,
            breakers: Some(&self.breakers),
            needs: Duration::ZERO,
            target: name,
            policy,
            clock: self.clock,
            timeout,
            on_attempt: &on_attempt,
        };
        match target {
            Target::Webhook { url, secret_file, headers, timeout } => {
                let parts = (url.expose(), secret_file.as_deref(), headers);
                let request = match self.webhook.prepare(command, parts, &*self.secrets) {
                    Ok(request) => request,
                    Err(reason) => return unsent(OutcomeStatus::Failed, reason),
                };
                let attempts = attempts(self.policy, *timeout);
                attempts
                    .run(OutcomeStatus::Accepted, |now, limit| self.webhook.attempt(&request, now, limit))
                    .await
            }
            Target::Exec { argv, timeout } => {
                let attempts = attempts(Policy { attempts: Some(1), ..self.policy }, *timeout);
                attempts.run(OutcomeStatus::Succeeded, |_, limit| exec::run(argv, command, limit)).await
            }
            Target::Kafka { topic } => {
                let Some(publisher) = &self.publisher else {
                    return unsent(OutcomeStatus::Failed, kafka::NO_PUBLISHER.to_owned());
                };
                let message = match kafka::message(command, topic) {
                    Ok(message) => message,
                    Err(reason) => return unsent(OutcomeStatus::Failed, reason),
                };
                let policy = Policy { max_pause: self.policy.max_pause.min(kafka::MAX_PAUSE), ..self.policy };
                // The client spares brokers that are down by itself, and all topics share it: one that is missing
                // must not keep commands from another.
                let attempts =
                    Attempts { breakers: None, needs: KAFKA_TIMEOUT, ..attempts(policy, target.timeout()) };
                attempts
                    .run(OutcomeStatus::Accepted, |_, limit| kafka::attempt(&**publisher, &message, limit))
                    .await
            }
        }
    }
}

/// What no target is asked to do, whoever made the command.
fn refusal(command: &Command) -> Option<String> {
    let is_rollback = command.verb == CommandVerb::Rollback;
    let names_version = command.to_version.as_deref().is_some_and(|version| !version.is_empty());
    (is_rollback && !names_version).then(|| "the rollback names no version to go back to".to_owned())
}

fn unsent(status: OutcomeStatus, detail: String) -> Report {
    Report { status, is_stale: false, is_retryable: false, attempts: 0, detail }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Polls some futures together until all are done; results in the order of the futures.
struct All<'a, T> {
    slots: Vec<Slot<'a, T>>,
}

enum Slot<'a, T> {
    Running(Boxed<'a, T>),
    Done(Option<T>),
}

impl<'a, T> All<'a, T> {
    fn new<F: Future<Output = T> + Send + 'a>(futures: impl Iterator<Item = F>) -> Self {
        Self { slots: futures.map(|future| Slot::Running(Box::pin(future) as Boxed<'a, T>)).collect() }
    }
}

impl<T: Unpin> Future for All<'_, T> {
    type Output = Vec<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<T>> {
        let mut is_done = true;
        for slot in &mut self.slots {
            if let Slot::Running(future) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *slot = Slot::Done(Some(value)),
                    Poll::Pending => is_done = false,
                }
            }
        }
        if !is_done {
            return Poll::Pending;
        }
        let take = |slot: &mut Slot<'_, T>| match slot {
            Slot::Done(value) => value.take(),
            Slot::Running(_) => None,
        };
        Poll::Ready(self.slots.iter_mut().filter_map(take).collect())
    }
}
