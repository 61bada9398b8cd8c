//! Attempts at one target, one after the other: until one is answered, the command's deadline, or the gate's no.
//!
//! Knows nothing of HTTP: an attempt is a future, what came of it says whether another one may help.

use std::{future::Future, time::Duration};

use model::{Command, OutcomeStatus, Timestamp};

use crate::{
    Gate, Refusal,
    breaker::{Admission, Breakers},
    fencing::Fence,
};

/// How often and how fast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// `None`: as many as the time until the deadline allows. The pauses bound them.
    pub(crate) attempts: Option<u32>,
    /// Pause after the first failure; doubles with each further one.
    pub(crate) first_pause: Duration,
    pub(crate) max_pause: Duration,
    /// A target's `Retry-After` is honoured up to this: longer, and the evidence would be stale anyway.
    pub(crate) max_retry_after: Duration,
}

impl Default for Policy {
    /// A target that restarts is back within seconds, so pauses stay short: some 15 attempts until the usual
    /// deadline of 60 s. A target that is down is asked by all commands together once per
    /// [`crate::breaker::OPEN_FOR`].
    fn default() -> Self {
        Self {
            attempts: None,
            first_pause: Duration::from_millis(500),
            max_pause: Duration::from_secs(5),
            max_retry_after: Duration::from_secs(30),
        }
    }
}

impl Policy {
    /// The pause after attempt `n` (from 1): exponential, ±25 % by a hash of the command's id, so that commands
    /// that failed together do not come back together and yet each run is repeatable.
    pub(crate) fn pause(&self, n: u32, command: &str) -> Duration {
        let doubled =
            self.first_pause.saturating_mul(1_u32.checked_shl(n.saturating_sub(1)).unwrap_or(u32::MAX));
        let hash = model::id::stable_hash(&[command, &n.to_string()]);
        let spread = u32::from_str_radix(&hash[..4], 16).unwrap_or(0x8000);
        doubled.min(self.max_pause).mul_f64(0.75 + 0.5 * f64::from(spread) / 65_536.0)
    }
}

/// Before the deadline there is room for one more attempt of this length: as long as a target that works takes at
/// most, short beside the deadline.
const LAST_ATTEMPT: Duration = Duration::from_secs(2);

/// Why an attempt failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Another attempt may succeed: no connection, no answer, 408, 425, 429, 5xx.
    Retryable { detail: String, retry_after: Option<Duration> },
    /// The target understood and refused, or must not be asked; the same request would fail again.
    Final { detail: String },
}

impl Failure {
    pub(crate) fn retryable(detail: impl Into<String>) -> Self {
        Self::Retryable { detail: detail.into(), retry_after: None }
    }

    pub(crate) fn last(detail: impl Into<String>) -> Self {
        Self::Final { detail: detail.into() }
    }
}

/// What came of all attempts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) status: OutcomeStatus,
    pub(crate) is_stale: bool,
    /// Of a failure: a new command may get through later.
    pub(crate) is_retryable: bool,
    pub(crate) attempts: u32,
    pub(crate) detail: String,
}

/// What all attempts at one target share.
pub(crate) struct Attempts<'a> {
    pub(crate) command: &'a Command,
    pub(crate) gate: &'a dyn Gate,
    pub(crate) fence: &'a Fence,
    /// `None`: what sends the attempts spares a target that is down by itself.
    pub(crate) breakers: Option<&'a Breakers>,
    /// The breaker's key.
    pub(crate) target: &'a str,
    pub(crate) policy: Policy,
    pub(crate) clock: fn() -> Timestamp,
    /// Longest time for one attempt.
    pub(crate) timeout: Duration,
    /// An attempt is not begun with less time than this before the deadline.
    pub(crate) needs: Duration,
    /// Called after each attempt with `true` if it succeeded.
    pub(crate) on_attempt: &'a (dyn Fn(bool) + Sync),
}

