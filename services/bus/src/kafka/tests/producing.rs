//! Errors of a broker on writing, played by librdkafka's own mock cluster. It knows no time, no retention and no
//! restart: everything else is told on real brokers.

use std::{sync::Arc, time::Duration};

use model::{Partition, Timestamp};
use rdkafka::{
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use crate::{
    AppendError, KafkaConfig, NewRecord,
    kafka::{
        cluster::Cluster,
        flow::Flow,
        producer::{Pace, Producer},
    },
};

struct Play {
    brokers: MockCluster<'static, DefaultProducerContext>,
    producer: Producer,
    flow: Arc<Flow>,
}

impl Play {
    fn begin() -> Self {
        let brokers = MockCluster::new(1).unwrap();
        brokers.create_topic("events", 1, 1).unwrap();
        let config = KafkaConfig::new(vec![brokers.bootstrap_servers()], "ripcord", "one");
        let config = KafkaConfig { append_timeout: Duration::from_secs(5), ..config };
        let pace = Pace { name: "events", linger: Duration::ZERO };
        let producer = Producer::start(Cluster::new(config), pace, 1_000_000).unwrap();
        Self { brokers, producer, flow: Arc::new(Flow::new(1_000_000, 100_000)) }
    }

    fn answer_writes_with(&self, errors: &[RDKafkaRespErr]) {
        self.brokers.request_errors(RDKafkaApiKey::Produce, errors);
    }

    async fn append(&self, text: &str) -> Result<u64, AppendError> {
        let new = NewRecord::new(Timestamp::from_millis(1), text.to_owned());
        let answer = self.producer.append(&self.flow, "events", Partition(0), &new, 1)?;
        answer.await.unwrap().map(|position| position.0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_that_passes_is_not_seen() {
    let play = Play::begin();
    assert_eq!(play.append("before").await.unwrap(), 0);
    let passing = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    ];
    play.answer_writes_with(&passing);
    assert_eq!(play.append("again and again").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_to_write_is_unavailable_and_taken_back() {
    let play = Play::begin();
    play.answer_writes_with(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_POLICY_VIOLATION]);
    let refused = play.append("refused").await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable(_)) && refused.is_retryable(), "{refused}");
    assert_eq!((play.flow.queue_bytes(), play.append("next").await.unwrap()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_broker_finds_too_large_is_refused_for_good() {
    let play = Play::begin();
    play.answer_writes_with(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    let refused = play.append("too large").await.unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { bytes: 9, limit: 100_000 }), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_whose_order_broke_is_replaced() {
    let play = Play::begin();
    assert_eq!(play.append("before").await.unwrap(), 0);
    play.answer_writes_with(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
    let failed = play.append("in between").await;
    assert!(matches!(failed, Err(AppendError::Unavailable(_))), "{failed:?}");
    while play.append("after").await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((play.producer.restarts(), play.flow.queue_bytes()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_is_written_when_the_last_handle_goes() {
    let Play { brokers: _brokers, producer, flow } = Play::begin();
    let new = NewRecord::new(Timestamp::from_millis(1), "last");
    let answers: Vec<_> =
        (0..100).map(|_| producer.append(&flow, "events", Partition(0), &new, 1).unwrap()).collect();
    drop(producer);
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
}
