//! What the log on Kafka is not believed.
//!
//! Whoever may write to the topics can write numbers that only grow: how far an analyzer has judged, and what time it
//! is. One number far ahead would make everything void that comes after it. Each is compared with something that
//! its writer does not choose: the end of the partition that it is about, or the clocks of others.
//!
//! All readers of a process share one scrutiny, and so one verdict on each record. The embedded log has one writer,
//! this process, and nothing to scrutinise.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bus::{Bus, Topic};
use model::{DecisionRecord, Event, Origin, Partition, Position, Stamps, Timestamp, Void};
use prometheus::{IntCounterVec, Registry};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::records::{Unreadable, read_decision};

/// Verdicts remembered; beyond it the oldest are found again where a reader comes to the record so late.
const VERDICTS_MAX: usize = 10_000;

/// Pause before brokers that do not answer are asked again for a partition's end.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Scrutiny(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// `None`: this process is the only writer.
    events: Option<Topic>,
    seen: Mutex<Seen>,
    void: IntCounterVec,
    stamps: IntCounterVec,
    stop: CancellationToken,
}

/// What is known of the decisions log and of what its records speak of.
#[derive(Debug, Default)]
struct Seen {
    ends: BTreeMap<Partition, Position>,
    stamps: Stamps,
    verdicts: BTreeMap<Position, Verdict>,
}

/// On a record of the decisions log that is not taken as it stands.
#[derive(Clone, Debug)]
enum Verdict {
    Refused(Unreadable),
    Stamped(Timestamp),
}

impl Scrutiny {
    pub(crate) fn register(
        registry: &Registry,
        bus: &Bus,
        is_shared: bool,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        use telemetry::metrics::counter;
        let void =
            "Records of the decisions log that do not count, by who says to have written them, and why.";
        let stamps =
            "Records whose stamp was too far ahead of the log and of this process's clock to be believed.";
        Ok(Self(Arc::new(Shared {
            events: is_shared.then(|| bus.events.clone()),
            seen: Mutex::default(),
            void: counter(registry, "ripcord_void_records_total", void, &["origin", "reason"])?,
            stamps: counter(registry, "ripcord_disbelieved_stamps_total", stamps, &["topic"])?,
            stop,
        })))
    }

    /// The record of the decisions log, as far as it is believed.
    pub(crate) async fn decision(&self, record: &bus::Record) -> Result<DecisionRecord, Unreadable> {
        let decision = read_decision(record)?;
        let Some(events) = &self.0.events else { return Ok(decision) };
        let mut seen = self.0.seen.lock().await;
        match seen.verdicts.get(&record.position) {
            Some(Verdict::Refused(why)) => return Err(why.clone()),
            Some(Verdict::Stamped(at)) => return Ok(DecisionRecord { at: *at, ..decision }),
            None => {}
        }
        if decision.origin == Origin::Analyzer
            && let Err(why) = self.0.expect_event(events, &mut seen, &decision).await
        {
            seen.note(record.position, Verdict::Refused(why.clone()));
            return Err(why);
        }
        let (at, is_believed) = seen.stamps.take(decision.at, telemetry::clock::now());
        if !is_believed {
            seen.note(record.position, Verdict::Stamped(at));
            self.note_stamp("decisions", Partition::HOME, record.position, decision.at);
        }
        Ok(DecisionRecord { at, ..decision })
    }

    /// Gives an event that is judged the moment that it is believed to be of.
    pub(crate) fn believe(
        &self,
        stamps: &mut Stamps,
        partition: Partition,
        position: Position,
        event: &mut Event,
    ) {
        let stamped = event.at;
        if !self.replay(stamps, event) {
            self.note_stamp("events", partition, position, stamped);
        }
    }

    /// As [`Self::believe`], of an event that was judged before and told of then; whether its stamp is believed.
    pub(crate) fn replay(&self, stamps: &mut Stamps, event: &mut Event) -> bool {
        if self.0.events.is_none() {
            return true;
        }
        let (at, is_believed) = stamps.take(event.at, telemetry::clock::now());
        event.at = at;
        is_believed
    }

    /// Counts a record of the decisions log that does not count, and tells each time that there are twice as many.
    pub(crate) fn note_void(&self, position: Position, record: &DecisionRecord, why: Void) {
        let origin = origin_of(&record.origin);
        let count = self.0.void.with_label_values(&[origin, why.as_str()]);
        count.inc();
        let (so_far, position, reason) = (count.get(), position.0, why.as_str());
        let (partition, about, cause) = (record.partition, record.position.0, &record.cause);
        if so_far.is_power_of_two() {
            tracing::warn!(origin, reason, position, %partition, about, %cause, so_far,
                "a record of the decisions log is void");
        }
    }

    fn note_stamp(&self, topic: &'static str, partition: Partition, position: Position, stamp: Timestamp) {
        let count = self.0.stamps.with_label_values(&[topic]);
        count.inc();
        let (so_far, position) = (count.get(), position.0);
        if so_far.is_power_of_two() {
            tracing::error!(topic, %partition, position, %stamp, so_far,
                "a record is stamped too far ahead to be believed: look at the clock of who writes it");
        }
    }
}

impl Shared {
    /// What an analyzer judged stands on the events log, before its judgement does.
    async fn expect_event(
        &self,
        events: &Topic,
        seen: &mut Seen,
        decision: &DecisionRecord,
    ) -> Result<(), Unreadable> {
        let (partition, position) = (decision.partition, decision.position);
        let ahead = |end: u64| {
            let about = position.0;
            Unreadable::new(
                "ahead",
                format!("about event {about} of partition {partition}, which ends at {end}"),
            )
        };
        if partition.0 >= events.partitions() {
            return Err(ahead(0));
        }
        while seen.ends.get(&partition) <= Some(&position) {
            let bounds = tokio::select! {
                () = self.stop.cancelled() => return Err(Unreadable::new("stopping", "this process stops")),
                bounds = events.bounds(partition) => bounds,
            };
            match bounds {
                Ok(bounds) if bounds.next <= position => return Err(ahead(bounds.next.0)),
                Ok(bounds) => drop(seen.ends.insert(partition, bounds.next)),
                Err(error) => {
                    tracing::error!(%error, %partition, "the end of a partition is not known; reading decisions waits");
                    tokio::select! {
                        () = self.stop.cancelled() => {}
                        () = tokio::time::sleep(RETRY_PAUSE) => {}
                    }
                }
            }
        }
        Ok(())
    }
}

impl Seen {
    fn note(&mut self, position: Position, verdict: Verdict) {
        if self.verdicts.len() >= VERDICTS_MAX {
            self.verdicts.pop_first();
        }
        self.verdicts.insert(position, verdict);
    }
}

fn origin_of(origin: &Origin) -> &'static str {
    match origin {
        Origin::Analyzer => "analyzer",
        Origin::Claim { .. } => "claim",
        Origin::Clock { .. } => "clock",
        Origin::Teller => "teller",
        Origin::Arbiter { .. } => "arbiter",
    }
}
