//! How commands are carried out: what a policy has for the references that commands name.

use std::{collections::BTreeMap, fmt, time::Duration};

use model::{TargetKind, TargetRef, target};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{EffectivePolicy, secrets::is_withheld};

/// A text of the policy that never gets onto the log and is never printed.
#[derive(Clone)]
pub struct Hidden(SecretString);

impl Hidden {
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Self {
        Self(SecretString::from(text))
    }
}

impl PartialEq for Hidden {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Hidden {}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    Given(Hidden),
    /// The file that holds it.
    File(String),
}

/// What an actuator needs to know to carry a command out. It is taken from the executing process's own file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Webhook {
        /// With whatever credentials it holds.
        url: Hidden,
        secret_file: Option<String>,
        headers: BTreeMap<String, HeaderValue>,
        timeout: Duration,
    },
    Exec {
        /// Program and arguments; `{{service}}`-style placeholders, never a shell.
        argv: Vec<String>,
        timeout: Duration,
    },
    /// A topic of the Kafka that the executing process has its brokers of.
    Kafka { topic: String },
}

impl Target {
    pub fn kind(&self) -> TargetKind {
        match self {
            Self::Webhook { .. } => TargetKind::Webhook,
            Self::Exec { .. } => TargetKind::Exec,
            Self::Kafka { .. } => TargetKind::Kafka,
        }
    }

    /// The longest time for one attempt.
    pub fn timeout(&self) -> Duration {
        match self {
            Self::Webhook { timeout, .. } | Self::Exec { timeout, .. } => *timeout,
            Self::Kafka { .. } => target::KAFKA_TIMEOUT,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Webhook { url, .. } => target::webhook_name(url.expose()),
            Self::Exec { argv, .. } => target::exec_name(argv),
            Self::Kafka { topic } => target::kafka_name(topic),
        }
    }

    /// Whether it comes from a policy off the log, which has no secrets.
    fn lacks_secrets(&self) -> bool {
        let Self::Webhook { url, headers, .. } = self else { return false };
        let mut given = headers.values().filter_map(|value| match value {
            HeaderValue::Given(value) => Some(value),
            HeaderValue::File(_) => None,
        });
        is_withheld(url.expose()) || given.any(|value| is_withheld(value.expose()))
    }
}

/// What a command names and this process's policy does not have. Retryable: a file may be on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    #[error(
        "this process's configuration has no such target for the service: compare its `policies` with those of the \
         processes with the role `ingest`"
    )]
    Unknown,
    #[error(
        "the policy file of this target has a mistake, and its last good version was read from the log, which holds no \
         secrets: mend the file"
    )]
    WithoutSecrets,
}

impl EffectivePolicy {
    /// The targets as commands name them.
    pub fn target_refs(&self) -> Vec<TargetRef> {
        TargetRef::numbered(self.targets.iter().map(|it| (it.kind(), it.name(), it.timeout())))
    }

    /// How a command gets to a target that it names.
    pub fn resolve(&self, named: &TargetRef) -> Result<&Target, Unresolved> {
        let own = self.target_refs();
        let at = own.iter().position(|own| (own.kind, &own.name) == (named.kind, &named.name));
        let target = at.and_then(|at| self.targets.get(at)).ok_or(Unresolved::Unknown)?;
        if target.lacks_secrets() { Err(Unresolved::WithoutSecrets) } else { Ok(target) }
    }
}
