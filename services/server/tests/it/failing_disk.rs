//! A disk whose calls fail or take long, one by one: `fault_layer.c` stands between Ripcord and the C library.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::json;

use crate::{
    shop::requests,
    system::{System, until},
};

const CONFIG: &str = "server: { listen: \"LISTEN\" }\ndefaults: { settle: 1s }\n";

const EIO: i64 = 5;
const EROFS: i64 = 30;

/// Fails or waits from here on, whatever comes.
const FOR_EVER: u64 = 1_000_000;

/// The layer, built once a run.
fn layer() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fault_layer.c");
        let built =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fault_layer-{}.so", std::process::id()));
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&built).arg(&source).args(["-ldl", "-lpthread"]);
        let cc = cc.output().expect("cc is needed to build the fault layer");
        assert!(cc.status.success(), "{}", String::from_utf8_lossy(&cc.stderr));
        built
    })
}

/// A server above the layer.
struct OnDisk {
    system: System,
    sent: u64,
    acked: BTreeSet<String>,
}

impl OnDisk {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let at = |name: &str| text(folder.path().join(name));
        let environment = [
            ("LD_PRELOAD", text(layer().to_owned())),
            ("FAULTS_BELOW", at("data")),
            ("FAULTS", at("faults")),
            ("FAULTS_TOLD", at("told")),
        ];
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let system = System::begin(folder, CONFIG, &environment);
        Self { system, sent: 0, acked: BTreeSet::new() }
    }

    async fn start() -> Self {
        let mut on_disk = Self::begin();
        assert_eq!(on_disk.system.until_ready_or_ended().await, Ok(()));
        assert_eq!(on_disk.send().await, (202, false));
        on_disk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.system.folder.path().join(name)
    }

    /// Of the calls so named on files whose path has `part` in it, `skip` go well and `count` fail, or wait.
    fn order(&self, call: &str, part: &str, skip: u64, count: u64, what: i64) {
        drop(std::fs::remove_file(self.path("told")));
        let new = self.path("faults.new");
        std::fs::write(&new, format!("{call} {part} {skip} {count} {what}\n")).unwrap();
        std::fs::rename(new, self.path("faults")).unwrap();
    }

    fn mend(&self) {
        std::fs::remove_file(self.path("faults")).unwrap();
    }

    /// The faults since the last order.
    fn told(&self) -> Vec<String> {
        let told = std::fs::read_to_string(self.path("told")).unwrap_or_default();
        told.lines().map(str::to_owned).collect()
    }

    /// Ten lines of a version that no other body has; the status, and whether the sender is told when to come back.
    async fn send(&mut self) -> (u16, bool) {
        self.sent += 1;
        let (service, version) = (format!("logs-{}", self.sent / 50), format!("v{}", self.sent % 50));
        let line =
            json!({"service": service, "environment": "production", "version": version, "status": 200});
        let post = self.system.http.post(format!("{}/api/v1/requests", self.system.url));
        let answer = post.body(format!("{line}\n").repeat(10)).send().await.unwrap();
        let status = answer.status().as_u16();
        if status == 202 {
            self.acked.insert(format!("{service} {version}"));
        }
        (status, answer.headers().contains_key("retry-after"))
    }

    async fn readiness(&self) -> u16 {
        let answer = self.system.http.get(format!("{}/-/ready", self.system.url)).send().await;
        answer.map_or(0, |answer| answer.status().as_u16())
    }

    async fn until_ready(&self) {
        until("ready again", async || (self.readiness().await == 200).then_some(())).await;
    }

    /// Every body that was acknowledged counts once, and no other does.
    async fn check(&self, story: &str) {
        for service in (0..=self.sent / 50).map(|n| format!("logs-{n}")) {
            let acked: BTreeSet<&String> =
                self.acked.iter().filter(|it| it.starts_with(&format!("{service} "))).collect();
            until(&format!("{story}: what was acked of {service} counts"), async || {
                let values = self.system.get(&format!("/api/v1/services/{service}/metrics?window=1m")).await;
                let versions = values["versions"].as_array().cloned().unwrap_or_default();
                let counted = versions.iter().map(|it| {
                    assert_eq!(it["requests"], 10, "{story}: {it}");
                    format!("{service} {}", it["version"].as_str().unwrap_or_default())
                });
                let counted: BTreeSet<String> = counted.collect();
                counted.iter().eq(acked.iter().copied()).then_some(())
            })
            .await;
        }
        assert!(!self.system.log().contains("panicked"), "{story}: {}", self.system.log());
    }

    fn segments(&self) -> usize {
        let names = std::fs::read_dir(self.path("data/events")).unwrap();
        names.filter(|it| it.as_ref().unwrap().file_name().to_string_lossy().ends_with(".log")).count()
    }
}

