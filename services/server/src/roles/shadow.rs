//! Values of services that another process judges: whoever is asked follows their partition for as long as somebody
//! asks. A shadow judges as the judge does and writes nothing: what it shows is a projection of the log.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use analyzer::Keeper;
use bus::{Bus, Reader};
use model::{Partition, Position, Stamps};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    ask::{MAX_QUESTIONS, Question, answer},
    follow::Followed,
    records::{Poison, read_event},
    restore::restore,
    scrutiny::Scrutiny,
};
use crate::handover::Handover;

/// A shadow that nobody asked for so long ends: following costs as much as judging.
const IDLE_MAX: Duration = Duration::from_secs(300);

/// Pause before a log that cannot be read is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The shadows of one process; clones share everything.
#[derive(Clone)]
pub(crate) struct Shadows(Arc<Shared>);

struct Shared {
    parts: Parts,
    running: Mutex<BTreeMap<Partition, mpsc::Sender<Question>>>,
}

/// What a shadow is made of.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) bus: Bus,
    pub(crate) followed: Followed,
    pub(crate) poison: Poison,
    pub(crate) scrutiny: Scrutiny,
    pub(crate) stop: CancellationToken,
}

/// A shadow at work.
struct Shadow {
    keeper: Keeper,
    reader: Reader,
    scrutiny: Scrutiny,
    stamps: Stamps,
    /// Where the partition ended when the shadow began; `None`: reached.
    catching_up_to: Option<Position>,
    asked_at: Instant,
}

impl Shadows {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared { parts, running: Mutex::default() }))
    }

    /// The shadow of `partition`; begins to follow if nobody asked lately.
    pub(crate) fn of(&self, partition: Partition) -> mpsc::Sender<Question> {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = running.get(&partition).filter(|sender| !sender.is_closed()) {
            return sender.clone();
        }
        let (sender, questions) = mpsc::channel(MAX_QUESTIONS);
        running.insert(partition, sender.clone());
        let (parts, runtime) = (self.0.parts.clone(), tokio::runtime::Handle::current());
        // Judging is work for the processor: on a thread of its own it keeps no request waiting.
        drop(tokio::task::spawn_blocking(move || runtime.block_on(parts.follow(partition, questions))));
        sender
    }
}

impl Parts {
    async fn follow(self, partition: Partition, mut questions: mpsc::Receiver<Question>) {
        let restored = match restore(&self.bus, partition, &self.followed, (&self.poison, &self.scrutiny))
            .await
        {
            Ok(restored) => restored,
            // Whoever asks again begins anew.
            Err(error) => {
                return tracing::warn!(error = format!("{error:#}"), %partition, "a partition cannot be followed");
            }
        };
        let mut shadow = Shadow {
            reader: self.bus.events.reader(partition, restored.next),
            scrutiny: self.scrutiny.clone(),
            stamps: Stamps::from(restored.keeper.now()),
            keeper: restored.keeper,
            catching_up_to: Some(restored.end),
            asked_at: Instant::now(),
        };
        while shadow.asked_at.elapsed() < IDLE_MAX {
            tokio::task::consume_budget().await;
            if shadow.catching_up_to.is_some_and(|end| shadow.reader.position() >= end) {
                shadow.catching_up_to = None;
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                Some(question) = questions.recv(), if shadow.catching_up_to.is_none() => {
                    shadow.asked_at = Instant::now();
                    answer(&shadow.keeper, question);
                }
                record = shadow.reader.next() => match record {
                    Ok(record) => shadow.take(&record),
                    Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
                },
            }
        }
    }
}

impl Shadow {
    /// What cannot be read is the judge's to bury, and what it leads to the judge's to write.
    fn take(&mut self, record: &bus::Record) {
        if let Ok(mut event) = read_event(record, &Handover::default()) {
            self.scrutiny.replay(&mut self.stamps, &mut event);
            drop(self.keeper.judge(record.position, &event));
        }
    }
}
