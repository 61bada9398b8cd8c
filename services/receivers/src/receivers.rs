//! All receivers, found by what the router calls them.

use std::collections::BTreeMap;

use model::{Delivery, DeliveryResult, NoticeStatus, Recipient, RecipientState, Send, Timestamp};
use outbound::Outbound;
use prometheus::Registry;
use telemetry::clock::Stopwatch;

use crate::{
    Config, Error,
    email::EmailSender,
    metrics::Metrics,
    retry::{self, Policy},
    slack::SlackSender,
    text::{MAX_DETAIL_CHARS, clip},
    webhook::WebhookSender,
};

/// One integration of one receiver.
#[derive(Debug)]
enum Integration {
    Slack(Box<SlackSender>),
    Email(Box<EmailSender>),
    Webhook(Box<WebhookSender>),
}

/// Delivers messages. Holds connections, but nothing that a restart would miss: what a thread needs travels in
/// [`Send::thread`] and [`Delivery::thread`].
#[derive(Debug)]
pub struct Receivers {
    /// By receiver, kind and index.
    integrations: BTreeMap<(String, &'static str, u32), Integration>,
    external_url: String,
    clock: fn() -> Timestamp,
    metrics: Metrics,
    policy: Policy,
}

/// What came of a message, whichever channel it took.
struct Ended {
    attempts: u32,
    outcome: Result<String, String>,
    thread: Option<String>,
    /// What came of each recipient, where the channel has several.
    recipients: Vec<Recipient>,
}

impl Receivers {
    /// Checks `config` and sets every channel up; connects nowhere yet. `clock` dates mails and reads
    /// `Retry-After`.
    pub fn new(config: Config, registry: &Registry, clock: fn() -> Timestamp) -> Result<Self, Error> {
        let metrics = Metrics::register(registry)?;
        Self::build(config, metrics, clock, Policy::default())
    }

    /// The same receivers with another configuration; counts go on. The old ones stay as they are, so that
    /// messages under way end as they began.
    pub fn reconfigure(&self, config: Config) -> Result<Self, Error> {
        Self::build(config, self.metrics.clone(), self.clock, self.policy)
    }

    #[cfg(test)]
    pub(crate) fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    fn build(
        config: Config,
        metrics: Metrics,
        clock: fn() -> Timestamp,
        policy: Policy,
    ) -> Result<Self, Error> {
        config.check()?;
        let outbound = Outbound::new(config.allowed_hosts).map_err(Error::Client)?;
        let client = outbound.client().map_err(Error::Client)?;
        let mut integrations = BTreeMap::new();
        let mut put = |name: &str, kind, index: usize, integration| {
            integrations
                .insert((name.to_owned(), kind, u32::try_from(index).unwrap_or(u32::MAX)), integration);
        };
        for (name, receiver) in config.receivers {
            for (index, config) in receiver.slack.into_iter().enumerate() {
                let sender = SlackSender::new(config, &outbound);
                put(&name, "slack", index, Integration::Slack(Box::new(sender)));
            }
            for (index, config) in receiver.email.into_iter().enumerate() {
                let sender = EmailSender::new(config, outbound.allowed.clone()).map_err(|reason| {
                    Error::Config { receiver: name.clone(), integration: "email", index, reason }
                })?;
                put(&name, "email", index, Integration::Email(Box::new(sender)));
            }
            for (index, config) in receiver.webhook.into_iter().enumerate() {
                let sender = WebhookSender::new(config, client.clone(), outbound.allowed.clone());
                put(&name, "webhook", index, Integration::Webhook(Box::new(sender)));
            }
        }
        Ok(Self { integrations, external_url: config.external_url, clock, metrics, policy })
    }

