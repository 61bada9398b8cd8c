//! The arbiter: rebuilt from the decisions log at every start. Measured so that it can be seen how long a log may
//! grow before a start is slow.

use std::time::Duration;

use arbiter::Chair;
use model::{
    Checkpoint, Decision, DecisionRecord, PolicyLoad, Position, Proposal, Release, ReleaseState, Timestamp,
};

use crate::{
    clock::{Cost, timed},
    projection::{breach, release},
};

/// Releases in the log that were rolled back.
const ROLLBACKS: u64 = 20_000;

/// Longer than the storm guard looks back: every rollback is carried out.
const PERIOD: Duration = Duration::from_secs(900);

const POLICY: &str = "
rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }
policies: [ { match: {}, target: { webhook: { url: \"https://deploy.example.org/rollback\" } } } ]
";

pub(crate) struct ChairCost {
    pub(crate) records: usize,
    pub(crate) commands: usize,
    pub(crate) bytes: usize,
    /// Decoding and taking a record.
    pub(crate) rebuild: Cost,
    /// The state of all of them, as a checkpoint.
    pub(crate) checkpoint_bytes: usize,
    /// Taking it, in the arbiter's own thread.
    pub(crate) take: Cost,
    pub(crate) encode: Cost,
    /// Decoding it and going on from there: a start.
    pub(crate) restore: Cost,
}

pub(crate) fn measure() -> Result<ChairCost, proto::DecodeError> {
    let mut log = Log::default();
    log.write();
    let mut result = Ok(());
    let mut chair = Chair::new("next".to_owned());
    let rebuild = timed(|| {
        for (at, bytes) in (0..).zip(&log.records) {
            match proto::decode_decision(bytes) {
                Ok(record) => chair.take(Position(at), &record),
                Err(error) => result = Err(error),
            }
        }
    });
    result?;
    let mut checkpoint = Checkpoint::default();
    let take = timed(|| checkpoint = chair.checkpoint());
    let mut bytes = Vec::new();
    let encode = timed(|| bytes = proto::encode_checkpoint(&checkpoint));
    let mut restored = Ok(chair);
    let restore = timed(|| {
        restored = proto::decode_checkpoint(&bytes).map(|it| Chair::from_checkpoint("again".to_owned(), it));
    });
    // What is measured is the whole state.
    assert!(restored?.checkpoint() == checkpoint, "the checkpoint gives another state");
    Ok(ChairCost {
        checkpoint_bytes: bytes.len(),
        take,
        encode,
        restore,
        records: log.records.len(),
        commands: log.commands,
        bytes: log.records.iter().map(Vec::len).sum(),
        rebuild: rebuild / log.records.len() as f64,
    })
}

/// A decisions log as an analyzer and an arbiter write it.
#[derive(Default)]
struct Log {
    records: Vec<Vec<u8>>,
    commands: usize,
    events: u64,
}

impl Log {
    fn write(&mut self) {
        let mut chair = Chair::new("first".to_owned());
        let claim = chair.claim(Timestamp::MIN);
        self.append(&mut chair, claim);
        let files = vec![("ripcord.yml".to_owned(), POLICY.to_owned())];
        let load = PolicyLoad { files, origin: "start".to_owned() };
        self.propose(&mut chair, Timestamp::MIN, Proposal::PolicyLoad(Box::new(load)));
        for n in 0..ROLLBACKS {
            let at = Timestamp::from_millis(1_795_428_000_000) + PERIOD.saturating_mul(n as u32);
            let release = release(n);
            let is =
                |state| Proposal::Release(Box::new(Release { state, started_at: at, ..release.clone() }));
            self.propose(&mut chair, at, is(ReleaseState::Watching));
            self.propose(&mut chair, at, Proposal::Breach(Box::new(breach(&release))));
            self.propose(&mut chair, at, is(ReleaseState::RolledBack));
        }
    }

    fn propose(&mut self, chair: &mut Chair, at: Timestamp, proposal: Proposal) {
        self.events += 1;
        let decisions = vec![Decision::Proposal(proposal)];
        let record =
            DecisionRecord { at, position: Position(self.events), decisions, ..DecisionRecord::default() };
        self.append(chair, record);
        while let Some(answer) = chair.poll_answer() {
            self.commands += answer.decisions.iter().filter(|it| matches!(it, Decision::Command(_))).count();
            self.append(chair, answer);
        }
    }

    fn append(&mut self, chair: &mut Chair, record: DecisionRecord) {
        let at = Position(self.records.len() as u64);
        self.records.push(proto::encode_decision(&record));
        chair.take(at, &record);
    }
}
