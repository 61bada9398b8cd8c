//! `global` and `receivers`: who is told, and how.

use std::collections::BTreeMap;

use ::receivers::{EmailConfig, Receiver, SlackConfig, Tls, WebhookConfig};
use policy::{
    Diagnostics,
    yaml::{Node, Reader},
};
use router::{Integration, ReceiverPlan};
use secrecy::SecretString;

use super::{files::Files, http_auth, routing, secrets};

/// `global`: what integrations say unless they say otherwise.
#[derive(Default)]
struct Global {
    smtp: EmailConfig,
    require_tls: Option<bool>,
    slack_token: Option<SecretString>,
    external_url: String,
}

/// Keys of Alertmanager's that shape a message; ours has its own form.
const SLACK_FORM: [&str; 22] = [
    "username",
    "icon_emoji",
    "icon_url",
    "color",
    "title",
    "title_link",
    "text",
    "pretext",
    "fields",
    "footer",
    "fallback",
    "callback_id",
    "short_fields",
    "link_names",
    "mrkdwn_in",
    "image_url",
    "thumb_url",
    "actions",
    "http_config",
    "update_message",
    "message_text",
    "timeout",
];
const EMAIL_FORM: [&str; 6] = ["html", "text", "headers", "threading", "auth_identity", "auth_secret"];
/// Integrations that Alertmanager has and we have not.
const OTHER_KINDS: [&str; 16] = [
    "pagerduty_configs",
    "opsgenie_configs",
    "victorops_configs",
    "pushover_configs",
    "sns_configs",
    "telegram_configs",
    "discord_configs",
    "webex_configs",
    "msteams_configs",
    "msteamsv2_configs",
    "jira_configs",
    "incidentio_configs",
    "mattermost_configs",
    "wechat_configs",
    "rocketchat_configs",
    "kafka_configs",
];

/// Plans for the router and configurations for the channels, by receiver.
pub(super) fn read(
    top: &mut Reader<'_, '_>,
    files: &mut Files,
    send_resolved: bool,
) -> (BTreeMap<String, ReceiverPlan>, ::receivers::Config) {
    let diagnostics = top.diagnostics();
    let global = read_global(top, files);
    let (mut plans, mut config) = (BTreeMap::new(), ::receivers::Config::default());
    config.external_url.clone_from(&global.external_url);
    let root = top.get("route").and_then(|route| route.get("receiver")?.text().map(str::to_owned));
    for node in top.list("receivers") {
        let Some((name, plan, receiver)) = read_receiver(node, &global, files, send_resolved, diagnostics)
        else {
            continue;
        };
        expect_somebody_is_reached(node, &name, &plan, root.as_deref(), diagnostics);
        if plans.insert(name.clone(), plan).is_some() {
            diagnostics.error(node, format!("the receiver {name:?} is there twice"));
        }
        config.receivers.insert(name, receiver);
    }
    if let Err(error) = config.check() {
        let at = top.get("receivers");
        if let Some(node) = at {
            diagnostics.error(node, error.to_string());
        }
    }
    (plans, config)
}

/// A receiver whose integrations do not act swallows what it gets. One without any may be meant to, unless it is the
/// root's, which gets what no other route takes.
fn expect_somebody_is_reached(
    node: &Node,
    name: &str,
    plan: &ReceiverPlan,
    root: Option<&str>,
    diagnostics: &Diagnostics,
) {
    let mut entries = node.entries().into_iter().flatten();
    let has_integrations = entries.any(|entry| entry.key.name.ends_with("_configs"));
    if plan.integrations.is_empty() && (has_integrations || root == Some(name)) {
        let what = if has_integrations { "none of its integrations acts" } else { "it has no integration" };
        let hint = "slack_configs with an `app_token`, email_configs and webhook_configs act";
        diagnostics.warning(node, format!("the receiver {name:?} reaches nobody: {what}"), hint);
    }
}

