//! Scripted attempts in paused time.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use proptest::prelude::*;

use super::*;
use crate::fixture::{self, DECIDED_AT, GateAfter, paused_clock};

fn busy(retry_after_seconds: Option<u64>) -> Result<String, Failure> {
    Err(Failure::Retryable {
        detail: "503".into(),
        retry_after: retry_after_seconds.map(Duration::from_secs),
    })
}

/// Runs `script` (its last entry repeats) and tells the moments of the attempts in milliseconds.
async fn run(
    script: Vec<Result<String, Failure>>,
    gate: &GateAfter,
    command: &Command,
) -> (Report, Vec<i64>) {
    fixture::restart_clock();
    let moments = Mutex::new(Vec::new());
    let (fence, breakers) = (Fence::default(), Breakers::default());
    let attempts = Attempts {
        command,
        gate,
        fence: &fence,
        breakers: Some(&breakers),
        needs: Duration::ZERO,
        target: "a",
        policy: Policy::default(),
        clock: paused_clock,
        timeout: Duration::from_secs(10),
        on_attempt: &|_| {},
    };
    let report = attempts
        .run(OutcomeStatus::Accepted, |now, _| {
            let mut moments = moments.lock().unwrap();
            let at = moments.len().min(script.len() - 1);
            moments.push(now.as_millis() - DECIDED_AT.as_millis());
            let answer = match &script[at] {
                Ok(detail) => Ok(detail.clone()),
                Err(Failure::Final { detail }) => Err(Failure::last(detail.clone())),
                Err(Failure::Retryable { detail, retry_after }) => {
                    Err(Failure::Retryable { detail: detail.clone(), retry_after: *retry_after })
                }
            };
            async move { answer }
        })
        .await;
    (report, moments.into_inner().unwrap())
}

