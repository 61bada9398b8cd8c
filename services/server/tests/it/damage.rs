//! Torn, flipped, lost and exchanged bytes in every file of the data directory: whatever is hit, Ripcord starts and
//! tells, or refuses with a sentence; it does nothing again, and never goes back to a bad version.
//!
//! One history is damaged in every way, each time on a copy of its own. `DAMAGES=all` takes all ways, otherwise it is
//! a part of them; `SEED=…` repeats which, and where they hit, and `CASE=…` takes but one.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    rc::Rc,
};

use bus::{BusConfig, EmbeddedConfig, NewRecord};
use model::{Partition, Position};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    random::{Random, number, seed},
    shop::{SECRET, scrape_thrice},
    sink::Sink,
    system::{System, until},
};

/// A window that the test cannot outlast, and evidence that stays fresh: nothing is held back for being old.
const CONFIG: &str = r#"
server: { listen: "LISTEN" }
metrics:
  error_rate: { ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total } }
defaults: { settle: 1s, max_decision_age: 1h }
rollback_triggers:
  error_rate: { threshold: 1%, window: 1h, action: immediate_rollback }
policies:
  - match: { environment: production }
    target: { webhook: { url: "TARGET", secret_file: webhook.secret } }
  - match: { environment: production, service: catalog }
    watch: { time: 2s }
"#;

/// Cases under way at once: they mostly wait.
const AT_ONCE: usize = 4;

/// Without `DAMAGES=all`, one case in so many.
const SHARE: u64 = 8;

const EVENTS: &str = "events/00000000000000000000.log";
const DECISIONS: &str = "decisions/00000000000000000000.log";
const DEAD_LETTERS: &str = "dead-letters/00000000000000000000.log";
const SNAPSHOT: &str = "snapshots/0";

const FILES: [&str; 10] = [
    EVENTS,
    DECISIONS,
    DEAD_LETTERS,
    SNAPSHOT,
    "events/newest",
    "decisions/newest",
    "dead-letters/newest",
    "format",
    "lock",
    "cli.token",
];