fn read_global(top: &mut Reader<'_, '_>, files: &mut Files) -> Global {
    let mut config = Global::default();
    let Some(mut global) = top.mapping("global") else { return config };
    let text = |global: &mut Reader<'_, '_>, key: &str| global.text(key).map(str::to_owned);
    config.smtp.from = text(&mut global, "smtp_from").unwrap_or_default();
    config.smtp.smarthost = text(&mut global, "smtp_smarthost").unwrap_or_default();
    config.smtp.hello = text(&mut global, "smtp_hello");
    config.smtp.auth_username = text(&mut global, "smtp_auth_username");
    config.smtp.auth_password = secrets::read(&mut global, "smtp_auth_password", files);
    config.require_tls = global.boolean("smtp_require_tls");
    config.slack_token = secrets::read(&mut global, "slack_app_token", files);
    config.external_url = text(&mut global, "external_url").unwrap_or_default();
    if let Some(entry) = global.entry("resolve_timeout") {
        let message = "`resolve_timeout` is accepted, but has no effect here: Alertmanager repeats an alert after its repeat_interval only";
        let hint = "`hooks.alertmanager.resolve_timeout` ends alerts of which nothing is heard any more";
        global.diagnostics().warning(&entry.key, message, hint);
    }
    let no_effect = [
        "smtp_auth_identity",
        "smtp_auth_secret",
        "smtp_tls_config",
        "http_config",
        "slack_api_url",
        "slack_api_url_file",
        "pagerduty_url",
        "opsgenie_api_url",
        "opsgenie_api_key",
        "victorops_api_url",
        "victorops_api_key",
        "telegram_api_url",
        "webex_api_url",
        "slack_app_url",
    ];
    for key in no_effect {
        warn_without_effect(&mut global, key);
    }
    global.finish();
    config
}

pub(super) fn warn_without_effect(reader: &mut Reader<'_, '_>, key: &str) {
    if let Some(entry) = reader.entry(key) {
        let hint = "leave it for Alertmanager's sake, or take it out";
        reader.diagnostics().warning(
            &entry.key,
            format!("`{key}` is accepted, but has no effect here"),
            hint,
        );
    }
}

fn read_receiver(
    node: &Node,
    global: &Global,
    files: &mut Files,
    send_resolved: bool,
    diagnostics: &Diagnostics,
) -> Option<(String, ReceiverPlan, Receiver)> {
    let mut reader = Reader::open(node, "a receiver", diagnostics)?;
    let name = reader.required_text("name").map(str::to_owned);
    let (mut plan, mut receiver) = (ReceiverPlan::default(), Receiver::default());
    plan.fallback = reader.text("fallback").map(str::to_owned);
    let mut add = |kind: &str, send_resolved, max_alerts| {
        plan.integrations.push(Integration { kind: kind.to_owned(), send_resolved, max_alerts });
    };
    for node in reader.list("slack_configs") {
        if let Some(config) = read_slack(node, global, files, send_resolved, diagnostics) {
            add("slack", config.send_resolved, 0);
            receiver.slack.push(config);
        }
    }
    for node in reader.list("email_configs") {
        if let Some(config) = read_email(node, global, files, send_resolved, diagnostics) {
            add("email", config.send_resolved, 0);
            receiver.email.push(config);
        }
    }
    for node in reader.list("webhook_configs") {
        if let Some(config) = read_webhook(node, files, diagnostics) {
            add("webhook", config.send_resolved, usize::try_from(config.max_alerts).unwrap_or(usize::MAX));
            receiver.webhook.push(config);
        }
    }
    for kind in OTHER_KINDS {
        if let Some(entry) = reader.entry(kind) {
            let hint = "slack_configs, email_configs and webhook_configs work";
            diagnostics.warning(&entry.key, format!("`{kind}` is accepted, but does not act yet"), hint);
        }
    }
    reader.finish();
    Some((name?, plan, receiver))
}

fn read_slack(
    node: &Node,
    global: &Global,
    files: &mut Files,
    send_resolved: bool,
    diagnostics: &Diagnostics,
) -> Option<SlackConfig> {
    let mut reader = Reader::open(node, "a Slack integration", diagnostics)?;
    let token = secrets::read(&mut reader, "app_token", files).or_else(|| global.slack_token.clone());
    let is_given = secrets::is_given(&mut reader, "app_token");
    let api_url = reader.text("api_url").map(str::to_owned);
    let channel = reader.text("channel").map(str::to_owned);
    let notify_owner = reader.boolean("notify_owner").unwrap_or(true);
    let mention = read_mention(&mut reader);
    let send_resolved = reader.boolean("send_resolved").unwrap_or(send_resolved);
    reader.entry("api_url_file");
    reader.entry("app_url");
    for key in SLACK_FORM {
        warn_without_effect(&mut reader, key);
    }
    reader.finish();
    let Some(token) = token else {
        if !is_given {
            let hint = "a bot token (xoxb-…) with chat:write, in app_token_file; incoming webhooks cannot update a message";
            diagnostics.warning(
                node,
                "a Slack integration without `app_token` is accepted, but does not act",
                hint,
            );
        }
        return None;
    };
    let mut config = SlackConfig::new(token);
    config.channel = channel;
    config.notify_owner = notify_owner;
    config.mention = mention.unwrap_or(config.mention);
    config.send_resolved = send_resolved;
    if let Some(api_url) = api_url {
        config.api_url = api_url;
    }
    Some(config)
}

