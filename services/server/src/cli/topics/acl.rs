//! `ripcord topics acl`: what each role's principal needs, and no more.

use std::{collections::BTreeSet, process::ExitCode};

use bus::{Acl, AclResource, KafkaConfig, acls};
use policy::Target;
use serde_json::json;

use super::{AclArgs, on_kafka, refuse};
use crate::{cli::output, config::Config};

pub(super) fn run(args: &AclArgs) -> ExitCode {
    let (kafka, config) = match on_kafka(&args.topics) {
        Ok(found) => found,
        Err(reason) => return refuse(&reason),
    };
    let acls = acls_of(&kafka, &config);
    if args.commands {
        acls.iter().for_each(|acl| output::line(&command(acl, &kafka, &args.principal)));
        return ExitCode::SUCCESS;
    }
    let items: Vec<_> = acls.iter().map(as_json).collect();
    if !args.output.print_whole(&json!({ "items": items })) {
        let row = |acl: &Acl| {
            let (resource, operations) = (acl.resource.as_str(), acl.operations.join(", "));
            [acl.role, resource, &acl.name, "LITERAL", &operations].map(str::to_owned).to_vec()
        };
        let rows: Vec<_> = acls.iter().map(row).collect();
        output::table(&["ROLE", "RESOURCE", "NAME", "PATTERN", "OPERATIONS"], &rows);
    }
    ExitCode::SUCCESS
}

fn acls_of(kafka: &KafkaConfig, config: &Config) -> Vec<Acl> {
    let inputs: Vec<String> = config.outside.inputs.iter().map(|input| input.topic.clone()).collect();
    let rules = std::iter::once(&config.policy.base).chain(&config.policy.policies);
    let targets = rules.filter_map(|rules| rules.targets.as_ref()).flatten();
    let topics: BTreeSet<String> = targets
        .filter_map(|target| match target {
            Target::Kafka { topic } => Some(topic.clone()),
            Target::Webhook { .. } | Target::Exec { .. } => None,
        })
        .collect();
    acls(kafka, &inputs, &topics.into_iter().collect::<Vec<_>>())
}

fn as_json(acl: &Acl) -> serde_json::Value {
    json!({
        "role": acl.role,
        "resource": acl.resource.as_str(),
        "name": acl.name,
        "pattern": "LITERAL",
        "operations": acl.operations,
    })
}

/// Names of topics and groups have no character that a shell takes for its own.
fn command(acl: &Acl, kafka: &KafkaConfig, principal: &str) -> String {
    let resource = match acl.resource {
        AclResource::Topic => "--topic",
        AclResource::Group => "--group",
    };
    let word = |operation: &&str| -> String {
        let parts = operation.split('_').map(|part| {
            let (first, rest) = part.split_at(1);
            format!("{first}{}", rest.to_lowercase())
        });
        format!(" --operation {}", parts.collect::<String>())
    };
    let operations: String = acl.operations.iter().map(word).collect();
    format!(
        "kafka-acls.sh --bootstrap-server {} --command-config admin.properties --add --allow-principal '{}'{operations} \
         {resource} {} --resource-pattern-type literal",
        kafka.brokers.join(","),
        principal.replace("{role}", acl.role),
        acl.name,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_what_kafkas_own_tool_takes() {
        let kafka = KafkaConfig::new(vec!["kafka-1:9092".to_owned()], "ripcord", "a");
        let acl = acls(&kafka, &[], &[]).into_iter().find(|acl| acl.role == "act").unwrap();
        assert_eq!(
            command(&acl, &kafka, "User:ripcord-{role}"),
            "kafka-acls.sh --bootstrap-server kafka-1:9092 --command-config admin.properties --add --allow-principal \
             'User:ripcord-act' --operation Write --operation Describe --operation DescribeConfigs --topic \
             ripcord.events.v1 --resource-pattern-type literal"
        );
    }
}
