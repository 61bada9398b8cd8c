//! What librdkafka calls back with: logs, errors and statistics of one client.

use std::sync::{Arc, Mutex, atomic::Ordering};

use rdkafka::{
    ClientContext, Statistics, config::RDKafkaLogLevel, consumer::ConsumerContext, error::KafkaError,
};

use crate::kafka::{
    cluster::{Cluster, lock},
    statistics::{ClientFigures, Progress},
};

/// Of a client that only reads, or only asks; a producer and a member of a group have more to be called for.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) cluster: Arc<Cluster>,
    figures: Mutex<ClientFigures>,
    progress: Option<Arc<Progress>>,
}

impl Context {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, figures: Mutex::default(), progress: None }
    }

    /// Of a client that reads one partition.
    pub(crate) fn of_reader(cluster: Arc<Cluster>, progress: Arc<Progress>) -> Self {
        Self { progress: Some(progress), ..Self::new(cluster) }
    }

    /// At most five seconds old.
    pub(crate) fn figures(&self) -> ClientFigures {
        *lock(&self.figures)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.cluster.log(level, facility, line);
    }

    fn stats(&self, statistics: Statistics) {
        let figures = ClientFigures::of(&statistics);
        if let Some(progress) = &self.progress {
            progress.end.store(figures.end, Ordering::Relaxed);
        }
        *lock(&self.figures) = figures;
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.cluster.note_error(&error, reason);
    }
}

impl ConsumerContext for Context {}
