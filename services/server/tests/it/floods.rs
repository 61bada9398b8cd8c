//! What the holder of one token can do by sending far more than a service has: nothing to others, for ever less.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::{
    shop::SECRET,
    sink::Sink,
    system::{System, until},
};

const CONFIG: &str = r#"
server:
  listen: "LISTEN"
  tokens:
    - { name: cart-telemetry, token: cart-telemetry-secret-1, roles: [telemetry], services: [cart] }
    - { name: shop-telemetry, token: shop-telemetry-secret-1, roles: [telemetry], services: [shop] }
    - { name: deploy, token: deploy-secret-1, roles: [deploy, view] }
rollback_triggers:
  error_rate:       { threshold: 1%, window: 5m, action: immediate_rollback }
  response_time:    { threshold: 1000ms, percentile: 95, window: 10m, action: immediate_rollback }
  business_metrics: { conversion_rate_drop: 10%, window: 15m, action: alert_and_prepare_rollback }
policies:
  - match: { environment: production }
    mode: approve
    target: { webhook: { url: "TARGET", secret_file: webhook.secret } }
"#;

/// The build that is tested takes 150 MB by itself; each version that was opened took 90 KB when all were.
const RESIDENT_KB_MAX: u64 = 1_000_000;

struct Stage {
    system: System,
}

impl Stage {
    async fn start(sink: &Sink) -> Self {
        let config = CONFIG.replace("TARGET", &sink.url);
        Self { system: System::start_with_files(&config, &[("webhook.secret", SECRET)]).await }
    }

    /// Sends request events by the token of that name.
    async fn requests(&self, token: &str, lines: &str) -> u16 {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(lines.as_bytes()).unwrap();
        let post = self.system.http.post(format!("{}/api/v1/requests", self.system.url));
        let post =
            post.bearer_auth(format!("{token}-secret-1")).header("content-type", "application/x-ndjson");
        let post = post.header("content-encoding", "gzip").body(gzip.finish().unwrap());
        post.send().await.unwrap().status().as_u16()
    }

    async fn deploy(&self, version: &str, previous: &str) -> String {
        let body = json!({
            "service": "shop", "environment": "production", "version": version, "previous_version": previous,
        });
        let post = self.system.http.post(format!("{}/api/v1/releases", self.system.url));
        let post = post.header("content-type", "application/json").bearer_auth("deploy-secret-1");
        let answer = post.body(body.to_string()).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        answer["id"].as_str().unwrap().to_owned()
    }

    async fn until_prepared(&self, release: &str) {
        let url = format!("{}/api/v1/releases/{release}", self.system.url);
        until(&format!("the rollback of {release} is prepared"), async || {
            let answer = self.system.http.get(&url).bearer_auth("deploy-secret-1").send().await.ok()?;
            let answer: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
            (answer["state"] == "rollback_prepared").then_some(())
        })
        .await;
    }

    /// A release of the shop of which every second request fails.
    async fn break_the_shop(&self, version: &str, previous: &str) {
        let of = |version: &str, status: u16| {
            let line =
                json!({"service": "shop", "environment": "production", "version": version, "status": status});
            format!("{line}\n").repeat(60)
        };
        assert_eq!(self.requests("shop-telemetry", &of(previous, 200)).await, 202);
        let release = self.deploy(version, previous).await;
        assert_eq!(self.requests("shop-telemetry", &(of(version, 200) + &of(version, 500))).await, 202);
        self.until_prepared(&release).await;
    }

    async fn metric(&self, line: &str) -> u64 {
        let metrics = self.system.metrics().await;
        let value = metrics.lines().find_map(|it| it.strip_prefix(line)?.trim().parse().ok());
        value.unwrap_or_default()
    }

    fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.system.pid())).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// A request of each of 64 versions in each of 3,125 environments: half a megabyte on the wire.
fn flood() -> String {
    let each = (0..3_125).flat_map(|environment| (0..64).map(move |version| (environment, version)));
    let line = |(environment, version)| {
        format!(
            "{{\"service\":\"cart\",\"environment\":\"e{environment}\",\"version\":\"v{version}\",\"duration_ms\":5}}\n"
        )
    };
    each.map(line).collect()
}

#[tokio::test]
async fn two_hundred_thousand_versions_of_one_token_cost_nobody_else_anything_nor_do_they_after_a_restart() {
    let sink = Sink::start().await;
    let mut stage = Stage::start(&sink).await;
    let flood = flood();
    assert_eq!(stage.requests("cart-telemetry", &flood).await, 202);
    until("the flood is judged", async || {
        (stage.metric("ripcord_store_refused_total{reason=\"event\"}").await == 199_000).then_some(())
    })
    .await;
    stage.break_the_shop("2", "1").await;
    assert!(stage.resident_kb() < RESIDENT_KB_MAX, "{} KB", stage.resident_kb());
    let line = stage.system.log().lines().find(|line| line.contains("there is no room")).map(str::to_owned);
    assert!(line.as_ref().is_some_and(|line| line.contains("cart-telemetry")), "{line:?}");

    stage.system.kill_and_restart().await;
    assert!(stage.metric("ripcord_store_bytes{partition=\"0\"}").await < 8 << 20);
    assert!(stage.resident_kb() < RESIDENT_KB_MAX, "{} KB", stage.resident_kb());
    stage.break_the_shop("4", "3").await;
}
