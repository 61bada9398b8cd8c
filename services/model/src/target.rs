//! Where a command goes, by reference.
//!
//! How it gets there (addresses with credentials, headers, programs) is in the policy that the executing process has
//! in its own file. A record on the log only names it: whoever can write a record must not be able to choose what is
//! run or asked, and whoever can read one must not find secrets in it.

use std::time::Duration;

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    Webhook,
    Exec,
    Kafka,
}

/// How long a message may take to be on all replicas in sync. Longer than the choice of a new leader usually takes;
/// short, because nobody can call a message back that waits for its broker.
pub const KAFKA_TIMEOUT: Duration = Duration::from_secs(5);

impl TargetKind {
    /// The kind's name in the policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Exec => "exec",
            Self::Kafka => "kafka",
        }
    }
}

/// A target as a command names it: one of those that the policy has for the command's service and environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRef {
    pub kind: TargetKind,
    /// Unique among the targets of a service. For people, outcomes and metrics too: it holds no secret.
    pub name: String,
    /// The longest time for one attempt.
    pub timeout: Duration,
}

impl TargetRef {
    /// References by kind, name and timeout, in their order. From the second of a kind and name on, the name gets a
    /// number, so that each names one target.
    pub fn numbered(targets: impl IntoIterator<Item = (TargetKind, String, Duration)>) -> Vec<Self> {
        let mut numbered: Vec<Self> = Vec::new();
        for (kind, name, timeout) in targets {
            let is_same = |it: &&Self| {
                let rest = it.name.strip_prefix(&name);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" #"))
            };
            let before = numbered.iter().filter(is_same).count();
            let name = if before == 0 { name } else { format!("{name} #{}", before + 1) };
            numbered.push(Self { kind, name, timeout });
        }
        numbered
    }
}

/// The name of a webhook without credentials and query string, which may be secrets.
pub fn webhook_name(url: &str) -> String {
    let without_query = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = without_query.split_once("://").unwrap_or(("", without_query));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("webhook {scheme}://{host}{path}")
}

/// The name of a program without its arguments.
pub fn exec_name(argv: &[String]) -> String {
    format!("exec {}", argv.first().map_or("", String::as_str))
}

/// The name of a topic.
pub fn kafka_name(topic: &str) -> String {
    format!("kafka {topic}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhooks_name_shows_neither_credentials_nor_query() {
        for (url, name) in [
            (
                "https://user:pass@deploy.example.org/rollback?token=secret",
                "webhook https://deploy.example.org/rollback",
            ),
            ("https://deploy.example.org?token=secret", "webhook https://deploy.example.org"),
            ("https://deploy.example.org/@team/x#secret", "webhook https://deploy.example.org/@team/x"),
        ] {
            assert_eq!(webhook_name(url), name);
        }
    }

    #[test]
    fn each_reference_names_one_target() {
        let exec = |argv: &str| (TargetKind::Exec, exec_name(&[argv.to_owned()]), Duration::ZERO);
        let names: Vec<_> =
            TargetRef::numbered([exec("undo"), exec("flip"), exec("undo"), exec("undo"), exec("un")]);
        let names: Vec<_> = names.into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["exec undo", "exec flip", "exec undo #2", "exec undo #3", "exec un"]);
    }
}
