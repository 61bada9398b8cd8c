//! Messages that go out.

use std::time::Duration;

use bus::{Begin, KafkaConfig, Outgoing, PublishError};

use crate::{PATIENCE, create, inlet, next, outlet, publish, text, topic};

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_arrives_with_its_key_its_headers_and_its_bytes_where_it_was_said_to_be() {
    let Some((config, topic)) = topic("whole", 4).await else { return };
    let outlet = outlet(&config);
    let headers: [(&str, &[u8]); 3] = [("ce_id", b"cmd_1"), ("empty", b""), ("ce_id", b"\xff")];
    let outgoing =
        Outgoing { topic: &topic, key: b"checkout/production", headers: &headers, payload: b"{}\n" };
    let (partition, offset) = outlet.publish(outgoing).await.unwrap();
    let mut inlet = inlet(&config, &topic, Begin::Earliest);
    let got = next(&mut inlet).await;
    assert_eq!((got.partition, got.offset, &*got.topic), (partition, offset, &*topic));
    assert_eq!((&*got.key, got.payload.as_deref()), (&b"checkout/production"[..], Some(&b"{}\n"[..])));
    let read: Vec<_> = got.headers.iter().map(|(name, value)| (&**name, value.as_deref().unwrap())).collect();
    assert_eq!(read, headers);
    for n in 0..20 {
        publish(&outlet, &topic, "checkout/production", &n.to_string()).await;
    }
    for n in 0..20 {
        let got = next(&mut inlet).await;
        assert_eq!((got.partition, text(&got)), (partition, &*n.to_string()), "one key, one order");
    }
    inlet.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_there_is_said_to_be_and_so_are_brokers() {
    let Some((config, topic)) = topic("nowhere", 1).await else { return };
    let message = |topic| Outgoing { topic, key: b"", headers: &[], payload: b"x" };
    let missing = format!("{topic}-not");
    let error = outlet(&config).publish(message(&missing)).await.unwrap_err();
    let reason = format!("the brokers know no topic {missing}: create it, or correct its name");
    assert_eq!(error, PublishError::Unavailable { reason });
    assert!(error.is_retryable());

    let config = KafkaConfig::new(vec!["127.0.0.1:1".into()], "nobody", "one");
    let error = outlet(&config).publish(message(&topic)).await.unwrap_err();
    assert!(
        error.is_retryable() && error.to_string().starts_with("no Kafka broker can be reached"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_missing_takes_the_message_once_it_is_made() {
    let Some((config, topic)) = topic("later", 1).await else { return };
    let outlet = outlet(&config);
    let missing = format!("{topic}-made");
    let message = Outgoing { topic: &missing, key: b"", headers: &[], payload: b"x" };
    assert!(outlet.publish(message).await.unwrap_err().is_retryable());
    create(&config.brokers[0], &missing, 1).await;
    let published = async {
        loop {
            match outlet.publish(message).await {
                Ok(place) => return place,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    // Well before the client would ask again by itself.
    let (_, offset) = tokio::time::timeout(PATIENCE, published).await.expect("the topic is found");
    assert_eq!(offset.0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_too_large_is_refused_for_good() {
    let Some((config, topic)) = topic("large", 1).await else { return };
    let payload = vec![b'x'; 3_000_000];
    let outgoing = Outgoing { topic: &topic, key: b"", headers: &[], payload: &payload };
    let error = outlet(&config).publish(outgoing).await.unwrap_err();
    assert_eq!(error.to_string(), format!("topic {topic} takes no message of this size"));
    assert!(!error.is_retryable());
}
