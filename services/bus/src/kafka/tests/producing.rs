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
        outage::Outage,
        producer::{AnswerReceiver, Pace, Producer},
    },
};

struct Play {
    brokers: MockCluster<'static, DefaultProducerContext>,
    producer: Producer,
    flow: Arc<Flow>,
}

/// How long an append may wait, where that is not what the story is about.
const PATIENT: Duration = Duration::from_secs(60);

/// … and where it is.
const IMPATIENT: Duration = Duration::from_secs(1);

impl Play {
    fn begin() -> Self {
        Self::on(1, PATIENT)
    }

    /// So many brokers, and as many partitions, each led by the broker of its number and one.
    fn on(count: i32, append_timeout: Duration) -> Self {
        let brokers = MockCluster::new(count).unwrap();
        brokers.create_topic("events", count, 1).unwrap();
        for partition in 0..count {
            brokers.partition_leader("events", partition, Some(partition + 1)).unwrap();
        }
        let config = KafkaConfig::new(vec![brokers.bootstrap_servers()], "ripcord", "one");
        let config = KafkaConfig { append_timeout, ..config };
        let pace = Pace { name: "events", linger: Duration::ZERO };
        let producer = Producer::start(Cluster::new(config), pace, 1_000_000).unwrap();
        Self { brokers, producer, flow: Arc::new(Flow::new(1_000_000, 100_000)) }
    }

    fn answer_writes_with(&self, errors: &[RDKafkaRespErr]) {
        self.brokers.request_errors(RDKafkaApiKey::Produce, errors);
    }

    async fn append(&self, text: &str) -> Result<u64, AppendError> {
        self.append_to(0, text).await
    }

    async fn append_to(&self, partition: u32, text: &str) -> Result<u64, AppendError> {
        self.begin_append(partition, text)?.await.unwrap().map(|position| position.0)
    }

    fn begin_append(&self, partition: u32, text: &str) -> Result<AnswerReceiver, AppendError> {
        let new = NewRecord::new(Timestamp::from_millis(1), text.to_owned());
        self.producer.append(&self.flow, "events", Partition(partition), &new, 1)
    }

    async fn until_outage(&self, outage: Option<Outage>) {
        while self.producer.outage() != outage {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
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

#[tokio::test(flavor = "multi_thread")]
async fn that_the_only_broker_is_gone_is_known_at_once_and_what_waits_brings_the_news_that_it_is_back() {
    let play = Play::begin();
    play.append("before").await.unwrap();
    assert_eq!(play.producer.outage(), None);
    play.brokers.broker_down(1).unwrap();
    play.until_outage(Some(Outage::Unreachable)).await;
    let waiting = play.begin_append(0, "meanwhile").unwrap();
    play.brokers.broker_up(1).unwrap();
    waiting.await.unwrap().unwrap();
    play.until_outage(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_answer_nothing_for_as_long_as_an_append_may_wait_are_as_good_as_gone() {
    let play = Play::on(1, IMPATIENT);
    play.append("before").await.unwrap();
    play.brokers.broker_round_trip_time(1, PATIENT).unwrap();
    play.append("in vain").await.unwrap_err();
    play.until_outage(Some(Outage::Silent)).await;
    play.brokers.broker_round_trip_time(1, Duration::ZERO).unwrap();
    while play.append("again").await.is_err() {}
    play.until_outage(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_broker_of_three_that_is_gone_is_no_outage() {
    let play = Play::on(3, IMPATIENT);
    for partition in 0..3 {
        play.append_to(partition, "before").await.unwrap();
    }
    play.brokers.broker_down(1).unwrap();
    let waiting = play.begin_append(0, "nobody leads this partition").unwrap();
    let mut waiting = tokio::spawn(waiting);
    let failed = loop {
        tokio::select! {
            biased;
            failed = &mut waiting => break failed,
            written = play.append_to(1, "goes on") => drop(written.unwrap()),
        }
        assert_eq!(play.producer.outage(), None);
    };
    failed.unwrap().unwrap().unwrap_err();
    assert_eq!(play.producer.outage(), None);
}