#[tokio::test(start_paused = true)]
async fn attempts_end_with_success_or_with_a_final_answer() {
    let ok = || Ok("202 Accepted".to_owned());
    for (script, status, attempts, detail, why) in [
        (vec![ok()], OutcomeStatus::Accepted, 1, "202 Accepted", "the first one gets through"),
        (
            vec![busy(None), busy(None), ok()],
            OutcomeStatus::Accepted,
            3,
            "202 Accepted",
            "the third one does",
        ),
        (
            vec![Err(Failure::last("404"))],
            OutcomeStatus::Failed,
            1,
            "404",
            "a final answer is not asked for twice",
        ),
    ] {
        let (report, _) = run(script, &GateAfter::open(), &fixture::command()).await;
        assert_eq!(
            (report.status, report.attempts, report.detail.as_str()),
            (status, attempts, detail),
            "{why}"
        );
        assert!(!report.is_retryable, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_down_is_tried_until_the_deadline_and_one_that_comes_back_before_it_gets_the_command()
 {
    let (report, moments) = run(vec![busy(None)], &GateAfter::open(), &fixture::command()).await;
    assert_eq!((report.status, report.is_retryable), (OutcomeStatus::Failed, true), "{report:?}");
    assert!(report.attempts >= 12, "{moments:?}");
    assert!(report.detail.starts_with("no time is left for another attempt"), "{report:?}");
    let last = *moments.last().unwrap();
    assert!((55_000..60_000).contains(&last), "the last one is made right before the deadline: {moments:?}");
    for down_for in 1..moments.len() {
        let script = (0..down_for).map(|_| busy(None)).chain([Ok("202".to_owned())]).collect();
        let (report, _) = run(script, &GateAfter::open(), &fixture::command()).await;
        assert_eq!((report.status, report.attempts as usize), (OutcomeStatus::Accepted, down_for + 1));
    }
}

#[tokio::test(start_paused = true)]
async fn evidence_that_becomes_too_old_between_attempts_is_a_failure_that_may_be_tried_again() {
    let gate = StaleAfter(2, AtomicU32::new(0));
    let command = fixture::command();
    let attempts = Attempts {
        command: &command,
        gate: &gate,
        fence: &Fence::default(),
        breakers: Some(&Breakers::default()),
        needs: Duration::ZERO,
        target: "a",
        policy: Policy::default(),
        clock: paused_clock,
        timeout: Duration::from_secs(10),
        on_attempt: &|_| {},
    };
    let report = attempts.run(OutcomeStatus::Accepted, |_, _| async { busy(None) }).await;
    assert_eq!((report.status, report.is_retryable), (OutcomeStatus::Failed, true));
    assert_eq!(report.detail, "the evidence is too old (after 2 attempts, the last one: 503)");
}

/// Calls the evidence too old after some checks.
struct StaleAfter(u32, AtomicU32);

impl Gate for StaleAfter {
    fn check(&self, _: &Command) -> Result<(), Refusal> {
        if self.1.fetch_add(1, Ordering::Relaxed) < self.0 {
            return Ok(());
        }
        Err(Refusal { reason: "the evidence is too old".into(), is_stale: true })
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_double_and_retry_after_is_honoured_up_to_its_cap() {
    let (_, moments) = run(vec![busy(None)], &GateAfter::open(), &fixture::command()).await;
    let pauses: Vec<i64> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (pause, nominal) in pauses.iter().zip([500, 1000, 2000, 4000, 5000]) {
        assert!((nominal * 3 / 4..=nominal * 5 / 4).contains(pause), "{pauses:?}");
    }
    let script = vec![busy(Some(7)), busy(Some(3600)), Ok(String::new())];
    let (_, moments) = run(script, &GateAfter::open(), &fixture::command()).await;
    assert_eq!(moments[1] - moments[0], 7000);
    assert_eq!(moments[2] - moments[1], 30_000);
}

#[tokio::test(start_paused = true)]
async fn a_halt_between_two_attempts_stops_the_command_and_the_outcome_says_what_went_before() {
    let gate = GateAfter::checks(2);
    let (report, moments) = run(vec![busy(None)], &gate, &fixture::command()).await;
    assert_eq!((report.status, report.attempts, moments.len()), (OutcomeStatus::Refused, 2, 2));
    assert_eq!(report.detail, "halted by ada: something is odd (after 2 attempts, the last one: 503)");
    assert_eq!(gate.checks.load(Ordering::Relaxed), 3, "asked once before each attempt");
}

#[tokio::test(start_paused = true)]
async fn stale_evidence_is_told_apart_from_a_halt() {
    struct Stale;
    impl Gate for Stale {
        fn check(&self, _: &Command) -> Result<(), Refusal> {
            Err(Refusal { reason: "the evidence is older than 60 s".into(), is_stale: true })
        }
    }
    let command = fixture::command();
    let attempts = Attempts {
        command: &command,
        gate: &Stale,
        fence: &Fence::default(),
        breakers: Some(&Breakers::default()),
        needs: Duration::ZERO,
        target: "a",
        policy: Policy::default(),
        clock: paused_clock,
        timeout: Duration::from_secs(10),
        on_attempt: &|_| {},
    };
    let report = attempts.run(OutcomeStatus::Accepted, |_, _| async { Ok(String::new()) }).await;
    assert_eq!((report.status, report.is_stale, report.attempts), (OutcomeStatus::Refused, true, 0));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_the_deadline_and_an_attempt_may_not_outlast_it() {
    let mut command = fixture::command();
    command.deadline = DECIDED_AT;
    let (report, moments) = run(vec![Ok(String::new())], &GateAfter::open(), &command).await;
    assert_eq!((report.status, moments.len()), (OutcomeStatus::Refused, 0));

    command.deadline = DECIDED_AT + Duration::from_secs(8);
    let (report, moments) = run(vec![busy(Some(6))], &GateAfter::open(), &command).await;
    assert_eq!((report.status, moments.len()), (OutcomeStatus::Failed, 2), "{report:?}");
    assert!(report.detail.starts_with("no time is left for another attempt"), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_cut_off_and_counts_as_retryable() {
    paused_clock();
    let (command, gate) = (fixture::command(), GateAfter::open());
    let attempts = Attempts {
        command: &command,
        gate: &gate,
        fence: &Fence::default(),
        breakers: Some(&Breakers::default()),
        needs: Duration::ZERO,
        target: "a",
        policy: Policy { attempts: Some(2), ..Policy::default() },
        clock: paused_clock,
        timeout: Duration::from_secs(3),
        on_attempt: &|_| {},
    };
    let report = attempts.run(OutcomeStatus::Accepted, |_, left| within(left, std::future::pending())).await;
    assert_eq!(report.detail, "gave up after 2 attempts: no answer within 3s");
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_makes_the_next_command_wait_and_never_costs_it_its_last_attempt() {
    paused_clock();
    let (gate, fence, breakers) = (GateAfter::open(), Fence::default(), Breakers::default());
    let mut command = fixture::command();
    command.deadline = DECIDED_AT + Duration::from_secs(600);
    let spent = |_, _| async { busy(None) };
    let attempts = |command| Attempts {
        command,
        gate: &gate,
        fence: &fence,
        breakers: Some(&breakers),
        needs: Duration::ZERO,
        target: "a",
        policy: Policy { attempts: Some(5), ..Policy::default() },
        clock: paused_clock,
        timeout: Duration::from_secs(10),
        on_attempt: &|_| {},
    };
    attempts(&command).run(OutcomeStatus::Accepted, spent).await;
    let opened = paused_clock();
    let report = attempts(&command).run(OutcomeStatus::Accepted, |_, _| async { Ok("200".into()) }).await;
    assert_eq!(report.status, OutcomeStatus::Accepted);
    assert_eq!(paused_clock().since(opened), crate::breaker::OPEN_FOR, "it waited for the circuit");

    attempts(&command).run(OutcomeStatus::Accepted, spent).await;
    let opened = paused_clock();
    let hurried = Command { deadline: opened + Duration::from_secs(4), ..command.clone() };
    let report = attempts(&hurried).run(OutcomeStatus::Accepted, |_, _| async { Ok("200".into()) }).await;
    assert_eq!(report.status, OutcomeStatus::Accepted);
    assert_eq!(
        paused_clock().since(opened),
        Duration::from_secs(2),
        "before the circuit, and before the deadline"
    );
}

proptest! {
    #[test]
    fn no_pause_is_longer_than_the_longest_and_the_same_command_pauses_the_same(n in 0_u32..100, id in ".{0,12}") {
        let policy = Policy::default();
        prop_assert!(policy.pause(n, &id) <= policy.max_pause.mul_f64(1.25));
        prop_assert_eq!(policy.pause(n, &id), policy.pause(n, &id));
    }
}
