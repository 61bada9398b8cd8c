//! Whose log this is: two installations that share topics by mistake rule each other's services.

use bus::{BusConfig, Doubt, KafkaConfig, NewRecord, ReadError, Topic};
use model::{DecisionRecord, Origin, Partition, Position};

/// Records that are looked at: the newest ones, as a few may be somebody else's.
const LOOK_BACK: u64 = 64;

/// What the newest records of the decisions log say of themselves.
#[derive(Debug, Default, PartialEq, Eq)]
struct Written {
    by: Option<String>,
    /// The cluster that they were copied from, where they hold positions of that one.
    copied_from: Option<String>,
    /// None of them is by this process's key, and some are by another one.
    is_by_other_key: bool,
}

/// Why this process must not work on the log, in a sentence for the operator: it is another installation's, or a copy
/// from another cluster. An error passes.
pub(crate) async fn refusal(decisions: &Topic, config: &BusConfig) -> Result<Option<String>, ReadError> {
    let BusConfig::Kafka(kafka) = config else { return Ok(None) };
    let written = look(decisions).await?;
    if written.is_by_other_key {
        tracing::error!(
            "the newest records of the decisions log are by another `bus.key_file`: they are void here"
        );
    }
    Ok(judge(&written, kafka).err())
}

/// Writes the installation's name onto a log that has none.
pub(crate) async fn mark(decisions: &Topic, kafka: &KafkaConfig) -> Result<(), String> {
    let unreadable = |error: ReadError| format!("the decisions log cannot be read: {error}");
    if kafka.installation.is_none() || look(decisions).await.map_err(unreadable)?.by.is_some() {
        return Ok(());
    }
    let at = telemetry::clock::now();
    // It only brings the time; the name goes with every record.
    let record = DecisionRecord { at, origin: Origin::Teller, ..DecisionRecord::default() };
    let append = decisions.append(Partition::HOME, NewRecord::new(at, proto::encode_decision(&record)));
    append.await.map(drop).map_err(|error| format!("the installation's name cannot be written: {error}"))
}

async fn look(decisions: &Topic) -> Result<Written, ReadError> {
    let bounds = decisions.bounds(Partition::HOME).await?;
    let from = Position(bounds.next.0.saturating_sub(LOOK_BACK)).max(bounds.first);
    let mut reader = decisions.reader(Partition::HOME, from);
    let (mut written, mut is_any_own) = (Written::default(), false);
    while let Some(record) = reader.next_before(bounds.next).await? {
        match record.doubt {
            Some(Doubt::Unsigned) => continue,
            Some(Doubt::WrongCode) => {
                written.is_by_other_key = true;
                continue;
            }
            Some(Doubt::ForeignInstallation | Doubt::ForeignCluster) | None => is_any_own = true,
        }
        written.by = bus::installation_of(&record).or(written.by);
        let is_copy = record.doubt == Some(Doubt::ForeignCluster);
        written.copied_from = bus::cluster_of(&record).filter(|_| is_copy);
    }
    written.is_by_other_key &= !is_any_own;
    Ok(written)
}

fn judge(written: &Written, kafka: &KafkaConfig) -> Result<(), String> {
    let prefix = &kafka.topic_prefix;
    if let Some(by) = &written.by
        && kafka.installation.as_ref() != Some(by)
    {
        let own = match &kafka.installation {
            Some(own) => format!("this configuration is of `{own}`"),
            None => "this configuration has no `bus.installation`".to_owned(),
        };
        return Err(format!(
            "the topics `{prefix}.*` are those of the installation `{by}`, and {own}: give this one another \
             `bus.topic_prefix`, or the same `bus.installation` if it is a part of it"
        ));
    }
    if let Some(cluster) = &written.copied_from {
        return Err(format!(
            "the topics `{prefix}.*` are a copy from the Kafka cluster {cluster}, and positions in their records are \
             those of that cluster: copy them with the same offsets (Cluster Linking) and name it in \
             `bus.linked_from`, or begin with empty topics under another `bus.topic_prefix`, which forgets halts, bad \
             versions and releases under watch"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_of_somebody_else_or_from_elsewhere_is_refused_with_what_to_do() {
        let written = |by: Option<&str>, copied_from: Option<&str>| Written {
            by: by.map(str::to_owned),
            copied_from: copied_from.map(str::to_owned),
            is_by_other_key: false,
        };
        for (log, own, refusal) in [
            (written(None, None), None, None),
            (written(None, None), Some("payments"), None),
            (written(Some("payments"), None), Some("payments"), None),
            (written(Some("payments"), None), Some("search"), Some("this configuration is of `search`")),
            (written(Some("payments"), None), None, Some("this configuration has no `bus.installation`")),
            (
                written(Some("payments"), Some("abc")),
                Some("payments"),
                Some("a copy from the Kafka cluster abc"),
            ),
        ] {
            let kafka = KafkaConfig {
                installation: own.map(str::to_owned),
                ..KafkaConfig::new(Vec::new(), "ripcord", "a")
            };
            let judged = judge(&log, &kafka);
            match refusal {
                None => assert_eq!(judged, Ok(()), "{log:?} {own:?}"),
                Some(part) => assert!(judged.unwrap_err().contains(part), "{log:?} {own:?}"),
            }
        }
    }
}
