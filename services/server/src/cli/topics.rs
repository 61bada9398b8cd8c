//! `ripcord topics`: the topics of a log on Kafka.

mod acl;

use std::{path::PathBuf, process::ExitCode};

use bus::{BusConfig, KafkaConfig, TopicReport};
use clap::{Args, Subcommand};

use super::{
    output::{self, Output},
    serve::EXIT_CONFIG,
};
use crate::{
    config::{self, Config},
    installation,
};

#[derive(Debug, Subcommand)]
pub(super) enum TopicsVerb {
    /// Make the topics that are missing, with the settings they need, and check all: exit 78 when one cannot be used.
    Create(TopicsArgs),
    /// Check the topics: exit 78 when one cannot be used.
    Check(TopicsArgs),
    /// Print the rights that each role needs, as a table, as JSON or as kafka-acls commands.
    Acl(AclArgs),
}

#[derive(Debug, Args)]
pub(super) struct TopicsArgs {
    /// The configuration, whose `bus` names the brokers; ripcord.yml where none is named.
    #[arg(long, env = "RIPCORD_CONFIG", default_value = "ripcord.yml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct AclArgs {
    #[command(flatten)]
    topics: TopicsArgs,
    /// Print kafka-acls commands instead.
    #[arg(long, conflicts_with = "output")]
    commands: bool,
    /// The principal of a role in the commands; {role} stands for its name.
    #[arg(long, default_value = "User:ripcord-{role}", requires = "commands")]
    principal: String,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) async fn run(verb: TopicsVerb) -> anyhow::Result<ExitCode> {
    let args = match &verb {
        TopicsVerb::Create(args) | TopicsVerb::Check(args) => args,
        TopicsVerb::Acl(args) => return Ok(acl::run(args)),
    };
    let config = match kafka_of(args) {
        Ok(config) => config,
        Err(reason) => return Ok(refuse(&reason)),
    };
    let reports = match verb {
        TopicsVerb::Create(_) => bus::create_topics(&config).await,
        TopicsVerb::Check(_) | TopicsVerb::Acl(_) => bus::check_topics(&config).await,
    };
    match reports {
        Ok(reports) => {
            reports.iter().for_each(|report| output::line(&report.to_string()));
            if !reports.iter().all(TopicReport::is_usable) {
                return Ok(ExitCode::from(EXIT_CONFIG));
            }
            let is_made = matches!(verb, TopicsVerb::Create(_));
            Ok(whose(config, is_made).await.map_or_else(|reason| refuse(&reason), |()| ExitCode::SUCCESS))
        }
        Err(error) => Ok(refuse(&error.to_string())),
    }
}

/// Refuses topics of another installation; those that were just made get this one's name.
async fn whose(config: KafkaConfig, is_made: bool) -> Result<(), String> {
    let log = BusConfig::Kafka(config.clone());
    let bus = bus::open(log.clone()).await.map_err(|error| error.to_string())?;
    let unreadable = |error| format!("the decisions log cannot be read: {error}");
    let refusal = installation::refusal(&bus.decisions, &log).await.map_err(unreadable);
    let mut judged = refusal.and_then(|refusal| refusal.map_or(Ok(()), Err));
    if is_made && judged.is_ok() {
        judged = installation::mark(&bus.decisions, &config).await;
    }
    bus.close().await;
    judged
}

fn kafka_of(args: &TopicsArgs) -> Result<KafkaConfig, String> {
    on_kafka(args).map(|(kafka, _)| kafka)
}

fn on_kafka(args: &TopicsArgs) -> Result<(KafkaConfig, Config), String> {
    let config = config::load(Some(&args.config)).map_err(|errors| errors.to_string())?;
    match &config.bus {
        BusConfig::Kafka(kafka) => Ok((kafka.clone(), config)),
        BusConfig::Embedded(_) => Err(format!(
            "{} keeps the log in the data directory; write bus: {{ kind: kafka, brokers: [HOST:PORT] }} to keep it \
             on Kafka",
            args.config.display()
        )),
    }
}

fn refuse(reason: &str) -> ExitCode {
    output::error(&format!("ripcord: {reason}"));
    ExitCode::from(EXIT_CONFIG)
}
