//! Where a command goes.

use std::{collections::BTreeMap, time::Duration};

/// What an actuator needs to know to carry a command out. Secrets are named by file, never held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Webhook {
        url: String,
        secret_file: Option<String>,
        headers: BTreeMap<String, String>,
        timeout: Duration,
    },
    Exec {
        /// Program and arguments; `{{service}}`-style placeholders, never a shell.
        argv: Vec<String>,
        timeout: Duration,
    },
    /// A topic of the Kafka that the executing process has its brokers of.
    Kafka {
        topic: String,
    },
}

/// How long a message may take to be on all replicas in sync. Longer than the choice of a new leader usually takes;
/// short, because nobody can call a message back that waits for its broker.
pub const KAFKA_TIMEOUT: Duration = Duration::from_secs(5);

impl Target {
    /// The target kind's name in the policy.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Exec { .. } => "exec",
            Self::Kafka { .. } => "kafka",
        }
    }

    /// The longest time for one attempt.
    pub fn timeout(&self) -> Duration {
        match self {
            Self::Webhook { timeout, .. } | Self::Exec { timeout, .. } => *timeout,
            Self::Kafka { .. } => KAFKA_TIMEOUT,
        }
    }

    /// A short name for people and metrics that holds no secret and no query string.
    pub fn display_name(&self) -> String {
        match self {
            Self::Webhook { url, .. } => {
                let without_query = url.split(['?', '#']).next().unwrap_or_default();
                let (scheme, rest) = without_query.split_once("://").unwrap_or(("", without_query));
                let host_and_path = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
                format!("webhook {scheme}://{host_and_path}")
            }
            Self::Exec { argv, .. } => format!("exec {}", argv.first().map_or("", String::as_str)),
            Self::Kafka { topic } => format!("kafka {topic}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhooks_display_name_shows_neither_credentials_nor_query() {
        let target = Target::Webhook {
            url: "https://user:pass@deploy.example.org/rollback?token=secret".into(),
            secret_file: None,
            headers: BTreeMap::new(),
            timeout: Duration::from_secs(10),
        };
        assert_eq!(target.display_name(), "webhook https://deploy.example.org/rollback");
    }
}
