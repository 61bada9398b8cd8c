//! The log beside a plain list: random appends, restarts, power cuts and failures.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Appends so many records of so many bytes at once.
    Append {
        count: usize,
        bytes: usize,
    },
    Restart,
    PowerCut {
        seed: u64,
    },
    /// Lets an operation fail.
    Fail {
        n: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..6_usize, 0..400_usize).prop_map(|(count, bytes)| Step::Append { count, bytes }),
        2 => Just(Step::Restart),
        2 => any::<u64>().prop_map(|seed| Step::PowerCut { seed }),
        2 => (0..12_u64).prop_map(|n| Step::Fail { n }),
    ]
}

/// The log, and what was promised about it.
struct Run {
    config: TopicConfig,
    disk: Memory,
    topic: Topic,
    appended: u32,
    acknowledged: Vec<(Position, String)>,
    /// What readers were shown.
    shown: Vec<(Position, String)>,
}

impl Run {
    fn new(config: TopicConfig) -> Self {
        let disk = Memory::default();
        let topic = open(&disk, config);
        Self { config, disk, topic, appended: 0, acknowledged: Vec::new(), shown: Vec::new() }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Append { count, bytes } => self.append(*count, *bytes).await,
            Step::Restart => self.topic.close().await,
            Step::PowerCut { seed } => self.disk = self.disk.after_power_cut(*seed),
            Step::Fail { n } => self.disk.fail_at(*n),
        }
        if matches!(step, Step::Restart | Step::PowerCut { .. }) {
            // One failure may be pending, so the second attempt succeeds.
            let opened = try_open(&self.disk, self.config);
            self.topic = opened.or_else(|_| try_open(&self.disk, self.config)).unwrap();
        }
    }

    async fn append(&mut self, count: usize, bytes: usize) {
        let first = self.appended;
        let name = |n: u32| format!("{n} {}", "x".repeat(bytes));
        let names: Vec<String> = (first..).take(count).map(name).collect();
        self.appended += count as u32;
        let under_way: Vec<Append> = names.iter().map(|name| append(&self.topic, name)).collect();
        for (name, append) in names.into_iter().zip(under_way) {
            if let Ok(position) = append.await {
                self.acknowledged.push((position, name));
            }
        }
    }

    /// Everything acknowledged is read at its position, once, in order; nothing is read that was not appended;
    /// nothing that was read once is taken back.
    fn check(&mut self) {
        let mut reader = self.topic.reader(Position(0));
        let mut records = Vec::new();
        loop {
            match reader.try_next() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => break,
                Err(error) => assert!(error.is_retryable()),
            }
        }
        let read: Vec<(Position, String)> = records
            .iter()
            .map(|record| (record.position, String::from_utf8(record.payload.to_vec()).unwrap()))
            .collect();
        assert!(read.is_sorted_by(|a, b| a.0 < b.0));
        let taken_back = self.shown.iter().find(|shown| !read.contains(shown));
        assert_eq!(taken_back.map(|(position, _)| position), None);
        let is_acknowledged = |record: &&(Position, String)| self.acknowledged.contains(record);
        let kept: Vec<&(Position, String)> = read.iter().filter(is_acknowledged).collect();
        // Not with `assert_eq`: the payloads would fill the screen.
        assert!(kept.iter().copied().eq(&self.acknowledged), "acknowledged records are missing or moved");
        for (_, text) in &read {
            let n: u32 = text.split(' ').next().unwrap().parse().unwrap();
            assert!(n < self.appended);
        }
        let first = self.topic.bounds().first.0;
        let stepped_over: u64 = records.iter().map(|record| record.missing_before).sum();
        let end = records.last().map_or(first, |record| record.position.0 + 1);
        assert_eq!(stepped_over + records.len() as u64, end, "every position is accounted for");
        self.shown = read;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_log_keeps_every_promise_through_restarts_power_cuts_and_failures(
        steps in prop::collection::vec(step(), 1..24),
        segment_bytes in prop_oneof![Just(1_u64), Just(200), Just(5000)],
        tail_bytes_max in prop_oneof![Just(0_usize), Just(600), Just(100_000)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut run = Run::new(TopicConfig { segment_bytes, tail_bytes_max, ..TopicConfig::default() });
        runtime.block_on(async {
            for step in &steps {
                run.take(step).await;
                run.check();
            }
        });
    }
}
