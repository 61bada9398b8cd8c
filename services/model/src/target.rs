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
}

impl Target {
    /// The target kind's name in the policy.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Exec { .. } => "exec",
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
