//! Against the double.

use std::sync::{Arc, atomic::Ordering};

use expect_test::expect;
use model::{Outcome, OutcomeStatus};
use policy::Target;

use super::{
    double::{Answer, PublisherDouble},
    *,
};
use crate::fixture::{self, GateAfter};

fn to_topic() -> Target {
    Target::Kafka { topic: "deploy-commands".into() }
}

fn published_by(double: &Arc<PublisherDouble>) -> crate::Actuators {
    fixture::actuators(vec![]).with_publisher(Arc::clone(double) as Arc<dyn Publisher>)
}

async fn execute(double: &Arc<PublisherDouble>, gate: &GateAfter) -> Outcome {
    published_by(double).execute(&fixture::command_at(to_topic()), gate).await.remove(0)
}

#[test]
fn a_command_is_a_cloud_event_in_binary_mode_under_its_services_key() {
    let message = message(&fixture::command(), "deploy-commands").unwrap();
    let headers: Vec<_> = message.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let payload = String::from_utf8(message.payload).unwrap();
    let start = payload.split(",\"reasons\":").next().unwrap();
    expect![[r#"
        deploy-commands checkout/production
        content-type: application/json
        ce_specversion: 1.0
        ce_id: cmd_1
        ce_type: ripcord.rollback.v1
        ce_source: /ripcord
        ce_subject: checkout
        ce_time: 2026-11-23T10:00:00.000Z

        {"type":"ripcord.rollback.v1","id":"cmd_1","release":{"id":"rel_1","service":"checkout","environment":"production","version":"2.4.1"},"to_version":"2.4.0","to_digest":null,"mode":"immediate","reason":{"trigger":"error_rate","condition":"error_rate > 1%","value":0.083,"limit":0.01,"window":"5m","requests":18231,"errors":1513,"baseline":0.0009},"decided_at":"2026-11-23T10:00:00.000Z","deadline":"2026-11-23T10:01:00.000Z","evidence_at":"2026-11-23T09:59:59.000Z","attempt":1,"fencing":7,"approved_by":[]"#]]
    .assert_eq(&format!("{} {}\n{}\n\n{start}", message.topic, message.key, headers.join("\n")));
}

#[tokio::test]
async fn a_busy_broker_is_asked_again_with_the_same_message_and_success_says_where_it_is() {
    let double = Arc::new(PublisherDouble::default());
    double.answer_next([Answer::Busy("no leader"), Answer::Busy("not enough replicas in sync")]);
    let outcome = execute(&double, &GateAfter::open()).await;
    assert_eq!((outcome.status, outcome.attempts), (OutcomeStatus::Accepted, 3), "{outcome:?}");
    assert_eq!(outcome.detail, "partition 0, offset 2, on all replicas in sync");
    assert_eq!(outcome.target, "kafka deploy-commands");
    let messages = double.messages();
    assert_eq!((messages.len(), &messages[0], &messages[1]), (3, &messages[1], &messages[2]));
}

#[tokio::test]
async fn attempts_end_when_they_are_spent_and_a_refusal_is_not_asked_for_twice() {
    for (answer, attempts, detail, why) in [
        (Answer::Busy("no leader"), 3, "gave up after 3 attempts: no leader", "three are enough here"),
        (Answer::Refused("not authorized"), 1, "not authorized", "the same message would be refused again"),
    ] {
        let double = Arc::new(PublisherDouble::default());
        double.answer_always(answer);
        let outcome = execute(&double, &GateAfter::open()).await;
        assert_eq!((outcome.status, outcome.attempts), (OutcomeStatus::Failed, attempts), "{why}");
        assert_eq!((outcome.detail.as_str(), double.messages().len()), (detail, attempts as usize), "{why}");
    }
}

#[tokio::test]
async fn the_gate_is_asked_again_before_each_attempt() {
    let double = Arc::new(PublisherDouble::default());
    double.answer_always(Answer::Busy("no leader"));
    let gate = GateAfter::checks(1);
    let outcome = execute(&double, &gate).await;
    assert_eq!((outcome.status, double.messages().len()), (OutcomeStatus::Refused, 1), "{outcome:?}");
    assert_eq!(gate.checks.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn an_overtaken_command_is_not_published() {
    let double = Arc::new(PublisherDouble::default());
    let newer = fixture::command_at(to_topic());
    let older = Command { fencing: newer.fencing - 1, ..newer.clone() };
    let actuators = published_by(&double);
    actuators.execute(&newer, &GateAfter::open()).await;
    let outcome = actuators.execute(&older, &GateAfter::open()).await.remove(0);
    assert_eq!(outcome.status, OutcomeStatus::Refused);
    assert_eq!(
        outcome.detail,
        "fenced: a newer command (7 > 6) was seen for the same service, environment and cluster"
    );
    assert_eq!(double.messages().len(), 1);
}

#[tokio::test]
async fn nothing_is_handed_over_that_may_still_wait_when_the_commands_time_is_up() {
    let double = Arc::new(PublisherDouble::default());
    let command = fixture::command_at(to_topic());
    let short = Command { deadline: command.decided_at + KAFKA_TIMEOUT / 2, ..command };
    let outcome = published_by(&double).execute(&short, &GateAfter::open()).await.remove(0);
    assert_eq!((outcome.status, double.messages().len()), (OutcomeStatus::Failed, 0), "{outcome:?}");
    assert!(outcome.detail.starts_with("not published: ") && outcome.detail.ends_with(" 5 s"), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_does_not_answer_is_cut_off() {
    let double = Arc::new(PublisherDouble::default());
    double.answer_always(Answer::Hang);
    let message = message(&fixture::command(), "deploy-commands").unwrap();
    let cut = attempt(&*double, &message, KAFKA_TIMEOUT).await;
    assert_eq!(cut, Err(Failure::retryable("no answer within 5s")));
}

/// Eight commands at once, while the brokers give this answer until so many seconds after they were decided.
async fn eight_commands(answer: Answer, seconds: u64) -> Vec<Outcome> {
    fixture::restart_clock();
    let double = Arc::new(PublisherDouble::default());
    double.answer_always(answer);
    let registry = prometheus::Registry::new();
    let actuators = crate::Actuators::new(
        Arc::new(fixture::Secrets(vec![])),
        Arc::new(fixture::Configured),
        &registry,
        fixture::paused_clock,
    )
    .unwrap()
    .with_publisher(Arc::clone(&double) as Arc<dyn Publisher>);
    let gate = GateAfter::open();
    let topic = fixture::configured(to_topic());
    let commands: Vec<Command> = (1..=8)
        .map(|n| {
            let key = model::ServiceKey::new(format!("service-{n}"), "production");
            let command = Command { targets: vec![topic.clone()], ..fixture::command() };
            let release = model::ReleaseRef { key, ..command.release.clone() };
            Command { id: model::CommandId::from_text(format!("cmd_{n}")), release, ..command }
        })
        .collect();
    let executed = async {
        let mut outcomes = Vec::new();
        let mut running = tokio::task::JoinSet::new();
        let (actuators, gate) = (Arc::new(actuators), Arc::new(gate));
        for command in commands {
            let (actuators, gate) = (Arc::clone(&actuators), Arc::clone(&gate));
            running.spawn(async move { actuators.execute(&command, &*gate).await.remove(0) });
        }
        while let Some(outcome) = running.join_next().await {
            outcomes.push(outcome.unwrap());
        }
        outcomes
    };
    let back = async {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        double.answer_always(Answer::Published);
    };
    tokio::join!(executed, back).0
}

#[tokio::test(start_paused = true)]
async fn every_command_gets_through_to_brokers_that_are_back_before_its_deadline() {
    for (answer, seconds, why) in [
        (Answer::Busy("no broker answers"), 18, "a broker that was started again"),
        (Answer::Busy("no broker answers"), 43, "one that needed long"),
        (Answer::Busy("no broker answers"), 53, "one that was back at the last moment"),
        (Answer::Busy("the brokers know no topic deploy-commands"), 43, "a topic that was made meanwhile"),
        (Answer::Hang, 43, "one that took the connection and said nothing"),
    ] {
        let outcomes = eight_commands(answer, seconds).await;
        assert_eq!(outcomes.len(), 8);
        for outcome in outcomes {
            assert_eq!(outcome.status, OutcomeStatus::Accepted, "{why}: {outcome:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_is_tried_until_its_deadline_and_may_be_decided_anew_after_it() {
    for outcome in eight_commands(Answer::Busy("no broker answers"), 70).await {
        assert_eq!((outcome.status, outcome.is_retryable), (OutcomeStatus::Failed, true), "{outcome:?}");
        assert!(outcome.attempts > 40 && outcome.detail.contains("no time is left"), "{outcome:?}");
    }
}

#[tokio::test]
async fn without_a_publisher_the_outcome_says_what_to_configure() {
    let actuators = fixture::actuators(vec![]);
    let outcome = actuators.execute(&fixture::command_at(to_topic()), &GateAfter::open()).await.remove(0);
    assert_eq!((outcome.status, outcome.attempts), (OutcomeStatus::Failed, 0));
    assert_eq!(
        outcome.detail,
        "this process has no brokers to publish to: set bus.brokers in its configuration and start it again"
    );
}

#[tokio::test]
async fn a_rollback_to_nowhere_is_not_published() {
    let nowhere = Command { to_version: None, ..fixture::command_at(to_topic()) };
    let double = Arc::new(PublisherDouble::default());
    let outcome = published_by(&double).execute(&nowhere, &GateAfter::open()).await.remove(0);
    assert_eq!((outcome.status, double.messages().len()), (OutcomeStatus::Refused, 0));
}

/// A command that names a topic which gets into the configuration after so many seconds, if ever.
async fn execute_before_it_is_configured(seconds: u64) -> (Outcome, usize) {
    fixture::restart_clock();
    let double = Arc::new(PublisherDouble::default());
    let (secrets, registry) = (Arc::new(fixture::Secrets(vec![])), prometheus::Registry::new());
    let targets = Arc::new(fixture::Configured);
    let actuators = crate::Actuators::new(secrets, targets, &registry, fixture::paused_clock).unwrap();
    let actuators = actuators.with_publisher(Arc::clone(&double) as Arc<dyn Publisher>);
    let named = fixture::replaced(to_topic());
    fixture::replaced(Target::Kafka { topic: "another".into() });
    let command = Command { targets: vec![named], ..fixture::command() };
    let gate = GateAfter::open();
    let execute = actuators.execute(&command, &gate);
    let reload = async {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        fixture::replaced(to_topic());
    };
    (tokio::join!(execute, reload).0.remove(0), double.messages().len())
}

#[tokio::test(start_paused = true)]
async fn a_target_that_the_configuration_does_not_have_is_never_asked_and_waited_for_as_long_as_a_reload_takes()
 {
    let (outcome, published) = execute_before_it_is_configured(6).await;
    assert_eq!((outcome.status, published), (OutcomeStatus::Accepted, 1), "{outcome:?}");
    let (outcome, published) = execute_before_it_is_configured(30).await;
    assert_eq!((outcome.status, outcome.is_retryable, published), (OutcomeStatus::Failed, true, 0));
    assert_eq!((outcome.target.as_str(), outcome.attempts), ("kafka deploy-commands", 0));
    assert!(outcome.detail.starts_with("this process's configuration has no such target"), "{outcome:?}");
}
