//! Which principal needs which rights: one a role, so that what each may write is no more than its work.

use crate::{KafkaConfig, kafka::layout::TopicKind};

/// Right of a role, as Kafka's ACLs have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// `ingest`, `analyze`, `act`, `notify`, `console`, or `create` for `ripcord topics create`.
    pub role: &'static str,
    pub resource: AclResource,
    /// Of the resource. The patterns are literal: a prefix would grow with other people's topics.
    pub name: String,
    /// In Kafka's words: `READ`, `WRITE` …
    pub operations: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclResource {
    Topic,
    Group,
}

impl AclResource {
    /// In Kafka's words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "TOPIC",
            Self::Group => "GROUP",
        }
    }
}

/// What a role does with the topics and groups of the log.
struct Work {
    role: &'static str,
    writes: &'static [TopicKind],
    reads: &'static [TopicKind],
    groups: &'static [&'static str],
}

/// Every role follows the decisions from their checkpoint on, and looks at all topics when it starts.
const ROLES: [Work; 5] = {
    use TopicKind::{DeadLetters, Decisions, Events, State};
    [
        Work { role: "ingest", writes: &[Events, DeadLetters], reads: &[Decisions, State], groups: &[] },
        Work {
            role: "analyze",
            writes: &[Decisions, State, DeadLetters],
            reads: &[Events, Decisions, State],
            groups: &["analyze", "arbiter"],
        },
        Work { role: "act", writes: &[Events], reads: &[Decisions, State], groups: &["act"] },
        Work {
            role: "notify",
            writes: &[Events, Decisions],
            reads: &[Decisions, State],
            groups: &["notify"],
        },
        Work { role: "console", writes: &[], reads: &[Events, Decisions, State], groups: &[] },
    ]
};

/// The group's name that readers without a group give; nobody joins it.
const READERS: &str = "readers";

/// All rights that the roles need on this log, on the topics that `ingest` reads as `inputs` and on those that `act`
/// writes commands to.
pub fn acls(config: &KafkaConfig, inputs: &[String], targets: &[String]) -> Vec<Acl> {
    let mut acls = Vec::new();
    for Work { role, writes, reads, groups } in ROLES {
        for kind in TopicKind::ALL {
            let (is_written, is_read) = (writes.contains(&kind), reads.contains(&kind));
            let operations = [(is_read, "READ"), (is_written, "WRITE")];
            let operations = operations.into_iter().filter(|(is_needed, _)| *is_needed).map(|(_, it)| it);
            let operations = operations.chain(["DESCRIBE", "DESCRIBE_CONFIGS"]).collect();
            acls.push(Acl { role, resource: AclResource::Topic, name: kind.name(config), operations });
        }
        let inputs = if role == "ingest" { inputs } else { &[] };
        let targets = if role == "act" { targets } else { &[] };
        let topic = |name: &String, operations: &[&'static str]| Acl {
            role,
            resource: AclResource::Topic,
            name: name.clone(),
            operations: operations.to_vec(),
        };
        acls.extend(inputs.iter().map(|name| topic(name, &["READ", "DESCRIBE"])));
        acls.extend(targets.iter().map(|name| topic(name, &["WRITE", "DESCRIBE"])));
        let groups = groups.iter().chain((!inputs.is_empty()).then_some(&"inputs")).chain([&READERS]);
        acls.extend(groups.map(|group| Acl {
            role,
            resource: AclResource::Group,
            name: format!("{}-{group}", config.topic_prefix),
            operations: vec!["READ", "DESCRIBE"],
        }));
    }
    acls.extend(TopicKind::ALL.map(|kind| {
        let is_marked = kind == TopicKind::Decisions;
        let marking = is_marked.then_some(["READ", "WRITE"]).into_iter().flatten();
        Acl {
            role: "create",
            resource: AclResource::Topic,
            name: kind.name(config),
            operations: marking.chain(["CREATE", "DESCRIBE", "DESCRIBE_CONFIGS"]).collect(),
        }
    }));
    acls.push(Acl {
        role: "create",
        resource: AclResource::Group,
        name: format!("{}-{READERS}", config.topic_prefix),
        operations: vec!["READ", "DESCRIBE"],
    });
    acls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_write_no_more_than_its_work() {
        let config = KafkaConfig::new(Vec::new(), "ripcord", "a");
        let acls = acls(&config, &["deployments".to_owned()], &["deploy-commands".to_owned()]);
        let writes = |role: &str| -> Vec<String> {
            let of_role = acls.iter().filter(|acl| acl.role == role && acl.operations.contains(&"WRITE"));
            of_role.map(|acl| acl.name.clone()).collect()
        };
        for (role, expected) in [
            ("ingest", &["ripcord.events.v1", "ripcord.dead-letters.v1"][..]),
            ("analyze", &["ripcord.decisions.v1", "ripcord.dead-letters.v1", "ripcord.state.v1"]),
            ("act", &["ripcord.events.v1", "deploy-commands"]),
            ("notify", &["ripcord.events.v1", "ripcord.decisions.v1"]),
            ("console", &[]),
            ("create", &["ripcord.decisions.v1"]),
        ] {
            assert_eq!(writes(role), expected, "{role}");
        }
        let groups = acls.iter().filter(|acl| acl.resource == AclResource::Group && acl.role == "ingest");
        assert_eq!(
            groups.map(|acl| acl.name.as_str()).collect::<Vec<_>>(),
            ["ripcord-inputs", "ripcord-readers"]
        );
    }
}
