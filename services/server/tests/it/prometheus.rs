//! A real Prometheus scrapes a shop and sends on what it scraped, as the README says; Ripcord does the rest.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, routing::get};
use tokio::net::TcpListener;

use crate::{
    peers,
    shop::SECRET,
    sink::Sink,
    system::{System, until},
};

/// A service with two counters and a histogram on `/metrics`.
#[derive(Clone, Default)]
struct Instance(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    version: &'static str,
    ok: u64,
    errors: u64,
    is_faulty: bool,
}

impl Instance {
    async fn start(version: &'static str) -> (Self, String) {
        let instance = Self::default();
        instance.0.lock().unwrap().version = version;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new().route("/metrics", get(metrics)).with_state(instance.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (instance, address)
    }

    fn break_down(&self) {
        self.0.lock().unwrap().is_faulty = true;
    }
}

/// Every scrape finds fifty more requests; of a faulty instance's, every fifth failed.
async fn metrics(State(instance): State<Instance>) -> String {
    let mut counts = instance.0.lock().unwrap();
    let errors = if counts.is_faulty { 10 } else { 0 };
    counts.ok += 50 - errors;
    counts.errors += errors;
    let (version, ok, errors, all) = (counts.version, counts.ok, counts.errors, counts.ok + counts.errors);
    format!(
        "# TYPE http_requests_total counter\n\
         http_requests_total{{code=\"200\"}} {ok}\n\
         http_requests_total{{code=\"500\"}} {errors}\n\
         # TYPE http_request_duration_seconds histogram\n\
         http_request_duration_seconds_bucket{{le=\"0.1\"}} {all}\n\
         http_request_duration_seconds_bucket{{le=\"+Inf\"}} {all}\n\
         http_request_duration_seconds_sum {}\n\
         http_request_duration_seconds_count {all}\n\
         # TYPE shop_build_info gauge\n\
         shop_build_info{{version=\"{version}\"}} 1\n",
        all as f64 * 0.05
    )
}

#[tokio::test]
async fn a_crossing_seen_by_a_real_prometheus_ends_in_one_rollback_a_mail_and_a_slack_message() {
    let Some(python) = peers::python_with("aiosmtpd") else { return };
    if !peers::has("prometheus") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (checkout, checkout_address) = Instance::start("2.4.1").await;
    let (_catalog, catalog_address) = Instance::start("1.9.0").await;
    let sink = Sink::start().await;
    let slack = receivers::slack::double::SlackDouble::start("xoxb-test").await.unwrap();
    let (_smtp, smtp_address, maildir) = peers::smtp(folder.path(), &python).await;

    // Versions are only on the info series, so the join is what places them.
    let config = format!(
        r##"
server: {{ listen: "LISTEN" }}
identity:
  join: [ {{ info: '{{__name__=~".+_build_info"}}', on: [job, instance], take: {{ version: version }} }} ]
metrics:
  error_rate:    {{ ratio: {{ bad: 'http_requests_total{{code=~"5.."}}', total: http_requests_total }} }}
  response_time: {{ histogram: http_request_duration_seconds }}
rollback_triggers:
  error_rate:    {{ threshold: 1%, window: 5m, action: immediate_rollback }}
  response_time: {{ threshold: 1000ms, percentile: 95, window: 10m, action: immediate_rollback }}
policies:
  - match: {{ environment: production }}
    target: {{ webhook: {{ url: "{}", secret_file: webhook.secret }} }}
route: {{ receiver: sre, group_by: [service, release], group_wait: 0s }}
receivers:
  - name: sre
    slack_configs: [ {{ api_url: "{}", app_token_file: slack.token, channel: "#releases", send_resolved: true }} ]
    email_configs: [ {{ to: sre@example.org, from: ripcord@example.org, smarthost: "{smtp_address}", require_tls: false, send_resolved: true }} ]
"##,
        sink.url,
        slack.api_url(),
    );
    let system =
        System::start_with_files(&config, &[("webhook.secret", SECRET), ("slack.token", "xoxb-test")]).await;
    // The README's own snippet, pointed at this server.
    let remote_write =
        include_str!("../../../../deploy/prometheus.yml").replace("http://127.0.0.1:9480", &system.url);
    let scrape = format!(
        "global: {{ scrape_interval: 1s }}\n{remote_write}\nscrape_configs:\n\
         - job_name: shop\n  static_configs:\n\
         \x20 - {{ targets: [\"{checkout_address}\"], labels: {{ service: checkout, environment: production }} }}\n\
         \x20 - {{ targets: [\"{catalog_address}\"], labels: {{ service: catalog, environment: production }} }}\n"
    );
    let (_prometheus, _) = peers::prometheus(folder.path(), &scrape).await;

    until("both versions are seen", async || {
        let seen = system.get("/api/v1/services").await.to_string();
        (seen.contains("2.4.1") && seen.contains("1.9.0")).then_some(())
    })
    .await;
    let bad = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    let good = system.release("catalog", "1.9.0", Some("1.8.0")).await;
    until("healthy values of the release", async || {
        let values = system.get("/api/v1/services/checkout/metrics?window=5m").await;
        (values["versions"][0]["requests"].as_u64()? >= 100).then_some(())
    })
    .await;
    assert!(sink.received().is_empty());

    checkout.break_down();
    let command = until("the rollback request", async || sink.commands_for("checkout").pop()).await;
    assert_eq!(command["to_version"], "2.4.0");
    until("the mail", async || {
        peers::mails(&maildir).iter().any(|mail| mail.contains("2.4.1")).then_some(())
    })
    .await;
    until("the Slack message", async || slack.rendered().iter().any(|it| it.contains("2.4.1")).then_some(()))
        .await;

    assert_eq!(system.state(&bad).await, "rolling_back");
    assert_eq!(system.state(&good).await, "watching");
    assert_eq!((sink.commands_for("checkout").len(), sink.commands_for("catalog").len()), (1, 0));
}

#[tokio::test]
async fn promtool_finds_no_fault_with_our_own_metrics() {
    if !peers::has("promtool") {
        return;
    }
    let sink = Sink::start().await;
    let system = crate::shop::start(&sink).await;
    crate::shop::scrape_thrice(&system, "checkout", "1", 100.0, 0.0).await;
    let text = system.http.get(format!("{}/metrics", system.url)).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("ripcord_"), "{text}");
    let path = system.folder.path().join("metrics.txt");
    std::fs::write(&path, &text).unwrap();
    let output = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(&path).unwrap())
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
