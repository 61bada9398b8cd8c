//! What operators may tell librdkafka, and what nobody may read.

use std::collections::BTreeMap;

use crate::KafkaConfig;

fn check(pairs: &[(&str, &str)]) -> Result<(), String> {
    let properties: BTreeMap<_, _> =
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    KafkaConfig::check_properties(&properties)
}

#[test]
fn what_is_needed_to_be_let_in_is_taken() {
    let login = [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "ripcord"),
        ("sasl.password", "hunter2"),
        ("ssl.ca.location", "/etc/ca.pem"),
        ("linger.ms", "0"),
        ("compression.codec", "zstd"),
        ("client.rack", "a"),
    ];
    assert_eq!(check(&login), Ok(()));
}

#[test]
fn what_would_break_a_promise_is_refused_with_a_sentence() {
    for (key, value, told) in [
        ("acks", "1", "the Kafka property `acks` cannot be set: a record is acknowledged only when all"),
        ("enable.idempotence", "false", "`enable.idempotence` cannot be set: a retry must neither double"),
        ("group.id", "mine", "`group.id` cannot be set"),
        ("transactional.id", "mine", "`transactional.id` cannot be set"),
        ("bootstrap.servers", "b:9092", "the brokers stand in `brokers`"),
        ("dr_cb", "1", "it names code"),
        ("sasl.pasword", "hunter2", "`sasl.pasword` is not one that librdkafka knows"),
        ("security.protocol", "hunter2", "the value of the Kafka property `security.protocol` is not one"),
    ] {
        let refused = check(&[(key, value)]).unwrap_err();
        assert!(refused.contains(told), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

#[test]
fn a_login_that_is_not_built_in_is_refused_with_what_is_possible() {
    let sasl = ("security.protocol", "SASL_SSL");
    for (properties, told) in [
        (
            vec![sasl, ("sasl.mechanism", "OAUTHBEARER")],
            "`sasl.mechanism`: the SASL mechanism OAUTHBEARER is not",
        ),
        (
            vec![sasl, ("sasl.mechanisms", "AWS_MSK_IAM")],
            "`sasl.mechanisms`: the SASL mechanism AWS_MSK_IAM is not",
        ),
        (vec![sasl, ("sasl.mechanism", "gssapi")], "the SASL mechanism GSSAPI is not built in"),
        (vec![sasl, ("sasl.mechanism", "hunter2")], "`sasl.mechanism`: there is no such SASL mechanism"),
        (
            vec![("sasl.oauthbearer.method", "oidc")],
            "`sasl.oauthbearer.method`: OAuth and Kerberos are not built in",
        ),
        (vec![("sasl.oauthbearer.client.id", "hunter2")], "`sasl.oauthbearer.client.id`: OAuth and Kerberos"),
        (vec![("sasl.kerberos.service.name", "kafka")], "`sasl.kerberos.service.name`: OAuth and Kerberos"),
        // librdkafka's default is Kerberos.
        (vec![("security.protocol", "sasl_plaintext")], "`sasl.mechanism` is required"),
    ] {
        let refused = check(&properties).unwrap_err();
        assert!(refused.contains(told) && !refused.contains("hunter2"), "{refused}");
        assert!(
            refused.contains("SCRAM-SHA-512") && refused.contains("ssl.certificate.location"),
            "{refused}"
        );
    }
    let certificate = [
        ("security.protocol", "SSL"),
        ("ssl.certificate.location", "/etc/ripcord.pem"),
        ("ssl.key.location", "/etc/ripcord.key"),
    ];
    assert_eq!(check(&certificate), Ok(()));
}

#[test]
fn no_secret_is_shown() {
    let mut config = KafkaConfig::new(vec!["b:9092".to_owned()], "ripcord", "one");
    config.properties.insert("sasl.password".to_owned(), "hunter2".to_owned());
    config.properties.insert("sasl.username".to_owned(), "ripcord".to_owned());
    let shown = format!("{config:?}");
    assert!(shown.contains("sasl.password") && !shown.contains("hunter2"), "{shown}");
    assert_eq!(config.redact("login of ripcord with hunter2 failed"), "login of ripcord with *** failed");
}
