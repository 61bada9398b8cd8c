//! One topic of the cluster.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use model::{Partition, Position, Timestamp};
use tokio::sync::watch;

use crate::{
    AppendError, Bounds, KafkaStatistics, NewRecord, ReadError, Statistics,
    kafka::{
        cluster::Cluster,
        flow::Flow,
        outage::Outage,
        probe::Probe,
        producer::{AnswerReceiver, Producer},
        reader::Reader,
        seal::Seal,
        statistics::Readers,
    },
};

/// A handle to one topic; clones are the same topic.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: Arc<str>,
    partitions: u32,
    cluster: Arc<Cluster>,
    seal: Seal,
    producer: Producer,
    probe: Probe,
    flow: Arc<Flow>,
    closed: watch::Sender<bool>,
    readers: Readers,
    rebalances: Arc<AtomicU64>,
}

impl Topic {
    pub(crate) fn new(
        cluster: Arc<Cluster>,
        (name, seal): (&str, Seal),
        partitions: u32,
        record_bytes_max: usize,
        producer: Producer,
        probe: Probe,
        rebalances: Arc<AtomicU64>,
    ) -> Self {
        let flow = Flow::new(cluster.config.queue_bytes_max, record_bytes_max);
        Self {
            shared: Arc::new(Shared {
                name: name.into(),
                partitions,
                cluster,
                seal,
                producer,
                probe,
                flow: Arc::new(flow),
                closed: watch::Sender::new(false),
                readers: Readers::default(),
                rebalances,
            }),
        }
    }

    pub(crate) fn partitions(&self) -> u32 {
        self.shared.partitions
    }

    pub(crate) async fn partitions_now(&self) -> Result<u32, ReadError> {
        self.shared.probe.partitions(&self.shared.name).await
    }

    pub(crate) fn append(&self, partition: Partition, record: &NewRecord) -> Append {
        // Kafka knows no stamp before 1970, and librdkafka takes 0 for "now".
        self.append_stamped(partition, record, record.at.as_millis().max(1))
    }

    /// Appends with the time of sending as its stamp.
    pub(crate) fn append_now(&self, partition: Partition, record: &NewRecord) -> Append {
        self.append_stamped(partition, record, 0)
    }

    fn append_stamped(&self, partition: Partition, record: &NewRecord, stamp: i64) -> Append {
        let Shared { producer, flow, name, seal, .. } = &*self.shared;
        match producer.append(flow, name, partition, &seal.close(partition, record), stamp) {
            Ok(answer) => Append(Waiting::ForAnswer(answer)),
            Err(error) => Append(Waiting::Refused(Some(error))),
        }
    }

    /// Why nothing can be appended, where that is known.
    pub(crate) fn outage(&self) -> Option<AppendError> {
        let Shared { producer, cluster, .. } = &*self.shared;
        let reason = match producer.outage()? {
            Outage::Unreachable => cluster.why_unreachable(),
            Outage::Silent => {
                let waited = cluster.config.append_timeout.as_secs();
                format!("the Kafka brokers have acknowledged nothing for {waited} s")
            }
        };
        Some(AppendError::Outage { reason })
    }

    pub(crate) fn reader(&self, partition: Partition, from: Position) -> Reader {
        let Shared { cluster, name, seal, partitions, closed, readers, .. } = &*self.shared;
        let progress = readers.add(from.0);
        let topic = (name.clone(), seal.clone(), *partitions);
        Reader::start(cluster.clone(), topic, partition, from, closed.subscribe(), progress)
    }

    pub(crate) async fn bounds(&self, partition: Partition) -> Result<Bounds, ReadError> {
        self.shared.probe.bounds(&self.shared.name, partition).await
    }

    pub(crate) async fn position_at(
        &self,
        partition: Partition,
        at: Timestamp,
    ) -> Result<Position, ReadError> {
        self.shared.probe.position_at(&self.shared.name, partition, at).await
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let flow = &self.shared.flow;
        Statistics {
            records: flow.records.load(Ordering::Relaxed),
            bytes: flow.bytes.load(Ordering::Relaxed),
            write_failures: flow.failures.load(Ordering::Relaxed),
            overloaded: flow.overloaded.load(Ordering::Relaxed),
            queue_bytes: flow.queue_bytes(),
            kafka: Some(self.kafka_statistics()),
            ..Statistics::default()
        }
    }

    fn kafka_statistics(&self) -> KafkaStatistics {
        let Shared { cluster, producer, readers, rebalances, .. } = &*self.shared;
        let mut statistics = KafkaStatistics {
            is_reachable: !cluster.is_down(),
            outages: cluster.outages.load(Ordering::Relaxed),
            producer_restarts: producer.restarts(),
            rebalances: rebalances.load(Ordering::Relaxed),
            ..KafkaStatistics::default()
        };
        statistics.add_client(&producer.figures());
        readers.each(|progress| statistics.add_reader(progress));
        statistics
    }

    /// Takes no more records, and resolves when every record already taken is answered.
    pub(crate) async fn close(&self) {
        self.shared.flow.close();
        self.shared.flow.idle().await;
        self.shared.closed.send_replace(true);
    }
}

/// An append under way.
#[derive(Debug)]
pub(crate) struct Append(Waiting);

#[derive(Debug)]
enum Waiting {
    ForAnswer(AnswerReceiver),
    Refused(Option<AppendError>),
}

impl Future for Append {
    type Output = Result<Position, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Waiting::ForAnswer(answer) => Pin::new(answer)
                .poll(context)
                // The producer is gone without an answer.
                .map(|answer| answer.unwrap_or(Err(AppendError::Closed))),
            Waiting::Refused(error) => Poll::Ready(Err(error.take().unwrap_or(AppendError::Closed))),
        }
    }
}
