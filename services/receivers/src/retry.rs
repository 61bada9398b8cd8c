//! Attempts to deliver one message: bounded in number and time, `Retry-After` obeyed.
//!
//! What an attempt got done stays with it ([`Attempt`] keeps its own state), so that a retry goes on where the
//! last one broke off and nobody reads the same line twice.

use std::{future::Future, time::Duration};

/// How often and how fast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) attempts: u32,
    /// Pause after the first failure; doubles with each further one.
    pub(crate) first_pause: Duration,
    pub(crate) max_pause: Duration,
    /// All attempts and pauses together. A `Retry-After` that leads beyond it ends the delivery: asking earlier
    /// than the endpoint wants would only be refused again, and the failure has to become visible.
    pub(crate) budget: Duration,
}

impl Default for Policy {
    /// Enough to outlast a restart or a rate limit of a minute.
    fn default() -> Self {
        Self {
            attempts: 6,
            first_pause: Duration::from_millis(500),
            max_pause: Duration::from_secs(30),
            budget: Duration::from_secs(180),
        }
    }
}

impl Policy {
    /// The pause after attempt `n` (from 1): exponential, ±25 % by a hash of the message's id: repeatable, and
    /// messages that failed together do not come back together.
    fn pause(&self, n: u32, message: &str) -> Duration {
        let doubled =
            self.first_pause.saturating_mul(1_u32.checked_shl(n.saturating_sub(1)).unwrap_or(u32::MAX));
        let hash = model::id::stable_hash(&[message, &n.to_string()]);
        let spread = u32::from_str_radix(&hash[..4], 16).unwrap_or(0x8000);
        doubled.min(self.max_pause).mul_f64(0.75 + 0.5 * f64::from(spread) / 65_536.0)
    }
}

/// Why an attempt failed; without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection, no answer, 408, 425, 429, 5xx, SMTP 4xx.
    Retryable { detail: String, retry_after: Option<Duration> },
    /// The endpoint understood and refused; the same message would be refused again.
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

/// A message on its way through one channel.
pub(crate) trait Attempt: Send {
    /// Tries to get done what is not done yet; `Ok` says how the endpoint put it.
    fn attempt(&mut self) -> impl Future<Output = Result<String, Failure>> + Send;
}

/// Tries until it is delivered or given up: how many attempts were made, and the detail either way.
pub(crate) async fn run(
    policy: Policy,
    message: &str,
    attempt: &mut impl Attempt,
    on_attempt: impl Fn(bool) + Send,
) -> (u32, Result<String, String>) {
    let end = tokio::time::Instant::now() + policy.budget;
    let mut made = 0;
    loop {
        made += 1;
        let result = attempt.attempt().await;
        on_attempt(result.is_ok());
        let (detail, retry_after) = match result {
            Ok(detail) => return (made, Ok(detail)),
            Err(Failure::Final { detail }) => return (made, Err(detail)),
            Err(Failure::Retryable { detail, retry_after }) => (detail, retry_after),
        };
        if made >= policy.attempts {
            return (made, Err(format!("gave up after {made} attempts: {detail}")));
        }
        let pause = retry_after.unwrap_or_default().max(policy.pause(made, message));
        if end.saturating_duration_since(tokio::time::Instant::now()) < pause {
            let waited = format!("gave up after {made} attempts: {detail}; another one would come too late");
            return (made, Err(waited));
        }
        tokio::time::sleep(pause).await;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Script(Vec<Result<String, Failure>>);

    impl Attempt for Script {
        async fn attempt(&mut self) -> Result<String, Failure> {
            if self.0.len() > 1 { self.0.remove(0) } else { self.0[0].clone() }
        }
    }

    fn busy(seconds: u64) -> Result<String, Failure> {
        Err(Failure::Retryable { detail: "429".into(), retry_after: Some(Duration::from_secs(seconds)) })
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_end_with_success_with_a_final_answer_or_when_they_are_spent() {
        let ok = || Ok("ok".to_owned());
        for (script, attempts, at_least_seconds, result, why) in [
            (vec![ok()], 1, 0, Ok("ok"), "the first one gets through"),
            (vec![busy(7), busy(11), ok()], 3, 18, Ok("ok"), "Retry-After is obeyed"),
            (vec![Err(Failure::last("404"))], 1, 0, Err("404"), "a final answer is not asked for twice"),
            (
                vec![Err(Failure::retryable("502"))],
                6,
                11,
                Err("gave up after 6 attempts: 502"),
                "the pauses double, then it is enough",
            ),
            (
                vec![busy(3600)],
                1,
                0,
                Err("gave up after 1 attempts: 429; another one would come too late"),
                "an endpoint that wants an hour of rest gets it",
            ),
        ] {
            let start = tokio::time::Instant::now();
            let (made, got) = run(Policy::default(), "snd_1", &mut Script(script), |_| {}).await;
            assert_eq!((made, got), (attempts, result.map(str::to_owned).map_err(str::to_owned)), "{why}");
            assert!(start.elapsed() >= Duration::from_secs(at_least_seconds), "{why}: {:?}", start.elapsed());
        }
    }

    proptest! {
        #[test]
        fn no_pause_is_longer_than_the_longest(n in 0_u32..100, id in ".{0,12}") {
            let policy = Policy::default();
            prop_assert!(policy.pause(n, &id) <= policy.max_pause.mul_f64(1.25));
        }
    }
}