/// Why there is no further attempt.
enum Stop {
    Refused(Refusal),
    NoTime(&'static str),
}

impl Attempts<'_> {
    /// Tries until something final happens. `attempt` gets its moment and the time it may take, which it has to
    /// keep by itself ([`within`], where nothing has to be cleaned up).
    pub(crate) async fn run<F, A>(&self, success: OutcomeStatus, mut attempt: F) -> Report
    where
        F: FnMut(Timestamp, Duration) -> A,
        A: Future<Output = Result<String, Failure>>,
    {
        let mut last: Option<String> = None;
        let mut made = 0;
        loop {
            let now = match self.admitted().await {
                Ok(now) => now,
                Err(stop) => return stopped(stop, made, last),
            };
            made += 1;
            let left = self.command.deadline.since(now).min(self.timeout);
            let result = attempt(now, left).await;
            let is_alive = !matches!(result, Err(Failure::Retryable { .. }));
            if let Some(breakers) = self.breakers {
                breakers.record(self.target, is_alive, tokio::time::Instant::now());
            }
            (self.on_attempt)(result.is_ok());
            let report = |status, detail| Report {
                status,
                is_stale: false,
                is_retryable: false,
                attempts: made,
                detail,
            };
            let (detail, retry_after) = match result {
                Ok(detail) => return report(success, detail),
                Err(Failure::Final { detail }) => return report(OutcomeStatus::Failed, detail),
                Err(Failure::Retryable { detail, retry_after }) => (detail, retry_after),
            };
            if self.policy.attempts.is_some_and(|most| made >= most) {
                let detail = format!("gave up after {made} attempts: {detail}");
                return Report { is_retryable: true, ..report(OutcomeStatus::Failed, detail) };
            }
            last = Some(detail);
            let Some(pause) = self.pause_before_next(made, retry_after) else {
                return stopped(Stop::NoTime("no time is left for another attempt"), made, last);
            };
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            let detail = last.as_deref().unwrap_or_default();
            tracing::warn!(
                target = self.target,
                attempt = made,
                detail,
                pause_ms,
                "an attempt failed and is made again"
            );
            tokio::time::sleep(pause).await;
        }
    }

    /// How long to wait after `made` attempts; `None`: there is no time for another one. A pause that would end
    /// behind the deadline is cut so that one more attempt is made before it, unless the target asked for the pause.
    fn pause_before_next(&self, made: u32, retry_after: Option<Duration>) -> Option<Duration> {
        let asked = retry_after.map(|asked| asked.min(self.policy.max_retry_after)).unwrap_or_default();
        let pause = asked.max(self.policy.pause(made, self.command.id.as_str()));
        if self.has_time_for(pause) {
            return Some(pause);
        }
        let last_chance = self.left().checked_sub(LAST_ATTEMPT.max(self.needs))?;
        (last_chance >= asked.max(self.policy.first_pause)).then_some(last_chance)
    }

    /// Waits for the breaker, then asks deadline, fence and gate, in this order and with nothing after them: the
    /// gate's word must not be older than the send.
    async fn admitted(&self) -> Result<Timestamp, Stop> {
        if let Some(breakers) = self.breakers {
            self.wait_for(breakers).await;
        }
        let now = (self.clock)();
        let verdict = if now >= self.command.deadline {
            Err(Stop::NoTime("the deadline has passed"))
        } else if let Err(highest) = self.fence.admit(self.command) {
            let mine = self.command.fencing;
            let reason = format!(
                "fenced: a newer command ({highest} > {mine}) was seen for the same service, environment and cluster"
            );
            Err(Stop::Refused(Refusal { reason, is_stale: false }))
        } else {
            self.gate.check(self.command).map_err(Stop::Refused)
        };
        if verdict.is_err()
            && let Some(breakers) = self.breakers
        {
            breakers.abandon(self.target);
        }
        verdict.map(|()| now)
    }

    async fn wait_for(&self, breakers: &Breakers) {
        while let Admission::Wait(pause) = breakers.admit(self.target, tokio::time::Instant::now()) {
            // The circuit spares the target; it must not cost the command its last attempt.
            let until_last_chance = self.left().saturating_sub(LAST_ATTEMPT);
            tokio::time::sleep(pause.min(until_last_chance)).await;
            if until_last_chance <= pause {
                break;
            }
        }
    }

    fn has_time_for(&self, pause: Duration) -> bool {
        (self.clock)() + pause + self.needs < self.command.deadline
    }

    fn left(&self) -> Duration {
        self.command.deadline.since((self.clock)())
    }
}

/// Cuts an attempt off.
pub(crate) async fn within<T>(
    limit: Duration,
    attempt: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, attempt).await {
        Ok(result) => result,
        Err(_) => Err(Failure::retryable(format!("no answer within {limit:?}"))),
    }
}

/// Without an attempt nothing was sent, which is `Refused`; with one nobody knows what the target made of it,
/// which is `Failed` unless the command was stopped. Evidence that became too old while the target did not answer
/// is the deadline by another name.
fn stopped(stop: Stop, attempts: u32, last: Option<String>) -> Report {
    let history =
        last.map_or(String::new(), |last| format!(" (after {attempts} attempts, the last one: {last})"));
    match stop {
        Stop::Refused(Refusal { reason, is_stale: true }) if attempts > 0 => Report {
            status: OutcomeStatus::Failed,
            is_stale: false,
            is_retryable: true,
            attempts,
            detail: format!("{reason}{history}"),
        },
        Stop::Refused(refusal) => Report {
            status: OutcomeStatus::Refused,
            is_stale: refusal.is_stale,
            is_retryable: false,
            attempts,
            detail: format!("{}{history}", refusal.reason),
        },
        Stop::NoTime(reason) => Report {
            status: if attempts == 0 { OutcomeStatus::Refused } else { OutcomeStatus::Failed },
            is_stale: false,
            is_retryable: attempts > 0,
            attempts,
            detail: format!("{reason}{history}"),
        },
    }
}

#[cfg(test)]
mod tests;