/// What is done to the data directory.
#[derive(Clone, Debug)]
enum Damage {
    FlipMiddle(&'static str),
    FlipStart(&'static str),
    Halve(&'static str),
    CutEnd(&'static str),
    Empty(&'static str),
    Delete(&'static str),
    DeleteFolder(&'static str),
    Zero(&'static str),
    Garbage(&'static str),
    Swap(&'static str, &'static str),
    OtherVersion,
    All(Vec<Damage>),
}

impl Damage {
    fn cases() -> Vec<Self> {
        use Damage::{
            All, CutEnd, Delete, DeleteFolder, Empty, FlipMiddle, FlipStart, Garbage, Halve, OtherVersion,
            Swap, Zero,
        };
        let kinds: [fn(&'static str) -> Damage; 8] =
            [FlipMiddle, FlipStart, Halve, CutEnd, Empty, Delete, Zero, Garbage];
        let one = FILES.into_iter().flat_map(|file| kinds.map(|kind| kind(file)));
        let without_snapshot = [EVENTS, DECISIONS]
            .into_iter()
            .flat_map(|file| kinds.map(|kind| All(vec![Delete(SNAPSHOT), kind(file)])));
        let swaps = [
            (EVENTS, DECISIONS),
            (EVENTS, SNAPSHOT),
            (EVENTS, DEAD_LETTERS),
            (DECISIONS, DEAD_LETTERS),
            (DECISIONS, SNAPSHOT),
            ("events/newest", "decisions/newest"),
            ("format", "cli.token"),
            ("format", "lock"),
            ("decisions/newest", SNAPSHOT),
        ];
        let folders = [
            vec![DeleteFolder("events")],
            vec![DeleteFolder("decisions")],
            vec![DeleteFolder("dead-letters")],
            vec![DeleteFolder("snapshots")],
            vec![Delete(EVENTS), Delete("events/newest")],
            vec![Delete(DECISIONS), Delete("decisions/newest")],
            vec![DeleteFolder("decisions"), DeleteFolder("snapshots")],
            vec![Halve(EVENTS), Halve(DECISIONS)],
            vec![Halve(EVENTS), Halve(DECISIONS), Delete(SNAPSHOT)],
            vec![OtherVersion],
        ];
        one.chain(without_snapshot).chain(swaps.map(|(a, b)| Swap(a, b))).chain(folders.map(All)).collect()
    }

    fn apply(&self, data: &Path, random: &mut Random) {
        let change = |file: &str, change: &mut dyn FnMut(&mut Vec<u8>)| {
            let mut bytes = std::fs::read(data.join(file)).unwrap();
            change(&mut bytes);
            std::fs::write(data.join(file), bytes).unwrap();
        };
        match self {
            Self::FlipMiddle(file) => change(file, &mut |bytes| {
                let (quarter, bit) = (bytes.len() / 4, random.below(8));
                if let Some(byte) = bytes.get_mut(quarter + random.below(2 * quarter as u64 + 1) as usize) {
                    *byte ^= 1 << bit;
                }
            }),
            Self::FlipStart(file) => change(file, &mut |bytes| {
                if let Some(byte) = bytes.get_mut(random.below(24) as usize) {
                    *byte ^= 1 << random.below(8);
                }
            }),
            Self::Halve(file) => change(file, &mut |bytes| {
                let half = bytes.len() / 4 + random.below(bytes.len() as u64 / 2 + 1) as usize;
                bytes.truncate(half);
            }),
            Self::CutEnd(file) => change(file, &mut |bytes| {
                bytes.truncate(bytes.len().saturating_sub(1 + random.below(20) as usize));
            }),
            Self::Empty(file) => change(file, &mut Vec::clear),
            Self::Delete(file) => std::fs::remove_file(data.join(file)).unwrap(),
            Self::DeleteFolder(folder) => std::fs::remove_dir_all(data.join(folder)).unwrap(),
            Self::Zero(file) => change(file, &mut |bytes| {
                let from = random.below(bytes.len() as u64 + 1) as usize;
                bytes.iter_mut().skip(from).take(512).for_each(|byte| *byte = 0);
            }),
            Self::Garbage(file) => change(file, &mut |bytes| {
                bytes.extend((0..3000).map(|_| random.below(256) as u8));
            }),
            Self::Swap(one, other) => {
                let (one, other, between) = (data.join(one), data.join(other), data.join("between"));
                std::fs::rename(&one, &between).unwrap();
                std::fs::rename(&other, &one).unwrap();
                std::fs::rename(&between, &other).unwrap();
            }
            Self::OtherVersion => change(SNAPSHOT, &mut |bytes| of_another_version(bytes)),
            Self::All(damages) => damages.iter().for_each(|damage| damage.apply(data, random)),
        }
    }

    fn hits(&self, file: &str) -> bool {
        match self {
            Self::FlipMiddle(hit)
            | Self::FlipStart(hit)
            | Self::Halve(hit)
            | Self::CutEnd(hit)
            | Self::Empty(hit)
            | Self::Delete(hit)
            | Self::Zero(hit)
            | Self::Garbage(hit) => *hit == file,
            Self::DeleteFolder(folder) => file.starts_with(folder),
            Self::Swap(one, other) => *one == file || *other == file,
            Self::OtherVersion => file == SNAPSHOT,
            Self::All(damages) => damages.iter().any(|damage| damage.hits(file)),
        }
    }
}

/// A whole snapshot, which only a later Ripcord can read.
fn of_another_version(snapshot: &mut Vec<u8>) {
    snapshot.truncate(snapshot.len() - 12);
    let analyzer = snapshot.windows(8).position(|bytes| bytes == b"RIPCORDA").unwrap();
    snapshot[analyzer + 8] += 1;
    let crc = crc32(snapshot);
    let length = snapshot.len() as u64;
    snapshot.extend(crc.to_le_bytes());
    snapshot.extend(length.to_le_bytes());
}

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// What can be seen of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    states: Vec<String>,
    halts: Vec<Value>,
    bad_versions: Vec<Value>,
}

impl Seen {
    async fn of(system: &System, releases: &[String]) -> Self {
        let mut states = Vec::new();
        for release in releases {
            states.push(system.state(release).await);
        }
        let list = async |path: &str, field: &str| -> Vec<Value> {
            let items = system.get(path).await["items"].clone();
            items.as_array().into_iter().flatten().map(|item| item[field].clone()).collect()
        };
        Self {
            states,
            halts: list("/api/v1/halts", "reason").await,
            bad_versions: list("/api/v1/versions/bad", "version").await,
        }
    }
}

/// Requests and errors of each version of a service.
async fn values(system: &System, service: &str) -> Vec<(String, u64, u64)> {
    let values = system.get(&format!("/api/v1/services/{service}/metrics?window=1h")).await;
    let versions = values["versions"].as_array().cloned().unwrap_or_default();
    let of = |version: Value| {
        let name = version["version"].as_str().unwrap_or_default().to_owned();
        (name, version["requests"].as_u64().unwrap_or(0), version["errors"].as_u64().unwrap_or(0))
    };
    versions.into_iter().map(of).collect()
}

async fn lines(system: &System, service: &str, count: usize) {
    let line = json!({"service": service, "environment": "production", "version": "2", "status": 200});
    let post = system.http.post(format!("{}/api/v1/requests", system.url));
    let answer = post.body(format!("{line}\n").repeat(count)).send().await.unwrap();
    assert_eq!(answer.status(), 202);
}

/// A data directory in which a release was rolled back and one succeeded, a halt is in force and a version is bad.
struct History {
    folder: tempfile::TempDir,
    releases: Vec<String>,
    seen: Seen,
    checkout: Vec<(String, u64, u64)>,
    command: Value,
}

impl History {
    async fn make() -> Self {
        let sink = Sink::start().await;
        let config = CONFIG.replace("TARGET", &sink.url);
        let mut system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
        let good = system.release("catalog", "2", Some("1")).await;
        lines(&system, "catalog", 500).await;
        let bad = system.release("checkout", "2.4.1", Some("2.4.0")).await;
        scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
        system.until_state(&bad, "rolling_back").await;
        let back = json!({"service": "checkout", "environment": "production", "version": "2.4.1", "status": "rolled_back"});
        assert!(system.post("/api/v1/releases", &back).await.0 < 300);
        system.until_state(&bad, "rolled_back").await;
        system.until_state(&good, "succeeded").await;
        let halt = ["halt", "--service", "search", "--for", "2h", "--reason", "game day"];
        assert!(system.cli(&halt).status.success());
        let releases = vec![good, bad];
        let seen = until("the halt is in force", async || {
            Some(Seen::of(&system, &releases).await).filter(|seen| seen.halts.len() == 1)
        })
        .await;
        assert_eq!(seen.bad_versions, ["2.4.1"]);
        let checkout = values(&system, "checkout").await;
        assert_eq!(checkout, [("2.4.1".to_owned(), 1000, 100)]);
        let command = sink.commands_for("checkout").pop().unwrap()["id"].clone();
        assert_eq!(system.terminate(), Some(0));

        let data = system.folder.path().join("data");
        let log = bus::open(BusConfig::Embedded(EmbeddedConfig::new(&data))).await.unwrap();
        let letter = NewRecord::new(telemetry::clock::now(), "nobody can read this");
        log.dead_letters.append(Partition::HOME, letter).await.unwrap();
        log.close().await;
        let folder = tempfile::tempdir().unwrap();
        copy_tree(system.folder.path(), folder.path());
        for file in FILES {
            let bytes = std::fs::metadata(folder.path().join("data").join(file)).unwrap().len();
            assert!(bytes > 0 || file == "lock", "{file} is empty");
        }
        Self { folder, releases, seen, checkout, command }
    }

    /// A copy of it, not started.
    fn copy(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        copy_tree(self.folder.path(), folder.path());
        drop(std::fs::remove_file(folder.path().join("ripcord.log")));
        folder
    }
}

pub(crate) fn copy_tree(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn whatever_happens_to_whichever_file_it_starts_and_tells_and_does_nothing_again() {
    tokio::task::LocalSet::new().run_until(damage_everything()).await;
}

async fn damage_everything() {
    let seed = seed();
    eprintln!("SEED={seed}");
    let is_all = std::env::var("DAMAGES").is_ok_and(|which| which == "all");
    let history = Rc::new(History::make().await);
    let slots = Rc::new(Semaphore::new(AT_ONCE));
    let mut running = tokio::task::JoinSet::new();
    for (n, damage) in Damage::cases().into_iter().enumerate() {
        let n = n as u64;
        // Not the same damage to every file.
        let is_chosen = is_all || (n + n / SHARE + seed).is_multiple_of(SHARE);
        if !number("CASE").map_or(is_chosen, |case| case == n) {
            continue;
        }
        let (history, slots) = (Rc::clone(&history), Rc::clone(&slots));
        running.spawn_local(async move {
            let _slot = slots.acquire().await.unwrap();
            let case = Case { story: format!("CASE={n} SEED={seed} {damage:?}"), damage };
            case.run(&history, Random::of(seed + n)).await
        });
    }
    let (mut opened, mut refused, mut failed) = (0, 0, Vec::new());
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(true) => opened += 1,
            Ok(false) => refused += 1,
            Err(error) => failed.push(error.to_string()),
        }
    }
    eprintln!("damages: {opened} opened, {refused} refused, {} failed", failed.len());
    assert!(failed.is_empty(), "{failed:#?}");
}

struct Case {
    story: String,
    damage: Damage,
}

impl Case {
    /// Whether it opened.
    async fn run(&self, history: &History, mut random: Random) -> bool {
        let story = &self.story;
        let sink = Sink::start().await;
        let folder = history.copy();
        self.damage.apply(&folder.path().join("data"), &mut random);
        let mut system = System::begin(folder, &CONFIG.replace("TARGET", &sink.url), &[]);
        if let Err(code) = system.until_ready_or_ended().await {
            let said = system.log();
            assert_eq!(code, Some(78), "{story}: {said}");
            assert!(said.lines().last().is_some_and(|line| line.len() > 20), "{story}: {said}");
            assert!(!said.contains("panicked"), "{story}: {said}");
            eprintln!("{story} is refused: {}", said.lines().last().unwrap_or_default());
            return false;
        }
        let is_known = !self.is_hopeless();
        if is_known {
            until(&format!("{story}: what was known is known"), async || {
                (Seen::of(&system, &history.releases).await == history.seen).then_some(())
            })
            .await;
        }
        if self.has_values() {
            until(&format!("{story}: windows are as they were"), async || {
                (values(&system, "checkout").await == history.checkout).then_some(())
            })
            .await;
        }
        self.check_told(&system).await;
        self.goes_on(&mut system, &sink, is_known).await;

        let ids: BTreeSet<String> = sink.received().iter().map(|it| it.body["id"].to_string()).collect();
        let again: Vec<_> = sink
            .commands_for("checkout")
            .into_iter()
            .filter(|it| it["release"]["version"] == "2.4.1")
            .collect();
        if self.damage.hits(DECISIONS) {
            // What became of it may be lost with the decisions; then it is sent again under its own id.
            assert!(again.iter().all(|it| it["id"] == history.command), "{story}: {again:?}");
        } else {
            assert_eq!(again, Vec::<Value>::new(), "{story}");
        }
        if is_known {
            let to_bad = sink.received().iter().filter(|it| it.body["to_version"] == "2.4.1").count();
            assert_eq!(to_bad, 0, "{story}: {ids:?}");
        }
        assert!(!system.log().contains("panicked"), "{story}: {}", system.log());
        true
    }

    /// Where events and decisions are both hit, what was known may be known to nobody any more.
    fn is_hopeless(&self) -> bool {
        self.damage.hits(EVENTS) && self.damage.hits(DECISIONS)
    }

    /// Whether either the events or a snapshot that can be used tell what the windows held. One that is older than
    /// what is left of the events cannot: counters would seem to have grown by all that is missing at once.
    fn has_values(&self) -> bool {
        let has_snapshot = !self.damage.hits(SNAPSHOT) && !self.damage.hits(DECISIONS);
        let is_deleted = matches!(self.damage, Damage::Delete(EVENTS));
        !self.damage.hits(EVENTS) || has_snapshot && !is_deleted
    }

    /// What is lost is counted, or told in the log. Decisions are not lost while events can tell them again.
    async fn check_told(&self, system: &System) {
        if !self.damage.hits(EVENTS) {
            return;
        }
        let metrics =
            system.http.get(format!("{}/metrics", system.url)).send().await.unwrap().text().await.unwrap();
        let is_counted = metrics.lines().any(|line| {
            let is_counter =
                line.starts_with("ripcord_log_corrupt_records") || line.starts_with("ripcord_poison_records");
            is_counter && !line.ends_with(" 0")
        });
        let log = system.log();
        let words = ["torn end", "damaged", "missing", "lost", "set aside", "are gone", "not used"];
        let is_told = words.iter().any(|word| log.contains(word));
        assert!(is_counted || is_told, "{}: nobody is told: {log}", self.story);
    }

    /// What is acked from here on counts, is judged, survives `kill -9`, and never leads to a bad version.
    async fn goes_on(&self, system: &mut System, sink: &Sink, is_known: bool) {
        let story = &self.story;
        lines(system, "fresh", 100).await;
        let counts = async |system: &System| {
            let counted = values(system, "fresh").await.first().map(|version| version.1);
            (counted == Some(100)).then_some(())
        };
        until(&format!("{story}: what is acked counts"), async || counts(system).await).await;
        let next = system.release("checkout", "2.4.2", Some("2.4.1")).await;
        scrape_thrice(system, "checkout", "2.4.2", 900.0, 100.0).await;
        let judged = async |system: &System| {
            let state = system.state(&next).await;
            ["rollback_prepared", "rolling_back"].contains(&state.as_str()).then_some(state)
        };
        let state = until(&format!("{story}: a bad release is judged"), async || judged(system).await).await;
        let seen = sink.received().len();
        system.kill_and_restart().await;
        assert_eq!(judged(system).await, Some(state), "{story}");
        until(&format!("{story}: what is acked counts again"), async || counts(system).await).await;
        if is_known {
            assert!(sink.received().len() <= seen + 1, "{story}");
        }
    }
}

/// A snapshot from before a stretch of the log that is gone.
#[tokio::test]
async fn a_snapshot_older_than_the_log_is_not_used() {
    let history = History::make().await;
    let sink = Sink::start().await;
    let folder = history.copy();
    let data = folder.path().join("data");
    let old = std::fs::read(data.join(SNAPSHOT)).unwrap();
    std::fs::remove_file(data.join(EVENTS)).unwrap();
    let mut system = System::begin(folder, &CONFIG.replace("TARGET", &sink.url), &[]);
    assert_eq!(system.until_ready_or_ended().await, Ok(()));
    lines(&system, "fresh", 100).await;
    let counts = async |system: &System| {
        (values(system, "fresh").await.first().map(|version| version.1) == Some(100)).then_some(())
    };
    until("the lines count", async || counts(&system).await).await;
    assert_eq!(system.terminate(), Some(0));
    std::fs::write(system.folder.path().join("data").join(SNAPSHOT), old).unwrap();
    system.start_again().await;
    assert!(system.log().contains("is of another stretch of the log"), "{}", system.log());
    until("the log tells the same", async || counts(&system).await).await;
    assert_eq!(Seen::of(&system, &history.releases).await, history.seen);
    assert_eq!(sink.received().len(), 0);
}

/// Every record of the decisions log, decoded; positions that are gone are told by the caller's count.
pub(crate) async fn decisions(data: &Path) -> Vec<model::DecisionRecord> {
    let log = bus::open(BusConfig::Embedded(EmbeddedConfig::new(data))).await.unwrap();
    let bounds = log.decisions.bounds(Partition::HOME).await.unwrap();
    let mut reader = log.decisions.reader(Partition::HOME, Position(0));
    let mut records = Vec::new();
    while let Some(record) = reader.next_before(bounds.next).await.unwrap() {
        assert_eq!(record.missing_before, 0, "a hole before {:?}", record.position);
        records.push(proto::decode_decision(&record.payload).unwrap());
    }
    log.close().await;
    records
}
