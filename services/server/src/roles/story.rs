//! The story of each release in the log: opened, broken, decided, tried, over. Told once, by the process whose
//! arbiter decides. Messages are constants and values are fields; what somebody must act on is WARN or ERROR.

use model::{
    Breach, Command, CommandState, Decision, DecisionRecord, FindingKind, Outcome, OutcomeStatus, Proposal,
    Release, ReleaseState,
};

/// Tells what a record says: proposals of an analyzer, or the arbiter's own answer.
pub(crate) fn tell(record: &DecisionRecord) {
    record.decisions.iter().for_each(tell_decision);
}

fn tell_decision(decision: &Decision) {
    match decision {
        Decision::Proposal(proposal) => tell_proposal(proposal),
        Decision::Command(command) => tell_command(command),
        Decision::Halt { halt, is_active: true } => {
            let (id, by, reason, until) = (&halt.id, &halt.by, &halt.reason, halt.until);
            tracing::warn!(halt = %id, by, reason, %until, scope = ?halt.scope, "automatic action is halted");
        }
        Decision::Halt { halt, is_active: false } => tracing::info!(halt = %halt.id, "a halt is over"),
        Decision::BadVersion { service, environment, version, is_bad: true, why, .. } => {
            tracing::info!(service, environment, version, why, "a version is marked bad");
        }
        Decision::BadVersion { service, environment, version, is_bad: false, why, .. } => {
            tracing::info!(service, environment, version, why, "a version is not bad any more");
        }
        Decision::Audit { actor, about: _, what, why, result } => {
            let (actor, via) = (&actor.name, &actor.via);
            tracing::info!(actor, via, what, why, result, "a person's order was answered");
        }
        Decision::Notice(_) => {}
    }
}

fn tell_proposal(proposal: &Proposal) {
    match proposal {
        Proposal::Release(release) => tell_release(release),
        Proposal::Breach(breach) => tell_breach(breach),
        Proposal::BreachEnded { key, release, trigger } => {
            let release = release.as_ref().map(|it| it.id.as_str());
            tracing::info!(service = %key.service, environment = %key.environment, release, trigger, "a limit holds again");
        }
        Proposal::Finding(finding) => {
            let (key, text) = (&finding.key, &finding.text);
            let release = finding.release.as_ref().map(|it| it.id.as_str());
            let (service, environment) = (&key.service, &key.environment);
            match (finding.is_active, finding.kind) {
                (true, FindingKind::SenderSilent) => {
                    tracing::warn!(
                        service,
                        environment,
                        release,
                        text,
                        "nothing can be judged: its sender is silent"
                    );
                }
                (true, kind) => {
                    tracing::warn!(
                        service,
                        environment,
                        release,
                        ?kind,
                        text,
                        "something is wrong with the data"
                    );
                }
                (false, kind) => {
                    tracing::info!(service, environment, release, ?kind, text, "a finding is over")
                }
            }
        }
        Proposal::Outcome(outcome) => tell_outcome(outcome),
        Proposal::Ignored { release, why } => {
            let release = release.as_ref().map(|it| it.as_str());
            tracing::info!(release, why, "a deployment event changed nothing");
        }
        Proposal::StagePassed { release, stage } => {
            tracing::info!(release = %release.id, stage, "a stage is passed");
        }
        Proposal::PolicyLoad(load) => tracing::info!(origin = load.origin, "a policy is in force"),
        Proposal::BreachContinues(_)
        | Proposal::Limit(_)
        | Proposal::Alert { .. }
        | Proposal::Verb { .. }
        | Proposal::Delivery(_) => {}
    }
}

/// Opened, moved, or ended with a verdict.
fn tell_release(release: &Release) {
    let (id, service, environment) = (&release.id, &release.key.service, &release.key.environment);
    let (version, why) = (&release.version, &release.state_reason);
    let state = release.state.as_str();
    let previous = release.previous_version.as_deref();
    match release.state {
        ReleaseState::RollbackFailed => {
            tracing::error!(release = %id, service, environment, version, state, why, "a release could not be rolled back: somebody must act");
        }
        ReleaseState::Unproven => {
            tracing::warn!(release = %id, service, environment, version, state, why, "a release ended its watch unproven");
        }
        _ => {
            tracing::info!(release = %id, service, environment, version, previous, state, why, "a release moved")
        }
    }
}

fn tell_breach(breach: &Breach) {
    let (service, environment) = (&breach.key.service, &breach.key.environment);
    let release = breach.release.as_ref().map(|it| it.id.as_str());
    let reason = &breach.reason;
    let (trigger, condition) = (&reason.trigger, &reason.condition);
    let first = reason.evidence.first();
    let (value, limit) = (first.map(|it| it.value), first.map(|it| it.limit));
    let (requests, errors) = (first.map(|it| it.requests), first.map(|it| it.errors));
    let (action, cause) = (breach.action.as_str(), &reason.cause);
    tracing::warn!(
        service, environment, release, trigger, condition, value, limit, requests, errors, action, %cause,
        "a limit is broken"
    );
}

fn tell_command(command: &Command) {
    let (id, release, attempt) = (&command.id, &command.release.id, command.attempt);
    let (service, version) = (&command.release.key.service, &command.release.version);
    let (to, why) = (command.to_version.as_deref(), &command.state_reason);
    let (mode, deadline) = (command.mode.as_str(), command.deadline);
    match command.state {
        CommandState::Prepared => {
            tracing::warn!(command = %id, %release, service, version, to, attempt, why, %deadline, "a rollback waits for approval");
        }
        CommandState::Ready => {
            tracing::info!(command = %id, %release, service, version, to, attempt, mode, %deadline, "a rollback is decided");
        }
        CommandState::Failed => {
            tracing::error!(command = %id, %release, service, version, to, attempt, why, "a rollback failed");
        }
        CommandState::Expired => {
            tracing::error!(command = %id, %release, service, version, to, attempt, why, "a rollback was approved by nobody and expired");
        }
        state => {
            let state = state.as_str();
            tracing::info!(command = %id, %release, service, version, to, attempt, state, why, "a rollback moved");
        }
    }
}

fn tell_outcome(outcome: &Outcome) {
    let (command, release) = (&outcome.command, &outcome.release.id);
    let (target, attempts, detail) = (&outcome.target, outcome.attempts, &outcome.detail);
    match outcome.status {
        OutcomeStatus::Accepted | OutcomeStatus::Succeeded => {
            let status = outcome.status.as_str();
            tracing::info!(%command, %release, target, status, attempts, detail, "a target took a command");
        }
        OutcomeStatus::Refused => {
            tracing::warn!(%command, %release, target, attempts, detail, "a command was not sent");
        }
        OutcomeStatus::Failed => {
            let is_retryable = outcome.is_retryable;
            tracing::error!(%command, %release, target, attempts, is_retryable, detail, "a target could not carry a command out");
        }
    }
}
