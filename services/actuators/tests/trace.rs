//! In a process of its own: which spans are traced is decided once for all threads of a process.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actuators::{
    Actuators, Gate, Refusal, SecretSource, TargetSource,
    kafka::{Publisher, double::PublisherDouble},
    webhook::double::WebhookDouble,
};
use model::{
    Command, CommandId, CommandMode, CommandState, CommandVerb, OutcomeStatus, ReleaseId, ReleaseRef,
    ServiceKey, TargetKind, TargetRef, target,
};
use opentelemetry::trace::TracerProvider as _;
use policy::{Target, Unresolved};
use secrecy::SecretString;
use tracing_subscriber::layer::SubscriberExt as _;

struct Open;

impl Gate for Open {
    fn check(&self, _command: &Command) -> Result<(), Refusal> {
        Ok(())
    }
}

struct NoSecrets;

impl SecretSource for NoSecrets {
    fn secret(&self, _file: &str) -> Option<SecretString> {
        None
    }
}

/// What the two references of the command mean.
struct Own {
    url: String,
}

impl TargetSource for Own {
    fn target(&self, _command: &Command, named: &TargetRef) -> Result<Target, Unresolved> {
        let webhook = Target::Webhook {
            url: self.url.as_str().into(),
            secret_file: None,
            headers: BTreeMap::new(),
            timeout: Duration::from_secs(10),
        };
        Ok(if named.kind == TargetKind::Webhook { webhook } else { Target::Kafka { topic: TOPIC.into() } })
    }
}

const TOPIC: &str = "deploy-commands";

fn command(url: &str) -> Command {
    let now = telemetry::clock::now();
    Command {
        id: CommandId::from_text("cmd_1"),
        attempt: 1,
        verb: CommandVerb::Rollback,
        release: ReleaseRef {
            id: ReleaseId::from_text("rel_1"),
            key: ServiceKey::new("checkout", "production"),
            cluster: None,
            version: "2.4.1".into(),
        },
        to_version: Some("2.4.0".into()),
        to_digest: None,
        mode: CommandMode::Immediate,
        state: CommandState::Ready,
        state_reason: String::new(),
        targets: TargetRef::numbered([
            (TargetKind::Webhook, target::webhook_name(url), Duration::from_secs(10)),
            (TargetKind::Kafka, target::kafka_name(TOPIC), target::KAFKA_TIMEOUT),
        ]),
        reasons: Vec::new(),
        decided_at: now,
        deadline: now + Duration::from_secs(60),
        evidence_at: now,
        fencing: 1,
        approvals_needed: 0,
        approved_by: Vec::new(),
    }
}

#[tokio::test]
async fn the_trace_goes_on_at_the_target() {
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();

    let double = WebhookDouble::start(None).await.unwrap();
    let registry = prometheus::Registry::new();
    let own = Arc::new(Own { url: double.url() });
    let publisher = Arc::new(PublisherDouble::default());
    let actuators = Actuators::new(Arc::new(NoSecrets), own, &registry, telemetry::clock::now).unwrap();
    let actuators = actuators.with_publisher(Arc::clone(&publisher) as Arc<dyn Publisher>);
    let command = command(&double.url());
    let outcomes = tokio::spawn(async move { actuators.execute(&command, &Open).await }).await.unwrap();
    assert_eq!(outcomes[0].status, OutcomeStatus::Accepted);

    let received = double.received();
    let messages = publisher.messages();
    let of_message = messages[0].headers.iter().find(|(name, _)| *name == "traceparent");
    for parent in [received[0].header("traceparent"), &of_message.unwrap().1] {
        let lengths: Vec<usize> = parent.split('-').map(str::len).collect();
        assert_eq!(lengths, [2, 32, 16, 2], "{parent}");
    }
}