    /// Delivers one message and says what came of it; retries by itself and never fails otherwise. The same
    /// message again (same id) may arrive again: at least once, told apart by its id where the channel has one.
    pub async fn deliver(&self, send: &Send) -> Delivery {
        let watch = Stopwatch::start();
        let result = self.through_channel(send).await;
        // A message that one recipient has was delivered: what is left is tried again for the others alone.
        let is_reached = result.recipients.iter().any(|it| it.state == RecipientState::Reached);
        let is_delivered = result.outcome.is_ok() || is_reached;
        let detail = result.outcome.unwrap_or_else(|detail| detail);
        let delivery = Delivery {
            send: send.id.clone(),
            notices: send.notices.iter().map(|notice| notice.id.clone()).collect(),
            release: send.release.clone(),
            receiver: send.receiver.clone(),
            integration: send.integration.clone(),
            index: send.index,
            group_key: send.group_key.clone(),
            result: if is_delivered { DeliveryResult::Delivered } else { DeliveryResult::Failed },
            attempts: result.attempts,
            detail: clip(&detail, MAX_DETAIL_CHARS),
            thread: result.thread.or_else(|| send.thread.clone()),
            firing: fingerprints(send, NoticeStatus::Firing),
            resolved: fingerprints(send, NoticeStatus::Resolved),
            recipients: result.recipients,
        };
        self.account(&delivery, watch);
        delivery
    }

    async fn through_channel(&self, send: &Send) -> Ended {
        let kind = match send.integration.as_str() {
            "slack" => "slack",
            "email" => "email",
            "webhook" => "webhook",
            other => return undeliverable(format!("there is no integration {other:?}")),
        };
        let key = (send.receiver.clone(), kind, send.index);
        match self.integrations.get(&key) {
            Some(Integration::Slack(sender)) => {
                let mut posting = sender.posting(send, &self.external_url);
                let (attempts, outcome) = self.attempts(send, kind, &mut posting).await;
                Ended { attempts, outcome, thread: posting.thread(), recipients: posting.recipients() }
            }
            Some(Integration::Email(sender)) => {
                match sender.mailing(send, &self.external_url, (self.clock)()) {
                    Ok(mut mailing) => {
                        let (attempts, outcome) = self.attempts(send, kind, &mut mailing).await;
                        let summary = mailing.summary();
                        let in_full = |reason: String| match reason == summary {
                            true => reason,
                            false => format!("{reason}; {summary}"),
                        };
                        let outcome = outcome.map_err(in_full);
                        let (thread, recipients) = (Some(mailing.thread()), mailing.recipients());
                        Ended { attempts, outcome, thread, recipients }
                    }
                    Err(reason) => undeliverable(reason),
                }
            }
            Some(Integration::Webhook(sender)) => {
                let mut request = sender.request(send, &self.external_url, self.clock);
                let (attempts, outcome) = self.attempts(send, kind, &mut request).await;
                Ended { attempts, outcome, thread: None, recipients: Vec::new() }
            }
            None => {
                let Send { receiver, index, .. } = send;
                undeliverable(format!("the receiver {receiver:?} has no {kind}_configs[{index}] (any more)"))
            }
        }
    }

    async fn attempts(
        &self,
        send: &Send,
        kind: &'static str,
        attempt: &mut impl retry::Attempt,
    ) -> (u32, Result<String, String>) {
        let count = |is_success| {
            let result = if is_success { "success" } else { "failure" };
            self.metrics.attempts.with_label_values(&[kind, result]).inc();
        };
        retry::run(self.policy, send.id.as_str(), attempt, count).await
    }

    fn account(&self, delivery: &Delivery, watch: Stopwatch) {
        // The kind comes from the router; a name it cannot have must not become a label.
        let kind = match delivery.integration.as_str() {
            "slack" => "slack",
            "email" => "email",
            "webhook" => "webhook",
            _ => "unknown",
        };
        self.metrics.deliveries.with_label_values(&[kind, delivery.result.as_str()]).inc();
        self.metrics.seconds.with_label_values(&[kind]).observe(watch.elapsed().as_secs_f64());
        let Delivery { receiver, integration, index, attempts, detail, recipients, .. } = delivery;
        match delivery.result {
            DeliveryResult::Failed => {
                tracing::warn!(receiver, integration, index, attempts, detail, "a message was given up");
            }
            _ if recipients.iter().any(|it| it.state != RecipientState::Reached) => {
                tracing::warn!(receiver, integration, index, attempts, detail, "a message reached some only");
            }
            _ => tracing::debug!(receiver, integration, index, attempts, detail, "a message was delivered"),
        }
    }
}

fn undeliverable(detail: String) -> Ended {
    Ended { attempts: 0, outcome: Err(detail), thread: None, recipients: Vec::new() }
}

fn fingerprints(send: &Send, status: NoticeStatus) -> Vec<u64> {
    let shown = send.notices.iter().filter(|notice| notice.status == status);
    shown.map(|notice| notice.labels.fingerprint()).collect()
}