#[tokio::test]
async fn a_disk_that_fails_is_refused_for_as_long_and_its_file_is_not_trusted_again() {
    let mut on_disk = OnDisk::start().await;
    for (call, errno) in [("fdatasync", EIO), ("write", EIO), ("write", EROFS)] {
        let story = format!("{call} fails with {errno}");
        let segments = on_disk.segments();
        on_disk.order(call, "/events/", 0, FOR_EVER, errno);
        for _ in 0..3 {
            assert_eq!(on_disk.send().await, (503, true), "{story}");
        }
        until(&story, async || (on_disk.readiness().await == 503).then_some(())).await;
        let healthy =
            on_disk.system.http.get(format!("{}/-/healthy", on_disk.system.url)).send().await.unwrap();
        assert_eq!(healthy.status(), 200, "{story}");
        assert!(!on_disk.told().is_empty(), "{story}: the layer did nothing");
        on_disk.mend();
        on_disk.until_ready().await;
        assert_eq!(on_disk.send().await, (202, false), "{story}");
        assert!(on_disk.segments() > segments, "{story}: writing goes on in the file that failed");
        on_disk.check(&story).await;
    }
    assert!(on_disk.system.log().contains("the log cannot write"), "{}", on_disk.system.log());
    on_disk.system.kill_and_restart().await;
    on_disk.check("after kill -9").await;
}

#[tokio::test]
async fn whichever_call_fails_once_costs_no_more_than_what_was_refused() {
    let mut on_disk = OnDisk::start().await;
    for n in 0..12 {
        let story = format!("call {n} fails");
        // Between two of them a new segment is begun: its file, its watermark and the folder are synced too.
        on_disk.order("any", "/data/", n, 1, EIO);
        until(&story, async || {
            let answer = on_disk.send().await;
            assert!([(202, false), (503, true)].contains(&answer), "{story}: {answer:?}");
            (!on_disk.told().is_empty()).then_some(())
        })
        .await;
        on_disk.mend();
        on_disk.until_ready().await;
        assert_eq!(on_disk.send().await.0, 202, "{story}");
        on_disk.check(&story).await;
        if n % 4 == 3 {
            on_disk.system.kill_and_restart().await;
            on_disk.check(&format!("{story}, after kill -9")).await;
        }
    }
}

#[tokio::test]
async fn a_slow_disk_slows_answers_and_nothing_else() {
    let mut on_disk = OnDisk::start().await;
    on_disk.order("fdatasync", "/events/", 0, FOR_EVER, -300);
    for _ in 0..10 {
        assert_eq!(on_disk.send().await, (202, false));
        assert_eq!(on_disk.readiness().await, 200);
    }
    assert!(on_disk.told().len() >= 5, "{:?}", on_disk.told());
    on_disk.mend();
    on_disk.check("slow").await;
    on_disk.system.kill_and_restart().await;
    on_disk.check("after kill -9").await;
}

#[tokio::test]
async fn snapshots_that_cannot_be_stored_cost_time_and_nothing_else() {
    let mut on_disk = OnDisk::start().await;
    on_disk.order("fdatasync", "/snapshots/", 0, FOR_EVER, EIO);
    assert_eq!(on_disk.system.terminate(), Some(0));
    assert_eq!(on_disk.told().len(), 1, "{:?}", on_disk.told());
    assert!(on_disk.system.log().contains("a snapshot cannot be stored"), "{}", on_disk.system.log());
    on_disk.system.start_again().await;
    assert!(on_disk.system.log().contains("is_from_snapshot=false"), "{}", on_disk.system.log());
    on_disk.check("after a stop without a snapshot").await;
}

#[tokio::test]
async fn a_disk_that_fails_at_the_start_is_told_in_a_sentence() {
    let mut on_disk = OnDisk::start().await;
    on_disk.system.kill();
    on_disk.order("fdatasync", "/events/", 0, FOR_EVER, EIO);
    on_disk.system.launch_again();
    assert_eq!(on_disk.system.until_ready_or_ended().await, Err(Some(78)));
    let log = on_disk.system.log();
    let said = log.lines().last().unwrap();
    assert!(said.contains("data/events") && said.contains("Input/output error"), "{said}");
    on_disk.mend();
    on_disk.system.start_again().await;
    on_disk.check("once the disk is well").await;
    assert!(requests(&on_disk.system, "logs-0").await.is_some());
}