fn read_mention(reader: &mut Reader<'_, '_>) -> Option<String> {
    let node = reader.get("mention")?;
    match ::receivers::parse_mention(node.text().unwrap_or_default()) {
        Ok(mention) => Some(mention),
        Err(reason) => {
            reader.diagnostics().error_hint(node, reason, "mention: \"<!channel>\"");
            None
        }
    }
}

fn read_email(
    node: &Node,
    global: &Global,
    files: &mut Files,
    send_resolved: bool,
    diagnostics: &Diagnostics,
) -> Option<EmailConfig> {
    let mut reader = Reader::open(node, "an email integration", diagnostics)?;
    let mut config = global.smtp.clone();
    if let Some(to) = reader.get("to") {
        let texts: Vec<&str> = match to.items() {
            Some(items) => items.iter().filter_map(Node::text).collect(),
            None => to.text().into_iter().collect(),
        };
        config.to = texts.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect();
    }
    let text = |reader: &mut Reader<'_, '_>, key: &str| reader.text(key).map(str::to_owned);
    config.from = text(&mut reader, "from").unwrap_or(config.from);
    config.smarthost = text(&mut reader, "smarthost").unwrap_or(config.smarthost);
    config.hello = text(&mut reader, "hello").or(config.hello);
    config.auth_username = text(&mut reader, "auth_username").or(config.auth_username);
    config.auth_password = secrets::read(&mut reader, "auth_password", files).or(config.auth_password);
    config.send_resolved = reader.boolean("send_resolved").unwrap_or(send_resolved);
    config.notify_owner = reader.boolean("notify_owner").unwrap_or(true);
    let require_tls = reader.boolean("require_tls").or(global.require_tls).unwrap_or(true);
    config.tls = match (config.smarthost.ends_with(":465"), require_tls) {
        (true, _) => Tls::Implicit,
        (false, true) => Tls::StartTls,
        (false, false) => Tls::None,
    };
    if let Some(mut tls) = reader.mapping("tls_config") {
        config.tls_insecure = tls.boolean("insecure_skip_verify").unwrap_or(false);
        config.tls_ca = read_ca(&mut tls, files);
        for key in ["cert_file", "key_file", "server_name", "min_version", "max_version"] {
            warn_without_effect(&mut tls, key);
        }
        tls.finish();
    }
    for key in EMAIL_FORM {
        warn_without_effect(&mut reader, key);
    }
    reader.finish();
    for (key, value) in [("from", &config.from), ("smarthost", &config.smarthost)] {
        if value.is_empty() {
            let hint = format!("give it here, or as global.smtp_{key}");
            diagnostics.error_hint(node, format!("an email integration needs `{key}`"), hint);
            return None;
        }
    }
    Some(config)
}

fn read_ca(tls: &mut Reader<'_, '_>, files: &mut Files) -> Option<Vec<u8>> {
    let node = tls.get("ca_file")?;
    match files.text(&files.resolve(node.text()?)) {
        Ok(text) => Some(text.into_bytes()),
        Err(reason) => {
            tls.diagnostics().error(node, reason);
            None
        }
    }
}

fn read_webhook(node: &Node, files: &mut Files, diagnostics: &Diagnostics) -> Option<WebhookConfig> {
    let mut reader = Reader::open(node, "a webhook integration", diagnostics)?;
    let url = secrets::read(&mut reader, "url", files);
    let is_given = secrets::is_given(&mut reader, "url");
    let send_resolved = reader.boolean("send_resolved").unwrap_or(true);
    let max_alerts = reader.integer_within("max_alerts", 0..=1_000_000).unwrap_or(0);
    let timeout = reader.duration("timeout").and_then(routing::nonzero);
    let authorization = reader.mapping("http_config").and_then(|mut http| {
        let authorization = http_auth::read(&mut http, files);
        http.finish();
        authorization
    });
    warn_without_effect(&mut reader, "payload");
    reader.finish();
    let Some(url) = url else {
        if !is_given {
            diagnostics.error_hint(node, "a webhook integration needs `url` or `url_file`", "url: https://…");
        }
        return None;
    };
    let mut config = WebhookConfig::new(url);
    config.send_resolved = send_resolved;
    config.max_alerts = max_alerts;
    config.authorization = authorization;
    if let Some(timeout) = timeout {
        config.timeout = timeout;
    }
    Some(config)
}
