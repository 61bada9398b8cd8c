//! `ripcord topics`: the topics of a log on Kafka.

use std::{path::PathBuf, process::ExitCode};

use bus::{BusConfig, KafkaConfig, TopicReport};
use clap::{Args, Subcommand};

use super::{output, serve::EXIT_CONFIG};
use crate::config;

#[derive(Debug, Subcommand)]
pub(super) enum TopicsVerb {
    /// Make the topics that are missing, with the settings they need, and check all: exit 78 when one cannot be used.
    Create(TopicsArgs),
    /// Check the topics: exit 78 when one cannot be used.
    Check(TopicsArgs),
}

#[derive(Debug, Args)]
pub(super) struct TopicsArgs {
    /// The configuration, whose `bus` names the brokers; ripcord.yml where none is named.
    #[arg(long, env = "RIPCORD_CONFIG", default_value = "ripcord.yml")]
    config: PathBuf,
}

pub(super) async fn run(verb: TopicsVerb) -> anyhow::Result<ExitCode> {
    let (TopicsVerb::Create(args) | TopicsVerb::Check(args)) = &verb;
    let config = match kafka_of(args) {
        Ok(config) => config,
        Err(reason) => return Ok(refuse(&reason)),
    };
    let reports = match verb {
        TopicsVerb::Create(_) => bus::create_topics(&config).await,
        TopicsVerb::Check(_) => bus::check_topics(&config).await,
    };
    match reports {
        Ok(reports) => {
            reports.iter().for_each(|report| output::line(&report.to_string()));
            let is_good = reports.iter().all(TopicReport::is_usable);
            Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIG) })
        }
        Err(error) => Ok(refuse(&error.to_string())),
    }
}

fn kafka_of(args: &TopicsArgs) -> Result<KafkaConfig, String> {
    let config = config::load(Some(&args.config)).map_err(|errors| errors.to_string())?;
    match config.bus {
        BusConfig::Kafka(kafka) => Ok(kafka),
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
