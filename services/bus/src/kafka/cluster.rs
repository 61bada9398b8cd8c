//! What all clients of one log know together: whether the brokers can be reached, and what the last error was.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use rdkafka::{config::RDKafkaLogLevel, error::KafkaError, types::RDKafkaErrorCode};

use crate::{KafkaConfig, OpenError};

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) config: KafkaConfig,
    is_down: AtomicBool,
    /// How often the brokers became unreachable.
    pub(crate) outages: AtomicU64,
    refused: Mutex<Option<Refusal>>,
    last_error: Mutex<Option<String>>,
}

/// The brokers answer, and do not let us in.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    Authentication(String),
    Tls(String),
}

impl Cluster {
    pub(crate) fn new(config: KafkaConfig) -> Arc<Self> {
        Arc::new(Self {
            config,
            is_down: AtomicBool::new(false),
            outages: AtomicU64::new(0),
            refused: Mutex::default(),
            last_error: Mutex::default(),
        })
    }

    /// Of a configuration that somebody wrote.
    pub(crate) fn checked(config: &KafkaConfig) -> Result<Arc<Self>, OpenError> {
        KafkaConfig::check_properties(&config.properties)
            .map_err(|reason| OpenError::Properties { reason })?;
        Ok(Self::new(config.clone()))
    }

    /// An error of a client as a whole. librdkafka tries again by itself, so trouble is told when it begins and
    /// not at every attempt.
    pub(crate) fn note_error(&self, error: &KafkaError, reason: &str) {
        let reason = self.config.redact(reason);
        let code = error.rdkafka_error_code();
        match code {
            Some(RDKafkaErrorCode::Authentication) => {
                self.note_refusal(Refusal::Authentication(reason.clone()))
            }
            Some(RDKafkaErrorCode::SSL) => self.note_refusal(Refusal::Tls(reason.clone())),
            Some(RDKafkaErrorCode::AllBrokersDown) if !self.is_down.swap(true, Ordering::Relaxed) => {
                self.outages.fetch_add(1, Ordering::Relaxed);
                tracing::error!(reason, "no Kafka broker can be reached; it is tried again");
            }
            _ => tracing::debug!(?code, reason, "a Kafka client met an error"),
        }
        // That none is left says less than why the one before it was lost.
        if code != Some(RDKafkaErrorCode::AllBrokersDown) {
            *lock(&self.last_error) = Some(reason);
        }
    }

    fn note_refusal(&self, refusal: Refusal) {
        let before = lock(&self.refused).replace(refusal);
        if before.is_none() {
            tracing::error!("{}", self.why_unreachable());
        }
    }

    /// A broker did what it was asked.
    pub(crate) fn note_success(&self) {
        if self.is_down.load(Ordering::Relaxed) && self.is_down.swap(false, Ordering::Relaxed) {
            // They let us in: what they said before is no reason for the next outage.
            *lock(&self.refused) = None;
            tracing::info!("the Kafka brokers are back");
        }
    }

    pub(crate) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    pub(crate) fn refusal(&self) -> Option<Refusal> {
        lock(&self.refused).clone()
    }

    pub(crate) fn last_error(&self) -> Option<String> {
        lock(&self.last_error).clone()
    }

    /// Why no broker is connected with, in a sentence without secrets.
    pub(crate) fn why_unreachable(&self) -> String {
        match (self.refusal(), self.last_error()) {
            (Some(Refusal::Authentication(reason)), _) => {
                format!("the Kafka brokers refuse the login: {reason}")
            }
            (Some(Refusal::Tls(reason)), _) => format!("no TLS connection to the Kafka brokers: {reason}"),
            (None, Some(reason)) => format!("no Kafka broker can be reached: {reason}"),
            (None, None) => "no Kafka broker can be reached".to_owned(),
        }
    }

    /// A line of librdkafka's own log. What it says of connections comes at every attempt, and again as an
    /// error of the client.
    pub(crate) fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        let line = self.config.redact(line);
        let is_of_connections = matches!(
            facility,
            "FAIL" | "ERROR" | "REQTMOUT" | "GETSUBSCRIPTIONS" | "METADATAUPDATE" | "COMMITFAIL"
        );
        match level {
            _ if is_of_connections => tracing::debug!(facility, line, "librdkafka"),
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(facility, line, "librdkafka"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(facility, line, "librdkafka");
            }
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here can panic half way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
