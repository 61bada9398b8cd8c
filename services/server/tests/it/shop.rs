//! What most stories have in common: a policy, releases that go wrong, and what is asked about them.

use crate::{
    sink::Sink,
    system::System,
    wire::{Write, now_ms},
};

/// Its services do not depend on one another: each story that breaks several means each of them.
pub(crate) const CONFIG: &str = r#"
server: { listen: "LISTEN" }
metrics:
  error_rate: { ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total } }
defaults: { settle: 1s, attribution: { neighbours: none } }
rollback_triggers:
  error_rate: { threshold: 1%, window: 5m, action: immediate_rollback }
policies:
  - match: { environment: production }
    target: { webhook: { url: "TARGET", secret_file: webhook.secret } }
"#;

pub(crate) const SECRET: &str = "whsec_dGVzdHMgc2lnbiB0aGVpciB3ZWJob29rcyB0b28=";

/// Everything that is told goes to one webhook.
pub(crate) const ROUTES: &str = r#"
route: { receiver: hook, group_wait: 0s }
receivers: [ { name: hook, webhook_configs: [ { url: "NOTIFY" } ] } ]
"#;

pub(crate) async fn start(sink: &Sink) -> System {
    System::start_with_files(&CONFIG.replace("TARGET", &sink.url), &[("webhook.secret", SECRET)]).await
}

/// Three scrapes of a version a second apart, ending now: the first is the baseline, the last holds `errors`.
pub(crate) async fn scrape_thrice(system: &System, service: &str, version: &str, ok: f64, errors: f64) {
    let now = now_ms();
    for (at, share) in [(2000, 0.0), (1000, 0.1), (0, 1.0)] {
        let write = Write::default().requests(service, version, 10.0 + ok * share, errors * share, now - at);
        let (status, text) = write.send(system).await;
        assert_eq!(status, 204, "{text}");
    }
}

/// Requests of a service in the longest of its windows, half an hour at most.
pub(crate) async fn requests(system: &System, service: &str) -> Option<u64> {
    let values = system.get(&format!("/api/v1/services/{service}/metrics?window=30m")).await;
    values["versions"][0]["requests"].as_u64()
}
