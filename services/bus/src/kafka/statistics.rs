//! What the clients tell about themselves every five seconds, cut down to what somebody acts on.

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rdkafka::statistics::Broker;

use crate::kafka::cluster::lock;

/// A topic's numbers on Kafka; those of brokers and queues are at most five seconds old.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KafkaStatistics {
    /// Whether any broker can be reached, as far as anybody knows.
    pub is_reachable: bool,
    /// Times that no broker could be reached.
    pub outages: u64,
    /// Brokers that the topic's producer is connected with, and those that it tries to connect with.
    pub brokers_up: u32,
    pub brokers_down: u32,
    /// The slowest broker's 99th percentile of the time from a request to its answer.
    pub request_seconds_p99: f64,
    /// The slowest broker's 99th percentile of the time that a record waits here before it is sent.
    pub queue_seconds_p99: f64,
    /// Requests sent again, and requests that were never answered.
    pub retries: u64,
    pub timeouts: u64,
    /// Records and bytes that librdkafka holds.
    pub client_records: u64,
    pub client_bytes: u64,
    /// Producers made anew because the one before failed for good; what they held was answered with an error.
    pub producer_restarts: u64,
    /// Readers of the topic, how many records they are behind in all, and the one that is furthest behind.
    pub readers: u32,
    pub lag_records: u64,
    pub lag_records_max: u64,
    /// Times that partitions came to this process or went, in all of its groups.
    pub rebalances: u64,
}

/// One client's part.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClientFigures {
    brokers_up: u32,
    brokers_down: u32,
    request_p99: Duration,
    queue_p99: Duration,
    retries: u64,
    timeouts: u64,
    records: u64,
    bytes: u64,
    /// The highest end of the partitions that the client reads: a reader's client reads one.
    pub(crate) end: u64,
}

impl ClientFigures {
    #[expect(clippy::disallowed_methods, reason = "sums and maxima are the same in every order")]
    pub(crate) fn of(statistics: &rdkafka::Statistics) -> Self {
        let mut figures = Self { records: statistics.msg_cnt, bytes: statistics.msg_size, ..Self::default() };
        // Below 0 are the addresses to begin with and the group's coordinator, which are brokers once more.
        for broker in statistics.brokers.values().filter(|broker| broker.nodeid >= 0) {
            figures.add(broker);
        }
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let ends = partitions.filter_map(|partition| u64::try_from(partition.hi_offset).ok());
        figures.end = ends.max().unwrap_or_default();
        figures
    }

    fn add(&mut self, broker: &Broker) {
        match &*broker.state {
            "UP" | "UPDATE" => self.brokers_up += 1,
            // Nobody needs a connection with it yet.
            "INIT" => {}
            _ => self.brokers_down += 1,
        }
        let micros = |window: &Option<rdkafka::statistics::Window>| {
            Duration::from_micros(window.as_ref().map_or(0, |window| window.p99.max(0).unsigned_abs()))
        };
        self.request_p99 = self.request_p99.max(micros(&broker.rtt));
        self.queue_p99 = self.queue_p99.max(micros(&broker.int_latency));
        self.retries += broker.txretries;
        self.timeouts += broker.req_timeouts;
    }
}

impl KafkaStatistics {
    pub(crate) fn add_client(&mut self, figures: &ClientFigures) {
        self.brokers_up = figures.brokers_up;
        self.brokers_down = figures.brokers_down;
        self.request_seconds_p99 = figures.request_p99.as_secs_f64();
        self.queue_seconds_p99 = figures.queue_p99.as_secs_f64();
        self.retries = figures.retries;
        self.timeouts = figures.timeouts;
        self.client_records = figures.records;
        self.client_bytes = figures.bytes;
    }

    pub(crate) fn add_reader(&mut self, progress: &Progress) {
        let lag = progress.lag();
        self.readers += 1;
        self.lag_records += lag;
        self.lag_records_max = self.lag_records_max.max(lag);
    }
}

/// How far a reader is.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The position of the next record to be handed out.
    pub(crate) next: AtomicU64,
    /// Where the partition ended when the brokers last said.
    pub(crate) end: AtomicU64,
}

impl Progress {
    fn lag(&self) -> u64 {
        self.end.load(Ordering::Relaxed).saturating_sub(self.next.load(Ordering::Relaxed))
    }
}

/// The readers of a topic that are still there.
#[derive(Debug, Default)]
pub(crate) struct Readers(Mutex<Vec<Weak<Progress>>>);

impl Readers {
    pub(crate) fn add(&self, next: u64) -> Arc<Progress> {
        let progress = Arc::new(Progress { next: AtomicU64::new(next), end: AtomicU64::new(0) });
        let mut readers = lock(&self.0);
        readers.retain(|reader| reader.strong_count() > 0);
        readers.push(Arc::downgrade(&progress));
        progress
    }

    pub(crate) fn each(&self, mut see: impl FnMut(&Progress)) {
        lock(&self.0).iter().filter_map(Weak::upgrade).for_each(|progress| see(&progress));
    }
}
