//! What librdkafka calls back with: logs, errors and statistics of one client.

use std::sync::{Arc, Mutex};

use rdkafka::{
    ClientContext, Statistics, config::RDKafkaLogLevel, consumer::ConsumerContext, error::KafkaError,
};

use crate::kafka::cluster::{Cluster, lock};

/// Of a client that only reads, or only asks.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) cluster: Arc<Cluster>,
    latest: Mutex<Option<Box<Statistics>>>,
}

impl Context {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, latest: Mutex::default() }
    }

    /// Applies `read` to the newest statistics, at most five seconds old.
    pub(crate) fn with_statistics<T>(&self, read: impl FnOnce(&Statistics) -> T) -> Option<T> {
        lock(&self.latest).as_deref().map(read)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.cluster.log(level, facility, line);
    }

    fn stats(&self, statistics: Statistics) {
        *lock(&self.latest) = Some(Box::new(statistics));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.cluster.note_error(&error, reason);
    }
}

impl ConsumerContext for Context {}
