//! `ripcord dead-letters`: what nobody could read, and another try at it.

use std::{collections::VecDeque, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use bus::{Bus, BusConfig, NewRecord, Outgoing, Outlet, Record};
use clap::{Args, Subcommand};
use model::{Partition, Position};
use serde_json::json;

use super::{
    output::{self, Output},
    serve::EXIT_CONFIG,
};
use crate::{config, duration::parse_duration};

/// How long a message may take to be on its topic again.
const PUBLISH_MAX: Duration = Duration::from_secs(10);

/// What the records' own headers begin with.
const OWN_HEADERS: &str = "ripcord-";

/// Reasons for which a record of the events log may be read by another version.
const READABLE_LATER: [&str; 2] = ["envelope", "telemetry"];

#[derive(Debug, Subcommand)]
pub(super) enum DeadLettersVerb {
    /// List them, the newest last.
    List(ListArgs),
    /// Send messages of inputs to their topics again, and events to the log.
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
struct Chosen {
    /// The configuration, whose `bus` says where the log is. An embedded log must not be in use.
    #[arg(long, env = "RIPCORD_CONFIG", default_value = "ripcord.yml")]
    config: PathBuf,
    /// Only those of this topic; `events` and `decisions` are the log's own.
    #[arg(long)]
    topic: Option<String>,
    /// Only those with this reason, as in ripcord_poison_records_total.
    #[arg(long)]
    reason: Option<String>,
    /// Only those that are younger, as 2h.
    #[arg(long, value_parser = parse_duration)]
    since: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// The newest so many.
    #[arg(long, default_value_t = 100)]
    most: usize,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Only the one at this position of the list.
    #[arg(long)]
    position: Option<u64>,
    /// Say what would be sent, and send nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What a dead letter says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Address {
    topic: String,
    partition: u32,
    position: u64,
    reason: String,
    detail: String,
}

impl Address {
    fn of(record: &Record) -> Self {
        let text = |name| record.header(name).map(|it| String::from_utf8_lossy(it).into_owned());
        let text = |name| text(name).unwrap_or_default();
        Self {
            topic: text("ripcord-original-topic"),
            partition: text("ripcord-original-partition").parse().unwrap_or_default(),
            position: text("ripcord-original-position").parse().unwrap_or_default(),
            reason: text("ripcord-error"),
            detail: text("ripcord-error-detail"),
        }
    }
}

impl Chosen {
    fn has(&self, address: &Address) -> bool {
        self.topic.as_ref().is_none_or(|topic| *topic == address.topic)
            && self.reason.as_ref().is_none_or(|reason| *reason == address.reason)
    }

    /// Calls `take` with each chosen letter, the oldest first.
    async fn each(
        &self,
        bus: &Bus,
        mut take: impl AsyncFnMut(Record, Address) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let unreadable = "the dead letters cannot be read";
        let letters = &bus.dead_letters;
        let bounds = letters.bounds(Partition::HOME).await.context(unreadable)?;
        let from = match self.since {
            Some(since) => {
                let at = model::Timestamp::from_millis(
                    telemetry::clock::now().as_millis()
                        - i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
                );
                letters.position_at(Partition::HOME, at).await.context(unreadable)?
            }
            None => bounds.first,
        };
        let mut reader = letters.reader(Partition::HOME, from.max(bounds.first));
        while let Some(record) = reader.next_before(bounds.next).await.context(unreadable)? {
            let address = Address::of(&record);
            if self.has(&address) {
                take(record, address).await?;
            }
        }
        Ok(())
    }
}

pub(super) async fn run(verb: DeadLettersVerb) -> anyhow::Result<ExitCode> {
    let (DeadLettersVerb::List(ListArgs { chosen, .. }) | DeadLettersVerb::Replay(ReplayArgs { chosen, .. })) =
        &verb;
    let config = match config::load(Some(&chosen.config)) {
        Ok(config) => config,
        Err(errors) => {
            output::error(&format!("ripcord: {errors}"));
            return Ok(ExitCode::from(EXIT_CONFIG));
        }
    };
    let bus = bus::open(config.bus.clone()).await.context("the log cannot be opened")?;
    let done = match &verb {
        DeadLettersVerb::List(args) => list(args, &bus).await,
        DeadLettersVerb::Replay(args) => replay(args, &bus, &config).await,
    };
    bus.close().await;
    done
}

async fn list(args: &ListArgs, bus: &Bus) -> anyhow::Result<ExitCode> {
    let mut newest = VecDeque::new();
    args.chosen
        .each(bus, async |record, address| {
            if newest.len() >= args.most {
                newest.pop_front();
            }
            newest.push_back((record.position, record.at, record.payload.len(), address));
            Ok(())
        })
        .await?;
    let items: Vec<_> = newest
        .iter()
        .map(|(position, at, bytes, it)| {
            json!({
                "position": position.0,
                "at": at.to_string(),
                "topic": it.topic,
                "partition": it.partition,
                "original_position": it.position,
                "reason": it.reason,
                "detail": it.detail,
                "bytes": bytes,
            })
        })
        .collect();
    if !args.output.print_whole(&json!({ "items": items })) {
        let row = |(position, at, bytes, it): &(Position, model::Timestamp, usize, Address)| {
            let place = format!("{} {}/{}", it.topic, it.partition, it.position);
            let detail: String = it.detail.chars().take(80).collect();
            vec![position.0.to_string(), at.to_string(), place, bytes.to_string(), it.reason.clone(), detail]
        };
        let rows: Vec<_> = newest.iter().map(row).collect();
        output::table(&["POSITION", "AT", "FROM", "BYTES", "REASON", "DETAIL"], &rows);
    }
    Ok(ExitCode::SUCCESS)
}

/// Where a letter may go again.
#[derive(Debug, PartialEq, Eq)]
enum Again {
    Input,
    Events(Partition),
}

/// Nothing that was void, and no decision: those are made again, not repeated.
fn again(
    address: &Address,
    is_doubted: bool,
    inputs: &[String],
    partitions: u32,
) -> Result<Again, &'static str> {
    if is_doubted {
        return Err("the dead letter itself is void");
    }
    if inputs.contains(&address.topic) {
        return Ok(Again::Input);
    }
    match address.topic.as_str() {
        "events" if !READABLE_LATER.contains(&address.reason.as_str()) => {
            Err("a void record is not repeated")
        }
        "events" if address.partition >= partitions => Err("the events have no such partition"),
        "events" => Ok(Again::Events(Partition(address.partition))),
        "decisions" => Err("decisions are not repeated"),
        _ => Err("it is of no topic of `bus.inputs`"),
    }
}

async fn replay(args: &ReplayArgs, bus: &Bus, config: &config::Config) -> anyhow::Result<ExitCode> {
    let inputs: Vec<String> = config.outside.inputs.iter().map(|input| input.topic.clone()).collect();
    let outlet = match &config.outside.kafka {
        Some(kafka) => Some(Outlet::new(kafka, PUBLISH_MAX).context("the inputs' brokers")?),
        None => None,
    };
    let is_embedded = matches!(config.bus, BusConfig::Embedded(_));
    let (mut sent, mut left) = (0, 0);
    args.chosen
        .each(bus, async |record, address| {
            if args.position.is_some_and(|position| position != record.position.0) {
                return Ok(());
            }
            let place = format!(
                "{} ({} {}/{})",
                record.position.0, address.topic, address.partition, address.position
            );
            match again(&address, record.doubt.is_some(), &inputs, bus.events.partitions()) {
                Err(why) => {
                    left += 1;
                    output::line(&format!("{place}: left alone: {why}"));
                    return Ok(());
                }
                Ok(_) if args.dry_run => output::line(&format!("{place}: would be sent")),
                Ok(Again::Input) => {
                    let outlet = outlet.as_ref().context("`bus.inputs` have no brokers")?;
                    publish(outlet, &record, &address.topic).await.context(place.clone())?;
                    output::line(&format!("{place}: sent"));
                }
                Ok(Again::Events(partition)) => {
                    let event = NewRecord::new(record.at, record.payload.clone()).keyed(record.key.clone());
                    bus.events.append(partition, event).await.context(place.clone())?;
                    output::line(&format!("{place}: sent"));
                }
            }
            sent += 1;
            Ok(())
        })
        .await?;
    if is_embedded && sent > 0 {
        output::line("they are read at the next start");
    }
    let nothing = sent == 0 && left == 0;
    output::line(&if nothing {
        "nothing is chosen".to_owned()
    } else {
        format!("{sent} sent, {left} left alone")
    });
    Ok(if sent > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// As it came, with its own headers.
async fn publish(outlet: &Outlet, record: &Record, topic: &str) -> anyhow::Result<()> {
    let own = record.headers.iter().filter(|(name, _)| !name.starts_with(OWN_HEADERS));
    let headers: Vec<(&str, &[u8])> = own.map(|(name, value)| (name.as_str(), &value[..])).collect();
    let message = Outgoing { topic, key: &record.key, headers: &headers, payload: &record.payload };
    outlet.publish(message).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_read_another_time_is_sent_again() {
        let inputs = ["deployments".to_owned()];
        for (topic, reason, is_doubted, may_go) in [
            ("deployments", "cloudevents", false, Ok(Again::Input)),
            ("deployments", "cloudevents", true, Err("the dead letter itself is void")),
            ("events", "telemetry", false, Ok(Again::Events(Partition(2)))),
            ("events", "unauthenticated", false, Err("a void record is not repeated")),
            ("decisions", "unauthenticated", false, Err("decisions are not repeated")),
            ("elsewhere", "cloudevents", false, Err("it is of no topic of `bus.inputs`")),
        ] {
            let address =
                Address { topic: topic.into(), partition: 2, reason: reason.into(), ..Address::default() };
            assert_eq!(again(&address, is_doubted, &inputs, 6), may_go, "{topic} {reason}");
        }
        let beyond =
            Address { topic: "events".into(), partition: 6, reason: "envelope".into(), ..Address::default() };
        assert!(again(&beyond, false, &inputs, 6).is_err());
    }
}
