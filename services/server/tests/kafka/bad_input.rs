//! What an operator can get wrong about Kafka: exit code 78, and a sentence that says what to do.

use std::sync::Arc;

use crate::{
    apart::{brokers, ripcord, said},
    shop::CONFIG,
};

/// One thing that is wrong.
struct Row {
    what: &'static str,
    bus: String,
    arguments: &'static [&'static str],
    sentence: String,
}

const SERVE: &[&str] = &["serve", "--config", "ripcord.yml"];
const CHECK: &[&str] = &["topics", "check"];
const CREATE: &[&str] = &["topics", "create"];
const PASSWORD: &str = "hunter2-hunter2";

fn config(bus: &str) -> String {
    let config = CONFIG.replace("LISTEN", "127.0.0.1:0").replace("TARGET", "http://127.0.0.1:9/rollback");
    if bus.is_empty() { config } else { format!("{config}bus: {{ kind: kafka, {bus} }}\n") }
}

/// Both ways to come upon it.
fn both(what: &'static str, bus: &str, sentence: &str) -> [Row; 2] {
    [SERVE, CHECK].map(|arguments| row(what, bus, arguments, sentence))
}

fn row(what: &'static str, bus: &str, arguments: &'static [&'static str], sentence: &str) -> Row {
    Row { what, bus: bus.to_owned(), arguments, sentence: sentence.to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_about_kafka_ends_with_78_and_a_sentence_and_no_secret() {
    let Some(shared) = brokers().await else { return };
    let on = |story: &str, partitions: u32| {
        let (brokers, id) = (&shared.bootstrap, std::process::id());
        format!(r#"brokers: ["{brokers}"], topic_prefix: bad-{story}-{id}, partitions: {partitions}"#)
    };
    let made = tokio::task::spawn_blocking({
        let config = config(&on("made", 6));
        move || ripcord(&config, &[], CREATE)
    });
    let made = made.await.unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));

    let mut rows = Vec::from([
        row(
            "roles apart on the embedded log",
            "",
            &["serve", "--config", "ripcord.yml", "--roles", "act"],
            "set bus: { kind: kafka",
        ),
        row("topics of the embedded log", "", CHECK, "write bus: { kind: kafka, brokers: [HOST:PORT] }"),
        row(
            "topics to be made where nobody answers",
            r#"brokers: ["127.0.0.1:1"]"#,
            CREATE,
            "no Kafka broker of 127.0.0.1:1 answers",
        ),
        row("topics that are good", &on("made", 6), CHECK, "it is kept once"),
    ]);
    rows.push(row(
        "nobody answers",
        r#"brokers: ["127.0.0.1:1"]"#,
        CHECK,
        "no Kafka broker of 127.0.0.1:1 answers",
    ));
    rows.extend(both("topics are missing", &on("missing", 6), "run `ripcord topics create`"));
    rows.extend(both("other partitions", &on("made", 12), "set `partitions: 6`"));
    let unknown = format!("{}, properties: {{ no.such.key: hunter2-hunter2 }}", on("made", 6));
    rows.extend(both("an unknown property", &unknown, "the Kafka property `no.such.key`"));
    let refused = format!("{}, properties: {{ acks: \"1\" }}", on("made", 6));
    rows.extend(both(
        "a property that would lose records",
        &refused,
        "a record is acknowledged only when all replicas that are in sync have it",
    ));
    rows.extend(both(
        "a broker without a port",
        r#"brokers: ["localhost"]"#,
        "write each broker like kafka-1.example.org:9092",
    ));
    if let Some(own) = &shared.own {
        let state = format!("bad-policy-{}.state.v1", std::process::id());
        own.run("topic", &[&state, "6"]).await;
        rows.push(row(
            "a topic of another kind keeps the others from nothing",
            &on("policy", 6),
            CREATE,
            "(created)",
        ));
        let login = format!(
            "brokers: [\"{}\"], properties: {{ security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, \
             sasl.username: ripcord, sasl.password_file: kafka.secret }}",
            own.get("sasl")
        );
        rows.extend(both("a wrong password", &login, "look at the `sasl.*` properties of `bus`"));
    }
    check(rows).await;
    if shared.own.is_some() {
        let sentence = "its cleanup.policy is `delete`: set it to `compact`";
        check(both("a topic that would forget its snapshots", &on("policy", 6), sentence).into()).await;
    }
}

/// All at once: those where nobody answers wait for a while.
async fn check(rows: Vec<Row>) {
    let mut running = Vec::new();
    for row in rows {
        let row = Arc::new(row);
        let config = config(&row.bus);
        let arguments = row.arguments;
        running.push((
            row,
            tokio::task::spawn_blocking(move || ripcord(&config, &[("kafka.secret", PASSWORD)], arguments)),
        ));
    }
    for (row, output) in running {
        let output = output.await.unwrap();
        let (said, code) = (said(&output), output.status.code());
        let told = format!("{}, {:?}: {said}", row.what, row.arguments);
        let expected = if row.sentence == "it is kept once" { 0 } else { 78 };
        assert_eq!(code, Some(expected), "{told}");
        assert!(said.contains(&row.sentence), "{told}");
        assert!(!said.contains("panicked"), "{told}");
        assert!(!said.contains(PASSWORD), "a secret is told");
    }
}
